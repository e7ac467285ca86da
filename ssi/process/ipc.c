// SPDX-License-Identifier: MIT
// The home's side: names, permissions, who waits.
#include "ssi/process/ipc.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/process/ipc_priv.h"

#define SEQ_STEP  32768
#define SEQ_COUNT 32768

struct ipc_table {
    struct ipc_object *object[IPC_IDS_MAX];
    uint32_t seq;
};

NODE_VAR(struct ipc_table, ipc_tables[IPC_KINDS]);

int64_t ipc_now_s(void)
{
    return (int64_t)(cluster_real_ns() / NS_PER_S);
}

#define SHM_DEST   01000u // in the mode that IPC_STAT tells
#define SHM_LOCKED 02000u

static bool can(const struct ipc_ask *a, enum capability what)
{
    return !(a->lacks & CAPABILITY_BIT(what));
}

bool ipc_may(const struct ipc_object *o, const struct ipc_ask *a, uint32_t bits)
{
    uint32_t wanted = bits >> 6 | bits >> 3 | bits, granted = o->mode;
    if (a->uid == o->uid || a->uid == o->cuid)
        granted >>= 6;
    else if (a->gid == o->gid || a->gid == o->cgid)
        granted >>= 3;
    return !(wanted & ~granted & 7) || can(a, CAP_IPC_OWNER);
}

bool ipc_owns(const struct ipc_object *o, const struct ipc_ask *a, enum capability or_can)
{
    return a->uid == o->uid || a->uid == o->cuid || can(a, or_can);
}

void ipc_put(struct ipc_serving *s, const void *bytes, size_t n)
{
    memcpy(s->out + s->answer.bytes, bytes, n);
    s->answer.bytes += (uint32_t)n;
}

// ---- who waits ---------------------------------------------------------------------------------
void ipc_news(struct ipc_object *o)
{
    struct ipc_waiter *w;
    list_for_each (w, &o->waiters, link)
        if (!w->told && rpc_send(w->node, MSG_process_ipc_news, &o->id, sizeof(o->id)) == 0)
            w->told = true;
}

static void waiter_forget(struct ipc_object *o, node_id_t node, int32_t tid)
{
    struct ipc_waiter *w, *next;
    list_for_each_safe (w, next, &o->waiters, link)
        if (w->node == node && w->tid == tid) {
            list_remove(&w->link);
            heap_free(w);
        }
}

void ipc_wait_note(struct ipc_serving *s, struct ipc_object *o, uint32_t number, bool zero)
{
    struct ipc_waiter *w = heap_zalloc(sizeof(*w));
    if (w == NULL)
        return; // told that it would wait, but not to wait: -EAGAIN
    w->node = s->from;
    w->tid = s->ask->tid;
    w->number = number;
    w->zero = zero;
    list_append(&o->waiters, &w->link);
    s->answer.waits = 1;
}

// ---- objects -----------------------------------------------------------------------------------
static struct ipc_object *object_find(enum ipc_kind kind, int32_t id)
{
    struct ipc_object *o =
        id < 0 ? NULL : node(ipc_tables)[kind].object[(uint32_t)id % SEQ_STEP % IPC_IDS_MAX];
    return o && o->id == id ? o : NULL;
}

static struct ipc_object *object_of_key(enum ipc_kind kind, int32_t key)
{
    for (unsigned k = 0; k < IPC_IDS_MAX; k++) {
        struct ipc_object *o = node(ipc_tables)[kind].object[k];
        if (o && o->key == key && !o->removed)
            return o;
    }
    return NULL;
}

void ipc_object_free(struct ipc_object *o)
{
    struct list *l;
    node(ipc_tables)[o->kind].object[(uint32_t)o->id % SEQ_STEP] = NULL;
    ipc_news(o);
    while ((l = list_pop(&o->waiters)) != NULL)
        heap_free(list_entry(l, struct ipc_waiter, link));
    while ((l = list_pop(&o->undos)) != NULL)
        heap_free(list_entry(l, struct ipc_undo, link));
    while ((l = list_pop(&o->messages)) != NULL)
        heap_free(list_entry(l, struct ipc_message, link));
    if (o->memory)
        container_put(o->memory);
    heap_free(o->sems);
    heap_free(o);
}

static bool size_good(enum ipc_kind kind, uint32_t size)
{
    switch (kind) {
    case IPC_KIND_SEM:
        return size >= 1 && size <= IPC_SEMS_MAX;
    case IPC_KIND_SHM:
        return size >= 1 && size <= USER_TOP;
    case IPC_KIND_MSG:
    case IPC_KINDS:
        break;
    }
    return true;
}

static bool object_fill(struct ipc_object *o)
{
    if (o->kind == IPC_KIND_SEM)
        o->sems = heap_zalloc(o->size * sizeof(*o->sems));
    if (o->kind == IPC_KIND_SHM)
        o->memory = container_new_anonymous();
    if (o->kind == IPC_KIND_MSG)
        o->size = IPC_QUEUE_MAX;
    return (o->kind != IPC_KIND_SEM || o->sems) && (o->kind != IPC_KIND_SHM || o->memory);
}

static int object_new(const struct ipc_ask *a)
{
    struct ipc_table *t = &node(ipc_tables)[a->kind];
    unsigned k = 0;
    if (!size_good((enum ipc_kind)a->kind, a->a))
        return -EINVAL;
    while (k < IPC_IDS_MAX && t->object[k])
        k++;
    struct ipc_object *o = k < IPC_IDS_MAX ? heap_zalloc(sizeof(*o)) : NULL;
    if (o == NULL)
        return k < IPC_IDS_MAX ? -ENOMEM : -ENOSPC;
    o->kind = (enum ipc_kind)a->kind;
    o->key = a->id;
    o->uid = o->cuid = a->uid;
    o->gid = o->cgid = a->gid;
    o->mode = a->flags & 0777;
    o->size = a->a;
    o->created_by = a->pid;
    o->times_s[2] = ipc_now_s();
    o->id = (int32_t)(t->seq * SEQ_STEP + k);
    list_init(&o->waiters);
    list_init(&o->undos);
    list_init(&o->messages);
    t->object[k] = o;
    if (!object_fill(o)) {
        ipc_object_free(o);
        return -ENOMEM;
    }
    t->seq = (t->seq + 1) % SEQ_COUNT;
    return o->id;
}

static int get(const struct ipc_ask *a)
{
    struct ipc_object *o = a->id ? object_of_key((enum ipc_kind)a->kind, a->id) : NULL;
    if (a->kind == IPC_KIND_SEM && a->a > IPC_SEMS_MAX)
        return -EINVAL;
    if (o == NULL)
        return a->id == 0 || (a->flags & IPC_CREAT_FLAG) ? object_new(a) : -ENOENT;
    if ((a->flags & IPC_CREAT_FLAG) && (a->flags & IPC_EXCL_FLAG))
        return -EEXIST;
    if (a->kind != IPC_KIND_MSG && a->a > o->size)
        return -EINVAL;
    return ipc_may(o, a, a->flags & 0777) ? o->id : -EACCES;
}

// ---- control -----------------------------------------------------------------------------------
static int stat_of(struct ipc_serving *s, struct ipc_object *o)
{
    struct ipc_facts f = {
        .id = o->id,
        .key = o->removed ? 0 : o->key,
        .uid = o->uid,
        .gid = o->gid,
        .cuid = o->cuid,
        .cgid = o->cgid,
        .mode = o->mode | (o->removed ? SHM_DEST : 0) | (o->locked ? SHM_LOCKED : 0),
        .seq = (uint32_t)o->id / SEQ_STEP,
        .size = o->size,
        .users = o->users,
        .bytes = o->bytes,
        .created_by = o->created_by,
        .last_by = o->last_by,
        .last_taker = o->last_taker,
    };
    uint32_t bits = s->ask->a ? IPC_MAY_WRITE : IPC_MAY_READ; // for SETALL, else
    if (s->ask->flags != IPC_STAT_ANY && !ipc_may(o, s->ask, bits))
        return -EACCES;
    memcpy(f.times_s, o->times_s, sizeof(f.times_s));
    ipc_put(s, &f, sizeof(f));
    return 0;
}

static int set(const struct ipc_ask *a, struct ipc_object *o)
{
    if (!ipc_owns(o, a, CAP_SYS_ADMIN))
        return -EPERM;
    if (o->kind == IPC_KIND_MSG && a->c > IPC_QUEUE_MAX && !can(a, CAP_SYS_RESOURCE))
        return -EPERM;
    if (a->a == UINT32_MAX || a->b == UINT32_MAX)
        return -EINVAL;
    o->uid = a->a;
    o->gid = a->b;
    o->mode = (o->mode & ~0777u) | (a->flags & 0777);
    if (o->kind == IPC_KIND_MSG)
        o->size = a->c;
    o->times_s[2] = ipc_now_s();
    ipc_news(o);
    return 0;
}

static int remove(const struct ipc_ask *a, struct ipc_object *o)
{
    if (!ipc_owns(o, a, CAP_SYS_ADMIN))
        return -EPERM;
    o->removed = true;
    if (o->kind != IPC_KIND_SHM || o->users == 0)
        ipc_object_free(o);
    return 0;
}

static int info(struct ipc_serving *s)
{
    struct ipc_info i = {0};
    int highest = 0;
    for (unsigned k = 0; k < IPC_IDS_MAX; k++) {
        const struct ipc_object *o = node(ipc_tables)[s->ask->kind].object[k];
        if (o == NULL)
            continue;
        highest = (int)k;
        i.objects++;
        i.units += o->kind == IPC_KIND_SHM   ? (o->size + PAGE_SIZE - 1) / PAGE_SIZE
                   : o->kind == IPC_KIND_SEM ? o->size
                                             : o->users;
        i.bytes += o->bytes;
    }
    ipc_put(s, &i, sizeof(i));
    return highest;
}

static int process_ended(const struct ipc_ask *a)
{
    for (unsigned k = 0; k < IPC_IDS_MAX; k++)
        if (node(ipc_tables)[IPC_KIND_SEM].object[k])
            ipc_sem_exit(node(ipc_tables)[IPC_KIND_SEM].object[k], a->pid);
    return 0;
}

// ---- serving -----------------------------------------------------------------------------------
static int serve_object(struct ipc_serving *s)
{
    const struct ipc_ask *a = s->ask;
    struct ipc_object *o = object_find((enum ipc_kind)a->kind, a->id);
    if (a->op == IPC_OP_STAT && a->flags != IPC_STAT_BY_ID) {
        o = (uint32_t)a->id < IPC_IDS_MAX ? node(ipc_tables)[a->kind].object[a->id] : NULL;
    }
    if (o == NULL)
        return -EINVAL;
    waiter_forget(o, s->from, a->tid);
    if (a->op == IPC_OP_FORGET)
        return 0;
    if (a->op == IPC_OP_STAT)
        return stat_of(s, o);
    if (a->op == IPC_OP_SET)
        return set(a, o);
    if (a->op == IPC_OP_REMOVE)
        return remove(a, o);
    switch (o->kind) {
    case IPC_KIND_SEM:
        return ipc_sem_serve(s, o);
    case IPC_KIND_MSG:
        return ipc_msg_serve(s, o);
    case IPC_KIND_SHM:
        return ipc_shm_serve(s, o);
    case IPC_KINDS:
        break;
    }
    return -EINVAL;
}

static int serve(struct ipc_serving *s)
{
    if (s->ask->op == IPC_OP_GET)
        return get(s->ask);
    if (s->ask->op == IPC_OP_INFO)
        return info(s);
    if (s->ask->op == IPC_OP_EXIT)
        return process_ended(s->ask);
    return serve_object(s);
}

void process_on_ipc(const struct rpc_in *in)
{
    struct ipc_ask a;
    bool good = in->n >= sizeof(a);
    if (good)
        memcpy(&a, in->bytes, sizeof(a));
    if (!good || a.kind >= IPC_KINDS || a.op >= IPC_OPS || a.in_bytes != in->n - sizeof(a)) {
        cluster_count_add("process: malformed ipc request", 1);
        rpc_reply(in->from, in->request, -EPROTO, NULL, 0);
        return;
    }
    uint8_t *message = heap_alloc(RPC_BYTES_MAX);
    if (message == NULL) {
        rpc_reply(in->from, in->request, -ENOMEM, NULL, 0);
        return;
    }
    struct ipc_serving s = {.ask = &a,
                            .in = (const uint8_t *)in->bytes + sizeof(a),
                            .from = in->from,
                            .out = message + sizeof(s.answer)};
    s.answer.result = serve(&s);
    memcpy(message, &s.answer, sizeof(s.answer));
    if (in->request)
        rpc_reply(in->from, in->request, 0, message, sizeof(s.answer) + s.answer.bytes);
    heap_free(message);
}
