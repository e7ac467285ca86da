// SPDX-License-Identifier: MIT
// poll and select: what holds now, and a sleep on all the files' queues at once.
#include "ssi/linux/file.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"

#define NO_TIMEOUT UINT64_MAX

struct linux_pollfd {
    int32_t fd;
    int16_t events, revents;
} PACKED;

struct poller; // one call's sleep

struct watched {
    struct wait_watch watch;
    struct poller *poller;
    struct file *file;
};

struct poller {
    struct wait_queue queue;
    bool woken;
    uint32_t count;
    struct watched *watched; // as many as descriptors
};

static void on_wake(struct wait_watch *w)
{
    struct watched *d = container_of(w, struct watched, watch);
    d->poller->woken = true;
    wait_wake_all(&d->poller->queue);
}

static bool poller_begin(struct poller *p, uint32_t count)
{
    wait_init(&p->queue);
    p->woken = false;
    p->count = 0;
    p->watched = heap_alloc(MAX(count, 1) * sizeof(*p->watched));
    return p->watched != NULL;
}

// What holds of `events` for a descriptor; it is watched from now on.
static unsigned poller_look(struct poller *p, int32_t fd, unsigned events)
{
    struct file *f = fd < 0 ? NULL : file_of((uint32_t)fd);
    if (f == NULL)
        return POLL_NVAL;
    struct wait_queue *q = f->ops->poll_queue ? f->ops->poll_queue(f) : NULL;
    if (q) {
        struct watched *d = &p->watched[p->count++];
        d->poller = p;
        d->file = f;
        wait_watch_add(q, &d->watch, on_wake);
    }
    unsigned now = file_poll(f);
    if (q == NULL)
        file_put(f);
    return now & (events | POLL_ERR | POLL_HUP);
}

static void poller_forget(struct poller *p)
{
    for (uint32_t k = 0; k < p->count; k++) {
        wait_watch_remove(&p->watched[k].watch);
        file_put(p->watched[k].file);
    }
    p->count = 0;
}

static void poller_end(struct poller *p)
{
    poller_forget(p);
    heap_free(p->watched);
}

// Sleeps until something changed. 0, -ETIMEDOUT, -EINTR.
static int poller_sleep(struct poller *p, uint64_t deadline_ns)
{
    uint64_t until = linux_deadline_local(deadline_ns);
    if (thread_current()->asked) // also when something wakes it again and again
        return -EINTR;
    while (!p->woken) {
        int e = wait_sleep(&p->queue, until, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    p->woken = false;
    return 0;
}

struct waiter {
    struct wait_watch watch;
    struct wait_queue queue;
    bool woken;
};

static void wake_waiter(struct wait_watch *w)
{
    struct waiter *me = container_of(w, struct waiter, watch);
    me->woken = true;
    wait_wake_all(&me->queue);
}

int file_await(struct file *f, unsigned events, uint64_t until_ns)
{
    struct waiter me = {.woken = false};
    int e = thread_current()->asked ? -EINTR : 0;
    if (f->ops->poll_queue == NULL)
        return e;
    wait_init(&me.queue);
    wait_watch_add(f->ops->poll_queue(f), &me.watch, wake_waiter);
    if (!(file_poll(f) & (events | POLL_ERR | POLL_HUP)))
        while (e == 0 && !me.woken)
            e = wait_sleep(&me.queue, until_ns, WAIT_INTERRUPTIBLE);
    wait_watch_remove(&me.watch);
    return e;
}

typedef long (*look_fn)(struct poller *p, void *set); // how many descriptors have something

// Looks and sleeps by turns. `relative_ns` NO_TIMEOUT: for ever.
static long poll_loop(struct call *c, uint32_t count, uint64_t relative_ns, look_fn look, void *set)
{
    struct poller p;
    uint64_t deadline = linux_deadline(c, relative_ns);
    if (!poller_begin(&p, count))
        return -ENOMEM;
    long r;
    for (;;) {
        r = look(&p, set);
        if (r != 0 || relative_ns == 0)
            break;
        r = poller_sleep(&p, deadline);
        poller_forget(&p);
        if (r == -ETIMEDOUT) {
            r = look(&p, set);
            break;
        }
        if (r < 0)
            break;
    }
    poller_end(&p);
    return r;
}

// What is left of the timeout goes back to where it came from, as select(2) and ppoll(2) have it on
// Linux: not of a timeout of 0, and where it cannot be written the call is as good as without.
static long poll_left(const struct call *c, uint32_t user, bool wide, uint64_t relative_ns, long r)
{
    if (user && relative_ns != 0 && c->deadline_ns != 0) {
        uint64_t now = cluster_clock_ns();
        (void)linux_timespec_out(user, wide, c->deadline_ns > now ? c->deadline_ns - now : 0);
    }
    return r;
}

// ---- poll --------------------------------------------------------------------------------------
struct poll_set {
    struct linux_pollfd *fds;
    uint32_t count;
};

static long poll_look(struct poller *p, void *set)
{
    struct poll_set *s = set;
    long ready = 0;
    for (uint32_t k = 0; k < s->count; k++) {
        struct linux_pollfd *d = &s->fds[k];
        d->revents = 0;
        if (d->fd >= 0)
            d->revents = (int16_t)poller_look(p, d->fd, (uint16_t)d->events);
        ready += d->revents != 0;
    }
    return ready;
}

static long poll_call(struct call *c, uint64_t relative_ns)
{
    struct poll_set s = {.count = c->args[1]};
    if (s.count > FD_MAX)
        return -EINVAL;
    size_t bytes = s.count * sizeof(*s.fds);
    s.fds = heap_alloc(MAX(bytes, 1));
    if (s.fds == NULL)
        return -ENOMEM;
    long r = user_read(s.fds, c->args[0], bytes);
    if (r == 0)
        r = poll_loop(c, s.count, relative_ns, poll_look, &s);
    if (r >= 0) {
        int e = user_write(c->args[0], s.fds, bytes);
        r = e < 0 ? e : r;
    }
    heap_free(s.fds);
    return r;
}

long sys_poll(struct call *c)
{
    int32_t ms = (int32_t)c->args[2];
    return poll_call(c, ms < 0 ? NO_TIMEOUT : (uint64_t)ms * NS_PER_MS);
}

int linux_mask_for_call(uint32_t user, uint32_t bytes)
{
    struct task *t = task_current();
    sigset64 mask;
    if (user == 0 || t->blocked_saved_valid) // entered again: it is set already
        return 0;
    if (bytes != sizeof(mask))
        return -EINVAL;
    int e = user_read(&mask, user, sizeof(mask));
    if (e < 0)
        return e;
    t->blocked_saved = t->blocked;
    t->blocked_saved_valid = true;
    t->blocked = mask & ~((UINT64_C(1) << 8) | (UINT64_C(1) << 18)); // not SIGKILL, SIGSTOP
    if (signal_pending(t))
        thread_current()->asked = true;
    return 0;
}

static long ppoll_call(struct call *c, bool wide)
{
    uint64_t ns = NO_TIMEOUT;
    int e = c->args[2] ? linux_timespec_in(c->args[2], wide, &ns) : 0;
    if (e == 0)
        e = linux_mask_for_call(c->args[3], c->args[4]);
    return e < 0 ? e : poll_left(c, c->args[2], wide, ns, poll_call(c, ns));
}

long sys_ppoll(struct call *c)
{
    return ppoll_call(c, false);
}

long sys_ppoll_time64(struct call *c)
{
    return ppoll_call(c, true);
}

// ---- select ------------------------------------------------------------------------------------
#define WORDS (FD_MAX / 32)

struct select_set {
    uint32_t n;
    uint32_t in[3][WORDS]; // read, write, exceptions
    uint32_t out[3][WORDS];
};

static const unsigned select_asks[3] = {POLL_IN, POLL_OUT, POLL_PRI};
static const unsigned select_means[3] = {POLL_IN | POLL_HUP | POLL_ERR, POLL_OUT | POLL_ERR,
                                         POLL_PRI};

static long select_look(struct poller *p, void *set)
{
    struct select_set *s = set;
    long ready = 0;
    memset(s->out, 0, sizeof(s->out));
    for (uint32_t fd = 0; fd < s->n; fd++) {
        unsigned asks = 0;
        uint32_t word = fd / 32, bit = 1u << fd % 32;
        for (int k = 0; k < 3; k++)
            asks |= s->in[k][word] & bit ? select_asks[k] : 0;
        if (asks == 0)
            continue;
        unsigned now = poller_look(p, (int32_t)fd, asks);
        if (now & POLL_NVAL)
            return -EBADF;
        for (int k = 0; k < 3; k++)
            if ((s->in[k][word] & bit) && (now & select_means[k])) {
                s->out[k][word] |= bit;
                ready++;
            }
    }
    return ready;
}

static long select_call(struct call *c, uint32_t n, const uint32_t user[3], uint64_t relative_ns)
{
    if ((int32_t)n < 0)
        return -EINVAL;
    struct select_set *s = heap_zalloc(sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->n = MIN(n, FD_MAX);
    size_t bytes = ALIGN_UP(s->n, 32) / 8;
    long r = 0;
    for (int k = 0; k < 3 && r == 0; k++)
        r = user[k] ? user_read(s->in[k], user[k], bytes) : 0;
    if (r == 0)
        r = poll_loop(c, s->n, relative_ns, select_look, s);
    for (int k = 0; k < 3 && r >= 0; k++) {
        int e = user[k] ? user_write(user[k], s->out[k], bytes) : 0;
        r = e < 0 ? e : r;
    }
    heap_free(s);
    return r;
}

static int timeval_in(uint32_t user, uint64_t *ns)
{
    struct linux_timeval32 t;
    *ns = NO_TIMEOUT;
    if (user == 0)
        return 0;
    int e = user_read(&t, user, sizeof(t));
    if (e < 0)
        return e;
    if (t.seconds < 0 || t.microseconds < 0)
        return -EINVAL;
    *ns = (uint64_t)t.seconds * NS_PER_S + (uint64_t)t.microseconds * 1000;
    return 0;
}

static long timeval_call(struct call *c, const uint32_t *args)
{
    uint64_t ns;
    int e = timeval_in(args[4], &ns);
    if (e < 0)
        return e;
    long r = select_call(c, args[0], &args[1], ns);
    if (args[4] && ns != 0 && c->deadline_ns != 0) { // as poll_left()
        uint64_t now = cluster_clock_ns();
        uint64_t left = c->deadline_ns > now ? c->deadline_ns - now : 0;
        struct linux_timeval32 t = {(int32_t)(left / NS_PER_S), (int32_t)(left % NS_PER_S / 1000)};
        (void)user_write(args[4], &t, sizeof(t));
    }
    return r;
}

long sys_select(struct call *c) // the number with five arguments
{
    return timeval_call(c, c->args);
}

long sys_old_select(struct call *c) // the same in a block of memory
{
    uint32_t args[5];
    int e = user_read(args, c->args[0], sizeof(args));
    return e < 0 ? e : timeval_call(c, args);
}

static long pselect_call(struct call *c, bool wide)
{
    uint64_t ns = NO_TIMEOUT;
    uint32_t mask[2] = {0, 0}; // address, bytes
    int e = c->args[4] ? linux_timespec_in(c->args[4], wide, &ns) : 0;
    if (e == 0 && c->args[5])
        e = user_read(mask, c->args[5], sizeof(mask));
    if (e == 0)
        e = linux_mask_for_call(mask[0], mask[1]);
    return e < 0 ? e
                 : poll_left(c, c->args[4], wide, ns, select_call(c, c->args[0], &c->args[1], ns));
}

long sys_pselect6(struct call *c)
{
    return pselect_call(c, false);
}

long sys_pselect6_time64(struct call *c)
{
    return pselect_call(c, true);
}
