// SPDX-License-Identifier: MIT
// What must hold in every state, what must hold when nothing is left to do, and the normal form.
#include "world.h"
#include <stdio.h>
#include <string.h>
#include "engine.h"

static bool readable(const struct world *w, unsigned n, unsigned p)
{
    enum coh_held held = w->node[n].holder[p].held;

    return held == COH_HELD_READER || held == COH_HELD_OWNER || held == COH_HELD_WRITER;
}

static void check_page(const struct world *w, unsigned p)
{
    unsigned writers = 0, readers = 0;
    uint8_t version = 0;
    bool latest = w->latest[p] == 1 || w->crashed; // the provider's, or see check_lost

    for (unsigned n = 0; n < NODES; n++) {
        const struct world_node *node = &w->node[n];
        bool reads = readable(w, n, p), writes = node->holder[p].held == COH_HELD_WRITER;
        if ((reads || node->holder[p].held == COH_HELD_GIVING) && !node->frame[p])
            explore_fault("node %u is %s of page %u without a frame", n,
                          coh_held_name(node->holder[p].held), p);
        latest |= node->frame[p] == w->latest[p];
        if (!reads)
            continue;
        if (version && version != node->frame[p])
            explore_fault("page %u is read in two versions", p);
        version = node->frame[p];
        if (!w->crashed && version != w->latest[p])
            explore_fault("node %u may read an old version of page %u", n, p);
        writers += writes;
        readers += !writes;
    }
    if (writers > 1 || (writers && readers))
        explore_fault("page %u has %u writers beside %u readers", p, writers, readers);
    for (unsigned i = 0; i < NODES * NODES; i++)
        for (unsigned k = 0; k < w->channel[i / NODES][i % NODES].count; k++) {
            const struct packet *m = &w->channel[i / NODES][i % NODES].queue[k];
            latest |= m->kind == COH_DATA && m->page == p && m->version == w->latest[p];
        }
    if (!latest)
        explore_fault("the latest content of page %u is gone", p);
}

void world_check(struct world *w)
{
    for (unsigned n = 0; n < NODES; n++) {
        const struct world_node *node = &w->node[n];
        int bad = coh_gate_check(&node->gate);
        if (bad)
            explore_fault("gate of node %u: invariant %d", n, bad);
        for (unsigned p = 0; p < world_config->pages; p++) {
            bad = coh_home_check(&node->home[p]);
            if (bad)
                explore_fault("home %u page %u: invariant %d", n, p, bad);
            bad = coh_holder_check(&node->holder[p]);
            if (bad)
                explore_fault("holder %u page %u: invariant %d", n, p, bad);
            if (node->home[p].state == COH_HOME_LOST && !w->loss_excused[p])
                explore_fault("page %u is called lost, and nobody died with its content", p);
        }
    }
    for (unsigned p = 0; p < world_config->pages; p++)
        check_page(w, p);
}

static bool somebody_attached(const struct world *w)
{
    for (unsigned n = 0; n < NODES; n++)
        if (w->node[n].alive && !w->node[n].draining)
            return true;
    return false;
}

static void check_quiet_page(const struct world *w, unsigned n, unsigned p)
{
    const struct world_node *node = &w->node[n];
    const struct coh_home *h = &node->home[p];
    enum coh_held held = node->holder[p].held;

    if (node->holder[p].asked)
        explore_fault("node %u waits for page %u for ever", n, p);
    if (held == COH_HELD_GIVING)
        explore_fault("node %u keeps a frame of page %u for ever", n, p);
    if (node->draining && somebody_attached(w) &&
        (held == COH_HELD_OWNER || held == COH_HELD_WRITER))
        explore_fault("node %u is not drained of page %u", n, p);
    if (!world_is_home(w, n))
        return;
    if (coh_home_is_busy(h))
        explore_fault("home %u stays %s for page %u", n, coh_home_state_name(h->state), p);
    if (!node_set_empty(&h->waiting))
        explore_fault("a request for page %u is not served", p);
    if (h->owner != NODE_NONE && !readable(w, h->owner, p))
        explore_fault("the owner of page %u does not have it", p);
}

// Called when nothing is on its way and nothing must happen any more.
void world_check_quiet(const struct world *w)
{
    unsigned homes = 0;

    for (unsigned n = 0; n < NODES; n++) {
        const struct world_node *node = &w->node[n];
        if (!node->alive)
            continue;
        if (node->op)
            explore_fault("a thread of node %u waits for ever", n);
        if (world_is_home(w, n) && node->gate.state != COH_GATE_OPEN)
            explore_fault("the gate of node %u stays %s", n, coh_gate_state_name(node->gate.state));
        homes += world_is_home(w, n);
        for (unsigned p = 0; p < world_config->pages; p++)
            check_quiet_page(w, n, p);
    }
    if (homes != 1)
        explore_fault("there are %u homes", homes);
    if (world_config->verdict && world_config->verdict(w))
        explore_fault("%s", world_config->verdict(w));
}

// The child's directory is the parent's: it must fit what the nodes froze, and all of it together
// must be a moment that could have been.
void world_check_clone(const struct world *w)
{
    uint8_t version[PAGES];

    for (unsigned p = 0; p < world_config->pages; p++) {
        const struct coh_home *h = &w->node[w->node[0].hint].home[p];
        version[p] = 1;
        if (h->owner != NODE_NONE) {
            version[p] = w->node[h->owner].child_frame[p];
            if (!version[p])
                explore_fault("the child's owner of page %u froze nothing", p);
        }
        for (unsigned n = 0; n < NODES; n++) {
            uint8_t held = w->node[n].child_held[p];
            if (held == COH_HELD_GIVING ||
                (held != COH_HELD_NONE && n != h->owner && !node_set_has(&h->copies, (node_id_t)n)))
                explore_fault("the child's page %u is held by %u behind its home", p, n);
            if (held != COH_HELD_NONE && w->node[n].child_frame[p] != version[p])
                explore_fault("the child's page %u has two versions", p);
        }
    }
    if (world_config->snapshot && world_config->snapshot(w, version))
        explore_fault("the child got %s", world_config->snapshot(w, version));
}

// ---- the normal form: of versions only the order counts, and without crashes only "is the latest"

static void rank(struct world *w, unsigned p)
{
    uint8_t *at[4 + NODES * (3 + NODES * QUEUE)], map[256] = {0}, next = 1;
    unsigned count = 0;

    at[count++] = &w->latest[p];
    for (unsigned n = 0; n < NODES; n++) {
        at[count++] = &w->node[n].frame[p];
        at[count++] = &w->node[n].seen[p];
        at[count++] = &w->node[n].child_frame[p];
        for (unsigned to = 0; to < NODES; to++)
            for (unsigned k = 0; k < w->channel[n][to].count; k++)
                if (w->channel[n][to].queue[k].page == p)
                    at[count++] = &w->channel[n][to].queue[k].version;
    }
    for (unsigned i = 0; i < count; i++)
        map[*at[i]] = 1;
    map[0] = 0;
    map[1] = 1; // what the provider gives stays what it is
    for (unsigned v = 2; v < 256; v++)
        if (map[v])
            map[v] = ++next;
    for (unsigned i = 0; i < count; i++)
        *at[i] = map[*at[i]];
}

void world_canon(struct world *w)
{
    if (world_config->verdict || world_config->snapshot)
        return;
    for (unsigned p = 0; p < world_config->pages; p++) {
        if (!world_config->crashes)
            for (unsigned n = 0; n < NODES; n++)
                w->node[n].seen[p] = 0;
        rank(w, p);
    }
}
