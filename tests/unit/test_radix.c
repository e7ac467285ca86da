// SPDX-License-Identifier: MIT
// The radix tree against a plain table, with failing memory, and that it gives all memory back.
// links: lib/radix.c
#include "tests/unit/unit.h"
#include "lib/radix.h"
#include "lib/types.h"

static size_t live;
static int fail_in;

static void *take(size_t bytes)
{
    if (fail_in && --fail_in == 0)
        return NULL;
    live++;
    return malloc(bytes);
}

static void give(void *p)
{
    live--;
    free(p);
}

static const struct radix_memory memory = {take, give};

static char values_of_leaves[8][RADIX_SLOTS];

static void sparse_first(void **state)
{
    (void)state;
    static const uint32_t indices[] = {0, 15, 16, 0x8000, 0xfffff, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
        struct radix r;
        uint32_t at = 0;
        radix_init(&r, &memory);
        assert_true(radix_set(&r, indices[i], &r));
        assert_ptr_equal(radix_next(&r, &at), &r);
        assert_int_equal(at, indices[i]);
        assert_null(radix_remove(&r, indices[i] ^ 1));
        assert_ptr_equal(radix_remove(&r, indices[i]), &r);
        assert_int_equal(live, 0);
        assert_null(radix_get(&r, indices[i]));
    }
}

static void as_a_table(void **state)
{
    (void)state;
    enum {
        N = 5000
    };
    static char marks[N];
    void *table[N] = {0};
    struct radix r;
    radix_init(&r, &memory);
    srand(1);
    for (int step = 0; step < 200000; step++) {
        uint32_t i = (uint32_t)rand() % N;
        if (step > 150000 || rand() % 2) {
            assert_ptr_equal(radix_remove(&r, i), table[i]);
            table[i] = NULL;
        } else {
            fail_in = rand() % 4;
            if (radix_set(&r, i, &marks[i]))
                table[i] = &marks[i];
            fail_in = 0;
        }
        assert_ptr_equal(radix_get(&r, i), table[i]);
        uint32_t next = i, expected = i;
        while (expected < N && table[expected] == NULL)
            expected++;
        void *found = radix_next(&r, &next);
        assert_ptr_equal(found, expected < N ? table[expected] : NULL);
        assert_true(found == NULL || next == expected);
    }
    for (uint32_t i = 0; i < N; i++)
        radix_remove(&r, i);
    assert_int_equal(live, 0);
}

static void leaf_by_leaf(void **state)
{
    (void)state;
    static const uint32_t bases[] = {0, 48, 0x4000, 0x12340, UINT32_MAX & ~15u};
    struct radix from, to;
    radix_init(&from, &memory);
    radix_init(&to, &memory);
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++)
        for (uint32_t i = b; i < RADIX_SLOTS; i += 3)
            assert_true(radix_set(&from, bases[b] + i, &values_of_leaves[b][i]));
    uint32_t at = 0;
    size_t seen = 0;
    for (void *const *leaf; (leaf = radix_leaf(&from, &at)) != NULL; at += RADIX_SLOTS) {
        assert_int_equal(at, bases[seen]);
        assert_true(radix_put_leaf(&to, at, leaf, (unsigned)(RADIX_SLOTS + 2 - seen) / 3));
        seen++;
        if (at > UINT32_MAX - RADIX_SLOTS)
            break;
    }
    assert_int_equal(seen, ARRAY_SIZE(bases));
    void *value, *values[RADIX_SLOTS];
    radix_for_each (&from, at, value) {
        assert_ptr_equal(radix_get(&to, at), value);
        if (at == UINT32_MAX)
            break;
    }
    for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
        assert_true(radix_take_leaf(&to, &at, values));
        assert_int_equal(at, bases[b]);
        assert_ptr_equal(values[b], &values_of_leaves[b][b]);
        assert_true(radix_take_leaf(&from, &at, values));
    }
    assert_false(radix_take_leaf(&from, &at, values));
    assert_null(from.root);
    assert_int_equal(live, 0);
}

static void a_leaf_without_memory(void **state)
{
    (void)state;
    void *values[RADIX_SLOTS] = {[3] = &live};
    struct radix r;
    radix_init(&r, &memory);
    for (int n = 1; n <= 6; n++) {
        fail_in = n;
        if (radix_put_leaf(&r, 0x12340, values, 1))
            break;
        assert_int_equal(live, 0);
        assert_int_not_equal(n, 6);
    }
    fail_in = 0;
    assert_ptr_equal(radix_remove(&r, 0x12343), &live);
    assert_int_equal(live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sparse_first), cmocka_unit_test(as_a_table),
                                       cmocka_unit_test(leaf_by_leaf),
                                       cmocka_unit_test(a_leaf_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
