// SPDX-License-Identifier: MIT
// Threads: made, switched, ended. A dead thread's stack is freed by whoever runs next on its CPU. A
// thread that runs on another CPU is in user mode or waits there for the kernel lock: what is asked
// of it is a mark and a kick.
#include "kernel/thread.h"
#include "kernel/init.h"
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"

NODE_VAR(uint64_t, switches);
NODE_VAR(unsigned, ready_user); // user threads ready or running
NODE_VAR(uint64_t, ready_integral_ns);
NODE_VAR(uint64_t, ready_stamp_ns);
NODE_VAR(struct thread, idle_threads[ARCH_CPUS_MAX]);

static void state_set(struct thread *t, enum thread_state to)
{
    static const uint8_t legal[] = {
        [THREAD_READY] = 1 << THREAD_RUNNING,
        [THREAD_RUNNING] = 1 << THREAD_READY | 1 << THREAD_WAITING | 1 << THREAD_DEAD,
        [THREAD_WAITING] = 1 << THREAD_READY,
        [THREAD_DEAD] = 0,
    };
    ASSERT(legal[t->state] & (1 << to));
    t->state = to;
}

static void ready_count_change(const struct thread *t, int by)
{
    if (!t->counted)
        return;
    uint64_t now = clock_now_ns();
    node(ready_integral_ns) += node(ready_user) * (now - node(ready_stamp_ns));
    node(ready_stamp_ns) = now;
    node(ready_user) += (unsigned)by;
}

void thread_make_ready(struct thread *t)
{
    state_set(t, THREAD_READY);
    ready_count_change(t, 1);
    run_queue_add(t);
}

static void book(struct run_queue *q, uint64_t user, uint64_t system)
{
    struct thread *t = q->running;
    t->user_ns += user;
    t->system_ns += system;
    q->user_ns += user;
    if (t == q->idle)
        q->idle_ns += system;
    else
        q->system_ns += system;
}

static void reap_dead(struct run_queue *q)
{
    struct thread *t = q->dead;
    if (t == NULL || t == q->running)
        return;
    q->dead = NULL;
    arch_stack_free(t->stack_top);
    heap_free(t);
}

// On the new thread's stack: other CPUs may take the lock now, nothing of the old one is in use.
static void switched_in(struct thread *t)
{
    reap_dead(run_queue_here());
    if (t->switch_in)
        t->switch_in(t);
    timer_rearm();
    arch_lock_offer();
}

// Runs the next thread; the caller has put the current one where it belongs.
static void switch_away(void)
{
    struct run_queue *q = run_queue_here();
    struct thread *from = q->running, *to = run_queue_pick();
    from->resched = false;
    if (to == from) {
        if (to != q->idle)
            to->state = THREAD_RUNNING;
        to->cpu = (uint8_t)arch_cpu_id(); // it may have been given to another, and taken back
        run_queue_slice_begin();
        return;
    }
    uint64_t user, system;
    node(switches)++;
    *(from->state == THREAD_READY ? &from->preemptions : &from->sleeps) += 1;
    arch_times_take(&user, &system);
    book(q, user, system);
    if (from->switch_out)
        from->switch_out(from);
    to->state = THREAD_RUNNING;
    to->cpu = (uint8_t)arch_cpu_id();
    q->running = to;
    arch_current_set(to);
    if (to->space)
        arch_space_load(to->space);
    run_queue_slice_begin();
    arch_context_switch(&from->context, to->context);
    switched_in(from);
}

static void thread_begin(void *arg)
{
    struct thread *t = arg;
    switched_in(t);
    t->entry(t->arg);
    thread_exit();
}

struct thread *thread_new(const char *name, enum thread_class class, void (*fn)(void *), void *arg)
{
    struct thread *t = heap_zalloc(sizeof(*t));
    if (t == NULL)
        return NULL;
    t->stack_top = arch_stack_alloc();
    if (t->stack_top == NULL) {
        heap_free(t);
        return NULL;
    }
    list_init(&t->run_link);
    list_init(&t->wait_link);
    list_init(&t->all_link);
    t->state = THREAD_WAITING;
    t->class = class;
    t->affinity = UINT32_MAX;
    t->slice_ns = THREAD_SLICE_NS;
    t->cpu = (uint8_t)arch_cpu_id();
    t->entry = fn;
    t->arg = arg;
    str_copy(t->name, name, sizeof(t->name));
    t->context = arch_context_new(t->stack_top, thread_begin, t);
    return t;
}

void thread_start(struct thread *t)
{
    t->counted = t->user != NULL;
    thread_make_ready(t);
}

void thread_abandon(struct thread *t)
{
    ASSERT(t->state == THREAD_WAITING && t->context != NULL);
    thread_realtime_set(t, 0, false);
    arch_stack_free(t->stack_top);
    heap_free(t);
}

struct thread *thread_create(const char *name, enum thread_class class, void (*fn)(void *),
                             void *arg)
{
    struct thread *t = thread_new(name, class, fn, arg);
    if (t)
        thread_start(t);
    return t;
}

void thread_block(void)
{
    struct thread *t = thread_current();
    ASSERT(t->state == THREAD_WAITING && t != run_queue_here()->idle);
    ready_count_change(t, -1);
    switch_away();
}

void thread_exit(void)
{
    struct thread *t = thread_current();
    struct run_queue *q = run_queue_here();
    ready_count_change(t, -1);
    thread_realtime_set(t, 0, false);
    state_set(t, THREAD_DEAD);
    arch_space_load(NULL);
    ASSERT(q->dead == NULL);
    q->dead = t;
    switch_away();
    ASSERT(false);
    for (;;)
        ;
}

void thread_yield(void)
{
    struct thread *t = thread_current();
    struct run_queue *q = run_queue_here();
    if (t == q->idle)
        return;
    if (!run_queue_displaces(t)) {
        t->resched = t->turn_over = false;
        run_queue_stays();
        return;
    }
    state_set(t, THREAD_READY);
    run_queue_add_here(t);
    switch_away();
}

void thread_yield_turn(void)
{
    thread_current()->turn_over = true;
    thread_yield();
}

void thread_realtime_set(struct thread *t, unsigned priority, bool round_robin)
{
    bool ready = t->state == THREAD_READY, was = t->class == THREAD_REALTIME;
    if (!was && priority == 0)
        return;
    if (ready)
        run_queue_remove(t);
    run_queue_realtime_count((priority != 0) - was);
    t->class = priority ? THREAD_REALTIME : THREAD_NORMAL;
    t->priority = (uint8_t)priority;
    t->round_robin = round_robin;
    if (ready) {
        run_queue_add(t);
    } else if (t->state == THREAD_RUNNING) {
        t->resched = true; // on its way to user mode others may come first
        thread_kick(t);
    }
}

void thread_kick(const struct thread *t)
{
    if (t->state == THREAD_RUNNING && t->cpu != arch_cpu_id())
        arch_cpu_kick(t->cpu);
}

void thread_ask(struct thread *t)
{
    t->asked = true;
    if (t->state == THREAD_WAITING && t->interruptible) {
        t->wake_result = -EINTR;
        list_remove(&t->wait_link);
        thread_make_ready(t);
    }
    thread_kick(t);
}

bool thread_affinity_set(struct thread *t, uint32_t cpus)
{
    if (!(cpus & ((1ull << arch_cpu_count()) - 1)))
        return false;
    t->affinity = cpus;
    if (run_queue_allows(t, t->cpu))
        return true;
    if (t->state == THREAD_READY) {
        run_queue_remove(t);
        run_queue_add(t);
    } else if (t->state == THREAD_RUNNING) {
        t->resched = true; // on its way to user mode it goes elsewhere
        thread_kick(t);
    }
    return true;
}

void kernel_pause(void)
{
    arch_lock_pause();
    if (thread_should_yield())
        thread_yield();
}

unsigned thread_ready_count(void)
{
    return node(ready_user);
}

uint64_t thread_switch_count(void)
{
    return node(switches);
}

uint64_t thread_ready_integral(void)
{
    return node(ready_integral_ns) + node(ready_user) * (clock_now_ns() - node(ready_stamp_ns));
}

void thread_cpu_times_of(unsigned cpu, uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns)
{
    struct run_queue *q = run_queue_of(cpu);
    uint64_t user, system;
    arch_times_take_of(cpu, &user, &system);
    book(q, user, system);
    *user_ns = q->user_ns;
    *system_ns = q->system_ns;
    *idle_ns = q->idle_ns;
}

void thread_cpu_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns)
{
    *user_ns = *system_ns = *idle_ns = 0;
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        uint64_t user, system, idle;
        thread_cpu_times_of(i, &user, &system, &idle);
        *user_ns += user;
        *system_ns += system;
        *idle_ns += idle;
    }
}

static void NORETURN idle_loop(void)
{
    for (;;) {
        if (thread_should_yield() || run_queue_waits(THREAD_IDLE))
            switch_away();
        timer_rearm();
        arch_idle();
    }
}

static const char *running_name(void)
{
    return thread_current()->name;
}

static void idle_init(unsigned cpu)
{
    struct thread *t = &node(idle_threads)[cpu];
    list_init(&t->run_link);
    list_init(&t->wait_link);
    t->state = THREAD_RUNNING;
    t->class = THREAD_IDLE;
    t->affinity = 1u << cpu;
    t->slice_ns = THREAD_SLICE_NS;
    t->cpu = (uint8_t)cpu;
    str_copy(t->name, "idle", sizeof(t->name));
    run_queue_init(cpu, t);
}

void thread_scheduler_init(void)
{
    idle_init(0);
    arch_current_set(&node(idle_threads)[0]);
    arch_on_timer = timer_interrupt;
    arch_on_kick = timer_rearm;
    arch_on_hold_name = running_name;
}

void thread_start_scheduler(void)
{
    idle_loop();
}

static void cpu_start(unsigned cpu)
{
    arch_current_set(&node(idle_threads)[cpu]);
    idle_loop();
}

static void cpus_start(void)
{
    unsigned left;
    arch_cpus_start(cpu_start, &left);
    for (unsigned i = 1; i < arch_cpu_count(); i++)
        idle_init(i); // they wait for the kernel lock still
    if (arch_cpu_count() > 1 || left > 0)
        log_info("boot", "%u CPUs run, %u left", arch_cpu_count(), left);
}
INIT_STEP(INIT_THREADS, cpus_start);
