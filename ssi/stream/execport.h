// SPDX-License-Identifier: MIT
// The exec port: commands and files that the host sends on COM2, and output that goes back. Frames
// are u8 type, u32 length (little-endian), payload; see execport.c.
#pragma once

#include "ssi/fs/file.h"

// /dev/exec: an open for reading has the newest command's text, an open for writing sends output
// of the command that is the newest then. 0, -ENXIO no port, -ENOMEM.
int exec_open(uint32_t flags, struct file **f);
// /dev/exec.data: the newest file that was put.
int exec_data_open(uint32_t flags, struct file **f);

// Bytes from the port; never sleeps. For the hook and for tests.
void exec_input(const uint8_t *bytes, size_t n);
uint32_t exec_dropped(void); // frames that were malformed or found no memory
