// SPDX-License-Identifier: MIT
// Kernel threads and the node's own run queues, one per CPU. Kernel code is atomic between two
// sleeps, so a condition may be checked and slept on without a lock. A user process runs on a
// kernel thread whose `user` points to its task; the global scheduler only adds and takes threads
// here.
#pragma once

#include "arch/x86/arch.h"
#include "lib/list.h"

enum thread_state {
    THREAD_READY,   // in the run queue
    THREAD_RUNNING, // on a CPU
    THREAD_WAITING, // in a wait queue or sleeping
    THREAD_DEAD,
};

enum thread_class {  // order of service
    THREAD_URGENT,   // link and rpc
    THREAD_BOOSTED,  // a queue, nobody's class: workers, while there are real-time threads
    THREAD_REALTIME, // user threads by priority (sched(7), SCHED_FIFO and SCHED_RR)
    THREAD_NORMAL,   // user threads and most workers
    THREAD_IDLE,     // drain, gossip
    THREAD_CLASSES,
};

#define THREAD_SLICE_NS (10u * NS_PER_MS) // unless somebody says otherwise

struct thread {
    struct list run_link;  // run queue
    struct list wait_link; // the wait queue it sleeps in
    struct list all_link;
    enum thread_state state;
    enum thread_class class;
    struct arch_context *context;
    void *stack_top;
    struct arch_space *space; // NULL for kernel threads
    void *user;               // struct task of ssi/process, or NULL
    uint32_t affinity;        // CPUs it may run on, bit by number
    uint8_t cpu;              // runs, waits or ran there last
    bool asked;               // a signal or a move waits: interruptible sleeps end with -EINTR
    bool counted;             // a user thread: the CPU probe counts it while it is ready or running
    bool interruptible;       // sleeps so right now
    bool resched;             // runs, and another thread should
    int wake_result;          // what wait_sleep returns
    uint64_t user_ns, system_ns;  // CPU time
    uint32_t sleeps, preemptions; // it gave the CPU up, or another one took it
    uint8_t priority;             // of real-time threads: 1 to 99, the highest is served first
    bool round_robin;             // it shares its priority with its equals by slices
    bool turn_over;               // it goes behind its equals
    uint32_t slice_ns;            // for so long it runs while an equal waits: its weight
    char name[16];
    void (*entry)(void *);
    void *arg;
    // Saved and restored around a switch for user threads (set by ssi/process).
    void (*switch_out)(struct thread *);
    void (*switch_in)(struct thread *);
};

static inline struct thread *thread_current(void)
{
    return arch_current();
}

// The running thread's time slice is over, or a better class waits.
static inline bool thread_should_yield(void)
{
    return thread_current()->resched;
}

// Runnable at once. NULL: no memory.
struct thread *thread_create(const char *name, enum thread_class class, void (*fn)(void *),
                             void *arg);
// As thread_create, but not yet in the run queue: fill in `user`, `space`, then thread_start.
struct thread *thread_new(const char *name, enum thread_class class, void (*fn)(void *), void *arg);
void thread_start(struct thread *t);
void thread_abandon(struct thread *t); // made by thread_new, never started: frees it
void thread_exit(void) NORETURN;       // its memory goes when another thread runs
void thread_yield(void);               // lets equals run; may return at once

// Marks the thread as asked and ends its interruptible sleep with -EINTR; in user mode on another
// CPU it comes into the kernel soon.
void thread_ask(struct thread *t);
// If it runs on another CPU it comes into the kernel soon, and looks at its marks.
void thread_kick(const struct thread *t);
// The CPUs it may run on from now on, the current thread from its next way to user mode. False:
// none of them runs, nothing has changed.
bool thread_affinity_set(struct thread *t, uint32_t cpus) MUST_CHECK;

// Makes it a real-time thread (priority 1 to 99), or an ordinary one again (0).
void thread_realtime_set(struct thread *t, unsigned priority, bool round_robin);
void thread_yield_turn(void); // as thread_yield, and its equals of real time go first

// In long resumable loops, where invariants hold: lets interrupts and others in. Counts as sleep.
void kernel_pause(void);

// Threads ready or running in user classes, now: what the CPU probe averages.
unsigned thread_ready_count(void);
// Integral over time of that count, in thread-nanoseconds: mean = difference / period.
uint64_t thread_ready_integral(void);

uint64_t thread_switch_count(void); // since boot, all CPUs

// User, system and idle time of a CPU since boot, and of all.
void thread_cpu_times_of(unsigned cpu, uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns);
void thread_cpu_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns);
