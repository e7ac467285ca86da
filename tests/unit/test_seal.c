// SPDX-License-Identifier: MIT
// links: ssi/cluster/seal.c
// libs: -lbearssl

// The seal: the RFCs' vectors, a handshake between those who have the key and those who have not,
// records that were changed, taken from elsewhere, sent twice or back.
#include "tests/unit/unit.h"

#include <string.h>
#include "ssi/cluster/seal.h"

static size_t hex(const char *text, uint8_t *out)
{
    size_t n = strlen(text) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned v;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return n;
}

static void expect_hex(const uint8_t *bytes, const char *text)
{
    uint8_t want[512];
    size_t n = hex(text, want);
    assert_memory_equal(bytes, want, n);
}

// RFC 7748, 5.2
static void x25519_vectors(void **state)
{
    (void)state;
    uint8_t scalar[32], point[32], out[32];
    hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4", scalar);
    hex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c", point);
    assert_true(seal_x25519(out, scalar, point));
    expect_hex(out, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    hex("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d", scalar);
    hex("e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493", point);
    assert_true(seal_x25519(out, scalar, point));
    expect_hex(out, "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
    memset(scalar, 0, 32);
    memset(point, 0, 32);
    scalar[0] = point[0] = 9;
    for (unsigned i = 1; i <= 1000; i++) {
        assert_true(seal_x25519(out, scalar, point));
        memcpy(point, scalar, 32);
        memcpy(scalar, out, 32);
        if (i == 1)
            expect_hex(out, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
    expect_hex(out, "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
    memset(point, 0, 32); // of small order: no secret comes of it
    assert_false(seal_x25519(out, scalar, point));
    point[0] = 1;
    assert_false(seal_x25519(out, scalar, point));
}

// RFC 8439, 2.8.2 and appendix A.5
static void aead_vectors(void **state)
{
    (void)state;
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you "
                                "only one tip for the future, sunscreen would be it.";
    uint8_t key[32], nonce[12], aad[12], bytes[512], tag[16];
    hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key);
    hex("070000004041424344454647", nonce);
    hex("50515253c0c1c2c3c4c5c6c7", aad);
    memcpy(bytes, plain, sizeof(plain) - 1);
    seal_aead(key, nonce, aad, 12, bytes, sizeof(plain) - 1, tag, true);
    expect_hex(bytes, "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                      "3ff4def08e4b7a9de576d26586cec64b6116");
    expect_hex(tag, "1ae10b594f09e26a7e902ecbd0600691");
    seal_aead(key, nonce, aad, 12, bytes, sizeof(plain) - 1, tag, false);
    expect_hex(tag, "1ae10b594f09e26a7e902ecbd0600691");
    assert_memory_equal(bytes, plain, sizeof(plain) - 1);

    hex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", key);
    hex("000000000102030405060708", nonce);
    hex("f33388860000000000004e91", aad);
    size_t n = hex("64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2"
                   "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf"
                   "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855"
                   "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4"
                   "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e"
                   "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a"
                   "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10"
                   "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29"
                   "a6ad5cb4022b02709b",
                   bytes);
    seal_aead(key, nonce, aad, 12, bytes, n, tag, false);
    expect_hex(tag, "eead9d67890cbb22392336fea1851f38");
    assert_memory_equal(bytes, "Internet-Drafts are draft documents valid for a maximum of six",
                        62);
}

// ---- the handshake ----
static const uint8_t our_key[32] = "the key of our cluster, 32 bytes";
static const uint8_t wrong_key[32] = "the key of our cluster, 32 bytez";

struct both {
    struct seal caller, called;
    struct seal_call call;
    struct seal_answer answer;
};

static void random_of(uint8_t out[32], unsigned seed)
{
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(seed * 151 + i * 29 + seed * i);
}

static const char *shake(struct both *b, const uint8_t *caller_key, const uint8_t *called_key,
                         unsigned seed)
{
    struct seal_keys at_caller, at_called;
    uint8_t random[32];
    seal_keys_derive(&at_caller, caller_key);
    seal_keys_derive(&at_called, called_key);
    random_of(random, seed);
    seal_begin(&b->caller, &at_caller, 77, 10, 20, random, &b->call);
    random_of(random, seed + 1);
    const char *why = seal_accept(&b->called, &at_called, 77, 20, random, &b->call, &b->answer);
    return why != NULL ? why : seal_finish(&b->caller, &at_caller, &b->answer);
}

static void with_the_key_both_agree(void **state)
{
    (void)state;
    struct both a, b;
    assert_null(shake(&a, our_key, our_key, 1));
    assert_true(a.caller.ready && a.called.ready);
    assert_memory_equal(a.caller.out.key, a.called.in.key, 32);
    assert_memory_equal(a.caller.in.key, a.called.out.key, 32);
    assert_memory_not_equal(a.caller.in.key, a.caller.out.key, 32);
    assert_null(shake(&b, our_key, our_key, 3)); // fresh keys each time
    assert_memory_not_equal(a.caller.out.key, b.caller.out.key, 32);
    static const uint8_t zeros[32];
    assert_memory_equal(a.caller.secret, zeros, 32); // gone
}

static void without_the_key_nobody_gets_in(void **state)
{
    (void)state;
    struct both b;
    struct seal_keys ours, theirs;
    uint8_t random[32];
    assert_string_equal(shake(&b, wrong_key, our_key, 1), "seal: call without our key");
    assert_false(b.called.ready);
    // A stranger that answers a call of ours with what it can make.
    assert_null(shake(&b, our_key, our_key, 1));
    seal_keys_derive(&ours, our_key);
    seal_keys_derive(&theirs, wrong_key);
    random_of(random, 9);
    seal_begin(&b.caller, &ours, 77, 10, 20, random, &b.call);
    struct seal_call forged = b.call;
    seal_mac(theirs.hello, &forged, offsetof(struct seal_call, mac), forged.mac);
    assert_null(seal_accept(&b.called, &theirs, 77, 20, random, &forged, &b.answer));
    assert_string_equal(seal_finish(&b.caller, &ours, &b.answer), "seal: answer without our key");
    assert_false(b.caller.ready);
}

// Each bit of both messages counts.
static void no_bit_may_differ(void **state)
{
    (void)state;
    struct both b;
    struct seal_keys k;
    uint8_t random[32];
    seal_keys_derive(&k, our_key);
    random_of(random, 1);
    seal_begin(&b.caller, &k, 77, 10, 20, random, &b.call);
    for (unsigned bit = 0; bit < 8 * sizeof(b.call); bit++) {
        struct seal_call bad = b.call;
        ((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(seal_accept(&b.called, &k, 77, 20, random, &bad, &b.answer));
        assert_false(b.called.ready);
    }
    random_of(random, 2);
    assert_null(seal_accept(&b.called, &k, 77, 20, random, &b.call, &b.answer));
    for (unsigned bit = 0; bit < 8 * sizeof(b.answer); bit++) {
        struct seal s = b.caller;
        struct seal_answer bad = b.answer;
        ((uint8_t *)&bad)[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(seal_finish(&s, &k, &bad));
        assert_false(s.ready);
    }
}

static void a_call_is_for_one_node_of_one_session(void **state)
{
    (void)state;
    struct both b;
    struct seal_keys k;
    uint8_t random[32];
    static const char other[] = "seal: call for another";
    seal_keys_derive(&k, our_key);
    random_of(random, 1);
    seal_begin(&b.caller, &k, 77, 10, 20, random, &b.call);
    assert_string_equal(seal_accept(&b.called, &k, 78, 20, random, &b.call, &b.answer), other);
    assert_string_equal(seal_accept(&b.called, &k, 77, 21, random, &b.call, &b.answer), other);
    // Thrown back at its sender; and from one that should not call.
    assert_string_equal(seal_accept(&b.called, &k, 77, 10, random, &b.call, &b.answer), other);
    seal_begin(&b.caller, &k, 77, 30, 20, random, &b.call);
    assert_string_equal(seal_accept(&b.called, &k, 77, 20, random, &b.call, &b.answer), other);
}

// Recorded and sent again: the answer differs, and nothing recorded opens under it.
static void an_old_call_leads_nowhere(void **state)
{
    (void)state;
    struct both b;
    struct seal_keys k;
    uint8_t random[32], record[4 + 5 + 16] = "....hello";
    assert_null(shake(&b, our_key, our_key, 1));
    size_t n = seal_close(&b.caller, record, 5);
    assert_int_equal(n, 25);
    seal_keys_derive(&k, our_key);
    random_of(random, 50);
    struct seal again;
    assert_null(seal_accept(&again, &k, 77, 20, random, &b.call, &b.answer));
    assert_false(seal_open(&again, record, 5));
}

// ---- records ----
static void records_in_their_order_only(void **state)
{
    (void)state;
    struct both b;
    uint8_t record[3][64], copy[64];
    assert_null(shake(&b, our_key, our_key, 5));
    for (unsigned i = 0; i < 3; i++) {
        memset(record[i], 'a' + (int)i, sizeof(record[i]));
        assert_int_equal(seal_close(&b.caller, record[i], 30 + i), 50 + i);
        assert_int_equal(seal_record_bytes(record[i]), 30 + i);
    }
    memcpy(copy, record[1], 64);
    assert_false(seal_open(&b.called, copy, 31)); // the second before the first
    memcpy(copy, record[0], 64);
    assert_true(seal_open(&b.called, copy, 30));
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(copy[4 + i], 'a');
    memcpy(copy, record[0], 64);
    assert_false(seal_open(&b.called, copy, 30)); // again
    memcpy(copy, record[1], 64);
    assert_true(seal_open(&b.called, copy, 31));
    memcpy(copy, record[2], 64);
    assert_false(seal_open(&b.caller, copy, 32)); // back to its sender
    memcpy(copy, record[2], 64);
    assert_true(seal_open(&b.called, copy, 32));
}

static void a_changed_record_is_refused(void **state)
{
    (void)state;
    struct both b;
    uint8_t record[60], copy[60];
    assert_null(shake(&b, our_key, our_key, 6));
    memset(record, 'x', sizeof(record));
    size_t n = seal_close(&b.called, record, 40);
    assert_int_equal(n, sizeof(record));
    for (unsigned bit = 0; bit < 8 * n; bit++) {
        memcpy(copy, record, n);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct seal s = b.caller;
        assert_false(seal_open(&s, copy, 40)); // the length is bound, too
    }
    assert_false(seal_open(&b.caller, record, 39));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(x25519_vectors),
        cmocka_unit_test(aead_vectors),
        cmocka_unit_test(with_the_key_both_agree),
        cmocka_unit_test(without_the_key_nobody_gets_in),
        cmocka_unit_test(no_bit_may_differ),
        cmocka_unit_test(a_call_is_for_one_node_of_one_session),
        cmocka_unit_test(an_old_call_leads_nowhere),
        cmocka_unit_test(records_in_their_order_only),
        cmocka_unit_test(a_changed_record_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
