// SPDX-License-Identifier: MIT
// The gate of a linked container: carries out what gate.h says. The home moves with its directory
// in one message; a fork (fork.c) freezes the holders.
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"
#include "ssi/container/wire.h"

#define ENTRY_BYTES_TYPICAL (sizeof(struct container_entry_wire) + 4)

// ---- the directory as bytes ---------------------------------------------------------------------

// What the new home's own frames say needs no word; most entries are such when all is drained.
bool gate_directory_fits(struct container *c, node_id_t new_home)
{
    struct radix *d = &c->link->directory;
    uint32_t n = 0, limit = (RPC_BYTES_MAX - sizeof(struct container_gate_wire)) / 2;
    void *v;
    for (uint32_t i = 0; (v = radix_next(d, &i)) != NULL && n <= limit; i++) {
        if (!transition_owned_plainly(v, new_home))
            n += ENTRY_BYTES_TYPICAL;
    }
    return n <= limit;
}

struct writer {
    uint8_t *at, *end;
    uint32_t entries;
    bool cut;
};

static void put_entry(struct writer *w, uint32_t index, const struct coh_home *h)
{
    struct container_entry_wire e = {.index = index,
                                     .owner = h->state == COH_HOME_LOST ? NODE_NONE : h->owner};
    struct node_set others = h->copies;
    node_set_remove(&others, h->owner);
    e.copies = (uint16_t)node_set_count(&others);
    if ((size_t)(w->end - w->at) < sizeof(e) + 2u * e.copies) {
        w->cut = true;
        return;
    }
    memcpy(w->at, &e, sizeof(e));
    w->at += sizeof(e);
    node_set_for_each (&others, n) {
        memcpy(w->at, &n, 2);
        w->at += 2;
    }
    w->entries++;
}

// Every page that has an owner other than the new home, whose own frames speak for themselves.
static void put_directory(struct container *c, struct writer *w, node_id_t new_home)
{
    struct container_link *l = c->link;
    for (uint32_t i = 0; radix_next(&l->directory, &i); i++) {
        struct coh_home short_form, *h = &short_form;
        uintptr_t v = (uintptr_t)radix_get(&l->directory, i);
        if (v & 1)
            coh_home_init(&short_form, (node_id_t)(v >> 1));
        else
            h = (struct coh_home *)v; // NOLINT(performance-no-int-to-ptr)
        bool untouched = h->state == COH_HOME_IDLE && h->owner == NODE_NONE;
        if (!untouched && (h->owner != new_home || node_set_count(&h->copies) > 1))
            put_entry(w, i, h);
    }
    for (uint32_t i = 0; radix_next(&c->pages, &i); i++) {
        struct coh_home mine;
        coh_home_init(&mine, cluster_self());
        if (page_held(page_get(c, i)) != COH_HELD_NONE && !radix_get(&l->directory, i))
            put_entry(w, i, &mine);
    }
}

// ---- taking it ----------------------------------------------------------------------------------

static bool take_entry(struct container *c, const struct container_entry_wire *e,
                       const uint8_t *copies)
{
    if (e->index >= INDEX_END || (e->owner >= NODE_MAX && e->owner != NODE_NONE))
        return false;
    struct coh_home *h = transition_entry(c, e->index);
    if (h == NULL)
        return false;
    coh_home_init(h, e->owner);
    if (e->owner == NODE_NONE)
        h->state = COH_HOME_LOST;
    for (unsigned i = 0; i < e->copies; i++) {
        node_id_t n;
        memcpy(&n, copies + 2 * (size_t)i, 2);
        if (n >= NODE_MAX)
            return false;
        node_set_add(&h->copies, n);
    }
    return true;
}

static bool take_entries(struct container *c, uint32_t count, const uint8_t *at, size_t left)
{
    for (uint32_t i = 0; i < count; i++) {
        struct container_entry_wire e;
        if (left < sizeof(e))
            return false;
        memcpy(&e, at, sizeof(e));
        size_t n = sizeof(e) + 2u * e.copies;
        if (left < n || !take_entry(c, &e, at + sizeof(e)))
            return false;
        at += n;
        left -= n;
    }
    return left == 0;
}

static bool take_directory(struct container *c, const struct container_gate_wire *w,
                           const void *bytes, size_t n)
{
    struct container_link *l = c->link;
    if (l->gate.state != COH_GATE_AWAY || c->users == 0)
        return false;
    if (!take_entries(c, w->entries, bytes, n)) {
        transition_directory_trim(c->link, UINT32_MAX);
        return false;
    }
    for (unsigned i = 0; i < NODE_SET_WORDS; i++) {
        l->attached.words[i] = w->attached[i];
        l->known.words[i] = w->known[i];
    }
    node_set_add(&l->attached, cluster_self());
    node_set_add(&l->known, cluster_self());
    l->orphaned = w->status != 0;
    return true;
}

// ---- effects ------------------------------------------------------------------------------------

static struct container_gate_wire gate_wire(struct container *c, unsigned kind,
                                            const struct container_id *child, int status)
{
    struct container_gate_wire w = {
        .head = {.id = c->id,
                 .generation = c->link->generation,
                 .home = c->link->home,
                 .count = (uint16_t)kind},
        .status = status,
    };
    if (child)
        w.child = *child;
    return w;
}

static void gate_send(node_id_t to, unsigned kind, const void *bytes, size_t n)
{
    FAULT_SEND("gate", coh_kind_name(kind), to);
    wire_send(to, MSG_container_gate, bytes, n);
}

// False: no memory for it.
static bool send_directory(struct container *c, node_id_t to)
{
    struct container_link *l = c->link;
    uint8_t *bytes = heap_alloc(RPC_BYTES_MAX);
    if (bytes == NULL)
        return false;
    struct container_gate_wire w = gate_wire(c, COH_DIRECTORY, NULL, l->orphaned);
    struct writer out = {.at = bytes + sizeof(w), .end = bytes + RPC_BYTES_MAX};
    put_directory(c, &out, to);
    memcpy(w.attached, l->attached.words, sizeof(w.attached));
    node_set_add(&l->known, cluster_self()); // this one keeps a record that says where the home is
    memcpy(w.known, l->known.words, sizeof(w.known));
    w.entries = out.entries;
    memcpy(bytes, &w, sizeof(w));
    if (!out.cut)
        gate_send(to, COH_DIRECTORY, bytes, (size_t)(out.at - bytes));
    heap_free(bytes);
    return !out.cut;
}

static void send_one(struct container *c, node_id_t to, unsigned kind,
                     const struct container_id *child, int status)
{
    struct container_gate_wire w = gate_wire(c, kind, child, status);
    if (kind != COH_DIRECTORY) {
        gate_send(to, w.head.count, &w, sizeof(w));
    } else if (!send_directory(c, to)) {
        struct coh_gate_event no = {.kind = COH_DECLINED, .from = to};
        gate_event(c, &no, NULL, 0);
    }
}

// A node that does not know the container has nothing to freeze and cannot be its home.
static void answer_unknown(node_id_t to, const struct container_gate_wire *in)
{
    struct container_gate_wire w = *in;
    w.entries = 0;
    w.status = 0;
    w.head.count = in->head.count == COH_FREEZE ? COH_FROZEN : COH_DECLINED;
    if (in->head.count == COH_FREEZE || in->head.count == COH_DIRECTORY)
        gate_send(to, w.head.count, &w, sizeof(w));
}

// The home is elsewhere from now on: all hear it before the new home begins, and who waits here is
// sent there.
static void gone(struct container *c)
{
    struct container_link *l = c->link;
    link_set_home(c, l->gate.target, l->generation + 1);
    link_tell_home(c);
    link_end_home(c);
    drain_consider(c);
}

// What an entry says may be older than an epoch that went by while the gate was moving.
static void catch_up(struct container *c)
{
    struct node_set lost = {{0}};
    for (node_id_t n = 0; n < NODE_MAX; n++)
        if (!cluster_is_member(n))
            node_set_add(&lost, n);
    transition_home_event(c, COH_EPOCH_HOME, &lost);
}

static void run(struct container *c, const struct coh_gate_out *out)
{
    if ((out->effects & ~COH_GATE_DO_ENTRIES) == 0)
        return; // also when the directory could not be sent, and the gate is open again
    struct container_link *l = c->link;
    if (out->effects & COH_GATE_DO_COPY)
        fork_copy(c);
    if (out->effects & COH_GATE_DO_TAKE)
        link_set_home(c, cluster_self(), l->generation + 1);
    if (out->effects & (COH_GATE_DO_TAKE | COH_GATE_DO_EPOCH))
        catch_up(c);
    if (out->effects & COH_GATE_DO_TELL)
        link_tell_home(c);
    if (out->effects & COH_GATE_DO_OPEN) {
        transition_home_event(c, COH_OPEN, NULL);
        link_check_end(c);
    }
}

void gate_event(struct container *c, const struct coh_gate_event *e,
                const struct container_id *child, int status)
{
    struct coh_gate_out out;
    coh_gate_step(&c->link->gate, cluster_self(), e, &out);
    if (out.is != out.was)
        (void)FAULT("gate", coh_gate_state_name(out.is), e->from);
    if (out.refused) {
        cluster_count_add("container: gate message that does not fit", 1);
        return;
    }
    if (out.effects & COH_GATE_DO_GONE)
        gone(c);
    node_set_for_each (&out.to, to) {
        if (out.send && to != cluster_self())
            send_one(c, to, out.send, child, status);
    }
    run(c, &out);
}

void gate_look(struct container *c)
{
    struct container_link *l = c->link;
    struct coh_gate_event e = {.kind = COH_QUIET, .from = cluster_self()};
    if (l && l->gate.state == COH_GATE_CLOSING && l->busy == 0 && l->walking == 0)
        gate_event(c, &e, l->fork ? fork_child_of(l->fork) : NULL, 0);
}

void container_on_gate(const struct rpc_in *in)
{
    struct container_gate_wire w;
    if (in->n < sizeof(w)) {
        cluster_count_add("container: malformed gate message", 1);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    struct container *c = link_find(&w.head.id);
    if (c == NULL || coh_kind_receiver(w.head.count) != COH_TO_GATE ||
        w.head.count >= COH_LOCAL_FIRST) {
        cluster_count_add("container: gate message refused", 1);
        if (c == NULL)
            answer_unknown(in->from, &w);
        return;
    }
    link_learn(c, w.head.home, w.head.generation);
    struct coh_gate_event e = {.kind = (uint8_t)w.head.count, .from = in->from};
    int status = 0;
    if (e.kind == COH_DIRECTORY)
        e.accept = take_directory(c, &w, (const uint8_t *)in->bytes + sizeof(w), in->n - sizeof(w));
    if (e.kind == COH_FREEZE)
        status = fork_freeze(c, &w.child, in->from);
    if (e.kind == COH_FROZEN && w.status < 0)
        fork_failed(c, w.status);
    gate_event(c, &e, &w.child, status);
}
