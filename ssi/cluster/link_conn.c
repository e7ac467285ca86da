// SPDX-License-Identifier: MIT
// Connections: who calls whom, the greeting, frames out of and into TCP. Events of TCP only leave
// marks; the cluster's thread does the work in link_conn_poll_all.
#include "ssi/cluster/link_priv.h"
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
    c->in = heap_alloc(LINK_FRAME_MAX);
    if (c->in == NULL) {
        heap_free(c);
        return NULL;
    }
    list_append(&node(link_conns), &c->link);
    return c;
}

static void link_conn_accept(void *arg, struct tcp_conn *tcp)
{
    (void)arg;
    struct link_conn *c = link_conn_new();
    if (c == NULL) {
        tcp_abort(tcp);
        cluster_count_add("link: no memory for a connection", 1);
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
    struct link_conn *c = link_conn_new();
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
        heap_free(c->current);
    if (p != NULL && p->conn == c) {
        p->conn = NULL;
        link_control_drop(p);
    }
    list_remove(&c->link);
    heap_free(c->in);
    heap_free(c);
}

// ---- out ----
static bool link_conn_write(struct link_conn *c)
{
    struct link_out *o = c->current;
    size_t total = sizeof(o->head) + o->head.n;
    const uint8_t *from = (const uint8_t *)&o->head; // the bytes follow the header
    long took = tcp_send(c->tcp, from + c->written, total - c->written);
    if (took < 0) {
        c->failed = true;
        link_upward()->work();
        return false;
    }
    c->written += (size_t)took;
    if (c->written < total)
        return false;
    c->current = NULL;
    if (!c->current_is_kept)
        heap_free(o);
    return true;
}

static bool link_conn_load(struct link_conn *c)
{
    struct link_out *o = link_next_frame(c->peer, &c->current_is_kept);
    if (o == NULL)
        return false;
    o->head.ack = c->peer->seq_in;
    c->peer->unacked_in_bytes = 0;
    c->current = o;
    c->written = 0;
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
    if (o == NULL) {
        c->failed = true;
        return;
    }
    // Only the greeting may go out before the other's greeting says where to go on.
    c->current = o;
    c->current_is_kept = false;
    c->written = 0;
    link_conn_write(c);
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
    if (f->magic != LINK_MAGIC || f->zero != 0 || f->type < LINK_HELLO || f->type > LINK_FLUSH)
        return "malformed frame";
    if (f->n > LINK_PAYLOAD_MAX || f->class >= RPC_CLASSES)
        return "malformed frame";
    if (f->type == LINK_BEAT && f->n != sizeof(struct link_beat))
        return "malformed heartbeat";
    if (f->type == LINK_FLUSH && f->n != sizeof(uint32_t))
        return "malformed flush";
    return NULL;
}

// Frames that lie complete in the buffer.
static const char *link_conn_take_frames(struct link_conn *c, uint64_t now_ms)
{
    size_t at = 0;
    const char *why = NULL;
    while (why == NULL && c->filled - at >= sizeof(struct link_frame)) {
        struct link_frame f;
        memcpy(&f, c->in + at, sizeof(f));
        why = link_frame_fault(&f);
        if (why != NULL || c->filled - at < sizeof(f) + f.n)
            break;
        why = link_conn_on_frame(c, &f, c->in + at + sizeof(f), now_ms);
        at += sizeof(f) + f.n;
    }
    memmove(c->in, c->in + at, c->filled - at);
    c->filled -= at;
    return why;
}

static const char *link_conn_read(struct link_conn *c, uint64_t now_ms)
{
    c->readable = false;
    for (;;) {
        long got = tcp_receive(c->tcp, c->in + c->filled, LINK_FRAME_MAX - c->filled);
        if (got == -EAGAIN)
            return NULL;
        if (got <= 0)
            return got == 0 ? "closed by the peer" : errno_text((int)got);
        c->filled += (size_t)got;
        if (c->greeted && now_ms > c->told_ms + LINK_HEARD_MS) {
            c->told_ms = now_ms;
            link_upward()->heard(c->peer->key);
        }
        const char *why = link_conn_take_frames(c, now_ms);
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
    if (c->caller && c->connected && !c->greeted && c->written == 0 && c->current == NULL)
        link_conn_greet(c);
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
