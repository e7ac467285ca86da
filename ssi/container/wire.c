// SPDX-License-Identifier: MIT
// Messages about pages: gathered, sent, and parsed once.
#include "ssi/container/wire.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"

#define RETRY_NS (2 * NS_PER_MS)

struct cork {
    unsigned depth;
    struct container *c;
    node_id_t to;
    size_t n; // bytes gathered; 0: none
    uint8_t bytes[RPC_BYTES_MAX];
};

NODE_VAR(struct cork, cork);

// ---- what rpc had no memory for ----------------------------------------------------------------

// In pieces of a frame each: where memory is short, free frames lie apart.
#define KEPT_PIECES ((RPC_BYTES_MAX + PAGE_SIZE - 1) / PAGE_SIZE)

struct kept {
    struct list link;
    node_id_t to;
    uint16_t kind;
    size_t n;
    void *pieces[KEPT_PIECES];
};

NODE_VAR(struct list, kept);
NODE_VAR(struct timer, retry);
NODE_VAR(uint8_t, whole[RPC_BYTES_MAX]); // a message that is put together

static void kept_free(struct kept *k)
{
    for (unsigned i = 0; i < KEPT_PIECES; i++)
        heap_free(k->pieces[i]);
    heap_free(k);
}

static struct kept *kept_new(const uint8_t *bytes, size_t n)
{
    struct kept *k = heap_alloc_critical(sizeof(*k));
    if (k == NULL)
        return NULL;
    *k = (struct kept){.n = n};
    for (size_t at = 0; at < n; at += PAGE_SIZE) {
        void *piece = k->pieces[at / PAGE_SIZE] = heap_alloc_critical(MIN(n - at, PAGE_SIZE));
        if (piece == NULL) {
            kept_free(k);
            return NULL;
        }
        memcpy(piece, bytes + at, MIN(n - at, PAGE_SIZE));
    }
    return k;
}

static void keep(node_id_t to, unsigned kind, const void *bytes, size_t n)
{
    container_reap_now();
    struct kept *k = kept_new(bytes, n);
    if (k == NULL) {
        log_error("container", "no memory to say something to node %u", to);
        cluster_count_add("container: message lost, no memory", 1);
        return;
    }
    k->to = to;
    k->kind = (uint16_t)kind;
    list_append(&node(kept), &k->link);
    if (!timer_is_set(&node(retry)))
        timer_set(&node(retry), clock_now_ns() + RETRY_NS);
}

static void retry_kept(void *arg UNUSED)
{
    while (!list_empty(&node(kept))) {
        struct kept *k = list_entry(node(kept).next, struct kept, link);
        for (size_t at = 0; at < k->n; at += PAGE_SIZE)
            memcpy(node(whole) + at, k->pieces[at / PAGE_SIZE], MIN(k->n - at, PAGE_SIZE));
        if (rpc_send(k->to, k->kind, node(whole), k->n) == -ENOMEM) {
            timer_set(&node(retry), clock_now_ns() + RETRY_NS);
            return;
        }
        list_remove(&k->link);
        kept_free(k);
    }
}

static const char *const notes[] = {
    [NOTE_ATTACHED] = "ATTACHED", [NOTE_LEFT] = "LEFT", [NOTE_ASK] = "ASK",   [NOTE_USED] = "USED",
    [NOTE_UNUSED] = "UNUSED",     [NOTE_FREE] = "FREE", [NOTE_HOME] = "HOME",
};

const char *container_note_name(unsigned note)
{
    return note < ARRAY_SIZE(notes) && notes[note] != NULL ? notes[note] : "?";
}

void wire_send(node_id_t to, unsigned kind, const void *bytes, size_t n)
{
    // Order holds between what is kept and what comes after it.
    if (!list_empty(&node(kept)) || rpc_send(to, kind, bytes, n) == -ENOMEM)
        keep(to, kind, bytes, n);
}

// ---- gathering ----------------------------------------------------------------------------------

static size_t page_bytes(const struct container_page_wire *w)
{
    return sizeof(*w) + (w->content == CONTENT_BYTES ? PAGE_SIZE : 0);
}

// Each page in a message of its own: there is a reserve for such.
static void send_singly(node_id_t to, const uint8_t *bytes, size_t n)
{
    struct container_head_wire head;
    memcpy(&head, bytes, sizeof(head));
    head.count = 1;
    for (size_t at = sizeof(head); at < n;) {
        struct container_page_wire w;
        memcpy(&w, bytes + at, sizeof(w));
        memcpy(node(whole), &head, sizeof(head));
        memcpy(node(whole) + sizeof(head), bytes + at, page_bytes(&w));
        wire_send(to, MSG_container_pages, node(whole), sizeof(head) + page_bytes(&w));
        at += page_bytes(&w);
    }
}

static void flush(void)
{
    struct cork *k = &node(cork);
    if (k->n == 0)
        return;
    size_t n = k->n;
    k->n = 0;
    if (!list_empty(&node(kept)) || rpc_send(k->to, MSG_container_pages, k->bytes, n) == -ENOMEM)
        send_singly(k->to, k->bytes, n);
}

void wire_cork(void)
{
    node(cork).depth++;
}

void wire_uncork(void)
{
    ASSERT(node(cork).depth > 0);
    if (--node(cork).depth == 0)
        flush();
}

static void begin(struct container *c, node_id_t to)
{
    struct cork *k = &node(cork);
    struct container_head_wire head = {
        .id = c->id, .generation = c->link->generation, .home = c->link->home};
    k->c = c;
    k->to = to;
    k->n = sizeof(head);
    memcpy(k->bytes, &head, sizeof(head));
}

static void add(const void *bytes, size_t n)
{
    struct cork *k = &node(cork);
    memcpy(k->bytes + k->n, bytes, n);
    k->n += n;
}

static void add_content(frame_t f)
{
    struct cork *k = &node(cork);
    void *page = arch_frame_map(f);
    memcpy(k->bytes + k->n, page, PAGE_SIZE);
    arch_frame_unmap(page);
    k->n += PAGE_SIZE;
}

void wire_page(struct container *c, node_id_t to, uint32_t index, const struct coh_msg *m)
{
    struct cork *k = &node(cork);
    struct container_page_wire w = {.index = index};
    page_t p = page_get(c, index);
    coh_msg_put(m, &w.coh);
    if (m->kind == COH_DATA)
        w.content = p & PAGE_CLEAN ? CONTENT_PROVIDER : CONTENT_BYTES;
    size_t n = page_bytes(&w);
    if (k->n && (k->c != c || k->to != to || k->n + n > sizeof(k->bytes)))
        flush();
    if (k->n == 0)
        begin(c, to);
    add(&w, sizeof(w));
    if (w.content == CONTENT_BYTES)
        add_content(page_frame(p));
    ((struct container_head_wire *)k->bytes)->count++;
    FAULT_SEND("coherence", coh_kind_name(m->kind), to);
    if (k->depth == 0)
        flush();
}

// ---- arriving -----------------------------------------------------------------------------------

static void refuse(const char *reason)
{
    cluster_count_add(reason, 1);
}

// Who asks for a page of a container that is not here any more must not wait for ever.
static void answer_unknown(node_id_t from, const struct container_head_wire *head,
                           const struct container_page_wire *w)
{
    struct {
        struct container_head_wire head;
        struct container_page_wire page;
    } PACKED reply = {.head = *head, .page = {.index = w->index}};
    struct coh_msg lost = {.kind = COH_LOST};
    if (w->coh.kind != COH_READ_REQ && w->coh.kind != COH_WRITE_REQ)
        return;
    reply.head.count = 1;
    coh_msg_put(&lost, &reply.page.coh);
    wire_send(from, MSG_container_pages, &reply, sizeof(reply));
}

// One page of a message: bytes used, 0 when it is malformed.
static size_t take_page(struct container *c, const struct rpc_in *in,
                        const struct container_head_wire *head, const uint8_t *at, size_t left)
{
    struct container_page_wire w;
    struct coh_msg m;
    if (left < sizeof(w))
        return 0;
    memcpy(&w, at, sizeof(w));
    size_t n = page_bytes(&w);
    bool content = w.content == CONTENT_BYTES || w.content == CONTENT_PROVIDER;
    if (n > left || w.index >= INDEX_END || !coh_msg_get(&w.coh, in->from, &m) ||
        content != (m.kind == COH_DATA) || coh_kind_receiver(m.kind) == COH_TO_GATE)
        return 0;
    if (c == NULL)
        answer_unknown(in->from, head, &w);
    else
        transition_event(c, w.index, &m, w.content == CONTENT_BYTES ? at + sizeof(w) : NULL);
    return n;
}

void container_on_pages(const struct rpc_in *in)
{
    struct container_head_wire head;
    if (in->n < sizeof(head)) {
        refuse("container: short message");
        return;
    }
    memcpy(&head, in->bytes, sizeof(head));
    struct container *c = link_find(&head.id);
    if (c)
        link_learn(c, head.home, head.generation);
    else
        refuse("container: unknown");
    const uint8_t *at = (const uint8_t *)in->bytes + sizeof(head);
    size_t left = in->n - sizeof(head);
    wire_cork();
    for (unsigned i = 0; i < head.count; i++) {
        size_t n = take_page(c, in, &head, at, left);
        if (n == 0) {
            refuse("container: malformed page");
            break;
        }
        at += n;
        left -= n;
    }
    wire_uncork();
}

static void wire_start(void)
{
    list_init(&node(kept));
    timer_init(&node(retry), retry_kept, NULL);
}
INIT_STEP(INIT_CORE, wire_start);
