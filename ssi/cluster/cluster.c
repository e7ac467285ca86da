// SPDX-License-Identifier: MIT
// The cluster's thread: it ticks membership, polls the link, carries out the step function's
// effects, and installs an epoch once it is decided and flushed. Everything that comes from the
// network's context (beacons, the witness) waits for it in a small inbox.
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/cluster_priv.h"
#include "arch/x86/arch.h"
#include "kernel/bootparts.h"
#include "kernel/init.h"
#include "kernel/random.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/net.h"
#include "ssi/cluster/clock.h"
#include "ssi/cluster/link.h"
#include "ssi/cluster/rpc_priv.h"

enum {
    INBOX = 64,
    LEAVE_MS = 500,
    STRANGER_MS = 60000, // between two lines about one
};

struct cluster_note { // in the inbox
    bool is_grant;
    uint32_t epoch; // grant
    bool yes;
    struct link_beacon beacon;
};

NODE_VAR(struct mb, cluster_mb);
NODE_VAR(struct mb_effects, cluster_effects);
NODE_VAR(struct mb_message, cluster_message);
NODE_VAR(uint8_t, cluster_bytes[MB_MESSAGE_BYTES_MAX]);
NODE_VAR(uint64_t, cluster_session);
NODE_VAR(struct cluster_note, cluster_inbox[INBOX]);
NODE_VAR(unsigned, cluster_inbox_count);
NODE_VAR(struct wait_queue, cluster_wake);
NODE_VAR(bool, cluster_has_work);
NODE_VAR(struct wait_queue, cluster_changed); // phase, first epoch, clock
NODE_VAR(bool, cluster_flushing);
NODE_VAR(bool, cluster_networked);
NODE_VAR(uint64_t, cluster_beat_ms);
NODE_VAR(uint64_t, cluster_beacon_ms);
NODE_VAR(uint64_t, cluster_tick_ms);
NODE_VAR(uint64_t, cluster_leave_ms);
NODE_VAR(uint64_t, cluster_waited_ms);
NODE_VAR(uint64_t, cluster_stranger_ms);
NODE_VAR(uint64_t, cluster_foreign_ms);
NODE_VAR(uint32_t, cluster_foreign_ip);
NODE_VAR(uint8_t, cluster_nobodys_key[SEAL_KEY_BYTES]);

const struct mb *cluster_membership(void)
{
    return &node(cluster_mb);
}

uint64_t cluster_now_ms(void)
{
    return clock_now_ns() / NS_PER_MS + 1; // 0 means never in membership's state
}

static void cluster_work(void)
{
    node(cluster_has_work) = true;
    wait_wake_all(&node(cluster_wake));
}

static bool cluster_due(uint64_t *last_ms, uint64_t now_ms, unsigned every_ms)
{
    if (*last_ms != 0 && now_ms - *last_ms < every_ms)
        return false;
    *last_ms = now_ms;
    return true;
}

// ---- effects ----
static void cluster_tell_refusal(const struct mb_effect *e)
{
    const char *why = mb_refusal_text(e->head.reason);
    cluster_count_add("membership: join refused", 1);
    if (e->key == 0) {
        cluster_event("this node was refused: %s", why);
        return;
    }
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        const struct mb_peer *p = &node(cluster_mb).peers[i];
        if (p->key != e->key)
            continue;
        char ip[16];
        net_format_ip(p->who.ip, ip);
        cluster_event("node at %s refused: %s", ip, why);
    }
}

static void cluster_meet_all(const struct mb_record *r)
{
    uint64_t now_ms = cluster_now_ms();
    for (unsigned i = 0; i < r->count && node(cluster_networked); i++)
        link_meet(r->members[i].key, r->members[i].ip, now_ms);
}

static void cluster_restart(void)
{
    const struct mb *m = &node(cluster_mb);
    bool asked = false;
    const struct member *me = cluster_member(m->id);
    if (me != NULL)
        asked = me->state == MEMBER_LEAVING;
    if (asked) {
        log_info("cluster", "node %u.%u has left as asked; power off", m->id, m->incarnation);
        arch_power_off();
    }
    log_warn("cluster",
             "epoch %u was decided without node %u.%u: it restarts and joins again as a new "
             "incarnation, with none of its processes",
             m->decided.epoch, m->id, m->incarnation);
    arch_reset();
}

static void cluster_on_phase(void)
{
    const struct mb *m = &node(cluster_mb);
    log_info("cluster", "%s", mb_phase_name(m->phase));
    if (m->phase == MB_PHASE_FENCED)
        cluster_event("node %u.%u is out of touch with its quorum: user code stops", m->id,
                      m->incarnation);
    if (m->phase == MB_PHASE_OUT)
        cluster_restart();
    wait_wake_all(&node(cluster_changed));
}

static node_id_t cluster_node_of(uint64_t key)
{
    const struct mb_member *m = mb_record_key(&node(cluster_mb).decided, key);
    return m != NULL ? m->id : NODE_NONE;
}

static void cluster_run_effect(const struct mb_effect *e)
{
    struct mb *m = &node(cluster_mb);
    switch (e->kind) {
    case MB_EFFECT_SEND:
        if (!FAULT("membership", mb_message_name(e->head.kind), cluster_node_of(e->key)))
            link_control(e->key, node(cluster_bytes), mb_message_encode(m, e, node(cluster_bytes)));
        break;
    case MB_EFFECT_WITNESS:
        cluster_witness_ask(m, node(cluster_session));
        break;
    case MB_EFFECT_DECIDED:
        ASSERT(mb_check(m) == 0);
        (void)FAULT("membership", "decided", NODE_NONE);
        node(cluster_flushing) = true;
        cluster_meet_all(&m->decided);
        if (node(cluster_networked))
            link_flush(&m->decided);
        break;
    case MB_EFFECT_PHASE:
        cluster_on_phase();
        break;
    case MB_EFFECT_REFUSED:
        cluster_tell_refusal(e);
        break;
    case MB_EFFECT_CONDEMN:
        log_info("cluster", "node %u is silent or gone: an epoch without it is proposed", e->id);
        break;
    }
}

static void cluster_step(struct mb_event *e)
{
    e->now_ms = cluster_now_ms();
    mb_step(&node(cluster_mb), e, &node(cluster_effects));
    for (unsigned i = 0; i < node(cluster_effects).count; i++)
        cluster_run_effect(&node(cluster_effects).effects[i]);
}

void cluster_leave_event(node_id_t n, bool has_left)
{
    struct mb_event e = {.kind = has_left ? MB_EVENT_LEFT : MB_EVENT_LEAVE, .id = n};
    cluster_step(&e);
}

// ---- what the link tells ----
static void cluster_on_control(uint64_t key, const uint8_t *bytes, size_t n)
{
    if (!mb_message_decode(bytes, n, &node(cluster_message))) {
        cluster_count_add("membership: malformed message", 1);
        return;
    }
    struct mb_event e = {.kind = MB_EVENT_MESSAGE, .key = key, .message = &node(cluster_message)};
    cluster_step(&e);
}

static void cluster_on_beat(uint64_t key, const struct link_beat *beat)
{
    struct mb_event e = {.kind = MB_EVENT_HEARTBEAT,
                         .key = key,
                         .cluster = beat->cluster,
                         .epoch = beat->decided,
                         .contact_ms = beat->shown_ms};
    cluster_step(&e);
}

static void cluster_on_heard(uint64_t key)
{
    struct mb_event e = {.kind = MB_EVENT_HEARD, .key = key};
    cluster_step(&e);
}

static void cluster_note(const struct cluster_note *note)
{
    if (node(cluster_inbox_count) == INBOX) {
        cluster_count_add("cluster: inbox full", 1);
        return;
    }
    node(cluster_inbox)[node(cluster_inbox_count)++] = *note;
    cluster_work();
}

static void cluster_on_beacon(const struct link_beacon *b)
{
    struct cluster_note note = {.beacon = *b};
    cluster_note(&note);
}

// The network's context: only a mark; a line about it may wait for the thread.
static void cluster_on_foreign(uint32_t ip)
{
    node(cluster_foreign_ip) = ip;
}

static void cluster_on_grant(uint32_t epoch, bool yes)
{
    struct cluster_note note = {.is_grant = true, .epoch = epoch, .yes = yes};
    log_info("cluster", "the witness %s epoch %u", yes ? "grants" : "refuses", epoch);
    cluster_note(&note);
}

// Two clusters of one session do not merge; somebody has to end one of them.
static void cluster_meet_stranger(const struct link_beacon *b)
{
    uint64_t mine = node(cluster_mb).decided.cluster;
    if (b->cluster == 0 || mine == 0 || b->cluster == mine)
        return;
    cluster_count_add("beacon: another cluster of this session", 1);
    if (!cluster_due(&node(cluster_stranger_ms), cluster_now_ms(), STRANGER_MS))
        return;
    char ip[16];
    net_format_ip(b->who.ip, ip);
    cluster_event("node at %s is in another cluster of this session: they do not merge", ip);
}

static void cluster_say_foreign(void)
{
    uint32_t from = node(cluster_foreign_ip);
    node(cluster_foreign_ip) = 0;
    if (from == 0 || !cluster_due(&node(cluster_foreign_ms), cluster_now_ms(), STRANGER_MS))
        return;
    char ip[16];
    net_format_ip(from, ip);
    cluster_event("node at %s is of this session and has not our cluster key", ip);
}

// Somebody that a beacon has told of, or that tells it over its sealed connection.
static void cluster_meet(const struct link_beacon *b)
{
    cluster_meet_stranger(b);
    struct mb_event e = {
        .kind = MB_EVENT_BEACON, .who = &b->who, .cluster = b->cluster, .epoch = b->epoch};
    cluster_step(&e);
}

static void cluster_read_inbox(void)
{
    for (unsigned i = 0; i < node(cluster_inbox_count); i++) {
        struct cluster_note note = node(cluster_inbox)[i];
        struct mb_event e = {.kind = MB_EVENT_GRANT, .epoch = note.epoch, .yes = note.yes};
        if (note.is_grant) {
            cluster_step(&e);
            continue;
        }
        link_meet(note.beacon.who.key, note.beacon.who.ip, cluster_now_ms());
        if (link_seal_keys() == NULL)
            cluster_meet(&note.beacon); // else it will say so over the link, or nothing is true
    }
    node(cluster_inbox_count) = 0;
    cluster_say_foreign();
}

static const struct link_ops cluster_link_ops = {
    .message = rpc_receive,
    .control = cluster_on_control,
    .beat = cluster_on_beat,
    .beacon = cluster_on_beacon,
    .told = cluster_meet,
    .foreign = cluster_on_foreign,
    .heard = cluster_on_heard,
    .work = cluster_work,
};

// ---- the thread ----
// Why it woke does not matter: whoever sleeps here looks at its condition again.
static void cluster_sleep(struct wait_queue *q, uint64_t until_ns)
{
    int e = wait_sleep(q, until_ns, 0);
    (void)e;
}

static void cluster_install_if_flushed(void)
{
    const struct mb *m = &node(cluster_mb);
    if (!node(cluster_flushing) || (node(cluster_networked) && !link_flushed()) || !rpc_drained())
        return;
    node(cluster_flushing) = false;
    if (node(cluster_networked))
        link_install(&m->decided);
    (void)FAULT("membership", "installed", NODE_NONE);
    cluster_epoch_install(&m->decided, m->id);
    rpc_on_epoch();
    node(cluster_beat_ms) = 0; // at once: the others hold their messages until they see it
    wait_wake_all(&node(cluster_changed));
    cluster_work();
}

static void cluster_say_waiting(uint64_t now_ms)
{
    const struct mb *m = &node(cluster_mb);
    if (m->phase != MB_PHASE_SEEKING || now_ms - m->started_ms < 10000 ||
        !cluster_due(&node(cluster_waited_ms), now_ms, 10000))
        return;
    unsigned heard = 0;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++)
        heard += m->peers[i].key != 0 && now_ms - m->peers[i].beacon_ms < MB_SEEN_MS;
    log_info("cluster", "waits: %u others heard, %u nodes found a cluster", heard, m->self.nodes);
}

static void cluster_turn(void)
{
    uint64_t now_ms = cluster_now_ms();
    if (cluster_due(&node(cluster_tick_ms), now_ms, MB_TICK_MS)) {
        struct mb_event tick = {.kind = MB_EVENT_TICK};
        cluster_step(&tick);
        cluster_say_waiting(now_ms);
    }
    if (cluster_due(&node(cluster_leave_ms), now_ms, LEAVE_MS))
        cluster_leave_tick();
    if (node(cluster_networked)) {
        cluster_read_inbox();
        link_poll(now_ms);
    }
    rpc_run_local();
    cluster_install_if_flushed();
    if (!node(cluster_networked))
        return;
    const struct mb_record *decided = &node(cluster_mb).decided;
    if (cluster_due(&node(cluster_beat_ms), now_ms, MB_HEARTBEAT_MS))
        link_beat_all(decided, now_ms);
    if (cluster_due(&node(cluster_beacon_ms), now_ms, LINK_BEACON_MS)) {
        uint64_t now_ns = clock_now_ns(); // when exactly is the network's doing
        random_stir(&now_ns, sizeof(now_ns));
        link_beacon_send(decided);
    }
}

static void cluster_thread(void *arg)
{
    (void)arg;
    for (;;) {
        node(cluster_has_work) = false;
        cluster_turn();
        uint64_t until_ms =
            MIN(node(cluster_tick_ms) + MB_TICK_MS, node(cluster_beat_ms) + MB_HEARTBEAT_MS);
        if (!node(cluster_networked))
            until_ms = node(cluster_tick_ms) + MB_TICK_MS;
        if (!node(cluster_has_work))
            cluster_sleep(&node(cluster_wake), (until_ms - 1) * NS_PER_MS);
        else
            thread_yield();
    }
}

uint32_t cluster_sending_epoch(void)
{
    return node(cluster_flushing) ? node(cluster_mb).decided.epoch : cluster_epoch();
}

// ---- for those who wait ----
void cluster_wait_epoch(void)
{
    while (cluster_epoch() == 0)
        cluster_sleep(&node(cluster_changed), WAIT_FOREVER);
}

void cluster_clock_was_set(void)
{
    wait_wake_all(&node(cluster_changed));
}

void cluster_wait_joined(void)
{
    while (cluster_epoch() == 0 || !cluster_clock_is_set())
        cluster_sleep(&node(cluster_changed), WAIT_FOREVER);
}

bool cluster_is_fenced(void)
{
    enum mb_phase p = node(cluster_mb).phase;
    return p == MB_PHASE_FENCED || p == MB_PHASE_OUT;
}

void cluster_gate(void)
{
    while (cluster_is_fenced())
        cluster_sleep(&node(cluster_changed), WAIT_FOREVER);
}

// ---- start ----
// FNV-1a: two sessions with one hash would be neighbours that refuse each other's root archive.
static uint64_t cluster_session_hash(const char *name)
{
    uint64_t h = 14695981039346656037ull;
    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211ull;
    return h;
}

static struct mb_identity cluster_identity(void)
{
    struct arch_features f = arch_cpu_features();
    struct mb_identity who = {.ip = net_ip(),
                              .features_edx = f.edx,
                              .features_ecx = f.ecx,
                              .protocol = MB_PROTOCOL,
                              .wish = (uint16_t)setting_u32("node", NODE_NONE),
                              .cpus = (uint16_t)arch_cpu_count(),
                              .nodes = (uint16_t)setting_u32("nodes", 1)};
    uint8_t mac[6] = {0};
    (void)net_mac(mac);
    who.key = (uint64_t)random_u32() << 32 | (uint64_t)mac[2] << 24 | (uint64_t)mac[3] << 16 |
              (uint64_t)mac[4] << 8 | mac[5];
    who.key |= who.key == 0;
    if (boot_archive() != NULL)
        memcpy(who.root, boot_archive()->header->root_sha256, sizeof(who.root));
    return who;
}

static uint32_t cluster_witness_setting(void)
{
    const char *text = setting("witness");
    uint32_t ip = 0;
    if (text != NULL && !net_parse_ip(text, &ip))
        log_error("cluster", "witness=%s is no address", text);
    return ip;
}

// The boot archive's cluster key; NULL: none. A part of another size is damage: no key fits then.
static const uint8_t *cluster_key(void)
{
    const void *key;
    size_t bytes;
    if (boot_archive() == NULL || !archive_part(boot_archive(), ARCHIVE_KEY, &key, &bytes))
        return NULL;
    if (bytes == SEAL_KEY_BYTES)
        return key;
    log_error("cluster", "the cluster key has %u bytes, not %u", (unsigned)bytes, SEAL_KEY_BYTES);
    random_bytes(node(cluster_nobodys_key), SEAL_KEY_BYTES);
    return node(cluster_nobodys_key);
}

// What tells this node from others that boot the same image at the same second.
static void cluster_stir(const uint8_t *key)
{
    uint8_t mac[6] = {0};
    uint32_t wish = setting_u32("node", NODE_NONE);
    (void)net_mac(mac);
    random_stir(mac, sizeof(mac));
    random_stir(&wish, sizeof(wish));
    if (key != NULL)
        random_stir(key, SEAL_KEY_BYTES);
}

static void cluster_start(void)
{
    const uint8_t *key = cluster_key();
    cluster_stir(key);
    struct mb_identity self = cluster_identity();
    uint8_t mac[6];
    bool alone = setting_is("found", "alone");
    const char *session = setting("session");
    node(cluster_session) = cluster_session_hash(session != NULL ? session : "weft");
    wait_init(&node(cluster_wake));
    wait_init(&node(cluster_changed));
    rpc_init(cluster_work);
    node(cluster_networked) = net_mac(mac) && net_ip() != 0;
    if (node(cluster_networked) &&
        !link_start(&cluster_link_ops, &self, node(cluster_session), key)) {
        log_error("cluster", "ports %u or %u are taken", LINK_BEACON_PORT, LINK_PORT);
        node(cluster_networked) = false;
    }
    if (!node(cluster_networked))
        log_info("cluster", "no network: founds alone");
    else
        log_info("cluster", "links are %s", key != NULL ? "sealed" : "not sealed: no cluster key");
    uint32_t witness = cluster_witness_setting();
    if (node(cluster_networked))
        cluster_witness_start(cluster_on_grant);
    mb_init(&node(cluster_mb), &self, alone || !node(cluster_networked), witness, cluster_now_ms());
    thread_create("cluster", THREAD_URGENT, cluster_thread, NULL);
    cluster_clock_start();
    cluster_gossip_start();
    cluster_wait_joined();
}
INIT_STEP(INIT_CLUSTER, cluster_start);
