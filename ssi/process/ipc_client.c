// SPDX-License-Identifier: MIT
// Every node's side of System V IPC: asking the home, and what a process holds.
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/process/ipc.h"

NODE_VAR(uint32_t, ipc_news_count);
NODE_VAR(struct wait_queue, ipc_news_wait);

void process_on_ipc_news(const struct rpc_in *in)
{
    (void)in; // whatever is new: who waits asks again
    node(ipc_news_count)++;
    wait_wake_all(&node(ipc_news_wait));
}

// Of whom nothing is known (a text of /proc that another node wants): nobody.
static void who_asks(struct ipc_ask *a, const struct process *p)
{
    const struct task *t = task_current();
    if (p == NULL) {
        a->uid = a->gid = UINT32_MAX;
        a->lacks = UINT64_MAX;
        return;
    }
    a->pid = p->pid;
    a->tid = t ? t->tid : p->pid;
    a->uid = process_acting(p)->euid;
    a->gid = process_acting(p)->egid;
    a->lacks = ~process_acting(p)->effective;
}

static long ask(struct ipc_ask *a, const void *in, void *out, size_t out_size,
                struct ipc_answer *answer)
{
    size_t n = sizeof(*a) + a->in_bytes;
    uint8_t *message = heap_alloc(n + RPC_BYTES_MAX);
    if (message == NULL)
        return -ENOMEM;
    uint8_t *reply = message + n;
    memcpy(message, a, sizeof(*a));
    if (a->in_bytes)
        memcpy(message + sizeof(*a), in, a->in_bytes);
    long got = rpc_call(cluster_fs_home(), MSG_process_ipc, message, n, reply, RPC_BYTES_MAX, 0);
    if (got >= (long)sizeof(*answer)) {
        memcpy(answer, reply, sizeof(*answer));
        size_t came = (size_t)got - sizeof(*answer);
        answer->bytes = (uint32_t)MIN(MIN((size_t)answer->bytes, came), out_size);
        if (answer->bytes)
            memcpy(out, reply + sizeof(*answer), answer->bytes);
        got = answer->result;
    } else if (got >= 0) {
        got = -EPROTO;
    }
    heap_free(message);
    return got == -EHOSTDOWN || got == -EPROTO ? -EIDRM : got;
}

long ipc_ask(struct ipc_ask *a, const void *in, void *out, size_t out_size, size_t *out_bytes)
{
    struct ipc_answer answer = {0};
    who_asks(a, process_current());
    long r = ask(a, in, out, out_size, &answer);
    if (out_bytes)
        *out_bytes = answer.bytes;
    return r;
}

static void forget(const struct ipc_ask *a)
{
    struct ipc_ask f = *a;
    f.op = IPC_OP_FORGET;
    f.in_bytes = 0;
    if (rpc_send(cluster_fs_home(), MSG_process_ipc, &f, sizeof(f)) < 0)
        cluster_count_add("process: end of an ipc wait not told", 1);
}

// Longest time between two questions of a call that waits: news that found no memory are made good.
#define ASK_AGAIN_NS (5 * NS_PER_S)

// Until there are news, or it is time to ask again: 0; -EINTR, -ETIMEDOUT.
static int news_wait(uint32_t seen, uint64_t deadline_ns)
{
    uint64_t until = MIN(deadline_ns, clock_now_ns() + ASK_AGAIN_NS);
    while (node(ipc_news_count) == seen) {
        int e = wait_sleep(&node(ipc_news_wait), until, WAIT_INTERRUPTIBLE);
        if (e == -ETIMEDOUT && until < deadline_ns)
            return 0;
        if (e < 0)
            return e;
    }
    return 0;
}

// The home may go: then the next epoch wakes who waits, and its question finds nothing.
long ipc_ask_waiting(struct ipc_ask *a, const void *in, void *out, size_t out_size,
                     size_t *out_bytes, uint64_t deadline_ns)
{
    struct ipc_answer answer;
    bool waited = false;
    who_asks(a, process_current());
    a->wait = 1;
    for (;;) {
        uint32_t seen = node(ipc_news_count);
        answer = (struct ipc_answer){0};
        long r = ask(a, in, out, out_size, &answer);
        if (out_bytes)
            *out_bytes = answer.bytes;
        if (waited && r == -EINVAL)
            return -EIDRM;
        if (r != -EAGAIN || !answer.waits)
            return r;
        waited = true;
        int e = news_wait(seen, deadline_ns);
        if (e < 0) {
            forget(a);
            return e == -ETIMEDOUT ? -EAGAIN : e;
        }
    }
}

// ---- what a process holds ----------------------------------------------------------------------
static void adjust(const struct process *p, int32_t id, int32_t more)
{
    struct ipc_ask a = {
        .kind = IPC_KIND_SHM, .op = IPC_OP_SHM_ADJUST, .id = id, .a = (uint32_t)more};
    who_asks(&a, p);
    if (rpc_send(cluster_fs_home(), MSG_process_ipc, &a, sizeof(a)) < 0)
        cluster_count_add("process: attach count of shared memory not told", 1);
}

int ipc_shm_attached(struct process *p, int32_t id, uint32_t at)
{
    struct shm_attachment *s = heap_alloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    *s = (struct shm_attachment){.id = id, .at = at};
    list_append(&p->shm, &s->link);
    return 0;
}

void ipc_shm_detached(struct process *p, struct shm_attachment *s)
{
    adjust(p, s->id, -1);
    list_remove(&s->link);
    heap_free(s);
}

bool ipc_fork(struct process *to, struct process *from)
{
    const struct shm_attachment *s;
    list_for_each (s, &from->shm, link) {
        if (ipc_shm_attached(to, s->id, s->at) < 0) {
            ipc_exec(to);
            return false;
        }
        adjust(to, s->id, 1);
    }
    return true;
}

void ipc_exec(struct process *p)
{
    struct shm_attachment *s, *next;
    list_for_each_safe (s, next, &p->shm, link)
        ipc_shm_detached(p, s);
}

void ipc_exit(struct process *p)
{
    struct ipc_ask a = {.kind = IPC_KIND_SEM, .op = IPC_OP_EXIT};
    ipc_exec(p);
    if (!p->ipc_undoes)
        return;
    who_asks(&a, p);
    if (rpc_send(cluster_fs_home(), MSG_process_ipc, &a, sizeof(a)) < 0)
        cluster_count_add("process: end not told to semaphores", 1);
}

void ipc_forget_here(struct process *p)
{
    struct list *l;
    while ((l = list_pop(&p->shm)) != NULL)
        heap_free(list_entry(l, struct shm_attachment, link));
}

static void on_epoch(const struct epoch_change *change)
{
    (void)change;
    node(ipc_news_count)++;
    wait_wake_all(&node(ipc_news_wait));
}

static void ipc_start(void)
{
    wait_init(&node(ipc_news_wait));
    cluster_on_epoch(on_epoch);
}
INIT_STEP(INIT_PROCESS, ipc_start);
