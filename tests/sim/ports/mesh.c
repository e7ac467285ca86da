// SPDX-License-Identifier: MIT
#include "tests/sim/ports/mesh.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_set.h"
#include "lib/node_var.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/link.h"
#include "ssi/cluster/rpc.h"
#include "tests/sim/ports/sim.h"

enum {
    MESH_MAX = 8,
    DELAY_NS = 300000,
    KIND_REPLY = 0xffff,
    DEATH_NS = 20000000, // until the others know
};

struct mesh_message {
    struct list link;
    unsigned from, to;
    uint16_t kind;
    uint32_t request;
    int status;
    size_t n;
    uint8_t bytes[];
};

struct waiter {
    struct list link;
    uint32_t request;
    unsigned to;
    void *reply;
    size_t reply_size;
    bool done;
    long result;
    struct wait_queue queue;
};

static struct sim_node *nodes[MESH_MAX];
static unsigned count;
static struct list pipes[MESH_MAX][MESH_MAX];
static struct timer pipe_timer[MESH_MAX][MESH_MAX];
static struct node_set members, dead;
static uint32_t epoch;
const char *mesh_off;
struct mesh_traffic mesh_traffic;

typedef void (*epoch_fn)(const struct epoch_change *);
NODE_VAR(epoch_fn, epoch_fns[8]);
NODE_VAR(unsigned, epoch_fn_count);
NODE_VAR(struct list, waiters);
NODE_VAR(uint32_t, last_request);

static struct {
    const char *reason;
    uint32_t n;
} counters[64];

static unsigned here(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (nodes[i] == sim_node_current())
            return i;
    }
    abort();
}

void mesh_enter(unsigned n)
{
    sim_node_enter(nodes[n]);
}

// ---- membership ---------------------------------------------------------------------------------

node_id_t cluster_self(void)
{
    return (node_id_t)here();
}

bool cluster_is_member(node_id_t n)
{
    return node_set_has(&members, n);
}

node_id_t cluster_next(node_id_t after)
{
    return node_set_next(&members, after == NODE_NONE ? 0 : (node_id_t)(after + 1));
}

bool cluster_load_of(node_id_t n UNUSED, struct cluster_load *out UNUSED)
{
    return false;
}

bool link_can_carry_page(void)
{
    return true;
}

node_id_t cluster_successor(node_id_t n)
{
    return node_set_cyclic(&members, n);
}

void cluster_on_epoch(void (*fn)(const struct epoch_change *))
{
    node(epoch_fns)[node(epoch_fn_count)++] = fn;
}

void cluster_on_leaving(bool (*is_empty)(void) UNUSED)
{
}

void cluster_count_add(const char *reason, uint32_t n)
{
    for (unsigned i = 0;; i++) {
        if (counters[i].reason == NULL)
            counters[i].reason = reason;
        if (strcmp(counters[i].reason, reason) == 0) {
            counters[i].n += n;
            return;
        }
    }
}

uint32_t mesh_counter(const char *reason)
{
    for (unsigned i = 0; counters[i].reason; i++) {
        if (strcmp(counters[i].reason, reason) == 0)
            return counters[i].n;
    }
    return 0;
}

bool setting_is(const char *key, const char *value)
{
    return mesh_off && strcmp(key, mesh_off) == 0 && strcmp(value, "off") == 0;
}

// ---- rpc ----------------------------------------------------------------------------------------

// Handlers of rooms that a test does not link are absent.
#define MESSAGE(number, name, class, blocks, handler)                                              \
    extern __typeof__(handler) handler __attribute__((weak));
#include "ssi/cluster/messages.def"
#undef MESSAGE

static const struct {
    rpc_handler_fn handler;
    bool blocks;
} rows[256] = {
#define MESSAGE(number, name, class, blocks, handler) [number] = {handler, blocks},
#include "ssi/cluster/messages.def"
#undef MESSAGE
};

static void deliver(void *arg);

static void put(unsigned from, unsigned to, unsigned kind, uint32_t request, int status,
                const void *bytes, size_t n)
{
    struct mesh_message *m = malloc(sizeof(*m) + n);
    m->from = from;
    m->to = to;
    m->kind = (uint16_t)kind;
    m->request = request;
    m->status = status;
    m->n = n;
    if (n)
        memcpy(m->bytes, bytes, n);
    list_append(&pipes[from][to], &m->link);
    mesh_traffic.messages++;
    mesh_traffic.bytes += n;
    struct timer *t = &pipe_timer[from][to];
    if (!timer_is_set(t))
        timer_set(t, clock_now_ns() + 1000 + sim_random() % DELAY_NS);
}

int rpc_send(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n)
{
    ASSERT(n <= RPC_BYTES_MAX);
    if (!cluster_is_member(to))
        return -EHOSTDOWN;
    if (!node_set_has(&dead, (node_id_t)here()))
        put(here(), to, kind, 0, 0, bytes, n);
    return 0;
}

long rpc_call(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n, void *reply,
              size_t reply_size, unsigned flags UNUSED)
{
    if (!cluster_is_member(to))
        return -EHOSTDOWN;
    struct waiter w = {
        .request = ++node(last_request), .to = to, .reply = reply, .reply_size = reply_size};
    wait_init(&w.queue);
    list_append(&node(waiters), &w.link);
    put(here(), to, kind, w.request, 0, bytes, n);
    while (!w.done) {
        int e = wait_sleep(&w.queue, WAIT_FOREVER, 0);
        ASSERT(e == 0);
    }
    return w.result;
}

void rpc_reply(node_id_t to, uint32_t request, int status, const void *bytes, size_t n)
{
    put(here(), to, KIND_REPLY, request, status, bytes, n);
}

static void end_wait(struct waiter *w, long result)
{
    list_remove(&w->link);
    w->done = true;
    w->result = result;
    wait_wake_all(&w->queue);
}

static void replied(const struct mesh_message *m)
{
    struct waiter *w, *next;
    list_for_each_safe (w, next, &node(waiters), link) {
        if (w->request != m->request || w->to != m->from)
            continue;
        if (m->status == 0 && m->n)
            memcpy(w->reply, m->bytes, MIN(m->n, w->reply_size));
        end_wait(w, m->status ? m->status : (long)m->n);
    }
}

static void handle(struct mesh_message *m)
{
    struct rpc_in in = {.from = (node_id_t)m->from,
                        .kind = m->kind,
                        .request = m->request,
                        .bytes = m->bytes,
                        .n = m->n};
    rows[m->kind].handler(&in);
    free(m);
}

static void handle_in_thread(void *arg)
{
    handle(arg);
}

static bool lost(const struct mesh_message *m)
{
    return node_set_has(&dead, (node_id_t)m->from) || node_set_has(&dead, (node_id_t)m->to);
}

static void deliver_first(struct list *pipe)
{
    struct mesh_message *m = list_entry(list_pop(pipe), struct mesh_message, link);
    struct sim_node *before = sim_node_current();
    mesh_enter(m->to);
    if (lost(m)) {
        free(m);
    } else if (m->kind == KIND_REPLY) {
        replied(m);
        free(m);
    } else if (rows[m->kind].blocks) {
        thread_create("rpc", THREAD_URGENT, handle_in_thread, m);
    } else {
        handle(m);
    }
    sim_node_enter(before);
}

static void deliver(void *arg)
{
    struct list *pipe = arg;
    size_t at = (size_t)(pipe - &pipes[0][0]);
    deliver_first(pipe);
    if (!list_empty(pipe))
        timer_set(&pipe_timer[at / MESH_MAX][at % MESH_MAX],
                  clock_now_ns() + 1000 + sim_random() % DELAY_NS);
}

bool mesh_quiet(void)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < count; j++)
            if (!list_empty(&pipes[i][j]))
                return false;
    return true;
}

// ---- death and the epoch after it ---------------------------------------------------------------

static unsigned dying;
static struct timer death;

// As after FLUSH: whatever survivors said before is handled before anybody installs.
static void flush(void)
{
    for (bool any = true; any;) {
        any = false;
        for (unsigned i = 0; i < count; i++) {
            for (unsigned j = 0; j < count; j++) {
                if (list_empty(&pipes[i][j]))
                    continue;
                deliver_first(&pipes[i][j]);
                if (list_empty(&pipes[i][j]))
                    timer_cancel(&pipe_timer[i][j]);
                any = true;
            }
        }
    }
}

static void install_one(unsigned n, node_id_t gone)
{
    struct epoch_change change = {.epoch = epoch, .gone = &gone, .gone_count = 1};
    mesh_enter(n);
    struct waiter *w, *next;
    list_for_each_safe (w, next, &node(waiters), link)
        if (w->to == gone)
            end_wait(w, -EHOSTDOWN);
    for (unsigned i = 0; i < node(epoch_fn_count); i++)
        node(epoch_fns)[i](&change);
}

static void install(void *arg UNUSED)
{
    struct sim_node *before = sim_node_current();
    flush();
    node_set_remove(&members, (node_id_t)dying);
    epoch++;
    for (unsigned i = 0; i < count; i++)
        if (node_set_has(&members, (node_id_t)i))
            install_one(i, (node_id_t)dying);
    sim_node_enter(before);
}

void mesh_kill(unsigned n)
{
    node_set_add(&dead, (node_id_t)n);
    dying = n;
    timer_init(&death, install, NULL);
    timer_set(&death, clock_now_ns() + DEATH_NS);
}

// ---- start --------------------------------------------------------------------------------------

static void run_init_steps(void)
{
    for (unsigned level = 0; level < INIT_LEVELS; level++) {
        SET_FOREACH (init, const struct init_step, step)
            if ((*step)->level == (enum init_level)level)
                (*step)->run();
    }
}

void mesh_start(unsigned n)
{
    sim_clock_reset();
    count = n;
    epoch = 1;
    node_set_clear(&members);
    node_set_clear(&dead);
    memset(counters, 0, sizeof(counters));
    for (unsigned i = 0; i < n; i++) {
        node_set_add(&members, (node_id_t)i);
        for (unsigned j = 0; j < n; j++) {
            list_init(&pipes[i][j]);
            timer_init(&pipe_timer[i][j], deliver, &pipes[i][j]);
        }
    }
    for (unsigned i = 0; i < n; i++) {
        nodes[i] = sim_node_new();
        list_init(&node(waiters));
        run_init_steps();
    }
    mesh_enter(0);
}

void mesh_stop(void)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < count; j++) {
            struct list *l;
            while ((l = list_pop(&pipes[i][j])) != NULL)
                free(list_entry(l, struct mesh_message, link));
        }
    }
    for (unsigned i = 0; i < count; i++)
        sim_node_free(nodes[i]);
    count = 0;
}

// Nothing is lost here.
void rpc_lose_next(void)
{
}
