// SPDX-License-Identifier: MIT
// links: sched/policy/blob.c lib/crc32c.c lib/fmt.c lib/string.c
// The policy blob: a good one opens; each flipped bit, each cut and each lie is refused in words.
#include "tests/unit/unit.h"
#include <string.h>
#include "sched/policy/blob.h"

struct image {
    struct policy_header header;
    struct policy_probe probes[2];
    struct policy_analyzer analyzers[2];
    struct policy_manager managers[2];
    struct policy_probe_link probe_links[3];
    struct policy_analyzer_link analyzer_links[3];
    struct policy_range ranges[2];
} PACKED;

static const struct image good = {
    .header = {"WEFTPOL1", 1, sizeof(struct image), 0, 2, 2, 2, 3, 3, 2, 0},
    .probes = {{STAGE_ACTIVE_PROBE, 5000, {1, 0, 0}, {"probe1"}},
               {STAGE_ACTIVE_PROBE, 1, {1, 0, 0}, {"probe-2.x_y"}}},
    .analyzers = {{{2, 0, 0}, 0, 1, {"a1"}}, {{2, 0, 0}, 1, 2, {"a2"}}},
    .managers = {{{3, 0, 0}, 0, 1, 0, 0, {"m1"}}, {{3, 0, 0}, 1, 2, 0, 2, {"m2"}}},
    .probe_links = {{0}, {1}, {0}},
    .analyzer_links = {{0, {"t"}}, {0, {"t"}}, {1, {"u"}}},
    .ranges = {{0, 0}, {2, 5}},
};

static void test_good(void **state)
{
    struct image i = good;
    struct policy p;
    char why[POLICY_WHY_BYTES];
    (void)state;
    policy_blob_seal(&i, sizeof(i));
    assert_true(policy_blob_open(&i, sizeof(i), &p, why));
    assert_string_equal(p.probes[1].name.text, "probe-2.x_y");
    assert_int_equal(p.probe_links[p.analyzers[1].first_link + 1].probe, 0);
    assert_string_equal(p.analyzer_links[2].global_infos.text, "u");
    assert_true(policy_manager_on_node(&p, &p.managers[0], 255));
    assert_true(policy_manager_on_node(&p, &p.managers[1], 0));
    assert_false(policy_manager_on_node(&p, &p.managers[1], 1));
    assert_true(policy_manager_on_node(&p, &p.managers[1], 5));
    assert_false(policy_manager_on_node(&p, &p.managers[1], 6));
}

static void test_every_bit(void **state)
{
    struct image i = good;
    struct policy p;
    char why[POLICY_WHY_BYTES];
    (void)state;
    policy_blob_seal(&i, sizeof(i));
    for (size_t bit = 0; bit < 8 * sizeof(i); bit++) {
        ((uint8_t *)&i)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(policy_blob_open(&i, sizeof(i), &p, why));
        assert_true(why[0] != '\0');
        ((uint8_t *)&i)[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

// The same with a checksum that fits: nothing may be read outside, whatever the fields say.
static void test_every_bit_sealed(void **state)
{
    struct policy p;
    char why[POLICY_WHY_BYTES];
    struct image *copy = malloc(sizeof(*copy));
    size_t accepted = 0;
    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(*copy); bit++) {
        *copy = good;
        ((uint8_t *)copy)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        policy_blob_seal(copy, sizeof(*copy));
        if (policy_blob_open(copy, sizeof(*copy), &p, why))
            accepted++; // another name or period is as good
        else
            assert_true(why[0] != '\0');
    }
    free(copy);
    assert_true(accepted > 0);
}

static void test_every_cut(void **state)
{
    struct image i = good;
    struct policy p;
    char why[POLICY_WHY_BYTES];
    (void)state;
    policy_blob_seal(&i, sizeof(i));
    for (size_t size = 0; size < sizeof(i); size++) {
        uint8_t *copy = malloc(size ? size : 1); // its end is watched by the sanitizer
        memcpy(copy, &i, size);
        assert_false(policy_blob_open(copy, size, &p, why));
        free(copy);
    }
}

static void assert_lie(const struct image *lie, const char *words)
{
    struct image i = *lie;
    struct policy p;
    char why[POLICY_WHY_BYTES];
    policy_blob_seal(&i, sizeof(i));
    assert_false(policy_blob_open(&i, sizeof(i), &p, why));
    if (strstr(why, words) == NULL)
        fail_msg("refused with \"%s\", not with \"%s\"", why, words);
}

#define LIE(field, value, words)                                                                   \
    do {                                                                                           \
        struct image lie = good;                                                                   \
        lie.field = value;                                                                         \
        assert_lie(&lie, words);                                                                   \
    } while (0)

static void test_lies(void **state)
{
    (void)state;
    LIE(header.version, 2, "version 2");
    LIE(header.bytes, 4000, "4000 bytes");
    LIE(header.code_bytes, 1, "carries programs");
    LIE(header.probes, 65, "too many");
    LIE(header.probes, 1, "not as long");
    LIE(header.node_ranges, 256, "not as long");
    LIE(probes[0].period_ms, 0, "\"probe1\" has a bad period of 0");
    LIE(probes[0].period_ms, 86400001, "bad period");
    LIE(probes[0].kind, 9, "unknown kind 9");
    LIE(probes[0].kind, STAGE_PASSIVE_PROBE, "names cpu_probe, the name of");
    LIE(probes[0].entry.stage, 77, "\"probe1\" names stage 77");
    LIE(probes[0].entry.stage, 2, "names cpu_local_analyzer");
    LIE(probes[0].entry.stage, 0, "is a program");
    LIE(probes[0].name.text[0], '\n', "bad name");
    LIE(probes[0].name.text[31], 'x', "bad name");
    LIE(probes[0].name.text[0], '\0', "bad name");
    LIE(probes[1].name, good.probes[0].name, "two probes \"probe1\"");
    LIE(analyzers[0].links, 0, "\"a1\" has a bad list");
    LIE(analyzers[0].first_link, 3, "bad list");
    LIE(analyzers[1].first_link, 65535, "bad list");
    LIE(analyzers[1].name, good.analyzers[0].name, "two local analyzers");
    LIE(probe_links[0].probe, 2, "names probe 2");
    LIE(probe_links[1].probe, 0, "twice");
    LIE(managers[0].links, 4, "\"m1\" has a bad list");
    LIE(managers[0].ranges, 3, "list of nodes");
    LIE(managers[1].name, good.managers[0].name, "two scheduling managers");
    LIE(analyzer_links[0].analyzer, 2, "names local analyzer 2");
    LIE(analyzer_links[2].analyzer, 0, "twice");
    LIE(analyzer_links[2].global_infos.text[0], 't', "twice");
    LIE(analyzer_links[0].global_infos.text[0], ' ', "global_infos");
    LIE(ranges[1].first, 6, "6-5");
    LIE(ranges[1].last, 0xffff, "bad range");
}

static void test_stages(void **state)
{
    size_t count;
    const struct stage *table = stage_table(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(stage_by_id(table[i].id), &table[i]);
        assert_ptr_equal(stage_by_name(table[i].name, table[i].kind), &table[i]);
        assert_ptr_equal(stage_by_name(table[i].name, 0), &table[i]);
    }
    assert_null(stage_by_id(0));
    assert_null(stage_by_name("cpu_probe", STAGE_ANALYZER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_every_cut), cmocka_unit_test(test_every_bit_sealed),
        cmocka_unit_test(test_lies),      cmocka_unit_test(test_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
