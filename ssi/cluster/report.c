// SPDX-License-Identifier: MIT
// What the cluster tells people: events, counters, the list of nodes.
#include <stdarg.h>
#include "ssi/cluster/cluster_priv.h"
#include "ssi/cluster/link.h"
#include "kernel/timer.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/counters.h"

enum {
    EVENTS = 128,
    EVENT_BYTES = 120,
    COUNTERS = 128
};

struct report_counter {
    const char *reason;
    uint64_t count;
};

struct report_event {
    uint64_t at_ns;
    char line[EVENT_BYTES];
};

NODE_VAR(struct report_event, report_events[EVENTS]);
NODE_VAR(uint32_t, report_event_count);
NODE_VAR(struct report_counter, report_counters[COUNTERS]);
NODE_VAR(unsigned, report_counter_count);

void cluster_event(const char *format, ...)
{
    struct report_event *e = &node(report_events)[node(report_event_count)++ % EVENTS];
    va_list args;
    va_start(args, format);
    fmt_vprint(e->line, sizeof(e->line), format, args);
    va_end(args);
    e->at_ns = cluster_clock_ns();
    log_info("cluster", "%s", e->line);
}

void cluster_events_show(struct text *t)
{
    uint32_t n = node(report_event_count);
    for (uint32_t i = n > EVENTS ? n - EVENTS : 0; i < n; i++) {
        const struct report_event *e = &node(report_events)[i % EVENTS];
        text_add(t, "%llu.%03u %s\n", (unsigned long long)(e->at_ns / NS_PER_S),
                 (unsigned)(e->at_ns / NS_PER_MS % 1000), e->line);
    }
}

void cluster_count_add(const char *reason, uint32_t n)
{
    for (unsigned i = 0; i < node(report_counter_count); i++) {
        struct report_counter *c = &node(report_counters)[i];
        if (c->reason == reason || strcmp(c->reason, reason) == 0) {
            c->count += n;
            return;
        }
    }
    if (node(report_counter_count) == COUNTERS)
        return;
    struct report_counter *c = &node(report_counters)[node(report_counter_count)++];
    c->reason = reason;
    c->count = n;
}

static void report_name(struct text *t, const char *reason)
{
    for (; *reason != '\0'; reason++)
        if (*reason != ':')
            text_add(t, "%c", *reason == ' ' ? '_' : *reason);
}

static void report_traffic(struct text *t, node_id_t to)
{
    static const char *const names[RPC_CLASSES] = {"reply", "forward", "flush", "request",
                                                   "background"};
    struct link_traffic sent;
    link_traffic_sent(to, &sent);
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        if (sent.messages[c] != 0)
            text_add(t, "link_to_%u_%s_messages %llu\nlink_to_%u_%s_bytes %llu\n", to, names[c],
                     (unsigned long long)sent.messages[c], to, names[c],
                     (unsigned long long)sent.bytes[c]);
}

static void report_net(void *t, const char *name, uint64_t value)
{
    text_add(t, "%s %llu\n", name, (unsigned long long)value);
}

void cluster_counters_show(struct text *t)
{
    net_counters_each(report_net, t);
    for (unsigned i = 0; i < node(report_counter_count); i++) {
        const struct report_counter *c = &node(report_counters)[i];
        report_name(t, c->reason);
        text_add(t, " %llu\n", (unsigned long long)c->count);
    }
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n))
        report_traffic(t, n);
}

static void report_node(struct text *t, unsigned id, uint32_t incarnation, const char *state,
                        uint32_t ip, unsigned cpus)
{
    struct cluster_load load = {0};
    (void)cluster_load_of((node_id_t)id, &load); // zeros for one that is no member
    text_add(t, "%u %u %s %u.%u.%u.%u %u %u %u %u\n", id, incarnation, state, ip >> 24,
             (ip >> 16) & 255, (ip >> 8) & 255, ip & 255, cpus, load.free_kib, load.processes,
             load.load);
}

static bool report_joins(const struct mb_peer *p)
{
    return p->key != 0 && p->cluster == 0 && p->beacon_ms != 0 &&
           cluster_now_ms() - p->beacon_ms < MB_SEEN_MS &&
           mb_record_key(&cluster_membership()->decided, p->key) == NULL;
}

enum {
    JOINERS = 16
}; // told at once; more come in a second look

static unsigned report_find_joiners(const struct mb_peer *found[JOINERS])
{
    const struct mb *m = cluster_membership();
    unsigned n = 0;
    for (unsigned i = 0; i < MB_PEERS_MAX && n < JOINERS; i++)
        if (report_joins(&m->peers[i]))
            found[n++] = &m->peers[i];
    return n;
}

// One that has no id yet is told by the id it wishes, if nobody has it, else by NODE_NONE.
static unsigned report_joiner_id(const struct mb_peer *p)
{
    bool free = p->who.wish < NODE_MAX && !cluster_is_member(p->who.wish);
    return free ? p->who.wish : NODE_NONE;
}

static void report_other(struct text *t, unsigned id, const struct mb_peer **joiners,
                         unsigned count)
{
    bool joins = false;
    for (unsigned i = 0; i < count; i++)
        if (report_joiner_id(joiners[i]) == id) {
            report_node(t, id, 0, "joining", joiners[i]->who.ip, joiners[i]->who.cpus);
            joins = true;
        }
    uint32_t ip;
    uint32_t gone = id < NODE_MAX ? cluster_gone_incarnation((node_id_t)id, &ip) : 0;
    if (!joins && gone != 0)
        report_node(t, id, gone, "gone", ip, 0);
}

void cluster_nodes_show(struct text *t)
{
    const struct mb_peer *joiners[JOINERS];
    unsigned count = report_find_joiners(joiners);
    for (unsigned n = 0; n < NODE_MAX; n++) {
        const struct member *m = cluster_member((node_id_t)n);
        if (m == NULL)
            report_other(t, n, joiners, count);
        else
            report_node(t, n, m->incarnation, m->state == MEMBER_LEAVING ? "leaving" : "online",
                        m->ip, m->cpus);
    }
    report_other(t, NODE_NONE, joiners, count);
}
