// SPDX-License-Identifier: MIT
// A process is handed off again and again, on a good wire and on a bad one; and once at each state
// of the hand-off something goes wrong at the source, the target or a third node. Exactly one
// incarnation has effects, or the process is reported dead.
#include "tests/sim/scenarios.h"

#include <stdio.h>
#include <string.h>
#include "lib/errno.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/tcp/tcp_priv.h"
#include "ssi/cluster/link_priv.h"
#include "ssi/container/container.h"
#include "ssi/migrate/handoff.h"
#include "ssi/migrate/migrate.h"
#include "tests/sim/ports/machine.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/strike.h"
#include "tests/sim/users.h"
#include "tests/sim/world.h"

enum {
    HEAP_STAYS = 1536, // less than a ghost
    HINT_STAYS = 128
};

struct mover {
    int32_t pid;
    unsigned from, to;
    bool done;
    int result;
};

static struct mover mover;
static struct user *user;
static uint32_t frames_before[WORLD_MAX];
static size_t heap_before[WORLD_MAX];

static void move(void *arg)
{
    struct mover *m = arg;
    m->result = migrate_process(m->pid, (node_id_t)m->to, "sim");
    note("move of %d from %u to %u: %d", m->pid, m->from, m->to, m->result);
    m->done = true;
}

static bool moved(void)
{
    return mover.done || !world_lives(mover.from);
}

static void move_begin(struct user *u, unsigned from, unsigned to)
{
    mover = (struct mover){.pid = u->pid, .from = from, .to = to};
    world_thread(from, move, &mover);
}

static unsigned another(unsigned than)
{
    unsigned n;
    do
        n = (unsigned)(sim_random() % world_count());
    while (n == than || !world_serves(n));
    return n;
}

static void begin(unsigned nodes, uint32_t limit)
{
    world_open(nodes, option("drain", sim_chance(700)) ? "" : "drain=off");
    for (unsigned i = 0; i < nodes; i++) {
        frames_before[i] = world_frames_used(i);
        heap_before[i] = world_heap_used(i);
    }
    user = user_start(0, option_between("pages", 1, 12), limit);
    user->node = 0;
}

// ---- the end ------------------------------------------------------------------------------------

static bool over(void *arg UNUSED)
{
    for (unsigned i = 0; i < user_count; i++)
        if (!user_is_over(&users[i]))
            return false;
    return true;
}

static bool frames_back(void *arg UNUSED)
{
    for (unsigned i = 0; i < world_count(); i++)
        if (world_lives(i) && world_frames_used(i) != frames_before[i])
            return false;
    return true;
}

// Hints of where processes were may stay, and what the network happens to hold.
static void heap_end(void)
{
    const long grown = LINK_RECORD_MAX - LINK_GREETING_MAX, conn = sizeof(struct tcp_conn);
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_lives(i))
            continue;
        long more = (long)(world_heap_used(i) - heap_before[i]);
        // Two connections for a while, or none that greeted, perhaps beside one that was ending.
        while (more > grown - HEAP_STAYS - conn)
            more -= grown + conn;
        // a connection that is just ending may stay as well
        if (more > conn + HEAP_STAYS + HINT_STAYS * (long)user_count)
            fail("node %u keeps %ld bytes of heap", i, more);
    }
}

static void frames_end(void)
{
    if (sim_run(clock_now_ns() + 20 * NS_PER_S, frames_back, NULL)) {
        world_run_ms(3000);
        heap_end();
        return;
    }
    for (unsigned i = 0; i < world_count(); i++) {
        static char text[4096];
        struct text t;
        if (!world_lives(i))
            continue;
        world_enter(i);
        text_init(&t, text, sizeof(text));
        containers_show(&t);
        note("%u frames before, %u now; %s", frames_before[i], world_frames_used(i), text);
    }
    fail("frames are not back");
}

struct reading {
    bool done;
    long n;
    uint32_t value[4096];
};

static struct reading reading;

// What the process wrote, read by whoever asks: each value once, in order.
static void read_file(void *arg)
{
    struct reading *r = arg;
    struct fs_who who = {.root = {.inode = 1}, .cwd = {.inode = 1}, .file_bytes_max = UINT64_MAX};
    struct file *f;
    struct xfer x;
    int e = fs_open(&who, who.root, user->path, O_RDONLY, 0, &f);
    r->n = e;
    if (e == 0) {
        xfer_kernel(&x, r->value, sizeof(r->value));
        r->n = file_read(f, &x, NULL);
        file_put(f);
        fs_unlink(&who, who.root, user->path, false);
    }
    r->done = true;
}

static bool file_was_read(void)
{
    return reading.done;
}

static void file_away(unsigned reader)
{
    reading.done = false;
    world_thread(reader, read_file, &reading);
    world_until(file_was_read, 20, "the file is not read");
}

static void check_file(unsigned reader)
{
    file_away(reader);
    // Who dies in the middle of a write may have written.
    for (long i = 0; i < reading.n / 4; i++)
        if (option("trace", 0))
            note("in the file: %u", reading.value[i]);
    bool one_more =
        (!user->gone || (user->status & 0x7f)) && reading.n == 4 * (long)user->filed + 4;
    if (reading.n != 4 * (long)user->filed && !one_more)
        fail("the file has %ld bytes for %u values", reading.n, user->filed);
    for (unsigned i = 1; i < user->filed; i++)
        if (reading.value[i] <= reading.value[i - 1])
            fail("the file says %u after %u", reading.value[i], reading.value[i - 1]);
}

static void finish(void)
{
    if (!sim_run(clock_now_ns() + 120 * NS_PER_S, over, NULL)) {
        for (unsigned i = 0; i < user_count; i++)
            user_note(&users[i]);
        fail("a process neither ends nor is reported dead");
    }
    world_run_ms(1000); // the words of it travel
    for (const struct user *u = users; u < users + user_count; u++) {
        user_note(u);
        bool well = u->status == USER_DONE << 8 && u->done == u->limit;
        bool dead = user_reported_dead(u) || (u->told && (u->status & 0x7f));
        EXPECT(!u->gone || well || dead);
        // Its end may be known only where it happened, or at its birth node: who is left may think
        // that it was lost there.
        bool hearsay = u->told || world_reborn((unsigned)u->pid / PID_PER_NODE) ||
                       (u->seen < WORLD_MAX && world_reborn(u->seen));
        EXPECT(!u->gone || !well || !dead || hearsay);
    }
}

// ---- something goes wrong ----------------------------------------------------------------------

// Wherever it is now: one good move, or the end.
static void move_until_over(unsigned times)
{
    for (unsigned i = 0; i < times && !user_is_over(user); i++) {
        world_run_ms((unsigned)(sim_random() % 20));
        unsigned from = user_where(user);
        if (from == WORLD_MAX || world_living() < 2)
            return;
        move_begin(user, from, another(from));
        world_until(moved, 60, "a move does not come to an end");
    }
}

// At each state, on either side: the node dies, its messages are dropped, it stands still; or a
// node that has no part in it dies. The ninth state, none, is the end of it.
void scenario_moves_fault(void)
{
    static const char *const sides[] = {"source", "target"};
    static const char *const actions[] = {"die", "drop", "stall", "tell"};
    unsigned state = option_between("state", HANDOFF_NONE, HANDOFF_STATES - 1);
    unsigned side = option_between("side", 0, 1), action = option_between("action", 0, 3);
    unsigned source = option_between("source", 0, 2), target = (source + 1) % 3;
    char words[64];
    snprintf(words, sizeof(words), "fault=handoff-%s:%s:%s", sides[side], handoff_state_word(state),
             actions[action]);
    world_settings(side == 0 ? source : target, words);
    world_third(3 - source - target);
    begin(3, option_between("limit", 300, 1500));
    world_run_ms((unsigned)(sim_random() % 20));
    if (source != 0) {
        move_begin(user, 0, source);
        world_until(moved, 60, "the first move does not come to an end");
    }
    note("%s", words);
    user->left = state >= HANDOFF_COMMIT; // the target has its ghost
    if (user_where(user) == source) {
        move_begin(user, source, target);
        world_until(moved, 60, "the move does not come to an end");
    }
    world_until(world_together, 60, "the living do not agree on an epoch");
    move_until_over(3);
    finish();
    if (world_lives(0)) // the home of all files
        check_file(another(WORLD_MAX));
    frames_end();
}

void scenario_moves(void)
{
    unsigned nodes = option_between("nodes", 2, 4), moves = option_between("moves", 3, 25);
    begin(nodes, moves * option_between("values", 20, 200));
    unsigned done = 0;
    for (unsigned i = 0; i < moves && !user->gone; i++) {
        world_run_ms((unsigned)(sim_random() % option("pause", 30)));
        unsigned from = user_where(user), to = another(from);
        if (from == WORLD_MAX)
            break;
        move_begin(user, from, to);
        world_until(moved, 60, "a move does not come to an end");
        done += mover.result == 0;
        if (mover.result != 0 && mover.result != -ESRCH)
            fail("a move failed: %s", errno_text(mover.result));
        if (mover.result == 0 && !user->gone)
            EXPECT(user_where(user) == to || user_where(user) == WORLD_MAX);
    }
    finish();
    EXPECT(done + 1 >= user->moves);
    check_file((unsigned)(sim_random() % nodes));
    frames_end();
}

// A parent and its children move on their own; each end is told once, to the parent where it is.
void scenario_family(void)
{
    unsigned nodes = option_between("nodes", 2, 4), moves = option_between("moves", 5, 30);
    begin(nodes, option_between("limit", 1000, 5000));
    user->forks = option_between("children", 1, 6);
    for (unsigned i = 0; i < moves && !user->gone; i++) {
        world_run_ms((unsigned)(sim_random() % option("pause", 10)));
        struct user *u = &users[sim_random() % user_count];
        unsigned from = u->pid ? user_where(u) : WORLD_MAX;
        if (from == WORLD_MAX)
            continue;
        move_begin(u, from, another(from));
        world_until(moved, 60, "a move does not come to an end");
        if (mover.result != 0 && mover.result != -ESRCH)
            fail("a move failed: %s", errno_text(mover.result));
    }
    finish();
    for (unsigned i = 0; i < user_count; i++)
        EXPECT(users[i].gone && users[i].done == users[i].limit);
    check_file((unsigned)(sim_random() % nodes));
    frames_end();
}

// A cable is cut for a while, with the process there or elsewhere, at rest or in the middle of a
// move. A node that is cut off for long runs nothing, and boots again when it is back.
void scenario_moves_cut(void)
{
    unsigned nodes = option_between("nodes", 3, 4);
    world_boots_again(true);
    begin(nodes, option_between("limit", 1000, 4000));
    for (unsigned i = 0; i < option_between("moves", 0, 3); i++) {
        world_run_ms((unsigned)(sim_random() % 20));
        unsigned from = user_where(user);
        if (from == WORLD_MAX)
            break;
        move_begin(user, from, another(from));
        world_until(moved, 60, "a move does not come to an end");
    }
    unsigned from = user_where(user), victim = option_between("victim", 0, nodes - 1);
    if (option("moving", sim_chance(500)) && from != WORLD_MAX) {
        move_begin(user, from, another(from));
        sim_run_for(sim_random() % (4 * NS_PER_MS));
    }
    world_cut(victim, true);
    unsigned after_ms = (unsigned)(sim_random() % 100 + 1);
    world_run_ms(option("cut", sim_chance(500) ? after_ms * 10 : after_ms * 100));
    world_cut(victim, false);
    world_until(world_together, 90, "the nodes do not come together");
    finish();
}

static void family_dies(unsigned victim UNUSED)
{
    unsigned here = world_here();
    for (unsigned i = 0; i < user_count; i++)
        if (users[i].pid)
            (void)user_where(&users[i]);
    if (here < WORLD_MAX)
        world_enter(here);
}

static bool user_ended(void)
{
    return user_is_over(user);
}

// One of the family's nodes dies: children and parents that were there are reported, wherever the
// others are, and no wait is left hanging.
void scenario_family_death(void)
{
    unsigned nodes = option_between("nodes", 3, 4);
    begin(nodes, option_between("limit", 1000, 3000));
    user->forks = option_between("children", 1, 6);
    unsigned moves = option_between("moves", 0, 12);
    for (unsigned i = 0; i < moves && !user->gone; i++) {
        world_run_ms((unsigned)(sim_random() % 10));
        struct user *u = &users[sim_random() % user_count];
        unsigned from = u->pid ? user_where(u) : WORLD_MAX;
        if (from == WORLD_MAX)
            continue;
        move_begin(u, from, another(from));
        if (i + 1 < moves || sim_chance(500))
            world_until(moved, 60, "a move does not come to an end");
    }
    sim_run_for(sim_random() % (5 * NS_PER_MS));
    for (unsigned i = 0; i < user_count; i++)
        if (users[i].pid)
            (void)user_where(&users[i]);
    world_kill(option_between("victim", 0, nodes - 1));
    world_until(world_together, 60, "the living do not agree on an epoch");
    finish();
    if (world_lives(0))
        check_file(another(WORLD_MAX));
}

// Anywhere in what a family does, something goes wrong at a fault point; some of the time nodes
// come and go beside it. Who is left serves new work.
static const char *const family_rooms =
    "handoff,location,signal,wait,fork,process_signal,process_child,process_reap,process_gone,"
    "process_lost,process_facts,process_census,fs_name,fs_file,fs_release,fs_share,container_clone,"
    "drain,gate,note,link,membership,cluster_clock,cluster_load";

static void new_work(void)
{
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_serves(i) || !world_lives(0)) // the home of all files
            continue;
        user = user_start(i, 2, 200);
        move_until_over(2);
        world_until(user_ended, 60, "new work does not come to an end");
        EXPECT(user->gone && user->done == user->limit);
        file_away(i);
    }
}

static void family_moves(unsigned moves)
{
    for (unsigned i = 0; i < moves && !user_is_over(user); i++) {
        world_run_ms((unsigned)(sim_random() % 10));
        struct user *u = &users[sim_random() % user_count];
        unsigned from = u->pid ? user_where(u) : WORLD_MAX;
        if (from == WORLD_MAX || world_living() < 2)
            continue;
        move_begin(u, from, another(from));
        world_until(moved, 60, "a move does not come to an end");
    }
}

void scenario_family_fault(void)
{
    bool comes = option("comes", sim_chance(300));
    unsigned nodes = comes ? 5 : option_between("nodes", 3, 4); // two may be gone at a time
    begin(nodes, option_between("limit", 500, 2000));
    user->forks = option_between("children", 1, 4);
    if (comes) {
        world_run_ms((unsigned)(sim_random() % 500));
        world_kill(nodes - 1);
    }
    strike_arm(family_rooms, family_dies);
    family_moves(option_between("moves", 2, 12));
    if (comes) {
        world_run_ms((unsigned)(sim_random() % 6000));
        if (world_reborn(nodes - 1) && !world_lives(nodes - 1))
            world_boot(nodes - 1);
    }
    family_moves(4);
    world_until(world_together, 60, "the living do not agree on an epoch");
    finish();
    strike_disarm();
    world_until(world_together, 60, "the living do not agree on an epoch");
    if (world_lives(0))
        check_file(another(WORLD_MAX));
    new_work();
}

// ---- the network parts, a node freezes ----------------------------------------------------------

enum parting {
    MUTE,
    DEAF,
    PARTED,
    FROZEN,
    PARTINGS
};

static void part(enum parting how, unsigned victim, unsigned sides)
{
    switch (how) {
    case MUTE:
        world_cut_one_way(victim, true, false);
        break;
    case DEAF:
        world_cut_one_way(victim, false, true);
        break;
    case PARTED:
        note("parted: %x", sides);
        for (unsigned i = 0; i < world_count(); i++)
            world_part(i, sides >> i & 1);
        break;
    case FROZEN:
    case PARTINGS:
        break;
    }
}

static void heal(unsigned victim)
{
    world_cut_one_way(victim, false, false);
    for (unsigned i = 0; i < world_count(); i++)
        world_part(i, 0);
}

// A cable is cut one way, the cluster falls into two, or a node stands still: for a moment or for
// long. Who is out runs nothing meanwhile, and what a thawed node says late is refused; when all is
// whole again the cluster is one and serves new work.
void scenario_parted(void)
{
    unsigned nodes = option_between("nodes", 2, 4);
    world_boots_again(true);
    begin(nodes, option_between("limit", 1000, 4000));
    user->forks = option_between("children", 0, 2);
    family_moves(option_between("moves", 0, 4));
    unsigned victim = option_between("victim", 0, nodes - 1);
    enum parting how = option_between("how", 0, PARTINGS - 1);
    if (option("moving", sim_chance(500)) && user_where(user) != WORLD_MAX) {
        move_begin(user, user_where(user), another(user_where(user)));
        sim_run_for(sim_random() % (4 * NS_PER_MS));
    }
    part(how, victim, option_between("sides", 1, (1u << nodes) - 2));
    unsigned ms = (unsigned)(sim_random() % 100 + 1);
    ms = option("ms", sim_chance(500) ? ms * 10 : ms * 150);
    if (how == FROZEN)
        world_still(victim, ms);
    world_run_ms(ms);
    family_dies(victim); // where all are
    heal(victim);
    world_until(world_together, 120, "the nodes do not come together");
    finish();
    new_work();
}

// ---- allocations fail ---------------------------------------------------------------------------

static void fail_one(unsigned i)
{
    unsigned n = 1u + (unsigned)(sim_random() % (1u << sim_random() % 8));
    world_enter(i);
    if (heap_fails_in() || frame_fails_in())
        return;
    if (sim_chance(500))
        heap_fail_at(n);
    else
        frame_fail_at(n);
}

// One allocation after the other fails, here and there: calls say so, processes may be killed and
// that is told; nothing is left behind, and nothing hangs.
void scenario_no_memory(void)
{
    unsigned nodes = option_between("nodes", 2, 3);
    begin(nodes, option_between("limit", 500, 2000));
    user->forks = option_between("children", 0, 4);
    users_short_of_memory = true;
    for (unsigned i = 0; i < option_between("moves", 4, 30) && !user_is_over(user); i++) {
        for (unsigned n = 0; n < nodes; n++)
            fail_one(n);
        world_run_ms((unsigned)(sim_random() % 10));
        struct user *u = &users[sim_random() % user_count];
        unsigned from = u->pid ? user_where(u) : WORLD_MAX;
        if (from == WORLD_MAX)
            continue;
        move_begin(u, from, another(from));
        world_until(moved, 60, "a move does not come to an end");
    }
    for (unsigned n = 0; n < nodes; n++) {
        world_enter(n);
        heap_fail_at(0);
        frame_fail_at(0);
    }
    world_until(world_together, 60, "the nodes do not come together");
    if (!sim_run(clock_now_ns() + 120 * NS_PER_S, over, NULL)) {
        for (unsigned i = 0; i < user_count; i++)
            user_note(&users[i]);
        fail("a process neither ends nor is killed");
    }
    users_short_of_memory = false;
    world_run_ms(1000);
    file_away(0);
    new_work();
    frames_end();
}

static bool all_is_there(unsigned i)
{
    bool home;
    world_enter(i);
    const struct process *p = process_find(user->pid);
    const struct segment *s = p ? space_find(p->space, USER_DATA) : NULL;
    return s && container_pages_only_here(s->object, &home) > 0 && home;
}

static unsigned drained_to;

static bool drained(void)
{
    return all_is_there(drained_to) && world_frames_used(0) <= frames_before[0] + 1;
}

// Some time after a move nothing of the memory depends on the node that was left: its death
// changes nothing.
void scenario_moves_drained(void)
{
    unsigned nodes = option_between("nodes", 3, 4);
    machine_step_ns_max = 2 * NS_PER_MS;
    world_open(nodes, "");
    for (unsigned i = 0; i < nodes; i++) {
        frames_before[i] = world_frames_used(i);
        heap_before[i] = world_heap_used(i);
    }
    user = user_start(0, option_between("pages", 1, 12), option_between("limit", 1000, 4000));
    world_run_ms((unsigned)(sim_random() % 1000));
    drained_to = another(0);
    move_begin(user, 0, drained_to);
    world_until(moved, 60, "the move does not come to an end");
    EXPECT(mover.result == 0 && !user->gone);
    world_until(drained, 10, "the pages do not follow");
    world_kill(0);
    finish();
    EXPECT(user->gone && user->done == user->limit && !user_reported_dead(user));
}
