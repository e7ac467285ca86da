// SPDX-License-Identifier: MIT
// links: lib/string.c
// The cluster's clock as a line over a node's own: as far as it should go, at 500 ppm, without a
// step and never back.
#include "tests/unit/unit.h"
#include "lib/clock_line.h"

#define MS 1000000ull
#define S  1000000000ull

static void slews_and_stops(void **state)
{
    (void)state;
    struct clock_line l = {.from_ns = 5 * S, .at_ns = 100 * S};
    assert_int_equal(clock_line_at(&l, 6 * S), 101 * S);
    assert_int_equal(clock_line_at(&l, 4 * S), 100 * S); // another CPU's clock, a moment behind
    clock_line_turn(&l, 6 * S, (int64_t)(95 * S + MS));  // 1 ms ahead: takes 2 s
    assert_int_equal(clock_line_at(&l, 6 * S), 101 * S);
    assert_int_equal(clock_line_at(&l, 7 * S), 102 * S + MS / 2 - 1);
    assert_int_equal(clock_line_at(&l, 8 * S), 103 * S + MS - 1);
    assert_int_equal(clock_line_at(&l, 60 * S), 155 * S + MS - 1);
    clock_line_turn(&l, 60 * S, (int64_t)(95 * S)); // and back, slower
    assert_int_equal(clock_line_at(&l, 61 * S), 156 * S + MS / 2);
    assert_true(clock_line_at(&l, 70 * S) - 165 * S <= 1);
}

static void never_goes_back(void **state)
{
    (void)state;
    for (int sign = -1; sign <= 1; sign += 2) {
        struct clock_line l = {0};
        uint64_t last = 0;
        clock_line_turn(&l, 0, sign * (int64_t)(3 * MS));
        for (uint64_t at = 0; at < 7 * S; at += at < 100000 ? 1 : 99991) {
            if (at > 2 * S && l.from_ns == 0)
                clock_line_turn(&l, at, -sign * (int64_t)MS); // turned in the middle
            uint64_t now = clock_line_at(&l, at);
            assert_true(now >= last);
            last = now;
        }
    }
}

static void far_ahead_and_far_behind(void **state)
{
    (void)state;
    struct clock_line l = {0};
    clock_line_turn(&l, 0, INT64_MAX / 2);
    assert_true(1000 * S + S / 2 - clock_line_at(&l, 1000 * S) < 1000);
    l = (struct clock_line){.at_ns = INT64_MAX / 2};
    clock_line_turn(&l, 0, 0);
    assert_true(l.slower == 1);
    uint64_t lost = INT64_MAX / 2 + 1000 * S - clock_line_at(&l, 1000 * S);
    assert_true(lost <= S / 2 && lost > S / 2 - 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slews_and_stops),
        cmocka_unit_test(never_goes_back),
        cmocka_unit_test(far_ahead_and_far_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
