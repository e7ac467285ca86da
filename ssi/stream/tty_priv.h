// SPDX-License-Identifier: MIT
// What the files of ssi/stream share about the terminal.
#pragma once

#include "ssi/stream/stream.h"

const struct tty_signals *tty_signals_of_room(void); // NULL until they are set

// The place of /dev/NAME on this node; zeros before it is mounted.
struct fs_place device_place(const char *name);
