// SPDX-License-Identifier: MIT
// The heap of timers against a sorted list of the same.
// links: kernel/timer.c
#include "arch/x86/arch.h"
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "tests/unit/unit.h"

#define TIMERS 200

static uint64_t now_ns, armed_ns;
static unsigned told; // how often the hardware was

uint64_t arch_clock_ns(void)
{
    return now_ns;
}

void arch_timer_set(uint64_t at_ns)
{
    armed_ns = at_ns;
    told++;
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
        const struct one *next = earliest();
        assert_true(next == NULL || armed_ns <= next->timer.at_ns);
        assert_int_equal(timer_is_set(&o->timer), o->set);
    }
    assert_true(fired > 1000);
}

static void nothing(void *arg UNUSED)
{
}

// What is cancelled, or set again for later, leaves the hardware as it is: its shot arms the next.
static void the_hardware_hears_of_earlier_times_alone(void **state UNUSED)
{
    struct timer t;
    timer_init(&t, nothing, NULL);
    now_ns += 1000;
    timer_interrupt();
    for (unsigned k = 0; k < TIMERS; k++)
        timer_cancel(&ones[k].timer);
    queue.armed_ns = armed_ns = UINT64_MAX;
    told = 0;
    uint64_t first = now_ns + 10;
    for (unsigned k = 0; k < 100; k++) {
        timer_set(&t, first + k);
        queue.slice_end_ns = k % 2 ? first + 2 * k : UINT64_MAX;
        timer_rearm();
    }
    assert_int_equal(told, 1);
    assert_int_equal(armed_ns, first);
    queue.slice_end_ns = UINT64_MAX;
    now_ns = first;
    timer_interrupt();
    assert_true(timer_is_set(&t));
    assert_int_equal(told, 2);
    assert_int_equal(armed_ns, first + 99);
    timer_set(&t, now_ns + 5);
    assert_int_equal(armed_ns, now_ns + 5);
    timer_cancel(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_in_order),
        cmocka_unit_test(the_hardware_hears_of_earlier_times_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
