// SPDX-License-Identifier: MIT
// Pages of a linked container: feeds messages and faults to the step functions of coherence.h and
// carries out what they say. Everything between two sleeps, so the kernel lock covers a step and
// its effects; what a node says to itself goes through a short queue, before anything else.
#include "kernel/fault.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container_priv.h"

#define WINDOW_PAGES_MAX 8u // asked for ahead of a sequential reader
#define POSTS            64u

// ---- the home's directory: absent, an owner's number in a pointer's clothes, or an entry
// ---------

static bool is_owner(const void *v)
{
    return (uintptr_t)v & 1;
}

static void *owner_make(node_id_t owner)
{
    return (void *)(((uintptr_t)owner << 1) | 1); // NOLINT(performance-no-int-to-ptr)
}

bool transition_owned_plainly(const void *slot, node_id_t node)
{
    return slot == owner_make(node);
}

static node_id_t plain_owner(struct container *c, uint32_t index, void *v)
{
    if (v)
        return (node_id_t)((uintptr_t)v >> 1);
    return page_held(page_get(c, index)) != COH_HELD_NONE ? cluster_self() : NODE_NONE;
}

static struct coh_env env_of(struct container *c)
{
    struct container_link *l = c->link;
    struct coh_env env = {
        .self = cluster_self(),
        .home = l->home,
        .only = NODE_NONE,
        .push_to = node_set_first(&l->attached),
        .lodge_to = l->lodge_to,
        .closed = coh_gate_closed(&l->gate),
        .draining = c->users == 0,
    };
    if (node_set_count(&l->attached) == 1)
        env.only = env.push_to;
    return env;
}

struct coh_home *transition_entry(struct container *c, uint32_t index)
{
    struct container_link *l = c->link;
    void *v = radix_get(&l->directory, index);
    if (v && !is_owner(v))
        return v;
    struct coh_home *h = heap_alloc(sizeof(*h));
    if (h == NULL)
        return NULL;
    node_id_t owner = plain_owner(c, index, v);
    if (l->rebuilding || (owner == NODE_NONE && l->orphaned))
        coh_home_init_rebuild(h);
    else
        coh_home_init(h, owner);
    if (!radix_set(&l->directory, index, h)) {
        heap_free(h);
        return NULL;
    }
    if (h->state == COH_HOME_REBUILDING && !l->rebuilding) {
        struct coh_env env = env_of(c);
        struct coh_out out;
        struct coh_msg m = {.kind = COH_REBUILT, .from = env.self};
        coh_home_step(h, &env, &m, &out);
        ASSERT(out.sends == 0 && h->state == COH_HOME_LOST);
    }
    if (coh_home_is_busy(h))
        l->busy++;
    return h;
}

// Back to its short form when that says it all.
static void entry_settle(struct container *c, uint32_t index, struct coh_home *h)
{
    if (!coh_home_is_plain(h))
        return;
    node_id_t owner = h->owner;
    heap_free(h);
    if (owner == NODE_NONE || owner == cluster_self()) {
        radix_remove(&c->link->directory, index);
    } else {
        bool ok = radix_set(&c->link->directory, index, owner_make(owner));
        ASSERT(ok); // the slot exists
    }
}

bool transition_directory_trim(struct container_link *l, unsigned entries)
{
    uint32_t i = 0;
    for (void *v; (v = radix_next(&l->directory, &i)) != NULL; i++) {
        if (entries-- == 0)
            return false;
        radix_remove(&l->directory, i);
        if (!is_owner(v))
            heap_free(v);
    }
    l->busy = 0;
    return true;
}

// ---- messages of a node to itself ---------------------------------------------------------------

struct post {
    struct container *c;
    uint32_t index;
    struct coh_msg msg;
};

NODE_VAR(struct post, posts[POSTS]);
NODE_VAR(unsigned, post_first);
NODE_VAR(unsigned, post_count);
NODE_VAR(bool, stepping);

static void post(struct container *c, uint32_t index, const struct coh_msg *m)
{
    ASSERT(node(post_count) < POSTS);
    unsigned at = (node(post_first) + node(post_count)++) % POSTS;
    node(posts)[at] = (struct post){.c = c, .index = index, .msg = *m};
}

static void send_all(struct container *c, uint32_t index, const struct coh_out *out)
{
    for (unsigned i = 0; i < out->sends; i++) {
        const struct coh_send *s = &out->send[i];
        node_set_for_each (&s->to, to) {
            if (to == cluster_self())
                post(c, index, &s->msg);
            else
                wire_page(c, to, index, &s->msg);
        }
    }
}

static void refused(const struct coh_out *out)
{
    if (out->refused)
        cluster_count_add("container: page message that does not fit", 1);
}

// ---- the home's half ----------------------------------------------------------------------------

static void answer_moved(struct container *c, uint32_t index, const struct coh_msg *in)
{
    struct coh_msg m = coh_moved(in, cluster_self(), c->link->home);
    if (in->kind == COH_LODGE)
        return; // it will say so again
    if (in->kind != COH_READ_REQ && in->kind != COH_WRITE_REQ && in->kind != COH_OFFER)
        cluster_count_add("container: message for a home", 1);
    else if (in->from != cluster_self())
        wire_page(c, in->from, index, &m);
}

// The home's own request cannot be kept: its threads are told.
static void give_up(struct container *c, uint32_t index)
{
    page_t p = page_get(c, index);
    if (page_asked(p)) {
        page_replace(c, index, page_with(p, page_held(p), COH_RIGHT_NONE));
        c->link->asked_pages--;
    }
    page_wake(c, index, -ENOMEM);
}

static void home_step(struct container *c, uint32_t index, struct coh_home *h,
                      const struct coh_msg *in, const struct node_set *lost)
{
    struct container_link *l = c->link;
    struct coh_env env = env_of(c);
    struct coh_out out;
    if (lost)
        env.lost = *lost;
    bool busy = coh_home_is_busy(h);
    coh_home_step(h, &env, in, &out);
    trace_state("home", coh_home_state_name(out.was), coh_home_state_name(out.is), c->id.number,
                index);
    if (out.is != out.was)
        (void)FAULT("page-home", coh_home_state_name(out.is), in->from);
    refused(&out);
    l->busy += coh_home_is_busy(h);
    l->busy -= busy;
    send_all(c, index, &out);
    entry_settle(c, index, h);
}

static void home_deliver(struct container *c, uint32_t index, const struct coh_msg *in)
{
    struct container_link *l = c->link;
    if (l->gate.state == COH_GATE_AWAY) {
        answer_moved(c, index, in);
        return;
    }
    if (in->from != cluster_self()) {
        node_set_add(&l->known, in->from);
        if (in->kind == COH_READ_REQ || in->kind == COH_WRITE_REQ)
            link_requested(c, in->from);
    }
    struct coh_home *h = transition_entry(c, index);
    if (h) {
        home_step(c, index, h, in, NULL);
        return;
    }
    cluster_count_add("container: no memory for a directory entry", 1);
    if (in->from == cluster_self())
        give_up(c, index);
    else
        answer_moved(c, index, in); // asks again
}

// A plain entry is at rest and nobody waits for it: only the death of its owner concerns it.
static bool concerned(const void *v, const struct node_set *lost)
{
    return !is_owner(v) || (lost && node_set_has(lost, (node_id_t)((uintptr_t)v >> 1)));
}

void transition_home_event(struct container *c, enum coh_kind kind, const struct node_set *lost)
{
    struct coh_msg m = {.kind = (uint8_t)kind, .from = cluster_self()};
    void *v;
    wire_cork();
    c->link->walking++; // the gate does not take a half changed directory for a quiet one
    for (uint32_t i = 0; (v = radix_next(&c->link->directory, &i)) != NULL; i++) {
        struct coh_home *h = concerned(v, lost) ? transition_entry(c, i) : NULL;
        if (h == NULL)
            continue;
        home_step(c, i, h, &m, lost);
        transition_event(c, i, NULL, NULL);
    }
    c->link->walking--;
    gate_look(c);
    wire_uncork();
}

// ---- a node's own half --------------------------------------------------------------------------

struct content { // what may be installed
    frame_t frame;
    unsigned flags;
    int error; // why there is none
};

static struct content content_copy(const void *bytes)
{
    struct content k = {.frame = page_frame_new(0), .error = -ENOMEM};
    if (k.frame != FRAME_NONE) {
        void *page = arch_frame_map(k.frame);
        memcpy(page, bytes, PAGE_SIZE);
        arch_frame_unmap(page);
    }
    return k;
}

static void content_free(const struct content *k)
{
    if (k->frame != FRAME_NONE && !(k->flags & PAGE_BORROWED))
        frame_put(k->frame);
}

static void count(struct container *c, const struct coh_msg *in, const struct coh_out *out)
{
    struct container_counts *n = &c->link->counts;
    if (out->effects & COH_DO_DATA) {
        n->fetched += !(in->flags & COH_PUSH);
        n->drained += !!(in->flags & COH_PUSH);
    }
    if (in->kind == COH_GRANT && in->from != cluster_self()) {
        n->first += !!(out->effects & COH_DO_FIRST);
        n->upgrades += !(in->flags & COH_FIRST) && !out->refused;
    }
    if (in->kind == COH_FORWARD && out->sends) {
        n->pushed += !!(in->flags & COH_PUSH);
        n->sent += !(in->flags & COH_PUSH);
    }
    n->invalidated += in->kind == COH_INVALIDATE && (out->effects & COH_DO_DROP);
    n->refused += out->sends && out->send[0].msg.kind == COH_NAK;
}

static page_t let_go(page_t p)
{
    if (page_frame(p) != FRAME_NONE && !(p & PAGE_BORROWED))
        frame_put(page_frame(p));
    return page_make(FRAME_NONE, 0);
}

static void record_put(struct container *c, uint32_t index, page_t p, bool asked_again)
{
    page_t old = page_get(c, index);
    if (!asked_again && page_asked(p) && (old & PAGE_FORMER))
        p |= PAGE_FORMER;
    c->link->asked_pages += page_asked(p) != COH_RIGHT_NONE;
    c->link->asked_pages -= page_asked(old) != COH_RIGHT_NONE;
    if (page_frame(p) == FRAME_NONE && page_held(p) == COH_HELD_NONE &&
        page_asked(p) == COH_RIGHT_NONE) {
        if (old) {
            page_replace(c, index, p);
            radix_remove(&c->pages, index);
        }
        return;
    }
    page_replace(c, index, p);
}

// A record must exist before there is something to lose.
static bool record_make(struct container *c, uint32_t index)
{
    return page_get(c, index) || page_set(c, index, page_with(0, COH_HELD_NONE, COH_RIGHT_NONE));
}

// In the order of enum coh_do.
static void effects(struct container *c, uint32_t index, const struct coh_holder *h,
                    const struct coh_out *out, struct content *k, bool asked_again)
{
    page_t p = page_get(c, index);
    bool gave = out->was == COH_HELD_GIVING && out->is != COH_HELD_GIVING;
    if (out->effects & COH_DO_PROTECT)
        page_protect(c, index);
    if (out->effects & COH_DO_UNMAP)
        page_hide(c, index);
    send_all(c, index, out);
    if (out->effects & COH_DO_DROP)
        p = let_go(p);
    if ((out->effects & (COH_DO_FIRST | COH_DO_DATA)) && page_frame(p) == FRAME_NONE) {
        p = page_make(k->frame, k->flags);
        k->frame = FRAME_NONE;
    }
    record_put(c, index, page_with(p, h->held, h->asked), asked_again);
    bool came = out->effects & (COH_DO_FIRST | COH_DO_DATA | COH_DO_MAP_WRITE);
    if ((out->effects & COH_DO_WAKE) && page_wake(c, index, 0) && came)
        hold_begin(c, index);
    if (out->effects & COH_DO_FAIL)
        page_wake(c, index, -EHOSTDOWN);
    if (out->effects & COH_DO_BACK)
        page_wake(c, index, k->error ? k->error : -ENOMEM);
    if (gave) {
        drain_progress(c, index);
        lodge_progress(c, out->is == COH_HELD_NONE);
    }
}

static void holder_step(struct container *c, uint32_t index, const struct coh_msg *in,
                        struct content *k, const struct node_set *lost)
{
    page_t p = page_get(c, index);
    struct coh_holder h = {.held = page_held(p), .asked = page_asked(p)};
    struct coh_env env = env_of(c);
    struct coh_out out;
    if (lost)
        env.lost = *lost;
    env.home_lost = in->kind == COH_EPOCH_HOLDER;
    env.asked_elsewhere = (p & PAGE_FORMER) && cluster_is_member(c->link->former);
    env.accept = k->frame != FRAME_NONE && record_make(c, index);
    coh_holder_step(&h, &env, in, &out);
    trace_state("page", coh_held_name(out.was), coh_held_name(out.is), c->id.number, index);
    if (out.is != out.was)
        (void)FAULT("page-held", coh_held_name(out.is), in->from);
    refused(&out);
    count(c, in, &out);
    effects(c, index, &h, &out, k, in->kind == COH_MOVED && !(in->flags & COH_PUSH));
    content_free(k);
}

// ---- content from a provider that sleeps --------------------------------------------------------

struct fetch {
    struct work work;
    struct container *c; // with a user
    uint32_t index;
    struct coh_msg msg;
};

static void fetch_run(struct work *w)
{
    struct fetch *f = container_of(w, struct fetch, work);
    struct container *c = f->c;
    struct content k = {.frame = page_frame_new(FRAME_ZERO | FRAME_LOW), .flags = PAGE_CLEAN};
    if (k.frame == FRAME_NONE)
        k.error = -ENOMEM;
    else
        k.error = c->linker->first_touch(&c->source, f->index, frame_low_address(k.frame));
    if (k.error < 0) {
        content_free(&k);
        k.frame = FRAME_NONE;
    }
    wire_cork();
    if (c->link)
        holder_step(c, f->index, &f->msg, &k, NULL);
    else
        content_free(&k);
    transition_event(c, f->index, NULL, NULL);
    wire_uncork();
    container_put(c);
    heap_free(f);
}

static bool fetch_start(struct container *c, uint32_t index, const struct coh_msg *in)
{
    struct fetch *f = heap_zalloc(sizeof(*f));
    if (f == NULL)
        return false;
    container_get(c);
    f->c = c;
    f->index = index;
    f->msg = *in;
    work_init(&f->work, THREAD_URGENT, fetch_run);
    work_queue(&f->work);
    return true;
}

// The content that `in` brings or allows. False: the step waits until the provider has delivered.
static bool content_get(struct container *c, uint32_t index, const struct coh_msg *in,
                        const void *bytes, struct content *k)
{
    page_t p = page_get(c, index);
    bool data = in->kind == COH_DATA && page_held(p) == COH_HELD_NONE;
    bool first = in->kind == COH_GRANT && (in->flags & COH_FIRST) && page_asked(p);
    *k = (struct content){.frame = FRAME_NONE};
    if ((!data && !first) || !lodge_accepts(c, in->flags & COH_PUSH))
        return true;
    if (bytes) {
        *k = content_copy(bytes);
    } else if (c->source.kind == IO_anonymous) {
        *k = (struct content){.frame = page_frame_new(FRAME_ZERO), .error = -ENOMEM};
    } else {
        k->frame = page_lent(c, index);
        k->flags = PAGE_CLEAN | PAGE_BORROWED;
        if (k->frame == FRAME_NONE && fetch_start(c, index, in))
            return false;
        if (k->frame == FRAME_NONE)
            k->error = -ENOMEM;
    }
    return true;
}

static void holder_deliver(struct container *c, uint32_t index, const struct coh_msg *in,
                           const void *bytes)
{
    struct content k;
    if (!hold_back(c, index, in) && content_get(c, index, in, bytes, &k))
        holder_step(c, index, in, &k, NULL);
}

// ---- events -------------------------------------------------------------------------------------

static void deliver(struct container *c, uint32_t index, const struct coh_msg *m, const void *bytes)
{
    switch (coh_kind_receiver(m->kind)) {
    case COH_TO_HOME:
        home_deliver(c, index, m);
        break;
    case COH_TO_HOLDER:
        holder_deliver(c, index, m, bytes);
        break;
    case COH_TO_GATE:
    case COH_TO_NOBODY:
        cluster_count_add("container: not for a page", 1);
        break;
    }
}

void transition_event(struct container *c, uint32_t index, const struct coh_msg *msg,
                      const void *bytes)
{
    bool outer = !node(stepping);
    if (msg)
        deliver(c, index, msg, bytes);
    if (!outer)
        return;
    node(stepping) = true;
    while (node(post_count)) {
        struct post p = node(posts)[node(post_first)];
        node(post_first) = (node(post_first) + 1) % POSTS;
        node(post_count)--;
        deliver(p.c, p.index, &p.msg, NULL);
    }
    node(stepping) = false;
    gate_look(c);
}

static void local_event(struct container *c, uint32_t index, enum coh_kind kind)
{
    struct coh_msg m = {.kind = (uint8_t)kind, .from = cluster_self()};
    transition_event(c, index, &m, NULL);
}

bool transition_lodge(struct container *c, uint32_t index)
{
    if (link_is_home(c) && transition_entry(c, index) == NULL)
        return false;
    local_event(c, index, COH_SHED);
    return true;
}

// ---- faults -------------------------------------------------------------------------------------

// How many pages behind `index` to ask for as well: more while faults go on in sequence. The home
// asks ahead for what it has lodged with others.
static uint32_t ahead(struct container *c, uint32_t index)
{
    struct container_link *l = c->link;
    if (l->home == cluster_self() && l->lodge_to == NODE_NONE)
        return 0;
    if (index == l->next_index)
        l->window_pages = MIN(MAX(l->window_pages * 2, 2u), WINDOW_PAGES_MAX);
    else
        l->window_pages = 1;
    l->next_index = index + l->window_pages;
    return l->window_pages - 1;
}

static bool may_ask(const struct container *c, uint32_t index)
{
    return index < c->extent && page_get(c, index) == 0 &&
           (!link_is_home(c) || radix_get(&c->link->directory, index));
}

// Threads of this node stood still for pages of others: how often, and how long in all.
static void count_wait(uint64_t begun_ns)
{
    cluster_count_add("container: waits for a page", 1);
    cluster_count_add("container: us waited for pages",
                      (uint32_t)((clock_now_ns() - begun_ns) / 1000));
}

int transition_want(struct container *c, uint32_t index, unsigned access)
{
    enum coh_kind kind = access & PROT_W ? COH_FAULT_WRITE : COH_FAULT_READ;
    if (index >= INDEX_END)
        return -EIO;
    if (!record_make(c, index))
        return -ENOMEM;
    struct page_wait w;
    uint64_t begun_ns = clock_now_ns();
    page_wait_begin(c, &w, index);
    wire_cork();
    local_event(c, index, kind);
    uint32_t more = ahead(c, index);
    for (uint32_t i = index + 1; i <= index + more && may_ask(c, i) && record_make(c, i); i++)
        local_event(c, i, kind);
    wire_uncork();
    int e = page_wait_end(c, &w);
    count_wait(begun_ns);
    return e;
}
