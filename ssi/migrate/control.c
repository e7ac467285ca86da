// SPDX-License-Identifier: MIT
// /proc/cluster/control, what `weft node` writes to: `remove N` moves all away from a node and lets
// it go; `quiesce N` lets go of memory that no program needs. Both return when it is done.
#include "kernel/init.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/migrate/migrate.h"
#include "ssi/process/location.h"
#include "ssi/process/procfs.h"

enum {
    REMOVE_SECONDS = 50, // then the writer is told that it is still busy; the node drains on
    REMOVE_LOOK_MS = 200,
    LINE_BYTES = 64,
};

NODE_VAR(struct wait_queue, leaving_wake);

// The shell of the node's console stays to the end: without the node it has no terminal.
static bool is_console_shell(const struct process *p)
{
    return p->parent == PID_CLUSTER && p->tty_attached && p->tty_node == cluster_self();
}

static bool must_go(const struct process *p)
{
    return p->state != PROCESS_ZOMBIE && !is_console_shell(p);
}

static bool processes_are_gone(void)
{
    for (struct process *p = process_next(0); p != NULL; p = process_next(p->pid))
        if (must_go(p))
            return false;
    return true;
}

static bool is_leaving(void)
{
    const struct member *me = cluster_member(cluster_self());
    return me != NULL && me->state == MEMBER_LEAVING;
}

// The next node upward that stays.
static node_id_t next_home(node_id_t after)
{
    node_id_t n = after;
    for (unsigned i = 0; i < cluster_count(); i++) {
        n = cluster_successor(n);
        if (n != cluster_self() && cluster_member(n)->state == MEMBER_ONLINE)
            return n;
    }
    return NODE_NONE;
}

static void move_all(node_id_t *target)
{
    int32_t pid = 0;
    for (struct process *p; (p = process_next(pid)) != NULL;) {
        pid = p->pid;
        if (!must_go(p) || migrate_reason(p) != NULL)
            continue;
        *target = next_home(*target);
        if (*target == NODE_NONE)
            return;
        (void)migrate_process(pid, *target, "remove"); // what could not go is tried again
    }
}

static void leaving_thread(void *arg)
{
    (void)arg;
    node_id_t target = cluster_self();
    for (;;) {
        while (!is_leaving()) {
            int e = wait_sleep(&node(leaving_wake), WAIT_FOREVER, 0);
            (void)e; // the condition tells
        }
        move_all(&target);
        (void)wait_for_ns(REMOVE_LOOK_MS * NS_PER_MS, 0);
    }
}

static void on_epoch(const struct epoch_change *change)
{
    (void)change;
    if (is_leaving())
        wait_wake_all(&node(leaving_wake));
}

static long node_remove(node_id_t n)
{
    int e = cluster_leave(n);
    if (e < 0)
        return e;
    uint64_t until = clock_now_ns() + REMOVE_SECONDS * NS_PER_S;
    while (cluster_is_member(n)) {
        if (clock_now_ns() >= until)
            return -EBUSY;
        if (wait_for_ns(REMOVE_LOOK_MS * NS_PER_MS, WAIT_INTERRUPTIBLE) == -EINTR)
            return -EINTR;
    }
    return 0;
}

void control_on_quiesce(const struct rpc_in *in)
{
    location_trim();
    heap_trim();
    rpc_reply(in->from, in->request, 0, NULL, 0);
}

// "VERB NODE" and a line end.
static bool control_parse(const char *bytes, size_t n, char *verb, uint32_t *node_id)
{
    char line[LINE_BYTES];
    if (n == 0 || n >= sizeof(line))
        return false;
    memcpy(line, bytes, n);
    line[n] = '\0';
    if (line[n - 1] == '\n')
        line[n - 1] = '\0';
    char *space = strchr(line, ' ');
    if (space == NULL)
        return false;
    *space = '\0';
    str_copy(verb, line, LINE_BYTES);
    return str_to_u32(space + 1, node_id) && *node_id < NODE_MAX;
}

static long control_write(const struct fs_who *who, const char *bytes, size_t n)
{
    char verb[LINE_BYTES];
    uint32_t id;
    if (!fs_can(who, CAP_SYS_ADMIN))
        return -EPERM;
    if (!control_parse(bytes, n, verb, &id) || !cluster_is_member((node_id_t)id))
        return -EINVAL;
    long e = -EINVAL;
    if (strcmp(verb, "remove") == 0)
        e = node_remove((node_id_t)id);
    else if (strcmp(verb, "quiesce") == 0)
        e = rpc_call((node_id_t)id, MSG_node_quiesce, NULL, 0, NULL, 0, RPC_INTERRUPTIBLE);
    return e < 0 ? e : (long)n;
}

static void control_show(struct text *t)
{
    text_add(t, "remove NODE\nquiesce NODE\n");
}

static void control_start(void)
{
    procfs_cluster_file("control", control_show, control_write);
    cluster_on_leaving(processes_are_gone);
    cluster_on_epoch(on_epoch);
    wait_init(&node(leaving_wake));
    if (thread_create("leaving", THREAD_NORMAL, leaving_thread, NULL) == NULL)
        log_error("migrate", "no memory for the thread that empties a leaving node");
}
INIT_STEP(INIT_PROCESS, control_start);
