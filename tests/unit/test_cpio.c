// SPDX-License-Identifier: MIT
// links: lib/cpio.c host-tools/tree.c host-tools/host.c lib/string.c
// The newc reader: what the image builder writes is read back; damaged archives are refused.
#include "tests/unit/unit.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "host-tools/tree.h"
#include "lib/cpio.h"
#include "lib/errno.h"

// One entry as newc text; `data` follows the name on the grid of 4.
static size_t put(char *to, const char *mode, const char *name, size_t name_size, const char *data)
{
    size_t at = 110 + name_size, bytes = strlen(data);
    memset(to, 0, 600);
    sprintf(to, "070701%08x%s%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 7, mode, 1, 2, 1, 3,
            bytes, 0, 0, 4, 5, name_size, 0);
    strcpy(to + 110, name);
    at = (at + 3) & ~(size_t)3;
    memcpy(to + at, data, bytes);
    return (at + bytes + 3) & ~(size_t)3;
}

static size_t trailer(char *to)
{
    return put(to, "00000000", "TRAILER!!!", 11, "");
}

static void assert_refused(const char *bytes, size_t size, const char *words)
{
    struct cpio c;
    struct cpio_entry e;
    int more;
    char *copy = malloc(size ? size : 1); // its end is watched by the sanitizer
    memcpy(copy, bytes, size);
    cpio_open(&c, copy, size);
    while ((more = cpio_next(&c, &e)) > 0)
        ;
    assert_int_equal(more, -EINVAL);
    assert_non_null(c.why);
    if (strstr(c.why, words) == NULL)
        fail_msg("refused with \"%s\", not with \"%s\"", c.why, words);
    free(copy);
}

static void test_fields(void **state)
{
    static char a[4096];
    struct cpio c;
    struct cpio_entry e;
    size_t n = put(a, "000081ed", "./bin/x", 200, "hello");
    n += put(a + n, "0000a1ff", "/l", 3, "bin/x");
    n += put(a + n, "000041ed", ".", 2, "");
    n += trailer(a + n);
    (void)state;
    cpio_open(&c, a, n);
    assert_int_equal(cpio_next(&c, &e), 1);
    assert_string_equal(e.name, "bin/x");
    assert_int_equal(e.mode, CPIO_FILE | 0755);
    assert_int_equal(e.bytes, 5);
    assert_memory_equal(e.data, "hello", 5);
    assert_int_equal(e.uid, 1);
    assert_int_equal(e.gid, 2);
    assert_int_equal(e.mtime, 3);
    assert_int_equal(e.rdev_major, 4);
    assert_int_equal(e.rdev_minor, 5);
    assert_int_equal(cpio_next(&c, &e), 1);
    assert_string_equal(e.name, "l");
    assert_int_equal(e.mode, CPIO_SYMLINK | 0777);
    assert_int_equal(cpio_next(&c, &e), 1);
    assert_string_equal(e.name, "");
    assert_int_equal(cpio_next(&c, &e), 0);
}

static void test_cut(void **state)
{
    static char a[4096];
    size_t n = put(a, "000081ed", "bin/x", 6, "hello, world");
    size_t end = n + 110 + 11;
    trailer(a + n);
    (void)state;
    for (size_t size = 0; size < end; size++)
        assert_refused(a, size, "cpio: ");
}

static void test_bad_names(void **state)
{
    static const char *const names[] = {"../x", "a/../x", "a//b", "a/", "..", "//", "a/./b"};
    static char a[4096];
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        size_t n = put(a, "000081ed", names[i], strlen(names[i]) + 1, "");
        n += trailer(a + n);
        assert_refused(a, n, "not a path");
    }
    size_t n = put(a, "000081ed", "abc", 3, "");
    a[112] = 'c';
    assert_refused(a, n, "NUL");
}

static void test_bad_fields(void **state)
{
    static char a[4096];
    (void)state;
    size_t n = put(a, "000081ed", "x", 2, "data");
    a[5] = '2'; // "070702", with checksums: not what we write
    assert_refused(a, n, "070701");
    n = put(a, "000081ed", "x", 2, "data");
    memcpy(a + 6 + 8 * 6, "ffffffff", 8);
    assert_refused(a, n, "beyond");
    n = put(a, "000081ed", "x", 2, "data");
    memcpy(a + 6 + 8 * 11, "ffffffff", 8);
    assert_refused(a, n, "too long");
    n = put(a, "000081ed", "x", 2, "data");
    memcpy(a + 6 + 8 * 11, "00001000", 8);
    assert_refused(a, n, "beyond");
    n = put(a, "0000g1ed", "x", 2, "data");
    assert_refused(a, n, "hexadecimal");
    n = put(a, "0000f1ed", "x", 2, "data");
    assert_refused(a, n, "unknown type");
    n = put(a, "000041ed", "x", 2, "data");
    assert_refused(a, n, "has data");
    n = put(a, "0000a1ff", "x", 2, "");
    assert_refused(a, n, "symbolic link");
}

static void host_file(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void test_builder(void **state)
{
    char dir[] = "/tmp/test_cpio.XXXXXX";
    struct tree t = {0};
    struct cpio c;
    struct cpio_entry e;
    int more;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    host_file("one", "1", 0755);
    host_file("two", "22", 0600);
    assert_int_equal(symlink("one", "link"), 0);
    tree_add_host(&t, "one", "bin/deep/one");
    tree_add_host(&t, ".", "all");
    tree_add_host(&t, "two", "all/one"); // the later one wins
    struct bytes b = tree_cpio(&t, 77);
    static const char *const want[] = {"",        "all", "all/link", "all/one",
                                       "all/two", "bin", "bin/deep", "bin/deep/one"};
    size_t n = 0;
    cpio_open(&c, b.at, b.size);
    while ((more = cpio_next(&c, &e)) > 0) {
        assert_true(n < ARRAY_SIZE(want));
        assert_string_equal(e.name, want[n++]);
        assert_int_equal(e.mtime, 77);
        if ((e.mode & CPIO_TYPE) == CPIO_FILE)
            assert_int_equal((size_t)(e.data - b.at) % 4096, 0);
        if (strcmp(e.name, "all/one") == 0)
            assert_memory_equal(e.data, "22", 2);
    }
    assert_int_equal(more, 0);
    assert_int_equal(n, ARRAY_SIZE(want));
    free(b.at);
    tree_free(&t);
    unlink("one"), unlink("two"), unlink("link");
    assert_int_equal(chdir("/") | rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),    cmocka_unit_test(test_cut),
        cmocka_unit_test(test_bad_names), cmocka_unit_test(test_bad_fields),
        cmocka_unit_test(test_builder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
