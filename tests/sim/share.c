// SPDX-License-Identifier: MIT
// Nodes read and write the pages of one container at once. Variants: users come and go, so that
// pages are drained and the home moves; a node dies in the middle.
#include "tests/sim/scenarios.h"

#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "ssi/container/container_priv.h"
#include "tests/sim/oracle.h"
#include "tests/sim/ports/ports.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/strike.h"
#include "tests/sim/world.h"

#define AREA    0x40000000u
#define WORKERS 16

static struct oracle oracle;
static unsigned pages, think_us;
static struct container_ref area; // as the last export said

struct worker {
    unsigned node, operations;
    bool ends; // lets go of the memory at its end
    bool done, lost;
    struct space *space;
};

static struct worker workers[WORKERS];
static unsigned worker_count;
static uint32_t last_value;
static bool somebody_died;

// ---- one access, as a program makes it ----------------------------------------------------------

static int touch(struct worker *w, unsigned page, unsigned word, bool write, uint32_t *value)
{
    uint32_t address = AREA + oracle_offset(page, word);
    while (!port_user_word(&w->space->arch, address, write, value)) {
        for (unsigned i = page; somebody_died && write && i < pages; i++)
            oracle_grabbed(&oracle, i); // pages behind it are asked for ahead
        int e = space_fault(w->space, address, write ? PROT_W : PROT_R);
        if (e < 0 && e != -EAGAIN)
            return e;
        sim_thread_spend(sim_random() % 1000);
    }
    return 0;
}

static void operation(struct worker *w)
{
    unsigned page = (unsigned)(sim_random() % pages), word = sim_random() % ORACLE_WORDS;
    bool write = sim_chance(400);
    uint32_t value = write ? ++last_value : 0;
    int e = touch(w, page, word, write, &value);
    if (option("trace", 0))
        note("%s %u in word %u of page %u: %d", write ? "wrote" : "read", value, word, page, e);
    if (e == -EHOSTDOWN) {
        oracle_lost(&oracle, w->node, page);
        w->lost = true;
    } else if (e < 0) {
        fail("node %u: page %u: error %d", w->node, page, e);
    } else if (write) {
        oracle_wrote(&oracle, w->node, page, word, value);
    } else {
        oracle_read(&oracle, w->node, page, word, value);
    }
}

// ---- workers ------------------------------------------------------------------------------------

static void attach(struct worker *w, struct container *c)
{
    EXPECT(c != NULL);
    w->space = space_new();
    int e = space_map(w->space, AREA, pages << 12, PROT_R | PROT_W, SEGMENT_SHARED, c, 0,
                      &container_segment_ops, NULL);
    EXPECT(e == 0);
}

static void work(void *arg)
{
    struct worker *w = arg;
    if (w->space == NULL)
        attach(w, container_import(&area));
    for (unsigned i = 0; i < w->operations && !w->lost; i++) {
        operation(w);
        sim_thread_spend(1 + sim_random() % (think_us * 1000 + 1));
    }
    if (w->ends) {
        space_put(w->space);
        w->space = NULL;
    }
    w->done = true;
}

static struct worker *worker_add(unsigned node, unsigned operations, bool ends)
{
    struct worker *w = &workers[worker_count++];
    *w = (struct worker){.node = node, .operations = operations, .ends = ends};
    return w;
}

// The first worker, on node 0, makes the container.
static void create(void *arg)
{
    struct worker *w = arg;
    attach(w, container_new_anonymous());
    struct segment *s = space_find(w->space, AREA);
    for (unsigned i = 0; i < option_between("before", 0, 10); i++)
        operation(w);
    EXPECT(container_export(s->object, &area) == 0);
    w->done = true;
}

static bool all_done(void)
{
    for (unsigned i = 0; i < worker_count; i++)
        if (!workers[i].done && world_lives(workers[i].node))
            return false;
    return true;
}

static void leave(void *arg)
{
    struct worker *w = arg;
    if (w->space) // else it has not come yet
        space_put(w->space);
    w->space = NULL;
}

static uint32_t frames_before[WORLD_MAX];
static size_t heap_before[WORLD_MAX];

static void begin_with(unsigned nodes, unsigned least_pages, unsigned most_pages)
{
    world_open(nodes, option("drain", sim_chance(700)) ? "" : "drain=off");
    for (unsigned i = 0; i < nodes; i++) {
        world_enter(i);
        frames_before[i] = world_frames_used(i);
        heap_before[i] = heap_bytes_used();
    }
    pages = option_between("pages", least_pages, most_pages);
    think_us = option_between("think", 0, 1) ? 2000 : 50;
    oracle_init(&oracle, "area", pages);
    struct worker *first = worker_add(0, 0, false);
    world_thread(0, create, first);
    world_until(all_done, 30, "the container is not made");
}

static void begin(unsigned nodes)
{
    begin_with(nodes, 1, 8);
}

static bool nothing_held(void)
{
    for (unsigned i = 0; i < world_count(); i++)
        if (world_lives(i) && world_frames_used(i) != frames_before[i])
            return false;
    return true;
}

// With the last user all goes: pages, records, directory, on every node.
static void end(void)
{
    for (unsigned i = 0; i < worker_count; i++)
        if (workers[i].space && !workers[i].ends && world_lives(workers[i].node))
            world_thread(workers[i].node, leave, &workers[i]);
    world_until(nothing_held, 20, "frames are not back");
    world_run_ms(2000);
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_lives(i))
            continue;
        char text[512];
        struct text t;
        text_init(&t, text, sizeof(text));
        world_enter(i);
        containers_show(&t);
        note("%u bytes of heap before, %u now; %s", (unsigned)heap_before[i],
             (unsigned)heap_bytes_used(), text);
        EXPECT(world_frames_used(i) == frames_before[i]);
    }
}

void scenario_share(void)
{
    unsigned nodes = option_between("nodes", 2, 3), each = option_between("each", 1, 2);
    begin(nodes);
    unsigned operations = option_between("operations", 20, 200);
    for (unsigned i = 0; i < nodes * each; i++) {
        struct worker *w = worker_add(i % nodes, operations, false);
        world_thread(w->node, work, w);
    }
    world_until(all_done, 600, "the workers do not come to an end");
    end();
}

// Users go from node to node as processes do: attached there before they leave here.
void scenario_share_roam(void)
{
    unsigned nodes = option_between("nodes", 2, 4);
    begin(nodes);
    struct worker *here = &workers[0];
    for (unsigned move = 0; move < option_between("moves", 5, 12); move++) {
        unsigned next = (unsigned)(sim_random() % nodes);
        struct worker *there = worker_add(next, option_between("operations", 0, 40), false);
        world_thread(next, work, there);
        while (!there->space)
            world_run_ms(1);
        world_enter(here->node);
        container_drain(space_find(here->space, AREA)->object, (node_id_t)next);
        world_thread(here->node, leave, here);
        world_until(all_done, 600, "a worker does not come to an end");
        world_run_ms((unsigned)(sim_random() % 500));
        here = there;
    }
    end();
}

// What may go down with the node although others accessed it last.
static void note_grabbed(const struct worker *w, bool victim)
{
    world_enter(w->node);
    struct segment *s = w->space ? space_find(w->space, AREA) : NULL;
    for (unsigned i = 0; s && i < pages; i++) {
        page_t p = page_get(s->object, i);
        if (page_asked(p) != COH_RIGHT_NONE || (victim && page_held(p) == COH_HELD_WRITER))
            oracle_grabbed(&oracle, i);
    }
}

void scenario_share_death(void)
{
    unsigned nodes = option_between("nodes", 3, 4);
    begin(nodes);
    unsigned operations = option_between("operations", 100, 1000);
    for (unsigned i = 0; i < nodes; i++) {
        struct worker *w = worker_add(i, operations, false);
        world_thread(i, work, w);
    }
    world_run_ms(option_between("when", 10, 2000));
    unsigned victim = option_between("victim", 0, nodes - 1);
    for (unsigned i = 0; i < nodes; i++)
        note_grabbed(&workers[1 + i], i == victim);
    somebody_died = true;
    world_kill(victim);
    oracle_died(&oracle, victim);
    world_until(all_done, 600, "the workers do not come to an end");
    world_until(world_together, 60, "the survivors do not agree on an epoch");
    end();
}

static unsigned share_nodes;

static void share_dies(unsigned victim)
{
    unsigned here = world_here();
    for (unsigned i = 1; i < worker_count; i++)
        note_grabbed(&workers[i], workers[i].node == victim);
    somebody_died = true;
    oracle_died(&oracle, victim);
    if (here < WORLD_MAX)
        world_enter(here);
}

// As roaming and sharing at once, and at a fault point something goes wrong.
void scenario_share_fault(void)
{
    share_nodes = option_between("nodes", 3, 4);
    begin(share_nodes);
    unsigned operations = option_between("operations", 50, 300);
    for (unsigned i = 0; i < share_nodes; i++) {
        struct worker *w = worker_add(i, operations, sim_chance(300));
        world_thread(i, work, w);
    }
    strike_arm("coherence,gate,note,page-,drain,container_,link,membership", share_dies);
    if (option("leave", sim_chance(500))) { // then the home follows who is left
        world_run_ms((unsigned)(sim_random() % 20));
        world_thread(0, leave, &workers[0]);
    }
    world_until(all_done, 600, "the workers do not come to an end");
    world_until(world_together, 60, "the living do not agree on an epoch");
    end();
}

// What a node keeps for others goes down with it, whoever accessed it last.
static void note_lodged(unsigned victim)
{
    world_enter(victim);
    struct container *c = link_find(&area.id);
    for (unsigned i = 0; c && i < pages; i++) {
        if (page_held(page_get(c, i)) == COH_HELD_WRITER)
            oracle_grabbed(&oracle, i);
    }
}

static void lodger_dies(unsigned victim)
{
    unsigned here = world_here();
    note_lodged(victim);
    if (here < WORLD_MAX)
        world_enter(here);
    share_dies(victim);
}

// The home is short of memory: the others have its pages lodged. With a fault somewhere in it, or
// without.
void scenario_share_lodged(void)
{
    share_nodes = option_between("nodes", 2, 4);
    begin_with(share_nodes, 40, ORACLE_PAGES);
    bool faults = option("faults", share_nodes > 2 && sim_chance(500));
    unsigned users_of_it = option_between("users", 1, share_nodes);
    unsigned left = option_between("left", 500, 1800); // of 16384: enough is from 1638 on
    world_enter(0);
    port_frames_take(frame_free_count() - left);
    unsigned operations = option_between("operations", 100, 400);
    for (unsigned i = 0; i < users_of_it; i++)
        world_thread(i, work, worker_add(i, operations, false));
    if (faults)
        strike_arm("coherence,page-,container_,link,membership", lodger_dies);
    world_until(all_done, 600, "the workers do not come to an end");
    world_until(world_together, 60, "the living do not agree on an epoch");
    if (world_lives(0)) {
        world_enter(0);
        port_frames_take(0);
    }
    end();
}
