// SPDX-License-Identifier: MIT
// Native asynchronous I/O: io_setup(2) and its family. What is submitted is done there and then,
// and its result waits for io_getevents. IOCB_CMD_POLL, which alone could not, is EINVAL.
#include "kernel/thread.h"
#include "lib/string.h"
#include "ssi/linux/file.h"
#include "ssi/linux/memory.h"
#include "ssi/process/aio.h"
#include "ssi/stream/eventfd.h"

#define FLAG_EVENTFD 1u
#define MOVE_MAX     INT32_MAX
#define VECTORS_MAX  1024u
#define BATCH        16u
#define LEFT_BYTES   8u // of c->body: what an operation that was left has done

enum {
    AIO_PREAD = 0,
    AIO_PWRITE = 1,
    AIO_FSYNC = 2,
    AIO_FDSYNC = 3,
    AIO_PREADV = 7,
    AIO_PWRITEV = 8,
};

struct iocb { // little-endian
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t operation;
    int16_t priority;
    uint32_t fd;
    uint64_t at, bytes;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, eventfd;
} PACKED;
STATIC_ASSERT(sizeof(struct iocb) == 64, "iocb of the ABI");

// ---- contexts ----------------------------------------------------------------------------------
// The context is known by the address of a page that libraries look at for a ring of results in a
// form that they know. There is none: they ask the kernel.
long sys_io_setup(struct call *c)
{
    uint32_t id = 0, wanted = c->args[0];
    struct aio_context *a;
    int e = user_read(&id, c->args[1], sizeof(id));
    if (e < 0)
        return e;
    if (id || wanted == 0)
        return -EINVAL;
    if (wanted > AIO_RESULTS_MAX)
        return wanted > UINT32_MAX / 2 / sizeof(struct aio_result) ? -EINVAL : -EAGAIN;
    memory_settle();
    id = memory_within_limit(PAGE_SIZE) ? space_hole(space(), 0, PAGE_SIZE) : 0;
    if (id == 0 || memory_map_anonymous(id, PAGE_SIZE, PROT_R | PROT_W, 0) < 0)
        return -ENOMEM;
    e = aio_new(process_current(), id, wanted, &a);
    if (e == 0) {
        e = user_write(c->args[1], &id, sizeof(id));
        a = aio_find(process_current(), id);
        if (e < 0 && a)
            aio_remove(process_current(), a);
    }
    if (e < 0)
        (void)space_unmap(space(), id, PAGE_SIZE);
    return e;
}

long sys_io_destroy(struct call *c)
{
    memory_settle();
    struct aio_context *a = aio_find(process_current(), c->args[0]);
    if (a == NULL)
        return -EINVAL;
    aio_remove(process_current(), a);
    (void)space_unmap(space(), c->args[0], PAGE_SIZE);
    return 0;
}

// ---- operations --------------------------------------------------------------------------------
static bool reads(const struct iocb *b)
{
    return b->operation == AIO_PREAD || b->operation == AIO_PREADV;
}

static bool writes(const struct iocb *b)
{
    return b->operation == AIO_PWRITE || b->operation == AIO_PWRITEV;
}

// A vector is looked at when it is submitted.
static int check_vector(const struct iocb *b)
{
    uint32_t piece[2]; // address, bytes
    int e = b->bytes > VECTORS_MAX ? -EINVAL : 0;
    for (uint32_t k = 0; k < (uint32_t)b->bytes && e == 0; k++) {
        e = user_read(piece, (uint32_t)b->at + k * (uint32_t)sizeof(piece), sizeof(piece));
        if (e == 0 && (int32_t)piece[1] < 0)
            e = -EINVAL;
    }
    return e;
}

static int check_file(const struct iocb *b, const struct file *f)
{
    if (b->operation == AIO_FSYNC || b->operation == AIO_FDSYNC)
        return b->at || b->offset || b->bytes || b->rw_flags || !f->ops->sync ? -EINVAL : 0;
    if (!reads(b) && !writes(b))
        return -EINVAL;
    if (b->rw_flags)
        return -EOPNOTSUPP;
    if (reads(b) ? !file_reads(f) : !file_writes(f))
        return -EBADF;
    if (reads(b) ? !f->ops->read : !f->ops->write)
        return -EINVAL;
    if (b->offset < 0)
        return -EINVAL;
    return b->operation == AIO_PREADV || b->operation == AIO_PWRITEV ? check_vector(b) : 0;
}

static int check_eventfd(uint32_t fd)
{
    uint64_t nothing = 0;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    int e = eventfd_add(f, nothing);
    file_put(f);
    return e;
}

static int check(const struct iocb *b, bool *seeks)
{
    if (b->reserved || b->at > UINT32_MAX || b->bytes > MOVE_MAX)
        return -EINVAL;
    struct file *f = file_of(b->fd);
    if (f == NULL)
        return -EBADF;
    *seeks = f->ops->seek != NULL;
    int e = b->flags & FLAG_EVENTFD ? check_eventfd(b->eventfd) : 0;
    if (e == 0)
        e = check_file(b, f);
    file_put(f);
    return e;
}

// As the system call that does the same; `done` of it are done already. May sleep.
static long operate(const struct iocb *b, bool seeks, uint64_t *done)
{
    struct call sub = {.args = {b->fd, (uint32_t)b->at, (uint32_t)b->bytes, (uint32_t)b->offset,
                                (uint32_t)(b->offset >> 32)},
                       .done = *done};
    long r = -EINVAL;
    switch (b->operation) {
    case AIO_PREAD:
        r = seeks ? sys_pread64(&sub) : sys_read(&sub);
        break;
    case AIO_PWRITE:
        r = seeks ? sys_pwrite64(&sub) : sys_write(&sub);
        break;
    case AIO_PREADV:
        r = seeks ? sys_preadv(&sub) : sys_readv(&sub);
        break;
    case AIO_PWRITEV:
        r = seeks ? sys_pwritev(&sub) : sys_writev(&sub);
        break;
    case AIO_FSYNC:
    case AIO_FDSYNC:
        r = sys_fsync(&sub);
        break;
    }
    *done = sub.done;
    return r;
}

static void tell_eventfd(uint32_t fd)
{
    struct file *f = file_of(fd);
    if (f == NULL)
        return;
    (void)eventfd_add(f, 1);
    file_put(f);
}

// One operation: 0; -EINTR: it is to be gone on with; else it was not begun. May sleep.
static int submit_one(struct call *c, struct aio_context *a, uint32_t user)
{
    struct iocb b;
    uint64_t done;
    uint32_t key = 0;
    bool seeks = false;
    int e = user_read(&b, user, sizeof(b));
    if (e == 0)
        e = check(&b, &seeks);
    if (e == 0)
        e = user_write(user + (uint32_t)offsetof(struct iocb, key), &key, sizeof(key));
    if (e < 0 || (e = a->gone ? -EINVAL : aio_begin(a)) < 0)
        return e;
    memcpy(&done, c->body, LEFT_BYTES);
    long r = operate(&b, seeks, &done);
    bool left = r == -EINTR && !signal_pending(task_current());
    if (!left)
        done = 0;
    memcpy(c->body, &done, LEFT_BYTES);
    const struct aio_result result = {b.data, user, r, 0};
    aio_done(a, left ? NULL : &result);
    if (!left && b.flags & FLAG_EVENTFD)
        tell_eventfd(b.eventfd);
    return left ? -EINTR : 0;
}

// c->done: how many were submitted.
long sys_io_submit(struct call *c)
{
    int32_t count = (int32_t)c->args[1];
    struct aio_context *a = aio_find(process_current(), c->args[0]);
    if (count < 0 || a == NULL)
        return -EINVAL;
    int e = 0;
    a->users++;
    while (c->done < (uint32_t)MIN((uint32_t)count, a->limit) && e == 0) {
        uint32_t at;
        e = user_read(&at, c->args[2] + 4 * (uint32_t)c->done, sizeof(at));
        if (e == 0)
            e = submit_one(c, a, at);
        if (e == 0)
            c->done++;
        kernel_pause();
    }
    aio_put(a);
    return e == -EINTR ? e : c->done ? (long)c->done : e;
}

// Nothing is ever under way.
long sys_io_cancel(struct call *c)
{
    uint32_t key;
    int e = user_read(&key, c->args[1] + (uint32_t)offsetof(struct iocb, key), sizeof(key));
    return e < 0 ? e : -EINVAL;
}

// ---- results -----------------------------------------------------------------------------------
// Up to `max`, a few at a time; what cannot be written stays. May sleep.
static long results_out(struct aio_context *a, uint32_t to, uint32_t max)
{
    struct aio_result some[BATCH];
    uint32_t done = 0, n;
    int e = 0;
    a->taken = true;
    while (done < max && e == 0 && (n = aio_look(a, some, MIN(BATCH, max - done))) > 0) {
        e = user_write(to + done * (uint32_t)sizeof(some[0]), some, n * sizeof(some[0]));
        if (e < 0)
            break;
        aio_drop(a, n);
        done += n;
        kernel_pause();
    }
    a->taken = false;
    wait_wake_all(&a->news);
    return done ? (long)done : e;
}

static long get_results(struct call *c, bool wide)
{
    int32_t least = (int32_t)c->args[1], most = (int32_t)c->args[2];
    uint64_t ns = UINT64_MAX;
    int e = c->args[4] ? linux_timespec_in(c->args[4], wide, &ns) : 0;
    if (e == -EINVAL) { // nothing is said against such a time
        e = 0;
        ns = 0;
    }
    if (e < 0)
        return e;
    struct aio_context *a = aio_find(process_current(), c->args[0]);
    if (a == NULL || least < 0 || least > most)
        return -EINVAL;
    uint64_t deadline_ns = linux_deadline(c, ns);
    a->users++;
    while ((a->count < (uint32_t)least || a->taken) && !a->gone && e == 0 && ns > 0)
        e = wait_sleep(&a->news, linux_deadline_local(deadline_ns), WAIT_INTERRUPTIBLE);
    bool moves = e == -EINTR && !signal_pending(task_current());
    long n = moves ? -EINTR : a->taken ? 0 : results_out(a, c->args[3], (uint32_t)most);
    aio_put(a);
    return n == 0 && e == -EINTR ? -EINTR : n;
}

long sys_io_getevents(struct call *c)
{
    return get_results(c, false);
}

struct user_mask { // struct __aio_sigset
    uint32_t at, bytes;
} PACKED;

static long get_results_masked(struct call *c, bool wide)
{
    struct user_mask m = {0, 0};
    int e = c->args[5] ? user_read(&m, c->args[5], sizeof(m)) : 0;
    if (e == 0)
        e = linux_mask_for_call(m.at, m.bytes);
    return e < 0 ? e : get_results(c, wide);
}

long sys_io_pgetevents(struct call *c)
{
    return get_results_masked(c, false);
}

long sys_io_pgetevents_time64(struct call *c)
{
    return get_results_masked(c, true);
}
