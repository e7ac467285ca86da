// SPDX-License-Identifier: MIT
// The local APIC of each CPU (Intel SDM vol. 3, chapter 10): its registers lie at one address that
// every CPU sees as its own.
#include "arch/x86/x86.h"
#include "lib/limits.h"
#include "lib/assert.h"

#define MSR_APIC_BASE   0x1b
#define BASE_ENABLE     0x800u
#define APIC_ID         0x020
#define APIC_TASK       0x080
#define APIC_EOI        0x0b0
#define APIC_SPURIOUS   0x0f0
#define APIC_COMMAND    0x300
#define APIC_TARGET     0x310
#define COMMAND_PENDING (1u << 12)
#define TO_OTHERS       (3u << 18)
#define LVT_MASKED      (1u << 16)
#define LVT_EXTINT      0x700u

static volatile uint32_t *apic;

bool apic_present(void)
{
    return apic != NULL;
}

uint32_t apic_read(unsigned reg)
{
    return apic[reg / 4];
}

void apic_write(unsigned reg, uint32_t value)
{
    apic[reg / 4] = value;
}

bool apic_init(void)
{
    if (!cpu_info.apic)
        return false;
    uint64_t base = read_msr(MSR_APIC_BASE);
    write_msr(MSR_APIC_BASE, base | BASE_ENABLE);
    bool first = apic == NULL;
    if (first)
        apic = arch_mmio_map(base & 0xffffff000ull, PAGE_SIZE);
    ASSERT(apic != NULL);
    apic_write(APIC_TASK, 0);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    // The PICs come through the CPU that booted, as external interrupts.
    apic_write(APIC_LVT_LINT0, first ? LVT_EXTINT : LVT_MASKED | LVT_EXTINT);
    apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, 0x3); // by 16
    return true;
}

void apic_end(void)
{
    apic_write(APIC_EOI, 0);
}

uint8_t apic_id(void)
{
    return (uint8_t)(apic_read(APIC_ID) >> 24);
}

static void command(uint32_t to, uint32_t value)
{
    while (apic_read(APIC_COMMAND) & COMMAND_PENDING)
        relax();
    apic_write(APIC_TARGET, to << 24);
    apic_write(APIC_COMMAND, value);
}

void apic_send(uint8_t to, uint32_t value)
{
    command(to, value);
}

void apic_send_others(uint32_t value)
{
    command(0, value | TO_OTHERS);
}
