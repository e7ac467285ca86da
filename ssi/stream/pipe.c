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

struct pipe {
    uint32_t users; // ends, and the inode of a FIFO
    uint32_t readers, writers;
    uint32_t read_opens, write_opens; // ever: what an opener of the other end waits for
    uint32_t size;                    // bytes it may hold: whole pages
    uint32_t tail, bytes;             // oldest byte, modulo size; how many there are
    uint64_t number;                  // what fstat calls its inode
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
    heap_free(p);
}

static bool end_reads(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_WRONLY;
}

static bool end_writes(const struct file *f)
{
    return (f->flags & O_ACCMODE) != O_RDONLY;
}

// ---- reading -----------------------------------------------------------------------------------
static void pipe_drain(struct pipe *p, struct xfer *x)
{
    while (p->bytes > 0 && x->left > 0) {
        uint32_t in_page = p->tail % PAGE_SIZE;
        size_t n = MIN(MIN(PAGE_SIZE - in_page, p->bytes), x->left);
        size_t put = xfer_put(x, p->pages[p->tail / PAGE_SIZE] + in_page, n);
        p->tail = (uint32_t)(p->tail + put) % p->size;
        p->bytes -= (uint32_t)put;
        if (put < n)
            break;
    }
}

static int pipe_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pipe *p = f->data;
    (void)at;
    if (x->left == 0)
        return 0;
    while (p->bytes == 0) {
        if (p->writers == 0)
            return 0;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&p->readable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    // Writers are woken once a small write fits, not for each few bytes.
    bool tight = p->size - p->bytes < PIPE_ATOMIC;
    pipe_drain(p, x);
    if (tight && p->size - p->bytes >= PIPE_ATOMIC) {
        wait_wake_all(&p->writable);
        wait_tell(&p->both);
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
    *n = MIN(PAGE_SIZE - at % PAGE_SIZE, p->size - p->bytes);
    return *page + at % PAGE_SIZE;
}

static int pipe_fill(struct pipe *p, struct xfer *x)
{
    size_t before = x->done;
    while (p->bytes < p->size && x->left > 0) {
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
    bool short_copy = x->short_copy;
    *x = start;
    x->short_copy = short_copy;
    p->bytes = bytes;
    return short_copy ? 0 : -ENOMEM;
}

static int pipe_wait_room(struct file *f, size_t want)
{
    struct pipe *p = f->data;
    for (;;) {
        if (p->readers == 0)
            return -EPIPE;
        if (p->size - p->bytes >= want)
            return 0; // a sleeper below is woken when PIPE_ATOMIC bytes fit
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&p->writable, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
}

// The bytes are gathered first: user pages that have to be faulted in must not tear the write.
static int pipe_write_gathered(struct file *f, struct xfer *x)
{
    struct xfer start = *x, gathered;
    size_t n = x->left;
    char *bytes = heap_alloc(n);
    if (bytes == NULL)
        return -ENOMEM;
    int e = xfer_take_all(x, bytes, n);
    if (e == 0)
        e = pipe_wait_room(f, n);
    if (e == 0) {
        xfer_kernel(&gathered, bytes, n);
        e = pipe_fill_whole(f->data, &gathered);
    }
    heap_free(bytes);
    if (e < 0)
        *x = start;
    return e;
}

static int pipe_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pipe *p = f->data;
    // The rest of a large write may be torn, a write that began small may not.
    bool whole = x->left <= PIPE_ATOMIC && x->done == 0;
    (void)at;
    if (x->left == 0)
        return 0;
    int e = pipe_wait_room(f, whole ? x->left : 1);
    if (e < 0)
        return e;
    bool empty = p->bytes == 0;
    size_t before = x->done;
    e = whole ? pipe_fill_whole(p, x) : pipe_fill(p, x);
    if (e == 0 && whole && x->left > 0) {
        e = pipe_write_gathered(f, x);
        empty = true; // it may have slept: wake to be sure
    }
    if (empty)
        wait_wake_all(&p->readable);
    else
        wait_tell(&p->readable);
    wait_tell(&p->both);
    if (x->done > before)
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
        now |= p->size - p->bytes >= PIPE_ATOMIC ? POLL_OUT : 0;
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
    if (p->bytes > size)
        return -EBUSY;
    uint8_t **pages = heap_zalloc(size / PAGE_SIZE * sizeof(*pages));
    if (pages == NULL)
        return -ENOMEM;
    for (uint32_t done = 0; done < p->bytes; done += PAGE_SIZE) {
        uint8_t *page = heap_alloc(PAGE_SIZE);
        if (page == NULL) {
            pages_free(pages, size);
            return -ENOMEM;
        }
        pipe_peek(p, done, page, PAGE_SIZE);
        pages[done / PAGE_SIZE] = page;
    }
    pages_free(p->pages, p->size);
    p->pages = pages;
    p->size = size;
    p->tail = 0;
    wait_wake_all(&p->writable);
    wait_tell(&p->both);
    return (long)size;
}

static long pipe_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                       size_t out_size)
{
    struct pipe *p = f->data;
    uint32_t bytes;
    if (request == FIFO_WAIT)
        return fifo_wait(f);
    if (request == FIFO_PEEK)
        return (long)pipe_peek(p, 0, data, out_size);
    if (request == PIPE_SIZE_GET)
        return (long)p->size;
    if (request == PIPE_SIZE_SET && in_bytes == sizeof(bytes)) {
        memcpy(&bytes, data, sizeof(bytes));
        return pipe_resize(p, bytes);
    }
    if (request != FIONREAD || out_size < sizeof(p->bytes))
        return -ENOTTY;
    memcpy(data, &p->bytes, sizeof(p->bytes));
    return 0;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->data;
    p->readers -= end_reads(f);
    p->writers -= end_writes(f);
    if (p->readers == 0 && p->writers == 0)
        p->bytes = 0; // a FIFO begins empty when it is opened again
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
    *write_end = *read_end ? pipe_end(p, (flags & O_NONBLOCK) | O_WRONLY) : NULL;
    pipe_put(p);
    if (*write_end)
        return 0;
    if (*read_end)
        file_put(*read_end);
    return -ENOMEM;
}

int fifo_open(void **fifo, uint32_t flags, struct file **f)
{
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
