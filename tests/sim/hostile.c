// SPDX-License-Identifier: MIT
// A member that lies, and ghosts that were forged. Messages between nodes are caught while a
// process moves about, then changed and sent again in the name of node 2 to both others: whatever
// they say, no node stops and no memory is spoilt (ASan), though processes may be. Forged ghosts
// with right sums are imported and undone before each true one: no node keeps a byte of them.
#include "tests/sim/scenarios.h"

#include <stdlib.h>
#include <string.h>
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/cluster/rpc_priv.h"
#include "ssi/ghost/ghost.h"
#include "ssi/migrate/migrate.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/users.h"
#include "tests/sim/world.h"

enum {
    CAUGHT_MAX = 512,
    SAME_KIND_MAX = 24,
    LIAR = 2,
    FORGED = 300
};

// ---- bytes changed ------------------------------------------------------------------------------

static uint32_t odd_value(void)
{
    static const uint32_t odd[] = {0,          1,          2,          3,          0x7fffffff,
                                   0x80000000, 0xffffffff, 0xfffffffe, 0xffff,     0x10000,
                                   0x1000,     0xfff,      32768,      0xc0000000, 0x40};
    uint32_t pid = user_count ? (uint32_t)users[sim_random() % user_count].pid : 0;
    return sim_chance(150) ? pid : odd[sim_random() % ARRAY_SIZE(odd)];
}

static void change(uint8_t *bytes, size_t n)
{
    for (unsigned i = 1 + (unsigned)(sim_random() % 4); n > 0 && i > 0; i--) {
        size_t at = sim_random() % n, width = 1u << sim_random() % 3;
        uint32_t value = sim_chance(600) ? odd_value() : (uint32_t)sim_random();
        if (sim_chance(300))
            bytes[at] ^= (uint8_t)(1u << sim_random() % 8);
        else
            memcpy(bytes + at, &value, MIN(width, n - at));
    }
}

// ---- messages -----------------------------------------------------------------------------------

static struct link_message caught[CAUGHT_MAX];
static unsigned caught_count, caught_of_kind[RPC_KINDS];
static bool catches;

void __real_rpc_receive(const struct link_message *m);
void __wrap_rpc_receive(const struct link_message *m);
void __wrap_rpc_receive(const struct link_message *m)
{
    if (catches && caught_count < CAUGHT_MAX &&
        caught_of_kind[m->kind % RPC_KINDS] < SAME_KIND_MAX) {
        struct link_message *c = &caught[caught_count++];
        caught_of_kind[m->kind % RPC_KINDS]++;
        *c = *m;
        c->bytes = memcpy(malloc(m->n + 1), m->bytes, m->n);
    }
    __real_rpc_receive(m);
}

static void lie(void)
{
    struct link_message m = caught[sim_random() % caught_count];
    size_t n = sim_chance(100) ? sim_random() % (m.n + 1) : m.n;
    uint8_t *bytes = malloc(n + 1); // its end is watched
    memcpy(bytes, m.bytes, n);
    if (sim_chance(950))
        change(bytes, n);
    m.node = LIAR;
    m.bytes = bytes;
    m.n = n;
    if (m.kind == 0)
        m.request = (uint32_t)(sim_random() % 200);
    world_enter((unsigned)(sim_random() % 2));
    if (cluster_is_member(LIAR))
        __real_rpc_receive(&m);
    free(bytes);
}

// ---- a process that moves about -----------------------------------------------------------------

static struct mover {
    unsigned from, to;
    bool done;
} mover;

static void move(void *arg UNUSED)
{
    int e = migrate_process(users[0].pid, (node_id_t)mover.to, "sim");
    note("move of %d to %u: %d", users[0].pid, mover.to, e);
    mover.done = true;
}

static bool moved(void)
{
    return mover.done;
}

static void roam(unsigned moves)
{
    for (unsigned i = 0; i < moves; i++) {
        world_run_ms((unsigned)(sim_random() % 20));
        mover.from = user_where(&users[0]);
        if (mover.from == WORLD_MAX)
            return;
        mover.to =
            (mover.from + 1 + (unsigned)(sim_random() % (world_count() - 1))) % world_count();
        mover.done = false;
        world_thread(mover.from, move, NULL);
        world_until(moved, 60, "a move does not come to an end");
    }
}

// ---- a node serves ------------------------------------------------------------------------------

static unsigned served;

static void ask(void *arg UNUSED)
{
    uint8_t answer[64];
    for (unsigned i = 0; i < 2; i++)
        served += rpc_call((node_id_t)i, MSG_process_node_facts, NULL, 0, answer, sizeof(answer),
                           0) != -EHOSTDOWN;
}

static bool all_served(void *arg UNUSED)
{
    return served == 4;
}

void scenario_hostile(void)
{
    world_open(3, "");
    world_faults_stop();
    struct user *u = user_start(0, option_between("pages", 1, 12), 20000);
    u->forks = option_between("children", 0, 3);
    catches = true;
    roam(option_between("moves", 2, 8));
    catches = false;
    note("%u messages caught", caught_count);
    EXPECT(caught_count > 20);
    fail_forgives = true; // from here what programs see may be wrong
    for (unsigned i = option("lies", 1500); i > 0; i--) {
        lie();
        sim_run_for(sim_random() % NS_PER_MS);
    }
    for (unsigned i = 0; i < 2; i++)
        world_thread(i, ask, NULL);
    bool well = sim_run(clock_now_ns() + 60 * NS_PER_S, all_served, NULL);
    fail_forgives = false;
    if (!well)
        fail("the nodes answer %u of 4 questions", served);
}

// ---- ghosts -------------------------------------------------------------------------------------

static void seal(struct ghost *g)
{
    struct ghost_header h;
    memcpy(&h, g->bytes, sizeof(h));
    h.crc32c = 0;
    uint32_t sum = crc32c(crc32c(0, &h, sizeof(h)), g->bytes + sizeof(h), g->n - sizeof(h));
    memcpy(g->bytes + offsetof(struct ghost_header, crc32c), &sum, sizeof(sum));
}

static struct ghost copy_of(const struct ghost *g)
{
    struct ghost copy = {.bytes = heap_alloc(g->n), .n = g->n, .capacity = g->n};
    EXPECT(copy.bytes != NULL);
    memcpy(copy.bytes, g->bytes, g->n);
    return copy;
}

static void flip_every_bit(const struct ghost *g)
{
    struct ghost copy = copy_of(g);
    const char *why;
    EXPECT(ghost_check(&copy, &why));
    for (size_t bit = 0; bit < 8 * g->n; bit += 1 + (bit > 2048 ? sim_random() % 16 : 0)) {
        copy.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (ghost_check(&copy, &why) || why == NULL)
            fail("a ghost with bit %zu changed is taken", bit);
        copy.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    ghost_free(&copy);
}

int __real_ghost_import(struct ghost_job *job, struct ghost *g);

static void forge(const struct ghost *g)
{
    struct ghost copy = copy_of(g);
    struct ghost_job job = {0};
    const char *why;
    change(copy.bytes + sizeof(struct ghost_header), copy.n - sizeof(struct ghost_header));
    if (sim_chance(100))
        change(copy.bytes, sizeof(struct ghost_header));
    seal(&copy);
    if (ghost_check(&copy, &why) && __real_ghost_import(&job, &copy) == 0)
        ghost_import_undo(&job);
    ghost_free(&copy);
}

static bool forges, forged;

int __wrap_ghost_import(struct ghost_job *job, struct ghost *g);
int __wrap_ghost_import(struct ghost_job *job, struct ghost *g)
{
    if (!forges)
        return __real_ghost_import(job, g);
    flip_every_bit(g);
    for (unsigned i = option("forged", FORGED); i > 0; i--)
        forge(g);
    forged = true;
    return -EPROTO; // the forged ones gave back its share of the open files
}

static bool frees(void *arg)
{
    return world_heap_used(1) <= *(size_t *)arg;
}

void scenario_ghosts(void)
{
    world_open(2, "drain=off");
    world_faults_stop();
    struct user *u = user_start(0, option_between("pages", 1, 6), 1000000);
    roam(2); // what a first move leaves is there
    world_run_ms(3000);
    size_t before = world_heap_used(1) + 4096;
    forges = true;
    roam(1);
    EXPECT(forged && user_where(u) == 0);
    if (!sim_run(clock_now_ns() + 60 * NS_PER_S, frees, &before))
        fail("node 1 has %zu bytes of heap in use, %zu before", world_heap_used(1), before);
}
