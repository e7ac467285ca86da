// SPDX-License-Identifier: MIT
// epoll(7): an open file that watches others. An item watches the queue of its file: each wake-up
// puts it on the ready list, and what holds is looked at when events are taken, as poll(2) does.
// An epoll is of one process and moves with it: its items follow in the ghost.
#pragma once

#include "ssi/fs/file.h"

enum {
    EPOLL_CTL_ADD = 1,
    EPOLL_CTL_DEL = 2,
    EPOLL_CTL_MOD = 3,
};

#define EPOLL_EXCLUSIVE (1u << 28)
#define EPOLL_WAKEUP    (1u << 29)
#define EPOLL_ONESHOT   (1u << 30)
#define EPOLL_EDGE      (1u << 31)

struct epoll_event { // of the ABI
    uint32_t events;
    uint64_t data;
} PACKED;
STATIC_ASSERT(sizeof(struct epoll_event) == 12, "struct epoll_event of i386");

struct file *epoll_new(void); // NULL: no memory
bool epoll_is(const struct file *f);

// epoll_ctl(2) on an epoll `e` for descriptor `fd`, which is file `f`. 0, -EPERM (not pollable),
// -EINVAL, -ELOOP, -EEXIST, -ENOENT, -ENOMEM. May sleep.
int epoll_control(struct file *e, int op, int fd, struct file *f, const struct epoll_event *event);
// Up to n events that hold; how many. May sleep, not for long.
unsigned epoll_take(struct file *e, struct epoll_event *to, unsigned n);
unsigned epoll_maybe_ready(const struct file *e); // how many may hold
// Sleeps until something may be ready: 0, -ETIMEDOUT, -EINTR. Deadline on this node's clock.
int epoll_sleep(struct file *e, uint64_t deadline_ns);

// ---- for the ghost: the items one by one. *cursor is NULL at first; false at the end.
struct epoll_item;
struct epoll_item_facts {
    struct file *file;
    int fd;
    struct epoll_event event;
};
bool epoll_next(const struct file *e, const struct epoll_item **cursor, struct epoll_item_facts *i);
// An item that arrives; it counts as woken, for what happened on the way is not known.
int epoll_put(struct file *e, const struct epoll_item_facts *i);
