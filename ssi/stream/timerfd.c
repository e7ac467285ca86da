// SPDX-License-Identifier: MIT
#include "ssi/stream/timerfd.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/anon.h"

// Requests between nodes, never a user's.
#define TIMERFD_SET 0xfffffff2u
#define TIMERFD_GET 0xfffffff3u

struct timerfd {
    uint64_t at_ns;       // cluster time of the next expiry, 0: disarmed
    uint64_t interval_ns; // 0: once
    bool real;
    uint64_t ticks; // expiries that nobody read
    struct timer timer;
    struct wait_queue changed;
};

static void arm(struct timerfd *t)
{
    uint64_t now = cluster_clock_ns(), at = t->at_ns;
    timer_cancel(&t->timer);
    if (at)
        timer_set(&t->timer, clock_now_ns() + (at > now ? at - now : 0));
}

// Expiries up to now are counted. A periodic timer that nobody reads interrupts only once.
static void forward(struct timerfd *t)
{
    uint64_t now = cluster_clock_ns();
    if (t->at_ns == 0 || t->at_ns > now)
        return;
    uint64_t n = t->interval_ns ? 1 + (now - t->at_ns) / t->interval_ns : 1;
    t->ticks += n;
    t->at_ns = t->interval_ns ? t->at_ns + n * t->interval_ns : 0;
}

static void on_time(void *arg)
{
    struct timerfd *t = arg;
    forward(t);
    if (t->ticks == 0)
        arm(t); // the cluster's clock is behind this node's by a little
    else
        wait_wake_all(&t->changed);
}

static int timerfd_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct timerfd *t = f->data;
    struct xfer start = *x;
    (void)at;
    if (x->left < sizeof(t->ticks))
        return -EINVAL;
    while (forward(t), t->ticks == 0) {
        int e = -EAGAIN;
        if (!(f->flags & O_NONBLOCK))
            e = wait_sleep(&t->changed, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    if (xfer_put(x, &t->ticks, sizeof(t->ticks)) < sizeof(t->ticks)) {
        xfer_undo(x, &start);
        return 0;
    }
    t->ticks = 0;
    arm(t);
    return 0;
}

static unsigned timerfd_poll(struct file *f)
{
    struct timerfd *t = f->data;
    forward(t);
    return t->ticks ? POLL_IN : 0;
}

static struct wait_queue *timerfd_poll_queue(struct file *f)
{
    struct timerfd *t = f->data;
    return &t->changed;
}

static void left_of(struct timerfd *t, struct timerfd_setting *left)
{
    uint64_t now = cluster_clock_ns();
    forward(t);
    uint64_t ns = t->at_ns > now ? t->at_ns - now : t->at_ns ? 1 : 0;
    *left = (struct timerfd_setting){.at_ns = ns, .interval_ns = t->interval_ns};
}

static void set_to(struct timerfd *t, const struct timerfd_setting *set)
{
    uint64_t now = cluster_clock_ns(), real = cluster_real_ns(), at = set->at_ns;
    if (at && !set->absolute)
        at += now;
    else if (at && t->real)
        at = at > real ? now + (at - real) : 1;
    t->at_ns = at;
    t->interval_ns = set->interval_ns;
    t->ticks = 0;
    arm(t);
}

static long timerfd_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                          size_t out_size)
{
    struct timerfd *t = f->data;
    struct timerfd_setting set = {0}, left;
    bool sets = request == TIMERFD_SET;
    if ((!sets && request != TIMERFD_GET) || in_bytes < (sets ? sizeof(set) : 0) ||
        out_size < sizeof(left))
        return -ENOTTY;
    memcpy(&set, data, sets ? sizeof(set) : 0);
    left_of(t, &left);
    if (sets)
        set_to(t, &set);
    memcpy(data, &left, sizeof(left));
    return 0;
}

static void timerfd_release(struct file *f)
{
    struct timerfd *t = f->data;
    timer_cancel(&t->timer);
    heap_free(t);
}

static const struct file_ops timerfd_ops = {
    .name = "[timerfd]",
    .read = timerfd_read,
    .ioctl = timerfd_ioctl,
    .poll = timerfd_poll,
    .polls_plainly = true,
    .seeks_nowhere = true,
    .poll_queue = timerfd_poll_queue,
    .stat = anon_stat,
    .release = timerfd_release,
};

struct file *timerfd_new(bool real, uint32_t flags)
{
    struct timerfd *t = heap_zalloc(sizeof(*t));
    struct file *f = t ? file_new(&timerfd_ops, O_RDWR | flags, t) : NULL;
    if (f == NULL) {
        heap_free(t);
        return NULL;
    }
    t->real = real;
    timer_init(&t->timer, on_time, t);
    wait_init(&t->changed);
    return f;
}

static int asked(struct file *f, uint32_t request, struct timerfd_setting *s, size_t in_bytes)
{
    long e = f->ops->ioctl ? f->ops->ioctl(f, request, s, in_bytes, sizeof(*s)) : -ENOTTY;
    return e == -ENOTTY ? -EINVAL : (int)e;
}

int timerfd_set(struct file *f, const struct timerfd_setting *set, struct timerfd_setting *old)
{
    *old = *set;
    return asked(f, TIMERFD_SET, old, sizeof(*old));
}

int timerfd_get(struct file *f, struct timerfd_setting *left)
{
    return asked(f, TIMERFD_GET, left, 0);
}
