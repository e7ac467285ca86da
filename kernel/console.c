// SPDX-License-Identifier: MIT
#include "kernel/console.h"
#include "arch/x86/uart.h"
#include "kernel/console_priv.h"
#include "kernel/klog.h"
#include "lib/node_var.h"

#define ROOM_KEPT 1024u // of a port: for the log, and for answers on the exec port

NODE_VAR(bool, exec_port);

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

void console_listen(const struct console_client *c)
{
    uart_listen(UART_COM1, c->input, c->room);
}

void port2_listen(const struct console_client *c)
{
    uart_listen(UART_COM2, c->input, c->room);
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
