// SPDX-License-Identifier: MIT
// Requests and replies over the link. A waiter is a record on the asker's stack; handlers that
// block run on workers, of which there are as many as wait, up to a bound that leaves room for
// the lower classes: so one that waits for a lower class always finds its answer made.
#include "ssi/cluster/rpc.h"
#include "ssi/cluster/rpc_priv.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"

enum {
    RPC_BUCKETS = 64,
    RPC_WORKERS_MAX = 64,   // of flush and request
    RPC_REQUESTS_MAX = 56,  // of them for requests
    RPC_BACKGROUND_MAX = 8, // a pool of its own, behind user threads
    RPC_IDLE_MS = 500,
    RPC_SLOW_S = 10, // an answer that takes longer gets a line in the log
    RPC_ROOM_MS = 20,
};

struct rpc_pending {
    struct list link;
    uint32_t request;
    node_id_t to;
    bool done;
    int status; // bytes of the reply or negative errno
    void *reply;
    size_t reply_size;
    struct wait_queue waiter;
};

struct rpc_job {
    struct list link;
    const struct rpc_row *row;
    struct rpc_in in;
    uint8_t bytes[];
};

struct rpc_pool {
    struct list jobs[RPC_CLASSES];
    unsigned running[RPC_CLASSES];
    unsigned workers, idle, workers_max;
    enum thread_class class;
    struct wait_queue wake;
};

NODE_VAR(struct list, rpc_waiting[RPC_BUCKETS]);
NODE_VAR(uint32_t, rpc_last_request);
NODE_VAR(struct list, rpc_local); // jobs
NODE_VAR(struct rpc_pool, rpc_front);
NODE_VAR(struct rpc_pool, rpc_back);
typedef void (*rpc_wake_fn)(void);
NODE_VAR(rpc_wake_fn, rpc_wake);

static void rpc_pool_init(struct rpc_pool *p, enum thread_class class, unsigned workers_max)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        list_init(&p->jobs[c]);
    p->class = class;
    p->workers_max = workers_max;
    wait_init(&p->wake);
}

void rpc_init(void (*wake)(void))
{
    for (unsigned i = 0; i < RPC_BUCKETS; i++)
        list_init(&node(rpc_waiting)[i]);
    list_init(&node(rpc_local));
    rpc_pool_init(&node(rpc_front), THREAD_URGENT, RPC_WORKERS_MAX);
    rpc_pool_init(&node(rpc_back), THREAD_NORMAL, RPC_BACKGROUND_MAX);
    node(rpc_wake) = wake;
}

// ---- workers ----
static bool rpc_class_may_run(const struct rpc_pool *p, unsigned class)
{
    return class != RPC_REQUEST || p->running[RPC_REQUEST] < RPC_REQUESTS_MAX;
}

static struct rpc_job *rpc_take_job(struct rpc_pool *p)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        if (!list_empty(&p->jobs[c]) && rpc_class_may_run(p, c))
            return list_entry(list_pop(&p->jobs[c]), struct rpc_job, link);
    return NULL;
}

static bool rpc_pool_can_grow(const struct rpc_pool *p)
{
    return p->workers < p->workers_max;
}

static bool rpc_pool_has_work(const struct rpc_pool *p)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++)
        if (!list_empty(&p->jobs[c]) && rpc_class_may_run(p, c))
            return true;
    return false;
}

static void rpc_worker(void *arg);

static void rpc_pool_serve(struct rpc_pool *p)
{
    if (!rpc_pool_has_work(p))
        return;
    if (p->idle > 0) {
        wait_wake_one(&p->wake);
        return;
    }
    if (!rpc_pool_can_grow(p))
        return;
    if (thread_create("rpc", p->class, rpc_worker, p) != NULL)
        p->workers++;
    else
        cluster_count_add("rpc: no memory for a worker", 1);
}

static void rpc_job_run(struct rpc_pool *p, struct rpc_job *job)
{
    enum rpc_class class = job->row->class;
    p->running[class]++;
    rpc_pool_serve(p); // the next job does not wait for the end of this one
    node(rpc_wake)();  // a flush may wait for this beginning
    job->row->handler(&job->in);
    p->running[class]--;
    heap_free(job);
}

static void rpc_worker(void *arg)
{
    struct rpc_pool *p = arg;
    for (;;) {
        struct rpc_job *job = rpc_take_job(p);
        if (job != NULL) {
            rpc_job_run(p, job);
            continue;
        }
        // The last idle one stays; more of them end when they are not needed for a while.
        uint64_t until = p->idle > 0 ? clock_now_ns() + RPC_IDLE_MS * NS_PER_MS : WAIT_FOREVER;
        p->idle++;
        int e = wait_sleep(&p->wake, until, 0);
        p->idle--;
        if (e < 0 && p->idle > 0 && !rpc_pool_has_work(p))
            break;
    }
    p->workers--;
    thread_exit();
}

static struct rpc_job *rpc_job_new(const struct rpc_row *row, const struct link_message *m)
{
    struct rpc_job *job = heap_alloc_critical(sizeof(*job) + m->n);
    if (job == NULL)
        return NULL;
    memset(job, 0, sizeof(*job));
    job->row = row;
    if (m->n > 0)
        memcpy(job->bytes, m->bytes, m->n);
    job->in = (struct rpc_in){
        .from = m->node, .kind = m->kind, .request = m->request, .bytes = job->bytes, .n = m->n};
    return job;
}

static void rpc_job_queue(struct rpc_job *job)
{
    struct rpc_pool *p = job->row->class == RPC_BACKGROUND ? &node(rpc_back) : &node(rpc_front);
    list_append(&p->jobs[job->row->class], &job->link);
    rpc_pool_serve(p);
}

static bool rpc_pool_drained(const struct rpc_pool *p)
{
    return !rpc_pool_has_work(p) || (p->idle == 0 && !rpc_pool_can_grow(p));
}

bool rpc_drained(void)
{
    return list_empty(&node(rpc_local)) && rpc_pool_drained(&node(rpc_front)) &&
           rpc_pool_drained(&node(rpc_back));
}

// ---- in ----
static struct list *rpc_bucket(uint32_t request)
{
    return &node(rpc_waiting)[request / RPC_KINDS % RPC_BUCKETS];
}

static struct rpc_pending *rpc_pending_find(uint32_t request)
{
    struct rpc_pending *p;
    list_for_each (p, rpc_bucket(request), link)
        if (p->request == request)
            return p;
    return NULL;
}

static void rpc_end(struct rpc_pending *p, int status)
{
    p->done = true;
    p->status = status;
    list_remove(&p->link);
    wait_wake_all(&p->waiter);
}

static void rpc_on_reply(const struct link_message *m)
{
    struct rpc_pending *p = rpc_pending_find(m->request);
    if (p == NULL || p->to != m->node) {
        cluster_count_add("rpc: reply that nobody waits for", 1);
        return;
    }
    size_t n = MIN(m->n, p->reply_size);
    if (m->status == 0 && n > 0)
        memcpy(p->reply, m->bytes, n);
    rpc_end(p, m->status == 0 ? (int)n : m->status);
}

static void rpc_refuse(const struct link_message *m, const char *why, int status)
{
    cluster_count_add(why, 1);
    if (m->request != 0)
        rpc_reply(m->node, m->request, status, NULL, 0);
}

void rpc_receive(const struct link_message *m)
{
    if (m->kind == 0) {
        if (m->class == RPC_REPLY && m->status <= 0)
            rpc_on_reply(m);
        else
            cluster_count_add("rpc: malformed reply", 1);
        return;
    }
    const struct rpc_row *row = rpc_row(m->kind);
    if (row == NULL || row->class != m->class || m->n > RPC_BYTES_MAX) {
        rpc_refuse(m, "rpc: unknown message", -ENOSYS);
        return;
    }
    if (!row->blocks) {
        struct rpc_in in = {
            .from = m->node, .kind = m->kind, .request = m->request, .bytes = m->bytes, .n = m->n};
        row->handler(&in);
        return;
    }
    struct rpc_job *job = rpc_job_new(row, m);
    if (job != NULL)
        rpc_job_queue(job);
    else
        rpc_refuse(m, "rpc: no memory for a message", -ENOMEM);
}

void rpc_run_local(void)
{
    struct list *item;
    while ((item = list_pop(&node(rpc_local))) != NULL) {
        struct rpc_job *job = list_entry(item, struct rpc_job, link);
        job->row->handler(&job->in);
        heap_free(job);
    }
}

// ---- out ----
static int rpc_send_self(const struct rpc_row *row, const struct link_message *m)
{
    struct rpc_job *job = rpc_job_new(row, m);
    if (job == NULL)
        return -ENOMEM;
    if (row->blocks) {
        rpc_job_queue(job);
    } else {
        list_append(&node(rpc_local), &job->link);
        node(rpc_wake)();
    }
    return 0;
}

static int rpc_out(node_id_t to, enum rpc_kind kind, uint32_t request, const void *bytes, size_t n)
{
    const struct rpc_row *row = rpc_row(kind);
    if (n > RPC_BYTES_MAX)
        return -EMSGSIZE;
    struct link_message m = {.node = to,
                             .class = row->class,
                             .kind = (uint16_t)kind,
                             .request = request,
                             .bytes = bytes,
                             .n = n};
    return to == cluster_self() ? rpc_send_self(row, &m) : link_send(&m);
}

int rpc_send(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n)
{
    FAULT_SEND(rpc_row(kind)->name, "send", to);
    return rpc_out(to, kind, 0, bytes, n);
}

// A request's number says what it asks for, so that the answer has a name.
static const char *rpc_request_name(uint32_t request)
{
    const struct rpc_row *row = rpc_row(request % RPC_KINDS);
    return row != NULL ? row->name : "?";
}

void rpc_reply(node_id_t to, uint32_t request, int status, const void *bytes, size_t n)
{
    if (request == 0)
        return;
    struct link_message m = {.node = to,
                             .class = RPC_REPLY,
                             .request = request,
                             .status = status > 0 ? 0 : status,
                             .bytes = status < 0 ? NULL : bytes,
                             .n = status < 0 ? 0 : MIN(n, (size_t)RPC_BYTES_MAX)};
    FAULT_SEND(rpc_request_name(request), "reply", to);
    if (to == cluster_self()) {
        rpc_on_reply(&m);
        return;
    }
    int e = link_send(&m);
    if (e == -ENOMEM && m.n > 0) {
        m.n = 0;
        m.status = -ENOMEM;
        e = link_send(&m); // without bytes it finds the link's reserve
    }
    if (e < 0)
        cluster_count_add("rpc: reply not sent", 1);
}

static uint32_t rpc_new_request(enum rpc_kind kind)
{
    uint32_t request;
    do
        request = ++node(rpc_last_request) * RPC_KINDS + kind;
    while (rpc_pending_find(request) != NULL);
    return request;
}

static int rpc_wait_room(node_id_t to, unsigned flags)
{
    while (to != cluster_self() && !link_has_room(to)) {
        int e = wait_for_ns(RPC_ROOM_MS * NS_PER_MS,
                            flags & RPC_INTERRUPTIBLE ? WAIT_INTERRUPTIBLE : 0);
        if (e == -EINTR)
            return e;
    }
    return 0;
}

static int rpc_wait_reply(struct rpc_pending *p, enum rpc_kind kind, unsigned flags)
{
    uint64_t asked_ns = clock_now_ns();
    bool told = false;
    while (!p->done) {
        uint64_t until = told ? WAIT_FOREVER : asked_ns + RPC_SLOW_S * NS_PER_S;
        int e = wait_sleep(&p->waiter, until, flags & RPC_INTERRUPTIBLE ? WAIT_INTERRUPTIBLE : 0);
        if (p->done)
            break;
        if (e == -EINTR) {
            list_remove(&p->link);
            return -EINTR;
        }
        if (e == -ETIMEDOUT && !told) {
            told = true;
            log_warn("rpc", "node %u has not answered %s for %d s", p->to, rpc_row(kind)->name,
                     RPC_SLOW_S);
        }
    }
    return p->status;
}

long rpc_call(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n, void *reply,
              size_t reply_size, unsigned flags)
{
    int e = rpc_wait_room(to, flags);
    if (e < 0)
        return e;
    struct rpc_pending p = {
        .request = rpc_new_request(kind), .to = to, .reply = reply, .reply_size = reply_size};
    wait_init(&p.waiter);
    list_append(rpc_bucket(p.request), &p.link);
    FAULT_SEND(rpc_row(kind)->name, "send", to);
    e = rpc_out(to, kind, p.request, bytes, n);
    if (e < 0) {
        list_remove(&p.link);
        return e;
    }
    return rpc_wait_reply(&p, kind, flags);
}

// ---- epoch ----
static void rpc_drop_jobs(struct rpc_pool *p)
{
    for (unsigned c = 0; c < RPC_CLASSES; c++) {
        struct rpc_job *job, *tmp;
        list_for_each_safe (job, tmp, &p->jobs[c], link) {
            if (cluster_is_member(job->in.from))
                continue;
            list_remove(&job->link);
            heap_free(job);
            cluster_count_add("rpc: message of a node that is gone", 1);
        }
    }
}

void rpc_on_epoch(void)
{
    for (unsigned i = 0; i < RPC_BUCKETS; i++) {
        struct rpc_pending *p, *tmp;
        list_for_each_safe (p, tmp, &node(rpc_waiting)[i], link)
            if (!cluster_is_member(p->to))
                rpc_end(p, -EHOSTDOWN);
    }
    rpc_drop_jobs(&node(rpc_front));
    rpc_drop_jobs(&node(rpc_back));
}
