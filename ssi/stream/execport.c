// SPDX-License-Identifier: MIT
// Host to node: 'C' {u32 seq, command text}, 'P' {u32 seq, file bytes}, 'S' {u32 seq} a barrier.
// Node to host: 'O' {u32 seq, output}, 'A' {u32 seq}: that frame is complete, all output before it
// was sent. A frame of another type or size is skipped and counted; its length is believed up to
// FRAME_BYTES_MAX, beyond that the port waits for a known type again. Frames to the host are queued
// whole; a program waits for room for its output.
#include "ssi/stream/execport.h"
#include "kernel/console.h"
#include "kernel/init.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/radix.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"

#define HEADER_BYTES      5u
#define SEQ_BYTES         4u
#define COMMAND_BYTES_MAX (256u << 10) // 64 KiB of words, quoted
#define PUT_BYTES_MAX     (64u << 20)
#define FRAME_BYTES_MAX   (PUT_BYTES_MAX + SEQ_BYTES)
#define OUTPUT_BYTES_MAX  512u // of a frame

struct blob { // payload of one frame, in pages
    uint32_t users;
    uint32_t seq;
    uint32_t bytes;
    struct radix pages;
};

struct receiver {
    uint8_t head[HEADER_BYTES + SEQ_BYTES];
    uint32_t head_bytes;
    uint32_t left;        // of the payload
    bool skipping;        // a frame that is not wanted
    struct blob *filling; // NULL: between frames, or skipping
};

NODE_VAR(struct receiver, receiver);
NODE_VAR(struct blob *, command);
NODE_VAR(struct blob *, put_file);
NODE_VAR(uint32_t, dropped);
NODE_VAR(struct wait_queue, output); // there is room for a frame

static struct blob *blob_new(uint32_t seq)
{
    struct blob *b = heap_zalloc(sizeof(*b));
    if (b == NULL)
        return NULL;
    b->users = 1;
    b->seq = seq;
    radix_init(&b->pages, &heap_radix_memory);
    return b;
}

static void blob_put(struct blob *b)
{
    uint32_t index;
    void *page;
    if (b == NULL || --b->users > 0)
        return;
    radix_for_each (&b->pages, index, page)
        heap_free(radix_remove(&b->pages, index));
    heap_free(b);
}

static bool blob_add(struct blob *b, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        uint32_t in_page = b->bytes % PAGE_SIZE, index = b->bytes / PAGE_SIZE;
        uint8_t *page = radix_get(&b->pages, index);
        if (page == NULL) {
            page = heap_alloc(PAGE_SIZE);
            if (page == NULL)
                return false;
            if (!radix_set(&b->pages, index, page)) {
                heap_free(page);
                return false;
            }
        }
        size_t part = MIN(n, PAGE_SIZE - in_page);
        memcpy(page + in_page, bytes, part);
        b->bytes += (uint32_t)part;
        bytes += part;
        n -= part;
    }
    return true;
}

// ---- receiving ---------------------------------------------------------------------------------
static void frame_drop(void)
{
    node(dropped)++;
    cluster_count_add("exec port: frame dropped", 1);
}

static uint32_t le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

// The five bytes of a header are there. False: it is none, look for one from the next byte on.
static bool header_seen(struct receiver *r)
{
    uint32_t bytes = le32(r->head + 1);
    uint32_t max = r->head[0] == 'C' ? COMMAND_BYTES_MAX : r->head[0] == 'P' ? PUT_BYTES_MAX : 0;
    if (strchr("CPS", r->head[0]) == NULL || r->head[0] == '\0' || bytes > FRAME_BYTES_MAX)
        return false;
    r->left = bytes;
    r->skipping = bytes < SEQ_BYTES || bytes > max + SEQ_BYTES;
    if (r->skipping)
        frame_drop();
    return true;
}

static void frame_send(uint8_t type, uint32_t seq, const uint8_t *bytes, size_t n)
{
    uint8_t head[HEADER_BYTES + SEQ_BYTES];
    uint32_t length = (uint32_t)n + SEQ_BYTES;
    head[0] = type;
    for (unsigned k = 0; k < 4; k++) {
        head[1 + k] = (uint8_t)(length >> 8 * k);
        head[HEADER_BYTES + k] = (uint8_t)(seq >> 8 * k);
    }
    port2_write(head, sizeof(head));
    port2_write(bytes, n);
}

static void frame_done(struct receiver *r)
{
    struct blob **slot = r->head[0] == 'C' ? &node(command) : &node(put_file);
    bool barrier = r->head[0] == 'S' && !r->skipping;
    if (r->filling) {
        blob_put(*slot);
        *slot = r->filling;
    }
    if (r->filling || barrier)
        frame_send('A', le32(r->head + HEADER_BYTES), NULL, 0);
    *r = (struct receiver){0};
}

static void seq_seen(struct receiver *r)
{
    r->left -= SEQ_BYTES;
    if (r->head[0] == 'S')
        return;
    r->filling = blob_new(le32(r->head + HEADER_BYTES));
    if (r->filling == NULL) {
        r->skipping = true;
        frame_drop();
    }
}

// One byte of a header or of the sequence number.
static void head_byte(struct receiver *r, uint8_t byte)
{
    r->head[r->head_bytes++] = byte;
    if (r->head_bytes == HEADER_BYTES && !header_seen(r)) {
        frame_drop();
        memmove(r->head, r->head + 1, HEADER_BYTES - 1);
        r->head_bytes = HEADER_BYTES - 1;
    }
    if (r->head_bytes == HEADER_BYTES + SEQ_BYTES)
        seq_seen(r);
}

static size_t payload_bytes(struct receiver *r, const uint8_t *bytes, size_t n)
{
    n = MIN(n, (size_t)r->left);
    if (r->filling && !blob_add(r->filling, bytes, n)) {
        blob_put(r->filling);
        r->filling = NULL;
        frame_drop();
    }
    r->left -= (uint32_t)n;
    return n;
}

void exec_input(const uint8_t *bytes, size_t n)
{
    struct receiver *r = &node(receiver);
    while (n > 0) {
        size_t used = 1;
        bool in_head = r->head_bytes < HEADER_BYTES ||
                       (!r->skipping && r->head_bytes < HEADER_BYTES + SEQ_BYTES);
        if (in_head)
            head_byte(r, *bytes);
        else
            used = payload_bytes(r, bytes, n);
        bytes += used;
        n -= used;
        bool whole =
            r->skipping ? r->head_bytes >= HEADER_BYTES : r->head_bytes == HEADER_BYTES + SEQ_BYTES;
        if (whole && r->left == 0)
            frame_done(r);
    }
}

uint32_t exec_dropped(void)
{
    return node(dropped);
}

// ---- files -------------------------------------------------------------------------------------
static int blob_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    const struct blob *b = f->data;
    uint64_t offset = at ? *at : f->offset;
    while (b && offset < b->bytes && x->left > 0) {
        uint32_t in_page = (uint32_t)offset % PAGE_SIZE;
        size_t n = MIN(MIN(b->bytes - (uint32_t)offset, PAGE_SIZE - in_page), x->left);
        const uint8_t *page = radix_get(&b->pages, (uint32_t)offset / PAGE_SIZE);
        size_t put = xfer_put(x, page + in_page, n);
        offset += put;
        if (put < n)
            break;
    }
    if (at == NULL)
        f->offset = offset;
    return 0;
}

static int64_t blob_seek(struct file *f, int64_t offset, int whence)
{
    const struct blob *b = f->data;
    return file_seek_in(f, b ? b->bytes : 0, offset, whence);
}

static bool output_room(void)
{
    return port2_room() >= HEADER_BYTES + SEQ_BYTES + OUTPUT_BYTES_MAX;
}

static void output_goes_on(void)
{
    wait_wake_all(&node(output));
}

static int output_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    const struct blob *b = f->data;
    uint8_t bytes[OUTPUT_BYTES_MAX];
    size_t before = x->done;
    (void)at;
    while (x->left > 0) {
        while (!output_room()) {
            int e = f->flags & O_NONBLOCK
                        ? -EAGAIN
                        : wait_sleep(&node(output), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            if (e < 0)
                return x->done > before ? 0 : e;
        }
        size_t n = xfer_take(x, bytes, MIN(x->left, sizeof(bytes)));
        if (n == 0)
            break;
        frame_send('O', b ? b->seq : 0, bytes, n);
    }
    return 0;
}

static unsigned exec_poll(struct file *f)
{
    (void)f;
    return POLL_IN | (output_room() ? POLL_OUT : 0);
}

static struct wait_queue *exec_poll_queue(struct file *f)
{
    (void)f;
    return &node(output);
}

static int exec_stat(struct file *f, struct fs_stat *st)
{
    (void)f;
    *st = (struct fs_stat){.dev = 3, .inode = 2, .mode = S_IFCHR | 0600, .links = 1};
    return 0;
}

static void exec_release(struct file *f)
{
    blob_put(f->data);
}

static const struct file_ops text_ops = {
    .name = "exec",
    .read = blob_read,
    .seek = blob_seek,
    .poll = exec_poll,
    .poll_queue = exec_poll_queue,
    .stat = exec_stat,
    .release = exec_release,
};

static const struct file_ops output_ops = {
    .name = "exec",
    .read = blob_read,
    .write = output_write,
    .poll = exec_poll,
    .poll_queue = exec_poll_queue,
    .stat = exec_stat,
    .release = exec_release,
};

static int blob_open(struct blob *b, const struct file_ops *ops, uint32_t flags, struct file **f)
{
    if (!port2_present())
        return -ENXIO;
    *f = file_new(ops, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), b);
    if (*f == NULL)
        return -ENOMEM;
    if (b)
        b->users++;
    return 0;
}

int exec_open(uint32_t flags, struct file **f)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY;
    return blob_open(node(command), writes ? &output_ops : &text_ops, flags, f);
}

int exec_data_open(uint32_t flags, struct file **f)
{
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return blob_open(node(put_file), &text_ops, flags, f);
}

static const struct console_client client = {.input = exec_input, .room = output_goes_on};

static void exec_start(void)
{
    wait_init(&node(output));
    port2_listen(&client);
}
INIT_STEP(INIT_FILES, exec_start);
