// SPDX-License-Identifier: MIT
// Requests about one process find the node that has it; nobody forwards, the asker goes on asking.
#include "ssi/process/messages.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/location.h"

#define TRIES_MAX 2000
#define WAIT_NS   (2 * NS_PER_MS)

enum {
    FOLLOW_AGAIN = 1,
    FOLLOW_WAITED = 2, // a hand-off is under way: it ends with an outcome or an epoch
};

// One reply to follow: FOLLOW_*, or the outcome.
static int follow(int32_t pid, node_id_t asked, const struct answer *a)
{
    switch ((enum answer_kind)a->what) {
    case ANSWER_DONE:
        return a->result > 0 ? 0 : a->result;
    case ANSWER_MOVED:
        if (a->node < NODE_MAX)
            location_set(pid, a->node, a->incarnation);
        return FOLLOW_AGAIN;
    case ANSWER_ASK:
        location_forget(pid);
        if (asked == pid_birth_node(pid))
            return -ESRCH;
        return FOLLOW_AGAIN;
    case ANSWER_WAIT:
        (void)wait_for_ns(WAIT_NS, 0);
        return FOLLOW_WAITED;
    }
    cluster_count_add("process: malformed answer", 1);
    return -EPROTO;
}

static int call_once(node_id_t n, int32_t pid, enum rpc_kind kind, const void *message, size_t size,
                     void *reply, size_t reply_size, size_t *bytes)
{
    long got = rpc_call(n, kind, message, size, reply, reply_size, 0);
    if (got == -EHOSTDOWN) {
        location_forget(pid);
        return FOLLOW_AGAIN;
    }
    if (got < 0)
        return (int)got;
    if ((size_t)got < sizeof(struct answer))
        return -EPROTO;
    struct answer a;
    memcpy(&a, reply, sizeof(a));
    *bytes = (size_t)got;
    return follow(pid, n, &a);
}

int routed_call(int32_t pid, enum rpc_kind kind, const void *message, size_t n, void *reply,
                size_t reply_size)
{
    struct answer plain;
    size_t bytes;
    if (!reply) {
        reply = &plain;
        reply_size = sizeof(plain);
    }
    return routed_call_bytes(pid, kind, message, n, reply, reply_size, &bytes);
}

int routed_call_bytes(int32_t pid, enum rpc_kind kind, const void *message, size_t n, void *reply,
                      size_t reply_size, size_t *bytes)
{
    *bytes = 0;
    for (int i = 0; i < TRIES_MAX;) {
        node_id_t at = location_of(pid);
        if (at == NODE_NONE)
            at = location_search(pid);
        if (at == NODE_NONE)
            return -ESRCH;
        int e = call_once(at, pid, kind, message, n, reply, reply_size, bytes);
        if (e <= 0)
            return e;
        i += e == FOLLOW_AGAIN;
        if (i > 8) // hints that lead in a circle: give the news time to arrive
            (void)wait_for_ns(WAIT_NS, 0);
    }
    cluster_count_add("process: nobody could say where a process is", 1);
    return -ESRCH;
}

// ---- on the node that is asked -----------------------------------------------------------------
void answer_done(const struct rpc_in *in, uint32_t incarnation, int result, const void *more,
                 size_t more_bytes)
{
    uint8_t *bytes = heap_alloc(sizeof(struct answer) + more_bytes);
    if (!bytes) {
        rpc_reply(in->from, in->request, -ENOMEM, NULL, 0);
        return;
    }
    struct answer a = {ANSWER_DONE, cluster_self(), incarnation, result};
    memcpy(bytes, &a, sizeof(a));
    if (more_bytes)
        memcpy(bytes + sizeof(a), more, more_bytes);
    rpc_reply(in->from, in->request, 0, bytes, sizeof(a) + more_bytes);
    heap_free(bytes);
}

static void not_here(const struct rpc_in *in, int32_t pid)
{
    struct answer a = {.what = ANSWER_ASK, .node = cluster_self()};
    node_id_t where;
    uint32_t incarnation;
    if (location_known(pid, &where, &incarnation) && where != cluster_self() &&
        cluster_is_member(where)) {
        a.what = ANSWER_MOVED;
        a.node = where;
        a.incarnation = incarnation;
    } else if (pid_birth_node(pid) == cluster_self()) {
        a.what = ANSWER_DONE;
        a.result = -ESRCH;
    }
    rpc_reply(in->from, in->request, 0, &a, sizeof(a));
}

static struct process *found(const struct rpc_in *in, size_t expected_bytes, bool by_thread)
{
    struct message_about m;
    if (in->n < sizeof(m) || in->n != expected_bytes) {
        cluster_count_add("process: malformed message", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return NULL;
    }
    memcpy(&m, in->bytes, sizeof(m));
    struct process *p = process_find(m.pid);
    const struct task *t = !p && by_thread ? task_find(m.pid) : NULL;
    p = t ? t->process : p;
    if (!p) {
        not_here(in, m.pid);
        return NULL;
    }
    if (p->state == PROCESS_MOVING) {
        struct answer a = {ANSWER_WAIT, cluster_self(), p->incarnation, 0};
        rpc_reply(in->from, in->request, 0, &a, sizeof(a));
        return NULL;
    }
    if (m.incarnation > p->incarnation) { // the asker knows more: news are on their way
        struct answer a = {ANSWER_WAIT, cluster_self(), p->incarnation, 0};
        rpc_reply(in->from, in->request, 0, &a, sizeof(a));
        return NULL;
    }
    return p;
}

struct process *answer_find(const struct rpc_in *in, size_t expected_bytes)
{
    return found(in, expected_bytes, false);
}

struct process *answer_find_thread(const struct rpc_in *in, size_t expected_bytes)
{
    return found(in, expected_bytes, true);
}
