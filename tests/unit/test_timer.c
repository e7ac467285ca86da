// SPDX-License-Identifier: MIT
// The heap of timers against a sorted list of the same.
// links: kernel/timer.c
#include "arch/x86/arch.h"
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "tests/unit/unit.h"

#define TIMERS 200

static uint64_t now_ns, armed_ns;

uint64_t arch_clock_ns(void)
{
    return now_ns;
}

void arch_timer_set(uint64_t at_ns)
{
    armed_ns = at_ns;
}

static struct run_queue queue = {.slice_end_ns = UINT64_MAX, .armed_ns = UINT64_MAX};

struct run_queue *run_queue_here(void)
{
    return &queue;
}

unsigned arch_cpu_id(void)
{
    return 0;
}

void run_queue_slice_check(uint64_t now UNUSED)
{
}

struct one {
    struct timer timer;
    uint64_t order;
    bool set;
};

static struct one ones[TIMERS];
static unsigned fired;

static struct one *earliest(void)
{
    struct one *e = NULL;
    for (unsigned k = 0; k < TIMERS; k++) {
        struct one *o = &ones[k];
        if (o->set && (e == NULL || o->timer.at_ns < e->timer.at_ns ||
                       (o->timer.at_ns == e->timer.at_ns && o->order < e->order)))
            e = o;
    }
    return e;
}

static void on_fire(void *arg)
{
    struct one *o = arg;
    assert_ptr_equal(o, earliest());
    assert_true(o->timer.at_ns <= now_ns);
    assert_false(timer_is_set(&o->timer));
    o->set = false;
    fired++;
}

static uint32_t draw(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

static void fires_in_order(void **state UNUSED)
{
    uint64_t order = 0;
    for (unsigned k = 0; k < TIMERS; k++)
        timer_init(&ones[k].timer, on_fire, &ones[k]);
    for (unsigned step = 0; step < 20000; step++) {
        struct one *o = &ones[draw() % TIMERS];
        unsigned what = draw() % 8;
        if (what < 5) {
            timer_set(&o->timer, now_ns + 1 + draw() % 50);
            o->order = order++;
            o->set = true;
        } else if (what < 7) {
            timer_cancel(&o->timer);
            o->set = false;
        } else {
            now_ns += draw() % 20;
            armed_ns = UINT64_MAX; // it shoots once
            timer_interrupt();
            struct one *e = earliest();
            assert_true(e == NULL || e->timer.at_ns > now_ns);
            assert_int_equal(armed_ns, e ? e->timer.at_ns : UINT64_MAX);
        }
        assert_int_equal(timer_is_set(&o->timer), o->set);
    }
    assert_true(fired > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fires_in_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
