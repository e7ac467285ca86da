// SPDX-License-Identifier: MIT
// links: ssi/cluster/membership.c ssi/cluster/membership_vote.c ssi/cluster/membership_change.c
// links: ssi/cluster/membership_wire.c ssi/cluster/witness.c ssi/cluster/link.c ssi/cluster/rpc.c
// links: ssi/cluster/link_conn.c ssi/cluster/cluster.c ssi/cluster/epoch.c ssi/cluster/leave.c
// links: net/fragment.c ssi/cluster/link_out.c ssi/cluster/seal.c lib/archive.c lib/crc32c.c
// links: ssi/cluster/report.c ssi/cluster/gossip.c ssi/cluster/witness_ask.c ssi/cluster/clock.c
// links: net/arp.c net/buf.c net/counters.c net/eth.c net/icmp.c net/ip.c net/nic.c net/route.c
// links: net/services.c net/stack.c net/sockets.c net/udp.c net/wire.c net/tcp/*.c lib/fmt.c
// links: lib/log.c
// links: tests/sim/ports/node.c tests/sim/ports/clock.c tests/sim/ports/random.c
// links: tests/sim/ports/wire.c tests/sim/ports/stacks.c tests/sim/ports/frames.c lib/radix.c
// links: tests/sim/ports/threads.c kernel/wait.c tests/sim/ports/space.c lib/errno.c lib/string.c
// libs: -DWEFT_SIM -lbearssl

// The whole cluster room of several nodes, over real TCP, on a hostile wire: they found, call each
// other exactly once and in order whatever the wire does, and lose a member within bounds.
#include "tests/unit/cluster_world.h"
#include "tests/unit/hostile_port.h"

// ---- messages of the test ----
enum {
    KIND_ECHO = 200,
    KIND_SLOW,
    KIND_COUNT,
    KIND_NEVER,
    KIND_BULK,
    KIND_EPOCH,
};

static uint32_t next_seen[STACKS_MAX][STACKS_MAX]; // COUNT: [to][from]
static uint32_t next_bulk[STACKS_MAX][STACKS_MAX];
static unsigned out_of_order, slow_running, slow_most;

static void on_echo(const struct rpc_in *in)
{
    rpc_reply(in->from, in->request, 0, in->bytes, in->n);
}

static void on_slow(const struct rpc_in *in)
{
    slow_running++;
    slow_most = slow_running > slow_most ? slow_running : slow_most;
    wait_for_ns(50 * NS_PER_MS, 0);
    slow_running--;
    rpc_reply(in->from, in->request, -EBUSY, NULL, 0);
}

static void expect_next(uint32_t *next, const struct rpc_in *in)
{
    uint32_t n;
    memcpy(&n, in->bytes, sizeof(n));
    if (n != *next)
        out_of_order++;
    *next = n + 1;
}

static void on_count(const struct rpc_in *in)
{
    expect_next(&next_seen[here()][in->from], in);
}

static void on_bulk(const struct rpc_in *in)
{
    expect_next(&next_bulk[here()][in->from], in);
}

static unsigned crossed, epoch_messages;

static void on_epoch(const struct rpc_in *in)
{
    uint32_t sent_in;
    memcpy(&sent_in, in->bytes, sizeof(sent_in));
    crossed += sent_in != cluster_epoch();
    epoch_messages++;
}

static void on_never(const struct rpc_in *in)
{
    (void)in;
}

const struct rpc_row *rpc_row(unsigned kind)
{
    static const struct rpc_row rows[] = {
        {"echo", on_echo, RPC_FORWARD, false},    {"slow", on_slow, RPC_REQUEST, true},
        {"count", on_count, RPC_REQUEST, false},  {"never", on_never, RPC_REQUEST, false},
        {"bulk", on_bulk, RPC_BACKGROUND, false}, {"epoch", on_epoch, RPC_REQUEST, false},
    };
    static const struct rpc_row own[] = {
        {"clock", cluster_on_clock, RPC_FORWARD, false},
        {"load", cluster_on_load, RPC_BACKGROUND, false},
        {"leave", cluster_on_leave, RPC_REQUEST, false},
    };
    if (kind >= 1 && kind <= 3)
        return &own[kind - 1];
    return kind >= KIND_ECHO && kind <= KIND_EPOCH ? &rows[kind - KIND_ECHO] : NULL;
}

// ---- the world ----
static void say(enum log_level level, const char *line)
{
    if (getenv("SAY") || level == LOG_ERROR)
        fprintf(stderr, "%8.3f %u %s\n", (double)clock_now_ns() / 1e9, here(), line);
}

static bool passes(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    (void)w, (void)frame, (void)n;
    return !cut_off[from] && !stopped[from];
}

static void start_cluster(void *arg)
{
    (void)arg;
    SET_FOREACH (init, const struct init_step, s)
        if (strcmp((*s)->name, "cluster_start") == 0)
            (*s)->run();
    thread_exit();
}

static void begin_some(unsigned stacks, unsigned nodes, uint64_t seed)
{
    log_sink = say;
    founders = nodes;
    out_of_order = slow_most = slow_running = resets = 0;
    memset(next_seen, 0, sizeof(next_seen));
    memset(next_bulk, 0, sizeof(next_bulk));
    memset(cut_off, 0, sizeof(cut_off));
    memset(stopped, 0, sizeof(stopped));
    sim_stacks_start(&lan, stacks, seed);
    lan.wire.filter = passes;
    for (unsigned i = 0; i < nodes; i++) {
        sim_stacks_enter(&lan, i);
        thread_create("start", THREAD_NORMAL, start_cluster, NULL);
    }
}

static void begin(unsigned nodes, uint64_t seed)
{
    begin_some(nodes, nodes, seed);
}

// Nodes are left as they are at their end, with all their threads asleep.
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

// Sleeping threads keep what they use: the nodes only stop.
static void end(void)
{
    for (unsigned i = 0; i < founders; i++) {
        sim_stacks_enter(&lan, i);
        assert_int_equal(link_peers_check(), 0);
        assert_int_equal(mb_check(cluster_membership()), 0);
    }
    for (unsigned i = 0; i < lan.count; i++)
        list_remove(&lan.node[i]->link);
    give_keys(NULL);
}

// A counter of /proc/cluster/counters on the current node.
static unsigned counted(const char *name)
{
    static char page[16 << 10];
    struct text t;
    text_init(&t, page, sizeof(page));
    cluster_counters_show(&t);
    const char *at = strstr(page, name);
    return at != NULL ? (unsigned)atoi(at + strlen(name)) : 0;
}

static bool all_in(void *arg)
{
    unsigned want = *(unsigned *)arg, in = 0;
    struct sim_node *was = sim_node_current();
    uint32_t epoch = 0;
    for (unsigned i = 0; i < lan.count; i++) {
        if (stopped[i] || cut_off[i])
            continue;
        sim_stacks_enter(&lan, i);
        epoch = epoch ? epoch : cluster_epoch();
        in += cluster_epoch() != 0 && cluster_epoch() == epoch && cluster_count() == want &&
              cluster_clock_is_set() && !cluster_is_fenced();
    }
    if (was)
        sim_node_enter(was);
    return in == want;
}

static void until_all_in(unsigned want, unsigned seconds)
{
    if (!sim_run(clock_now_ns() + seconds * NS_PER_S, all_in, &want))
        fail_msg("%u members were not together after %u s", want, seconds);
}

static void founds(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 4; n++) {
        begin(n, n);
        until_all_in(n, 10);
        for (unsigned i = 0; i < n; i++) {
            sim_stacks_enter(&lan, i);
            assert_int_equal(cluster_self(), i);
            assert_int_equal(cluster_fs_home(), 0);
            assert_int_equal(cluster_successor((node_id_t)i), (i + 1) % n);
        }
        end();
    }
}

struct caller {
    node_id_t to;
    unsigned rounds;
    unsigned kind;
    unsigned done;
    long result;
};

static void call_many(void *arg)
{
    struct caller *c = arg;
    static const char text[] = "what comes back must be what was sent";
    char back[64];
    for (unsigned i = 0; i < c->rounds; i++) {
        c->result =
            rpc_call(c->to, (enum rpc_kind)c->kind, text, sizeof(text), back, sizeof(back), 0);
        if (c->kind == KIND_ECHO && (c->result != sizeof(text) || strcmp(back, text) != 0))
            break;
        c->done++;
    }
    thread_exit();
}

static void start_caller(struct caller *c, unsigned from)
{
    sim_stacks_enter(&lan, from);
    thread_create("caller", THREAD_NORMAL, call_many, c);
}

static void calls_and_replies(void **state)
{
    (void)state;
    begin(3, 7);
    until_all_in(3, 10);
    static struct caller c[3];
    struct caller first[] = {
        {1, 100, KIND_ECHO, 0, 0}, {0, 50, KIND_ECHO, 0, 0}, {2, 50, KIND_ECHO, 0, 0}};
    memcpy(c, first, sizeof(c));
    start_caller(&c[0], 0);
    start_caller(&c[1], 0); // to itself
    start_caller(&c[2], 1);
    sim_run_for(3 * NS_PER_S);
    assert_int_equal(c[0].done, 100);
    assert_int_equal(c[1].done, 50);
    assert_int_equal(c[2].done, 50);
    static struct caller slow[40];
    for (unsigned i = 0; i < 40; i++) {
        slow[i] = (struct caller){1, 1, KIND_SLOW, 0, 0};
        start_caller(&slow[i], i % 3);
    }
    sim_run_for(NS_PER_S);
    for (unsigned i = 0; i < 40; i++)
        assert_int_equal(slow[i].result, -EBUSY);
    assert_int_equal(slow_most, 40); // none waited for another's end
    sim_stacks_enter(&lan, 0);
    assert_int_equal(rpc_send(9, (enum rpc_kind)KIND_COUNT, NULL, 0), -EHOSTDOWN);
    assert_int_equal(rpc_send(1, (enum rpc_kind)KIND_COUNT, NULL, RPC_BYTES_MAX + 1), -EMSGSIZE);
    end();
}

enum {
    STREAM = 3000
};

static void stream(void *arg)
{
    node_id_t to = *(node_id_t *)arg;
    uint8_t page[4100] = {0};
    for (uint32_t n = 0; n < STREAM; n++) {
        while (rpc_send(to, (enum rpc_kind)KIND_COUNT, &n, sizeof(n)) == -ENOMEM)
            wait_for_ns(NS_PER_MS, 0);
        memcpy(page, &n, sizeof(n));
        while (rpc_send(to, (enum rpc_kind)KIND_BULK, page, sizeof(page)) == -ENOMEM)
            wait_for_ns(NS_PER_MS, 0);
        if (n % 20 == 19)
            wait_for_ns(20 * NS_PER_MS, 0);
    }
    thread_exit();
}

// Break every connection of the LAN now and then; the messages do not notice.
static void exactly_once(unsigned loss, unsigned dup, unsigned reorder, bool breaks, uint64_t seed)
{
    static node_id_t to[2] = {1, 0};
    begin(2, seed);
    lan.wire.loss = loss;
    lan.wire.dup = dup;
    lan.wire.reorder = reorder;
    until_all_in(2, 30);
    sim_stacks_enter(&lan, 0);
    thread_create("stream", THREAD_NORMAL, stream, &to[0]);
    sim_stacks_enter(&lan, 1);
    thread_create("stream", THREAD_NORMAL, stream, &to[1]);
    for (unsigned t = 0; t < 200; t++) {
        sim_run_for(200 * NS_PER_MS);
        if (breaks && t % 8 == 1) {
            cut_off[t / 8 % 2] = true;
            sim_run_for((LINK_SILENT_MS + 300) * NS_PER_MS); // broken, and nobody is dead
            cut_off[t / 8 % 2] = false;
        }
        if (next_bulk[0][1] == STREAM && next_bulk[1][0] == STREAM)
            break;
    }
    assert_int_equal(out_of_order, 0);
    assert_int_equal(next_seen[1][0], STREAM);
    assert_int_equal(next_seen[0][1], STREAM);
    assert_int_equal(next_bulk[1][0], STREAM);
    assert_int_equal(next_bulk[0][1], STREAM);
    unsigned two = 2;
    assert_true(all_in(&two));
    sim_stacks_enter(&lan, 0);
    assert_int_equal(cluster_epoch(), 1);
    static char page[4096];
    struct text t;
    text_init(&t, page, sizeof(page));
    cluster_counters_show(&t);
    assert_int_equal(strstr(page, "link_connection_broken ") != NULL, breaks);
    assert_int_equal(strstr(page, "link_message_written_again ") != NULL, breaks);
    end();
}

static void exactly_once_in_order(void **state)
{
    (void)state;
    exactly_once(0, 0, 0, false, 1);
    exactly_once(50, 50, 100, false, 2);
    exactly_once(0, 0, 0, true, 3);
    exactly_once(30, 30, 50, true, 4);
    give_keys("sealed, the same holds");
    exactly_once(30, 30, 50, true, 5);
}

static struct epoch_change last_change;
static node_id_t last_gone;

static void note_change(const struct epoch_change *c)
{
    last_change = *c;
    if (c->gone_count)
        last_gone = c->gone[0];
}

static void a_death_is_noticed(void **state)
{
    (void)state;
    begin(3, 11);
    until_all_in(3, 10);
    sim_stacks_enter(&lan, 0);
    cluster_on_epoch(note_change);
    last_gone = NODE_NONE;
    static struct caller waits = {2, 1, KIND_NEVER, 0, 0}, goes_on = {1, 2000, KIND_ECHO, 0, 0};
    start_caller(&waits, 0);
    sim_run_for(NS_PER_S);
    stopped[2] = true;
    uint64_t died = clock_now_ns();
    until_all_in(2, 8);
    assert_true(clock_now_ns() - died >= MB_LEASE_MS * NS_PER_MS);
    sim_run_for(NS_PER_MS);
    assert_int_equal(waits.done, 1);
    assert_int_equal(waits.result, -EHOSTDOWN);
    assert_int_equal(last_gone, 2);
    assert_int_equal(last_change.gone_count, 1);
    start_caller(&goes_on, 0);
    sim_run_for(5 * NS_PER_S);
    assert_int_equal(goes_on.done, 2000);
    end();
}

static void a_cut_node_restarts(void **state)
{
    (void)state;
    begin(3, 12);
    until_all_in(3, 10);
    static struct caller first;
    first = (struct caller){0, 20, KIND_ECHO, 0, 0};
    start_caller(&first, 2); // so that there is something to number and to acknowledge
    sim_run_for(NS_PER_S);
    cut_off[2] = true;
    sim_run_for((MB_LEASE_MS + 500) * NS_PER_MS);
    sim_stacks_enter(&lan, 2);
    assert_true(cluster_is_fenced());
    until_all_in(2, 8);
    assert_int_equal(resets, 0);
    sim_run_for(15 * NS_PER_S); // the others have forgotten it by now
    cut_off[2] = false;
    sim_run_for(5 * NS_PER_S);
    assert_int_equal(resets, 1);
    assert_true(stopped[2]);
    end();
}

static void tell_epochs(void *arg)
{
    uint64_t pause_ms = (uintptr_t)arg;
    uint8_t bytes[1000] = {0};
    for (;;) {
        uint32_t epoch = cluster_sending_epoch();
        memcpy(bytes, &epoch, sizeof(epoch));
        for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n))
            if (n != cluster_self())
                (void)rpc_send(n, (enum rpc_kind)KIND_EPOCH, bytes, sizeof(bytes));
        wait_for_ns(pause_ms * NS_PER_MS, 0);
    }
}

// Everybody talks to everybody while members die: what was said in an epoch is heard in it.
static void no_message_crosses_an_epoch(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin(5, seed);
        lan.wire.loss = seed % 2 ? 20 : 0;
        crossed = epoch_messages = 0;
        until_all_in(5, 20);
        for (unsigned i = 0; i < 5; i++) {
            sim_stacks_enter(&lan, i);
            thread_create("teller", THREAD_NORMAL, tell_epochs, (void *)1);
        }
        for (unsigned dead = 0; dead < 2; dead++) {
            sim_run_for(NS_PER_S / 2);
            stopped[dead + seed % 3] = true;
            until_all_in(4 - dead, 10);
        }
        sim_run_for(NS_PER_S / 2);
        assert_true(epoch_messages > 10000);
        assert_int_equal(crossed, 0);
        end();
    }
}

static void start_later(void *arg)
{
    wait_for_ns((uint64_t)(uintptr_t)arg * NS_PER_MS, 0);
    start_cluster(NULL);
}

// Nodes come when they like, some die, cables are cut for a while; then it is quiet, and whoever
// still stands is in one epoch.
static void gathering(uint64_t seed)
{
    begin_some(6, 0, seed);
    founders = 3;
    lan.wire.loss = (unsigned)(sim_random() % 80);
    lan.wire.corrupt = seed % 2 ? 10 : 0; // ARP's answers too, which have no checksum
    for (unsigned i = 0; i < 6; i++) {
        sim_stacks_enter(&lan, i);
        uintptr_t late = i < 3 ? sim_random() % 2000 : sim_random() % 12000;
        thread_create("start", THREAD_NORMAL, start_later, (void *)late);
        thread_create("teller", THREAD_NORMAL, tell_epochs, (void *)50);
    }
    crossed = 0;
    for (unsigned t = 0; t < 12; t++) {
        unsigned victim = (unsigned)(sim_random() % 6);
        cut_off[victim] = sim_random() % 3 == 0;
        sim_run_for(sim_random() % 1500 * NS_PER_MS);
        cut_off[victim] = false;
        if (t == 4 || t == 9)
            stopped[3 + sim_random() % 3] = true;
    }
    lan.wire.loss = lan.wire.corrupt = 0;
    sim_run_for(12 * NS_PER_S); // longer than any lease, for those who were let go
    unsigned alive = 0;
    for (unsigned i = 0; i < 6; i++)
        alive += !stopped[i];
    until_all_in(alive, 30);
    end();
}

static void nodes_gather(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed < 108; seed++)
        gathering(seed);
}

// ---- strangers ----
// Garbage, truncated frames, greetings of nobody, beacons by the thousand: counted, nothing else.
static void strangers_change_nothing(void **state)
{
    (void)state;
    begin_some(3, 2, 21); // the third stack is the stranger's
    stopped[2] = true;
    until_all_in(2, 10);
    stopped[2] = false;
    sim_stacks_enter(&lan, 0);
    struct {
        struct link_frame f;
        struct link_hello h;
    } PACKED hello = {
        {.magic = LINK_MAGIC, .type = LINK_HELLO, .n = sizeof(struct link_hello)},
        {.protocol = MB_PROTOCOL, .session = link_session(), .key = 1, .to_key = link_self()->key}};
    static uint8_t noise[2000];
    for (unsigned i = 0; i < 12; i++) {
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)sim_random();
        if (i > 3)
            memcpy(noise, &hello, sizeof(hello)); // a good greeting, then noise
        if (i > 7)
            memcpy(noise + sizeof(hello), &hello, sizeof(hello.f.magic)); // that looks like a frame
        stranger_sends(noise, sizeof(noise));
    }
    sim_stacks_enter(&lan, 2);
    struct udp_port *u = udp_open(0, ignore_datagram, NULL);
    for (unsigned i = 0; i < 2000; i++)
        stranger_beacons(u, hello.h.session);
    sim_stacks_enter(&lan, 0);
    assert_int_equal(cluster_epoch(), 1);
    assert_int_equal(cluster_count(), 2);
    static char page[4096];
    struct text t;
    text_init(&t, page, sizeof(page));
    cluster_counters_show(&t);
    assert_non_null(strstr(page, "malformed_frame "));
    assert_non_null(strstr(page, "beacon_malformed "));
    static struct caller echo;
    echo = (struct caller){1, 10, KIND_ECHO, 0, 0};
    start_caller(&echo, 0);
    sim_run_for(NS_PER_S);
    assert_int_equal(echo.done, 10);
    end();
}

// ---- a hostile port ----
enum {
    HOSTILE_FRAMES = 20000
};

static bool overhears(struct sim_wire *w, unsigned from, const uint8_t *frame, size_t n)
{
    overhear(frame, n);
    return passes(w, from, frame, n);
}

static void hostile_port(bool sealed, uint64_t seed)
{
    static struct caller echo[2];
    if (sealed)
        give_keys("a key that the port has not");
    heard_count = 0;
    begin(2, seed);
    lan.wire.filter = overhears;
    until_all_in(2, 10);
    echo[0] = (struct caller){1, 100000, KIND_ECHO, 0, 0};
    echo[1] = (struct caller){0, 100000, KIND_ECHO, 0, 0};
    start_caller(&echo[0], 0);
    start_caller(&echo[1], 1);
    sim_run_for(NS_PER_S);
    for (unsigned i = 0; i < HOSTILE_FRAMES; i++) {
        say_again();
        if (i % 10 == 0)
            sim_run_for(NS_PER_MS);
    }
    unsigned before[2] = {echo[0].done, echo[1].done};
    sim_run_for(5 * NS_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        sim_stacks_enter(&lan, i);
        assert_int_equal(cluster_epoch(), 1);
        assert_int_equal(cluster_count(), 2);
        assert_true(echo[i].done > before[i] + 100);
    }
    assert_int_equal(resets, 0);
    end();
}

static void a_hostile_port_changes_nothing(void **state)
{
    (void)state;
    for (uint64_t seed = 31; seed < 34; seed++)
        hostile_port(true, seed);
}

// Who has not the key is no member, and does no harm; who has it is let in.
static void the_key_decides(void **state)
{
    (void)state;
    static const char *const others[] = {"", "another key"};
    for (unsigned i = 0; i < 2; i++) {
        begin_some(3, 2, 41 + i);
        stopped[2] = true;
        give_keys("our key");
        until_all_in(2, 10);
        stopped[2] = false;
        key_archive_make(&archives[2], others[i]);
        sim_stacks_enter(&lan, 2);
        thread_create("start", THREAD_NORMAL, start_cluster, NULL);
        sim_run_for(20 * NS_PER_S);
        assert_int_equal(cluster_epoch(), 0);
        sim_stacks_enter(&lan, 0);
        assert_int_equal(cluster_epoch(), 1);
        assert_true(counted("beacon_without_our_key ") > 10);
        end();
    }
    give_keys("our key");
    begin(3, 43);
    until_all_in(3, 10);
    end();
}

static void one_clock(void **state)
{
    (void)state;
    begin(3, 13);
    until_all_in(3, 10);
    uint64_t at[3], real[3];
    for (unsigned i = 0; i < 3; i++) {
        sim_stacks_enter(&lan, i);
        at[i] = cluster_clock_ns();
        real[i] = cluster_real_ns();
        assert_true(at[i] > at[0] ? at[i] - at[0] < NS_PER_MS : at[0] - at[i] < NS_PER_MS);
        assert_true(real[i] / NS_PER_S - 1000000 < 20);
    }
    end();
}

static void a_node_is_removed(void **state)
{
    (void)state;
    begin(3, 14);
    until_all_in(3, 10);
    sim_stacks_enter(&lan, 0);
    struct mb_event none = {0};
    (void)none;
    cluster_leave_event(2, false);
    sim_run_for(3 * NS_PER_S);
    assert_true(stopped[2]);
    assert_int_equal(resets, 0); // it left as asked
    sim_stacks_enter(&lan, 0);
    assert_int_equal(cluster_count(), 2);
    static char page[4096];
    struct text t;
    text_init(&t, page, sizeof(page));
    cluster_nodes_show(&t);
    assert_non_null(strstr(page, "\n2 1 gone 10.77.0.12 0 "));
    assert_non_null(strstr(page, "0 1 online 10.77.0.10 1 "));
    text_init(&t, page, sizeof(page));
    cluster_events_show(&t);
    assert_non_null(strstr(page, "node 2.1 (10.77.0.12) left in epoch 3"));
    text_init(&t, page, sizeof(page));
    cluster_counters_show(&t);
    assert_non_null(strstr(page, "link_to_1_background_messages "));
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(founds),
        cmocka_unit_test(calls_and_replies),
        cmocka_unit_test(exactly_once_in_order),
        cmocka_unit_test(a_death_is_noticed),
        cmocka_unit_test(a_cut_node_restarts),
        cmocka_unit_test(no_message_crosses_an_epoch),
        cmocka_unit_test(nodes_gather),
        cmocka_unit_test(strangers_change_nothing),
        cmocka_unit_test(a_hostile_port_changes_nothing),
        cmocka_unit_test(the_key_decides),
        cmocka_unit_test(one_clock),
        cmocka_unit_test(a_node_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
