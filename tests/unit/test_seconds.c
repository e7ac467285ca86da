// SPDX-License-Identifier: MIT
// links: lib/string.c
// Seconds of nanoseconds without a division: the same as with one.
#include "tests/unit/unit.h"
#include "lib/seconds.h"

static void check(int64_t ns)
{
    int32_t rest;
    int64_t before = ns % SECONDS_NS < 0; // 1970: rounded down
    assert_int_equal(seconds_of(ns, &rest), ns / SECONDS_NS - before);
    assert_int_equal(rest, ns % SECONDS_NS + before * (int64_t)SECONDS_NS);
}

static void as_a_division(void **state)
{
    (void)state;
    static const int64_t around[] = {0,
                                     INT64_C(1) << 29,
                                     INT64_C(1) << 32,
                                     INT64_C(1) << 61,
                                     INT64_C(1) << 62,
                                     INT64_C(1790000000) * SECONDS_NS};
    for (unsigned i = 0; i < ARRAY_SIZE(around); i++)
        for (int64_t off = -3; off <= 3; off++)
            check(around[i] + off);
    check(INT64_MAX);
    check(INT64_MIN);
    for (int64_t second = 1; second < INT64_C(1) << 32; second = second * 3 / 2 + 1) // both sides
        for (int64_t off = -2; off <= 2; off++)
            check(second * SECONDS_NS + off);
    uint64_t random = 1;
    for (unsigned i = 0; i < 200000; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        check((int64_t)(random >> (i % 40)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_a_division)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
