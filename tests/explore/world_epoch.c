// SPDX-License-Identifier: MIT
// A node dies: the flush of PROTOCOLS 3, the new epoch, and a new home from the survivors' lists.
#include "world.h"
#include <string.h>
#include "lib/mutant.h"
#include "engine.h"

// What it had sent may still arrive, in order, until the receiver agrees to the new epoch.
void world_crash(struct world *w, unsigned n)
{
    bool home = world_is_home(w, n);

    w->crashes--;
    w->crashed = (uint8_t)(n + 1);
    for (unsigned p = 0; p < world_config->pages; p++)
        w->loss_excused[p] = w->node[n].frame[p] == w->latest[p] || (home && w->latest[p] == 1);
    memset(&w->node[n], 0, sizeof(w->node[n]));
    w->node[n].gate.target = NODE_NONE;
    w->node[n].former = 0xff;
    for (unsigned p = 0; p < PAGES; p++)
        coh_home_init(&w->node[n].home[p], NODE_NONE);
    for (unsigned i = 0; i < NODES; i++)
        memset(&w->channel[i][n], 0, sizeof(w->channel[i][n]));
}

// From here on node n handles nothing more of the dead (MUTANT 21: only from INSTALL on).
void world_flush(struct world *w, unsigned n)
{
    w->node[n].epoch = EPOCH_FLUSHING;
    if (!MUTANT(21))
        memset(&w->channel[w->crashed - 1][n], 0, sizeof(w->channel[0][0]));
    for (unsigned i = 0; i < NODES; i++)
        if (i != n && w->node[i].alive)
            world_send(w, n, i, (struct packet){.kind = WORLD_FLUSH});
}

static unsigned successor(const struct world *w, unsigned dead)
{
    unsigned n = dead;

    do
        n = (n + 1) % NODES;
    while (!w->node[n].alive);
    return n;
}

static void home_epoch(struct world *w, unsigned n, const struct node_set *lost)
{
    struct coh_gate_event e = {.kind = COH_EPOCH_GATE, .from = (node_id_t)n, .lost = *lost};

    for (unsigned p = 0; p < world_config->pages; p++)
        if (w->node[n].gate.state != COH_GATE_MOVING)
            world_home_step(w, n, (struct packet){.kind = COH_EPOCH_HOME, .page = (uint8_t)p}, n,
                            lost);
    world_gate_step(w, n, &e);
}

static void become_home(struct world *w, unsigned n, uint8_t generation)
{
    struct world_node *node = &w->node[n];

    node->hint = (uint8_t)n;
    node->generation = (uint8_t)(MAX(node->generation, generation) + 1);
    coh_gate_init(&node->gate, true);
    node->rebuilding = 1;
    for (unsigned p = 0; p < world_config->pages; p++)
        coh_home_init_rebuild(&node->home[p]);
}

static void report(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];
    struct coh_env env = {.self = (node_id_t)n, .home = node->hint, .home_lost = true};

    for (unsigned p = 0; p < world_config->pages; p++) {
        env.asked_elsewhere = (node->asked_former >> p & 1) && w->node[node->former].alive;
        world_holder_step(w, n, &env, (struct packet){.kind = COH_EPOCH_HOLDER, .page = (uint8_t)p},
                          n);
    }
}

static void home_died(struct world *w, unsigned n, unsigned dead)
{
    struct world_node *node = &w->node[n];
    unsigned heir = successor(w, dead);

    if (heir == n) {
        become_home(w, n, node->generation);
    } else {
        node->hint = (uint8_t)heir;
        world_send(w, n, heir,
                   (struct packet){.kind = WORLD_ADOPT, .generation = node->generation});
    }
    report(w, n);
}

// Requests that went to a home before this one, which died with them.
static void former_died(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];

    for (unsigned p = 0; p < world_config->pages; p++)
        if (node->asked_former >> p & 1) {
            struct coh_env env = {.self = (node_id_t)n, .home = node->hint, .accept = true};
            node->asked_former &= (uint8_t) ~(1 << p);
            world_holder_step(w, n, &env, (struct packet){.kind = COH_MOVED, .page = (uint8_t)p},
                              n);
        }
}

void world_install(struct world *w, unsigned n)
{
    struct world_node *node = &w->node[n];
    unsigned dead = w->crashed - 1u;
    struct node_set lost = node_set_of((node_id_t)dead);

    memset(&w->channel[dead][n], 0, sizeof(w->channel[0][0]));
    node->epoch = EPOCH_NEW;
    if (node->hint != dead && node->former == dead)
        former_died(w, n);
    if (world_is_home(w, n))
        home_epoch(w, n, &lost);
    else if (node->hint == dead)
        home_died(w, n, dead);
    if (node->draining)
        node->reoffer = (uint8_t)((1 << world_config->pages) - 1);
    world_send(w, n, successor(w, dead), (struct packet){.kind = WORLD_END});
}

// A successor that rebuilds gives way to a home that lives after all.
void world_hear_home(struct world *w, unsigned n, uint8_t home, uint8_t generation)
{
    struct world_node *node = &w->node[n];

    if ((node->epoch == EPOCH_NEW && !w->node[home].alive) || home == n)
        return;
    if (node->rebuilding) {
        node->rebuilding = 0;
        world_learn(w, n, home, generation);
        for (unsigned p = 0; p < world_config->pages; p++) {
            world_home_step(w, n, (struct packet){.kind = COH_GONE, .page = (uint8_t)p}, n, NULL);
            coh_home_init(&node->home[p], NODE_NONE);
        }
        coh_gate_init(&node->gate, false);
    } else if (!world_is_home(w, n) && generation >= node->generation) {
        world_learn(w, n, home, generation);
    }
}

// A survivor whose home died reports to this one.
void world_adopt(struct world *w, unsigned from, unsigned to, uint8_t generation)
{
    (void)from;
    if (!world_is_home(w, to)) {
        become_home(w, to, generation);
        report(w, to);
    }
}

// The list of one survivor is complete; with the last one the successor knows all there is.
void world_end(struct world *w, unsigned from, unsigned to)
{
    struct world_node *node = &w->node[to];

    node->ended |= (uint8_t)(1 << from);
    for (unsigned n = 0; n < NODES; n++)
        if (w->node[n].alive && !(node->ended >> n & 1))
            return;
    for (unsigned p = 0; p < world_config->pages && node->rebuilding; p++)
        world_home_step(w, to, (struct packet){.kind = COH_REBUILT, .page = (uint8_t)p}, to, NULL);
    node->rebuilding = 0;
}
