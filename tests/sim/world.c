// SPDX-License-Identifier: MIT
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster_priv.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container.h"
#include "tests/sim/ports/machine.h"
#include "tests/sim/ports/ports.h"
#include "tests/sim/ports/sim_priv.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/ports/wire.h"

static struct sim_wire wire;
static struct sim_node *nodes[WORLD_MAX];
static unsigned count;
static unsigned lives[WORLD_MAX];
static bool is_mute[WORLD_MAX], is_deaf[WORLD_MAX], boots_again;
static unsigned side[WORLD_MAX]; // of a partition
static unsigned sender;          // of the frame that is on its way
static char all_settings[128];
static bool booted[WORLD_MAX];
static char own_settings[WORLD_MAX][128];
static char own_key[WORLD_MAX][32];
static unsigned founders;

unsigned world_count(void)
{
    return count;
}

unsigned world_here(void)
{
    for (unsigned i = 0; i < count; i++)
        if (nodes[i] == sim_node_current())
            return i;
    return WORLD_MAX;
}

void world_enter(unsigned i)
{
    sim_node_enter(nodes[i]);
}

int world_stamp(char *text, size_t size)
{
    unsigned here = world_here();
    int n = snprintf(text, size, "%11.6f ", (double)clock_now_ns() / 1e9);
    if (here == WORLD_MAX)
        return n + snprintf(text + n, size - (size_t)n, "- ");
    return n + snprintf(text + n, size - (size_t)n, "%u ", here);
}

// ---- life and death -----------------------------------------------------------------------------

bool world_lives(unsigned i)
{
    return !sim_node_is_stopped(nodes[i]);
}

bool world_serves(unsigned i)
{
    return world_lives(i) && booted[i];
}

unsigned world_living(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < count; i++)
        n += world_lives(i);
    return n;
}

void world_kill(unsigned i)
{
    note("node %u is killed", i);
    sim_node_stop(nodes[i]);
}

static void ended(enum machine_end how)
{
    static const char *const words[] = {"powered off", "boots again", "died"};
    note("%s", words[how]);
    if (how == MACHINE_RESET && boots_again)
        world_boot(world_here());
}

bool world_reborn(unsigned i)
{
    return lives[i] > 1 || !world_lives(i);
}

void world_boots_again(bool on)
{
    boots_again = on;
}

void world_cut(unsigned i, bool out)
{
    note("cable of node %u %s", i, out ? "cut" : "healed");
    is_mute[i] = is_deaf[i] = out;
}

void world_cut_one_way(unsigned i, bool mute, bool deaf)
{
    note("node %u is %s%s", i, mute ? "mute " : "", deaf ? "deaf" : mute ? "" : "healed");
    is_mute[i] = mute;
    is_deaf[i] = deaf;
}

void world_part(unsigned i, unsigned to)
{
    side[i] = to;
}

void world_still(unsigned i, unsigned ms)
{
    struct sim_node *was = sim_node_current();
    world_enter(i);
    sim_threads_stand_still(clock_now_ns() + ms * NS_PER_MS);
    sim_node_enter(was);
}

void world_lose(unsigned i)
{
    struct sim_node *was = sim_node_current();
    world_enter(i);
    rpc_lose_next();
    sim_node_enter(was);
}

// What leaves a node; what would reach one that is cut off is thrown away by `reaches`.
static bool passes(struct sim_wire *w UNUSED, unsigned from, const uint8_t *frame UNUSED,
                   size_t n UNUSED)
{
    sender = from;
    return world_lives(from) && !is_mute[from];
}

static bool reaches(struct sim_wire *w UNUSED, unsigned to)
{
    return !is_deaf[to] && side[to] == side[sender];
}

// ---- start --------------------------------------------------------------------------------------

static unsigned third = WORLD_MAX;

void world_third(unsigned i)
{
    third = i;
}

static void say(enum log_level level, const char *line)
{
    static const char fault[] = "fault: handoff", words[] = ":tell";
    size_t n = strlen(line);
    if (third < count && strncmp(line, fault, strlen(fault)) == 0 && n > strlen(words) &&
        strcmp(line + n - strlen(words), words) == 0)
        world_kill(third);
    if (level != LOG_DEBUG)
        note("%s", line);
}

static void boot(void *arg UNUSED)
{
    init_run_all();
    booted[world_here()] = true;
}

void world_settings(unsigned i, const char *words)
{
    snprintf(own_settings[i], sizeof(own_settings[i]), "%s", words);
}

void world_key(unsigned i, const char *text)
{
    snprintf(own_key[i], sizeof(own_key[i]), "%s", text);
}

void world_newcomer(void)
{
    EXPECT(founders < WORLD_MAX);
    count = founders + 1;
    world_boot(founders);
}

void world_boot(unsigned i)
{
    char words[320];
    booted[i] = false;
    lives[i]++;
    nodes[i] = sim_node_new();
    machine_set_key(own_key[i][0] == '\0' && option("key", 0) ? "the key of all" : own_key[i]);
    snprintf(words, sizeof(words), "node=%u nodes=%u %s %s", i, founders, all_settings,
             own_settings[i]);
    settings_parse(words);
    sim_wire_attach(&wire, i);
    thread_create("init", THREAD_NORMAL, boot, NULL);
}

// A fault of the wire: none at all in every other seed, so that a pure one is seen, too.
static unsigned rate(const char *key, unsigned most)
{
    return option(key, sim_chance(500) ? (unsigned)(sim_random() % (most + 1)) : 0);
}

static void check_after_event(void)
{
    // A node that stands still may do so in the middle of a step.
    bool still = sim_node_current()->still_until_ns > clock_now_ns();
    if (cluster_self() != NODE_NONE && !still)
        containers_check();
}

static bool all_booted(void)
{
    for (unsigned i = 0; i < count; i++)
        if (!booted[i])
            return false;
    return true;
}

void world_open(unsigned many, const char *settings)
{
    EXPECT(many <= WORLD_MAX);
    log_sink = say;
    machine_on_end = ended;
    sim_ties_by_seed(true);
    sim_wire_init(&wire);
    wire.filter = passes;
    wire.reaches = reaches;
    wire.loss = rate("loss", 100);
    wire.dup = rate("dup", 50);
    wire.reorder = rate("reorder", 100);
    wire.corrupt = rate("corrupt", 10);
    note("%u nodes; loss=%u dup=%u reorder=%u corrupt=%u", many, wire.loss, wire.dup, wire.reorder,
         wire.corrupt);
    snprintf(all_settings, sizeof(all_settings), "%s", settings);
    count = founders = many;
    for (unsigned i = 0; i < many; i++)
        world_boot(i);
    world_until(world_together, option("found", 20), "the nodes do not found a cluster");
    world_until(all_booted, 20, "a node is a member and does not finish its boot");
    sim_after_event = check_after_event;
}

void world_faults_stop(void)
{
    wire.loss = wire.dup = wire.reorder = wire.corrupt = 0;
}

static int ago(uint64_t ms)
{
    return ms ? (int)(cluster_now_ms() - ms) : -1;
}

static void membership_story(void)
{
    const struct mb *m = cluster_membership();
    note("membership: %s epoch %u proposing %d round %u", mb_phase_name(m->phase), m->decided.epoch,
         m->proposing, m->ballot.round);
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        const struct mb_peer *p = &m->peers[i];
        if (p->key)
            note("  node %u in epoch %u; ms since beacon %d heard %d contact %d join %d",
                 p->who.wish, p->epoch, ago(p->beacon_ms), ago(p->heard_ms), ago(p->contact_ms),
                 ago(p->join_ms));
    }
}

void world_story(void)
{
    static char text[16 << 10];
    for (unsigned i = 0; i < count; i++) {
        struct text t;
        world_enter(i);
        text_init(&t, text, sizeof(text));
        membership_story();
        cluster_counters_show(&t);
        for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
            note("%s%s", world_lives(i) ? "" : "(gone) ", line);
    }
}

// ---- time ---------------------------------------------------------------------------------------

static void thread_body(void *arg)
{
    void **call = arg;
    ((void (*)(void *))call[0])(call[1]);
    free(call);
}

void world_thread(unsigned i, void (*fn)(void *), void *arg)
{
    void **call = calloc(2, sizeof(*call));
    call[0] = (void *)fn;
    call[1] = arg;
    struct sim_node *was = sim_node_current();
    world_enter(i);
    thread_create("test", THREAD_NORMAL, thread_body, call);
    sim_node_enter(was);
}

void world_run_ms(unsigned ms)
{
    sim_run_for(ms * NS_PER_MS);
}

static bool call_done(void *arg)
{
    bool (**done)(void) = arg;
    return (*done)();
}

void world_until(bool (*done)(void), unsigned seconds, const char *what)
{
    if (!sim_run(clock_now_ns() + seconds * NS_PER_S, call_done, &done))
        fail("after %u s: %s", seconds, what);
}

bool world_together(void)
{
    struct sim_node *was = sim_node_current();
    unsigned living = world_living(), in = 0;
    uint32_t epoch = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!world_lives(i))
            continue;
        world_enter(i);
        epoch = epoch ? epoch : cluster_epoch();
        in += epoch && cluster_epoch() == epoch && cluster_count() == living &&
              !cluster_is_fenced() && cluster_clock_ns() != 0;
    }
    if (was)
        sim_node_enter(was);
    return in == living;
}

size_t world_heap_used(unsigned i)
{
    struct sim_node *was = sim_node_current();
    world_enter(i);
    size_t used = heap_bytes_used();
    sim_node_enter(was);
    return used;
}

uint32_t world_frames_used(unsigned i)
{
    struct sim_node *was = sim_node_current();
    world_enter(i);
    uint32_t used = port_frames_of_pages();
    sim_node_enter(was);
    return used;
}
