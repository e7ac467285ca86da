// SPDX-License-Identifier: MIT
// links: lib/string.c lib/errno.c
// Strings: our own helpers, the kernel's C library functions against the host's, error sentences.
#include "tests/unit/unit.h"
#include <string.h>
#include "lib/errno.h"
#include "lib/string.h"

// The kernel's versions under names of their own.
#define memcmp  kernel_memcmp
#define strlen  kernel_strlen
#define strnlen kernel_strnlen
#define strcmp  kernel_strcmp
#define strncmp kernel_strncmp
#define strchr  kernel_strchr
#define strrchr kernel_strrchr
#define strstr  kernel_strstr
#include "lib/libc.c"
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

// Short strings of few letters meet every case: equal, prefix, empty, high bytes.
static char *random_string(void)
{
    size_t n = (size_t)rand() % 6;
    char *s = malloc(n + 1); // its end is watched by the sanitizer
    for (size_t i = 0; i < n; i++)
        s[i] = "ab\xff"[rand() % 3];
    s[n] = '\0';
    return s;
}

static void compare(const char *a, const char *b)
{
    size_t n = (size_t)rand() % 8, both = MIN(strlen(a), strlen(b));
    int c = "ab\xff"[rand() % 4];
    assert_int_equal(kernel_strlen(a), strlen(a));
    assert_int_equal(kernel_strnlen(a, n), strnlen(a, n));
    assert_int_equal(sign(kernel_strcmp(a, b)), sign(strcmp(a, b)));
    assert_int_equal(sign(kernel_strncmp(a, b, n)), sign(strncmp(a, b, n)));
    assert_int_equal(sign(kernel_memcmp(a, b, both)), sign(memcmp(a, b, both)));
    assert_ptr_equal(kernel_strchr(a, c), strchr(a, c));
    assert_ptr_equal(kernel_strrchr(a, c), strrchr(a, c));
    assert_ptr_equal(kernel_strstr(a, b), strstr(a, b));
}

static void test_libc(void **state)
{
    (void)state;
    srand(1);
    for (int i = 0; i < 50000; i++) {
        char *a = random_string(), *b = random_string();
        compare(a, b);
        free(a);
        free(b);
    }
    assert_int_equal(kernel_strnlen("abc", SIZE_MAX), 3);
}

static void test_str_copy(void **state)
{
    char to[6];
    (void)state;
    for (size_t size = 0; size <= sizeof(to); size++) {
        memset(to, 'Z', sizeof(to));
        assert_int_equal(str_copy(to, "abc", size), 3);
        if (size > 0)
            assert_memory_equal(to, "abc", MIN(size - 1, 3));
        if (size > 0)
            assert_int_equal(to[MIN(size - 1, 3)], '\0');
        for (size_t i = size; i < sizeof(to); i++)
            assert_int_equal(to[i], 'Z');
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"7", 7},
                {"007", 7},
                {"4294967295", UINT32_MAX},
                {"0xffffffff", UINT32_MAX},
                {"0XaB", 0xab},
                {"4294967296", 4294967296},
                {"18446744073709551615", UINT64_MAX},
                {"0xffffffffffffffff", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1a",
                                      "0x",
                                      "x1",
                                      "0xg",
                                      "1.0",
                                      "18446744073709551616",
                                      "0x10000000000000000"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        uint64_t wide = 1;
        uint32_t narrow = 1;
        assert_true(str_to_u64(good[i].text, &wide));
        assert_int_equal(wide, good[i].value);
        assert_int_equal(str_to_u32(good[i].text, &narrow), good[i].value <= UINT32_MAX);
        assert_int_equal(narrow, good[i].value <= UINT32_MAX ? (uint32_t)good[i].value : 1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        uint64_t wide = 1;
        assert_false(str_to_u64(bad[i], &wide));
        assert_int_equal(wide, 1);
    }
}

static void test_errno(void **state)
{
    (void)state;
    // Linux i386 and this host agree on the numbers: the host's names against our rows.
#define ERR(number, name, sentence)                                                                \
    assert_int_equal(number, name);                                                                \
    assert_string_equal(errno_text(number), sentence);                                             \
    assert_string_equal(errno_text(-number), sentence);
#include "lib/errno.def"
#undef ERR
    assert_string_equal(errno_text(99999), "unknown error");
    assert_non_null(errno_text(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_libc),
        cmocka_unit_test(test_str_copy),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
