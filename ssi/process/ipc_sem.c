// SPDX-License-Identifier: MIT
// Semaphores at their home (semop(2), semctl(2)).
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/process/ipc_priv.h"

static struct ipc_undo *undo_find(struct ipc_object *o, int32_t pid)
{
    struct ipc_undo *u;
    list_for_each (u, &o->undos, link)
        if (u->pid == pid)
            return u;
    return NULL;
}

static struct ipc_undo *undo_of(struct ipc_object *o, int32_t pid)
{
    struct ipc_undo *u = undo_find(o, pid);
    if (u)
        return u;
    u = heap_zalloc(sizeof(*u) + o->size * sizeof(u->change[0]));
    if (u == NULL)
        return NULL;
    u->pid = pid;
    list_append(&o->undos, &u->link);
    return u;
}

static struct ipc_sembuf op_at(const struct ipc_serving *s, uint32_t k)
{
    struct ipc_sembuf b;
    memcpy(&b, (const uint8_t *)s->in + k * sizeof(b), sizeof(b));
    return b;
}

static bool undone(const struct ipc_sembuf *b)
{
    return b->flags & SEM_UNDO_FLAG;
}

static void take_back(struct ipc_serving *s, struct ipc_object *o, struct ipc_undo *u,
                      uint32_t count)
{
    while (count-- > 0) {
        struct ipc_sembuf b = op_at(s, count);
        o->sems[b.number].value = (uint16_t)(o->sems[b.number].value - b.change);
        if (u && undone(&b))
            u->change[b.number] = (int16_t)(u->change[b.number] + b.change);
    }
}

static bool undo_fits(const struct ipc_undo *u, const struct ipc_sembuf *b)
{
    int sum = u && undone(b) ? u->change[b->number] - b->change : 0;
    return sum >= -IPC_SEM_VALUE - 1 && sum <= IPC_SEM_VALUE;
}

// All of them, or none: 0, -ERANGE, -EAGAIN with the one that cannot be done in *stuck.
static int apply(struct ipc_serving *s, struct ipc_object *o, struct ipc_undo *u, uint32_t count,
                 uint32_t *stuck)
{
    for (uint32_t k = 0; k < count; k++) {
        struct ipc_sembuf b = op_at(s, k);
        int value = o->sems[b.number].value + b.change;
        bool waits = b.change == 0 ? o->sems[b.number].value != 0 : value < 0;
        if (waits || value > IPC_SEM_VALUE || !undo_fits(u, &b)) {
            take_back(s, o, u, k);
            *stuck = k;
            return waits ? -EAGAIN : -ERANGE;
        }
        o->sems[b.number].value = (uint16_t)value;
        if (u && undone(&b))
            u->change[b.number] = (int16_t)(u->change[b.number] - b.change);
    }
    return 0;
}

static int check(struct ipc_serving *s, struct ipc_object *o, uint32_t count, bool *undoes)
{
    bool alters = false;
    for (uint32_t k = 0; k < count; k++) {
        struct ipc_sembuf b = op_at(s, k);
        if (b.number >= o->size)
            return -EFBIG;
        alters |= b.change != 0;
        *undoes |= (b.flags & SEM_UNDO_FLAG) && b.change != 0;
    }
    return ipc_may(o, s->ask, alters ? IPC_MAY_WRITE : IPC_MAY_READ) ? 0 : -EACCES;
}

static int operate(struct ipc_serving *s, struct ipc_object *o)
{
    uint32_t count = s->ask->in_bytes / sizeof(struct ipc_sembuf), stuck = 0;
    bool undoes = false;
    int e = check(s, o, count, &undoes);
    struct ipc_undo *u = e == 0 && undoes ? undo_of(o, s->ask->pid) : NULL;
    if (e == 0 && undoes && u == NULL)
        e = -ENOMEM;
    if (e == 0)
        e = apply(s, o, u, count, &stuck);
    if (e == -EAGAIN) {
        struct ipc_sembuf b = op_at(s, stuck);
        if (s->ask->wait && !((uint16_t)b.flags & IPC_NOWAIT_FLAG))
            ipc_wait_note(s, o, b.number, b.change == 0);
    }
    if (e < 0)
        return e;
    for (uint32_t k = 0; k < count; k++) {
        struct ipc_sembuf b = op_at(s, k);
        o->sems[b.number].pid = s->ask->pid;
    }
    o->times_s[0] = ipc_now_s();
    ipc_news(o);
    return undoes; // 1: the process has something to undo
}

static int waiting(const struct ipc_object *o, uint32_t number, bool zero)
{
    const struct ipc_waiter *w;
    int n = 0;
    list_for_each (w, &o->waiters, link)
        n += w->number == number && w->zero == zero;
    return n;
}

static void value_set(struct ipc_serving *s, struct ipc_object *o, uint32_t number, uint16_t value)
{
    struct ipc_undo *u;
    o->sems[number].value = value;
    o->sems[number].pid = s->ask->pid;
    list_for_each (u, &o->undos, link)
        u->change[number] = 0;
    o->times_s[2] = ipc_now_s();
}

static int set_all(struct ipc_serving *s, struct ipc_object *o)
{
    uint16_t value;
    if (s->ask->in_bytes != o->size * sizeof(value))
        return -EINVAL;
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t k = 0; k < o->size; k++) {
            memcpy(&value, (const uint8_t *)s->in + k * sizeof(value), sizeof(value));
            if (value > IPC_SEM_VALUE)
                return -ERANGE;
            if (pass)
                value_set(s, o, k, value);
        }
    ipc_news(o);
    return 0;
}

static int one(struct ipc_serving *s, struct ipc_object *o)
{
    const struct ipc_ask *a = s->ask;
    bool writes = a->op == IPC_OP_SEM_SET;
    if (writes && a->a >= o->size)
        return -EINVAL;
    if (!ipc_may(o, a, writes ? IPC_MAY_WRITE : IPC_MAY_READ))
        return -EACCES;
    if (a->a >= o->size)
        return -EINVAL;
    if (a->op == IPC_OP_SEM_VALUE)
        return o->sems[a->a].value;
    if (a->op == IPC_OP_SEM_PID)
        return o->sems[a->a].pid;
    if (!writes)
        return waiting(o, a->a, a->op == IPC_OP_SEM_WAIT_ZERO);
    if (a->b > IPC_SEM_VALUE) // so says another node: the call has looked
        return -ERANGE;
    value_set(s, o, a->a, (uint16_t)a->b);
    ipc_news(o);
    return 0;
}

int ipc_sem_serve(struct ipc_serving *s, struct ipc_object *o)
{
    switch (s->ask->op) {
    case IPC_OP_SEM_DO:
        return operate(s, o);
    case IPC_OP_SEM_VALUE:
    case IPC_OP_SEM_PID:
    case IPC_OP_SEM_WAIT_MORE:
    case IPC_OP_SEM_WAIT_ZERO:
    case IPC_OP_SEM_SET:
        return one(s, o);
    case IPC_OP_SEM_SET_ALL:
        return ipc_may(o, s->ask, IPC_MAY_WRITE) ? set_all(s, o) : -EACCES;
    case IPC_OP_SEM_ALL:
        if (!ipc_may(o, s->ask, IPC_MAY_READ))
            return -EACCES;
        for (uint32_t k = 0; k < o->size; k++)
            ipc_put(s, &o->sems[k].value, sizeof(uint16_t));
        return 0;
    }
    return -EINVAL;
}

void ipc_sem_exit(struct ipc_object *o, int32_t pid)
{
    struct ipc_undo *u = undo_find(o, pid);
    if (u == NULL)
        return;
    for (uint32_t k = 0; k < o->size; k++) {
        int value = o->sems[k].value + u->change[k];
        if (u->change[k])
            o->sems[k].pid = pid;
        o->sems[k].value = (uint16_t)MIN(MAX(value, 0), IPC_SEM_VALUE);
    }
    list_remove(&u->link);
    heap_free(u);
    o->times_s[0] = ipc_now_s();
    ipc_news(o);
}
