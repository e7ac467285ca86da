// SPDX-License-Identifier: MIT
// Explores coherence: every order of messages of each world below, over the shipped step functions.
// Usage: coherence_explore [NAME].
#include "world.h"
#include "runner.h"

// Store buffering: x=1; r=y | y=1; r=x. Both cannot read the old value.
static const char *verdict_sb(const struct world *w)
{
    bool old = w->node[1].reg[0] == 1 && w->node[2].reg[0] == 1; // 0: not read yet
    return old ? "store buffering: both nodes read the old value" : NULL;
}

// Message passing: x=1; y=1 | r=y; s=x. A new y comes with the new x.
static const char *verdict_mp(const struct world *w)
{
    bool bad = w->node[2].reg[0] > 1 && w->node[2].reg[1] == 1;
    return bad ? "message passing: the new y came with the old x" : NULL;
}

// Coherent reads: x=1; x=2 | r=x; s=x | r=x. Nobody sees x go backward.
static const char *verdict_corr(const struct world *w)
{
    bool back = w->node[2].reads == 2 && w->node[2].reg[0] > w->node[2].reg[1];
    return back ? "coherent reads: x went backward" : NULL;
}

// Independent reads of independent writes need four nodes; this is its three-node core: the home
// writes y, and whoever sees it must see what was before.
static const char *verdict_wrc(const struct world *w)
{
    bool bad = w->node[1].reg[0] > 1 && w->node[2].reg[0] > 1 && w->node[2].reg[1] == 1;
    return bad ? "causality: y came without the x it was written after" : NULL;
}

static const char *snapshot_order(const struct world *w, const uint8_t *version)
{
    (void)w;
    return version[1] > 1 && version[0] == 1 ? "y without the x written before it" : NULL;
}

static const char *snapshot_cause(const struct world *w, const uint8_t *version)
{
    bool saw = w->node[2].reads > 0 && w->node[2].reg[0] > 1;
    return saw && version[1] > 1 && version[0] == 1 ? "y without the x it was written after" : NULL;
}

// Small ones first: a planted bug is looked for in this order.
static const struct world_config configs[] = {
    {.name = "litmus SB", .pages = 2, .script = {"", "Wx Ry", "Wy Rx"}, .verdict = verdict_sb},
    {.name = "litmus MP", .pages = 2, .script = {"", "Wx Wy", "Ry Rx"}, .verdict = verdict_mp},
    {.name = "litmus CoRR",
     .pages = 2,
     .script = {"Rx", "Wx Wx", "Rx Rx"},
     .verdict = verdict_corr},
    {.name = "litmus WRC", .pages = 2, .script = {"Wx", "Rx Wy", "Ry Rx"}, .verdict = verdict_wrc},
    {.name = "clone, order",
     .pages = 2,
     .script = {"Rx", "Wx Wy", "Ry"},
     .clones = 1,
     .snapshot = snapshot_order},
    {.name = "clone, causality",
     .pages = 2,
     .script = {"", "Wx", "Rx Wy"},
     .clones = 1,
     .touched = true,
     .snapshot = snapshot_cause},
    {.name = "3 operations each", .pages = 1, .ops = 3},
    {.name = "2 operations, drain, home move",
     .pages = 1,
     .ops = 2,
     .drains = 1,
     .moves = 1,
     .touched = true},
    {.name = "2 operations, drain, eviction, refusal",
     .pages = 1,
     .ops = 2,
     .evicts = 1,
     .naks = 1,
     .drains = 1},
    {.name = "2 operations, lodging, refusal",
     .pages = 1,
     .ops = 2,
     .lodges = 1,
     .naks = 1,
     .touched = true,
     .hold = true},
    {.name = "1 operation, lodging twice, home move",
     .pages = 1,
     .ops = 1,
     .lodges = 2,
     .moves = 1,
     .touched = true},
    {.name = "1 operation, lodging, clone",
     .pages = 1,
     .ops = 1,
     .lodges = 1,
     .clones = 1,
     .touched = true},
    {.name = "1 operation, lodging, one crash",
     .pages = 1,
     .ops = 1,
     .lodges = 1,
     .crashes = 1,
     .touched = true},
    {.name = "2 operations, one crash", .pages = 1, .ops = 2, .crashes = 1},
    {.name = "2 operations, eviction, one crash, pages at home",
     .pages = 1,
     .ops = 2,
     .crashes = 1,
     .touched = true,
     .evicts = 1},
    {.name = "1 operation, home move, one crash",
     .pages = 1,
     .ops = 1,
     .moves = 1,
     .crashes = 1,
     .touched = true},
    {.name = "scripted, home move, one crash",
     .pages = 1,
     .script = {"", "Wx Rx", "Rx Wx"},
     .moves = 1,
     .crashes = 1,
     .hold = true},
    {.name = "3 operations, drain, home move",
     .pages = 1,
     .ops = 3,
     .drains = 1,
     .moves = 1,
     .touched = true,
     .hold = true},
    {.name = "2 operations, drain, refusal, home move",
     .pages = 1,
     .ops = 2,
     .drains = 1,
     .moves = 1,
     .naks = 1,
     .touched = true,
     .hold = true},
};

static const char *select_config(unsigned i)
{
    world_config = &configs[i];
    return configs[i].name;
}

int main(int argc, char **argv)
{
    struct explore_suite suite = {.name = "coherence",
                                  .model = {.state_bytes = sizeof(struct world),
                                            .start = (void (*)(void *))world_start,
                                            .choices = world_choices,
                                            .apply = world_apply,
                                            .label = world_label,
                                            .show = world_show},
                                  .count = ARRAY_SIZE(configs),
                                  .select = select_config};
    return explore_suite_run(&suite, argc, argv);
}
