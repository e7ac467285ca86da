// SPDX-License-Identifier: MIT
// The serial console (COM1) and the exec port (COM2), as bytes. The tty discipline is
// ssi/stream's: it takes input through the hook.
#pragma once

#include "lib/types.h"

// Raw, no translation. Both may be called at any time and do not sleep: bytes wait in a queue for
// the port. Who writes more than there is room for waits with the CPU, and what a port does not
// take that nobody reads is lost.
void console_write(const char *bytes, size_t n);
void port2_write(const uint8_t *bytes, size_t n);
bool port2_present(void);

// Bytes that programs may write now; some room is left for the log and for answers.
size_t console_room(void);
size_t port2_room(void);

// What is told of a port, with the kernel lock held; must not sleep.
struct console_client {
    void (*input)(const uint8_t *bytes, size_t n);
    void (*room)(void); // there is room again, much of it
};
// From now on; before, nothing is heard and output waits for the port.
void console_listen(const struct console_client *c);
void port2_listen(const struct console_client *c);
