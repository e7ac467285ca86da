// SPDX-License-Identifier: MIT
// What happens in the world: choices, deliveries, and the effects that a room carries out.
#include "world.h"
#include <stdio.h>
#include <string.h>
#include "lib/mutant.h"
#include "engine.h"

const struct world_config *world_config;

// Messages to oneself are handled at once; they are no part of a state.
static struct local {
    uint8_t node;
    struct packet p;
} local[16];
static unsigned local_head, local_tail;
static node_id_t lodger; // of this choice

void world_start(struct world *w)
{
    const struct world_config *c = world_config;

    memset(w, 0, sizeof(*w));
    for (unsigned n = 0; n < NODES; n++) {
        struct world_node *node = &w->node[n];
        node->alive = 1;
        node->generation = 1;
        node->former = 0xff;
        coh_gate_init(&node->gate, n == 0);
        for (unsigned p = 0; p < PAGES; p++) {
            coh_holder_init(&node->holder[p]);
            coh_home_init(&node->home[p], n == 0 && c->touched ? 0 : NODE_NONE);
            if (n == 0 && c->touched) {
                node->holder[p].held = COH_HELD_WRITER;
                node->frame[p] = 1;
            }
        }
    }
    memset(w->latest, 1, sizeof(w->latest));
    w->moves = c->moves;
    w->evicts = c->evicts;
    w->naks = c->naks;
    w->drains = c->drains;
    w->crashes = c->crashes;
    w->clones = c->clones;
    w->lodges = c->lodges;
}

bool world_is_home(const struct world *w, unsigned n)
{
    return w->node[n].gate.state != COH_GATE_AWAY;
}

void world_send(struct world *w, unsigned from, unsigned to, struct packet p)
{
    struct channel *c = &w->channel[from][to];

    if (!w->node[to].alive)
        return;
    if (from == to) {
        if (local_tail == ARRAY_SIZE(local))
            explore_fault("a node talks to itself without end");
        else
            local[local_tail++] = (struct local){(uint8_t)to, p};
    } else if (c->count == QUEUE) {
        explore_fault("channel %u->%u is full", from, to);
    } else {
        c->queue[c->count++] = p;
    }
}

static void send_all(struct world *w, unsigned n, const struct coh_out *out, uint8_t page)
{
    for (unsigned i = 0; i < out->sends; i++) {
        const struct coh_msg *m = &out->send[i].msg;
        struct packet p = {.kind = m->kind,
                           .right = m->right,
                           .held = m->held,
                           .flags = m->flags,
                           .node = (uint8_t)m->node,
                           .page = page};
        if (m->kind == COH_MOVED)
            p.generation = w->node[n].generation;
        if (m->kind == COH_DATA) {
            p.version = w->node[n].frame[page];
            if (!p.version)
                explore_fault("node %u sends page %u without having a frame", n, page);
        }
        node_set_for_each (&out->send[i].to, to)
            world_send(w, n, to, p);
    }
}

bool world_can(const struct world *w, unsigned n, uint8_t op)
{
    enum coh_held held = w->node[n].holder[(op - 1) / 2].held;

    return held == COH_HELD_WRITER ||
           (!((op - 1) & 1) && (held == COH_HELD_READER || held == COH_HELD_OWNER));
}

static uint8_t youngest(const struct world *w, unsigned page)
{
    uint8_t v = w->latest[page];

    for (unsigned n = 0; n < NODES; n++)
        if (w->node[n].frame[page] > v)
            v = w->node[n].frame[page];
    return v;
}

// The instruction itself. Before a crash a read must give the last write; after one, nothing older
// than any survivor has seen.
static void perform(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];
    unsigned page = (node->op - 1u) / 2;
    bool write = (node->op - 1) & 1;
    uint8_t seen = 0;

    for (unsigned i = 0; i < NODES; i++)
        seen = MAX(seen, w->node[i].seen[page]);
    if (write) {
        node->frame[page] = w->latest[page] = (uint8_t)(youngest(w, page) + 1);
    } else {
        uint8_t v = node->frame[page];
        if (w->crashed ? v < seen : v != w->latest[page])
            explore_fault("node %u reads version %u of page %u, not the latest", n, v, page);
        if (world_config->verdict || world_config->snapshot)
            node->reg[node->reads++] = v;
    }
    node->seen[page] = node->frame[page];
    node->op = 0;
}

static void fault_in(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];
    struct coh_env env = {.self = (node_id_t)n, .home = node->hint, .accept = true};
    struct packet p = {.page = (uint8_t)((node->op - 1) / 2)};

    p.kind = (node->op - 1) & 1 ? COH_FAULT_WRITE : COH_FAULT_READ;
    world_holder_step(w, n, &env, p, n);
}

static void execute(struct world *w, unsigned n, const struct coh_out *out, struct packet p,
                    bool draining)
{
    struct world_node *node = &w->node[n];
    uint8_t *frame = &node->frame[p.page];

    if (out->effects & COH_DO_DROP)
        *frame = 0;
    if (out->effects & COH_DO_FIRST)
        *frame = 1;
    if (out->effects & COH_DO_DATA)
        *frame = p.version;
    if (draining && (out->effects & (COH_DO_MAP_READ | COH_DO_MAP_WRITE)))
        node->reoffer |= (uint8_t)(1 << p.page);
    if (node->op && (node->op - 1) / 2 == p.page) {
        if (out->effects & COH_DO_FAIL)
            node->op = 0;
        else if ((out->effects & COH_DO_WAKE) && world_config->hold && world_can(w, n, node->op))
            perform(w, n);
    }
}

// The room's hint: who is the home, and which requests went to the one before.
void world_learn(struct world *w, unsigned n, uint8_t home, uint8_t generation)
{
    struct world_node *node = &w->node[n];

    node->generation = generation;
    if (node->hint == home)
        return;
    if (world_config->crashes)
        node->former = node->hint;
    node->hint = home;
    for (unsigned p = 0; p < world_config->pages && world_config->crashes; p++)
        if (node->holder[p].asked != COH_RIGHT_NONE)
            node->asked_former |= (uint8_t)(1 << p);
}

// Hints spread only for the sake of crashes: without one, old hints are the wider exploration.
void world_tell_home(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < NODES && world_config->crashes; i++)
        if (i != n)
            world_send(w, n, i,
                       (struct packet){.kind = WORLD_HOME,
                                       .node = w->node[n].hint,
                                       .generation = w->node[n].generation});
}

void world_holder_step(struct world *w, unsigned n, struct coh_env *env, struct packet p,
                       unsigned from)
{
    struct coh_msg m = {p.kind, p.right, p.held, p.flags, (node_id_t)from, p.node};
    struct coh_out out;

    env->draining = w->node[n].draining;
    coh_holder_step(&w->node[n].holder[p.page], env, &m, &out);
    if (out.refused)
        explore_fault("node %u, holding %s, refuses %s from %u", n, coh_held_name(out.was),
                      coh_kind_name(p.kind), from);
    if (w->node[n].holder[p.page].asked == COH_RIGHT_NONE)
        w->node[n].asked_former &= (uint8_t) ~(1 << p.page);
    send_all(w, n, &out, p.page);
    execute(w, n, &out, p, env->draining);
}

static void home_env(const struct world *w, unsigned n, struct coh_env *env)
{
    unsigned attached = 0;

    env->self = (node_id_t)n;
    env->home = w->node[n].hint;
    env->push_to = env->only = NODE_NONE;
    env->lodge_to = lodger;
    env->closed = coh_gate_closed(&w->node[n].gate);
    for (unsigned i = NODES; i-- > 0;) {
        if (!w->node[i].alive || w->node[i].draining)
            continue;
        attached++;
        env->push_to = (node_id_t)i;
    }
    if (attached == 1)
        env->only = env->push_to;
}

void world_home_step(struct world *w, unsigned n, struct packet p, unsigned from,
                     const struct node_set *lost)
{
    struct coh_msg m = {p.kind, p.right, p.held, p.flags, (node_id_t)from, p.node};
    struct coh_home *h = &w->node[n].home[p.page];
    struct coh_env env = {0};
    struct coh_out out;

    if (!world_is_home(w, n) && p.kind != COH_GONE) {
        struct coh_msg moved = coh_moved(&m, (node_id_t)n, w->node[n].hint);
        struct packet answer = {.kind = moved.kind,
                                .flags = moved.flags,
                                .node = (uint8_t)moved.node,
                                .page = p.page,
                                .generation = w->node[n].generation};
        if (p.kind == COH_READ_REQ || p.kind == COH_WRITE_REQ || p.kind == COH_OFFER)
            world_send(w, n, from, answer);
        else if (p.kind != COH_LODGE)
            explore_fault("%s from %u to %u, which is no home", coh_kind_name(p.kind), from, n);
        return;
    }
    home_env(w, n, &env);
    if (lost)
        env.lost = *lost;
    coh_home_step(h, &env, &m, &out);
    if (out.refused)
        explore_fault("home %u, %s, refuses %s from %u", n, coh_home_state_name(out.was),
                      coh_kind_name(p.kind), from);
    send_all(w, n, &out, p.page);
}

static void directory_take(struct world *w, unsigned n)
{
    world_learn(w, n, (uint8_t)n, (uint8_t)(w->node[n].generation + 1));
    for (unsigned p = 0; p < world_config->pages; p++) {
        uint8_t owner = w->directory_owner[p];
        coh_home_init(&w->node[n].home[p], owner == 0xff ? NODE_NONE : owner);
        w->node[n].home[p].copies.words[0] = w->directory_copies[p];
        if (w->directory_lost[p])
            w->node[n].home[p].state = COH_HOME_LOST;
    }
}

static void child_freeze(struct world *w, unsigned n)
{
    for (unsigned p = 0; p < PAGES; p++) {
        w->node[n].child_held[p] = w->node[n].holder[p].held;
        w->node[n].child_frame[p] = w->node[n].frame[p];
    }
}

static void every_entry(struct world *w, unsigned n, enum coh_kind kind)
{
    struct node_set lost = {{0}};

    for (unsigned i = 0; i < NODES; i++)
        if (!w->node[i].alive && w->node[n].epoch == EPOCH_NEW)
            node_set_add(&lost, (node_id_t)i);
    for (unsigned p = 0; p < world_config->pages; p++)
        world_home_step(w, n, (struct packet){.kind = (uint8_t)kind, .page = (uint8_t)p}, n, &lost);
}

static void gone(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];

    world_learn(w, n, (uint8_t)node->gate.target, (uint8_t)(node->generation + 1));
    world_tell_home(w, n);
    every_entry(w, n, COH_GONE);
    for (unsigned p = 0; p < world_config->pages; p++)
        coh_home_init(&node->home[p], NODE_NONE);
}

static void directory_send(struct world *w, unsigned n)
{
    for (unsigned p = 0; p < world_config->pages; p++) {
        w->directory_owner[p] = (uint8_t)w->node[n].home[p].owner;
        w->directory_lost[p] = w->node[n].home[p].state == COH_HOME_LOST;
        w->directory_copies[p] = (uint8_t)w->node[n].home[p].copies.words[0];
    }
}

static void gate_execute(struct world *w, unsigned n, const struct coh_gate_out *out)
{
    if (out->effects & (COH_GATE_DO_FREEZE | COH_GATE_DO_COPY))
        child_freeze(w, n);
    if (out->effects & COH_GATE_DO_COPY)
        world_check_clone(w);
    if (out->effects & COH_GATE_DO_ENTRIES)
        directory_send(w, n);
    if (out->effects & COH_GATE_DO_TAKE) {
        directory_take(w, n);
        every_entry(w, n, COH_EPOCH_HOME);
    }
    if (out->effects & COH_GATE_DO_EPOCH)
        every_entry(w, n, COH_EPOCH_HOME);
    if (out->effects & COH_GATE_DO_TELL)
        world_tell_home(w, n);
    if (out->effects & COH_GATE_DO_OPEN)
        every_entry(w, n, COH_OPEN);
}

void world_gate_step(struct world *w, unsigned n, struct coh_gate_event *e)
{
    struct coh_gate_out out;

    coh_gate_step(&w->node[n].gate, (node_id_t)n, e, &out);
    if (out.refused)
        explore_fault("the gate of %u, %s, refuses %s", n, coh_gate_state_name(out.was),
                      coh_kind_name(e->kind));
    if (out.effects & COH_GATE_DO_GONE)
        gone(w, n);
    if (out.send)
        node_set_for_each (&out.to, to)
            world_send(w, n, to, (struct packet){.kind = out.send});
    gate_execute(w, n, &out);
}

void world_deliver(struct world *w, unsigned from, unsigned to, struct packet p, bool accept)
{
    struct coh_env env = {.self = (node_id_t)to, .accept = accept};
    struct coh_gate_event e = {.kind = p.kind, .from = (node_id_t)from, .accept = true};

    if (p.kind == WORLD_FLUSH) {
        w->node[to].flushed |= (uint8_t)(1 << from);
        return;
    }
    if (p.kind == WORLD_HOME) {
        world_hear_home(w, to, p.node, p.generation);
        return;
    }
    if (p.kind == WORLD_ADOPT) {
        world_adopt(w, from, to, p.generation);
        return;
    }
    if (p.kind == WORLD_END) {
        world_end(w, from, to);
        return;
    }
    switch (coh_kind_receiver(p.kind)) {
    case COH_TO_HOME:
        world_home_step(w, to, p, from, NULL);
        break;
    case COH_TO_HOLDER:
        if (p.kind == COH_MOVED && p.generation >= w->node[to].generation &&
            (w->node[to].epoch != EPOCH_NEW || w->node[p.node].alive) && p.node != to &&
            !world_is_home(w, to))
            world_learn(w, to, p.node, p.generation);
        if (p.kind == COH_MOVED && !(p.flags & COH_PUSH))
            w->node[to].asked_former &= (uint8_t) ~(1 << p.page);
        env.home = w->node[to].hint;
        world_holder_step(w, to, &env, p, from);
        break;
    case COH_TO_GATE:
        world_gate_step(w, to, &e);
        break;
    case COH_TO_NOBODY:
        explore_fault("kind %u is nobody's", p.kind);
        break;
    }
}

// Handles what nodes have told themselves, and closes the gate when all pages are at rest.
void world_settle(struct world *w)
{
    bool again = true;

    while (again) {
        for (; local_head < local_tail; local_head++)
            world_deliver(w, local[local_head].node, local[local_head].node, local[local_head].p,
                          true);
        local_head = local_tail = 0;
        again = false;
        for (unsigned n = 0; n < NODES; n++) {
            struct world_node *node = &w->node[n];
            bool busy = false;
            for (unsigned p = 0; p < world_config->pages; p++)
                busy |= coh_home_is_busy(&node->home[p]);
            if (node->gate.state == COH_GATE_CLOSING && (!busy || MUTANT(20))) {
                struct coh_gate_event e = {.kind = COH_QUIET, .from = (node_id_t)n};
                world_gate_step(w, n, &e);
                again = true;
            }
        }
    }
}

static void begin(struct world *w, unsigned n, uint8_t op)
{
    w->node[n].op = op;
    w->node[n].done++;
    if (world_can(w, n, op))
        perform(w, n);
    else if (w->node[n].holder[(op - 1) / 2].asked == COH_RIGHT_NONE)
        fault_in(w, n);
}

static void local_event(struct world *w, unsigned n, enum coh_kind kind, unsigned page)
{
    struct coh_env env = {.self = (node_id_t)n, .home = w->node[n].hint, .accept = true};

    world_holder_step(w, n, &env, (struct packet){.kind = (uint8_t)kind, .page = (uint8_t)page}, n);
}

static void detach(struct world *w, unsigned n)
{
    w->drains--;
    w->node[n].draining = 1;
    for (unsigned p = 0; p < world_config->pages; p++)
        local_event(w, n, COH_DRAIN, p);
    for (unsigned h = 0; h < NODES; h++)
        for (unsigned p = 0; p < world_config->pages && w->node[h].alive; p++)
            if (world_is_home(w, h))
                world_home_step(w, h, (struct packet){.kind = COH_OPEN, .page = (uint8_t)p}, h,
                                NULL);
}

static void gate_event(struct world *w, unsigned n, enum coh_kind kind, unsigned target)
{
    struct coh_gate_event e = {
        .kind = (uint8_t)kind, .from = (node_id_t)n, .node = (node_id_t)target};

    for (unsigned i = 0; i < NODES; i++)
        if (w->node[i].alive)
            node_set_add(&e.set, (node_id_t)i);
    world_gate_step(w, n, &e);
}

static void deliver_oldest(struct world *w, unsigned from, unsigned to, bool accept)
{
    struct channel *c = &w->channel[from][to];
    struct packet p = c->queue[0];

    c->count--;
    memmove(c->queue, c->queue + 1, c->count * sizeof(p));
    memset(&c->queue[c->count], 0, sizeof(p));
    w->naks = (uint8_t)(w->naks - !accept);
    world_deliver(w, from, to, p, accept);
}

void world_apply(void *state, uint32_t choice)
{
    struct world *w = state;
    unsigned a = choice >> 8 & 0xff, b = choice & 0xff;

    local_head = local_tail = 0;
    lodger = NODE_NONE;
    switch ((enum world_choice)(choice >> 16)) {
    case DELIVER:
    case REFUSE:
        deliver_oldest(w, a, b, choice >> 16 == DELIVER);
        break;
    case BEGIN:
        begin(w, a, (uint8_t)b);
        break;
    case RETRY:
        if (world_can(w, a, w->node[a].op))
            perform(w, a);
        else
            fault_in(w, a);
        break;
    case EVICT:
        w->evicts--;
        local_event(w, a, COH_EVICT, b);
        break;
    case DETACH:
        detach(w, a);
        break;
    case REOFFER:
        w->node[a].reoffer &= (uint8_t) ~(1 << b);
        local_event(w, a, COH_DRAIN, b);
        break;
    case MOVE:
        w->moves--;
        gate_event(w, a, COH_MOVE, b);
        break;
    case CLONE:
        w->clones--;
        gate_event(w, a, COH_CLONE, 0);
        break;
    case LODGE:
        w->lodges--;
        lodger = (node_id_t)(b % NODES);
        local_event(w, a, COH_SHED, b / NODES);
        break;
    case CRASH:
        world_crash(w, a);
        break;
    case FLUSH:
        world_flush(w, a);
        break;
    case INSTALL:
        world_install(w, a);
        break;
    }
    world_settle(w);
    world_check(w);
    world_canon(w);
}
