// SPDX-License-Identifier: MIT
// Where every trap arrives from entry.S: system calls, exceptions, interrupts; and how the time of
// the CPU is divided between user and system.
#include "arch/x86/x86.h"
#include "lib/assert.h"
#include "lib/fmt.h"

#define VECTOR_PROTECTION 13
#define VECTOR_PAGE_FAULT 14
#define COPY_BLOCK_BYTES  256u // block.S

enum { // of a page fault's error code (Intel SDM 3A, 4.7)
    PF_PRESENT = 1,
    PF_WRITE = 2,
    PF_USER = 4,
    PF_FETCH = 16,
};

bool (*arch_on_page_fault)(const struct arch_fault *f, struct arch_regs *r);
void (*arch_on_exception)(unsigned vector, struct arch_regs *r);
void (*arch_on_syscall)(struct arch_regs *r);
void (*arch_on_user_return)(struct arch_regs *r);

static const char *const exception_name[32] = {
    "divide error",  "debug",
    "NMI",           "breakpoint",
    "overflow",      "bound",
    "undefined",     "no FPU",
    "double fault",  "FPU overrun",
    "invalid TSS",   "segment not present",
    "stack fault",   "general protection",
    "page fault",    "reserved",
    "x87 error",     "alignment check",
    "machine check", "SIMD error",
};

struct fixup {
    uint32_t at, to;
};
extern const struct fixup __start_copy_fixups[], __stop_copy_fixups[];

// A fault in one of the few instructions that may: continue at its fixup.
static bool fixup_apply(struct arch_regs *r)
{
    if (r->eip == (uint32_t)load_fs) // the kernel runs with what the program had there: the way
        r->fs = 0;                   // back from this trap would stumble over it, too
    for (const struct fixup *f = __start_copy_fixups; f < __stop_copy_fixups; f++) {
        if (r->eip == f->at) {
            r->eip = f->to;
            return true;
        }
    }
    return false;
}

static void NORETURN kernel_trap_fatal(const struct arch_regs *r)
{
    static char text[160];
    const char *name = r->vector < 32 ? exception_name[r->vector] : NULL;
    fmt_print(text, sizeof(text), "%s (vector %u, error %x) at eip %x, address %x",
              name ? name : "trap", r->vector, r->error, r->eip, read_cr2());
    assert_failed(text, "kernel mode", 0);
}

// In halt or a pause, with the lock taken: what went before belongs to who halts, and is no hold.
static void kernel_interrupt(struct cpu *c, uint32_t vector)
{
    uint64_t now = lock_take(c, rdtsc());
    if (now > c->stamp) { // else another CPU has booked it
        c->system_cycles += now - c->stamp;
        c->stamp = now;
    }
    interrupt_dispatch(vector);
    now = rdtsc();
    hold_end(c, now - c->stamp, vector, 0);
    c->system_cycles += now - c->stamp;
    c->stamp = now;
    lock_release();
}

// SYSENTER leaves TF as it was: the CPU reports a step of the program in the kernel's first
// instructions, once. Elsewhere it reports what the kernel does with watched memory of a program.
static bool debug_in_kernel(struct arch_regs *r)
{
    uint32_t causes = arch_watch_causes();
    if (!(causes & ARCH_WATCH_STEP))
        return causes != 0;
    if (r->eip < (uint32_t)sysenter_entry || r->eip > (uint32_t)sysenter_flags_clean)
        return false;
    r->eflags &= ~EFLAGS_TF;
    this_cpu()->stepped = true;
    return true;
}

// An interrupt comes only in halt or a pause, when this CPU has not the lock. An exception has a
// fixup or is the end; the last instructions on the way to user mode fault without the lock.
static void kernel_trap(struct arch_regs *r)
{
    if (r->vector >= IRQ_BASE && r->vector != VECTOR_SYSCALL) {
        if (r->vector == VECTOR_KICK) {
            apic_end(); // it is awake: the scheduler looks by itself
            return;
        }
        kernel_interrupt(this_cpu(), r->vector);
    } else if (r->vector == VECTOR_NMI && cpu_poked(r)) {
        return;
    } else if (r->vector == VECTOR_DEBUG && debug_in_kernel(r)) {
        return;
    } else if (!fixup_apply(r)) {
        kernel_trap_fatal(r);
    }
}

// An access that the CPU made for user code with the kernel's rights, to a page that is there:
// under SMAP the stack of a far return (QEMU). No page cures it, so it is a protection fault.
static bool kernel_access(const struct arch_regs *r)
{
    return (r->error & (PF_PRESENT | PF_USER)) == PF_PRESENT;
}

static void user_page_fault(struct arch_regs *r)
{
    if (kernel_access(r)) {
        arch_on_exception(VECTOR_PROTECTION, r);
        return;
    }
    const struct arch_fault f = {
        .address = read_cr2(),
        .present = r->error & PF_PRESENT,
        .write = r->error & PF_WRITE,
        .user = true,
        .exec = r->error & PF_FETCH,
    };
    if (!arch_on_page_fault(&f, r))
        arch_on_exception(VECTOR_PAGE_FAULT, r);
}

// One word of the program's memory. False: it cannot be read right now.
static inline bool user_word(uint32_t user, uint32_t *word)
{
    uint32_t absent = 1;
    if (user > USER_TOP - sizeof(*word))
        return false;
    if (user_access_guarded)
        __asm__ volatile("stac" : : : "memory");
    __asm__ volatile("1:\tmov %2, %0\n\t"
                     "xor %1, %1\n"
                     "2:\n\t"
                     ".pushsection copy_fixups, \"a\"\n\t"
                     ".long 1b, 2b\n\t"
                     ".popsection"
                     : "+r"(*word), "+r"(absent)
                     : "m"(*(const uint32_t *)(uintptr_t)user)
                     : "cc");
    if (user_access_guarded)
        __asm__ volatile("clac" : : : "memory");
    return !absent;
}

// Makes of a call by SYSENTER what int 0x80 would have left. When the 6th argument cannot be read
// from the stack right now it is no call at all: user code reads it and does it with int 0x80.
static void sysenter_arrived(struct cpu *c, struct arch_regs *r)
{
    if (c->stepped) {
        r->eflags |= EFLAGS_TF;
        c->stepped = false;
    }
    r->vector = VECTOR_SYSCALL;
    if (user_word(r->esp, &r->ebp))
        return;
    r->vector = VECTOR_SPURIOUS;
    r->eip = VDSO_AGAIN;
}

// A process that was about to SYSENTER when it moved to a node whose CPU has none. (QEMU reports
// a protection fault, as a CPU that has it does when no entry is set.)
static bool sysenter_missing(const struct arch_regs *r)
{
    return !cpu_info.sysenter && r->eip == VDSO_SYSENTER &&
           (r->vector == VECTOR_INVALID || r->vector == VECTOR_PROTECTION);
}

static void user_trap(struct arch_regs *r)
{
    if (r->vector == VECTOR_SYSCALL)
        arch_on_syscall(r);
    else if (sysenter_missing(r))
        r->eip = VDSO_AGAIN;
    else if (r->vector == VECTOR_PAGE_FAULT)
        user_page_fault(r);
    else if (r->vector >= IRQ_BASE)
        interrupt_dispatch(r->vector);
    else
        arch_on_exception(r->vector, r);
    arch_on_user_return(r);
}

void trap_dispatch(struct arch_regs *r)
{
    if (r->vector == VECTOR_FLUSH) { // never waits for the lock: who has it waits for this
        flush_now(this_cpu());
        apic_end();
        return;
    }
    if ((r->cs & 3) != 3) {
        kernel_trap(r);
        return;
    }
    if (r->vector == VECTOR_NMI && cpu_poked(r))
        return;
    struct cpu *c = this_cpu();
    uint64_t came = rdtsc();
    c->mode = CPU_KERNEL;
    uint64_t now = lock_take(c, came);
    if (came > c->stamp) // else another CPU has booked it
        c->user_cycles += came - c->stamp;
    c->stamp = now;
    if (r->vector == VECTOR_SYSENTER)
        sysenter_arrived(c, r);
    uint32_t vector = r->vector, number = r->error;
    user_trap(r);
    user_leave(this_cpu(), vector, number);
}

static void times_give(struct cpu *c, uint64_t *user_ns, uint64_t *system_ns)
{
    *user_ns = clock_cycles_to_ns(c->user_cycles);
    *system_ns = clock_cycles_to_ns(c->system_cycles);
    c->user_cycles = 0;
    c->system_cycles = 0;
}

void arch_times_take(uint64_t *user_ns, uint64_t *system_ns)
{
    struct cpu *c = this_cpu();
    uint64_t now = rdtsc();
    hold_end(c, now - c->stamp, 0, 0);
    c->system_cycles += now - c->stamp;
    c->stamp = now;
    times_give(c, user_ns, system_ns);
}

void arch_times_take_of(unsigned cpu, uint64_t *user_ns, uint64_t *system_ns)
{
    struct cpu *c = cpus[cpu];
    uint64_t now = rdtsc();
    if (c == this_cpu()) {
        arch_times_take(user_ns, system_ns);
        return;
    }
    if (c->mode != CPU_KERNEL && now > c->stamp) {
        if (c->mode == CPU_USER)
            c->user_cycles += now - c->stamp;
        else
            c->system_cycles += now - c->stamp;
        c->stamp = now;
    }
    times_give(c, user_ns, system_ns);
}

void fault_task_entry(void)
{
    static char text[120];
    const struct tss *t = &this_cpu()->tss;
    fmt_print(text, sizeof(text), "double fault at eip %x, esp %x, address %x (stack overflow?)",
              t->eip, t->esp, read_cr2());
    assert_failed(text, "kernel mode", 0);
}

size_t copy_maybe_faulting(void *to, const void *from, size_t n);
size_t blocks_copy_maybe_faulting(void *to, const void *from, size_t blocks);

static size_t user_copy_large(char *to, const char *from, size_t n)
{
    size_t blocks = n / COPY_BLOCK_BYTES;
    size_t done = (blocks - blocks_copy_maybe_faulting(to, from, blocks)) * COPY_BLOCK_BYTES;
    return n - copy_maybe_faulting(to + done, from + done, n - done);
}

// Bytes copied.
static size_t user_copy(void *to, const void *from, size_t n)
{
    if (n >= 2 * COPY_BLOCK_BYTES && cpu_info.sse)
        return user_copy_large(to, from, n);
    return n - copy_maybe_faulting(to, from, n);
}

static size_t user_span(uint32_t user, size_t bytes)
{
    return user < USER_TOP ? MIN(bytes, (size_t)(USER_TOP - user)) : 0;
}

size_t arch_copy_from_user(void *to, uint32_t user, size_t bytes)
{
    size_t n = user_span(user, bytes);
    return user_copy(to, (const void *)(uintptr_t)user, n);
}

size_t arch_copy_to_user(uint32_t user, const void *from, size_t bytes)
{
    size_t n = user_span(user, bytes);
    return user_copy((void *)(uintptr_t)user, from, n);
}

bool compare_exchange_maybe_faulting(uint32_t *at, uint32_t expected, uint32_t desired,
                                     uint32_t *found);

bool arch_compare_exchange_user(uint32_t user, uint32_t expected, uint32_t desired, uint32_t *found)
{
    if (user > USER_TOP - sizeof(uint32_t) || (user & 3))
        return false;
    return compare_exchange_maybe_faulting((uint32_t *)(uintptr_t)user, expected, desired, found);
}
