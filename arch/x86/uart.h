// SPDX-License-Identifier: MIT
// 16550 serial ports, 115200 8N1. Output waits in a queue for the port, which takes it by interrupt
// when it is slow (a cable) or nobody reads behind it (a host with much to do); input comes by
// interrupt. Callers hold the kernel lock.
#pragma once

#include "lib/types.h"

enum {
    UART_COM1,
    UART_COM2,
    UART_COUNT
};

bool uart_init(unsigned port); // false: not there
// From now on bytes that arrive go to `on_input`, and `on_room` tells that at least half of the
// queue is free again; both with the kernel lock held, neither may sleep.
void uart_listen(unsigned port, void (*on_input)(const uint8_t *bytes, size_t n),
                 void (*on_room)(void));

// Bytes that uart_write() takes now without waiting. A port that is not there takes any number.
size_t uart_room(unsigned port);
// Puts bytes in the queue (before uart_listen(): and waits until they are out). Without room it
// waits for the port: as long as that takes bytes; if it takes none for a while, what has no room
// is lost, without further waits until it takes again.
void uart_write(unsigned port, const void *bytes, size_t n);
// Waits until the queue of every port is out, as uart_write() waits.
void uart_flush(void);
