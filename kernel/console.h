// SPDX-License-Identifier: MIT
// The serial console (COM1) and the exec port (COM2), as bytes. The tty discipline is
// ssi/stream's: it takes input through the hook.
#pragma once

#include "lib/types.h"

// Writes all bytes before it returns; raw, no translation. May be called at any time.
void console_write(const char *bytes, size_t n);
// Called for input bytes with the kernel lock held; must not sleep. Set by ssi/stream/tty.
extern void (*console_on_input)(const uint8_t *bytes, size_t n);

bool port2_present(void);
void port2_write(const uint8_t *bytes, size_t n);
extern void (*port2_on_input)(const uint8_t *bytes, size_t n);
