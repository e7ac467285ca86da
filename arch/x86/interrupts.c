// SPDX-License-Identifier: MIT
// Device interrupts through the two PICs. Handlers run to their end with interrupts off and the
// kernel lock held; a line may have several.
#include "arch/x86/x86.h"

#define PIC1         0x20
#define PIC2         0xa0
#define PIC_EOI      0x20
#define LINES        16
#define HANDLERS_MAX 32

struct handler {
    unsigned line;
    void (*fn)(void *);
    void *arg;
};

static struct handler handlers[HANDLERS_MAX];
static unsigned handler_count;
static uint16_t masked = 0xffff;

static void mask_write(void)
{
    arch_out8(PIC1 + 1, (uint8_t)masked);
    arch_out8(PIC2 + 1, (uint8_t)(masked >> 8));
}

void interrupts_init(void)
{
    arch_out8(PIC1, 0x11); // edge triggered, cascade, four words follow
    arch_out8(PIC2, 0x11);
    arch_out8(PIC1 + 1, IRQ_BASE);
    arch_out8(PIC2 + 1, IRQ_BASE + 8);
    arch_out8(PIC1 + 1, 4);
    arch_out8(PIC2 + 1, 2);
    arch_out8(PIC1 + 1, 1);
    arch_out8(PIC2 + 1, 1);
    masked = (uint16_t) ~(1u << 2); // the cascade
    mask_write();
}

bool arch_irq_attach(unsigned line, void (*handler)(void *), void *arg)
{
    if (line >= LINES || handler_count == HANDLERS_MAX)
        return false;
    handlers[handler_count++] = (struct handler){line, handler, arg};
    masked &= (uint16_t) ~(1u << line);
    mask_write();
    return true;
}

void irq_dispatch(unsigned line)
{
    // A level-triggered line stays up until its device is served: serve first, then end.
    for (unsigned i = 0; i < handler_count; i++)
        if (handlers[i].line == line)
            handlers[i].fn(handlers[i].arg);
    if (line >= 8)
        arch_out8(PIC2, PIC_EOI);
    arch_out8(PIC1, PIC_EOI);
}
