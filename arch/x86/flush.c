// SPDX-License-Identifier: MIT
// What the other CPUs' TLBs still know after page tables changed. Only the holder of the kernel
// lock changes tables, so there is one asker at a time. A CPU in user mode is interrupted and
// waited for; one that is in the kernel's entry or halted touches no user page before it has the
// lock, and looks then: it is only told. Interrupts are off while one waits, so who waits for the
// lock looks, too.
#include "arch/x86/x86.h"
#include "lib/limits.h"

static void ask(struct cpu *c, uint32_t page, uint32_t count)
{
    bool merged = c->flush_asked != c->flush_done;
    c->flush_page = page;
    c->flush_count = merged ? FLUSH_ALL : count;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    c->flush_asked++;
}

// It may wait for the lock meanwhile, halted with interrupts off: there only an NMI reaches it.
static void wait_for(struct cpu *c)
{
    for (unsigned spins = 0; c->flush_asked != c->flush_done; spins++) {
        if (c->parked && spins % 64 == 0)
            cpu_poke(c);
        relax();
    }
}

// Page table writes come before the look at the modes. Without a space it is for all.
void flush_others(struct arch_space *s, uint32_t page, uint32_t count)
{
    if (cpu_count == 1)
        return;
    const struct cpu *here = this_cpu();
    uint32_t interrupted = 0;
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *c = cpus[i];
        if (c == here || (s && c->space != s))
            continue;
        ask(c, page, count);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (c->mode != CPU_USER)
            continue;
        apic_send(c->apic_id, APIC_FIXED | VECTOR_FLUSH);
        interrupted |= 1u << i;
    }
    for (unsigned i = 0; i < cpu_count; i++)
        if (interrupted & 1u << i)
            wait_for(cpus[i]);
}

void arch_barrier(struct arch_space *s, bool code)
{
    flush_others(s, 0, code ? FLUSH_ALL : 0); // whose interrupt, or entry, is what counts
    if (code)
        write_cr3(read_cr3());
}

// They wait for the kernel lock, which the caller has: none gets back to its program before.
void arch_space_interrupt(const struct arch_space *s)
{
    const struct cpu *here = this_cpu();
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct cpu *c = cpus[i];
        if (c == here || c->space != s || c->mode != CPU_USER)
            continue;
        apic_send(c->apic_id, APIC_FIXED | VECTOR_KICK);
        while (c->mode == CPU_USER)
            relax();
    }
}

void flush_others_later(struct arch_space *s)
{
    const struct cpu *here = this_cpu();
    for (unsigned i = 0; i < cpu_count; i++)
        if (cpus[i] != here && cpus[i]->space == s)
            ask(cpus[i], 0, FLUSH_ALL);
}

void flush_space_gone(struct arch_space *s)
{
    const struct cpu *here = this_cpu();
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *c = cpus[i];
        if (c == here || c->space != s)
            continue;
        c->space_gone = true;
        ask(c, 0, FLUSH_ALL);
        apic_send(c->apic_id, APIC_FIXED | VECTOR_FLUSH);
        wait_for(c);
    }
}

void flush_now(struct cpu *c)
{
    uint32_t asked = __atomic_load_n(&c->flush_asked, __ATOMIC_ACQUIRE);
    uint32_t page = c->flush_page, count = c->flush_count;
    if (c->space_gone) {
        c->space_gone = false;
        c->space = NULL;
        write_cr3(paging_kernel_root());
    } else if (count == FLUSH_ALL) {
        write_cr3(read_cr3()); // also takes the directory pointers anew
    } else {
        for (uint32_t i = 0; i < count; i++)
            invalidate_page((page + i) << PAGE_SHIFT);
    }
    __atomic_store_n(&c->flush_done, asked, __ATOMIC_RELEASE);
}

// ---- kernel stacks: global pages, used only with the lock held or by the thread that has them
// ----

void flush_stack_gone(uint32_t base)
{
    const struct cpu *here = this_cpu();
    for (unsigned i = 0; i < cpu_count; i++) {
        struct cpu *c = cpus[i];
        if (c == here)
            continue;
        if (c->stale_count < STALE_STACKS)
            c->stale_stacks[c->stale_count] = base;
        if (c->stale_count <= STALE_STACKS)
            c->stale_count++;
    }
}

static void flush_everything(void)
{
    uint32_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    if (cr4 & CR4_PGE) { // turned off and on: global entries go as well
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~CR4_PGE) : "memory");
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
    } else {
        write_cr3(read_cr3());
    }
}

void flush_stale(struct cpu *c)
{
    if (c->stale_count > STALE_STACKS) {
        flush_everything();
    } else {
        for (uint32_t i = 0; i < c->stale_count; i++)
            for (uint32_t at = 0; at < ARCH_STACK_BYTES; at += PAGE_SIZE)
                invalidate_page(c->stale_stacks[i] + at);
    }
    c->stale_count = 0;
}
