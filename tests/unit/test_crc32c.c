// SPDX-License-Identifier: MIT
// links: lib/crc32c.c
// CRC-32C: the vectors of RFC 3720 B.4, the check value, a bit-by-bit version, and in pieces.
#include "tests/unit/unit.h"
#include <string.h>
#include "lib/crc32c.h"

static uint32_t slow(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;
    for (; n > 0; n--) {
        crc ^= *p++;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    return ~crc;
}

static void test_vectors(void **state)
{
    uint8_t b[48];
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    memset(b, 0, 32);
    assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
    memset(b, 0xff, 32);
    assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = i;
    assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        b[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, b, 32), 0x113fdb5c);
    static const uint8_t read_command[48] = {
        [0] = 0x01,  [1] = 0xc0,  [16] = 0x14, [22] = 0x04,
        [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02,
    };
    assert_int_equal(crc32c(0, read_command, 48), 0xd9963a56);
    assert_int_equal(crc32c(0, b, 0), 0);
}

static void test_pieces(void **state)
{
    uint8_t b[300];
    (void)state;
    srand(1);
    for (size_t i = 0; i < sizeof(b); i++)
        b[i] = (uint8_t)rand();
    for (size_t n = 0; n <= sizeof(b); n++) {
        size_t cut = n ? (size_t)rand() % n : 0;
        assert_int_equal(crc32c(0, b, n), slow(b, n));
        assert_int_equal(crc32c(crc32c(0, b, cut), b + cut, n - cut), slow(b, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
