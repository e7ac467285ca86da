// SPDX-License-Identifier: MIT
// The machine, as every room above sees it. The kernel implements this in arch/x86; the simulator
// implements the same declarations natively in tests/sim. Nothing outside arch/x86 has inline asm.
//
// Interrupts are off in the kernel except in arch_idle: a handler runs to its end with the kernel
// lock held, and never in the middle of other kernel code. One CPU at a time runs kernel code; the
// others run user code, wait for the lock, or are halted. See docs/architecture.md.
#pragma once

#include "arch/x86/vdso/places.h"
#include "lib/types.h"

// ---- memory layout of the node ------------------------------------------------------------------
#define USER_TOP    0xc0000000u   // first address that is not the user's
#define KERNEL_BASE 0xc0000000u   // direct map of physical memory begins here
uint64_t arch_physical_end(void); // one past the last address that the CPU can reach

// ---- user register frame ------------------------------------------------------------------------
// Laid out as entry.S pushes it; at the top of the kernel stack of a user thread.
struct arch_regs {
    uint32_t ebx, ecx, edx, esi, edi, ebp, eax;
    uint32_t ds, es, fs, gs;
    uint32_t vector; // 0x80: system call
    uint32_t error;  // error code of the CPU; for system calls the number asked for (orig_eax)
    uint32_t eip, cs, eflags, esp, ss;
};

// Selectors that user code runs with, as on Linux i386.
#define USER_CS        0x73
#define USER_DS        0x7b
#define USER_TLS_MIN   6 // GDT entries 6, 7, 8 are the thread's (set_thread_area)
#define USER_TLS_COUNT 3

struct arch_tls {
    uint32_t desc[USER_TLS_COUNT][2]; // descriptors as the CPU wants them; 0: not present
};

// Makes what a user or a peer gave safe to load: flags, selectors, descriptors.
void arch_regs_sanitise(struct arch_regs *r);
bool arch_tls_sanitise(struct arch_tls *t); // false: something had to be refused

// The local descriptor table of the program that runs next on this CPU: `count` entries as the CPU
// wants them, which stay where they are while it is loaded. NULL: none.
void arch_ldt_load(const uint32_t (*table)[2], uint32_t count);
// May an entry be loaded: empty, or a 32-bit segment of ring 3 that is marked as accessed; code
// that conforms only if it is not present.
bool arch_ldt_entry_good(const uint32_t desc[2]);

// ---- floating point -----------------------------------------------------------------------------
struct arch_fpu {
    uint8_t image[512];
} __attribute__((aligned(16))); // FXSAVE format

void arch_fpu_init(struct arch_fpu *f);       // as after FNINIT, MXCSR 0x1f80
void arch_fpu_save(struct arch_fpu *f);       // of the current thread
void arch_fpu_load(const struct arch_fpu *f); // bits of MXCSR the CPU lacks are masked
void arch_fpu_sanitise(struct arch_fpu *f);   // an image from a peer

// ---- threads ------------------------------------------------------------------------------------
struct arch_context; // opaque; a saved kernel stack pointer

// Prepares a stack so that the first switch to it calls entry(arg) with the kernel lock held.
struct arch_context *arch_context_new(void *stack_top, void (*entry)(void *), void *arg);
// Saves the running context in *save and continues `next`.
void arch_context_switch(struct arch_context **save, struct arch_context *next);
// Kernel stack of a thread: ARCH_STACK_BYTES with an unmapped guard page below. NULL: no memory.
#define ARCH_STACK_BYTES 8192u
void *arch_stack_alloc(void); // returns the top
void arch_stack_free(void *stack_top);

// What the CPU must know of the user thread that runs next: kernel stack top, TLS.
void arch_user_prepare(void *stack_top, const struct arch_tls *tls);
// Leaves the kernel for good with these registers (a fresh process, a migrated one).
void arch_user_enter(struct arch_regs *regs) NORETURN;

// ---- watched addresses (debug registers, Intel SDM 3B, 18.2)
// -------------------------------------
#define ARCH_WATCHES    4u
#define ARCH_WATCH_STEP 0x4000u // a single step, beside ARCH_WATCH_HITS
#define ARCH_WATCH_HITS 0xfu    // by number

struct arch_watch {
    uint32_t address[ARCH_WATCHES]; // of user memory
    uint32_t control;               // DR7 of them: what is enabled, kinds, lengths
};
void arch_watch_load(const struct arch_watch *w); // from now on, on this CPU; NULL: none
// Why the last debug exception came, asked once. A hit may be of an address that is not enabled.
// What the kernel's own accesses would hit is not told.
uint32_t arch_watch_causes(void);

// ---- page tables --------------------------------------------------------------------------------
// A space's tables are a cache of what its containers say; they may be dropped at any time.
enum {
    MAP_WRITE = 1,
    MAP_EXEC = 2,
    MAP_ABSENT = 4, // to arch_space_map: a page that is mapped already stays as it is
    MAP_DIRTY = 8   // told by arch_space_next: it was written
};

struct arch_space {
    uint32_t root;         // physical address of the PAE page directory pointer table
    void *tables;          // arch's own
    uint32_t table_frames; // frames the tables use
    uint32_t pages;        // mapped now
    uint32_t pages_before; // the most at a time before the last unmapping
};

// The most pages that were mapped at a time.
static inline uint32_t arch_space_pages_most(const struct arch_space *s)
{
    return MAX(s->pages_before, s->pages);
}

// Low frames for page tables, cleared; set by mm/ at init. 0: none left.
extern uint32_t (*arch_table_alloc)(void);
extern void (*arch_table_free)(uint32_t frame);

bool arch_space_init(struct arch_space *s) MUST_CHECK;
void arch_space_free(struct arch_space *s); // drops all tables
void arch_space_load(struct arch_space *s); // makes it current on this CPU; NULL: kernel only
// Maps one page; false when no frame for a table can be had. An old mapping is replaced and shot
// down on all CPUs that have the space loaded.
bool arch_space_map(struct arch_space *s, uint32_t address, uint32_t frame,
                    unsigned rights) MUST_CHECK;
// Clears [address, address + pages * 4 KiB), shot down before it returns.
void arch_space_unmap(struct arch_space *s, uint32_t address, uint32_t pages);
// Takes MAP_WRITE from the range, shot down before it returns.
void arch_space_write_protect(struct arch_space *s, uint32_t address, uint32_t pages);
// Frame and rights of a page, or false.
bool arch_space_look(struct arch_space *s, uint32_t address, uint32_t *frame, unsigned *rights);
// The same of the first page in [address, end), which is returned; `end`: there is none.
uint32_t arch_space_next(struct arch_space *s, uint32_t address, uint32_t end, uint32_t *frame,
                         unsigned *rights);
// What every CPU that runs user code of the space (NULL: any) did before is seen by all, and what
// the caller did by them, before this returns; with `code` they also run what is in memory now.
void arch_barrier(struct arch_space *s, bool code);
// Every other CPU that runs user code of the space is in the kernel, on its way through
// arch_on_user_return, when this returns.
void arch_space_interrupt(const struct arch_space *s);
// Was it written / read since the last call? Clears the marks.
bool arch_space_take_dirty(struct arch_space *s, uint32_t address);

// A frame's bytes, for a short while: no sleep between map and unmap, at most 4 at once per CPU,
// unmapped in reverse order. Low frames are in the direct map and cost nothing.
void *arch_frame_map(uint32_t frame);
void arch_frame_unmap(void *mapped);
uint32_t arch_frame_of_low(const void *low); // of an address in the direct map
void arch_frame_zero(uint32_t frame);
void arch_frame_copy(uint32_t to, uint32_t from);

// Copies as far as the user's pages are present with the right access; returns the bytes copied.
// Never sleeps, never faults a page in. User memory of the loaded space only, up to USER_TOP.
size_t arch_copy_from_user(void *to, uint32_t user, size_t bytes);
size_t arch_copy_to_user(uint32_t user, const void *from, size_t bytes);
// One word, whole, though a thread on another CPU may write it: *found is what it held, and it is
// `desired` now if that was `expected`. False: not present or not writable. 4-aligned.
bool arch_compare_exchange_user(uint32_t user, uint32_t expected, uint32_t desired,
                                uint32_t *found) MUST_CHECK;

// ---- time ---------------------------------------------------------------------------------------
void arch_start_clock(void);         // once, when frames for tables can be had
uint64_t arch_clock_ns(void);        // monotonic since boot
uint64_t arch_clock_real_s(void);    // seconds since 1970 from the RTC, read once at boot
void arch_timer_set(uint64_t at_ns); // one shot, perhaps an earlier one. Calls arch_on_timer.
extern void (*arch_on_timer)(void);

// ---- the vDSO: what programs run without a call -------------------------------------------------
// Page 0 of it is data of this node, shown at VDSO_DATA, page 1 the code, the same on every node,
// at VDSO_CODE. Both are the kernel's own for good, and for reading only.
#define VDSO_PAGES 2u
struct clock_line;
uint32_t arch_vdso_frame(unsigned page); // 0: there is no such page
// The clock that programs read is this line over arch_clock_ns.
void arch_vdso_clock_set(const struct clock_line *line, node_id_t self);
void arch_vdso_arrived(void); // a process that may have begun to read on another node is here

// User and system time of this CPU since the last call; the scheduler books them on a thread.
void arch_times_take(uint64_t *user_ns, uint64_t *system_ns);
// The same of any CPU, what it is doing now in user mode or halted counted in.
void arch_times_take_of(unsigned cpu, uint64_t *user_ns, uint64_t *system_ns);

// The kernel lock of this node: the longest stretch that kernel code held it without letting
// anybody else in (between an entry, a switch or a pause and the next of these), and the sums of
// all CPUs since boot.
struct arch_hold {
    uint64_t ns;
    uint64_t held_ns, waited_ns;
    uint64_t taken, contended; // how often; how often it had to be waited for
    uint32_t vector; // the trap that it ended; 0: a switch or a pause, then `thread` is its name
    uint32_t number; // vector 0x80: the system call
    char thread[16];
};
void arch_hold_longest(struct arch_hold *h);
void arch_hold_forget(void);                   // the longest one is looked for anew
extern const char *(*arch_on_hold_name)(void); // the running thread's name

// ---- processors ---------------------------------------------------------------------------------
#define ARCH_CPUS_MAX 8u

unsigned arch_cpu_count(void);       // that run
uint64_t arch_interrupt_count(void); // of devices and timers, all CPUs, since boot
#if __STDC_HOSTED__
unsigned arch_cpu_id(void); // of the caller, 0 is the one that booted
void *arch_current(void);   // a word of this CPU's own for the scheduler above; NULL at first
#else // struct cpu lies at the base of %gs; asked anew each time, for a thread changes its CPU
static inline unsigned arch_cpu_id(void)
{
    unsigned id;
    __asm__ volatile("mov %%gs:4, %0" : "=r"(id));
    return id;
}
// What runs here is the same wherever it runs.
static inline void *arch_current(void)
{
    void *current;
    __asm__("mov %%gs:12, %0" : "=r"(current));
    return current;
}
#endif
// Starts the other CPUs that the firmware found, up to ARCH_CPUS_MAX. Each calls entry(its number)
// on a stack of its own with the kernel lock held; the numbers are in use when this returns. *left:
// CPUs that were found and do not run. May wait some 100 ms; called once.
void arch_cpus_start(void (*entry)(unsigned cpu), unsigned *left);
void arch_cpus_stop(void); // for good, all but the caller: the node is about to end
// Makes another CPU leave user mode or halt soon, and call arch_on_kick if it was in user mode.
void arch_cpu_kick(unsigned cpu);
extern void (*arch_on_kick)(void);
void arch_current_set(void *current);
// Waits for an interrupt with the kernel lock released; returns after at least one was handled.
void arch_idle(void);
// Releases the kernel lock, lets pending interrupts and other CPUs in, takes it again.
void arch_lock_pause(void);
// The same without interrupts, and only when another CPU waits for it.
void arch_lock_offer(void);

// CPU features that programs may see and a migration must compare (bits of CPUID 1 EDX, ECX).
struct arch_features {
    uint32_t edx, ecx;
};
struct arch_features arch_cpu_features(void);

// Where randomness comes from (kernel/random.h). The CPU's generator; false: there is none, or it
// does not answer.
bool arch_random_u32(uint32_t *value) MUST_CHECK;
// The cycle counter after an access to a slow port: what differs between two calls is hard to know.
uint32_t arch_jitter(void);

void arch_power_off(void) NORETURN;
void arch_exit(uint8_t status) NORETURN; // QEMU's isa-debug-exit, then power off, then halt
void arch_reset(void) NORETURN;

// Stack frames of the running thread, newest first; returns how many were stored.
unsigned arch_backtrace(uintptr_t *pcs, unsigned max);

// ---- interrupts and devices ---------------------------------------------------------------------
// `handler` runs with the kernel lock held, must not sleep. Lines may be shared: each is called.
bool arch_irq_attach(unsigned line, void (*handler)(void *), void *arg) MUST_CHECK;

// Maps device memory uncached into the kernel; NULL when no room. Never unmapped.
volatile void *arch_mmio_map(uint64_t physical, size_t bytes);

uint8_t arch_in8(uint16_t port);
uint16_t arch_in16(uint16_t port);
uint32_t arch_in32(uint16_t port);
void arch_out8(uint16_t port, uint8_t value);
void arch_out16(uint16_t port, uint16_t value);
void arch_out32(uint16_t port, uint32_t value);

// ---- calls up from the trap handlers, set by kernel/ and mm/ at init ---------------------------
struct arch_fault {
    uint32_t address;
    bool write, exec, user, present;
};
extern bool (*arch_on_page_fault)(const struct arch_fault *f, struct arch_regs *r); // handled?
extern void (*arch_on_exception)(unsigned vector, struct arch_regs *r); // from user mode only
extern void (*arch_on_syscall)(struct arch_regs *r);
extern void (*arch_on_user_return)(struct arch_regs *r); // before every return to user mode
