// SPDX-License-Identifier: MIT
// To ask a file what holds may sleep (its home is elsewhere). Meanwhile its item may be changed,
// taken out or made ready again: who polls is a user of the item, and looks again afterwards.
#include "ssi/stream/epoll.h"
#include "kernel/init.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/fs/anon.h"

#define NESTS_MAX 4 // epolls that watch epolls, in a chain

// Flags that stay when a one-shot item is spent; without others it is asleep.
#define HOW_BITS (EPOLL_EXCLUSIVE | EPOLL_WAKEUP | EPOLL_ONESHOT | EPOLL_EDGE)
#define EXCLUSIVE_MAY                                                                              \
    (POLL_IN | POLL_OUT | POLL_ERR | POLL_HUP | EPOLL_WAKEUP | EPOLL_EDGE | EPOLL_EXCLUSIVE)

struct epoll {
    struct file *file; // whose data it is
    struct list items; // struct epoll_item, in order of birth
    struct list ready; // those that may have events
    struct wait_queue queue;
};

struct epoll_item {
    struct list link;    // epoll->items
    struct list ready;   // epoll->ready
    struct list of_file; // file->watchers
    struct wait_watch watch;
    struct epoll *epoll; // NULL: taken out
    struct file *file;   // not a user of it: an item ends with its file
    int fd;
    struct epoll_event event;
    unsigned users; // the lists, and who asks its file
};

static const struct file_ops epoll_ops;

bool epoll_is(const struct file *f)
{
    return f->ops == &epoll_ops;
}

// ---- items -------------------------------------------------------------------------------------
static void item_put(struct epoll_item *i)
{
    ASSERT(i->users > 0);
    if (--i->users == 0)
        heap_free(i);
}

static void item_remove(struct epoll_item *i)
{
    wait_watch_remove(&i->watch);
    list_remove(&i->link);
    list_remove(&i->ready);
    list_remove(&i->of_file);
    i->epoll = NULL;
    i->file = NULL;
    item_put(i);
}

static void item_mark(struct epoll_item *i)
{
    if ((i->event.events & ~HOW_BITS) == 0)
        return; // a spent one-shot
    if (list_empty(&i->ready))
        list_append(&i->epoll->ready, &i->ready);
    wait_wake_all(&i->epoll->queue);
}

static void on_wake(struct wait_watch *w)
{
    item_mark(container_of(w, struct epoll_item, watch));
}

// What of its events holds now; 0 when it was taken out meanwhile. The caller is a user. May sleep.
static unsigned item_poll(struct epoll_item *i)
{
    struct file *f = i->file;
    file_get(f);
    unsigned now = file_poll(f);
    file_put(f);
    return i->epoll ? now & i->event.events : 0;
}

static struct epoll_item *item_find(const struct epoll *ep, int fd, const struct file *f)
{
    struct epoll_item *i;
    list_for_each (i, &f->watchers, of_file)
        if (i->epoll == ep && i->fd == fd)
            return i;
    return NULL;
}

static struct epoll_item *item_new(struct epoll *ep, int fd, struct file *f,
                                   const struct epoll_event *event)
{
    struct epoll_item *i = heap_zalloc(sizeof(*i));
    if (i == NULL)
        return NULL;
    i->users = 1;
    i->epoll = ep;
    i->file = f;
    i->fd = fd;
    i->event = *event;
    list_append(&ep->items, &i->link);
    list_append(&f->watchers, &i->of_file);
    list_init(&i->ready);
    struct wait_queue *q = f->ops->poll_queue(f);
    list_init(&i->watch.link);
    if (q)
        wait_watch_add(q, &i->watch, on_wake);
    return i;
}

static void watched_file_ended(struct file *f)
{
    struct epoll_item *i, *next;
    list_for_each_safe (i, next, &f->watchers, of_file)
        item_remove(i);
}

// ---- epolls that watch epolls ------------------------------------------------------------------
// Longest chain of epolls that this one watches; more than NESTS_MAX when `sought` is among them.
static unsigned depth_below(const struct file *f, const struct epoll *sought)
{
    const struct epoll *ep = f->data;
    const struct epoll_item *i;
    unsigned depth = 0;
    if (ep == sought)
        return NESTS_MAX + 1;
    list_for_each (i, &ep->items, link)
        if (epoll_is(i->file))
            depth = MAX(depth, 1 + depth_below(i->file, sought));
    return depth;
}

static unsigned depth_above(const struct file *f)
{
    const struct epoll_item *i;
    unsigned depth = 0;
    list_for_each (i, &f->watchers, of_file)
        depth = MAX(depth, 1 + depth_above(i->epoll->file));
    return depth;
}

// ---- epoll_ctl ---------------------------------------------------------------------------------
static bool pollable(const struct file *f)
{
    return f->ops->poll_queue != NULL;
}

static void item_look(struct epoll_item *i)
{
    i->users++;
    if (item_poll(i) != 0)
        item_mark(i);
    item_put(i);
}

static int item_add(struct file *e, int fd, struct file *f, struct epoll_event event)
{
    struct epoll *ep = e->data;
    if (epoll_is(f)) {
        unsigned below = depth_below(f, ep);
        if (below > NESTS_MAX || below + 1 + depth_above(e) > NESTS_MAX)
            return -ELOOP;
    }
    if (item_find(ep, fd, f))
        return -EEXIST;
    event.events |= POLL_ERR | POLL_HUP;
    struct epoll_item *i = item_new(ep, fd, f, &event);
    if (i == NULL)
        return -ENOMEM;
    item_look(i);
    return 0;
}

static int item_modify(struct epoll *ep, int fd, struct file *f, const struct epoll_event *event)
{
    struct epoll_item *i = item_find(ep, fd, f);
    if (i == NULL)
        return -ENOENT;
    if (i->event.events & EPOLL_EXCLUSIVE)
        return -EINVAL;
    i->event = *event;
    i->event.events |= POLL_ERR | POLL_HUP;
    item_look(i);
    return 0;
}

int epoll_control(struct file *e, int op, int fd, struct file *f, const struct epoll_event *event)
{
    struct epoll *ep = e->data;
    if (!pollable(f))
        return -EPERM;
    if (f == e)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && (event->events & EPOLL_EXCLUSIVE) &&
        (op == EPOLL_CTL_MOD || epoll_is(f) || (event->events & ~(uint32_t)EXCLUSIVE_MAY)))
        return -EINVAL;
    struct epoll_item *i;
    switch (op) {
    case EPOLL_CTL_ADD:
        return item_add(e, fd, f, *event);
    case EPOLL_CTL_MOD:
        return item_modify(ep, fd, f, event);
    case EPOLL_CTL_DEL:
        i = item_find(ep, fd, f);
        if (i)
            item_remove(i);
        return i ? 0 : -ENOENT;
    }
    return -EINVAL;
}

// ---- taking events -----------------------------------------------------------------------------
static struct epoll_item *ready_pop(struct epoll *ep)
{
    struct list *l = list_pop(&ep->ready);
    return l ? list_entry(l, struct epoll_item, ready) : NULL;
}

unsigned epoll_maybe_ready(const struct file *e)
{
    const struct epoll *ep = e->data;
    unsigned n = 0;
    for (const struct list *l = ep->ready.next; l != &ep->ready; l = l->next)
        n++;
    return n;
}

// It was reported: spent, waits for the next edge, or stays ready behind the others.
static void item_reported(struct epoll *ep, struct epoll_item *i)
{
    if (i->event.events & EPOLL_ONESHOT)
        i->event.events &= HOW_BITS;
    else if (!(i->event.events & EPOLL_EDGE) && list_empty(&i->ready))
        list_append(&ep->ready, &i->ready);
}

unsigned epoll_take(struct file *e, struct epoll_event *to, unsigned n)
{
    struct epoll *ep = e->data;
    struct epoll_item *i;
    unsigned got = 0;
    for (unsigned looks = epoll_maybe_ready(e); looks > 0 && got < n; looks--) {
        if ((i = ready_pop(ep)) == NULL)
            break;
        i->users++;
        unsigned now = item_poll(i);
        if (now) {
            to[got++] = (struct epoll_event){.events = now, .data = i->event.data};
            item_reported(ep, i);
        }
        item_put(i);
    }
    return got;
}

int epoll_sleep(struct file *e, uint64_t deadline_ns)
{
    struct epoll *ep = e->data;
    while (list_empty(&ep->ready)) {
        int r = wait_sleep(&ep->queue, deadline_ns, WAIT_INTERRUPTIBLE);
        if (r < 0)
            return r;
    }
    return 0;
}

// Items that turn out not to be ready leave the list: the next wake-up brings them back.
static unsigned epoll_poll(struct file *f)
{
    struct epoll *ep = f->data;
    struct epoll_item *i;
    unsigned now = 0;
    for (unsigned looks = epoll_maybe_ready(f); looks > 0 && now == 0; looks--) {
        if ((i = ready_pop(ep)) == NULL)
            break;
        i->users++;
        now = item_poll(i);
        if (now && list_empty(&i->ready))
            list_push(&ep->ready, &i->ready);
        item_put(i);
    }
    return now ? POLL_IN : 0;
}

static struct wait_queue *epoll_poll_queue(struct file *f)
{
    struct epoll *ep = f->data;
    return &ep->queue;
}

static void epoll_release(struct file *f)
{
    struct epoll *ep = f->data;
    struct epoll_item *i, *next;
    list_for_each_safe (i, next, &ep->items, link)
        item_remove(i);
    heap_free(ep);
}

static const struct file_ops epoll_ops = {
    .name = "[eventpoll]",
    .poll = epoll_poll,
    .seeks_nowhere = true,
    .poll_queue = epoll_poll_queue,
    .stat = anon_stat,
    .release = epoll_release,
    .bound = "an epoll is shared with another process",
};

struct file *epoll_new(void)
{
    struct epoll *ep = heap_zalloc(sizeof(*ep));
    struct file *f = ep ? file_new(&epoll_ops, O_RDWR, ep) : NULL;
    if (f == NULL) {
        heap_free(ep);
        return NULL;
    }
    ep->file = f;
    list_init(&ep->items);
    list_init(&ep->ready);
    wait_init(&ep->queue);
    return f;
}

// ---- travelling --------------------------------------------------------------------------------
bool epoll_next(const struct file *e, const struct epoll_item **cursor, struct epoll_item_facts *i)
{
    const struct epoll *ep = e->data;
    const struct list *next = *cursor ? (*cursor)->link.next : ep->items.next;
    if (next == &ep->items)
        return false;
    *cursor = list_entry(next, struct epoll_item, link);
    *i = (struct epoll_item_facts){(*cursor)->file, (*cursor)->fd, (*cursor)->event};
    return true;
}

int epoll_put(struct file *e, const struct epoll_item_facts *facts)
{
    struct epoll *ep = e->data;
    if (!pollable(facts->file) || facts->file == e || item_find(ep, facts->fd, facts->file))
        return -EPROTO;
    if (epoll_is(facts->file) && depth_below(facts->file, ep) + 1 + depth_above(e) > NESTS_MAX)
        return -EPROTO;
    struct epoll_item *i = item_new(ep, facts->fd, facts->file, &facts->event);
    if (i == NULL)
        return -ENOMEM;
    item_mark(i);
    return 0;
}

static void epoll_start(void)
{
    file_on_watched_end = watched_file_ended;
}
INIT_STEP(INIT_FILES, epoll_start);
