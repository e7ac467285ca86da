// SPDX-License-Identifier: MIT
// The one kernel lock of the node: a ticket lock, so CPUs get it in the order they came. A CPU that
// waits answers what others ask of its page tables; interrupts are off all the while. After a short
// spin it halts: a virtual CPU that spins would take the host's time from the one that has the
// lock. With interrupts off only an NMI wakes it, from the CPU whose release makes it the next. Its
// times: every stretch of kernel code is a hold.
#include "arch/x86/x86.h"
#include "lib/limits.h"
#include "lib/string.h"

#define SPINS_MAX 64

struct kernel_lock kernel_lock;

static struct {
    uint32_t vector, number;
    char thread[16];
} longest;

const char *(*arch_on_hold_name)(void);

uint64_t lock_wait(struct cpu *c, uint32_t ticket, uint64_t came)
{
    kernel_lock.waiter[ticket % ARCH_CPUS_MAX] = c;
    for (unsigned spins = 0; __atomic_load_n(&kernel_lock.serving, __ATOMIC_ACQUIRE) != ticket;
         spins++) {
        if (c->flush_asked != c->flush_done)
            flush_now(c);
        if (spins < SPINS_MAX) {
            relax();
            continue;
        }
        __atomic_store_n(&c->parked, true, __ATOMIC_SEQ_CST);
        lock_park(&kernel_lock.serving, ticket, &c->flush_asked);
        c->parked = false;
    }
    uint64_t now = rdtsc();
    kernel_lock.waited_cycles += now - came;
    kernel_lock.contended++;
    return now;
}

void lock_catch_up(struct cpu *c)
{
    if (c->flush_asked != c->flush_done)
        flush_now(c);
    if (c->stale_count)
        flush_stale(c);
}

void lock_pass(uint32_t ticket)
{
    struct cpu *c = kernel_lock.waiter[ticket % ARCH_CPUS_MAX];
    if (c && c->parked)
        cpu_poke(c);
}

static bool lock_wanted(void)
{
    return __atomic_load_n(&kernel_lock.next, __ATOMIC_RELAXED) != kernel_lock.serving + 1;
}

void hold_longest(struct cpu *c, uint64_t cycles, uint32_t vector, uint32_t number)
{
    kernel_lock.longest_cycles = cycles;
    longest.vector = vector;
    longest.number = number;
    str_copy(longest.thread, c->current && arch_on_hold_name ? arch_on_hold_name() : "start",
             sizeof(longest.thread));
}

void arch_hold_longest(struct arch_hold *h)
{
    *h = (struct arch_hold){
        .ns = clock_cycles_to_ns(kernel_lock.longest_cycles),
        .held_ns = clock_cycles_to_ns(kernel_lock.held_cycles),
        .waited_ns = clock_cycles_to_ns(kernel_lock.waited_cycles),
        .taken = kernel_lock.next,
        .contended = kernel_lock.contended,
        .vector = longest.vector,
        .number = longest.number,
    };
    str_copy(h->thread, longest.thread, sizeof(h->thread));
}

void arch_hold_forget(void)
{
    kernel_lock.longest_cycles = 0;
}

// The running stretch of kernel code ends here.
static void stretch_end(struct cpu *c)
{
    uint64_t now = rdtsc();
    hold_end(c, now - c->stamp, 0, 0);
    c->system_cycles += now - c->stamp;
    c->stamp = now;
}

void arch_idle(void)
{
    struct cpu *c = this_cpu();
    stretch_end(c);
    c->mode = CPU_IDLE;
    lock_release();
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
    uint64_t now = lock_take(c, rdtsc());
    c->mode = CPU_KERNEL;
    if (now > c->stamp) // else another CPU has booked it
        c->system_cycles += now - c->stamp;
    c->stamp = now;
}

void arch_lock_pause(void)
{
    struct cpu *c = this_cpu();
    stretch_end(c);
    lock_release();
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
    c->stamp = lock_take(c, rdtsc());
}

void arch_lock_offer(void)
{
    if (!lock_wanted())
        return;
    struct cpu *c = this_cpu();
    stretch_end(c);
    lock_release();
    c->stamp = lock_take(c, c->stamp);
}
