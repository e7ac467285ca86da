// SPDX-License-Identifier: MIT
#include "arch/x86/uart.h"
#include "arch/x86/arch.h"

#define DATA       0
#define IER        1 // interrupt enable
#define FCR        2 // FIFO control
#define LCR        3 // line control
#define MCR        4 // modem control
#define LSR        5 // line status
#define SCRATCH    7
#define LSR_READY  0x01
#define LSR_EMPTY  0x20
#define FIFO_BYTES 16
#define SPINS_MAX  1000000 // a port that never empties is given up for that byte

struct uart {
    uint16_t base;
    uint8_t line;
    bool present;
    void (*on_input)(const uint8_t *bytes, size_t n);
};

static struct uart uarts[UART_COUNT] = {
    [UART_COM1] = {.base = 0x3f8, .line = 4},
    [UART_COM2] = {.base = 0x2f8, .line = 3},
};

bool uart_init(unsigned port)
{
    struct uart *u = &uarts[port];
    arch_out8(u->base + SCRATCH, 0xa5);
    u->present = arch_in8(u->base + SCRATCH) == 0xa5;
    if (!u->present)
        return false;
    arch_out8(u->base + IER, 0);
    arch_out8(u->base + LCR, 0x80); // divisor latch
    arch_out8(u->base + DATA, 1);   // 115200
    arch_out8(u->base + IER, 0);
    arch_out8(u->base + LCR, 0x03); // 8N1
    arch_out8(u->base + FCR, 0xc7); // FIFOs on and empty, interrupt at 14 bytes or a pause
    arch_out8(u->base + MCR, 0x0b); // DTR, RTS, interrupt line on
    return true;
}

static void uart_interrupt(void *arg)
{
    struct uart *u = arg;
    uint8_t bytes[64];
    size_t n = 0;
    while (arch_in8(u->base + LSR) & LSR_READY) {
        bytes[n++] = arch_in8(u->base + DATA);
        if (n == sizeof(bytes)) {
            u->on_input(bytes, n);
            n = 0;
        }
    }
    if (n > 0)
        u->on_input(bytes, n);
}

void uart_listen(unsigned port, void (*fn)(const uint8_t *bytes, size_t n))
{
    struct uart *u = &uarts[port];
    if (!u->present)
        return;
    u->on_input = fn;
    if (arch_irq_attach(u->line, uart_interrupt, u))
        arch_out8(u->base + IER, 1);
}

static void wait_empty(const struct uart *u)
{
    for (unsigned i = 0; i < SPINS_MAX && !(arch_in8(u->base + LSR) & LSR_EMPTY); i++)
        ;
}

void uart_write(unsigned port, const void *bytes, size_t n)
{
    const struct uart *u = &uarts[port];
    const uint8_t *p = bytes;
    for (size_t i = 0; u->present && i < n; i++) {
        if (i % FIFO_BYTES == 0)
            wait_empty(u);
        arch_out8(u->base + DATA, p[i]);
    }
}
