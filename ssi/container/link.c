// SPDX-License-Identifier: MIT
// Linked containers: their names, how a node comes to know one, and how it ends everywhere. The
// end: a node tells the home when its last user went (LEFT, with all nodes that its users went to);
// a home without a user asks all who may have one; when none has, all free their pages. A node
// leaves only after those its users went to have theirs, so nobody can slip through.
#include "kernel/init.h"
#include "kernel/random.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"
#include "ssi/container/wire.h"

#define BUCKETS 64u

NODE_VAR(struct list, names[BUCKETS]);
NODE_VAR(uint32_t, last_number);

static struct list *bucket(const struct container_id *id)
{
    return &node(names)[(id->number ^ id->node) % BUCKETS];
}

struct container *link_find(const struct container_id *id)
{
    struct container_link *l;
    list_for_each (l, bucket(id), hash_link) {
        const struct container_id *other = &l->container->id;
        if (other->node == id->node && other->number == id->number)
            return l->container;
    }
    return NULL;
}

// A node that died and came back has another start, so it does not give old names again.
struct container_id link_new_id(void)
{
    if (node(last_number) == 0)
        node(last_number) = random_u32() | 1;
    return (struct container_id){.node = cluster_self(), .number = node(last_number)++};
}

bool link_make(struct container *c, const struct container_id *id, node_id_t home,
               uint32_t generation)
{
    struct container_link *l = heap_zalloc(sizeof(*l));
    if (l == NULL)
        return false;
    bool here = home == cluster_self();
    l->container = c;
    l->home = home;
    l->generation = generation;
    l->former = NODE_NONE;
    l->lodge_to = NODE_NONE;
    l->next_index = UINT32_MAX;
    coh_gate_init(&l->gate, here);
    radix_init(&l->directory, &heap_radix_memory);
    list_init(&l->drain_link);
    if (here)
        node_set_add(&l->attached, home);
    c->id = *id;
    c->link = l;
    list_append(bucket(id), &l->hash_link);
    return true;
}

void link_each(void (*fn)(struct container *c, void *arg), void *arg)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct container_link *l, *next;
        list_for_each_safe (l, next, &node(names)[i], hash_link)
            fn(l->container, arg);
    }
}

// Forgets the name and the directory, and frees the pages.
static void end_here(struct container *c)
{
    struct container_link *l = c->link;
    drain_forget(c);
    hold_forget(c);
    list_remove(&l->hash_link);
    c->link = NULL;
    c->ended = l;
    container_end(c);
}

// ---- notes --------------------------------------------------------------------------------------

static void note_send(node_id_t to, const struct container_note_wire *w)
{
    FAULT_SEND("note", container_note_name(w->head.count), to);
    wire_send(to, MSG_container_note, w, sizeof(*w));
}

static void note(struct container *c, node_id_t to, enum container_note kind)
{
    struct container_link *l = c->link;
    struct container_note_wire w = {
        .head = {.id = c->id,
                 .generation = l->generation,
                 .home = l->home,
                 .count = (uint16_t)kind},
        .speaker = NODE_NONE,
        .round = l->round,
    };
    for (unsigned i = 0; kind == NOTE_LEFT && i < NODE_SET_WORDS; i++)
        w.set[i] = l->exported.words[i];
    note_send(to, &w);
}

// Of a container that this node has no record of.
static void note_unmet(const struct container_id *id, node_id_t home, node_id_t to,
                       enum container_note kind)
{
    struct container_note_wire w = {
        .head = {.id = *id, .generation = 1, .home = home, .count = (uint16_t)kind},
        .speaker = NODE_NONE,
    };
    note_send(to, &w);
}

void link_free_unmade(const struct container_id *id, const struct node_set *known)
{
    node_set_for_each (known, n) {
        if (n != cluster_self() && cluster_is_member(n))
            note_unmet(id, cluster_self(), n, NOTE_FREE);
    }
}

void link_decline(const struct container_id *id, node_id_t home)
{
    note_unmet(id, home, home, NOTE_LEFT);
}

bool link_is_home(const struct container *c)
{
    return c->link->gate.state != COH_GATE_AWAY;
}

// ---- attach -------------------------------------------------------------------------------------

int container_export(struct container *c, struct container_ref *ref)
{
    if (c->linker->own) {
        *ref = (struct container_ref){.source = c->source};
        return 0;
    }
    if (c->link == NULL) {
        struct container_id id = link_new_id();
        if (!link_make(c, &id, cluster_self(), 1))
            return -ENOMEM;
    }
    *ref = (struct container_ref){.id = c->id,
                                  .source = c->source,
                                  .home = c->link->home,
                                  .home_generation = c->link->generation,
                                  .extent = c->extent};
    return 0;
}

// Only a node's own word attaches it: what another says of it may be late.
static void attach_at_home(struct container *c, node_id_t who)
{
    if (node_set_has(&c->link->attached, who))
        return;
    node_set_add(&c->link->attached, who);
    transition_home_event(c, COH_OPEN, NULL);
}

// A request says that its node has a user, but one that a former home sent on its way again may
// have been overtaken by its node's last word: the node is asked.
void link_requested(struct container *c, node_id_t who)
{
    if (node_set_has(&c->link->attached, who))
        return;
    node_set_add(&c->link->attached, who);
    note(c, who, NOTE_ASK);
}

static void attached_again(struct container *c)
{
    c->link->lodges = false;
    if (link_is_home(c))
        attach_at_home(c, cluster_self());
    else
        note(c, c->link->home, NOTE_ATTACHED);
}

struct container *link_import(const struct container_ref *ref)
{
    if (ref->home == cluster_self() || ref->home >= NODE_MAX || ref->extent > INDEX_END)
        return NULL; // a home that forgot it: nobody has it
    struct container *c = container_new(&ref->source);
    if (c == NULL)
        return NULL;
    if (!link_make(c, &ref->id, ref->home, ref->home_generation)) {
        container_put(c);
        return NULL;
    }
    return c;
}

struct container *container_import(const struct container_ref *ref)
{
    const struct io_linker *linker = container_linker_of(ref->source.kind);
    if (linker && linker->own)
        return linker->own();
    struct container *c = link_find(&ref->id);
    if (c == NULL) {
        c = link_import(ref);
        if (c == NULL)
            return NULL;
        attached_again(c);
    } else {
        link_learn(c, ref->home, ref->home_generation);
        if (c->users++ == 0)
            attached_again(c);
    }
    c->extent = MAX(c->extent, ref->extent);
    return c;
}

static void mark_asked(struct container *c)
{
    for (uint32_t i = 0; c->link->asked_pages && radix_next(&c->pages, &i); i++) {
        page_t p = page_get(c, i);
        if (page_asked(p))
            page_replace(c, i, p | PAGE_FORMER);
    }
}

void link_set_home(struct container *c, node_id_t home, uint32_t generation)
{
    struct container_link *l = c->link;
    if (l->home != home) {
        l->former = l->home;
        mark_asked(c);
    }
    l->home = home;
    l->generation = generation;
}

void link_former_died(struct container *c)
{
    struct coh_msg moved = {.kind = COH_MOVED, .from = cluster_self(), .node = c->link->home};
    wire_cork();
    for (uint32_t i = 0; c->link->asked_pages && radix_next(&c->pages, &i); i++) {
        if (page_get(c, i) & PAGE_FORMER)
            transition_event(c, i, &moved, NULL);
    }
    wire_uncork();
}

void link_learn(struct container *c, node_id_t home, uint32_t generation)
{
    struct container_link *l = c->link;
    if (link_is_home(c) || generation < l->generation || home >= NODE_MAX ||
        home == cluster_self() || !cluster_is_member(home))
        return;
    link_set_home(c, home, generation);
}

// ---- end ----------------------------------------------------------------------------------------

// Asks everybody who may have a user. An answer to an earlier round counts for nothing: it may be
// older than the user that came to its node since.
static void ask_all(struct container *c)
{
    struct container_link *l = c->link;
    l->round++;
    node_set_clear(&l->asked);
    node_set_for_each (&l->known, n) {
        if (n == cluster_self() || !cluster_is_member(n))
            continue;
        node_set_add(&l->asked, n);
        note(c, n, NOTE_ASK);
    }
}

// A node that learns this late would report to the wrong heir, should this one die.
void link_tell_home(struct container *c)
{
    struct container_link *l = c->link;
    node_set_for_each (&l->known, n) {
        if (n != cluster_self())
            note(c, n, NOTE_HOME);
    }
    // What the last home believed may have changed on the way.
    node_set_for_each (&l->attached, n) {
        if (n != cluster_self())
            note(c, n, NOTE_ASK);
    }
}

// This node is the home no more: its entries say so to who waits, and go.
void link_end_home(struct container *c)
{
    struct container_link *l = c->link;
    transition_home_event(c, COH_GONE, NULL);
    transition_directory_trim(c->link, UINT32_MAX);
    node_set_clear(&l->attached);
    node_set_clear(&l->known);
    node_set_clear(&l->asked);
    l->ending = false;
    l->orphaned = false;
    l->rebuilding = false;
    l->lodge_pages = 0;
}

// A successor that still learns from the survivors gives way to a home that lives after all: it
// had moved before the old one died.
static void give_way(struct container *c, node_id_t home, uint32_t generation)
{
    if (!c->link->rebuilding || home == cluster_self() || !cluster_is_member(home))
        return;
    link_set_home(c, home, generation);
    link_end_home(c);
    coh_gate_init(&c->link->gate, false);
}

static void free_everywhere(struct container *c)
{
    node_set_for_each (&c->link->known, n) {
        if (n != cluster_self())
            note(c, n, NOTE_FREE);
    }
    end_here(c);
}

// Nobody is asked any more: somebody has users, or the container ends.
static void asked_all(struct container *c)
{
    struct container_link *l = c->link;
    l->ending = false;
    if (node_set_empty(&l->attached) && c->users == 0 && l->gate.state == COH_GATE_OPEN)
        free_everywhere(c);
}

void link_check_end(struct container *c)
{
    struct container_link *l = c->link;
    if (l->gate.state != COH_GATE_OPEN || l->ending || c->users > 0 ||
        !node_set_empty(&l->attached))
        return;
    l->ending = true;
    ask_all(c);
    if (node_set_empty(&l->asked))
        asked_all(c);
}

static void learn_known(struct container *c, const struct node_set *set)
{
    struct container_link *l = c->link;
    node_set_for_each (set, n)
        node_set_add(&l->known, n);
    if (l->ending)
        ask_all(c);
}

static void left_at_home(struct container *c, node_id_t who, const struct node_set *exported)
{
    learn_known(c, exported);
    node_set_remove(&c->link->attached, who);
    link_check_end(c);
}

void link_left(struct container *c)
{
    struct container_link *l = c->link;
    if (!link_is_home(c)) {
        note(c, l->home, NOTE_LEFT);
        drain_consider(c);
        return;
    }
    drain_consider(c);
    left_at_home(c, cluster_self(), &l->exported);
}

static void answered(struct container *c, node_id_t who, unsigned round, bool used)
{
    struct container_link *l = c->link;
    if (used)
        attach_at_home(c, who);
    else
        node_set_remove(&l->attached, who);
    if (!l->ending) {
        link_check_end(c);
        return;
    }
    if (round == l->round)
        node_set_remove(&l->asked, who);
    if (node_set_empty(&l->asked))
        asked_all(c);
}

// What came by way of a former home may be older than what came straight: the speaker is asked.
static void heard_of(struct container *c, node_id_t who, const struct node_set *exported)
{
    learn_known(c, exported);
    if (!c->link->ending && who != cluster_self())
        note(c, who, NOTE_ASK);
}

// The dead do not answer; and perhaps they were the last users.
void link_epoch_end(struct container *c, const struct node_set *lost)
{
    struct container_link *l = c->link;
    node_set_minus(&l->asked, lost);
    if (!l->ending)
        link_check_end(c);
    else if (node_set_empty(&l->asked))
        asked_all(c);
}

static void note_at_home(struct container *c, node_id_t from, const struct container_note_wire *w)
{
    struct node_set set;
    for (unsigned i = 0; i < NODE_SET_WORDS; i++)
        set.words[i] = w->set[i];
    node_set_add(&set, from);
    if (w->speaker != NODE_NONE) {
        heard_of(c, from, &set);
        return;
    }
    switch ((enum container_note)w->head.count) {
    case NOTE_ATTACHED:
        learn_known(c, &set);
        attach_at_home(c, from);
        break;
    case NOTE_LEFT:
        left_at_home(c, from, &set);
        break;
    case NOTE_USED:
    case NOTE_UNUSED:
        answered(c, from, w->round, w->head.count == NOTE_USED);
        break;
    case NOTE_ASK:
    case NOTE_FREE:
    case NOTE_HOME:
        break;
    }
}

static void answer_ask(node_id_t from, const struct container_note_wire *w, bool used)
{
    struct container_note_wire reply = *w;
    reply.speaker = NODE_NONE;
    reply.head.count = used ? NOTE_USED : NOTE_UNUSED;
    note_send(from, &reply);
}

// A note for a home that moved on goes after it.
static void pass_on(struct container *c, const struct container_note_wire *w, node_id_t from)
{
    struct container_note_wire copy = *w;
    copy.speaker = from;
    copy.head.home = c->link->home;
    copy.head.generation = c->link->generation;
    if (c->link->home != cluster_self())
        note_send(c->link->home, &copy);
}

static void note_for_holder(struct container *c, node_id_t from,
                            const struct container_note_wire *w)
{
    bool used = c && c->users > 0;
    switch ((enum container_note)w->head.count) {
    case NOTE_ASK:
        answer_ask(from, w, used);
        break;
    case NOTE_FREE:
        if (used)
            cluster_count_add("container: told to free what is used", 1);
        else if (c && !link_is_home(c))
            end_here(c);
        break;
    case NOTE_ATTACHED:
    case NOTE_LEFT:
    case NOTE_USED:
    case NOTE_UNUSED:
    case NOTE_HOME:
        break;
    }
}

void container_on_note(const struct rpc_in *in)
{
    struct container_note_wire w;
    if (in->n != sizeof(w)) {
        cluster_count_add("container: malformed note", 1);
        return;
    }
    __builtin_memcpy(&w, in->bytes, sizeof(w));
    node_id_t from = w.speaker == NODE_NONE ? in->from : w.speaker;
    struct container *c = link_find(&w.head.id);
    if (!cluster_is_member(from))
        return;
    if (c && w.head.count == NOTE_HOME)
        give_way(c, w.head.home, w.head.generation);
    if (c)
        link_learn(c, w.head.home, w.head.generation);
    if (w.head.count == NOTE_ASK || w.head.count == NOTE_FREE || w.head.count == NOTE_HOME)
        note_for_holder(c, in->from, &w);
    else if (c == NULL)
        cluster_count_add("container: unknown", 1);
    else if (link_is_home(c))
        note_at_home(c, from, &w);
    else
        pass_on(c, &w, from);
}

// ---- reports ------------------------------------------------------------------------------------

void container_counts_of(const struct container *c, struct container_counts *counts)
{
    *counts = c->link ? c->link->counts : (struct container_counts){0};
}

static bool counted_before(struct space *s, const struct segment *at)
{
    struct segment *before;
    list_for_each (before, &s->segments, link) {
        if (before == at)
            return false;
        if (before->object == at->object)
            return true;
    }
    return false;
}

void container_space_counts(struct space *s, struct container_counts *sum)
{
    struct segment *at;
    *sum = (struct container_counts){.fetched = s->left_fetched, .drained = s->left_drained};
    list_for_each (at, &s->segments, link) {
        struct container_counts n;
        if (counted_before(s, at))
            continue;
        container_counts_of(at->object, &n);
        sum->fetched += n.fetched;
        sum->drained += n.drained;
        sum->pushed += n.pushed;
        sum->sent += n.sent;
        sum->first += n.first;
        sum->upgrades += n.upgrades;
        sum->invalidated += n.invalidated;
        sum->refused += n.refused;
    }
}

struct container *container_named(const struct container_id *id)
{
    return link_find(id);
}

bool container_is_linked(const struct container *c)
{
    return c->link != NULL;
}

bool container_may_be_changed(const struct container *c)
{
    const struct segment *s;
    list_for_each (s, &c->segments, object_link)
        if ((s->flags & (SEGMENT_SHARED | SEGMENT_READER)) == SEGMENT_SHARED)
            return true;
    if (c->link == NULL)
        return false;
    struct node_set others = c->link->attached;
    node_set_remove(&others, cluster_self());
    return !link_is_home(c) || !node_set_empty(&others);
}

uint32_t container_pages_only_here(const struct container *c, bool *home_here)
{
    *home_here = c->link && link_is_home(c);
    if (c->link == NULL)
        return 0;
    uint32_t index, n = 0;
    void *v;
    radix_for_each (&c->pages, index, v) {
        enum coh_held held = page_held((page_t)v);
        n += held != COH_HELD_NONE && held != COH_HELD_READER;
    }
    return n;
}

uint32_t container_pages_elsewhere(const struct container *c, node_id_t *home)
{
    *home = c->link ? c->link->home : cluster_self();
    if (c->link == NULL || !link_is_home(c))
        return 0;
    uint32_t index, n = 0;
    void *v;
    radix_for_each (&c->link->directory, index, v) {
        n += !transition_owned_plainly(v, cluster_self());
    }
    return n;
}

void linked_check(struct container *c)
{
    struct container_link *l = c->link;
    uint32_t busy = 0;
    ASSERT(coh_gate_check(&l->gate) == 0);
    ASSERT(link_find(&c->id) == c);
    for (uint32_t i = 0; radix_next(&l->directory, &i); i++) {
        uintptr_t v = (uintptr_t)radix_get(&l->directory, i);
        if (v & 1)
            continue;
        const struct coh_home *h = (const struct coh_home *)v; // NOLINT
        ASSERT(coh_home_check(h) == 0);
        busy += coh_home_is_busy(h);
    }
    ASSERT(busy == l->busy);
    uint32_t asked = 0;
    for (uint32_t i = 0; radix_next(&c->pages, &i); i++)
        asked += page_asked(page_get(c, i)) != COH_RIGHT_NONE;
    ASSERT(asked == l->asked_pages);
    ASSERT(link_is_home(c) || l->home != cluster_self());
    ASSERT(!link_is_home(c) || l->home == cluster_self());
}

void link_show(struct container *c, struct text *t)
{
    struct container_link *l = c->link;
    text_add(t, " home=%u generation=%u gate=%s busy=%u attached=%u known=%u", l->home,
             l->generation, coh_gate_state_name(l->gate.state), l->busy,
             node_set_count(&l->attached), node_set_count(&l->known));
    text_add(t, " fetched=%u drained=%u pushed=%u sent=%u", l->counts.fetched, l->counts.drained,
             l->counts.pushed, l->counts.sent);
}

static void link_start(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&node(names)[i]);
}
INIT_STEP(INIT_CORE, link_start);
