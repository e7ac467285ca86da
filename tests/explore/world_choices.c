// SPDX-License-Identifier: MIT
// Everything that may happen next in a world, and how it is told.
#include "world.h"
#include "lib/fmt.h"
#include "engine.h"

static unsigned choose_delivery(const struct world *w, unsigned from, unsigned to)
{
    const struct channel *c = &w->channel[from][to];

    if (!c->count || (w->node[to].flushed >> from & 1 && w->node[to].epoch != EPOCH_NEW))
        return 0; // what follows a FLUSH waits for the new epoch
    explore_choice(CHOICE(DELIVER, from, to));
    bool page = c->queue[0].kind == COH_DATA ||
                (c->queue[0].kind == COH_GRANT && (c->queue[0].flags & COH_FIRST));
    if (w->naks && page)
        explore_choice(CHOICE(REFUSE, from, to));
    return 1;
}

static uint8_t scripted(const char *script, unsigned step)
{
    for (; *script; script++) {
        if (*script != 'R' && *script != 'W')
            continue;
        if (!step--)
            return OP(script[1] == 'y', *script == 'W');
    }
    return 0;
}

// What a node's threads may begin; false when they are through.
static bool choose_operation(const struct world *w, unsigned n)
{
    const struct world_config *c = world_config;
    const struct world_node *node = &w->node[n];

    if (c->script[n]) {
        uint8_t op = scripted(c->script[n], node->done);
        if (op)
            explore_choice(CHOICE(BEGIN, n, op));
        return op;
    }
    if (node->done >= c->ops)
        return false;
    for (unsigned p = 0; p < c->pages; p++) {
        explore_choice(CHOICE(BEGIN, n, OP(p, 0)));
        explore_choice(CHOICE(BEGIN, n, OP(p, 1)));
    }
    return true;
}

static void choose_lodger(const struct world *w, unsigned n)
{
    for (unsigned p = 0; p < world_config->pages; p++)
        for (unsigned to = 0; to < NODES; to++)
            if (to != n && w->node[to].alive && (world_is_home(w, n) || to == w->node[n].hint) &&
                !w->node[to].draining && w->node[n].holder[p].held == COH_HELD_WRITER &&
                w->node[n].holder[p].asked == COH_RIGHT_NONE)
                explore_choice(CHOICE(LODGE, n, p * NODES + to));
}

// Things a node must do: the returned count; and things it may do.
static unsigned choose_node(const struct world *w, unsigned n)
{
    const struct world_node *node = &w->node[n];
    unsigned must = 0;

    if (node->op) {
        unsigned p = (node->op - 1u) / 2;
        if (node->holder[p].asked == COH_RIGHT_NONE || world_can(w, n, node->op)) {
            explore_choice(CHOICE(RETRY, n, 0));
            must++;
        }
    } else if (!node->draining && !choose_operation(w, n) && w->drains) {
        explore_choice(CHOICE(DETACH, n, 0));
    }
    if (w->lodges)
        choose_lodger(w, n);
    for (unsigned p = 0; p < world_config->pages; p++) {
        if (w->evicts && node->holder[p].held == COH_HELD_READER)
            explore_choice(CHOICE(EVICT, n, p));
        if (node->reoffer >> p & 1) {
            explore_choice(CHOICE(REOFFER, n, p));
            must++;
        }
    }
    return must;
}

static void choose_home(const struct world *w, unsigned n)
{
    if (w->node[n].gate.state != COH_GATE_OPEN || w->crashed)
        return;
    if (w->clones)
        explore_choice(CHOICE(CLONE, n, 0));
    for (unsigned to = 0; to < NODES && w->moves; to++)
        if (to != n && w->node[to].alive)
            explore_choice(CHOICE(MOVE, n, to));
}

static unsigned choose_epoch(const struct world *w, unsigned n)
{
    unsigned others = 0;

    if (w->node[n].epoch == EPOCH_OLD) {
        explore_choice(CHOICE(FLUSH, n, 0));
        return 1;
    }
    if (w->node[n].epoch == EPOCH_NEW)
        return 0;
    for (unsigned i = 0; i < NODES; i++)
        if (i != n && w->node[i].alive)
            others |= 1u << i;
    if ((w->node[n].flushed & others) != others)
        return 0;
    explore_choice(CHOICE(INSTALL, n, 0));
    return 1;
}

void world_choices(const void *state)
{
    const struct world *w = state;
    unsigned must = 0;

    for (unsigned n = 0; n < NODES; n++) {
        if (!w->node[n].alive)
            continue;
        for (unsigned from = 0; from < NODES; from++)
            must += choose_delivery(w, from, n);
        must += choose_node(w, n);
        choose_home(w, n);
        if (w->crashed)
            must += choose_epoch(w, n);
        else if (w->crashes)
            explore_choice(CHOICE(CRASH, n, 0));
    }
    if (!must)
        world_check_quiet(w);
}

static const char *kind_name(const struct packet *p)
{
    return p->kind == WORLD_FLUSH   ? "FLUSH"
           : p->kind == WORLD_END   ? "end of list"
           : p->kind == WORLD_HOME  ? "I am the home"
           : p->kind == WORLD_ADOPT ? "you are the home"
                                    : coh_kind_name(p->kind);
}

static void packet_text(struct text *t, const struct packet *p)
{
    struct coh_msg m = {p->kind, p->right, p->held, p->flags, 0, p->node};
    char words[96];

    if (p->kind >= WORLD_FLUSH) {
        text_add(t, "%s", kind_name(p));
        return;
    }
    coh_msg_show(&m, words, sizeof(words));
    text_add(t, "%s page %c", words, "xy"[p->page]);
    if (p->version)
        text_add(t, " version %u", p->version);
}

void world_label(const void *state, uint32_t choice, char *buffer, size_t size)
{
    const struct world *w = state;
    unsigned a = choice >> 8 & 0xff, b = choice & 0xff;
    struct text t;

    text_init(&t, buffer, size);
    switch ((enum world_choice)(choice >> 16)) {
    case DELIVER:
    case REFUSE:
        text_add(&t, "node %u gets from %u: ", b, a);
        packet_text(&t, &w->channel[a][b].queue[0]);
        if (choice >> 16 == REFUSE)
            text_add(&t, " and has no memory for it");
        break;
    case BEGIN:
        text_add(&t, "node %u begins to %s page %c", a, (b - 1) & 1 ? "write" : "read",
                 "xy"[(b - 1) / 2]);
        break;
    case RETRY:
        text_add(&t, "node %u: the waiting thread goes on", a);
        break;
    case EVICT:
        text_add(&t, "node %u drops its copy of page %c", a, "xy"[b]);
        break;
    case DETACH:
        text_add(&t, "node %u has no user any more and drains", a);
        break;
    case REOFFER:
        text_add(&t, "node %u offers page %c again", a, "xy"[b]);
        break;
    case MOVE:
        text_add(&t, "the home begins to move from %u to %u", a, b);
        break;
    case CLONE:
        text_add(&t, "fork: the home on %u closes", a);
        break;
    case LODGE:
        text_add(&t, "%u is short of memory: page %c to %u", a, "xy"[b / NODES], b % NODES);
        break;
    case CRASH:
        text_add(&t, "node %u dies", a);
        break;
    case FLUSH:
        text_add(&t, "node %u agrees to the new epoch and sends FLUSH", a);
        break;
    case INSTALL:
        text_add(&t, "node %u installs the new epoch", a);
        break;
    }
}

void world_show(const void *state, char *buffer, size_t size)
{
    const struct world *w = state;
    char words[128];
    struct text t;

    text_init(&t, buffer, size);
    for (unsigned n = 0; n < NODES; n++) {
        const struct world_node *node = &w->node[n];
        text_add(&t, "  node %u%s: gate %s, home at %u\n", n, node->alive ? "" : " (dead)",
                 coh_gate_state_name(node->gate.state), node->hint);
        for (unsigned p = 0; p < world_config->pages; p++) {
            coh_holder_show(&node->holder[p], words, sizeof(words));
            text_add(&t, "    page %c: %s, frame %u of %u", "xy"[p], words, node -> frame[p],
                     w -> latest[p]);
            coh_home_show(&node->home[p], words, sizeof(words));
            text_add(&t, "; entry %s\n", words);
        }
        for (unsigned to = 0; to < NODES; to++)
            for (unsigned k = 0; k < w->channel[n][to].count; k++) {
                text_add(&t, "    to %u: ", to);
                packet_text(&t, &w->channel[n][to].queue[k]);
                text_add(&t, "\n");
            }
    }
}
