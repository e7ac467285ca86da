// SPDX-License-Identifier: MIT
// links: ssi/cluster/membership.c ssi/cluster/membership_vote.c
// links: ssi/cluster/membership_change.c ssi/cluster/membership_wire.c
// links: ssi/cluster/witness.c ssi/cluster/seal.c
// libs: -lbearssl
//
// Clusters of the shipped step function on a virtual clock, with loss, cuts, crashes and freezes
// by seed. At every decision: no epoch number has two records; at the end everybody is together.
#include "tests/unit/unit.h"
#include <string.h>
#include "ssi/cluster/membership.h"
#include "ssi/cluster/witness.h"

enum {
    NODES = 8,
    FLIGHTS = 20000,
    EPOCHS = 4000
};

struct flight { // a message or heartbeat under way
    uint64_t at_ms;
    unsigned to, from;
    uint64_t from_key, to_key;
    enum mb_event_kind kind;
    uint64_t cluster, shown_ms, sent_ms;
    uint32_t epoch;
    struct mb_identity who;
    size_t n;
    uint8_t *bytes;
};

static struct mb nodes[NODES];
static bool up[NODES], frozen[NODES], cut[NODES][NODES];
static uint64_t key_of[NODES], shown[NODES][NODES]; // newest time of j that i has seen
static struct flight flights[FLIGHTS];
static unsigned flight_count, boots;
static uint64_t now, seed;
static unsigned loss_percent, late_ms;
static struct witness arbiter;
static bool witness_on;
static uint16_t founders;
static struct mb_effects effects;
static struct {
    uint64_t cluster;
    uint32_t epoch, crc;
    unsigned by;
} history[EPOCHS];
static unsigned history_count;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(seed >> 33) % below;
}

static uint32_t sum_of(const struct mb_record *r)
{
    const uint8_t *p = (const uint8_t *)r;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < MB_RECORD_HEAD + r->count * sizeof(struct mb_member); i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

// The heart of it: whoever decides (cluster, epoch) decides the same.
static void note_decided(unsigned i)
{
    const struct mb_record *r = &nodes[i].decided;
    uint32_t sum = sum_of(r);
    for (unsigned k = 0; k < history_count; k++)
        if (history[k].cluster == r->cluster && history[k].epoch == r->epoch) {
            assert_int_equal(history[k].crc, sum);
            return;
        }
    assert_true(history_count < EPOCHS);
    history[history_count].cluster = r->cluster;
    history[history_count].epoch = r->epoch;
    history[history_count].crc = sum;
    history[history_count++].by = i;
}

static void launch(const struct flight *f)
{
    if (rnd(100) < loss_percent)
        return;
    assert_true(flight_count < FLIGHTS);
    flights[flight_count] = *f;
    flights[flight_count].sent_ms = now;
    flights[flight_count++].at_ms = now + 1 +
                                    rnd(late_ms != 0        ? late_ms
                                        : loss_percent != 0 ? 40
                                                            : 4);
}

static int index_of(uint64_t key)
{
    for (unsigned i = 0; i < NODES; i++)
        if (key_of[i] == key)
            return (int)i;
    return -1;
}

static void run_effects(unsigned i);

static void step(unsigned i, struct mb_event e)
{
    e.now_ms = now;
    mb_step(&nodes[i], &e, &effects);
    unsigned broken = mb_check(&nodes[i]);
    if (broken != 0)
        fail_msg("invariant %u of node %u at %u ms", broken, i, (unsigned)now);
    run_effects(i);
}

static void ask_witness(unsigned i, uint32_t epoch)
{
    struct witness_message q = {.magic = WITNESS_MAGIC,
                                .version = WITNESS_VERSION,
                                .kind = WITNESS_ASK,
                                .id = nodes[i].id,
                                .session = 1,
                                .cluster = nodes[i].decided.cluster,
                                .nonce = nodes[i].self.key,
                                .incarnation = nodes[i].incarnation,
                                .epoch = epoch};
    struct witness_message a;
    if (rnd(100) < loss_percent ||
        witness_answer(&arbiter, &q, sizeof(q), &a, sizeof(a)) != sizeof(a))
        return;
    struct flight f = {.to = i,
                       .from = i,
                       .to_key = key_of[i],
                       .kind = MB_EVENT_GRANT,
                       .epoch = epoch,
                       .cluster = a.kind == WITNESS_GRANTED};
    launch(&f);
}

static void send_bytes(unsigned i, const struct mb_effect *e)
{
    int to = index_of(e->key);
    if (to < 0)
        return;
    static uint8_t buffer[MB_MESSAGE_BYTES_MAX];
    size_t n = mb_message_encode(&nodes[i], e, buffer);
    struct flight f = {.to = (unsigned)to,
                       .from = i,
                       .from_key = key_of[i],
                       .to_key = e->key,
                       .kind = MB_EVENT_MESSAGE,
                       .n = n};
    if (rnd(100) < loss_percent)
        return;
    f.bytes = malloc(n);
    memcpy(f.bytes, buffer, n);
    unsigned saved = loss_percent;
    loss_percent = saved != 0 ? 1 : 0;
    unsigned before = flight_count;
    launch(&f);
    if (flight_count == before)
        free(f.bytes);
    loss_percent = saved;
}

static void boot(unsigned i);

static void run_effects(unsigned i)
{
    static struct mb_effects mine;
    mine = effects;
    bool out = false;
    for (unsigned k = 0; k < mine.count; k++) {
        const struct mb_effect *e = &mine.effects[k];
        switch (e->kind) {
        case MB_EFFECT_SEND:
            send_bytes(i, e);
            break;
        case MB_EFFECT_WITNESS:
            ask_witness(i, e->head.epoch);
            break;
        case MB_EFFECT_DECIDED:
            note_decided(i);
            break;
        case MB_EFFECT_PHASE:
            out |= nodes[i].phase == MB_PHASE_OUT;
            break;
        case MB_EFFECT_REFUSED:
        case MB_EFFECT_CONDEMN:
            break;
        }
    }
    if (out)
        boot(i);
}

static void boot(unsigned i)
{
    struct mb_identity who = {.key = ((uint64_t)(i + 1) << 32) + ++boots,
                              .ip = 0x0a4d000a + i,
                              .protocol = MB_PROTOCOL,
                              .wish = (uint16_t)i,
                              .cpus = 1,
                              .nodes = founders};
    mb_init(&nodes[i], &who, false, witness_on ? 0x0a4d0002 : 0, now);
    key_of[i] = who.key;
    memset(shown[i], 0, sizeof(shown[i]));
    for (unsigned j = 0; j < NODES; j++)
        shown[j][i] = 0;
    up[i] = true;
    frozen[i] = false;
}

static void reset(uint64_t s, unsigned n, uint16_t found, bool with_witness)
{
    for (unsigned k = 0; k < flight_count; k++)
        free(flights[k].bytes);
    flight_count = history_count = boots = 0;
    seed = s * 7919 + 17;
    now = 1000;
    loss_percent = late_ms = 0;
    founders = found;
    witness_on = with_witness;
    witness_init(&arbiter);
    memset(up, 0, sizeof(up));
    memset(frozen, 0, sizeof(frozen));
    memset(cut, 0, sizeof(cut));
    memset(key_of, 0, sizeof(key_of));
    for (unsigned i = 0; i < n; i++)
        boot(i);
}

static void beat(unsigned i, bool beacon)
{
    for (unsigned j = 0; j < NODES; j++) {
        if (j == i || !up[j])
            continue;
        struct flight f = {.to = j,
                           .from = i,
                           .from_key = key_of[i],
                           .to_key = key_of[j],
                           .kind = beacon ? MB_EVENT_BEACON : MB_EVENT_HEARTBEAT,
                           .cluster = nodes[i].decided.cluster,
                           .epoch = nodes[i].decided.epoch,
                           .shown_ms = shown[i][j],
                           .who = nodes[i].self};
        f.n = 0;
        launch(&f);
    }
}

static void deliver(struct flight *f)
{
    unsigned i = f->to;
    if (!up[i] || key_of[i] != f->to_key || (f->from != i && cut[f->from][i]))
        return;
    struct mb_event e = {.kind = f->kind,
                         .key = f->from_key,
                         .cluster = f->cluster,
                         .epoch = f->epoch,
                         .who = &f->who};
    static struct mb_message in;
    if (f->kind == MB_EVENT_MESSAGE) {
        assert_true(mb_message_decode(f->bytes, f->n, &in));
        e.message = &in;
    } else if (f->kind == MB_EVENT_HEARTBEAT) {
        e.contact_ms = f->shown_ms;
        if (key_of[f->from] == f->from_key)
            shown[i][f->from] = f->sent_ms; // the stamp inside the heartbeat
    } else if (f->kind == MB_EVENT_GRANT) {
        e.yes = f->cluster != 0;
    }
    step(i, e);
}

static void run_ms(unsigned ms)
{
    for (uint64_t end = now + ms; now < end; now += 10) {
        for (unsigned k = 0; k < flight_count; k++) {
            if (flights[k].at_ms > now || frozen[flights[k].to])
                continue;
            struct flight f = flights[k];
            flights[k] = flights[--flight_count];
            k--;
            deliver(&f);
            free(f.bytes);
        }
        for (unsigned i = 0; i < NODES; i++) {
            if (!up[i] || frozen[i])
                continue;
            if ((now + i * 10) % MB_TICK_MS == 0)
                step(i, (struct mb_event){.kind = MB_EVENT_TICK});
            if ((now + i * 20) % MB_HEARTBEAT_MS == 0)
                beat(i, false);
            if ((now + i * 30) % 500 == 0)
                beat(i, true);
        }
    }
}

static bool user_runs(unsigned i)
{
    return up[i] && nodes[i].phase == MB_PHASE_MEMBER;
}

// Every node that is up is in one and the same epoch of `members` members.
static void assert_all_in(unsigned members)
{
    int first = -1;
    for (unsigned i = 0; i < NODES; i++) {
        if (!up[i])
            continue;
        if (first < 0)
            first = (int)i;
        if (nodes[i].phase != MB_PHASE_MEMBER || nodes[i].decided.count != members ||
            nodes[i].decided.epoch != nodes[first].decided.epoch)
            fail_msg("node %u: phase %d, %u members, epoch %u", i, (int)nodes[i].phase,
                     nodes[i].decided.count, nodes[i].decided.epoch);
    }
    assert_true(first >= 0);
}

static void founds_together(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= NODES; n++) {
        reset(n, n, (uint16_t)n, false);
        run_ms(8000);
        assert_all_in(n);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(nodes[i].id, i); // its wish
            assert_int_equal(nodes[i].decided.epoch, 1);
            assert_int_equal(nodes[i].decided.fs_home, 0);
        }
    }
}

static void a_minority_does_not_found(void **state)
{
    (void)state;
    reset(1, 2, 4, false);
    run_ms(20000);
    assert_int_equal(nodes[0].phase, MB_PHASE_SEEKING);
    boot(3);
    run_ms(8000);
    assert_all_in(3);
    boot(2);
    run_ms(4000);
    assert_all_in(4);
    assert_int_equal(nodes[2].id, 2);
    assert_int_equal(nodes[2].incarnation, nodes[2].decided.epoch);
}

static void a_dead_node_is_dropped_and_comes_back(void **state)
{
    (void)state;
    reset(2, 3, 3, false);
    run_ms(8000);
    assert_all_in(3);
    up[0] = false;
    run_ms(MB_DEATH_MS - 500);
    assert_int_equal(nodes[1].decided.count, 3); // two leases first
    run_ms(2500);
    assert_all_in(2);
    assert_int_equal(nodes[1].decided.fs_home, 1); // successor of the founder
    boot(0);
    run_ms(4000);
    assert_all_in(3);
    assert_int_equal(nodes[0].id, 0);
    assert_true(nodes[0].incarnation > 1);
}

static void a_restart_keeps_its_id(void **state)
{
    (void)state;
    reset(3, 3, 3, false);
    run_ms(8000);
    boot(1); // at once: the old self is not yet dead to the others
    run_ms(12000);
    assert_all_in(3);
    assert_int_equal(nodes[1].id, 1);
}

static void a_frozen_node_is_fenced_and_goes(void **state)
{
    (void)state;
    reset(4, 3, 3, false);
    run_ms(8000);
    uint64_t old_key = key_of[2];
    frozen[2] = true;
    run_ms(8000);
    assert_int_equal(nodes[0].decided.count, 2);
    frozen[2] = false;
    step(2, (struct mb_event){.kind = MB_EVENT_TICK});
    assert_false(user_runs(2)); // before it heard anything
    run_ms(10000);
    assert_all_in(3);
    assert_true(key_of[2] != old_key); // came back as another boot
    assert_true(nodes[2].incarnation > 1);
}

static void cut_off(unsigned mask)
{
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned j = 0; j < NODES; j++)
            cut[i][j] = ((mask >> i) & 1) != ((mask >> j) & 1);
}

static void the_majority_goes_on(void **state)
{
    (void)state;
    reset(5, 5, 5, false);
    run_ms(8000);
    cut_off(0x03); // 0 and 1 | 2, 3, 4
    run_ms(MB_LEASE_MS + 500);
    assert_false(user_runs(0) || user_runs(1)); // stopped before the others act
    assert_int_equal(nodes[2].decided.epoch, 1);
    run_ms(6000);
    assert_int_equal(nodes[2].decided.count, 3);
    assert_int_equal(nodes[3].decided.epoch, nodes[4].decided.epoch);
    assert_int_equal(nodes[0].decided.epoch, 1);
    cut_off(0);
    run_ms(12000);
    assert_all_in(5);
}

static void even_split(bool with_witness)
{
    for (unsigned s = 0; s < 8; s++) {
        reset(60 + s, 4, 4, with_witness);
        run_ms(8000);
        assert_all_in(4);
        unsigned mask = s % 2 ? 0x3 : 0x9; // 0 is on one side
        cut_off(mask);
        for (unsigned t = 0; t < 150; t++) {
            run_ms(100);
            bool low = false, high = false;
            for (unsigned i = 0; i < 4; i++)
                if ((mask >> i) & 1)
                    low |= user_runs(i);
                else
                    high |= user_runs(i);
            if (t > (MB_LEASE_MS + 500) / 100)
                assert_false(low && high); // never both
        }
        unsigned winners = 0;
        for (unsigned i = 0; i < 4; i++)
            winners += user_runs(i);
        assert_int_equal(winners, 2);
        if (!with_witness)
            assert_true(user_runs(0)); // the lowest id's half
        cut_off(0);
        run_ms(12000);
        assert_all_in(4);
    }
}

static void even_split_by_the_lowest_id(void **state)
{
    (void)state;
    even_split(false);
}

static void even_split_by_the_witness(void **state)
{
    (void)state;
    even_split(true);
}

static void two_nodes_one_dies(void **state)
{
    (void)state;
    for (unsigned dead = 0; dead < 2; dead++) {
        reset(70 + dead, 2, 2, true);
        run_ms(8000);
        assert_all_in(2);
        up[dead] = false;
        run_ms(8000);
        assert_all_in(1);
    }
    reset(72, 2, 2, false); // no witness: only the lower id goes on
    run_ms(8000);
    up[0] = false;
    run_ms(20000);
    assert_false(user_runs(1));
    reset(73, 2, 2, false);
    run_ms(8000);
    up[1] = false;
    run_ms(8000);
    assert_all_in(1);
}

static void one_way_and_pair_cuts_end(void **state)
{
    (void)state;
    for (unsigned a = 0; a < 3; a++)
        for (unsigned b = 0; b < 3; b++) {
            if (a == b)
                continue;
            for (unsigned both = 0; both < 2; both++) {
                reset(80 + a * 8 + b, 3, 3, false);
                run_ms(8000);
                cut[a][b] = true;
                cut[b][a] = both != 0;
                bool parted = false;
                for (unsigned t = 0; t < 100; t++) {
                    run_ms(100);
                    parted |= nodes[3 - a - b].decided.count == 2;
                    assert_true(user_runs(3 - a - b));
                }
                assert_true(parted);  // an epoch without one of the two
                if (a == 0 || b == 0) // and the coordinator does not let it in again
                    assert_false(user_runs(a) && user_runs(b));
            }
        }
}

static void refuses_by_name(void **state)
{
    (void)state;
    reset(90, 2, 2, false);
    run_ms(8000);
    boot(2);
    nodes[2].self.root[5] = 1;
    run_ms(8000);
    up[2] = false;
    assert_all_in(2);
    boot(3);
    nodes[3].self.protocol++;
    run_ms(8000);
    assert_int_equal(nodes[3].phase, MB_PHASE_SEEKING);
}

static void a_leaver_is_counted_out_first(void **state)
{
    (void)state;
    reset(95, 3, 3, false);
    run_ms(8000);
    step(0, (struct mb_event){.kind = MB_EVENT_LEAVE, .id = 2});
    run_ms(2000);
    assert_int_equal(nodes[1].decided.count, 3);
    assert_int_equal(mb_record_member(&nodes[1].decided, 2)->leaving, 1);
    for (unsigned i = 0; i < 3; i++)
        cut[i][2] = cut[2][i] = true; // the leaver dies: electors are 0 and 1
    up[2] = false;
    run_ms(8000);
    assert_all_in(2);
    boot(2);
    memset(cut, 0, sizeof(cut));
    run_ms(6000);
    step(0, (struct mb_event){.kind = MB_EVENT_LEAVE, .id = 2});
    run_ms(2000);
    uint64_t key = key_of[2];
    step(0, (struct mb_event){.kind = MB_EVENT_LEFT, .id = 2});
    run_ms(1000);
    assert_int_equal(nodes[0].decided.count, 2);
    assert_true(key_of[2] != key); // it was OUT
}

// Anything may happen for a while; then the weather clears and everybody must be together again.
static void storm(uint64_t s, unsigned n, bool with_witness)
{
    reset(s, n, (uint16_t)n, with_witness);
    loss_percent = rnd(30);
    for (unsigned t = 0; t < 40; t++) {
        run_ms(200 + rnd(3000));
        unsigned a = rnd(n), b = rnd(n);
        switch (rnd(8)) {
        case 0:
            up[a] = false;
            break;
        case 1:
            boot(a);
            break;
        case 2:
            cut[a][b] = a != b;
            break;
        case 3:
            cut_off(rnd(1u << n));
            break;
        case 4:
            cut_off(0);
            break;
        case 5:
            frozen[a] = true;
            break;
        case 6:
            frozen[a] = false;
            break;
        case 7:
            loss_percent = rnd(30);
            break;
        }
    }
}

// Messages that come seconds late meet other proposers: what one of them had decided, the next
// ones must find out and keep.
static void late_messages(void **state)
{
    (void)state;
    for (unsigned s = 0; s < 150; s++) {
        unsigned n = 3 + s % 3;
        reset(9000 + s, n, (uint16_t)n, s % 2);
        run_ms(8000);
        for (unsigned t = 0; t < 25; t++) {
            late_ms = rnd(2) ? 300 + rnd(2500) : 0;
            loss_percent = rnd(40);
            if (rnd(2))
                cut[rnd(n)][rnd(n)] = true;
            else if (rnd(2))
                cut_off(rnd(1u << n));
            else
                cut_off(0);
            run_ms(500 + rnd(2500));
        }
    }
}

static void storms(void **state)
{
    (void)state;
    for (unsigned s = 0; s < 60; s++)
        storm(1000 + s, 2 + s % 4, s % 2);
}

// With a quorum of the newest epoch alive and the network whole, the cluster becomes complete.
static void storms_pass(void **state)
{
    (void)state;
    for (unsigned s = 0; s < 40; s++) {
        unsigned n = 3 + s % 3;
        reset(5000 + s, n, (uint16_t)n, s % 2);
        run_ms(8000);
        for (unsigned t = 0; t < 12; t++) {
            loss_percent = rnd(20);
            unsigned a = rnd(n);
            if (rnd(2))
                cut_off(1u << a);
            else
                frozen[a] = true;
            run_ms(1000 + rnd(9000));
            cut_off(0);
            memset(frozen, 0, sizeof(frozen));
            loss_percent = 0;
            run_ms(20000);
            assert_all_in(n);
        }
    }
}

static void flipped_bits_are_refused_or_harmless(void **state)
{
    (void)state;
    reset(7, 3, 3, false);
    run_ms(8000);
    struct mb_effect e = {.kind = MB_EFFECT_SEND, .with = MB_WITH_DECIDED};
    e.head.kind = MB_INSTALL;
    e.head.has_record = 1;
    static uint8_t bytes[MB_MESSAGE_BYTES_MAX];
    static struct mb_message out;
    size_t n = mb_message_encode(&nodes[0], &e, bytes);
    assert_true(mb_message_decode(bytes, n, &out));
    for (size_t cut_at = 0; cut_at < n; cut_at++)
        assert_false(mb_message_decode(bytes, cut_at, &out));
    for (size_t bit = 0; bit < n * 8; bit++) {
        uint8_t *copy = malloc(n);
        memcpy(copy, bytes, n);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (mb_message_decode(copy, n, &out) && out.head.has_record)
            assert_true(mb_record_valid(&out.record));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founds_together),
        cmocka_unit_test(a_minority_does_not_found),
        cmocka_unit_test(a_dead_node_is_dropped_and_comes_back),
        cmocka_unit_test(a_restart_keeps_its_id),
        cmocka_unit_test(a_frozen_node_is_fenced_and_goes),
        cmocka_unit_test(the_majority_goes_on),
        cmocka_unit_test(even_split_by_the_lowest_id),
        cmocka_unit_test(even_split_by_the_witness),
        cmocka_unit_test(two_nodes_one_dies),
        cmocka_unit_test(one_way_and_pair_cuts_end),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(a_leaver_is_counted_out_first),
        cmocka_unit_test(late_messages),
        cmocka_unit_test(storms),
        cmocka_unit_test(storms_pass),
        cmocka_unit_test(flipped_bits_are_refused_or_harmless),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    reset(0, 0, 1, false); // frees what is under way
    return failed;
}
