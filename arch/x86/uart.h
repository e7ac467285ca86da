// SPDX-License-Identifier: MIT
// 16550 serial ports, 115200 8N1. Output waits for the port; input comes by interrupt.
#pragma once

#include "lib/types.h"

enum {
    UART_COM1,
    UART_COM2,
    UART_COUNT
};

bool uart_init(unsigned port); // false: not there
// From now on bytes that arrive go to `fn`, with the kernel lock held; must not sleep.
void uart_listen(unsigned port, void (*fn)(const uint8_t *bytes, size_t n));
void uart_write(unsigned port, const void *bytes, size_t n); // no-op when it is not there
