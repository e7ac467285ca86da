// SPDX-License-Identifier: MIT
// links: ssi/process/pid.c
// PIDs: what lives is skipped, what was released rests for 2 s, none is lost.
#include "tests/unit/unit.h"
#include "ssi/process/pid.h"

#define S 1000000000ull

static struct pid_pool pool;

static int fresh(void **state)
{
    (void)state;
    pid_pool_init(&pool, 2);
    return 0;
}

static void counts_upward(void **state)
{
    (void)state;
    assert_int_equal(pid_pool_take(&pool, 0), 2);
    assert_int_equal(pid_pool_take(&pool, 0), 3);
    pid_pool_release(&pool, 2, 0);
    assert_int_equal(pid_pool_take(&pool, 0), 4);
    assert_true(pid_pool_used(&pool, 3));
    assert_false(pid_pool_used(&pool, 2));
}

static void wraps_and_skips_the_living(void **state)
{
    (void)state;
    uint32_t keep = pid_pool_take(&pool, 0);
    uint64_t now = 0;
    for (int i = 0; i < 3 * PID_PER_NODE; i++) {
        uint32_t n = pid_pool_take(&pool, now);
        assert_in_range(n, 2, PID_PER_NODE - 1); // PID 1 is never given;
        assert_int_not_equal(n, keep);
        pid_pool_release(&pool, n, now);
        now += S / 1000;
    }
}

static void all_and_no_more(void **state)
{
    (void)state;
    for (int i = 2; i < PID_PER_NODE; i++)
        assert_int_not_equal(pid_pool_take(&pool, 0), 0);
    assert_int_equal(pid_pool_take(&pool, 0), 0);
    pid_pool_release(&pool, 77, 5 * S);
    assert_int_equal(pid_pool_take(&pool, 5 * S), 0);
    assert_int_equal(pid_pool_take(&pool, 5 * S + PID_REST_NS - 1), 0);
    assert_int_equal(pid_pool_take(&pool, 5 * S + 2 * PID_REST_NS), 77);
}

// At every phase of the two periods, a released number rests at least PID_REST_NS, at most twice.
static void rests(void **state)
{
    (void)state;
    for (uint64_t at = 0; at < 3 * PID_REST_NS; at += PID_REST_NS / 7) {
        pid_pool_init(&pool, 2);
        for (int i = 2; i < PID_PER_NODE; i++)
            assert_int_not_equal(pid_pool_take(&pool, at), 0);
        pid_pool_release(&pool, 100, at);
        uint64_t back = at;
        while (pid_pool_take(&pool, back) == 0)
            back += PID_REST_NS / 50;
        assert_true(back - at >= PID_REST_NS);
        assert_true(back - at <= 2 * PID_REST_NS + PID_REST_NS / 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(counts_upward, fresh),
        cmocka_unit_test_setup(wraps_and_skips_the_living, fresh),
        cmocka_unit_test_setup(all_and_no_more, fresh),
        cmocka_unit_test_setup(rests, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
