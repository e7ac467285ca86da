// SPDX-License-Identifier: MIT
#include "ssi/process/aio.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"

#define ROOM_FIRST 16u

NODE_VAR(uint32_t, aio_limits); // of all contexts of this node

int aio_new(struct process *p, uint32_t id, uint32_t limit, struct aio_context **made)
{
    if (limit > AIO_RESULTS_MAX - node(aio_limits))
        return -EAGAIN;
    struct aio_context *a = heap_zalloc(sizeof(*a));
    if (a == NULL)
        return -ENOMEM;
    a->id = id;
    a->limit = limit;
    a->users = 1;
    wait_init(&a->news);
    a->next = p->aio;
    p->aio = a;
    node(aio_limits) += limit;
    *made = a;
    return 0;
}

struct aio_context *aio_find(const struct process *p, uint32_t id)
{
    struct aio_context *a = p->aio;
    while (a && a->id != id)
        a = a->next;
    return a;
}

void aio_put(struct aio_context *a)
{
    ASSERT(a->users > 0);
    if (--a->users)
        return;
    heap_free(a->results);
    heap_free(a);
}

void aio_remove(struct process *p, struct aio_context *a)
{
    struct aio_context **at = &p->aio;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    a->gone = true;
    node(aio_limits) -= a->limit;
    wait_wake_all(&a->news);
    aio_put(a);
}

void aio_remove_all(struct process *p)
{
    while (p->aio)
        aio_remove(p, p->aio);
}

uint32_t aio_asked_for(void)
{
    return node(aio_limits);
}

int aio_begin(struct aio_context *a)
{
    uint32_t wanted = a->count + a->pending + 1;
    if (wanted > a->limit)
        return -EAGAIN;
    if (wanted > a->room) {
        uint32_t room = MAX(2 * a->room, ROOM_FIRST);
        struct aio_result *more = heap_alloc(room * sizeof(*more));
        if (more == NULL)
            return -ENOMEM;
        if (a->count)
            memcpy(more, a->results, a->count * sizeof(*more));
        heap_free(a->results);
        a->results = more;
        a->room = room;
    }
    a->pending++;
    return 0;
}

void aio_done(struct aio_context *a, const struct aio_result *r)
{
    ASSERT(a->pending > 0 && a->count < a->room);
    a->pending--;
    if (r == NULL)
        return;
    a->results[a->count++] = *r;
    wait_wake_all(&a->news);
}

uint32_t aio_look(const struct aio_context *a, struct aio_result *to, uint32_t max)
{
    uint32_t n = MIN(a->count, max);
    if (n > 0)
        memcpy(to, a->results, n * sizeof(*to));
    return n;
}

void aio_drop(struct aio_context *a, uint32_t n)
{
    ASSERT(n <= a->count);
    a->count -= n;
    memmove(a->results, a->results + n, a->count * sizeof(a->results[0]));
}
