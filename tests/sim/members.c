// SPDX-License-Identifier: MIT
// Nodes found a cluster, some are killed at random moments: the others go on in a new epoch, with
// ids, incarnations and a successor that all agree on.
#include "tests/sim/scenarios.h"

#include "tests/sim/ports/sim.h"
#include "tests/sim/world.h"

static void agree(void)
{
    node_id_t home = NODE_NONE;
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_lives(i))
            continue;
        world_enter(i);
        EXPECT(cluster_self() == i);
        EXPECT(home == NODE_NONE || home == cluster_fs_home());
        home = cluster_fs_home();
        for (unsigned k = 0; k < world_count(); k++)
            EXPECT(cluster_is_member((node_id_t)k) == world_lives(k));
    }
    EXPECT(world_lives(home));
}

void scenario_members(void)
{
    unsigned nodes = option_between("nodes", 1, WORLD_MAX);
    world_open(nodes, "");
    agree();
    // One by one, so that each time a majority of the last epoch is there.
    unsigned kills = option_between("kills", 0, nodes >= 3 ? nodes - 2 : 0);
    for (unsigned n = 0; n < kills; n++) {
        world_run_ms(option_between("wait", 0, 3000));
        unsigned victim;
        do
            victim = option_between("victim", 0, nodes - 1);
        while (!world_lives(victim));
        world_kill(victim);
        world_until(world_together, 60, "the survivors do not agree on an epoch");
        agree();
    }
    world_run_ms(3000);
    EXPECT(world_together());
    EXPECT(world_living() == nodes - kills);
    for (unsigned i = 0; i < nodes; i++) {
        if (world_lives(i) || option("boot", sim_chance(500)) == 0)
            continue;
        world_boot(i);
        if (sim_chance(500))
            world_until(world_together, 60, "a node does not join");
    }
    world_until(world_together, 60, "the nodes do not join");
    agree();
}
