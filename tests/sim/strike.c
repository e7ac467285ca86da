// SPDX-License-Identifier: MIT
#include "tests/sim/strike.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "arch/x86/arch.h"
#include "kernel/fault.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "ssi/cluster/rpc.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/world.h"

enum {
    POINTS_MAX = 400,
    NAME_BYTES = 48
};

enum victim {
    SOURCE,
    TARGET,
    THIRD,
    VICTIMS
};

enum action {
    DIE,
    DROP,
    STALL,
    ACTIONS
};

static const char *const victim_words[] = {"source", "target", "third"};
static const char *const action_words[] = {"dies", "loses what it sends", "stands still"};

struct tally { // of one point, over all runs
    uint32_t runs, reached;
    uint32_t struck[VICTIMS][ACTIONS];
};

static char names[POINTS_MAX][NAME_BYTES];
static unsigned point_count;
static struct tally *tallies; // shared by all runs

static unsigned point, wanted, came;
static enum victim victim;
static enum action action;
static bool done;
static void (*on_death)(unsigned);

static void add_name(const char *room, const char *state, void *arg UNUSED)
{
    if (point_count < POINTS_MAX)
        snprintf(names[point_count++], NAME_BYTES, "%s:%s", room, state);
}

void strikes_begin(void)
{
    fault_points_each(add_name, NULL);
    tallies = mmap(NULL, sizeof(*tallies) * POINTS_MAX, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static unsigned total(const struct tally *t)
{
    unsigned n = 0;
    for (unsigned v = 0; v < VICTIMS; v++)
        for (unsigned a = 0; a < ACTIONS; a++)
            n += t->struck[v][a];
    return n;
}

void strikes_report(bool all)
{
    unsigned runs = 0, struck = 0, points = 0, hit = 0, kinds = 0;
    for (const struct tally *t = tallies; t < tallies + point_count; t++) {
        runs += t->runs;
        struck += total(t);
        points += t->runs > 0;
        hit += total(t) > 0;
        for (unsigned i = 0; i < (unsigned)VICTIMS * ACTIONS; i++)
            kinds += t->struck[i / ACTIONS][i % ACTIONS] > 0;
        if (all)
            printf("%s: %u runs, reached %u, struck %u\n", names[t - tallies], t->runs, t->reached,
                   total(t));
    }
    if (runs)
        printf("-- fault points: %u, drawn %u, struck %u in %u runs of %u; %u of %u x 9 ways\n",
               point_count, points, hit, struck, runs, kinds, hit);
}

void strikes_print(void)
{
    for (unsigned i = 0; i < point_count; i++)
        printf("%s\n", names[i]);
}

// ---- striking -----------------------------------------------------------------------------------

static unsigned other_than(unsigned a, unsigned b)
{
    unsigned found = WORLD_MAX, n = 0;
    for (unsigned i = 0; i < world_count(); i++)
        if (i != a && i != b && world_lives(i) && sim_random() % ++n == 0)
            found = i;
    return found;
}

static void stand_still(unsigned i)
{
    if (i == world_here() && thread_current())
        sim_thread_stand_still(FAULT_STALL_MS * NS_PER_MS);
    else
        world_still(i, FAULT_STALL_MS);
}

static void kill(unsigned i)
{
    if (on_death)
        on_death(i);
    if (i == world_here() && thread_current())
        arch_exit(1);
    world_kill(i);
}

// True: what the source is about to send is lost.
static bool strike(unsigned source, unsigned to)
{
    unsigned target =
        to < world_count() && to != source && world_lives(to) ? to : other_than(source, source);
    unsigned who = victim == SOURCE   ? source
                   : victim == TARGET ? target
                                      : other_than(source, target);
    if (who == WORLD_MAX)
        return false;
    note("fault: %s on node %u to %u: %s node %u %s", names[point], source, target,
         victim_words[victim], who, action_words[action]);
    tallies[point].struck[victim][action]++;
    switch (action) {
    case DIE:
        kill(who);
        return true;
    case DROP:
        world_lose(who);
        return who == source;
    case STALL:
        stand_still(who);
        return false;
    case ACTIONS:
        break;
    }
    return false;
}

static bool is_named(const char *name, const char *room, const char *state)
{
    size_t n = strlen(room);
    return strncmp(name, room, n) == 0 && name[n] == ':' && strcmp(name + n + 1, state) == 0;
}

// Counts every point that is reached; one that is in no list is an error.
static void take_census(const char *room, const char *state)
{
    for (unsigned i = 0; i < point_count; i++) {
        if (is_named(names[i], room, state)) {
            tallies[i].reached++;
            return;
        }
    }
    fail("%s:%s is in no list of fault points", room, state);
}

static bool watch(const char *room, const char *state, node_id_t to)
{
    if (option("census", 0))
        take_census(room, state);
    if (done || !is_named(names[point], room, state))
        return false;
    unsigned here = world_here();
    if (here == WORLD_MAX || !world_lives(here))
        return false;
    if (++came < wanted)
        return false;
    done = true;
    return strike(here, to);
}

void strike_disarm(void)
{
    fault_on_point = NULL;
}

// ---- drawing ------------------------------------------------------------------------------------

static bool is_of(const char *name, const char *rooms)
{
    for (const char *at = rooms; *at;) {
        size_t n = strcspn(at, ",");
        if (strncmp(name, at, n) == 0)
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

static unsigned draw(const char *rooms)
{
    unsigned found = 0, n = 0;
    const char *chosen = option_text("point", NULL);
    for (unsigned i = 0; i < point_count; i++) {
        bool drawn = is_of(names[i], rooms) && sim_random() % ++n == 0;
        if (chosen ? strcmp(names[i], chosen) == 0 : drawn)
            found = i;
    }
    EXPECT(n > 0);
    return found;
}

void strike_arm(const char *rooms, void (*dies)(unsigned victim))
{
    point = draw(rooms);
    victim = option_between("victim", 0, VICTIMS - 1);
    action = option_between("action", 0, ACTIONS - 1);
    wanted = option("nth", 1u + (unsigned)(sim_random() % (1u << sim_random() % 8 / 2)));
    on_death = dies;
    note("at %s, time %u: the %s %s", names[point], wanted, victim_words[victim],
         action_words[action]);
    tallies[point].runs++;
    fault_on_point = watch;
}
