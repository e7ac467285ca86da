// SPDX-License-Identifier: MIT
#include "ssi/stream/eventfd.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/anon.h"

#define COUNT_MAX   (UINT64_MAX - 1)
#define EVENTFD_ADD 0xfffffff9u // ioctl, never a user's: adds that uint64_t

struct eventfd {
    uint64_t count;
    bool semaphore;
    struct wait_queue changed;
};

static int await(struct file *f)
{
    struct eventfd *v = f->data;
    return f->flags & O_NONBLOCK ? -EAGAIN
                                 : wait_sleep(&v->changed, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
}

static int eventfd_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct eventfd *v = f->data;
    struct xfer start = *x;
    int e;
    (void)at;
    if (x->left < sizeof(v->count))
        return -EINVAL;
    while (v->count == 0)
        if ((e = await(f)) < 0)
            return e;
    uint64_t taken = v->semaphore ? 1 : v->count;
    if (xfer_put(x, &taken, sizeof(taken)) < sizeof(taken)) {
        xfer_undo(x, &start);
        return 0;
    }
    v->count -= taken;
    wait_wake_all(&v->changed);
    return 0;
}

static int eventfd_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct eventfd *v = f->data;
    struct xfer start = *x;
    uint64_t more;
    (void)at;
    if (x->left != sizeof(more))
        return -EINVAL;
    int e = xfer_take_all(x, &more, sizeof(more));
    if (e == 0 && more == UINT64_MAX)
        e = -EINVAL;
    while (e == 0 && more > COUNT_MAX - v->count)
        e = await(f);
    if (e < 0) {
        *x = start;
        return e;
    }
    v->count += more;
    wait_wake_all(&v->changed);
    return 0;
}

static unsigned eventfd_poll(struct file *f)
{
    const struct eventfd *v = f->data;
    unsigned now = v->count > 0 ? POLL_IN : 0;
    return now | (v->count < COUNT_MAX ? POLL_OUT : 0);
}

static struct wait_queue *eventfd_poll_queue(struct file *f)
{
    struct eventfd *v = f->data;
    return &v->changed;
}

static void eventfd_release(struct file *f)
{
    heap_free(f->data);
}

static long eventfd_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                          size_t out_size)
{
    struct eventfd *v = f->data;
    uint64_t more;
    (void)out_size;
    if (request != EVENTFD_ADD || in_bytes != sizeof(more))
        return -ENOTTY;
    memcpy(&more, data, sizeof(more));
    if (more) {
        v->count += MIN(more, COUNT_MAX - v->count);
        wait_wake_all(&v->changed);
    }
    return 0;
}

int eventfd_add(struct file *f, uint64_t more)
{
    bool may = f->ops->ioctl && f->ops->ioctl(f, EVENTFD_ADD, &more, sizeof(more), 0) == 0;
    return may ? 0 : -EINVAL;
}

static const struct file_ops eventfd_ops = {
    .name = "[eventfd]",
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .polls_plainly = true,
    .seeks_nowhere = true,
    .poll_queue = eventfd_poll_queue,
    .ioctl = eventfd_ioctl,
    .stat = anon_stat,
    .release = eventfd_release,
};

struct file *eventfd_new(uint32_t count, bool semaphore, uint32_t flags)
{
    struct eventfd *v = heap_zalloc(sizeof(*v));
    struct file *f = v ? file_new(&eventfd_ops, O_RDWR | flags, v) : NULL;
    if (f == NULL) {
        heap_free(v);
        return NULL;
    }
    v->count = count;
    v->semaphore = semaphore;
    wait_init(&v->changed);
    return f;
}
