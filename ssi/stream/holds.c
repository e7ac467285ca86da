// SPDX-License-Identifier: MIT
// What TCP holds back, for connections that are joined (joined.c): a segment that is not full, with
// TCP_CORK or MSG_MORE, for 200 ms at most; with TCP_DEFER_ACCEPT a connection that nothing was
// sent on. Held bytes lie in the inbox of the other end, which does not see them yet.
#include "lib/errno.h"
#include "mm/heap.h"
#include "ssi/stream/socket_priv.h"

#define HOLD_NS         (200 * NS_PER_MS)
#define LOOPBACK_MSS    32741u // half of the window of Linux's lo
#define STAMP_BYTES     12u    // which a segment carries beside its text
#define SYN_ACK_FIRST_S 1u
#define SYN_ACK_MOST_S  120u

// ---- segments that are not full ----------------------------------------------------------------
static void held_for_long(void *arg)
{
    held_end(arg);
}

static void deferred_for_long(void *arg)
{
    defer_end(arg, false);
}

// False: no memory, so nothing can wait for its time.
static bool timer_made(struct timer **t, void (*fn)(void *arg), struct socket *s)
{
    if (*t)
        return true;
    *t = heap_alloc(sizeof(**t));
    if (*t)
        timer_init(*t, fn, s);
    return *t != NULL;
}

static void timer_off(struct timer *t)
{
    if (t)
        timer_cancel(t);
}

void held_forget(struct socket *s)
{
    timer_off(s->joined.hold_timer);
    s->joined = (struct joined_tcp){.hold_timer = s->joined.hold_timer,
                                    .defer_timer = s->joined.defer_timer};
}

void held_drop(struct socket *s)
{
    timer_off(s->joined.hold_timer);
    timer_off(s->joined.defer_timer);
    heap_free(s->joined.hold_timer);
    heap_free(s->joined.defer_timer);
}

void held_connect(struct socket *s, struct socket *child)
{
    uint32_t n = LOOPBACK_MSS + STAMP_BYTES;
    n = s->max_segment ? MIN(n, (uint32_t)s->max_segment) : n;
    n = child->max_segment ? MIN(n, (uint32_t)child->max_segment) : n;
    s->joined.segment = child->joined.segment = n - STAMP_BYTES;
    s->joined.opener = true;
}

void held_end(struct socket *s)
{
    struct socket *to = s->peer;
    timer_off(s->joined.hold_timer);
    if (to == NULL || to->joined.hidden == 0)
        return;
    to->joined.hidden = 0;
    socket_wake(to, WAKE_READ);
}

static bool holds(struct socket *s, const struct socket_message *m)
{
    bool more = s->cork || m->flags & MSG_MORE;
    if (!more || m->flags & MSG_OOB || (m->data->left > 0 && !m->data->short_copy))
        return false;
    return timer_made(&s->joined.hold_timer, held_for_long, s);
}

bool held_sent(struct socket *s, const struct socket_message *m, uint32_t n)
{
    struct socket *to = s->peer;
    if (!holds(s, m)) {
        if (to->joined.hidden)
            timer_off(s->joined.hold_timer);
        to->joined.hidden = 0;
        return true;
    }
    uint32_t before = to->joined.hidden, held = before + n;
    to->joined.hidden = held % s->joined.segment;
    if (to->joined.hidden == 0)
        timer_off(s->joined.hold_timer);
    else if (before == 0 || held >= s->joined.segment)
        timer_set(s->joined.hold_timer, clock_now_ns() + HOLD_NS);
    return held >= s->joined.segment;
}

// As joined_receive, while something is hidden.
int held_receive(struct socket *s, struct socket_message *m)
{
    struct xfer *x = m->data;
    size_t skip = m->flags & MSG_PEEK ? m->full : 0, seen = joined_readable_bytes(s);
    if (x->left == 0)
        return 0;
    if (seen <= skip)
        return s->error ? socket_take_error(s) : s->shut & SHUT_READ ? 0 : -EAGAIN;
    size_t left = x->left;
    x->left = MIN(left, seen - skip);
    size_t held = left - x->left;
    int e = joined_receive(s, m);
    x->left += held;
    return e;
}

// ---- connections without text ------------------------------------------------------------------
static uint32_t next_s(uint32_t timeout_s)
{
    return MIN(2 * timeout_s, SYN_ACK_MOST_S);
}

uint32_t defer_seconds(uint32_t retries)
{
    uint32_t sum = 0, timeout_s = SYN_ACK_FIRST_S;
    for (; retries > 0; retries--, timeout_s = next_s(timeout_s))
        sum += timeout_s;
    return sum;
}

uint8_t defer_retries(int32_t seconds)
{
    uint32_t retries = 0;
    while (seconds > 0 && retries < UINT8_MAX && defer_seconds(retries) < (uint32_t)seconds)
        retries++;
    return (uint8_t)retries;
}

void defer_child(struct socket *listener, struct socket *child)
{
    if (!timer_made(&child->joined.defer_timer, deferred_for_long, child)) {
        socket_child_add(listener, child);
        return;
    }
    child->joined.deferred = true;
    child->listener = listener;
    list_append(&listener->deferred, &child->child_link);
    timer_set(child->joined.defer_timer,
              clock_now_ns() + defer_seconds(listener->defer_retries) * NS_PER_S);
}

void defer_end(struct socket *child, bool reset)
{
    struct socket *listener = child->listener;
    timer_off(child->joined.defer_timer);
    list_remove(&child->child_link);
    child->listener = NULL;
    child->joined.deferred = false;
    if (listener && !reset) {
        socket_child_add(listener, child);
        return;
    }
    child->never_accepted = true;
    socket_end(child);
}

void defer_orphans(struct socket *listener)
{
    struct list *item;
    while ((item = list_pop(&listener->deferred)) != NULL) {
        struct socket *child = list_entry(item, struct socket, child_link);
        timer_off(child->joined.defer_timer);
        child->listener = NULL; // who connected finds out when it sends
    }
}
