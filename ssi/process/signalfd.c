// SPDX-License-Identifier: MIT
#include "ssi/process/signalfd.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/process/owner.h"
#include "ssi/process/priv.h"
#include "ssi/fs/anon.h"

struct signalfd {
    sigset64 mask;
    int32_t owner; // whose queue is watched when no process asks: it arrives
};

struct linux_signalfd_siginfo {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trapno;
    int32_t status, value;
    uint64_t pointer, utime, stime, address;
    uint8_t pad[48];
} PACKED;
STATIC_ASSERT(sizeof(struct linux_signalfd_siginfo) == 128, "struct signalfd_siginfo of the ABI");

static struct linux_signalfd_siginfo told(const struct signal_info *i)
{
    struct linux_signalfd_siginfo s = {
        .signo = (uint32_t)i->signal, .error = i->error, .code = i->code};
    if (i->code == SI_TIMER) {
        s.tid = (uint32_t)i->pid; // where siginfo_t has the timer and its overrun
        s.overrun = i->uid;
    } else if (owner_info_is(i)) {
        s.band = (uint32_t)i->pid;
        s.fd = (int32_t)i->uid;
        return s;
    } else {
        s.pid = (uint32_t)i->pid;
        s.uid = i->uid;
    }
    s.value = i->value;
    s.pointer = (uint32_t)i->value;
    s.status = i->status;
    s.address = i->address;
    return s;
}

static int signalfd_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    const struct signalfd *d = f->data;
    struct task *t = task_current();
    struct signal_info info;
    size_t wanted = x->left / sizeof(struct linux_signalfd_siginfo), n = 0;
    (void)at;
    if (wanted == 0 || t == NULL)
        return -EINVAL;
    // A signal that was taken must have a place to go to.
    int e = x->user ? user_fault_in(x->user_at, sizeof(struct linux_signalfd_siginfo), true) : 0;
    while (e == 0 && n < wanted) {
        if (!signal_take(t, d->mask, &info)) {
            if (n > 0)
                break;
            e = -EAGAIN;
            if (!(f->flags & O_NONBLOCK))
                e = wait_sleep(&t->process->signal_wait, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            continue;
        }
        struct linux_signalfd_siginfo s = told(&info);
        if (xfer_put(x, &s, sizeof(s)) < sizeof(s))
            break; // the end of a mapping amid the buffer
        n++;
    }
    return e;
}

static unsigned signalfd_poll(struct file *f)
{
    const struct signalfd *d = f->data;
    const struct task *t = task_current();
    return t && (t->pending.pending | t->process->pending.pending) & d->mask ? POLL_IN : 0;
}

static struct wait_queue *signalfd_poll_queue(struct file *f)
{
    const struct signalfd *d = f->data;
    struct process *p = process_current();
    p = p ? p : process_find(d->owner);
    return p ? &p->signal_wait : NULL;
}

static void signalfd_release(struct file *f)
{
    heap_free(f->data);
}

static const struct file_ops signalfd_ops = {
    .name = "[signalfd]",
    .read = signalfd_read,
    .poll = signalfd_poll,
    .polls_plainly = true,
    .seeks_nowhere = true,
    .poll_queue = signalfd_poll_queue,
    .stat = anon_stat,
    .release = signalfd_release,
    .bound = "a signalfd is shared with another process",
};

bool signalfd_is(const struct file *f)
{
    return f->ops == &signalfd_ops;
}

struct file *signalfd_new(const struct process *owner, sigset64 mask, uint32_t flags)
{
    struct signalfd *d = heap_zalloc(sizeof(*d));
    struct file *f = d ? file_new(&signalfd_ops, O_RDWR | flags, d) : NULL;
    if (f == NULL) {
        heap_free(d);
        return NULL;
    }
    d->owner = owner->pid;
    signalfd_set_mask(f, mask);
    return f;
}

sigset64 signalfd_mask(const struct file *f)
{
    const struct signalfd *d = f->data;
    return d->mask;
}

void signalfd_set_mask(struct file *f, sigset64 mask)
{
    struct signalfd *d = f->data;
    d->mask = mask & ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
}
