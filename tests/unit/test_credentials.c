// SPDX-License-Identifier: MIT
// links: ssi/process/credentials.c lib/string.c
// No sequence of changes makes capabilities that the rules forbid, nor brings one back that left
// the bounding set and every other set; and what comes in a ghost is looked at.
#include "tests/unit/unit.h"
#include "lib/errno.h"
#include "ssi/process/credentials.h"

static uint32_t seed;

static uint32_t random_below(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % n;
}

static void change_at_random(struct credentials *c)
{
    struct credentials old = *c;
    uint64_t some =
        ((uint64_t)random_below(1u << 24) << 24 | random_below(1u << 24)) & CAPABILITIES_ALL;
    switch (random_below(8)) {
    case 0:
        (void)credentials_set_capabilities(c, c->effective & some, c->permitted & some,
                                           c->inheritable ^ (some & c->permitted));
        break;
    case 1:
        c->uid = random_below(2), c->euid = c->fsuid = random_below(2), c->suid = random_below(2);
        credentials_users_changed(c, &old);
        break;
    case 2:
        c->fsuid = random_below(2);
        credentials_fs_user_changed(c, &old);
        break;
    case 3:
        (void)credentials_exec(c, random_below(3) ? c->euid : random_below(2), c->egid);
        break;
    case 4:
        (void)credentials_drop_bounding(c, random_below(42));
        break;
    case 5:
        (void)credentials_set_secure_bits(c, random_below(256));
        break;
    case 6:
        (void)credentials_keep(c, random_below(2));
        break;
    case 7:
        (void)credentials_ambient(c, 1 + random_below(3), random_below(42));
        break;
    }
}

static void rules_hold(void **state)
{
    (void)state;
    for (seed = 1; seed < 200; seed++) {
        struct credentials c;
        uint32_t begun = seed;
        credentials_root(&c);
        for (int i = 0; i < 200; i++) {
            uint64_t had = c.bounding | c.permitted | c.inheritable;
            change_at_random(&c);
            assert_true(credentials_valid(&c));
            assert_int_equal((c.bounding | c.permitted | c.inheritable) & ~had, 0);
        }
        seed = begun;
    }
}

static void nothing_is_won_without_new_privileges(void **state)
{
    (void)state;
    struct credentials c;
    credentials_root(&c);
    c.uid = c.euid = c.suid = c.fsuid = 7;
    c.permitted = c.effective = 0;
    c.no_new_privileges = 1;
    (void)credentials_exec(&c, 0, 0);
    assert_int_equal(c.euid, 7);
    assert_int_equal(c.permitted, 0);
    c.no_new_privileges = 0;
    assert_true(credentials_exec(&c, 0, 0));
    assert_true(c.permitted == CAPABILITIES_ALL && c.effective == CAPABILITIES_ALL);
}

static void forged_ones_are_seen(void **state)
{
    (void)state;
    struct credentials c, good;
    credentials_root(&good);
    c = good;
    assert_true(credentials_valid(&c));
    c.permitted = CAPABILITY_BIT(41);
    assert_false(credentials_valid(&c));
    c = good;
    c.permitted = 0;
    assert_false(credentials_valid(&c));
    c = good;
    c.ambient = 1;
    assert_false(credentials_valid(&c));
    c = good;
    c.group_count = FS_GROUPS_MAX + 1;
    assert_false(credentials_valid(&c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_hold),
        cmocka_unit_test(nothing_is_won_without_new_privileges),
        cmocka_unit_test(forged_ones_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
