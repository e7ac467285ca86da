// SPDX-License-Identifier: MIT
// links: lib/bpf_classic.c
// Programs that are refused, and what those that are not compute.
#include "lib/bpf_classic.h"
#include "tests/unit/unit.h"

#define INPUT_BYTES 64u
#define I(code, k)                                                                                 \
    {                                                                                              \
        code, 0, 0, k                                                                              \
    }
#define J(code, yes, no, k)                                                                        \
    {                                                                                              \
        code, yes, no, k                                                                           \
    }
#define COUNT(code) (sizeof(code) / sizeof(*(code)))

static uint16_t scratch[BPF_CLASSIC_MAX];

static bool good(const struct bpf_classic *code, uint32_t count)
{
    return bpf_classic_check(code, count, INPUT_BYTES, scratch);
}

#define GOOD(...)                                                                                  \
    do {                                                                                           \
        const struct bpf_classic code_[] = {__VA_ARGS__};                                          \
        assert_true(good(code_, COUNT(code_)));                                                    \
    } while (0)
#define BAD(...)                                                                                   \
    do {                                                                                           \
        const struct bpf_classic code_[] = {__VA_ARGS__};                                          \
        assert_false(good(code_, COUNT(code_)));                                                   \
    } while (0)

static void ends_and_codes(void **state)
{
    (void)state;
    GOOD(I(0x06, 5));
    GOOD(I(0x16, 0));
    BAD(I(0x00, 5));             // no return
    BAD(I(0x06, 0), I(0x00, 0)); // not at the end
    BAD(I(0x0e, 0));             // of X
    BAD(I(0x28, 0), I(0x06, 0)); // a half word
    BAD(I(0x40, 0), I(0x06, 0)); // by X
    BAD(I(0xb1, 0), I(0x06, 0)); // the length of an IP header
    BAD(I(0x94, 2), I(0x06, 0)); // a remainder: seccomp has none
    BAD(I(0x8c, 0), I(0x06, 0)); // a negation by X
    BAD(I(0x104, 0), I(0x06, 0));
    BAD(I(0xffff, 0), I(0x06, 0));
    assert_false(good(NULL, 0));
}

static void operands(void **state)
{
    (void)state;
    GOOD(I(0x20, 60), I(0x16, 0));
    BAD(I(0x20, 64), I(0x16, 0));
    BAD(I(0x20, 61), I(0x16, 0));
    BAD(I(0x20, 0xfffffffc), I(0x16, 0));
    BAD(I(0x34, 0), I(0x16, 0)); // a division by nothing
    GOOD(I(0x3c, 0), I(0x16, 0));
    GOOD(I(0x64, 31), I(0x16, 0));
    BAD(I(0x64, 32), I(0x16, 0));
    BAD(I(0x74, 32), I(0x16, 0));
    BAD(I(0x02, 16), I(0x16, 0));
    BAD(I(0x03, 0x80000000), I(0x16, 0));
}

static void jumps(void **state)
{
    (void)state;
    GOOD(I(0x05, 0), I(0x06, 0));
    BAD(I(0x05, 1), I(0x06, 0));
    BAD(I(0x05, 0xffffffff), I(0x06, 0));
    GOOD(J(0x15, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    BAD(J(0x15, 0, 2, 7), I(0x06, 1), I(0x06, 2));
    BAD(J(0x15, 2, 0, 7), I(0x06, 1), I(0x06, 2));
}

static void words_are_written_first(void **state)
{
    (void)state;
    BAD(I(0x60, 3), I(0x16, 0));
    BAD(I(0x61, 3), I(0x06, 0));
    GOOD(I(0x02, 3), I(0x60, 3), I(0x16, 0));
    // One way writes it, the other does not.
    BAD(J(0x15, 0, 1, 0), I(0x02, 3), I(0x60, 3), I(0x16, 0));
    // Both do.
    GOOD(J(0x15, 0, 2, 0), I(0x02, 3), I(0x05, 1), I(0x03, 3), I(0x60, 3), I(0x16, 0));
}

static uint32_t run(const struct bpf_classic *code, uint32_t count)
{
    uint32_t input[INPUT_BYTES / 4];
    for (uint32_t k = 0; k < INPUT_BYTES / 4; k++)
        input[k] = 100 + k;
    assert_true(good(code, count));
    return bpf_classic_run(code, input, INPUT_BYTES);
}

#define RUNS(result, ...)                                                                          \
    do {                                                                                           \
        const struct bpf_classic code_[] = {__VA_ARGS__};                                          \
        assert_int_equal(run(code_, COUNT(code_)), result);                                        \
    } while (0)

static void computes(void **state)
{
    (void)state;
    RUNS(115, I(0x20, 60), I(0x16, 0));
    RUNS(64, I(0x80, 0), I(0x16, 0));
    RUNS(64, I(0x81, 0), I(0x87, 0), I(0x16, 0));
    RUNS(12, I(0x00, 5), I(0x04, 7), I(0x16, 0));
    RUNS((uint32_t)-2, I(0x00, 5), I(0x14, 7), I(0x16, 0));
    RUNS(35, I(0x00, 5), I(0x24, 7), I(0x16, 0));
    RUNS(3, I(0x00, 10), I(0x01, 3), I(0x3c, 0), I(0x16, 0));
    RUNS(0, I(0x00, 10), I(0x01, 0), I(0x3c, 0), I(0x06, 9)); // divided by zero
    RUNS(0x55, I(0x00, 0x51), I(0x44, 4), I(0x16, 0));
    RUNS(0x10, I(0x00, 0x51), I(0x54, 0x1e), I(0x16, 0));
    RUNS(0x5e, I(0x00, 0x51), I(0xa4, 0x0f), I(0x16, 0));
    RUNS(80, I(0x00, 5), I(0x64, 4), I(0x16, 0));
    RUNS(10, I(0x00, 5), I(0x01, 33), I(0x6c, 0), I(0x16, 0)); // by 33 & 31
    RUNS(2, I(0x00, 5), I(0x74, 1), I(0x16, 0));
    RUNS((uint32_t)-5, I(0x00, 5), I(0x84, 0), I(0x16, 0));
    RUNS(5, I(0x00, 5), I(0x02, 15), I(0x00, 6), I(0x61, 15), I(0x87, 0), I(0x16, 0));
    RUNS(6, I(0x00, 6), I(0x07, 0), I(0x03, 1), I(0x00, 0), I(0x60, 1), I(0x16, 0));
}

static void jumps_go_where_they_say(void **state)
{
    (void)state;
    RUNS(1, I(0x00, 7), J(0x15, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    RUNS(2, I(0x00, 8), J(0x15, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    RUNS(2, I(0x00, 7), J(0x25, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    RUNS(1, I(0x00, 0xffffffff), J(0x25, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    RUNS(1, I(0x00, 7), J(0x35, 0, 1, 7), I(0x06, 1), I(0x06, 2));
    RUNS(1, I(0x00, 6), J(0x45, 0, 1, 4), I(0x06, 1), I(0x06, 2));
    RUNS(2, I(0x00, 6), J(0x45, 0, 1, 8), I(0x06, 1), I(0x06, 2));
    RUNS(1, I(0x00, 7), I(0x01, 7), J(0x1d, 0, 1, 0), I(0x06, 1), I(0x06, 2));
    RUNS(3, I(0x05, 1), I(0x06, 2), I(0x06, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_and_codes), cmocka_unit_test(operands),
        cmocka_unit_test(jumps),          cmocka_unit_test(words_are_written_first),
        cmocka_unit_test(computes),       cmocka_unit_test(jumps_go_where_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
