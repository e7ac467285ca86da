// SPDX-License-Identifier: MIT
#include "kernel/console.h"
#include "arch/x86/uart.h"
#include "kernel/console_priv.h"
#include "kernel/klog.h"
#include "lib/node_var.h"

#define ROOM_KEPT 1024u // of a port: for the log, and for answers on the exec port

NODE_VAR(bool, exec_port);

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

void console_start(void)
{
    (void)uart_init(UART_COM1);
    node(exec_port) = uart_init(UART_COM2);
    klog_start(KLOG_INFO + 1);
}

void console_set_quiet(void)
{
    klog_set_console_level(KLOG_ERROR + 1);
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
