// SPDX-License-Identifier: MIT
// Between the scheduler, the timers and the wait queues. Private to kernel/.
#pragma once

#include "kernel/thread.h"

// One per CPU. Changed by whoever has the kernel lock.
struct run_queue {
    struct list ready[THREAD_CLASSES];
    unsigned ready_count;
    struct thread *running; // NULL: this CPU is not started
    struct thread *idle;
    struct thread *dead;   // its memory goes when another thread runs
    uint64_t slice_end_ns; // UINT64_MAX: nobody else wants the CPU
    uint64_t armed_ns;     // when this CPU's clock will shoot; UINT64_MAX: never
    unsigned turns;        // ends of slices
    uint64_t user_ns, system_ns, idle_ns;
    uint64_t begun_ns;     // the running real-time thread did
    uint64_t rt_since_ns;  // one runs, and was accounted for until then; 0: none does
    uint64_t rt_used_ns;   // what they had of the period
    uint64_t rt_period_ns; // its beginning
};

// runqueue.c
struct run_queue *run_queue_of(unsigned cpu);
struct run_queue *run_queue_here(void);
void run_queue_init(unsigned cpu, struct thread *idle);
void run_queue_add(struct thread *t);         // READY: on the CPU that suits it best
void run_queue_add_here(struct thread *t);    // READY, gave this CPU up for a while
void run_queue_remove(struct thread *t);      // READY
struct thread *run_queue_pick(void);          // the next of this CPU; its idle thread at last
bool run_queue_waits(enum thread_class upto); // somebody waits for this CPU
bool run_queue_displaces(struct thread *t);   // the current thread: somebody is to run before it
void run_queue_stays(void);                   // the current thread goes on
void run_queue_realtime_count(int by);        // there are so many more real-time threads
bool run_queue_allows(const struct thread *t, unsigned cpu);
void run_queue_slice_begin(void); // measured when the CPU is shared
void run_queue_slice_check(uint64_t now_ns);

void thread_scheduler_init(void);           // the boot stack becomes the idle thread
void thread_start_scheduler(void) NORETURN; // which lets others run from now on
void thread_block(void);                    // current is WAITING already; runs others
void thread_make_ready(struct thread *t);   // from WAITING

void timer_interrupt(void);
void timer_rearm(void);
