// SPDX-License-Identifier: MIT
// A sealed cluster works while nodes that have another key, or none, try to get in, again and
// again; then one that has the key gets in at once, and takes a process.
#include "tests/sim/scenarios.h"

#include "ssi/cluster/cluster_priv.h"
#include "ssi/migrate/migrate.h"
#include "tests/sim/ports/machine.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/users.h"
#include "tests/sim/world.h"

#define OUR_KEY "the key of this cluster"

struct mover {
    const struct user *user;
    unsigned to;
    bool done;
    int result;
};

static struct mover mover;

static void move(void *arg)
{
    struct mover *m = arg;
    m->result = migrate_process(m->user->pid, (node_id_t)m->to, "sim");
    m->done = true;
}

static bool moved(void)
{
    return mover.done;
}

static void move_to(struct user *u, unsigned to)
{
    mover = (struct mover){.user = u, .to = to};
    world_thread(user_where(u), move, &mover);
    world_until(moved, 60, "a move does not come to an end");
    EXPECT(mover.result == 0);
}

// The members are who they were, and the stranger is in no cluster of theirs.
static void unharmed(unsigned stranger, uint32_t epoch)
{
    for (unsigned i = 0; i < stranger; i++) {
        world_enter(i);
        EXPECT(cluster_epoch() == epoch && cluster_count() == stranger && !cluster_is_fenced());
        EXPECT(!cluster_is_member((node_id_t)stranger));
    }
    uint64_t cluster = cluster_membership()->decided.cluster;
    world_enter(stranger);
    EXPECT(cluster_membership()->decided.cluster != cluster);
}

void scenario_strangers(void)
{
    unsigned nodes = option_between("nodes", 2, 3), tries = option("tries", 50);
    for (unsigned i = 0; i < nodes; i++)
        world_key(i, OUR_KEY);
    world_open(nodes, "");
    machine_step_ns_max = 20 * NS_PER_MS;
    uint32_t epoch = cluster_epoch();
    struct user *u = user_start(0, 4, 1u << 30);
    for (unsigned n = 0; n < tries; n++) {
        static const char *const keys[] = {"the key of that cluster", "", "x"};
        world_key(nodes, keys[n % ARRAY_SIZE(keys)]);
        world_newcomer();
        world_run_ms(option_between("stay", 1500, 6000));
        if (n % 8 == 0)
            move_to(u, (user_where(u) + 1) % nodes);
        unharmed(nodes, epoch);
        world_kill(nodes);
        world_run_ms(50);
    }
    world_key(nodes, OUR_KEY);
    world_newcomer();
    world_until(world_together, 30, "a node with the key does not get in");
    world_run_ms(1000);
    move_to(u, nodes);
    EXPECT(user_where(u) == nodes);
}
