// SPDX-License-Identifier: MIT
// epoll, eventfd, timerfd, signalfd and inotify.
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/notify.h"
#include "ssi/linux/file.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/signalfd.h"
#include "ssi/stream/epoll.h"
#include "ssi/stream/eventfd.h"
#include "ssi/stream/timerfd.h"

#define EVENTS_MAX  (INT32_MAX / sizeof(struct epoll_event))
#define EVENTS_STEP 5000u // at most so many are given at a time
#define NO_TIMEOUT  UINT64_MAX

// A new file's descriptor; `f` may be NULL: no memory.
static long descriptor_of(struct file *f, bool cloexec)
{
    if (f == NULL)
        return -ENOMEM;
    int fd = fd_install(process_current()->files, f, 0, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

// ---- epoll -------------------------------------------------------------------------------------
long sys_epoll_create(struct call *c)
{
    return (int32_t)c->args[0] <= 0 ? -EINVAL : descriptor_of(epoll_new(), false);
}

long sys_epoll_create1(struct call *c)
{
    if (c->args[0] & ~O_CLOEXEC)
        return -EINVAL;
    return descriptor_of(epoll_new(), c->args[0] & O_CLOEXEC);
}

static long control(struct call *c, const struct epoll_event *event)
{
    struct file *e = file_of(c->args[0]);
    struct file *f = file_of(c->args[2]);
    long r = e && f ? 0 : -EBADF;
    if (r == 0 && f->ops->poll_queue == NULL)
        r = -EPERM;
    if (r == 0)
        r = epoll_is(e) ? epoll_control(e, (int)c->args[1], (int)c->args[2], f, event) : -EINVAL;
    if (e)
        file_put(e);
    if (f)
        file_put(f);
    return r;
}

long sys_epoll_ctl(struct call *c)
{
    struct epoll_event event = {0};
    int e = c->args[1] == EPOLL_CTL_DEL ? 0 : user_read(&event, c->args[3], sizeof(event));
    return e < 0 ? e : control(c, &event);
}

// What holds now goes to the program: how many, -EFAULT, -ENOMEM. Events are taken only when there
// is a place for them.
static long events_out(struct file *e, uint32_t to, uint32_t max)
{
    uint32_t n = MIN(MIN(max, epoll_maybe_ready(e)), EVENTS_STEP);
    if (n == 0)
        return 0;
    struct epoll_event *events = heap_alloc(n * sizeof(*events));
    if (events == NULL)
        return -ENOMEM;
    int fault = user_fault_in(to, n * sizeof(*events), true);
    if (fault == -EFAULT)
        n = 1;
    unsigned got = fault == -EINTR ? 0 : epoll_take(e, events, n);
    int wrote = user_write(to, events, got * sizeof(*events));
    heap_free(events);
    return fault == -EINTR ? -EINTR : wrote < 0 ? wrote : (long)got;
}

static long wait_for_events(struct call *c, struct file *e, uint64_t relative_ns)
{
    uint64_t deadline = linux_deadline(c, relative_ns);
    int r = 0;
    for (;;) {
        long n = events_out(e, c->args[1], c->args[2]);
        if (n != 0 || relative_ns == 0 || r == -ETIMEDOUT)
            return n;
        if (thread_current()->asked)
            return -EINTR;
        r = epoll_sleep(e, linux_deadline_local(deadline));
        if (r < 0 && r != -ETIMEDOUT)
            return r;
    }
}

static long epoll_wait_on(struct call *c, uint64_t relative_ns)
{
    uint32_t max = c->args[2];
    if ((int32_t)max <= 0 || max > EVENTS_MAX)
        return -EINVAL;
    if (max * sizeof(struct epoll_event) > USER_TOP - MIN(c->args[1], USER_TOP))
        return -EFAULT;
    struct file *e = file_of(c->args[0]);
    if (e == NULL)
        return -EBADF;
    long r = epoll_is(e) ? wait_for_events(c, e, relative_ns) : -EINVAL;
    file_put(e);
    return r;
}

static uint64_t milliseconds(uint32_t ms)
{
    return (int32_t)ms < 0 ? NO_TIMEOUT : (uint64_t)ms * NS_PER_MS;
}

long sys_epoll_wait(struct call *c)
{
    return epoll_wait_on(c, milliseconds(c->args[3]));
}

long sys_epoll_pwait(struct call *c)
{
    int e = linux_mask_for_call(c->args[4], c->args[5]);
    return e < 0 ? e : epoll_wait_on(c, milliseconds(c->args[3]));
}

long sys_epoll_pwait2(struct call *c)
{
    uint64_t ns = NO_TIMEOUT;
    int e = c->args[3] ? linux_timespec_in(c->args[3], true, &ns) : 0;
    if (e == 0)
        e = linux_mask_for_call(c->args[4], c->args[5]);
    return e < 0 ? e : epoll_wait_on(c, ns);
}

// ---- eventfd -----------------------------------------------------------------------------------
#define EFD_SEMAPHORE 1u

long sys_eventfd2(struct call *c)
{
    uint32_t flags = c->args[1];
    if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    return descriptor_of(eventfd_new(c->args[0], flags & EFD_SEMAPHORE, flags & O_NONBLOCK),
                         flags & O_CLOEXEC);
}

long sys_eventfd(struct call *c)
{
    return descriptor_of(eventfd_new(c->args[0], false, 0), false);
}

// ---- timerfd -----------------------------------------------------------------------------------
enum {
    TFD_TIMER_ABSTIME = 1,
    TFD_TIMER_CANCEL_ON_SET = 2,
    TIMER_REALTIME = 0,
    TIMER_MONOTONIC = 1,
    TIMER_BOOTTIME = 7,
    TIMER_REALTIME_ALARM = 8,
    TIMER_BOOTTIME_ALARM = 9,
};

long sys_timerfd_create(struct call *c)
{
    uint32_t clock = c->args[0], flags = c->args[1];
    bool alarm = clock == TIMER_REALTIME_ALARM || clock == TIMER_BOOTTIME_ALARM;
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    if (clock != TIMER_REALTIME && clock != TIMER_MONOTONIC && clock != TIMER_BOOTTIME && !alarm)
        return -EINVAL;
    if (alarm && !process_can(CAP_WAKE_ALARM))
        return -EPERM;
    bool real = clock == TIMER_REALTIME || clock == TIMER_REALTIME_ALARM;
    return descriptor_of(timerfd_new(real, flags & O_NONBLOCK), flags & O_CLOEXEC);
}

static int itimerspec_in(uint32_t at, bool wide, struct timerfd_setting *s)
{
    uint32_t half = wide ? sizeof(struct linux_timespec64) : sizeof(struct linux_timespec32);
    uint64_t value = 0, interval = 0;
    int e = linux_timespec_in(at, wide, &interval);
    if (e == 0)
        e = linux_timespec_in(at + half, wide, &value);
    s->at_ns = value;
    s->interval_ns = interval;
    return e;
}

static int itimerspec_out(uint32_t at, bool wide, const struct timerfd_setting *s)
{
    uint32_t half = wide ? sizeof(struct linux_timespec64) : sizeof(struct linux_timespec32);
    int e = linux_timespec_out(at, wide, s->interval_ns);
    return e < 0 ? e : linux_timespec_out(at + half, wide, s->at_ns);
}

static long timerfd_settime(struct call *c, bool wide)
{
    struct timerfd_setting set = {0}, old;
    int e = itimerspec_in(c->args[2], wide, &set);
    if (e == 0 && (c->args[1] & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
        e = -EINVAL;
    if (e < 0)
        return e;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    set.absolute = c->args[1] & TFD_TIMER_ABSTIME;
    e = timerfd_set(f, &set, &old);
    file_put(f);
    return e == 0 && c->args[3] ? itimerspec_out(c->args[3], wide, &old) : e;
}

long sys_timerfd_settime(struct call *c)
{
    return timerfd_settime(c, false);
}

long sys_timerfd_settime64(struct call *c)
{
    return timerfd_settime(c, true);
}

static long timerfd_gettime(struct call *c, bool wide)
{
    struct timerfd_setting left;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    int e = timerfd_get(f, &left);
    file_put(f);
    return e < 0 ? e : itimerspec_out(c->args[1], wide, &left);
}

long sys_timerfd_gettime(struct call *c)
{
    return timerfd_gettime(c, false);
}

long sys_timerfd_gettime64(struct call *c)
{
    return timerfd_gettime(c, true);
}

// ---- signalfd ----------------------------------------------------------------------------------
static long signalfd(struct call *c, uint32_t flags)
{
    sigset64 mask;
    if (c->args[2] != sizeof(mask))
        return -EINVAL;
    int e = user_read(&mask, c->args[1], sizeof(mask));
    if (e < 0)
        return e;
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    if (c->args[0] == UINT32_MAX)
        return descriptor_of(signalfd_new(process_current(), mask, flags & O_NONBLOCK),
                             flags & O_CLOEXEC);
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    bool is = signalfd_is(f);
    if (is) {
        signalfd_set_mask(f, mask);
        wait_wake_all(&process_current()->signal_wait);
    }
    file_put(f);
    return is ? (long)c->args[0] : -EINVAL;
}

long sys_signalfd(struct call *c)
{
    return signalfd(c, 0);
}

long sys_signalfd4(struct call *c)
{
    return signalfd(c, c->args[3]);
}

// ---- inotify -----------------------------------------------------------------------------------
#define IN_KNOWN                                                                                   \
    (IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW |       \
     IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

static long inotify_with(uint32_t flags)
{
    struct fs_who who;
    struct file *f = NULL;
    process_who(process_current(), &who);
    int e = fs_notify_new(&who, flags & O_NONBLOCK, &f);
    return e < 0 ? e : descriptor_of(f, flags & O_CLOEXEC);
}

long sys_inotify_init(struct call *c)
{
    (void)c;
    return inotify_with(0);
}

long sys_inotify_init1(struct call *c)
{
    return c->args[0] & ~(O_CLOEXEC | O_NONBLOCK) ? -EINVAL : inotify_with(c->args[0]);
}

static long watch_named(struct file *f, uint32_t user_path, uint32_t mask)
{
    struct file_name n;
    if ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE))
        return -EINVAL;
    long e = fs_notify_is(f) ? file_name_begin(&n, AT_FDCWD, user_path) : -EINVAL;
    if (e < 0)
        return e;
    e = fs_notify_watch(&n.who, f, n.path, mask);
    file_name_end(&n);
    return e;
}

long sys_inotify_add_watch(struct call *c)
{
    uint32_t mask = c->args[2];
    if (mask == 0 || (mask & ~IN_KNOWN))
        return -EINVAL;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long e = watch_named(f, c->args[1], mask);
    file_put(f);
    return e;
}

long sys_inotify_rm_watch(struct call *c)
{
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long e = fs_notify_remove(f, (int32_t)c->args[1]);
    file_put(f);
    return e;
}
