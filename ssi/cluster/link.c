// SPDX-License-Identifier: MIT
// Peers and their queues: what goes out next, what came in, the flush between two epochs.
#include "ssi/cluster/link.h"
#include "ssi/cluster/link_priv.h"
#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"

enum {
    LINK_FORGET_MS = 10000,    // a stranger without a sign of life
    LINK_DOUBT_MS = 1000,      // a peer that is there and has no connection: is its address right?
    LINK_ACK_BYTES = 32 << 10, // acknowledged at once, not with the next heartbeat
};

NODE_VAR(const struct link_ops *, link_ops);
NODE_VAR(struct mb_identity, link_me);
NODE_VAR(uint64_t, link_session_id);
NODE_VAR(struct list, link_peers);
NODE_VAR(struct link_peer *, link_by_id[NODE_MAX]);
NODE_VAR(struct udp_port *, link_udp);
NODE_VAR(uint32_t, link_installed_epoch);
NODE_VAR(uint64_t, link_cluster); // as last told by link_beat_all
NODE_VAR(uint32_t, link_decided_epoch);
NODE_VAR(uint32_t, link_flush_epoch); // 0: none under way
NODE_VAR(bool, link_loses_next);      // rpc_lose_next
NODE_VAR(bool, link_is_sealed);
NODE_VAR(struct seal_keys, link_keys);
NODE_VAR(unsigned, link_peer_count);

const struct link_ops *link_upward(void)
{
    return node(link_ops);
}

const struct mb_identity *link_self(void)
{
    return &node(link_me);
}

uint64_t link_session(void)
{
    return node(link_session_id);
}

const struct seal_keys *link_seal_keys(void)
{
    return node(link_is_sealed) ? &node(link_keys) : NULL;
}

// ---- peers ----
struct link_peer *link_peer_find(uint64_t key)
{
    struct link_peer *p;
    list_for_each (p, &node(link_peers), link)
        if (p->key == key)
            return p;
    return NULL;
}

struct link_peer *link_peer_make(uint64_t key)
{
    struct link_peer *p = link_peer_find(key);
    if (p != NULL)
        return p;
    if (node(link_peer_count) >= LINK_PEERS_MAX) {
        cluster_count_add("link: too many strangers", 1);
        return NULL;
    }
    p = heap_zalloc(sizeof(*p));
    if (p == NULL)
        return NULL;
    node(link_peer_count)++;
    p->key = key;
    p->id = NODE_NONE;
    for (unsigned c = 0; c < RPC_CLASSES; c++) {
        list_init(&p->queue[c]);
        list_init(&p->held[c]);
    }
    list_init(&p->control);
    list_init(&p->sent);
    list_append(&node(link_peers), &p->link);
    return p;
}

static void link_peer_empty(struct link_peer *p)
{
    if (p->conn != NULL)
        link_conn_drop(p->conn, NULL);
    for (unsigned c = 0; c < RPC_CLASSES; c++) {
        link_free_list(&p->queue[c]);
        link_free_list(&p->held[c]);
    }
    link_free_list(&p->sent);
    link_free_list(&p->control);
    p->resend = NULL;
    p->queued_bytes = 0;
}

static void link_peer_forget(struct link_peer *p)
{
    link_peer_empty(p);
    list_remove(&p->link);
    node(link_peer_count)--;
    heap_free(p);
}

// Of those who only say that they exist, the one that has said so for longest makes room.
static void link_make_room(void)
{
    struct link_peer *p, *oldest = NULL;
    list_for_each (p, &node(link_peers), link) {
        bool met_only = p->id == NODE_NONE && !p->decided && (p->conn == NULL || !p->conn->greeted);
        if (met_only && (oldest == NULL || p->met_ms < oldest->met_ms))
            oldest = p;
    }
    if (oldest != NULL)
        link_peer_forget(oldest);
}

void link_control_drop(struct link_peer *p)
{
    link_free_list(&p->control);
    p->resend = NULL;
}

void link_meet(uint64_t key, uint32_t ip, uint64_t now_ms)
{
    if (key == node(link_me).key)
        return;
    if (node(link_peer_count) >= LINK_PEERS_MAX && link_peer_find(key) == NULL)
        link_make_room();
    struct link_peer *p = link_peer_make(key);
    if (p == NULL)
        return;
    p->ip = ip;
    p->met_ms = now_ms;
}

bool link_connected(uint64_t key)
{
    struct link_peer *p = link_peer_find(key);
    return p != NULL && p->conn != NULL && p->conn->greeted;
}

// ---- out ----
// Messages go when both have installed the same epoch.
static bool link_is_open(const struct link_peer *p)
{
    return p->id != NODE_NONE && p->their_installed == node(link_installed_epoch);
}

static struct link_out *link_number(struct link_peer *p, struct link_out *o)
{
    o->head.seq = ++p->seq_out;
    list_append(&p->sent, &o->link);
    p->traffic.bytes[o->head.class] += sizeof(o->head) + o->head.n;
    p->traffic.messages[o->head.class]++;
    return o;
}

// Everybody in the decided epoch gets a FLUSH, also a peer that this node does not hold for a
// survivor: it may have installed an epoch that this node never did, and wait.
static struct link_out *link_next_flush(struct link_peer *p)
{
    if (!p->decided || p->flush_out >= p->flush_due)
        return NULL;
    uint32_t epoch = p->flush_due;
    struct link_out *o = link_out_new(LINK_FLUSH, &epoch, sizeof(epoch));
    if (o == NULL)
        return NULL; // tried again at the next poll
    o->head.class = RPC_FLUSH;
    p->flush_out = epoch;
    o->lost = FAULT("link", "flush", p->id);
    p->queued_bytes += sizeof(o->head) + o->head.n;
    return link_number(p, o);
}

// NULL also when TCP has enough of that class.
static struct link_out *link_next_queued(struct link_peer *p)
{
    size_t unsent = tcp_unsent_bytes(p->conn->tcp);
    for (unsigned c = 0; c < RPC_CLASSES; c++) {
        if (list_empty(&p->queue[c]))
            continue;
        if (unsent > (c == RPC_BACKGROUND ? LINK_UNSENT_BACKGROUND : LINK_UNSENT_BYTES_MAX))
            return NULL;
        return link_number(p, list_entry(list_pop(&p->queue[c]), struct link_out, link));
    }
    return NULL;
}

static bool link_queue_empty(const struct link_peer *p)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        if (!list_empty(&p->queue[c]))
            return false;
    return true;
}

// The old epoch's messages, FLUSH, the new epoch's messages.
static struct link_out *link_next_numbered(struct link_peer *p)
{
    if (node(link_flush_epoch) != 0 && p->survives && !link_queue_empty(p))
        return link_next_queued(p);
    struct link_out *o = link_next_flush(p);
    if (o != NULL || node(link_flush_epoch) != 0 || !link_is_open(p))
        return o;
    return link_next_queued(p);
}

// What the connection writes next; `kept`: it stays in `sent` until acknowledged.
struct link_out *link_next_frame(struct link_peer *p, bool *kept)
{
    *kept = false;
    struct list *item = list_pop(&p->control);
    if (item != NULL)
        return list_entry(item, struct link_out, link);
    *kept = true;
    struct link_out *o = p->resend;
    if (o == NULL)
        return link_next_numbered(p);
    p->resend = o->link.next == &p->sent ? NULL : list_entry(o->link.next, struct link_out, link);
    cluster_count_add("link: message written again", 1);
    o->lost = FAULT("link", "again", p->id);
    return o;
}

void link_acknowledged(struct link_peer *p, uint32_t seq)
{
    while (!list_empty(&p->sent)) {
        struct link_out *o = list_entry(p->sent.next, struct link_out, link);
        if (o->head.seq > seq || (p->conn != NULL && p->conn->current == o))
            return;
        if (p->resend == o)
            p->resend = NULL;
        list_remove(&o->link);
        p->queued_bytes -= sizeof(o->head) + o->head.n;
        link_out_free(o);
    }
}

static struct link_peer *link_member(node_id_t id)
{
    return id < NODE_MAX ? node(link_by_id)[id] : NULL;
}

bool link_has_room(node_id_t to)
{
    struct link_peer *p = link_member(to);
    return p == NULL || p->queued_bytes < LINK_QUEUE_BYTES_SOFT;
}

void rpc_lose_next(void)
{
    node(link_loses_next) = true;
}

int link_send(const struct link_message *m)
{
    struct link_peer *p = link_member(m->node);
    if (p == NULL)
        return -EHOSTDOWN;
    if (p->queued_bytes > LINK_QUEUE_BYTES_MAX && m->class != RPC_REPLY)
        return -ENOMEM;
    struct link_out *o = link_out_new(LINK_MESSAGE, m->bytes, m->n);
    if (o == NULL)
        return -ENOMEM;
    o->head.class = (uint8_t)m->class;
    o->head.kind = m->kind;
    o->head.request = m->request;
    o->head.status = m->status;
    o->lost = node(link_loses_next);
    node(link_loses_next) = false;
    p->queued_bytes += sizeof(o->head) + o->head.n;
    struct list *lists = node(link_flush_epoch) != 0 ? p->held : p->queue;
    list_append(&lists[m->class], &o->link);
    if (p->conn != NULL && p->conn->greeted)
        link_conn_pump(p->conn);
    return 0;
}

void link_control(uint64_t key, const uint8_t *bytes, size_t n)
{
    struct link_peer *p = link_peer_find(key);
    if (p == NULL || p->conn == NULL || !p->conn->greeted)
        return;
    struct link_out *o = link_out_new(LINK_CONTROL, bytes, n);
    if (o == NULL)
        return;
    list_append(&p->control, &o->link);
    link_conn_pump(p->conn);
}

static void link_beat(struct link_peer *p, uint64_t now_ms)
{
    if (p->conn == NULL || !p->conn->greeted || !list_empty(&p->control))
        return; // bytes wait already: no second heartbeat behind the first
    if (FAULT("link", "beat", p->id))
        return;
    struct link_beat beat = {.cluster = node(link_cluster),
                             .stamp_ms = now_ms,
                             .shown_ms = p->their_stamp_ms,
                             .decided = node(link_decided_epoch),
                             .installed = node(link_installed_epoch)};
    struct link_out *o = link_out_new(LINK_BEAT, &beat, sizeof(beat));
    if (o == NULL)
        return;
    list_append(&p->control, &o->link);
    link_conn_pump(p->conn);
}

void link_beat_all(const struct mb_record *decided, uint64_t now_ms)
{
    struct link_peer *p;
    node(link_cluster) = decided->cluster;
    node(link_decided_epoch) = decided->epoch;
    list_for_each (p, &node(link_peers), link)
        link_beat(p, now_ms);
}

// Much has come and nothing goes back that could acknowledge it: the sender keeps copies.
void link_acknowledge(struct link_peer *p, uint64_t now_ms)
{
    if (p->unacked_in_bytes >= LINK_ACK_BYTES)
        link_beat(p, now_ms);
}

// Members know of each other by what was decided.
static void link_tell(struct link_peer *p, const struct link_beacon *b)
{
    if (p->id != NODE_NONE || p->conn == NULL || !p->conn->greeted)
        return;
    struct link_out *o = link_out_new(LINK_TOLD, b, sizeof(*b));
    if (o == NULL)
        return;
    list_append(&p->control, &o->link);
    link_conn_pump(p->conn);
}

void link_beacon_send(const struct mb_record *decided)
{
    struct link_sealed_beacon s = {.beacon = {.magic = LINK_BEACON_MAGIC,
                                              .epoch = decided->epoch,
                                              .session = node(link_session_id),
                                              .cluster = decided->cluster,
                                              .who = node(link_me)}};
    if (FAULT("link", "beacon", NODE_NONE))
        return;
    struct net_address all = {.ip = NET_BROADCAST, .port = LINK_BEACON_PORT};
    size_t n = sizeof(s.beacon);
    if (node(link_is_sealed)) {
        struct link_peer *p;
        n = sizeof(s);
        seal_mac(node(link_keys).beacon, &s.beacon, sizeof(s.beacon), s.mac);
        list_for_each (p, &node(link_peers), link)
            link_tell(p, &s.beacon);
    }
    (void)udp_send(node(link_udp), all, &s, n); // the next one comes soon
}

// ---- in ----
static bool link_beacon_is_ours(const struct link_sealed_beacon *s, size_t n)
{
    if (!node(link_is_sealed))
        return n == sizeof(s->beacon);
    return n == sizeof(*s) &&
           seal_mac_fits(node(link_keys).beacon, &s->beacon, sizeof(s->beacon), s->mac);
}

static void link_on_beacon(void *arg, struct net_address from, const void *bytes, size_t n)
{
    (void)arg;
    struct link_sealed_beacon s = {0};
    struct link_beacon *b = &s.beacon;
    memcpy(&s, bytes, MIN(n, sizeof(s)));
    if ((n != sizeof(s) && n != sizeof(*b)) || b->magic != LINK_BEACON_MAGIC || b->who.key == 0) {
        cluster_count_add("beacon: malformed", 1);
        return;
    }
    if (b->who.key == node(link_me).key || b->session != node(link_session_id))
        return; // my own; a neighbour cluster's
    if (!link_beacon_is_ours(&s, n)) {
        cluster_count_add("beacon: without our key", 1);
        node(link_ops)->foreign(from.ip);
        return;
    }
    if (!node(link_is_sealed))
        b->who.ip = from.ip; // else the sealed one counts: anybody can send it again
    node(link_ops)->beacon(b);
}

static void link_on_told(struct link_peer *p, const uint8_t *bytes)
{
    struct link_beacon b;
    memcpy(&b, bytes, sizeof(b));
    if (!node(link_is_sealed) || b.magic != LINK_BEACON_MAGIC || b.who.key != p->key ||
        b.session != node(link_session_id)) {
        cluster_count_add("beacon: malformed", 1);
        return;
    }
    node(link_ops)->told(&b);
}

static void link_on_message(struct link_peer *p, const struct link_frame *f, const uint8_t *bytes)
{
    if (node(link_flush_epoch) != 0 && !p->survives) {
        // What it would cause could only be told in an epoch that has counted it out
        // (docs/protocols-notes.md, "FLUSH is also a fence").
        cluster_count_add("link: message of a node that is going", 1);
        return;
    }
    struct link_message m = {.node = p->id,
                             .class = (enum rpc_class)f->class,
                             .kind = f->kind,
                             .request = f->request,
                             .status = f->status,
                             .bytes = bytes,
                             .n = f->n};
    node(link_ops)->message(&m);
}

static void link_on_beat(struct link_peer *p, const uint8_t *bytes)
{
    struct link_beat beat;
    memcpy(&beat, bytes, sizeof(beat));
    if (beat.stamp_ms > p->their_stamp_ms)
        p->their_stamp_ms = beat.stamp_ms;
    p->their_installed = beat.installed;
    node(link_ops)->beat(p->key, &beat);
}

// A frame in its place of the peer's order.
void link_received(struct link_peer *p, const struct link_frame *f, const uint8_t *bytes)
{
    switch ((enum link_frame_type)f->type) {
    case LINK_HELLO:
        break;
    case LINK_CONTROL:
        node(link_ops)->control(p->key, bytes, f->n);
        break;
    case LINK_BEAT:
        link_on_beat(p, bytes);
        break;
    case LINK_MESSAGE:
        if (p->id != NODE_NONE)
            link_on_message(p, f, bytes);
        else
            cluster_count_add("link: message of a node that is no member", 1);
        break;
    case LINK_FLUSH:
        memcpy(&p->flush_in, bytes, sizeof(p->flush_in));
        break;
    case LINK_TOLD:
        link_on_told(p, bytes);
        break;
    }
}

// ---- flush and install ----
static void link_hold(struct link_peer *p)
{
    bool open = link_is_open(p);
    for (unsigned c = 0; c < RPC_CLASSES && !open; c++) {
        // It has not installed this node's epoch and never will: they go in the next one.
        struct list *item;
        while ((item = list_pop(&p->queue[c])) != NULL)
            list_append(&p->held[c], item);
    }
}

void link_flush(const struct mb_record *decided)
{
    struct link_peer *p;
    bool begins = node(link_flush_epoch) == 0;
    list_for_each (p, &node(link_peers), link) {
        if (begins)
            link_hold(p);
        p->decided = mb_record_key(decided, p->key) != NULL;
        p->survives = p->id != NODE_NONE && p->decided;
        p->flush_due = decided->epoch;
    }
    node(link_flush_epoch) = decided->epoch;
    list_for_each (p, &node(link_peers), link)
        if (p->conn != NULL && p->conn->greeted)
            link_conn_pump(p->conn);
}

bool link_flushed(void)
{
    struct link_peer *p;
    list_for_each (p, &node(link_peers), link)
        if (p->survives && (p->flush_in < node(link_flush_epoch) || p->flush_out < p->flush_due))
            return false;
    return true;
}

static void link_release_held(struct link_peer *p)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++) {
        struct list *item;
        while ((item = list_pop(&p->held[c])) != NULL)
            list_append(&p->queue[c], item);
    }
}

void link_install(const struct mb_record *installed)
{
    struct link_peer *p, *tmp;
    node(link_installed_epoch) = installed->epoch;
    node(link_flush_epoch) = 0;
    memset(node(link_by_id), 0, sizeof(node(link_by_id)));
    list_for_each_safe (p, tmp, &node(link_peers), link) {
        const struct mb_member *m = mb_record_key(installed, p->key);
        bool was = p->id != NODE_NONE;
        p->survives = false;
        p->decided = m != NULL;
        p->id = m != NULL ? m->id : NODE_NONE;
        if (m == NULL && was)
            link_peer_empty(p);
        if (m == NULL)
            continue;
        node(link_by_id)[m->id] = p;
        link_release_held(p);
    }
}

// ---- the thread's turn ----
// Keys that somebody could guess are none: a sealed node waits until its random bytes are good.
static bool link_may_shake(void)
{
    return !node(link_is_sealed) || random_is_ready();
}

static void link_doubt(struct link_peer *p, uint64_t now_ms)
{
    if (p->doubted_ms == 0)
        p->doubted_ms = now_ms;
    if ((p->conn != NULL && p->conn->greeted) || now_ms < p->doubted_ms + LINK_DOUBT_MS)
        return;
    p->doubted_ms = now_ms;
    net_neighbour_doubt(p->ip);
}

void link_poll(uint64_t now_ms)
{
    link_conn_poll_all(now_ms);
    struct link_peer *p, *tmp;
    list_for_each_safe (p, tmp, &node(link_peers), link) {
        // A turn's time is taken at its begin: a peer met in it looks as if met later.
        if (p->id == NODE_NONE && now_ms > p->met_ms + LINK_FORGET_MS) {
            link_peer_forget(p);
            continue;
        }
        link_doubt(p, now_ms);
        if (p->conn == NULL && node(link_me).key < p->key &&
            now_ms - p->tried_ms >= LINK_CONNECT_MS && link_may_shake()) {
            p->tried_ms = now_ms;
            link_conn_call(p, now_ms);
        }
        if (p->conn != NULL && p->conn->greeted)
            link_conn_pump(p->conn);
    }
}

void link_traffic_sent(node_id_t to, struct link_traffic *out)
{
    struct link_peer *p = link_member(to);
    memset(out, 0, sizeof(*out));
    if (p != NULL)
        *out = p->traffic;
}

static size_t link_list_bytes(const struct list *l)
{
    size_t n = 0;
    struct link_out *o;
    list_for_each (o, l, link)
        n += sizeof(o->head) + o->head.n;
    return n;
}

static unsigned link_peer_check(const struct link_peer *p)
{
    size_t bytes = link_list_bytes(&p->sent);
    uint32_t seq = p->seq_out;
    for (const struct list *at = p->sent.prev; at != &p->sent; at = at->prev)
        if (list_entry(at, struct link_out, link)->head.seq != seq--)
            return 1; // what is not acknowledged is numbered without a gap, up to the newest
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        bytes += link_list_bytes(&p->queue[c]) + link_list_bytes(&p->held[c]);
    if (bytes != p->queued_bytes)
        return 2;
    if (p->id == NODE_NONE && !p->decided && bytes != 0)
        return 3; // nothing is kept for a node that is no member
    if (p->id != NODE_NONE && node(link_by_id)[p->id] != p)
        return 4;
    if (p->conn != NULL && p->conn->peer != p)
        return 5;
    return 0;
}

unsigned link_peers_check(void)
{
    struct link_peer *p;
    list_for_each (p, &node(link_peers), link)
        if (link_peer_check(p) != 0)
            return link_peer_check(p);
    return 0;
}

bool link_start(const struct link_ops *ops, const struct mb_identity *self, uint64_t session,
                const uint8_t *cluster_key)
{
    node(link_is_sealed) = cluster_key != NULL;
    if (cluster_key != NULL)
        seal_keys_derive(&node(link_keys), cluster_key);
    node(link_ops) = ops;
    node(link_me) = *self;
    node(link_session_id) = session;
    list_init(&node(link_peers));
    node(link_udp) = udp_open(LINK_BEACON_PORT, link_on_beacon, NULL);
    return node(link_udp) != NULL && link_conn_start();
}
