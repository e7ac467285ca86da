// SPDX-License-Identifier: MIT
#include "tests/sim/users.h"

#include <stdio.h>
#include <string.h>
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/process/priv.h"
#include "tests/sim/ports/machine.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/world.h"

#define ROOT_INODE 1

struct user users[USERS_MAX];
unsigned user_count;
bool users_short_of_memory;

// ---- PID 1 of every node: it takes notice and lets go -------------------------------------------

bool init_child_ended(int32_t pid, int status)
{
    note("process %d ended with %d", pid, status);
    for (unsigned i = 0; i < user_count; i++) {
        // When a child's node dies between its end and the word that it was waited for, its birth
        // node reports it lost on top.
        if (users[i].pid != pid || users[i].told)
            continue;
        // The birth node's PID 1 hears of every end elsewhere, too.
        // And of its loss, if its node dies before the word of its end is out.
        if (users[i].gone && status == 9)
            continue;
        if (users[i].gone && users[i].status != status)
            fail("process %d ended twice, with %d and %d", pid, users[i].status, status);
        users[i].seen = users[i].gone ? users[i].seen : world_here();
        users[i].gone = true;
        users[i].status = status;
    }
    return true;
}

int kill_init(const struct process *from UNUSED)
{
    return 0;
}

// ---- a process without a program file -----------------------------------------------------------

static void give_memory(struct process *p, unsigned pages)
{
    struct container *c = container_new_anonymous();
    p->space = space_new();
    EXPECT(c && p->space);
    p->space->mmap_top = 0xb0000000u;
    p->space->stack_limit_bytes = 8 << 20;
    EXPECT(space_map(p->space, USER_DATA, pages << 12, PROT_R | PROT_W, 0, c, 0,
                     &container_segment_ops, NULL) == 0);
}

static void give_file(struct process *p, const char *path)
{
    struct fs_who who;
    struct file *f;
    process_who(p, &who);
    int e = fs_open(&who, who.root, path, O_CREAT | O_RDWR | O_TRUNC, 0600, &f);
    if (e < 0)
        fail("%s: %s", path, errno_text(e));
    EXPECT(fd_install(p->files, f, 3, false) == 3);
}

// In /proc/cluster/events of node i.
static unsigned reports_of_loss(const struct user *u, unsigned i)
{
    static char page[64 << 10];
    char words[40];
    struct text t;
    unsigned n = 0;
    if (!world_serves(i))
        return 0;
    snprintf(words, sizeof(words), "process %d lost", u->pid);
    world_enter(i);
    text_init(&t, page, sizeof(page));
    cluster_events_show(&t);
    for (const char *at = page; (at = strstr(at, words)) != NULL; at++)
        n++;
    return n;
}

struct start {
    unsigned slot, pages;
    bool done;
};

static void start(void *arg)
{
    struct start *s = arg;
    struct user *u = &users[s->slot];
    struct process *p = process_new(0);
    EXPECT(p != NULL);
    p->fs = heap_zalloc(sizeof(*p->fs));
    p->actions = heap_zalloc(sizeof(*p->actions));
    p->files = fd_table_new();
    EXPECT(p->fs && p->actions && p->files);
    p->fs->users = p->actions->users = 1;
    p->fs->root = p->fs->cwd = (struct fs_place){.inode = ROOT_INODE};
    snprintf(p->name, sizeof(p->name), "counter");
    snprintf(u->path, sizeof(u->path), "/out.%u", s->slot);
    give_memory(p, s->pages);
    give_file(p, u->path);
    for (unsigned i = 0; i < s->slot; i++)
        if (users[i].pid == p->pid)
            users[i].pid = 0; // of the node's earlier life, and long over
    u->pid = p->pid;
    u->node = world_here();
    for (unsigned i = 0; i < world_count(); i++)
        u->lost_before[i] = reports_of_loss(u, i);
    world_enter(u->node);
    struct task *t = task_new(p, p->pid);
    EXPECT(t != NULL);
    t->start = (struct arch_regs){.eip = machine_entry(0), .esp = s->slot, .ebp = u->limit};
    arch_regs_sanitise(&t->start);
    note("process %d begins", p->pid);
    task_start(t);
    s->done = true;
}

static struct start *starting;

static bool started(void)
{
    return starting->done;
}

struct user *user_start(unsigned i, unsigned pages, uint32_t limit)
{
    struct start s = {.slot = user_count, .pages = pages};
    struct user *u = &users[user_count++];
    *u = (struct user){.limit = limit, .node = WORLD_MAX, .parent = -1};
    oracle_init(&u->memory, "memory", pages);
    starting = &s;
    world_thread(i, start, &s);
    world_until(started, 60, "a process does not begin");
    return u;
}

// ---- families -----------------------------------------------------------------------------------

struct user *user_child(struct user *u)
{
    EXPECT(user_count < USERS_MAX);
    struct user *c = &users[user_count++];
    *c = *u; // what it has seen so far
    c->pid = 0;
    c->parent = (int)(u - users);
    c->forks = c->born = c->reaped = 0;
    memset(c->lost_before, 0, sizeof(c->lost_before));
    c->limit = u->done + 1 + (uint32_t)(sim_random() % 1500);
    c->moves = 0;
    u->born++;
    return c;
}

void user_unborn(struct user *u, struct user *child)
{
    note("process %d: no child", u->pid);
    u->born--;
    child->gone = true;
    child->parent = -1;
}

void user_reaped(struct user *u, int32_t pid, int status)
{
    for (unsigned i = 0; i < user_count; i++) {
        struct user *c = &users[i];
        if (c->pid != pid || c->parent != (int)(u - users))
            continue;
        if (c->told)
            fail("process %d: the end of %d is told twice", u->pid, pid);
        c->gone = c->told = true;
        c->status = status;
        u->reaped++;
        note("process %d: child %d ended with %d", u->pid, pid, status);
        return;
    }
    fail("process %d: wait tells of %d, which is no child of it", u->pid, pid);
}

// ---- the ledger ---------------------------------------------------------------------------------

static bool runs_on(const struct user *u, unsigned i)
{
    world_enter(i);
    const struct process *p = process_find(u->pid);
    return p && p->state == PROCESS_RUNNING && p->task_count > 0;
}

void user_effect(struct user *u, uint32_t value)
{
    unsigned here = world_here();
    if (value != u->done + 1)
        fail("process %d on node %u does %u after %u (on node %u)", u->pid, here, value, u->done,
             u->node);
    if (u->gone)
        fail("process %d on node %u does %u after its end", u->pid, here, value);
    if (value % 8 == 0 && user_reported_dead(u))
        fail("process %d on node %u does %u, but it was reported dead", u->pid, here, value);
    for (unsigned i = 0; i < world_count(); i++)
        if (i != here && world_serves(i) && runs_on(u, i))
            fail("process %d runs on nodes %u and %u", u->pid, here, i);
    world_enter(here);
    u->moves += u->node != here;
    u->done = value;
    u->node = u->seen = here;
}

unsigned user_where(struct user *u)
{
    unsigned found = WORLD_MAX;
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_serves(i))
            continue;
        world_enter(i);
        const struct process *p = process_find(u->pid);
        if (p == NULL || p->state == PROCESS_ZOMBIE)
            continue;
        if (found == WORLD_MAX || runs_on(u, i))
            found = i;
    }
    if (found != WORLD_MAX)
        u->seen = found;
    return found;
}

bool user_reported_dead(const struct user *u)
{
    for (unsigned i = 0; i < world_count(); i++)
        if (reports_of_loss(u, i) > u->lost_before[i])
            return true;
    return false;
}

bool user_is_over(const struct user *u)
{
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_serves(i))
            continue;
        world_enter(i);
        if (process_find(u->pid))
            return false;
    }
    // Who went down with the node of its birth is at most a hint elsewhere, which may be old.
    unsigned birth = (unsigned)u->pid / PID_PER_NODE;
    bool unknown = u->seen == birth && !u->left && world_reborn(birth);
    // A zombie whose parent died is nobody's news.
    bool unmissed = u->parent >= 0 && (u->done == u->limit || u->pid == 0);
    // So is one that memory ran out for, when the same came over its parent before that had waited.
    const struct user *parent = u->parent >= 0 ? &users[u->parent] : NULL;
    bool both_killed = users_short_of_memory && parent && parent->gone && parent->status == 9;
    return u->gone || user_reported_dead(u) || unknown || unmissed || both_killed;
}

void user_note(const struct user *u)
{
    note("process %d: %u of %u done, the last on node %u; %u moves seen; gone %d status %d", u->pid,
         u->done, u->limit, u->node, u->moves, u->gone, u->status);
    for (unsigned i = 0; i < world_count(); i++) {
        if (!world_serves(i))
            continue;
        world_enter(i);
        const struct process *p = process_find(u->pid);
        if (p)
            note("  on node %u: incarnation %u, state %u, %u tasks", i, p->incarnation, p->state,
                 p->task_count);
    }
}
