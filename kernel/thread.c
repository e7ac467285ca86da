// SPDX-License-Identifier: MIT
// The run queue of a node: classes served in order, round robin with a time slice inside a class.
// A dead thread's stack is freed by whoever runs next.
#include "kernel/thread.h"
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"

#define SLICE_NS (10 * NS_PER_MS)

NODE_VAR(struct list, run_queue[THREAD_CLASSES]);
NODE_VAR(unsigned, ready_user); // user threads ready or running
NODE_VAR(uint64_t, ready_integral_ns);
NODE_VAR(uint64_t, ready_stamp_ns);
NODE_VAR(struct thread *, running);
NODE_VAR(struct thread *, idle);
NODE_VAR(struct thread *, dead);
NODE_VAR(bool, resched);
NODE_VAR(uint64_t, slice_end_ns) = UINT64_MAX;
NODE_VAR(uint64_t, user_total_ns);
NODE_VAR(uint64_t, system_total_ns);
NODE_VAR(uint64_t, idle_total_ns);
NODE_VAR(struct thread, boot_thread);

struct thread *thread_current(void)
{
    return node(running);
}

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

static bool others_ready(enum thread_class upto)
{
    for (unsigned c = 0; c <= upto; c++)
        if (!list_empty(&node(run_queue)[c]))
            return true;
    return false;
}

// Who runs from now on, and whether it shares the CPU: then a slice is measured.
static void slice_begin(void)
{
    const struct thread *t = node(running);
    bool shared = t != node(idle) && others_ready(t->class);
    node(slice_end_ns) = shared ? clock_now_ns() + SLICE_NS : UINT64_MAX;
}

uint64_t thread_slice_end_ns(void)
{
    return node(slice_end_ns);
}

void thread_slice_check(uint64_t now_ns)
{
    if (now_ns >= node(slice_end_ns)) {
        node(resched) = true;
        node(slice_end_ns) = UINT64_MAX;
    }
}

static void enqueue(struct thread *t)
{
    list_append(&node(run_queue)[t->class], &t->run_link);
    const struct thread *r = node(running);
    if (r == NULL || r == t)
        return;
    if (r == node(idle) || t->class < r->class) {
        node(resched) = true;
    } else if (t->class == r->class && node(slice_end_ns) == UINT64_MAX && !node(resched)) {
        slice_begin();
        timer_rearm();
    }
}

void thread_make_ready(struct thread *t)
{
    state_set(t, THREAD_READY);
    ready_count_change(t, 1);
    enqueue(t);
}

static void account(struct thread *t)
{
    uint64_t user, system;
    arch_times_take(&user, &system);
    t->user_ns += user;
    t->system_ns += system;
    node(user_total_ns) += user;
    if (t == node(idle))
        node(idle_total_ns) += system;
    else
        node(system_total_ns) += system;
}

static struct thread *pick(void)
{
    for (unsigned c = 0; c < THREAD_CLASSES; c++) {
        struct list *l = list_pop(&node(run_queue)[c]);
        if (l)
            return list_entry(l, struct thread, run_link);
    }
    return node(idle);
}

static void reap_dead(void)
{
    struct thread *t = node(dead);
    if (t == NULL || t == node(running))
        return;
    node(dead) = NULL;
    arch_stack_free(t->stack_top);
    heap_free(t);
}

// Runs the next thread; the caller has put the current one where it belongs.
static void switch_away(void)
{
    struct thread *from = node(running), *to = pick();
    node(resched) = false;
    if (to == from) {
        if (to != node(idle))
            to->state = THREAD_RUNNING;
        slice_begin();
        return;
    }
    account(from);
    if (from->switch_out)
        from->switch_out(from);
    to->state = THREAD_RUNNING;
    node(running) = to;
    if (to->space)
        arch_space_load(to->space);
    slice_begin();
    arch_context_switch(&from->context, to->context);
    reap_dead();
    if (from->switch_in)
        from->switch_in(from);
    timer_rearm();
}

static void thread_begin(void *arg)
{
    struct thread *t = arg;
    reap_dead();
    if (t->switch_in)
        t->switch_in(t);
    timer_rearm();
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
    struct thread *t = node(running);
    ASSERT(t->state == THREAD_WAITING && t != node(idle));
    ready_count_change(t, -1);
    switch_away();
}

void thread_exit(void)
{
    struct thread *t = node(running);
    ready_count_change(t, -1);
    state_set(t, THREAD_DEAD);
    arch_space_load(NULL);
    ASSERT(node(dead) == NULL);
    node(dead) = t;
    switch_away();
    ASSERT(false);
    for (;;)
        ;
}

void thread_yield(void)
{
    struct thread *t = node(running);
    if (t == node(idle))
        return;
    if (!others_ready(t->class)) {
        node(resched) = false;
        return;
    }
    state_set(t, THREAD_READY);
    list_append(&node(run_queue)[t->class], &t->run_link);
    switch_away();
}

bool thread_should_yield(void)
{
    return node(resched);
}

void thread_ask(struct thread *t)
{
    t->asked = true;
    if (t->state == THREAD_WAITING && t->interruptible) {
        t->wake_result = -EINTR;
        list_remove(&t->wait_link);
        thread_make_ready(t);
    }
}

void kernel_pause(void)
{
    arch_lock_pause();
    if (node(resched))
        thread_yield();
}

unsigned thread_ready_count(void)
{
    return node(ready_user);
}

uint64_t thread_ready_integral(void)
{
    return node(ready_integral_ns) + node(ready_user) * (clock_now_ns() - node(ready_stamp_ns));
}

void thread_cpu_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns)
{
    account(node(running));
    *user_ns = node(user_total_ns);
    *system_ns = node(system_total_ns);
    *idle_ns = node(idle_total_ns);
}

static void idle_loop(void)
{
    for (;;) {
        if (node(resched) || others_ready(THREAD_IDLE))
            switch_away();
        timer_rearm();
        arch_idle();
    }
}

static const char *running_name(void)
{
    return node(running)->name;
}

void thread_scheduler_init(void)
{
    for (unsigned c = 0; c < THREAD_CLASSES; c++)
        list_init(&node(run_queue)[c]);
    struct thread *t = &node(boot_thread);
    list_init(&t->run_link);
    list_init(&t->wait_link);
    t->state = THREAD_RUNNING;
    t->class = THREAD_IDLE;
    str_copy(t->name, "idle", sizeof(t->name));
    node(idle) = node(running) = t;
    arch_on_timer = timer_interrupt;
    arch_on_hold_name = running_name;
}

void thread_start_scheduler(void)
{
    idle_loop();
    for (;;)
        ;
}
