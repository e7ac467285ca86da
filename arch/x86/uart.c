// SPDX-License-Identifier: MIT
#include "arch/x86/uart.h"
#include "arch/x86/arch.h"

#define DATA        0
#define IER         1 // interrupt enable
#define IIR         2 // interrupt identification, read
#define FCR         2 // FIFO control, write
#define LCR         3 // line control
#define MCR         4 // modem control
#define LSR         5 // line status
#define SCRATCH     7
#define IER_INPUT   0x01
#define IER_EMPTY   0x02
#define IIR_NONE    0x01
#define LSR_READY   0x01
#define LSR_EMPTY   0x20
#define FIFO_BYTES  16u
#define QUEUE_BYTES 8192u
#define REASONS_MAX 1000   // of one interrupt
#define SPINS_MAX   100000 // looks at a port that takes nothing: some 100 ms

struct uart {
    uint16_t base;
    uint8_t line;
    bool present;
    uint8_t interrupts; // what IER has; 0: nobody listens
    bool stuck;         // it took nothing for long, and has taken nothing since
    void (*on_input)(const uint8_t *bytes, size_t n);
    void (*on_room)(void);
    uint8_t queue[QUEUE_BYTES];
    uint32_t begin, end; // bytes ever taken from the queue, and put there
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

static uint32_t queued(const struct uart *u)
{
    return u->end - u->begin;
}

// Gives the port what it takes now; it interrupts when it can take the rest.
static void output_go(struct uart *u)
{
    while (queued(u) > 0 && arch_in8(u->base + LSR) & LSR_EMPTY) {
        u->stuck = false;
        for (unsigned i = 0; i < FIFO_BYTES && queued(u) > 0; i++)
            arch_out8(u->base + DATA, u->queue[u->begin++ % QUEUE_BYTES]);
    }
    uint8_t wanted = IER_INPUT | (queued(u) > 0 ? IER_EMPTY : 0);
    if (u->interrupts != 0 && u->interrupts != wanted) {
        u->interrupts = wanted;
        arch_out8(u->base + IER, wanted);
    }
}

static void input_take(struct uart *u)
{
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

// The line of an ISA interrupt must be seen low again: until the port has no reason left. One that
// always has a reason is broken, and is not served for ever.
static void uart_interrupt(void *arg)
{
    struct uart *u = arg;
    for (unsigned i = 0; i < REASONS_MAX && !(arch_in8(u->base + IIR) & IIR_NONE); i++) {
        uint32_t before = queued(u);
        input_take(u);
        output_go(u);
        if (queued(u) < before && queued(u) <= QUEUE_BYTES / 2)
            u->on_room();
    }
}

void uart_listen(unsigned port, void (*on_input)(const uint8_t *bytes, size_t n),
                 void (*on_room)(void))
{
    struct uart *u = &uarts[port];
    if (!u->present)
        return;
    u->on_input = on_input;
    u->on_room = on_room;
    if (arch_irq_attach(u->line, uart_interrupt, u)) {
        u->interrupts = IER_INPUT;
        arch_out8(u->base + IER, IER_INPUT);
    }
}

size_t uart_room(unsigned port)
{
    const struct uart *u = &uarts[port];
    return u->present ? QUEUE_BYTES - queued(u) : SIZE_MAX;
}

// Waits until at most `left` bytes are queued. False: the port takes nothing.
static bool output_wait(struct uart *u, uint32_t left)
{
    unsigned spins = u->stuck ? SPINS_MAX : 0;
    output_go(u);
    while (queued(u) > left) {
        uint32_t before = queued(u);
        if (spins++ >= SPINS_MAX) {
            u->stuck = true;
            return false;
        }
        output_go(u);
        if (queued(u) < before)
            spins = 0;
    }
    return true;
}

void uart_write(unsigned port, const void *bytes, size_t n)
{
    struct uart *u = &uarts[port];
    const uint8_t *p = bytes;
    if (!u->present)
        return;
    for (size_t i = 0; i < n; i++) {
        if (queued(u) == QUEUE_BYTES && !output_wait(u, QUEUE_BYTES - FIFO_BYTES))
            return;
        u->queue[u->end++ % QUEUE_BYTES] = p[i];
    }
    if (u->interrupts == 0)
        (void)output_wait(u, 0);
    else
        output_go(u);
}

void uart_flush(void)
{
    for (struct uart *u = uarts; u < uarts + UART_COUNT; u++)
        (void)(u->present && output_wait(u, 0));
}
