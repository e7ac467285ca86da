// SPDX-License-Identifier: MIT
#include "ssi/stream/pipe.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/owner.h"
#include "ssi/stream/ioctls.h"

struct packet {    // of O_DIRECT (pipe(2)): read whole or cut, never with what follows
    uint64_t from; // as struct pipe's taken counts
    uint32_t bytes;
};

struct pipe {
    uint32_t users; // ends, and the inode of a FIFO
    uint32_t readers, writers;
    uint32_t read_opens, write_opens; // ever: what an opener of the other end waits for
    uint32_t size;                    // bytes it may hold: whole pages
    uint32_t tail, bytes;             // oldest byte, modulo size; how many there are
    uint64_t taken;                   // bytes ever taken out: where the oldest is
    struct packet *packets;           // a ring of one for each page; NULL before the first
    uint32_t packet_first, packet_count;
    uint32_t waste;  // a packet takes a page: what it leaves of it
    uint64_t number; // what fstat calls its inode
    struct wait_queue readable, writable;
    struct wait_queue both; // only watched: for an end that reads and writes
    struct list async;      // struct file_owner of both ends
    uint8_t **pages;        // each allocated when it is first written
};

NODE_VAR(uint64_t, pipe_numbers);

static struct pipe *pipe_make(void)
{
    struct pipe *p = heap_zalloc(sizeof(*p));
    if (p == NULL)
        return NULL;
    p->pages = heap_zalloc(PIPE_BYTES / PAGE_SIZE * sizeof(*p->pages));
    if (p->pages == NULL) {
        heap_free(p);
        return NULL;
    }
    p->size = PIPE_BYTES;
    p->users = 1;
    p->number = ++node(pipe_numbers);
    wait_init(&p->readable);
    wait_init(&p->writable);
    wait_init(&p->both);
    list_init(&p->async);
    return p;
}

static void pages_free(uint8_t **pages, uint32_t size)
{
    for (uint32_t k = 0; k < size / PAGE_SIZE; k++)
        heap_free(pages[k]);
    heap_free(pages);
}

static void pipe_put(struct pipe *p)
{
    ASSERT(p->users > 0);
    if (--p->users > 0)
        return;
    pages_free(p->pages, p->size);
    heap_free(p->packets);
    heap_free(p);
}

static uint32_t pipe_space(const struct pipe *p)
{
    return p->size - p->bytes - p->waste;
}

static bool end_reads(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool end_writes(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

// ---- packets -----------------------------------------------------------------------------------
static const struct packet *packet_next(const struct pipe *p)
{
    return p->packet_count > 0 ? &p->packets[p->packet_first] : NULL;
}

// The last `bytes` bytes are one. There is a place: each takes a page of the size.
static void packet_add(struct pipe *p, uint32_t bytes)
{
    uint32_t slots = p->size / PAGE_SIZE;
    ASSERT(p->packet_count < slots && bytes > 0 && bytes <= PAGE_SIZE);
    p->packets[(p->packet_first + p->packet_count) % slots] =
        (struct packet){.from = p->taken + p->bytes - bytes, .bytes = bytes};
    p->packet_count++;
    p->waste += PAGE_SIZE - bytes;
}

static void pipe_forget(struct pipe *p, uint32_t bytes)
{
    p->tail = (p->tail + bytes) % p->size;
    p->bytes -= bytes;
    p->taken += bytes;
}

static void packet_drop(struct pipe *p)
{
    uint32_t bytes = packet_next(p)->bytes;
    pipe_forget(p, bytes);
    p->waste -= PAGE_SIZE - bytes;
    p->packet_first = (p->packet_first + 1) % (p->size / PAGE_SIZE);
    p->packet_count--;
}

// ---- reading -----------------------------------------------------------------------------------
// Up to `most` bytes of the oldest into the transfer, which stay in the pipe: how many.
static uint32_t pipe_copy(const struct pipe *p, struct xfer *x, uint32_t most)
{
    uint32_t done = 0;
    while (done < most && x->left > 0) {
        uint32_t at = (p->tail + done) % p->size;
        size_t n = MIN(MIN(PAGE_SIZE - at % PAGE_SIZE, most - done), x->left);
        size_t put = xfer_put(x, p->pages[at / PAGE_SIZE] + at % PAGE_SIZE, n);
        done += (uint32_t)put;
        if (put < n)
            break;
    }
    return done;
}

// A packet ends a read; it stays when it does not come into the user's memory whole.
static void pipe_drain(struct pipe *p, struct xfer *x)
{
    const struct packet *next = packet_next(p);
    uint32_t stream = next ? (uint32_t)(next->from - p->taken) : p->bytes;
    pipe_forget(p, pipe_copy(p, x, stream));
    if (next == NULL || next->from != p->taken || x->left == 0)
        return;
    struct xfer start = *x;
    uint32_t wanted = (uint32_t)MIN(x->left, next->bytes);
    if (pipe_copy(p, x, wanted) == wanted) {
        packet_drop(p);
        return;
    }
    xfer_undo(x, &start);
}

// Without a copy: the oldest are gone. What is left of a packet stays one.
static void pipe_skip(struct pipe *p, uint32_t bytes)
{
    bytes = MIN(bytes, p->bytes);
    while (bytes > 0) {
        struct packet *next = p->packet_count > 0 ? &p->packets[p->packet_first] : NULL;
        uint32_t stream = next ? (uint32_t)(next->from - p->taken) : p->bytes;
        if (stream == 0 && bytes >= next->bytes) {
            bytes -= next->bytes;
            packet_drop(p);
            continue;
        }
        uint32_t n = MIN(bytes, stream ? stream : next->bytes);
        pipe_forget(p, n);
        bytes -= n;
        if (stream == 0) {
            next->from += n;
            next->bytes -= n;
            p->waste += n;
        }
    }
}

// Writers are woken once a small write fits, not for each few bytes.
static void pipe_has_room(struct pipe *p, bool was_tight)
{
    if (was_tight && pipe_space(p) >= PIPE_ATOMIC) {
        wait_wake_all(&p->writable);
        wait_tell(&p->both);
    }
}

// 0: there are some. 1: there will be none.
static int pipe_wait_bytes(struct file *f)
{
    struct pipe *p = f->data;
    while (p->bytes == 0) {
        if (p->writers == 0)
            return 1;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&p->readable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    return 0;
}

static int pipe_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pipe *p = f->data;
    (void)at;
    if (x->left == 0)
        return 0;
    for (;;) {
        int e = pipe_wait_bytes(f);
        if (e != 0)
            return MIN(e, 0);
        bool tight = pipe_space(p) < PIPE_ATOMIC;
        size_t before = x->done;
        pipe_drain(p, x);
        pipe_has_room(p, tight);
        const struct packet *next = packet_next(p);
        if (!x->short_copy || x->done > before || next == NULL)
            break;
        if ((e = xfer_fault_in(x, true)) < 0)
            return e;
    }
    file_news(&p->async, NEWS_OUT);
    return 0;
}

// ---- writing -----------------------------------------------------------------------------------
// Where the next bytes go: *n of them fit side by side. NULL: no memory.
static uint8_t *pipe_room(struct pipe *p, size_t *n)
{
    uint32_t at = (p->tail + p->bytes) % p->size;
    uint8_t **page = &p->pages[at / PAGE_SIZE];
    if (*page == NULL && (*page = heap_alloc(PAGE_SIZE)) == NULL)
        return NULL;
    *n = MIN(PAGE_SIZE - at % PAGE_SIZE, pipe_space(p));
    return *page + at % PAGE_SIZE;
}

static int pipe_fill(struct pipe *p, struct xfer *x)
{
    size_t before = x->done;
    while (pipe_space(p) > 0 && x->left > 0) {
        size_t n;
        uint8_t *to = pipe_room(p, &n);
        if (to == NULL)
            return x->done > before ? 0 : -ENOMEM;
        n = MIN(n, x->left);
        size_t got = xfer_take(x, to, n);
        p->bytes += (uint32_t)got;
        if (got < n)
            break;
    }
    return 0;
}

// A small write all at once: what a short copy had put in is taken back.
static int pipe_fill_whole(struct pipe *p, struct xfer *x)
{
    struct xfer start = *x;
    uint32_t bytes = p->bytes;
    int e = pipe_fill(p, x);
    if (e == 0 && x->left == 0)
        return 0;
    p->bytes = bytes;
    if (!x->short_copy) {
        *x = start;
        return -ENOMEM;
    }
    xfer_undo(x, &start);
    return 0;
}

static int pipe_wait_room(struct file *f, size_t want)
{
    struct pipe *p = f->data;
    for (;;) {
        if (p->readers == 0)
            return -EPIPE;
        if (pipe_space(p) >= want)
            return 0; // a sleeper below is woken when PIPE_ATOMIC bytes fit
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&p->writable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
}

// The bytes are gathered first: user pages that have to be faulted in must not tear the write.
static int pipe_write_gathered(struct file *f, struct xfer *x, size_t room)
{
    struct xfer start = *x, gathered;
    size_t n = x->left;
    char *bytes = heap_alloc(n);
    if (bytes == NULL)
        return -ENOMEM;
    int e = xfer_take_all(x, bytes, n);
    if (e == 0)
        e = pipe_wait_room(f, room);
    if (e == 0) {
        xfer_kernel(&gathered, bytes, n);
        e = pipe_fill_whole(f->data, &gathered);
    }
    heap_free(bytes);
    if (e < 0)
        *x = start;
    return e;
}

// The next packet of a write: all of it, or nothing.
static int pipe_write_packet(struct file *f, struct xfer *x)
{
    struct pipe *p = f->data;
    if (p->packets == NULL)
        p->packets = heap_zalloc(p->size / PAGE_SIZE * sizeof(*p->packets));
    if (p->packets == NULL)
        return -ENOMEM;
    size_t n = MIN(x->left, (size_t)PAGE_SIZE), later = x->left - n;
    int e = pipe_wait_room(f, PAGE_SIZE);
    if (e < 0)
        return e;
    x->left = n;
    e = pipe_fill_whole(p, x);
    if (e == 0 && x->left > 0)
        e = pipe_write_gathered(f, x, PAGE_SIZE);
    if (e == 0)
        packet_add(p, (uint32_t)n);
    x->left += later;
    return e;
}

static int pipe_write_bytes(struct file *f, struct xfer *x)
{
    // The rest of a large write may be torn, a write that began small may not.
    bool whole = x->left <= PIPE_ATOMIC && x->done == 0;
    int e = pipe_wait_room(f, whole ? x->left : 1);
    if (e < 0 || !whole)
        return e < 0 ? e : pipe_fill(f->data, x);
    e = pipe_fill_whole(f->data, x);
    return e == 0 && x->left > 0 ? pipe_write_gathered(f, x, x->left) : e;
}

static int pipe_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pipe *p = f->data;
    size_t before = x->done;
    (void)at;
    if (x->left == 0)
        return 0;
    int e = f->flags & O_DIRECT ? pipe_write_packet(f, x) : pipe_write_bytes(f, x);
    bool some = x->done > before;
    if (!some)
        return e;
    if (p->bytes <= x->done - before) // there were none, or it slept and they were read
        wait_wake_all(&p->readable);
    else
        wait_tell(&p->readable);
    wait_tell(&p->both);
    file_news(&p->async, NEWS_IN);
    return e;
}

// ---- the rest ----------------------------------------------------------------------------------
static unsigned pipe_poll(struct file *f)
{
    const struct pipe *p = f->data;
    unsigned now = 0;
    if (end_reads(f)) {
        now |= p->bytes > 0 ? POLL_IN : 0;
        now |= p->writers == 0 && p->write_opens > 0 ? POLL_HUP : 0;
    }
    if (end_writes(f)) {
        now |= pipe_space(p) >= PIPE_ATOMIC ? POLL_OUT : 0;
        now |= p->readers == 0 ? POLL_ERR : 0;
    }
    return now;
}

static struct wait_queue *pipe_poll_queue(struct file *f)
{
    struct pipe *p = f->data;
    return !end_writes(f) ? &p->readable : end_reads(f) ? &p->both : &p->writable;
}

static struct list *pipe_async(struct file *f)
{
    struct pipe *p = f->data;
    return &p->async;
}

static int pipe_stat(struct file *f, struct fs_stat *st)
{
    const struct pipe *p = f->data;
    int64_t now = (int64_t)cluster_real_ns();
    *st = (struct fs_stat){
        .dev = 9,
        .inode = p->number,
        .mode = S_IFIFO | 0600,
        .links = 1,
        .atime_ns = now,
        .mtime_ns = now,
        .ctime_ns = now,
    };
    return 0;
}

// f->offset of a FIFO's end: how often the other end had been opened when this one was.
static int fifo_wait(struct file *f)
{
    struct pipe *p = f->data;
    bool reads = end_reads(f);
    if (reads && end_writes(f))
        return 0;
    while (reads ? p->writers == 0 && p->write_opens == f->offset
                 : p->readers == 0 && p->read_opens == f->offset) {
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(reads ? &p->readable : &p->writable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    return 0;
}

// Bytes behind the first `skip`, which stay.
static size_t pipe_peek(const struct pipe *p, uint32_t skip, uint8_t *to, size_t size)
{
    size_t done = 0, n = MIN(size, p->bytes - skip);
    while (done < n) {
        uint32_t at = (p->tail + skip + (uint32_t)done) % p->size;
        size_t step = MIN(PAGE_SIZE - at % PAGE_SIZE, n - done);
        memcpy(to + done, p->pages[at / PAGE_SIZE] + at % PAGE_SIZE, step);
        done += step;
    }
    return done;
}

// The pipe's bytes from the start of as many pages as `size` has. NULL: no memory.
static uint8_t **pages_copied(const struct pipe *p, uint32_t size)
{
    uint8_t **pages = heap_zalloc(size / PAGE_SIZE * sizeof(*pages));
    for (uint32_t done = 0; pages && done < p->bytes; done += PAGE_SIZE) {
        uint8_t *page = heap_alloc(PAGE_SIZE);
        if (page == NULL) {
            pages_free(pages, size);
            return NULL;
        }
        pipe_peek(p, done, page, PAGE_SIZE);
        pages[done / PAGE_SIZE] = page;
    }
    return pages;
}

static int packets_resize(struct pipe *p, uint32_t size)
{
    if (p->packets == NULL)
        return 0;
    struct packet *all = heap_zalloc(size / PAGE_SIZE * sizeof(*all));
    if (all == NULL)
        return -ENOMEM;
    for (uint32_t k = 0; k < p->packet_count; k++)
        all[k] = p->packets[(p->packet_first + k) % (p->size / PAGE_SIZE)];
    heap_free(p->packets);
    p->packets = all;
    p->packet_first = 0;
    return 0;
}

// F_SETPIPE_SZ (fcntl(2)): as many pages, a power of two, as hold so many bytes.
static long pipe_resize(struct pipe *p, uint32_t bytes)
{
    uint32_t size = PAGE_SIZE;
    while (size < bytes && size < PIPE_BYTES_MAX)
        size *= 2;
    if (bytes > 1u << 31)
        return -EINVAL;
    if (bytes > size)
        return -EPERM;
    if (p->bytes + p->waste > size)
        return -EBUSY;
    uint8_t **pages = pages_copied(p, size);
    if (pages == NULL)
        return -ENOMEM;
    if (packets_resize(p, size) < 0) {
        pages_free(pages, size);
        return -ENOMEM;
    }
    pages_free(p->pages, p->size);
    p->pages = pages;
    p->size = size;
    p->tail = 0;
    wait_wake_all(&p->writable);
    wait_tell(&p->both);
    return (long)size;
}

static long pipe_splice(struct file *f, uint32_t request, void *data, size_t in_bytes,
                        size_t out_size)
{
    struct pipe *p = f->data;
    bool tight = pipe_space(p) < PIPE_ATOMIC;
    uint32_t bytes = 0;
    if (in_bytes == sizeof(bytes))
        memcpy(&bytes, data, sizeof(bytes));
    switch (request) {
    case FIFO_PEEK:
        if (bytes < p->bytes)
            return (long)pipe_peek(p, bytes, data, out_size);
        return p->writers == 0 ? -ENODATA : 0;
    case FIFO_SKIP:
        pipe_skip(p, bytes);
        pipe_has_room(p, tight);
        file_news(&p->async, NEWS_OUT);
        return 0;
    case FIFO_ROOM:
        if (p->readers == 0)
            return -EPIPE;
        return (long)(f->flags & O_DIRECT ? ALIGN_DOWN(pipe_space(p), PAGE_SIZE) : pipe_space(p));
    }
    return -ENOTTY;
}

static long pipe_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                       size_t out_size)
{
    struct pipe *p = f->data;
    uint32_t bytes;
    if (request == FIFO_WAIT)
        return fifo_wait(f);
    if (request == PIPE_SIZE_GET)
        return (long)p->size;
    if (request == PIPE_SIZE_SET && in_bytes == sizeof(bytes)) {
        memcpy(&bytes, data, sizeof(bytes));
        return pipe_resize(p, bytes);
    }
    if (request != FIONREAD || out_size < sizeof(p->bytes))
        return pipe_splice(f, request, data, in_bytes, out_size);
    memcpy(data, &p->bytes, sizeof(p->bytes));
    return 0;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->data;
    p->readers -= end_reads(f);
    p->writers -= end_writes(f);
    if (p->readers == 0 && p->writers == 0) // a FIFO begins empty when it is opened again
        p->bytes = p->packet_count = p->waste = 0;
    wait_wake_all(&p->readable);
    wait_wake_all(&p->writable);
    wait_tell(&p->both);
    if ((p->readers == 0) != (p->writers == 0)) {
        file_news(&p->async, NEWS_IN);
        file_news(&p->async, NEWS_OUT);
    }
    pipe_put(p);
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .poll_queue = pipe_poll_queue,
    .stat = pipe_stat,
    .async = pipe_async,
    .release = pipe_release,
};

static struct file *pipe_end(struct pipe *p, uint32_t flags)
{
    struct file *f = file_new(&pipe_ops, flags, p);
    if (f == NULL)
        return NULL;
    p->users++;
    p->readers += end_reads(f);
    p->writers += end_writes(f);
    p->read_opens += end_reads(f);
    p->write_opens += end_writes(f);
    f->offset = end_reads(f) ? p->write_opens : p->read_opens;
    wait_wake_all(&p->readable);
    wait_wake_all(&p->writable);
    wait_tell(&p->both);
    return f;
}

int pipe_new(uint32_t flags, struct file **read_end, struct file **write_end)
{
    struct pipe *p = pipe_make();
    if (p == NULL)
        return -ENOMEM;
    *read_end = pipe_end(p, (flags & O_NONBLOCK) | O_RDONLY);
    *write_end = *read_end ? pipe_end(p, (flags & (O_NONBLOCK | O_DIRECT)) | O_WRONLY) : NULL;
    pipe_put(p);
    if (*write_end)
        return 0;
    if (*read_end)
        file_put(*read_end);
    return -ENOMEM;
}

int fifo_open(void **fifo, uint32_t flags, struct file **f)
{
    if (flags & O_DIRECT) // packets of a FIFO are asked for by F_SETFL
        return -EINVAL;
    if ((flags & O_ACCMODE) == O_ACCMODE)
        return -EINVAL;
    if (*fifo == NULL)
        *fifo = pipe_make();
    struct pipe *p = *fifo;
    if (p == NULL)
        return -ENOMEM;
    if ((flags & O_ACCMODE) == O_WRONLY && (flags & O_NONBLOCK) && p->readers == 0)
        return -ENXIO;
    *f = pipe_end(p, flags);
    return *f ? 0 : -ENOMEM;
}

void fifo_free(void *fifo)
{
    pipe_put(fifo);
}
