// SPDX-License-Identifier: MIT
// Message queues and shared memory ids at their home (msgop(2), shmop(2)).
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/ipc_priv.h"

static int send(struct ipc_serving *s, struct ipc_object *o)
{
    const struct ipc_ask *a = s->ask;
    if (!ipc_may(o, a, IPC_MAY_WRITE))
        return -EACCES;
    if (o->bytes + a->in_bytes > o->size || o->users >= o->size) {
        if (a->wait)
            ipc_wait_note(s, o, 0, true);
        return -EAGAIN;
    }
    struct ipc_message *m = heap_alloc(sizeof(*m) + a->in_bytes);
    if (m == NULL)
        return -ENOMEM;
    m->type = a->a;
    m->bytes = a->in_bytes;
    memcpy(m->data, s->in, a->in_bytes);
    list_append(&o->messages, &m->link);
    o->users++;
    o->bytes += m->bytes;
    o->last_by = a->pid;
    o->times_s[0] = ipc_now_s();
    ipc_news(o);
    return 0;
}

static struct ipc_message *at_place(struct ipc_object *o, uint32_t place)
{
    struct ipc_message *m;
    list_for_each (m, &o->messages, link) {
        if (place-- == 0)
            return m;
    }
    return NULL;
}

// The first of that type; of any (0); of the lowest type up to -type.
static struct ipc_message *wanted(struct ipc_object *o, int32_t type, bool except)
{
    struct ipc_message *m, *best = NULL;
    list_for_each (m, &o->messages, link) {
        if (type == 0 || (type > 0 && (m->type == (uint32_t)type) != except))
            return m;
        if (type < 0 && m->type <= 0u - (uint32_t)type && (best == NULL || m->type < best->type))
            best = m;
    }
    return best;
}

static int take(struct ipc_serving *s, struct ipc_object *o)
{
    const struct ipc_ask *a = s->ask;
    if (!ipc_may(o, a, IPC_MAY_READ))
        return -EACCES;
    bool stays = a->flags & MSG_COPY;
    struct ipc_message *m =
        stays ? at_place(o, a->a) : wanted(o, (int32_t)a->a, a->flags & MSG_EXCEPT);
    if (m == NULL) {
        if (a->wait)
            ipc_wait_note(s, o, 0, false);
        return a->wait ? -EAGAIN : -ENOMSG;
    }
    if (m->bytes > a->b && !(a->flags & MSG_NOERROR))
        return -E2BIG;
    if (m->bytes > a->b && stays)
        return -EINVAL; // a copy is never cut
    uint32_t n = MIN(m->bytes, a->b);
    ipc_put(s, &m->type, sizeof(m->type));
    ipc_put(s, m->data, n);
    if (stays)
        return (int)n;
    o->users--;
    o->bytes -= m->bytes;
    o->last_taker = a->pid;
    o->times_s[1] = ipc_now_s();
    list_remove(&m->link);
    heap_free(m);
    ipc_news(o);
    return (int)n;
}

int ipc_msg_serve(struct ipc_serving *s, struct ipc_object *o)
{
    if (s->ask->op == IPC_OP_MSG_SEND && s->ask->in_bytes <= IPC_MSG_MAX)
        return send(s, o);
    return s->ask->op == IPC_OP_MSG_TAKE ? take(s, o) : -EINVAL;
}

// ---- shared memory -----------------------------------------------------------------------------
static int attach(struct ipc_serving *s, struct ipc_object *o)
{
    struct ipc_shm m = {.bytes = o->size,
                        .here = s->from == cluster_self(),
                        .was_by = o->last_by,
                        .was_s = (uint32_t)o->times_s[0]};
    if (!ipc_may(o, s->ask, IPC_MAY_READ | (s->ask->flags & 0333)))
        return -EACCES;
    int e = m.here ? 0 : container_export(o->memory, &m.ref);
    if (e < 0)
        return e;
    if (m.here) {
        container_get(o->memory);
        memcpy(&m.ref, &o->memory, sizeof(o->memory)); // for this node's own eyes
    }
    o->users++;
    o->last_by = s->ask->pid;
    o->times_s[0] = ipc_now_s();
    ipc_put(s, &m, sizeof(m));
    return 0;
}

static int adjust(struct ipc_serving *s, struct ipc_object *o)
{
    int32_t more = (int32_t)s->ask->a;
    if (more < 0 && (uint32_t)-more > o->users) {
        cluster_count_add("process: detach of what is not attached", 1);
        return -EINVAL;
    }
    o->users = (uint32_t)((int32_t)o->users + more);
    if (s->ask->flags & 1) {
        o->last_by = (int32_t)s->ask->b;
        o->times_s[0] = s->ask->c;
    } else {
        o->last_by = s->ask->pid;
        o->times_s[more < 0] = ipc_now_s();
    }
    if (o->users == 0 && o->removed)
        ipc_object_free(o);
    return 0;
}

static int lock(const struct ipc_ask *a, struct ipc_object *o)
{
    if (!ipc_owns(o, a, CAP_IPC_LOCK))
        return -EPERM;
    o->locked = a->a;
    return 0;
}

int ipc_shm_serve(struct ipc_serving *s, struct ipc_object *o)
{
    if (s->ask->op == IPC_OP_SHM_ATTACH)
        return attach(s, o);
    if (s->ask->op == IPC_OP_SHM_LOCK)
        return lock(s->ask, o);
    return s->ask->op == IPC_OP_SHM_ADJUST ? adjust(s, o) : -EINVAL;
}
