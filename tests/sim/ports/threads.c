// SPDX-License-Identifier: MIT
// Threads as coroutines on the virtual clock: a thread that becomes ready is a timer of its node
// that is due at once, so sim_run decides who runs and the same seed gives the same run. Threads
// that are still asleep at the end are left to the process's end.
#include <sanitizer/common_interface_defs.h>
#include <stdlib.h>
#include <ucontext.h>
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/ports/sim_priv.h"

enum {
    STACK_BYTES = 256 << 10
}; // ASan's frames are large

struct coroutine {
    struct thread thread;
    ucontext_t context;
    void *stack;
    void *shadow;
    struct timer ready;
    struct coroutine *next_dead;
};

static ucontext_t scheduler;
static const void *scheduler_stack; // for ASan, which follows each switch
static size_t scheduler_stack_bytes;
static void *scheduler_shadow;
static struct coroutine *running, *dead;

static struct coroutine *coroutine_of(struct thread *t)
{
    return container_of(t, struct coroutine, thread);
}

void *arch_current(void)
{
    return running ? &running->thread : NULL;
}

static void back_to_scheduler(void)
{
    struct coroutine *me = running;
    running = NULL;
    bool ends = me->thread.state == THREAD_DEAD;
    if (me->thread.switch_out && !ends)
        me->thread.switch_out(&me->thread);
    __sanitizer_start_switch_fiber(ends ? NULL : &me->shadow, scheduler_stack,
                                   scheduler_stack_bytes);
    swapcontext(&me->context, &scheduler);
    __sanitizer_finish_switch_fiber(me->shadow, NULL, NULL);
    if (me->thread.switch_in)
        me->thread.switch_in(&me->thread);
}

static void body(void)
{
    __sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_bytes);
    if (running->thread.switch_in)
        running->thread.switch_in(&running->thread);
    running->thread.entry(running->thread.arg);
    thread_exit();
}

static void resume(void *arg)
{
    struct coroutine *c = arg;
    ASSERT(running == NULL);
    running = c;
    c->thread.state = THREAD_RUNNING;
    if (c->thread.space)
        arch_space_load(c->thread.space);
    __sanitizer_start_switch_fiber(&scheduler_shadow, c->stack, STACK_BYTES);
    swapcontext(&scheduler, &c->context);
    __sanitizer_finish_switch_fiber(scheduler_shadow, NULL, NULL);
    while (dead) {
        struct coroutine *d = dead;
        dead = d->next_dead;
        free(d->stack);
        free(d);
    }
}

void thread_make_ready(struct thread *t)
{
    t->state = THREAD_READY;
    timer_set(&coroutine_of(t)->ready, clock_now_ns());
}

struct thread *thread_new(const char *name, enum thread_class class, void (*fn)(void *), void *arg)
{
    struct coroutine *c = calloc(1, sizeof(*c));
    c->stack = malloc(STACK_BYTES);
    getcontext(&c->context);
    c->context.uc_stack.ss_sp = c->stack;
    c->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&c->context, body, 0);
    c->thread.class = class;
    c->thread.entry = fn;
    c->thread.arg = arg;
    str_copy(c->thread.name, name, sizeof(c->thread.name));
    c->thread.state = THREAD_WAITING;
    list_init(&c->thread.wait_link);
    timer_init(&c->ready, resume, c);
    return &c->thread;
}

void thread_start(struct thread *t)
{
    thread_make_ready(t);
}

void thread_abandon(struct thread *t)
{
    struct coroutine *c = coroutine_of(t);
    ASSERT(t->state == THREAD_WAITING);
    free(c->stack);
    free(c);
}

struct thread *thread_create(const char *name, enum thread_class class, void (*fn)(void *),
                             void *arg)
{
    struct thread *t = thread_new(name, class, fn, arg);
    thread_start(t);
    return t;
}

void thread_exit(void)
{
    running->thread.state = THREAD_DEAD;
    running->next_dead = dead;
    dead = running;
    back_to_scheduler();
    abort();
}

void thread_yield(void)
{
    thread_make_ready(&running->thread);
    back_to_scheduler();
}

uint64_t thread_switch_count(void)
{
    return 0;
}

uint64_t thread_ready_integral(void)
{
    return 0;
}

void thread_cpu_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns)
{
    *user_ns = *system_ns = *idle_ns = 0;
}

void thread_cpu_times_of(unsigned cpu UNUSED, uint64_t *user_ns, uint64_t *system_ns,
                         uint64_t *idle_ns)
{
    *user_ns = *system_ns = *idle_ns = 0;
}

void thread_yield_turn(void)
{
    thread_yield();
}

void thread_realtime_set(struct thread *t, unsigned priority, bool round_robin)
{
    t->priority = (uint8_t)priority; // nothing runs by priority here
    t->round_robin = round_robin;
}

bool thread_affinity_set(struct thread *t, uint32_t cpus)
{
    t->affinity = cpus;
    return cpus & 1;
}

void sim_thread_spend(uint64_t ns)
{
    running->thread.state = THREAD_READY;
    timer_set(&running->ready, clock_now_ns() + ns);
    back_to_scheduler();
}

void sim_thread_stand_still(uint64_t ns)
{
    running->thread.state = THREAD_READY;
    sim_node_current()->still_until_ns = clock_now_ns() + ns;
    timer_set(&running->ready, 0); // before all that waits for the node's waking
    back_to_scheduler();
}

// What was due meanwhile comes when the node goes on, interrupts and urgent threads first, as where
// a timer that is late preempts user code.
void sim_threads_stand_still(uint64_t until_ns)
{
    struct sim_node *n = sim_node_current();
    struct timer *t, *next;
    n->still_until_ns = until_ns;
    list_for_each_safe (t, next, &n->timers, link) {
        const struct coroutine *c = container_of(t, struct coroutine, ready);
        if (t->fn == resume && c->thread.class != THREAD_URGENT && t->at_ns <= until_ns)
            timer_set(t, until_ns + 1);
    }
}

void sim_thread_vanish(void)
{
    running->thread.state = THREAD_WAITING;
    running->thread.switch_out = NULL;
    back_to_scheduler();
    abort();
}

void kernel_pause(void)
{
    thread_yield();
}

// There is one CPU.
void thread_kick(const struct thread *t UNUSED)
{
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

void thread_block(void)
{
    ASSERT(running && running->thread.state == THREAD_WAITING);
    back_to_scheduler();
}

unsigned thread_ready_count(void)
{
    return 0; // nobody shares a CPU here
}
