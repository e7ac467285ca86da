// SPDX-License-Identifier: MIT
// links: lib/fmt.c lib/string.c
// The formatter against the C library's, format by format and with random ones; and struct text.
#include "tests/unit/unit.h"
#include <limits.h>
#include <string.h>
#include "lib/fmt.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat"

// Both write into buffers of `size` bytes of rubbish.
#define SAME_IN(size, ...)                                                                         \
    do {                                                                                           \
        char ours[300], theirs[300];                                                               \
        memset(ours, 'Z', sizeof(ours));                                                           \
        memset(theirs, 'Z', sizeof(theirs));                                                       \
        int n = fmt_print(ours, size, __VA_ARGS__), m = snprintf(theirs, size, __VA_ARGS__);       \
        if (n != m || memcmp(ours, theirs, sizeof(ours)) != 0)                                     \
            fail_msg("%s: ours \"%s\" (%d), theirs \"%s\" (%d)", #__VA_ARGS__, ours, n, theirs,    \
                     m);                                                                           \
    } while (0)
#define SAME(...) SAME_IN(300, __VA_ARGS__)

static void test_each(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%%");
    SAME("%d %i %u %x %X %o", -5, 6, 7u, 0xabcu, 0xabcu, 8u);
    SAME("%d %d %d", INT_MIN, INT_MAX, 0);
    SAME("%u %x", UINT_MAX, UINT_MAX);
    SAME("%ld %lu %lx", LONG_MIN, ULONG_MAX, ULONG_MAX);
    SAME("%lld %llu %llx", LLONG_MIN, ULLONG_MAX, ULLONG_MAX);
    SAME("%zu %zx", SIZE_MAX, SIZE_MAX);
    SAME("%llu", 4294967296ull);
    SAME("%c%c%c", 'a', 'b', 'c');
    SAME("%s|%10s|%-10s|%.2s|%10.2s|%s", "abc", "abc", "abc", "abc", "abc", "");
    SAME("%.*s|%*d|%-*d|", 2, "abc", 5, 42, 5, 42);
    SAME("%5d|%-5d|%05d|%5d|%05d", 42, 42, 42, -42, -42);
    SAME("%.5d|%8.5d|%-8.5d|%.0d|%.0d", 42, 42, 42, 0, 1);
    SAME("%08x|%#x|%#10x|%#010x", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
    SAME("%+d %+d", 5, -5);
    SAME("%p", (void *)0x1234);
    char open[3] = {'a', 'b', 'c'}; // no NUL behind it
    SAME("%.3s", open);
}

static void test_cut(void **state)
{
    (void)state;
    for (size_t size = 0; size < 20; size++)
        SAME_IN(size, "%s %d", "hello", 12345);
}

static void test_random(void **state)
{
    static const char *const conversions[] = {"d",  "i",  "u",   "x",   "X",   "o",  "ld",
                                              "lu", "lx", "lld", "llu", "llx", "zu", "c"};
    (void)state;
    srand(1);
    for (int i = 0; i < 50000; i++) {
        char format[40] = "[%";
        if (rand() % 3 == 0)
            strcat(format, "-");
        else if (rand() % 3 == 0)
            strcat(format, "0");
        const char *conversion = conversions[rand() % 14];
        bool digits = *conversion != 'c';
        if (rand() % 2)
            sprintf(format + strlen(format), "%d", 1 + rand() % 30);
        if (digits && rand() % 3 == 0)
            sprintf(format + strlen(format), ".%d", rand() % 25);
        strcat(format, conversion);
        strcat(format, "]");
        unsigned long long value = (unsigned long long)rand() << (rand() % 40);
        value = rand() % 4 ? value : 0 - value;
        if (!digits) {
            char *zero = strchr(format, '0'); // with %c it has no meaning
            if (zero && zero == format + 2)
                continue;
            value = 'a' + value % 26;
        }
        SAME(format, value);
    }
}

static void test_text(void **state)
{
    char buffer[8];
    struct text t;
    (void)state;
    text_init(&t, buffer, sizeof(buffer));
    assert_string_equal(buffer, "");
    text_add(&t, "%d-", 123);
    assert_string_equal(buffer, "123-");
    assert_int_equal(t.length, 4);
    assert_false(t.cut);
    text_add(&t, "%s", "abc");
    assert_string_equal(buffer, "123-abc");
    assert_false(t.cut);
    text_add(&t, "%s", "d");
    assert_string_equal(buffer, "123-abc");
    assert_true(t.cut);
    assert_int_equal(t.length, 7);
    text_add(&t, "more");
    assert_int_equal(t.length, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
