// SPDX-License-Identifier: MIT
// Time: the TSC, calibrated against the PIT, and one-shot timer interrupts from the local APIC.
// A CPU without a local APIC uses the PIT in one-shot mode.
#include "arch/x86/x86.h"
#include "lib/assert.h"

#define PIT_HZ         1193182u
#define PIT_CHANNEL0   0x40
#define PIT_CHANNEL2   0x42
#define PIT_COMMAND    0x43
#define PIT_GATE       0x61
#define CALIBRATE_MS   2u
#define CALIBRATE_RUNS 8u

#define SHOT_NS_MIN     2000ull
#define SHOT_NS_MAX     1000000000ull // longer waits are cut; the caller's queue decides again
#define PIT_SHOT_NS_MAX 50000000ull

void (*arch_on_timer)(void);

static uint64_t tsc_start;
uint32_t clock_ns_per_cycle_q24;
static uint32_t apic_per_ns_q32; // APIC ticks per nanosecond, 32 bits of fraction

// Cycles of the TSC and ticks of the APIC timer in CALIBRATE_MS of PIT channel 2.
static void calibrate_once(uint64_t *cycles, uint32_t *ticks)
{
    uint16_t count = (uint16_t)(PIT_HZ / 1000 * CALIBRATE_MS);
    arch_out8(PIT_GATE, (arch_in8(PIT_GATE) & ~2u) | 1u);
    arch_out8(PIT_COMMAND, 0xb0); // channel 2, both bytes, mode 0
    arch_out8(PIT_CHANNEL2, (uint8_t)count);
    if (apic_present())
        apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    // The start is read before the PIT starts and the end after it has ended: whatever holds this
    // CPU up in between (a loaded host) makes a run too long, never too short.
    uint64_t from = rdtsc();
    arch_out8(PIT_CHANNEL2, (uint8_t)(count >> 8));
    while (!(arch_in8(PIT_GATE) & 0x20))
        ;
    *cycles = rdtsc() - from;
    *ticks = apic_present() ? UINT32_MAX - apic_read(APIC_TIMER_CURRENT) : 0;
}

// A loaded host makes a run too long, never too short: the shortest of several counts.
static void calibrate(void)
{
    uint64_t best_cycles = UINT64_MAX;
    uint32_t best_ticks = UINT32_MAX;
    for (unsigned i = 0; i < CALIBRATE_RUNS; i++) {
        uint64_t cycles;
        uint32_t ticks;
        calibrate_once(&cycles, &ticks);
        best_cycles = MIN(best_cycles, cycles);
        best_ticks = MIN(best_ticks, ticks);
    }
    ASSERT(best_cycles > 0);
    clock_ns_per_cycle_q24 = (uint32_t)(((uint64_t)CALIBRATE_MS * 1000000u << 24) / best_cycles);
    apic_per_ns_q32 = (uint32_t)(((uint64_t)best_ticks << 32) / (CALIBRATE_MS * 1000000u));
}

static void pit_interrupt(void *arg)
{
    (void)arg;
    arch_on_timer();
}

void arch_start_clock(void)
{
    bool has_apic = apic_init();
    calibrate();
    tsc_start = rdtsc();
    this_cpu()->stamp = tsc_start;
    vdso_init(tsc_start, clock_ns_per_cycle_q24);
    if (has_apic)
        apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
    else if (!arch_irq_attach(0, pit_interrupt, NULL))
        assert_failed("no interrupt line for the clock", __FILE__, __LINE__);
}

void clock_cpu_init(void)
{
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

uint64_t arch_clock_ns(void)
{
    return clock_cycles_to_ns(rdtsc() - tsc_start);
}

void arch_timer_set(uint64_t at_ns)
{
    uint64_t now = arch_clock_ns();
    uint64_t wait = at_ns > now ? at_ns - now : 0;
    wait = MIN(MAX(wait, SHOT_NS_MIN), apic_present() ? SHOT_NS_MAX : PIT_SHOT_NS_MAX);
    if (apic_present()) {
        uint32_t ticks = (uint32_t)((wait * apic_per_ns_q32) >> 32);
        apic_write(APIC_TIMER_INITIAL, MAX(ticks, 1u));
        return;
    }
    uint32_t count = MAX((uint32_t)wait / (1000000000u / PIT_HZ), 1u);
    arch_out8(PIT_COMMAND, 0x30); // channel 0, both bytes, mode 0
    arch_out8(PIT_CHANNEL0, (uint8_t)count);
    arch_out8(PIT_CHANNEL0, (uint8_t)(count >> 8));
}

static uint64_t interrupts;

uint64_t arch_interrupt_count(void)
{
    return interrupts;
}

void interrupt_dispatch(unsigned vector)
{
    interrupts++;
    if (vector == VECTOR_TIMER) {
        apic_end();
        arch_on_timer();
    } else if (vector == VECTOR_KICK) {
        apic_end();
        arch_on_kick();
    } else if (vector < IRQ_BASE + 16) {
        irq_dispatch(vector - IRQ_BASE);
    } // else: a spurious one, which wants no end
}
