// SPDX-License-Identifier: MIT
// links: lib/archive.c lib/crc32c.c lib/string.c
// The boot archive: a good one opens; each flipped bit and each cut is refused with a reason.
#include "tests/unit/unit.h"
#include <string.h>
#include "lib/archive.h"
#include "lib/crc32c.h"

struct image {
    struct archive_header header;
    struct archive_row rows[2];
    uint8_t zeros[4096 - 56 - 32];
    uint8_t root[100];
    uint8_t more_zeros[3996];
    uint8_t settings[9];
} PACKED;

static struct image good_image(void)
{
    static struct image i;
    memset(&i, 0, sizeof(i));
    memcpy(i.header.magic, ARCHIVE_MAGIC, 8);
    i.header.version = ARCHIVE_VERSION;
    i.header.bytes = sizeof(i);
    i.header.parts = 2;
    memset(i.root, 'x', sizeof(i.root));
    memcpy(i.settings, "nodes=2 a", 9);
    i.rows[0] = (struct archive_row){ARCHIVE_ROOT, 4096, sizeof(i.root), crc32c(0, i.root, 100)};
    i.rows[1] = (struct archive_row){ARCHIVE_SETTINGS, 8192, 9, crc32c(0, i.settings, 9)};
    i.header.crc32c = archive_header_crc(&i.header, i.rows);
    return i;
}

static void assert_refused(const struct image *i, const char *words)
{
    struct archive a;
    const char *why = NULL;
    assert_false(archive_open(i, sizeof(*i), &a, &why));
    assert_non_null(why);
    if (words && strstr(why, words) == NULL)
        fail_msg("refused with \"%s\", not with \"%s\"", why, words);
}

// As an enemy would: with a checksum that fits.
static void assert_forged_refused(struct image *i, const char *words)
{
    i->header.crc32c = archive_header_crc(&i->header, i->rows);
    assert_refused(i, words);
}

static void test_good(void **state)
{
    struct image i = good_image();
    struct archive a;
    const char *why;
    const void *part;
    size_t size;
    (void)state;
    assert_true(archive_open(&i, sizeof(i), &a, &why));
    assert_null(why);
    assert_true(archive_part(&a, ARCHIVE_SETTINGS, &part, &size));
    assert_int_equal(size, 9);
    assert_memory_equal(part, "nodes=2 a", 9);
    assert_false(archive_part(&a, ARCHIVE_POLICY, &part, &size));
    assert_int_equal(size, 0);
}

static void test_every_bit(void **state)
{
    struct image i = good_image();
    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(i); bit++) {
        ((uint8_t *)&i)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_refused(&i, NULL);
        ((uint8_t *)&i)[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void test_every_cut(void **state)
{
    struct image i = good_image();
    struct archive a;
    const char *why;
    (void)state;
    for (size_t size = 0; size < sizeof(i); size++) {
        uint8_t *copy = malloc(size ? size : 1); // its end is watched by the sanitizer
        memcpy(copy, &i, size);
        assert_false(archive_open(copy, size, &a, &why));
        free(copy);
    }
}

static void test_forged(void **state)
{
    struct image i = good_image();
    (void)state;
    i.header.version = 2;
    assert_forged_refused(&i, "version");
    i = good_image();
    i.header.parts = 17;
    assert_refused(&i, "more than 16");
    i = good_image();
    i.header.bytes = 60;
    assert_refused(&i, "too small");
    i = good_image();
    i.rows[1].offset = 0xfffff000;
    assert_forged_refused(&i, "outside");
    i = good_image();
    i.rows[1].bytes = 0xffffffff;
    assert_forged_refused(&i, "outside");
    i = good_image();
    i.rows[1].offset = 4096;
    assert_forged_refused(&i, "overlap");
    i = good_image();
    i.rows[1].offset = 8193;
    assert_forged_refused(&i, "4096");
    i = good_image();
    i.rows[1].kind = ARCHIVE_ROOT;
    assert_forged_refused(&i, "two parts");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_forged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
