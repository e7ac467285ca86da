// SPDX-License-Identifier: MIT
#include "ssi/stream/pty.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/owner.h"
#include "ssi/stream/tty_priv.h"

#define RING_BYTES (16u << 10) // of output that the master has not read
#define ECHO_BYTES 1024u       // of it kept for echo, which cannot wait
#define TTY_GROUP  5u

enum { // of packet mode (ioctl_tty(2)): what the first byte of a master's read says
    PACKET_DATA = 0,
    PACKET_FLUSH_READ = 1,
    PACKET_FLUSH_WRITE = 2,
    PACKET_STOP = 4,
    PACKET_START = 8,
    PACKET_NO_STOP = 16,
    PACKET_DO_STOP = 32,
};

struct pty {
    struct tty tty; // the slave
    uint32_t number;
    bool master_open, locked, packets;
    bool was_open; // a slave was
    uint32_t slaves;
    uint8_t told; // PACKET_* that the master has not read
    uint32_t uid, gid, mode;
    uint32_t tail, bytes; // of the ring: oldest byte, how many
    struct wait_queue master;
    struct list async; // struct file_owner of the master's file
    uint8_t ring[RING_BYTES];
};

NODE_VAR(struct pty *, ptys[PTYS_PER_NODE]);

static struct pty *pty_of(struct tty *t)
{
    return container_of(t, struct pty, tty);
}

static struct pty *pty_find(uint32_t number)
{
    struct pty *p = node(ptys)[number % PTYS_PER_NODE];
    return p && p->number == number ? p : NULL;
}

struct tty *pty_slave(uint32_t number)
{
    struct pty *p = pty_find(number);
    return p && p->master_open ? &p->tty : NULL;
}

bool pty_facts(uint32_t number, struct pty_facts *facts)
{
    const struct pty *p = pty_find(number);
    if (p == NULL || !p->master_open)
        return false;
    *facts = (struct pty_facts){p->uid, p->gid, p->mode};
    return true;
}

uint32_t pty_next(int64_t after)
{
    int64_t first = (int64_t)cluster_self() * PTYS_PER_NODE;
    for (int64_t n = MAX(after + 1, first); n < first + PTYS_PER_NODE; n++)
        if (pty_slave((uint32_t)n))
            return (uint32_t)n;
    return UINT32_MAX;
}

static void pty_free_unused(struct pty *p)
{
    if (p->master_open || p->slaves > 0)
        return;
    node(ptys)[p->number % PTYS_PER_NODE] = NULL;
    wait_end(&p->tty.input);
    heap_free(p);
}

// ---- the device behind the slave ---------------------------------------------------------------
static void device_output(struct tty *t, const char *bytes, size_t n)
{
    struct pty *p = pty_of(t);
    n = MIN(n, RING_BYTES - p->bytes); // only echo comes when it is full
    for (size_t k = 0; k < n; k++)
        p->ring[(p->tail + p->bytes++) % RING_BYTES] = (uint8_t)bytes[k];
    wait_wake_all(&p->master);
    if (n > 0)
        file_news(&p->async, NEWS_IN);
}

static size_t device_room(struct tty *t)
{
    const struct pty *p = pty_of(t);
    return p->bytes < RING_BYTES - ECHO_BYTES ? RING_BYTES - ECHO_BYTES - p->bytes : 0;
}

static void device_taken(struct tty *t)
{
    wait_wake_all(&pty_of(t)->master);
}

static void packet_told(struct pty *p, uint8_t set, uint8_t clear)
{
    if (!p->packets)
        return;
    p->told = (uint8_t)((p->told & ~clear) | set);
    wait_wake_all(&p->master);
}

static void device_flushed(struct tty *t, bool input, bool output)
{
    struct pty *p = pty_of(t);
    if (output)
        p->bytes = 0;
    packet_told(p, (uint8_t)((input ? PACKET_FLUSH_READ : 0) | (output ? PACKET_FLUSH_WRITE : 0)),
                0);
    wait_wake_all(&p->master);
    tty_output_goes_on(t);
}

static void device_flow(struct tty *t, bool stopped)
{
    packet_told(pty_of(t), stopped ? PACKET_STOP : PACKET_START,
                stopped ? PACKET_START : PACKET_STOP);
}

// Would ^S and ^Q, typed at the master's side, stop output?
static bool stops(const struct linux_termios *m)
{
    return (m->iflag & IXON) && m->cc[VSTOP] == 19 && m->cc[VSTART] == 17;
}

static void device_modes(struct tty *t, const struct linux_termios *was)
{
    bool now = stops(&t->ldisc.termios);
    if (now != stops(was))
        packet_told(pty_of(t), now ? PACKET_DO_STOP : PACKET_NO_STOP,
                    now ? PACKET_NO_STOP : PACKET_DO_STOP);
}

static const struct tty_device pty_device = {
    .output = device_output,
    .room = device_room,
    .taken = device_taken,
    .flushed = device_flushed,
    .flow = device_flow,
    .modes = device_modes,
};

// ---- the master --------------------------------------------------------------------------------
// All slaves are closed, and one was open.
static bool slaves_gone(const struct pty *p)
{
    return p->was_open && p->slaves == 0;
}

static void ring_drain(struct pty *p, struct xfer *x)
{
    bool tight = device_room(&p->tty) < OUTPUT_BYTE_MAX;
    while (p->bytes > 0 && x->left > 0) {
        uint32_t n = MIN(RING_BYTES - p->tail, p->bytes);
        size_t put = xfer_put(x, p->ring + p->tail, MIN(n, x->left));
        p->tail = (uint32_t)(p->tail + put) % RING_BYTES;
        p->bytes -= (uint32_t)put;
        if (x->short_copy)
            break;
    }
    if (tight)
        tty_output_goes_on(&p->tty);
}

static int master_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pty *p = f->data;
    uint8_t head = PACKET_DATA;
    (void)at;
    if (x->left == 0)
        return 0;
    while (p->bytes == 0 && p->told == 0) {
        if (slaves_gone(p))
            return -EIO;
        if (f->flags & O_NONBLOCK)
            return -EAGAIN;
        int e = wait_sleep(&p->master, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    if (p->packets) {
        head = p->told;
        if (xfer_put(x, &head, 1) == 0)
            return 0;
        p->told = 0;
    }
    if (head == PACKET_DATA)
        ring_drain(p, x);
    return 0;
}

// Input that the slave's reader has no room for waits here; an unfinished line takes all and drops
// what is too much, or nobody could end it.
static size_t input_room(const struct pty *p)
{
    const struct ldisc *l = &p->tty.ldisc;
    if (ldisc_canonical(l) && !ldisc_line_ready(l))
        return LDISC_BYTES;
    return LDISC_BYTES - (l->tail - l->head);
}

static int master_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    struct pty *p = f->data;
    uint8_t chunk[256];
    size_t before = x->done;
    (void)at;
    while (x->left > 0) {
        if (slaves_gone(p))
            return x->done > before ? 0 : -EIO;
        size_t room = input_room(p);
        if (room == 0) {
            if (x->done > before)
                return 0;
            if (f->flags & O_NONBLOCK)
                return -EAGAIN;
            int e = wait_sleep(&p->master, WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            if (e < 0)
                return e;
            continue;
        }
        size_t n = xfer_take(x, chunk, MIN(MIN(x->left, sizeof(chunk)), room));
        if (n == 0)
            break;
        tty_put_input(&p->tty, chunk, n);
    }
    return 0;
}

static long give(void *data, size_t out_size, int32_t value)
{
    if (out_size < sizeof(value))
        return -EINVAL;
    memcpy(data, &value, sizeof(value));
    return 0;
}

static long master_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                         size_t out_size)
{
    struct pty *p = f->data;
    int32_t value = 0;
    if (in_bytes >= sizeof(value))
        memcpy(&value, data, sizeof(value));
    switch (request) {
    case TIOCGPTN:
        return give(data, out_size, (int32_t)p->number);
    case TIOCSPTLCK:
        p->locked = value != 0;
        return 0;
    case TIOCGPTLCK:
        return give(data, out_size, p->locked);
    case TIOCPKT:
        p->told = p->packets && value ? p->told : 0;
        p->packets = value != 0;
        return 0;
    case TIOCGPKT:
        return give(data, out_size, p->packets);
    case TIOCSIG:
        if (value < 1 || value > 64)
            return -EINVAL;
        tty_signal_foreground(&p->tty, value);
        return 0;
    case FIONREAD:
        return give(data, out_size, (int32_t)p->bytes);
    }
    return tty_request(&p->tty, request, data, in_bytes, out_size);
}

static unsigned master_poll(struct file *f)
{
    const struct pty *p = f->data;
    unsigned now = p->bytes > 0 ? POLL_IN : 0;
    now |= p->told ? POLL_IN | POLL_PRI : 0;
    now |= input_room(p) > 0 ? POLL_OUT : 0;
    return now | (slaves_gone(p) ? POLL_HUP : 0);
}

static struct wait_queue *master_poll_queue(struct file *f)
{
    struct pty *p = f->data;
    return &p->master;
}

static struct list *master_async(struct file *f)
{
    struct pty *p = f->data;
    return &p->async;
}

static void master_release(struct file *f)
{
    struct pty *p = f->data;
    p->master_open = false;
    tty_hang_up(&p->tty);
    pty_free_unused(p);
}

static const struct file_ops master_ops = {
    .name = "ptmx",
    .read = master_read,
    .write = master_write,
    .ioctl = master_ioctl,
    .poll = master_poll,
    .poll_queue = master_poll_queue,
    .async = master_async,
    .release = master_release,
};

int pty_open_master(const struct fs_who *who, uint32_t flags, struct file **f)
{
    uint32_t n = 0;
    while (n < PTYS_PER_NODE && node(ptys)[n])
        n++;
    if (n == PTYS_PER_NODE)
        return -ENOSPC;
    struct pty *p = heap_zalloc(sizeof(*p));
    *f = p ? file_new(&master_ops, flags & (O_ACCMODE | O_NONBLOCK), p) : NULL;
    if (*f == NULL) {
        heap_free(p);
        return -ENOMEM;
    }
    p->number = (uint32_t)cluster_self() * PTYS_PER_NODE + n;
    tty_init(&p->tty, p->number + 1, &pty_device);
    p->tty.ldisc.termios.cflag = 0xbf; // B38400 CS8 CREAD
    p->tty.ldisc.termios.iflag &= ~(uint32_t)IUTF8;
    wait_init(&p->master);
    list_init(&p->async);
    p->master_open = true;
    p->locked = true;
    p->uid = who->uid;
    p->gid = TTY_GROUP;
    p->mode = 0620;
    node(ptys)[n] = p;
    return 0;
}

// ---- the slave ---------------------------------------------------------------------------------
static int set(struct pty *p, const struct fs_set *s)
{
    if (s->mode_set)
        p->mode = s->mode & 0777;
    if (s->owner_set && s->uid != UINT32_MAX)
        p->uid = s->uid;
    if (s->owner_set && s->gid != UINT32_MAX)
        p->gid = s->gid;
    return s->size_set ? -EINVAL : 0;
}

static int slave_set(struct file *f, const struct fs_set *s)
{
    return set(pty_of(f->data), s);
}

int pty_set(uint32_t number, const struct fs_set *s)
{
    struct pty *p = pty_find(number);
    return p ? set(p, s) : -ENOENT;
}

static int slave_stat(struct file *f, struct fs_stat *st)
{
    const struct pty *p = pty_of(f->data);
    int64_t now = (int64_t)cluster_real_ns();
    *st = (struct fs_stat){
        .dev = 3,
        .inode = p->number + 3,
        .rdev = fs_device_number(PTS_MAJOR, p->number),
        .mode = S_IFCHR | p->mode,
        .links = 1,
        .uid = p->uid,
        .gid = p->gid,
        .atime_ns = now,
        .mtime_ns = now,
        .ctime_ns = now,
    };
    return 0;
}

static void slave_release(struct file *f)
{
    struct pty *p = pty_of(f->data);
    ASSERT(p->slaves > 0);
    p->slaves--;
    wait_wake_all(&p->master);
    pty_free_unused(p);
}

static const struct file_ops slave_ops = {
    .name = "pts",
    .read = tty_read,
    .write = tty_write,
    .ioctl = tty_ioctl,
    .poll = tty_poll,
    .poll_queue = tty_poll_queue,
    .stat = slave_stat,
    .set = slave_set,
    .async = tty_async,
    .release = slave_release,
};

int pty_open_slave(uint32_t number, uint32_t flags, struct file **f)
{
    struct pty *p = pty_find(number);
    if (p == NULL)
        return -ENXIO;
    if (!p->master_open || p->locked)
        return -EIO;
    *f = file_new(&slave_ops, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), &p->tty);
    if (*f == NULL)
        return -ENOMEM;
    (*f)->place = device_place_pts(number);
    p->slaves++;
    p->was_open = true;
    return 0;
}
