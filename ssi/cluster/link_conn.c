// SPDX-License-Identifier: MIT
// Connections: who calls whom, the greeting, frames out of and into TCP. Events of TCP only leave
// marks; the cluster's thread does the work in link_conn_poll_all.
#include "ssi/cluster/link_priv.h"
#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"

enum {
    LINK_HEARD_MS = 20
}; // membership need not hear of every segment

NODE_VAR(struct list, link_conns);
NODE_VAR(struct tcp_listener *, link_listener);

static void link_conn_event(void *arg, struct tcp_conn *tcp, unsigned events)
{
    (void)tcp;
    struct link_conn *c = arg;
    if (events & TCP_CONNECTED)
        c->connected = true;
    if (events & TCP_READABLE)
        c->readable = true;
    if (events & TCP_FAILED)
        c->failed = true;
    if (events & (TCP_CONNECTED | TCP_READABLE | TCP_FAILED))
        link_upward()->work();
    else if (c->peer != NULL && c->greeted)
        link_conn_pump(c);
}

static struct link_conn *link_conn_new(void)
{
    struct link_conn *c = heap_zalloc(sizeof(*c));
    if (c == NULL)
        return NULL;
    c->in = heap_alloc(LINK_GREETING_MAX); // a stranger gets no more
    c->in_size = LINK_GREETING_MAX;
    if (c->in == NULL) {
        heap_free(c);
        return NULL;
    }
    list_append(&node(link_conns), &c->link);
    return c;
}

// Room for one more that has not greeted: the one that came first goes at its next turn.
static bool link_strangers_fit(void)
{
    struct link_conn *c, *first = NULL;
    unsigned n = 0;
    list_for_each (c, &node(link_conns), link) {
        if (c->caller || c->greeted)
            continue;
        n++;
        if (first == NULL && !c->failed)
            first = c;
    }
    if (n < LINK_STRANGERS_MAX)
        return true;
    cluster_count_add("link: too many strangers", 1);
    if (first != NULL)
        first->failed = true;
    return n < 2 * LINK_STRANGERS_MAX;
}

static void link_conn_accept(void *arg, struct tcp_conn *tcp)
{
    (void)arg;
    struct link_conn *c = link_strangers_fit() ? link_conn_new() : NULL;
    if (c == NULL) {
        tcp_abort(tcp);
        cluster_count_add("link: connection refused", 1);
        return;
    }
    c->tcp = tcp;
    c->connected = true;
    c->readable = true; // bytes may have come before the events were set
    tcp_set_events(tcp, link_conn_event, c);
    link_upward()->work();
}

bool link_conn_start(void)
{
    list_init(&node(link_conns));
    node(link_listener) = tcp_listen(LINK_PORT, TCP_NODELAY | TCP_LINK, link_conn_accept, NULL);
    return node(link_listener) != NULL;
}

void link_conn_call(struct link_peer *p, uint64_t now_ms)
{
    struct link_conn *c = FAULT("link", "call", p->id) ? NULL : link_conn_new();
    if (c == NULL)
        return;
    c->caller = true;
    c->since_ms = c->heard_ms = now_ms;
    struct net_address to = {.ip = p->ip, .port = LINK_PORT};
    c->tcp = tcp_connect(to, TCP_NODELAY | TCP_LINK, link_conn_event, c);
    if (c->tcp == NULL) {
        list_remove(&c->link);
        heap_free(c->in);
        heap_free(c);
        return;
    }
    c->peer = p;
    p->conn = c;
}

// `why`: for the log, when the connection had been in use; NULL: not worth a line.
void link_conn_drop(struct link_conn *c, const char *why)
{
    struct link_peer *p = c->peer;
    if (why != NULL && c->greeted) {
        cluster_count_add("link: connection broken", 1);
        log_debug("link", "connection to %u.%u.%u.%u: %s", p->ip >> 24, (p->ip >> 16) & 255,
                  (p->ip >> 8) & 255, p->ip & 255, why);
    }
    tcp_abort(c->tcp);
    if (c->current != NULL && !c->current_is_kept)
        link_out_free(c->current);
    if (p != NULL && p->conn == c) {
        p->conn = NULL;
        link_control_drop(p);
    }
    list_remove(&c->link);
    seal_wipe(&c->seal, sizeof(c->seal));
    heap_free(c->record);
    heap_free(c->in);
    heap_free(c);
}

// ---- out ----
// The frame is the next to be written; sealed now, for its place in the order of records.
static void link_conn_put(struct link_conn *c, struct link_out *o, bool kept)
{
    c->current = o;
    c->current_is_kept = kept;
    c->written = 0;
    c->to_write = sizeof(o->head) + o->head.n;
    if (!c->seal.ready)
        return;
    memcpy(c->record + SEAL_HEAD_BYTES, &o->head, c->to_write); // the bytes follow the header
    c->to_write = seal_close(&c->seal, c->record, c->to_write);
}

static bool link_conn_write(struct link_conn *c)
{
    struct link_out *o = c->current;
    const uint8_t *from = c->seal.ready ? c->record : (const uint8_t *)&o->head;
    long took = tcp_send(c->tcp, from + c->written, c->to_write - c->written);
    if (took < 0) {
        c->failed = true;
        link_upward()->work();
        return false;
    }
    c->written += (size_t)took;
    if (c->written < c->to_write)
        return false;
    c->current = NULL;
    if (!c->current_is_kept)
        link_out_free(o);
    return true;
}

// A fault point struck: the connection breaks before this frame is out.
static void link_conn_lose(struct link_conn *c, struct link_out *o, bool kept)
{
    o->lost = false;
    if (!kept)
        link_out_free(o);
    c->failed = true;
    link_upward()->work();
}

static bool link_conn_load(struct link_conn *c)
{
    bool kept;
    struct link_out *o = link_next_frame(c->peer, &kept);
    if (o == NULL)
        return false;
    if (o->lost || FAULT("link", "frame", c->peer->id)) {
        link_conn_lose(c, o, kept);
        return false;
    }
    o->head.ack = c->peer->seq_in;
    c->peer->unacked_in_bytes = 0;
    link_conn_put(c, o, kept);
    return true;
}

// tcp_send may tell events, which lead back here: one pump at a time.
void link_conn_pump(struct link_conn *c)
{
    if (!c->connected || c->failed || c->pumping)
        return;
    c->pumping = true;
    while (c->current != NULL ? link_conn_write(c) : link_conn_load(c))
        ;
    c->pumping = false;
}

static void link_conn_greet(struct link_conn *c)
{
    const struct mb_identity *self = link_self();
    struct link_hello h = {.protocol = MB_PROTOCOL,
                           .received = c->peer->seq_in,
                           .session = link_session(),
                           .key = self->key,
                           .to_key = c->peer->key};
    struct link_out *o = link_out_new(LINK_HELLO, &h, sizeof(h));
    if (o == NULL || FAULT("link", "hello", c->peer->id)) {
        if (o != NULL)
            link_out_free(o);
        c->failed = true;
        return;
    }
    // Only the greeting may go out before the other's greeting says where to go on.
    link_conn_put(c, o, false);
    link_conn_write(c);
}

// ---- the seal's handshake ----
// The first bytes of a connection: TCP has room for them.
static void link_conn_say(struct link_conn *c, const void *bytes, size_t n)
{
    if (FAULT("link", "seal", NODE_NONE) || tcp_send(c->tcp, bytes, n) != (long)n)
        c->failed = true;
}

static void link_conn_speak(struct link_conn *c)
{
    const struct seal_keys *keys = link_seal_keys();
    uint8_t fresh[32];
    struct seal_call call;
    c->spoken = true;
    if (keys == NULL) {
        link_conn_greet(c);
        return;
    }
    random_bytes(fresh, sizeof(fresh));
    seal_begin(&c->seal, keys, link_session(), link_self()->key, c->peer->key, fresh, &call);
    seal_wipe(fresh, sizeof(fresh));
    link_conn_say(c, &call, sizeof(call));
}

// The called side; nothing is changed but this connection before the caller's first record.
static const char *link_conn_on_call(struct link_conn *c, const uint8_t *bytes)
{
    uint8_t fresh[32];
    struct seal_call call;
    struct seal_answer answer;
    if (!random_is_ready())
        return "seal: waits for random bytes";
    memcpy(&call, bytes, sizeof(call));
    random_bytes(fresh, sizeof(fresh));
    const char *why = seal_accept(&c->seal, link_seal_keys(), link_session(), link_self()->key,
                                  fresh, &call, &answer);
    seal_wipe(fresh, sizeof(fresh));
    if (why == NULL)
        link_conn_say(c, &answer, sizeof(answer));
    return why;
}

static const char *link_conn_on_answer(struct link_conn *c, const uint8_t *bytes)
{
    struct seal_answer answer;
    memcpy(&answer, bytes, sizeof(answer));
    return seal_finish(&c->seal, link_seal_keys(), &answer);
}

// The handshake's bytes at the begin of the connection. `*took`: how many, 0: not all there.
static const char *link_conn_shake(struct link_conn *c, size_t *took)
{
    size_t n = c->caller ? sizeof(struct seal_answer) : sizeof(struct seal_call);
    uint32_t magic = c->caller ? SEAL_ANSWER_MAGIC : SEAL_CALL_MAGIC;
    if (c->filled >= sizeof(magic) && memcmp(c->in, &magic, sizeof(magic)) != 0)
        return "seal: no seal";
    if (c->filled < n)
        return NULL;
    c->record = heap_alloc(LINK_RECORD_MAX);
    if (c->record == NULL)
        return "no memory";
    *took = n;
    const char *why = c->caller ? link_conn_on_answer(c, c->in) : link_conn_on_call(c, c->in);
    if (why == NULL && c->caller)
        link_conn_greet(c);
    return why;
}

// ---- in ----
// NULL, or why the connection is not wanted.
static const char *link_conn_on_hello(struct link_conn *c, const struct link_frame *f,
                                      const uint8_t *bytes, uint64_t now_ms)
{
    struct link_hello h;
    if (f->n != sizeof(h) || c->greeted)
        return "malformed greeting";
    memcpy(&h, bytes, sizeof(h));
    const struct mb_identity *self = link_self();
    if (h.protocol != MB_PROTOCOL)
        return "another protocol version";
    if (h.session != link_session() || h.key == 0 || h.to_key != self->key)
        return "greeting for another";
    if (c->caller ? h.key != c->peer->key : h.key >= self->key)
        return "greeting of another";
    if (!c->caller) {
        if (c->seal.ready && h.key != c->seal.call.key)
            return "greeting of another";
        struct link_peer *p = link_peer_make(h.key);
        if (p == NULL)
            return "no memory";
        if (p->conn != NULL)
            link_conn_drop(p->conn, "called anew");
        p->ip = tcp_peer(c->tcp).ip;
        p->met_ms = now_ms;
        p->conn = c;
        c->peer = p;
    }
    // Of a node that is no member any more nothing is known: it may come from long ago.
    if (c->peer->id != NODE_NONE && h.received > c->peer->seq_out)
        return "acknowledges what was never sent";
    c->greeted = true;
    link_acknowledged(c->peer, h.received);
    c->peer->resend =
        list_empty(&c->peer->sent) ? NULL : list_entry(c->peer->sent.next, struct link_out, link);
    if (!c->caller)
        link_conn_greet(c);
    link_conn_pump(c);
    return NULL;
}

// The order of the pair. False: the frame is not to be handled; `*why` ends the connection.
static bool link_conn_in_order(struct link_peer *p, const struct link_frame *f, const char **why)
{
    if (f->seq > p->seq_in + 1 && p->id == NODE_NONE) {
        // Late words of one that is out; its heartbeat will tell it so.
        cluster_count_add("link: message of a node that is no member", 1);
        return false;
    }
    if (f->seq > p->seq_in + 1 || f->seq == 0) {
        *why = "sequence number too high";
        return false;
    }
    if (f->seq <= p->seq_in) {
        cluster_count_add("link: message again", 1);
        return false;
    }
    p->seq_in = f->seq;
    (void)FAULT("link", "received", p->id);
    p->unacked_in_bytes += (uint32_t)sizeof(*f) + f->n;
    return true;
}

static const char *link_conn_on_frame(struct link_conn *c, const struct link_frame *f,
                                      const uint8_t *bytes, uint64_t now_ms)
{
    const char *why = NULL;
    c->heard_ms = now_ms;
    if (f->type == LINK_HELLO)
        return link_conn_on_hello(c, f, bytes, now_ms);
    if (!c->greeted)
        return "no greeting";
    struct link_peer *p = c->peer;
    if (p->id != NODE_NONE && f->ack > p->seq_out)
        return "acknowledges what was never sent";
    link_acknowledged(p, f->ack);
    bool numbered = f->type == LINK_MESSAGE || f->type == LINK_FLUSH;
    if (!numbered || link_conn_in_order(p, f, &why))
        link_received(p, f, bytes);
    return why;
}

static const char *link_frame_fault(const struct link_frame *f)
{
    if (f->magic != LINK_MAGIC || f->zero != 0 || f->type < LINK_HELLO || f->type > LINK_TOLD)
        return "malformed frame";
    if (f->n > LINK_PAYLOAD_MAX || f->class >= RPC_CLASSES)
        return "malformed frame";
    if (f->type == LINK_BEAT && f->n != sizeof(struct link_beat))
        return "malformed heartbeat";
    if (f->type == LINK_FLUSH && f->n != sizeof(uint32_t))
        return "malformed flush";
    if (f->type == LINK_TOLD && f->n != sizeof(struct link_beacon))
        return "malformed beacon";
    return NULL;
}

// A frame at `at`; of `there` bytes those it is long are taken, none when it is not all there.
static const char *link_conn_take_frame(struct link_conn *c, const uint8_t *at, size_t there,
                                        size_t *took, uint64_t now_ms)
{
    struct link_frame f;
    if (there < sizeof(f))
        return NULL;
    memcpy(&f, at, sizeof(f));
    const char *why = link_frame_fault(&f);
    if (why == NULL && !c->greeted && f.n > sizeof(struct link_hello))
        why = "no greeting"; // only a greeting finds room
    if (why != NULL || there < sizeof(f) + f.n)
        return why;
    *took = sizeof(f) + f.n;
    return link_conn_on_frame(c, &f, at + sizeof(f), now_ms);
}

static const char *link_conn_take_record(struct link_conn *c, uint8_t *at, size_t there,
                                         size_t *took, uint64_t now_ms)
{
    if (there < SEAL_HEAD_BYTES)
        return NULL;
    size_t n = seal_record_bytes(at), frame_took = 0;
    size_t most = c->greeted ? LINK_RECORD_MAX : LINK_GREETING_MAX;
    if (n < sizeof(struct link_frame) || n > most - SEAL_OVERHEAD)
        return "seal: malformed record";
    if (there < n + SEAL_OVERHEAD)
        return NULL;
    if (!seal_open(&c->seal, at, n))
        return "seal: forged or replayed record";
    *took = n + SEAL_OVERHEAD;
    const char *why = link_conn_take_frame(c, at + SEAL_HEAD_BYTES, n, &frame_took, now_ms);
    return why == NULL && frame_took != n ? "malformed frame" : why;
}

// What lies complete in the buffer.
static const char *link_conn_take(struct link_conn *c, uint64_t now_ms)
{
    size_t at = 0, took;
    const char *why;
    do {
        took = 0;
        uint8_t *next = c->in + at;
        size_t there = c->filled - at;
        if (c->seal.ready)
            why = link_conn_take_record(c, next, there, &took, now_ms);
        else if (link_seal_keys() != NULL)
            why = link_conn_shake(c, &took);
        else
            why = link_conn_take_frame(c, next, there, &took, now_ms);
        at += took;
    } while (why == NULL && took != 0);
    memmove(c->in, c->in + at, c->filled - at);
    c->filled -= at;
    return why;
}

// Room for any frame, once it has greeted.
static bool link_conn_grow(struct link_conn *c)
{
    if (!c->greeted || c->in_size == LINK_RECORD_MAX)
        return true;
    uint8_t *in = heap_alloc(LINK_RECORD_MAX);
    if (in == NULL)
        return false;
    memcpy(in, c->in, c->filled);
    heap_free(c->in);
    c->in = in;
    c->in_size = LINK_RECORD_MAX;
    return true;
}

static const char *link_conn_read(struct link_conn *c, uint64_t now_ms)
{
    c->readable = false;
    for (;;) {
        if (!link_conn_grow(c))
            return "no memory";
        long got = tcp_receive(c->tcp, c->in + c->filled, c->in_size - c->filled);
        if (got == -EAGAIN)
            return NULL;
        if (got <= 0)
            return got == 0 ? "closed by the peer" : errno_text((int)got);
        c->filled += (size_t)got;
        if (c->greeted && now_ms > c->told_ms + LINK_HEARD_MS) {
            c->told_ms = now_ms;
            link_upward()->heard(c->peer->key);
        }
        const char *why = link_conn_take(c, now_ms);
        if (why != NULL)
            return why;
    }
}

// One connection's turn; false: it is gone.
static bool link_conn_poll(struct link_conn *c, uint64_t now_ms)
{
    const char *why = NULL;
    if (c->since_ms == 0)
        c->since_ms = c->heard_ms = now_ms;
    if (c->caller && c->connected && !c->spoken)
        link_conn_speak(c);
    if (c->readable)
        why = link_conn_read(c, now_ms);
    if (why != NULL)
        cluster_count_add(why, 1);
    else if (c->failed)
        why = errno_text(tcp_error(c->tcp));
    else if (c->caller && now_ms > c->heard_ms + (c->greeted ? LINK_SILENT_MS : LINK_GREET_MS))
        why = "silent"; // the caller calls again; the called one waits for that
    else if (!c->greeted && now_ms > c->heard_ms + LINK_SILENT_MS)
        why = "no greeting";
    if (why != NULL) {
        link_conn_drop(c, why);
        return false;
    }
    if (c->greeted) {
        link_acknowledge(c->peer, now_ms);
        link_conn_pump(c);
    }
    return true;
}

// A connection's turn may end another one, so the walk begins anew after each loss.
void link_conn_poll_all(uint64_t now_ms)
{
    struct list *at = node(link_conns).next;
    while (at != &node(link_conns)) {
        struct link_conn *c = list_entry(at, struct link_conn, link);
        struct link_peer *before = c->peer;
        bool greeted = c->greeted;
        if (!link_conn_poll(c, now_ms) || (!greeted && before == NULL && c->greeted))
            at = node(link_conns).next;
        else
            at = at->next;
    }
}
