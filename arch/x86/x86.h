// SPDX-License-Identifier: MIT
// The CPU's own words: instructions, registers, tables. Private to arch/x86.
#pragma once

#include "arch/x86/arch.h"
#include "arch/x86/vdso/data.h"

#define GDT_KERNEL_CS 0x60
#define GDT_KERNEL_DS 0x68
#define GDT_TSS       0x80
#define GDT_FAULT_TSS 0x88
#define GDT_LDT       0x90
#define GDT_CPU       0xd8
#define GDT_ENTRIES   32

#define EFLAGS_CF    0x0001u
#define EFLAGS_TF    0x0100u
#define EFLAGS_IF    0x0200u
#define EFLAGS_FIXED 0x0002u
#define EFLAGS_USER  0x00254dd5u // bits a program may set: CF PF AF ZF SF TF DF OF NT RF AC ID

#define CR0_MP         0x00000002u
#define CR0_EM         0x00000004u
#define CR0_TS         0x00000008u
#define CR0_NE         0x00000020u
#define CR0_WP         0x00010000u
#define CR4_PGE        0x00000080u
#define CR4_OSFXSR     0x00000200u
#define CR4_OSXMMEXCPT 0x00000400u
#define CR4_UMIP       0x00000800u
#define CR4_SMEP       0x00100000u
#define CR4_SMAP       0x00200000u

#define MSR_EFER         0xc0000080u
#define EFER_NX          0x00000800u
#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u

#define VECTOR_DEBUG    1
#define VECTOR_NMI      2
#define VECTOR_INVALID  6
#define IRQ_BASE        0x20 // vectors of the two PICs
#define VECTOR_SYSCALL  0x80
#define VECTOR_TIMER    0xf0
#define VECTOR_KICK     0xf1 // another CPU wants this one to look at its run queue
#define VECTOR_FLUSH    0xf2 // another CPU changed page tables that this one has loaded
#define VECTOR_SPURIOUS 0xff
#define VECTOR_SYSENTER 0x100 // no vector of the CPU: a system call that came by SYSENTER

struct tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
} PACKED;
STATIC_ASSERT(sizeof(struct tss) == 104, "SDM vol. 3, 8.2.1");

enum cpu_mode {
    CPU_KERNEL, // has the kernel lock or waits for it
    CPU_USER,   // runs user code, or is on its last steps there
    CPU_IDLE,   // halted; touches no user memory
};

#define STALE_STACKS 8u

// One per CPU, at the base of its %gs. The stack canary must lie at offset 0x14.
struct cpu {
    struct cpu *self;
    uint32_t id;
    struct arch_space *space; // loaded now, NULL: kernel tables
    void *current;            // what arch_current gives
    uint32_t spare;
    uint32_t canary;             // 0x14
    volatile enum cpu_mode mode; // set by this CPU; to CPU_USER only with the lock held
    uint64_t stamp;              // cycles at the start of the running stretch
    uint64_t user_cycles, system_cycles;
    // Page tables that others changed (flush.c). The holder of the kernel lock asks, this CPU does.
    volatile uint32_t flush_asked, flush_done; // in this order: lock_park looks
    volatile uint32_t flush_page, flush_count; // count FLUSH_ALL: everything
    volatile bool space_gone;                  // the loaded space ends: leave it
    uint32_t stale_stacks[STALE_STACKS];       // their pages went while this CPU may know them
    uint32_t stale_count;                      // more than fit: everything
    uint32_t windows_open;
    bool stepped;         // SYSENTER with TF set: the flag is the program's, not the kernel's
    volatile bool parked; // halts with interrupts off until an NMI comes
    uint8_t apic_id;
    volatile bool online;
    uint8_t *fault_stack_top;
    struct tss tss;
    struct tss fault_tss;
    uint64_t gdt[GDT_ENTRIES];
};
STATIC_ASSERT(offsetof(struct cpu, canary) == 0x14, "compilers read the canary at %gs:0x14");

// Asked anew each time: a thread that slept may be on another CPU.
static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}

extern struct cpu *cpus[ARCH_CPUS_MAX]; // by number; those before cpu_count are online
extern unsigned cpu_count;

struct cpu_info {
    uint32_t edx, ecx; // CPUID 1
    uint8_t physical_bits;
    bool nx, smep, smap, umip, pge, rdrand, fxsr, sse, sse2, apic, tsc, sysenter;
};
extern struct cpu_info cpu_info;

extern uint32_t user_access_guarded; // SMAP is on: STAC opens the program's pages, CLAC closes them

void cpu_detect(void);
void cpu_init(void);         // control registers, FPU, protections of this CPU
void descriptors_init(void); // GDT, IDT, TSS of the boot CPU
void descriptors_fill(struct cpu *c);
void descriptors_load(struct cpu *c); // GDT, IDT, TSS and %gs of the CPU that calls it
void paging_init(uint64_t ram_end);
void interrupts_init(void);
void irq_dispatch(unsigned line); // of the PICs
void pci_scan(void);
extern uint32_t clock_ns_per_cycle_q24; // nanoseconds per cycle of the TSC, 24 bits of fraction
static inline uint64_t clock_cycles_to_ns(uint64_t cycles)
{
    return vdso_cycles_to_ns(cycles, clock_ns_per_cycle_q24);
}
uint32_t paging_kernel_root(void);
void vdso_init(uint64_t tsc_start, uint32_t ns_per_cycle_q24);
void clock_cpu_init(void); // the timer of a CPU that was started later

// lock.c: the kernel lock. Interrupts are off. `came` is the time of the call; returns the time at
// which it was taken, the same when nobody held it.
struct kernel_lock {
    uint32_t next;                                 // ticket of who comes next
    uint32_t serving __attribute__((aligned(64))); // ticket of who holds it
    struct cpu *waiter[ARCH_CPUS_MAX];             // by ticket
    // Written with the lock held.
    uint64_t held_cycles, waited_cycles, contended, longest_cycles;
} __attribute__((aligned(64)));
extern struct kernel_lock kernel_lock;

uint64_t lock_wait(struct cpu *c, uint32_t ticket, uint64_t came); // the slow half of lock_take
void lock_pass(uint32_t ticket);                                   // of lock_release: wakes its CPU
void lock_catch_up(struct cpu *c);                                 // with the page tables of others
void hold_longest(struct cpu *c, uint64_t cycles, uint32_t vector, uint32_t number);

static inline uint64_t lock_take(struct cpu *c, uint64_t came)
{
    uint32_t ticket = __atomic_fetch_add(&kernel_lock.next, 1, __ATOMIC_ACQ_REL);
    if (__atomic_load_n(&kernel_lock.serving, __ATOMIC_ACQUIRE) != ticket)
        came = lock_wait(c, ticket, came);
    if (c->flush_asked != c->flush_done || c->stale_count)
        lock_catch_up(c);
    return came;
}

static inline void lock_release(void)
{
    // Who parks looks at `serving` after it said so; here it is the other way round.
    uint32_t now = __atomic_add_fetch(&kernel_lock.serving, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&kernel_lock.next, __ATOMIC_RELAXED) != now)
        lock_pass(now);
}

// A stretch of kernel code ended.
static inline void hold_end(struct cpu *c, uint64_t cycles, uint32_t vector, uint32_t number)
{
    kernel_lock.held_cycles += cycles;
    if (cycles > kernel_lock.longest_cycles)
        hold_longest(c, cycles, vector, number);
}

// Halts until an NMI unless *serving is the ticket or flush[0] != flush[1] (switch.S).
void lock_park(const volatile uint32_t *serving, uint32_t ticket, const volatile uint32_t *flush);
extern const char lock_park_begin[], lock_park_end[];
void cpu_poke(struct cpu *c);            // by NMI
bool cpu_poked(struct arch_regs *frame); // an NMI came: was it that?

// flush.c: what other CPUs know of page tables. The caller holds the kernel lock.
#define FLUSH_ALL UINT32_MAX
void flush_others(struct arch_space *s, uint32_t page, uint32_t count); // done when it returns
void flush_others_later(struct arch_space *s); // before they next touch it in the kernel or fault
void flush_space_gone(struct arch_space *s);   // nobody has it loaded any more
void flush_stack_gone(uint32_t base);          // its addresses may be mapped anew
void flush_now(struct cpu *c);                 // what others asked of this CPU
void flush_stale(struct cpu *c);

// apic.c
bool apic_init(void); // of this CPU; false: there is none
bool apic_present(void);
uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t value);
void apic_end(void); // of an interrupt
uint8_t apic_id(void);
void apic_send(uint8_t to, uint32_t command);
void apic_send_others(uint32_t command);
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_LINT0     0x350
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0
#define APIC_FIXED         0x04000u // command: assert, fixed vector in the low byte
#define APIC_NMI           0x04400u
#define APIC_INIT          0x0c500u // level, assert
#define APIC_INIT_DEASSERT 0x08500u
#define APIC_STARTUP       0x04600u

// madt.c: APIC ids of the CPUs that the firmware found, this one left out; how many.
unsigned madt_cpus(uint8_t ids[], unsigned max, unsigned *more);

void interrupt_dispatch(unsigned vector); // device and timer interrupts
void trap_dispatch(struct arch_regs *r);  // from entry.S
extern void *const trap_stubs[256];
extern const char sysenter_entry[], sysenter_flags_clean[]; // entry.S
extern const char load_fs[];
void page_zero(void *page); // block.S: with SSE only
void page_copy(void *to, const void *from);
void fault_task_entry(void); // double fault: own stack, own task

static inline uint64_t rdtsc(void)
{
    uint64_t t;
    __asm__ volatile("rdtsc" : "=A"(t));
    return t;
}

// The last that is done in the kernel before user mode.
static inline void user_leave(struct cpu *c, uint32_t vector, uint32_t number)
{
    uint64_t now = rdtsc(), cycles = now - c->stamp;
    hold_end(c, cycles, vector, number);
    c->system_cycles += cycles;
    c->stamp = now;
    c->mode = CPU_USER;
    lock_release();
}

static inline uint32_t read_cr2(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static inline uint32_t read_cr3(void)
{
    uint32_t v;
    __asm__ volatile("mov %%cr3, %0" : "=r"(v));
    return v;
}

static inline void write_cr3(uint32_t v)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(v) : "memory");
}

static inline void invalidate_page(uintptr_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(subleaf));
}

static inline uint64_t read_msr(uint32_t msr)
{
    uint64_t v;
    __asm__ volatile("rdmsr" : "=A"(v) : "c"(msr));
    return v;
}

static inline void write_msr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "A"(v), "c"(msr));
}

static inline void relax(void)
{
    __asm__ volatile("pause");
}

static inline void halt(void)
{
    __asm__ volatile("hlt");
}
