// SPDX-License-Identifier: MIT
// Console, exec port, and the log's way out: every line goes to the ring (for /dev/kmsg and
// panics), those up to LOG_INFO also to the console (errors only, when it is a program's).
#include "kernel/console.h"
#include "arch/x86/uart.h"
#include "kernel/console_priv.h"
#include "kernel/klog.h"
#include "kernel/timer.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"

#define RING_BYTES 16384u
#define ROOM_KEPT  1024u // of a port: for the log, and for answers on the exec port

NODE_VAR(char, ring[RING_BYTES]);
NODE_VAR(uint64_t, ring_end); // bytes ever written
NODE_VAR(bool, exec_port);
NODE_VAR(bool, quiet); // only errors go to the console

const struct console_client *console_client, *port2_client;

static void console_input(const uint8_t *bytes, size_t n)
{
    if (console_client)
        console_client->input(bytes, n);
}

static void console_has_room(void)
{
    if (console_client)
        console_client->room();
}

static void port2_input(const uint8_t *bytes, size_t n)
{
    if (port2_client)
        port2_client->input(bytes, n);
}

static void port2_has_room(void)
{
    if (port2_client)
        port2_client->room();
}

static void ring_add(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        node(ring)[node(ring_end)++ % RING_BYTES] = bytes[i];
}

static void log_to_node(enum log_level level, const char *line)
{
    char stamped[300];
    uint64_t us = clock_now_ns() / 1000;
    int n = fmt_print(stamped, sizeof(stamped), "[%5u.%06u] %s\n", (unsigned)(us / 1000000),
                      (unsigned)(us % 1000000), line);
    size_t length = MIN((size_t)n, sizeof(stamped) - 1);
    ring_add(stamped, length);
    if (level <= (node(quiet) ? LOG_ERROR : LOG_INFO)) {
        console_write(stamped, length - 1);
        console_write("\r\n", 2);
    }
}

size_t klog_read(uint64_t *from, char *to, size_t size)
{
    uint64_t end = node(ring_end);
    if (end - *from > RING_BYTES)
        *from = end - RING_BYTES;
    size_t n = (size_t)MIN(end - *from, (uint64_t)size);
    for (size_t i = 0; i < n; i++)
        to[i] = node(ring)[(*from)++ % RING_BYTES];
    return n;
}

void console_start(void)
{
    (void)uart_init(UART_COM1);
    node(exec_port) = uart_init(UART_COM2);
    log_sink = log_to_node;
}

void console_set_quiet(void)
{
    node(quiet) = true;
}

void console_listen(void)
{
    uart_listen(UART_COM1, console_input, console_has_room);
    uart_listen(UART_COM2, port2_input, port2_has_room);
}

void console_write(const char *bytes, size_t n)
{
    uart_write(UART_COM1, bytes, n);
}

static size_t room_of(unsigned port)
{
    size_t room = uart_room(port);
    return room > ROOM_KEPT ? room - ROOM_KEPT : 0;
}

size_t console_room(void)
{
    return room_of(UART_COM1);
}

bool port2_present(void)
{
    return node(exec_port);
}

void port2_write(const uint8_t *bytes, size_t n)
{
    uart_write(UART_COM2, bytes, n);
}

size_t port2_room(void)
{
    return room_of(UART_COM2);
}
