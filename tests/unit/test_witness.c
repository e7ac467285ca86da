// SPDX-License-Identifier: MIT
// links: ssi/cluster/witness.c ssi/cluster/seal.c
// libs: -lbearssl
#include "tests/unit/unit.h"
#include <string.h>
#include "ssi/cluster/witness.h"

static struct witness w;

static struct witness_message ask(uint16_t id, uint32_t incarnation, uint32_t epoch)
{
    struct witness_message m = {
        .magic = WITNESS_MAGIC,
        .version = WITNESS_VERSION,
        .kind = WITNESS_ASK,
        .id = id,
        .session = 1,
        .cluster = 2,
        .nonce = 77,
        .incarnation = incarnation,
        .epoch = epoch,
    };
    return m;
}

static unsigned answer(struct witness_message m)
{
    struct witness_message out;
    size_t n = witness_answer(&w, &m, sizeof(m), &out, sizeof(out));
    if (n == 0)
        return 0;
    assert_int_equal(n, sizeof(out));
    assert_int_equal(out.epoch, m.epoch);
    assert_int_equal(out.id, m.id);
    return out.kind;
}

static int setup(void **state)
{
    (void)state;
    witness_init(&w);
    return 0;
}

static void grants_each_epoch_once(void **state)
{
    (void)state;
    assert_int_equal(answer(ask(0, 1, 5)), WITNESS_GRANTED);
    assert_int_equal(answer(ask(1, 1, 5)), WITNESS_REFUSED);
    assert_int_equal(answer(ask(0, 2, 5)), WITNESS_REFUSED);
    assert_int_equal(answer(ask(0, 1, 5)), WITNESS_GRANTED); // asked again: the same answer
    assert_int_equal(answer(ask(1, 1, 4)), WITNESS_REFUSED); // older than what was granted
    assert_int_equal(answer(ask(1, 1, 6)), WITNESS_GRANTED);
    assert_int_equal(answer(ask(0, 1, 6)), WITNESS_REFUSED);
    assert_int_equal(answer(ask(0, 1, 5)), WITNESS_REFUSED);
    struct witness_message other_boot = ask(1, 1, 6);
    other_boot.nonce++;
    assert_int_equal(answer(other_boot), WITNESS_REFUSED);
}

static void clusters_do_not_meet(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WITNESS_CLUSTERS_MAX; i++) {
        struct witness_message m = ask((uint16_t)i, 1, 3);
        m.cluster = 100 + i;
        assert_int_equal(answer(m), WITNESS_GRANTED);
    }
    for (unsigned i = 0; i < WITNESS_CLUSTERS_MAX; i++) {
        struct witness_message m = ask(200, 1, 3);
        m.cluster = 100 + i;
        assert_int_equal(answer(m), WITNESS_REFUSED);
    }
    struct witness_message session = ask(200, 1, 3);
    session.cluster = 163;
    session.session = 9;
    assert_int_equal(answer(session), WITNESS_GRANTED); // cluster 100 was used longest ago
    struct witness_message kept = ask(200, 1, 3);
    kept.cluster = 101;
    assert_int_equal(answer(kept), WITNESS_REFUSED);
}

static void malformed_is_silence(void **state)
{
    (void)state;
    uint8_t bytes[80] = {0}, out[80];
    struct witness_message m = ask(0, 1, 5);
    memcpy(bytes, &m, sizeof(m));
    for (size_t n = 0; n < sizeof(bytes); n++)
        if (n != sizeof(m))
            assert_int_equal(witness_answer(&w, bytes, n, out, sizeof(out)), 0);
    assert_int_equal(witness_answer(&w, bytes, sizeof(m), out, sizeof(m) - 1), 0);
    struct witness_message bad = m;
    bad.magic ^= 1;
    assert_int_equal(answer(bad), 0);
    bad = m, bad.version++;
    assert_int_equal(answer(bad), 0);
    bad = m, bad.kind = WITNESS_GRANTED;
    assert_int_equal(answer(bad), 0);
    bad = m, bad.epoch = 0;
    assert_int_equal(answer(bad), 0);
    bad = m, bad.id = NODE_NONE;
    assert_int_equal(answer(bad), 0);
    assert_int_equal(w.granted, 0);
    assert_int_equal(answer(m), WITNESS_GRANTED);
}

static size_t ask_sealed(const uint8_t *cluster_key, struct witness_sealed *out)
{
    struct seal_keys k;
    struct witness_sealed s = {.message = ask(0, 1, 5)};
    seal_keys_derive(&k, cluster_key);
    seal_mac(k.witness, &s.message, sizeof(s.message), s.mac);
    return witness_answer(&w, &s, sizeof(s), out, sizeof(*out));
}

static void with_a_key_it_answers_those_who_have_it(void **state)
{
    (void)state;
    static const uint8_t ours[32] = "ours", other[32] = "other";
    struct witness_sealed out;
    struct seal_keys k;
    assert_int_equal(ask_sealed(ours, &out), 0); // no key yet: not a question it knows
    witness_seal(&w, ours);
    assert_int_equal(answer(ask(0, 1, 5)), 0);
    assert_int_equal(ask_sealed(other, &out), 0);
    assert_int_equal(w.granted, 0);
    assert_int_equal(ask_sealed(ours, &out), sizeof(out));
    assert_int_equal(out.message.kind, WITNESS_GRANTED);
    seal_keys_derive(&k, ours);
    assert_true(seal_mac_fits(k.witness, &out.message, sizeof(out.message), out.mac));
    out.message.kind = WITNESS_REFUSED; // an answer cannot be turned into another
    assert_false(seal_mac_fits(k.witness, &out.message, sizeof(out.message), out.mac));
    assert_int_equal(w.malformed, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(grants_each_epoch_once, setup),
        cmocka_unit_test_setup(with_a_key_it_answers_those_who_have_it, setup),
        cmocka_unit_test_setup(clusters_do_not_meet, setup),
        cmocka_unit_test_setup(malformed_is_silence, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
