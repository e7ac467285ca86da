// SPDX-License-Identifier: MIT
// The global scheduling manager of a node: values go to its tables, requests run its function, and
// a move is made only by the rules of CONTRACT (Scheduler): the target, asked first, still has
// room; one move per node and period; minimum stay 2 s. Every decision is logged with its values.
#include "kernel/init.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "sched/manager/tables.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/ghost/ghost.h"
#include "ssi/migrate/migrate.h"
#include "ssi/process/procfs.h"

#define STAY_NS_MIN (2 * NS_PER_S)

#define RESERVATIONS_MAX   32
#define PROCESS_WEIGHT_MAX (100 * (weight_t)GHOST_THREADS)

struct reservation {
    uint64_t until_ns; // the arrival is not in the table before
    weight_t weight;
};

NODE_VAR(struct work, request_work);
NODE_VAR(struct component_call, request); // the newest request; older ones say the same
NODE_VAR(uint64_t, last_move_ns);
NODE_VAR(struct reservation, reservations[RESERVATIONS_MAX]);
NODE_VAR(uint32_t, moves_out[NODE_MAX]);    // weight on its way to a node since its last value
NODE_VAR(uint64_t, moves_out_ns[NODE_MAX]); // when the newest of them began

struct ask_wire {
    int32_t source_value; // of the source, this process counted
    int32_t process_weight;
} PACKED;

// ---- values and requests -----------------------------------------------------------------------

static void on_value(unsigned manager, unsigned link, weight_t weight)
{
    table_publish(manager, link, weight);
}

static void on_request(unsigned manager, unsigned analyzer, weight_t weight)
{
    node(request) = (struct component_call){
        .weight = weight, .analyzer = (uint16_t)analyzer, .manager = (uint16_t)manager};
    work_queue(&node(request_work));
}

static void request_run(struct work *w)
{
    (void)w;
    struct component_call call = node(request);
    const struct policy *p = graph_policy();
    if (p == NULL || call.manager >= p->header->managers)
        return;
    switch (p->managers[call.manager].entry.stage) {
#define STAGE_ACTIVE_PROBE(number, function)
#define STAGE_ANALYZER(number, function)
#define STAGE_MANAGER(number, function)                                                            \
    case number:                                                                                   \
        function(&call);                                                                           \
        break;
#define STAGE(kind, number, name, function) STAGE_##kind(number, function)
#include "sched/policy/stages.def"
#undef STAGE
#undef STAGE_ACTIVE_PROBE
#undef STAGE_ANALYZER
#undef STAGE_MANAGER
    }
}

// ---- what a manager may do ---------------------------------------------------------------------

static const struct policy_manager *manager_now(void)
{
    const struct policy *p = graph_policy();
    return p && node(request).manager < p->header->managers ? &p->managers[node(request).manager]
                                                            : NULL;
}

// The value of `n` in the manager's first table, with what is on its way there.
static bool value_of(node_id_t n, weight_t *value)
{
    const struct policy_manager *m = manager_now();
    const struct global_info *row = m ? table_row(m->first_link, n) : NULL;
    if (row == NULL || !row->known)
        return false;
    *value = row->value;
    if (node(moves_out_ns)[n] > row->stamp_ns)
        *value += (weight_t)node(moves_out)[n];
    return true;
}

// Of a process with so many threads that run or are ready.
static weight_t process_weight_on(node_id_t n, unsigned threads)
{
    const struct member *m = cluster_member(n);
    return (weight_t)(100 * threads / MAX(m ? m->cpus : 1u, 1u));
}

static unsigned runnable_threads(const struct process *p)
{
    const struct task *t;
    unsigned n = 0;
    if (p == NULL || p->state != PROCESS_RUNNING)
        return 0;
    list_for_each (t, &p->tasks, link)
        n += t->thread->state == THREAD_READY || t->thread->state == THREAD_RUNNING;
    return n;
}

int32_t find_a_kerrighed_process(void)
{
    uint64_t now = cluster_clock_ns();
    for (struct process *p = process_next(0); p; p = process_next(p->pid))
        if (runnable_threads(p) > 0 && now - p->arrived_ns >= STAY_NS_MIN &&
            migrate_reason(p) == NULL)
            return p->pid;
    return 0;
}

node_id_t find_a_node_for_migration(void)
{
    node_id_t best = NODE_NONE, n = NODE_NONE;
    weight_t best_value = 0;
    while ((n = cluster_next(n)) != NODE_NONE) {
        weight_t value;
        if (value_of(n, &value) && (best == NODE_NONE || value < best_value)) {
            best = n;
            best_value = value;
        }
    }
    return best;
}

// Shortest period of the probes that run: at most one move in that time.
static uint64_t period_ns(void)
{
    const struct policy *p = graph_policy();
    uint64_t shortest = UINT64_MAX;
    for (unsigned i = 0; i < p->header->probes; i++)
        if (p->probes[i].kind == STAGE_ACTIVE_PROBE)
            shortest = MIN(shortest, (uint64_t)p->probes[i].period_ms);
    return shortest == UINT64_MAX ? NS_PER_S : shortest * NS_PER_MS;
}

static int target_ask(node_id_t target, weight_t source_value, weight_t process_weight)
{
    struct ask_wire w = {.source_value = source_value, .process_weight = process_weight};
    return (int)rpc_call(target, MSG_sched_ask, &w, sizeof(w), NULL, 0, 0);
}

int do_process_migration(int32_t pid, node_id_t target)
{
    const struct policy_manager *m = manager_now();
    weight_t here, there;
    node_id_t self = cluster_self();
    uint64_t now = cluster_clock_ns();
    if (pid == 0 || target == NODE_NONE || target == self || m == NULL)
        return -EINVAL;
    // A period late by the time the work took is still a period.
    if (node(last_move_ns) && now - node(last_move_ns) < period_ns() / 2)
        return -EAGAIN;
    if (!value_of(self, &here) || !value_of(target, &there))
        return -EAGAIN;
    weight_t weight = process_weight_on(target, MAX(runnable_threads(process_find(pid)), 1u));
    if (there + weight >= here)
        return -EAGAIN;
    struct policy_name by = m->name; // the policy may go while the target is asked
    uint64_t period = period_ns();
    int e = target_ask(target, here, weight);
    if (e < 0)
        return e;
    node(last_move_ns) = now;
    if (node(moves_out_ns)[target] <= now - MIN(now, period))
        node(moves_out)[target] = 0;
    node(moves_out)[target] += (uint32_t)weight;
    node(moves_out_ns)[target] = now;
    log_info("sched", "%s moves %d: node %u has %d, node %u has %d", by.text, pid, self, here,
             target, there);
    return migrate_process(pid, target, by.text);
}

// ---- the target's own check --------------------------------------------------------------------

static weight_t reserved_weight(uint64_t now)
{
    weight_t sum = 0;
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++)
        if (node(reservations)[i].until_ns > now)
            sum += node(reservations)[i].weight;
    return sum;
}

static void reserve(uint64_t now, weight_t weight)
{
    for (unsigned i = 0; i < RESERVATIONS_MAX; i++) {
        if (node(reservations)[i].until_ns > now)
            continue;
        node(reservations)[i] = (struct reservation){now + period_ns(), weight};
        return;
    }
}

void sched_asked(const struct rpc_in *in)
{
    struct ask_wire w;
    int status = -EPROTO;
    bool whole = in->n == sizeof(w);
    if (whole)
        memcpy(&w, in->bytes, sizeof(w));
    if (whole && w.process_weight >= 0 && w.process_weight <= PROCESS_WEIGHT_MAX) {
        uint64_t now = cluster_clock_ns();
        weight_t here = (weight_t)(100 * thread_ready_count() / arch_cpu_count());
        bool room = here + reserved_weight(now) + w.process_weight < w.source_value;
        status = graph_policy() == NULL ? -EINVAL : room ? 0 : -EBUSY;
        if (status == 0)
            reserve(now, w.process_weight);
    } else {
        cluster_count_add("sched: malformed question", 1);
    }
    rpc_reply(in->from, in->request, status, NULL, 0);
}

static void manager_start(void)
{
    work_init(&node(request_work), THREAD_NORMAL, request_run);
    graph_on_value = on_value;
    graph_on_request = on_request;
    graph_on_change = tables_reset;
    procfs_cluster_file("tables", tables_show, NULL);
}
INIT_STEP(INIT_PROCESS, manager_start);
