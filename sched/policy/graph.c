// SPDX-License-Identifier: MIT
#include "sched/policy/graph.h"
#include "kernel/bootparts.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/timer.h"
#include "kernel/work.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/procfs.h"

#define PROBE_MEMORY_WORDS 8

typedef int (*component_fn)(void *arg);

struct running_probe {
    struct timer timer;
    struct work work;
    struct graph *graph;
    unsigned index;
    uint64_t memory[PROBE_MEMORY_WORDS];
    uint64_t samples;
    weight_t last;
};

// A loaded policy. A new one replaces it whole; the old one is freed when no probe of it runs.
struct graph {
    struct policy policy;
    void *blob;
    struct running_probe *probes;
    unsigned busy; // probes that run now
    bool stopped;
    uint64_t *requests; // per analyzer
};

NODE_VAR(struct graph *, current);
NODE_VAR(weight_t, weight_now); // of the value on its way: a request carries it along

void (*graph_on_value)(unsigned manager, unsigned link, weight_t weight);
void (*graph_on_request)(unsigned manager, unsigned analyzer, weight_t weight);
void (*graph_on_change)(void);

static component_fn component_of(uint32_t stage)
{
    switch (stage) {
#define STAGE(kind, number, name, function)                                                        \
    case number:                                                                                   \
        return function;
#include "sched/policy/stages.def"
#undef STAGE
    default:
        return NULL;
    }
}

const struct policy *graph_policy(void)
{
    return node(current) ? &node(current)->policy : NULL;
}

// ---- a value's way -----------------------------------------------------------------------------

static void managers_tell(const struct policy *p, unsigned analyzer, weight_t weight)
{
    for (unsigned m = 0; m < p->header->managers; m++) {
        const struct policy_manager *manager = &p->managers[m];
        if (!policy_manager_on_node(p, manager, cluster_self()))
            continue;
        for (unsigned l = manager->first_link; l < manager->first_link + manager->links; l++)
            if (p->analyzer_links[l].analyzer == analyzer && graph_on_value)
                graph_on_value(m, l, weight);
    }
}

static void analyzer_run(const struct policy *p, unsigned analyzer, unsigned probe, weight_t weight)
{
    struct component_call call = {
        .weight = weight, .probe = (uint16_t)probe, .analyzer = (uint16_t)analyzer};
    // The table first: a request finds its own value there.
    managers_tell(p, analyzer, weight);
    node(weight_now) = weight;
    component_of(p->analyzers[analyzer].entry.stage)(&call);
}

void probe_publish(const void *arg, weight_t weight)
{
    const struct component_call *call = arg;
    struct graph *g = node(current);
    if (g == NULL || g->stopped || call->probe >= g->policy.header->probes)
        return;
    g->probes[call->probe].last = weight;
    g->probes[call->probe].samples++;
    const struct policy *p = &g->policy;
    for (unsigned a = 0; a < p->header->analyzers; a++) {
        const struct policy_analyzer *analyzer = &p->analyzers[a];
        for (unsigned l = analyzer->first_link; l < analyzer->first_link + analyzer->links; l++)
            if (p->probe_links[l].probe == call->probe)
                analyzer_run(p, a, call->probe, weight);
    }
}

int send_scheduling_request(unsigned analyzer_id)
{
    const struct policy *p = graph_policy();
    if (p == NULL || analyzer_id >= p->header->analyzers)
        return -EINVAL;
    node(current)->requests[analyzer_id]++;
    for (unsigned m = 0; m < p->header->managers; m++) {
        const struct policy_manager *manager = &p->managers[m];
        bool linked = false;
        for (unsigned l = manager->first_link; l < manager->first_link + manager->links; l++)
            linked = linked || p->analyzer_links[l].analyzer == analyzer_id;
        if (linked && policy_manager_on_node(p, manager, cluster_self()) && graph_on_request)
            graph_on_request(m, analyzer_id, node(weight_now));
    }
    return 0;
}

// ---- probes ------------------------------------------------------------------------------------

static void graph_free(struct graph *g)
{
    heap_free(g->probes);
    heap_free(g->requests);
    heap_free(g->blob);
    heap_free(g);
}

static void probe_arm(struct running_probe *r)
{
    uint64_t period_ns = r->graph->policy.probes[r->index].period_ms * NS_PER_MS;
    uint64_t next = r->timer.at_ns + period_ns, now = clock_now_ns();
    timer_set(&r->timer, next > now ? next : now + period_ns);
}

static void probe_work(struct work *w)
{
    struct running_probe *r = container_of(w, struct running_probe, work);
    struct graph *g = r->graph;
    const struct policy_probe *p = &g->policy.probes[r->index];
    struct component_call call = {
        .probe = (uint16_t)r->index, .period_ms = p->period_ms, .memory = r->memory};
    component_of(p->entry.stage)(&call);
    if (!g->stopped)
        probe_arm(r);
    else if (--g->busy == 0)
        graph_free(g);
}

static void probe_due(void *arg)
{
    struct running_probe *r = arg;
    work_queue(&r->work);
}

static void graph_start(struct graph *g)
{
    for (unsigned i = 0; i < g->policy.header->probes; i++) {
        struct running_probe *r = &g->probes[i];
        r->graph = g;
        r->index = i;
        timer_init(&r->timer, probe_due, r);
        work_init(&r->work, THREAD_URGENT, probe_work);
        if (g->policy.probes[i].kind == STAGE_ACTIVE_PROBE)
            timer_set(&r->timer, clock_now_ns() + g->policy.probes[i].period_ms * NS_PER_MS);
    }
}

// A probe whose timer is not set has work queued or running: that work frees the graph.
static void graph_stop(struct graph *g)
{
    g->stopped = true;
    for (unsigned i = 0; i < g->policy.header->probes; i++) {
        if (timer_is_set(&g->probes[i].timer))
            timer_cancel(&g->probes[i].timer);
        else if (g->policy.probes[i].kind == STAGE_ACTIVE_PROBE)
            g->busy++;
    }
    if (g->busy == 0)
        graph_free(g);
}

static struct graph *graph_new(const void *blob, size_t bytes, char why[POLICY_WHY_BYTES])
{
    struct graph *g = heap_zalloc(sizeof(*g));
    if (g == NULL)
        goto no_memory;
    g->blob = heap_alloc(bytes);
    if (g->blob == NULL)
        goto no_memory;
    memcpy(g->blob, blob, bytes);
    if (!policy_blob_open(g->blob, bytes, &g->policy, why))
        goto failed;
    g->probes = heap_zalloc(MAX(g->policy.header->probes, 1u) * sizeof(*g->probes));
    g->requests = heap_zalloc(MAX(g->policy.header->analyzers, 1u) * sizeof(*g->requests));
    if (g->probes && g->requests)
        return g;
no_memory:
    str_copy(why, "no memory for the policy", POLICY_WHY_BYTES);
failed:
    if (g)
        graph_free(g);
    return NULL;
}

bool graph_load(const void *blob, size_t bytes, char why[POLICY_WHY_BYTES])
{
    struct graph *next = NULL;
    if (blob) {
        next = graph_new(blob, bytes, why);
        if (next == NULL)
            return false;
    }
    struct graph *old = node(current);
    node(current) = next;
    if (old)
        graph_stop(old);
    if (graph_on_change)
        graph_on_change();
    if (next)
        graph_start(next);
    return true;
}

void graph_show(struct text *t)
{
    const struct graph *g = node(current);
    if (g == NULL) {
        text_add(t, "no policy\n");
        return;
    }
    const struct policy *p = &g->policy;
    for (unsigned i = 0; i < p->header->probes; i++)
        text_add(t, "probe %s %s period_ms %u samples %llu last %d\n", p->probes[i].name.text,
                 stage_by_id(p->probes[i].entry.stage)->name, p->probes[i].period_ms,
                 (unsigned long long)g->probes[i].samples, g->probes[i].last);
    for (unsigned i = 0; i < p->header->analyzers; i++)
        text_add(t, "analyzer %s %s requests %llu\n", p->analyzers[i].name.text,
                 stage_by_id(p->analyzers[i].entry.stage)->name,
                 (unsigned long long)g->requests[i]);
    for (unsigned i = 0; i < p->header->managers; i++)
        text_add(t, "manager %s %s\n", p->managers[i].name.text,
                 stage_by_id(p->managers[i].entry.stage)->name);
}

static void sched_start(void)
{
    procfs_cluster_file("policy", graph_show, NULL);
    const void *blob;
    size_t bytes;
    char why[POLICY_WHY_BYTES];
    if (setting_is("policy", "none")) {
        log_info("sched", "no policy: policy=none");
        return;
    }
    if (boot_archive() == NULL || !archive_part(boot_archive(), ARCHIVE_POLICY, &blob, &bytes)) {
        log_info("sched", "no policy in the boot archive");
        return;
    }
    if (!graph_load(blob, bytes, why))
        log_error("sched", "policy refused: %s", why);
    else
        log_info("sched", "policy with %u probes, %u analyzers, %u managers",
                 graph_policy()->header->probes, graph_policy()->header->analyzers,
                 graph_policy()->header->managers);
}
INIT_STEP(INIT_SCHED, sched_start);
