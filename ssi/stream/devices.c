// SPDX-License-Identifier: MIT
// /dev as a generated tree: a table of devices and links. Character devices without state can be
// opened again anywhere; a name that mknod made in the tree opens the device of its number.
#include "ssi/stream/mqueue_priv.h"
#include "ssi/stream/stream.h"
#include "kernel/init.h"
#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/fs/generated.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/remote.h"
#include "ssi/stream/execport.h"
#include "ssi/stream/pipe.h"
#include "ssi/stream/pty.h"
#include "ssi/stream/tty_priv.h"

// ---- null, zero, full, random ------------------------------------------------------------------
static int null_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)x, (void)at;
    return 0;
}

static int null_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)at;
    x->done += x->left;
    x->user_at += x->user ? (uint32_t)x->left : 0;
    x->kernel_at += x->user ? 0 : x->left;
    x->left = 0;
    return 0;
}

static int zero_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    static const char zeros[512];
    (void)f, (void)at;
    while (x->left > 0) {
        size_t n = MIN(x->left, sizeof(zeros));
        if (xfer_put(x, zeros, n) < n)
            break;
    }
    return 0;
}

static int full_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    (void)f, (void)x, (void)at;
    return -ENOSPC;
}

static int random_read(struct file *f, struct xfer *x, const uint64_t *at)
{
    uint8_t bytes[128];
    (void)f, (void)at;
    while (x->left > 0) {
        size_t n = MIN(x->left, sizeof(bytes));
        random_bytes(bytes, n);
        if (xfer_put(x, bytes, n) < n)
            break;
    }
    return 0;
}

static int random_write(struct file *f, struct xfer *x, const uint64_t *at)
{
    uint8_t bytes[128];
    (void)f, (void)at;
    while (x->left > 0) {
        size_t n = xfer_take(x, bytes, MIN(x->left, sizeof(bytes)));
        if (n == 0)
            break;
        random_stir(bytes, n);
    }
    return 0;
}

// Seeking is allowed and means nothing.
static int64_t device_seek(struct file *f, int64_t offset, int whence)
{
    (void)f, (void)offset, (void)whence;
    return 0;
}

static unsigned device_poll(struct file *f)
{
    (void)f;
    return POLL_IN | POLL_OUT;
}

static int device_map_zero(struct file *f, uint64_t offset, bool shared, struct container **c,
                           uint32_t *index)
{
    (void)f, (void)offset, (void)shared;
    *c = container_new_anonymous();
    *index = 0;
    return *c ? 0 : -ENOMEM;
}

#define DEVICE_OPS(device, reads, writes, maps)                                                    \
    static const struct file_ops device##_ops = {                                                  \
        .name = #device,                                                                           \
        .read = reads,                                                                             \
        .write = writes,                                                                           \
        .seek = device_seek,                                                                       \
        .poll = device_poll,                                                                       \
        .map = maps,                                                                               \
    }
DEVICE_OPS(null, null_read, null_write, NULL);
DEVICE_OPS(zero, zero_read, null_write, device_map_zero);
DEVICE_OPS(full, zero_read, full_write, NULL);
DEVICE_OPS(random, random_read, random_write, NULL);

// ---- the terminal's names ----------------------------------------------------------------------
static int console_open(const struct fs_who *who, uint32_t flags, struct file **f)
{
    (void)who;
    *f = tty_open(tty_console(), flags);
    return *f ? 0 : -ENOMEM;
}

static int exec_device_open(const struct fs_who *who, uint32_t flags, struct file **f)
{
    (void)who;
    return exec_open(flags, f);
}

static int exec_data_device_open(const struct fs_who *who, uint32_t flags, struct file **f)
{
    (void)who;
    return exec_data_open(flags, f);
}

// ---- the table ---------------------------------------------------------------------------------
struct device {
    const char *name;
    uint32_t mode;
    uint32_t major, minor;
    const struct file_ops *ops; // stateless
    int (*open)(const struct fs_who *who, uint32_t flags, struct file **f);
    const char *link;
};

static int controlling_open(const struct fs_who *who, uint32_t flags, struct file **f);

NODE_VAR(uint16_t, dev_mount);

static const struct device devices[] = {
    {"null", S_IFCHR | 0666, 1, 3, &null_ops, NULL, NULL},
    {"zero", S_IFCHR | 0666, 1, 5, &zero_ops, NULL, NULL},
    {"full", S_IFCHR | 0666, 1, 7, &full_ops, NULL, NULL},
    {"random", S_IFCHR | 0666, 1, 8, &random_ops, NULL, NULL},
    {"urandom", S_IFCHR | 0666, 1, 9, &random_ops, NULL, NULL},
    {"kmsg", S_IFCHR | 0600, 1, 11, NULL, kmsg_open, NULL},
    {"console", S_IFCHR | 0600, 5, 1, NULL, console_open, NULL},
    {"tty", S_IFCHR | 0666, 5, 0, NULL, controlling_open, NULL},
    {"ptmx", S_IFCHR | 0666, 5, 2, NULL, pty_open_master, NULL},
    {"ttyS0", S_IFCHR | 0660, 4, 64, NULL, console_open, NULL},
    {"exec", S_IFCHR | 0600, 10, 200, NULL, exec_device_open, NULL},
    {"exec.data", S_IFCHR | 0600, 10, 201, NULL, exec_data_device_open, NULL},
    {"stdin", S_IFLNK | 0777, 0, 0, NULL, NULL, "/proc/self/fd/0"},
    {"stdout", S_IFLNK | 0777, 0, 0, NULL, NULL, "/proc/self/fd/1"},
    {"stderr", S_IFLNK | 0777, 0, 0, NULL, NULL, "/proc/self/fd/2"},
    {"fd", S_IFLNK | 0777, 0, 0, NULL, NULL, "/proc/self/fd"},
    {"shm", S_IFLNK | 0777, 0, 0, NULL, NULL, "/tmp"},
    {"pts", S_IFDIR | 0755, 0, 0, NULL, NULL, NULL},
};

#define ROOT_INODE  1
#define FIRST_INODE 2 // of devices[0]
#define PTS_DIR     (FIRST_INODE + ARRAY_SIZE(devices) - 1)
#define PTS_INODE   0x10000u // of /dev/pts/0
#define PTS_MAX     (NODE_MAX * PTYS_PER_NODE)

static const struct device *device_of(uint64_t inode)
{
    return inode >= FIRST_INODE && inode < FIRST_INODE + ARRAY_SIZE(devices)
               ? &devices[inode - FIRST_INODE]
               : NULL;
}

static void device_entry(size_t k, struct gen_entry *e)
{
    const struct device *d = &devices[k];
    *e = (struct gen_entry){.inode = FIRST_INODE + k, .mode = d->mode};
    e->rdev = fs_device_number(d->major, d->minor);
    str_copy(e->name, d->name, sizeof(e->name));
}

static void root_entry(struct gen_entry *e)
{
    *e = (struct gen_entry){.inode = ROOT_INODE, .mode = S_IFDIR | 0755};
}

// ---- /dev/pts: slaves of this node are listed, those of all nodes can be opened ----------------
static bool is_pts(uint64_t inode)
{
    return inode >= PTS_INODE && inode < PTS_INODE + PTS_MAX;
}

static int pts_entry(uint32_t number, struct gen_entry *e)
{
    struct pty_facts facts = {.gid = 5, .mode = 0620};
    if (pty_node(number) == cluster_self() ? !pty_facts(number, &facts)
                                           : !cluster_is_member(pty_node(number)))
        return -ENOENT;
    *e = (struct gen_entry){.inode = PTS_INODE + number,
                            .mode = S_IFCHR | facts.mode,
                            .uid = facts.uid,
                            .gid = facts.gid,
                            .rdev = fs_device_number(PTS_MAJOR, number)};
    struct text t;
    text_init(&t, e->name, sizeof(e->name));
    text_add(&t, "%u", number);
    return 0;
}

static int pts_look(const char *name, struct gen_entry *e)
{
    uint32_t number = 0;
    if (strcmp(name, "..") == 0) {
        root_entry(e);
        return 0;
    }
    if (name[0] == '0' && name[1] != '\0')
        return -ENOENT;
    for (; *name; name++) {
        if (*name < '0' || *name > '9' || number >= PTS_MAX)
            return -ENOENT;
        number = number * 10 + (uint32_t)(*name - '0');
    }
    return number < PTS_MAX ? pts_entry(number, e) : -ENOENT;
}

static int dev_look(const struct fs_who *who, uint64_t dir, const char *name, struct gen_entry *e)
{
    (void)who;
    if (dir == PTS_DIR)
        return pts_look(name, e);
    if (is_pts(dir) && strcmp(name, "..") == 0) {
        device_entry(PTS_DIR - FIRST_INODE, e);
        return 0;
    }
    if (dir != ROOT_INODE)
        return -ENOTDIR;
    for (size_t k = 0; k < ARRAY_SIZE(devices); k++)
        if (strcmp(devices[k].name, name) == 0) {
            device_entry(k, e);
            return 0;
        }
    return -ENOENT;
}

static int dev_attributes(uint64_t inode, struct gen_entry *e)
{
    if (is_pts(inode))
        return pts_entry((uint32_t)(inode - PTS_INODE), e);
    if (inode == ROOT_INODE)
        root_entry(e);
    else if (device_of(inode))
        device_entry((size_t)(inode - FIRST_INODE), e);
    else
        return -ENOENT;
    return 0;
}

static int dev_list(uint64_t dir, uint64_t *cursor, struct gen_entry *e)
{
    if (dir == PTS_DIR) {
        uint32_t number = pty_next((int64_t)*cursor - 1);
        *cursor = (uint64_t)number + 1;
        return number == UINT32_MAX ? -ENOENT : pts_entry(number, e);
    }
    if (dir != ROOT_INODE || *cursor >= ARRAY_SIZE(devices))
        return -ENOENT;
    device_entry((size_t)(*cursor)++, e);
    return 0;
}

static int dev_link(const struct fs_who *who, uint64_t inode, char *to, size_t size)
{
    const struct device *d = device_of(inode);
    (void)who;
    if (d == NULL || d->link == NULL)
        return -EINVAL;
    str_copy(to, d->link, size);
    return 0;
}

static int device_open(const struct fs_who *who, const struct device *d, uint32_t flags,
                       struct file **f)
{
    if (d->link)
        return -ELOOP;
    if (d->open)
        return d->open(who, flags, f);
    *f = file_new(d->ops, flags & (O_ACCMODE | O_NONBLOCK | O_APPEND), NULL);
    if (*f == NULL)
        return -ENOMEM;
    (*f)->flags |= FILE_STATELESS;
    return 0;
}

struct fs_place device_place_pts(uint32_t number)
{
    return (struct fs_place){.mount = node(dev_mount), .inode = PTS_INODE + number};
}

static int pts_open(uint32_t number, uint32_t flags, struct file **f)
{
    if (pty_node(number) == cluster_self())
        return pty_open_slave(number, flags, f);
    return remote_open_generated(pty_node(number), device_place_pts(number), flags, f);
}

static int dev_open(const struct fs_who *who, uint64_t inode, uint32_t flags, struct file **f)
{
    if (is_pts(inode))
        return pts_open((uint32_t)(inode - PTS_INODE), flags, f);
    const struct device *d = device_of(inode);
    return d ? device_open(who, d, flags, f) : -ENXIO;
}

// A terminal of this node has an owner; whose all other devices are is fixed.
static int dev_set(uint64_t inode, const struct fs_set *s)
{
    uint32_t number = (uint32_t)(inode - PTS_INODE);
    return is_pts(inode) && pty_node(number) == cluster_self() ? pty_set(number, s) : -EPERM;
}

static const struct gen_tree dev_tree = {
    .path = "/dev",
    .look = dev_look,
    .attributes = dev_attributes,
    .list = dev_list,
    .link = dev_link,
    .set = dev_set,
    .open = dev_open,
};

struct fs_place device_place(const char *name)
{
    struct gen_entry e = {0};
    struct fs_place place = {.mount = node(dev_mount)};
    if (place.mount && dev_look(NULL, ROOT_INODE, name, &e) == 0)
        place.inode = e.inode;
    return place;
}

// The caller's controlling terminal, which may be another node's.
static int controlling_open(const struct fs_who *who, uint32_t flags, struct file **f)
{
    const struct tty_signals *room = tty_signals_of_room();
    uint32_t number = TTY_CONSOLE;
    int n = room && room->controlling ? room->controlling(who->pid, &number) : cluster_self();
    if (n < 0)
        return n;
    if (number != TTY_CONSOLE)
        return pts_open(number - 1, flags, f);
    if ((node_id_t)n == cluster_self())
        return console_open(who, flags, f);
    return remote_open_generated((node_id_t)n, device_place("console"), flags, f);
}

// A name in the tree that mknod made.
static int device_open_number(const struct fs_who *who, uint32_t mode, uint64_t rdev,
                              uint32_t flags, struct file **f)
{
    for (size_t k = 0; k < ARRAY_SIZE(devices) && (mode & S_IFMT) == S_IFCHR; k++)
        if (!devices[k].link && fs_device_number(devices[k].major, devices[k].minor) == rdev)
            return device_open(who, &devices[k], flags, f);
    return -ENXIO;
}

void devices_mount(void)
{
    static const struct fs_special_ops special = {
        .fifo_open = fifo_open,
        .fifo_free = fifo_free,
        .device_open = device_open_number,
        .queue_open = mqueue_open_here,
        .queue_unlink = mqueue_unlink_here,
    };
    fs_special_set(&special);
    node(dev_mount) = fs_mount_generated(&dev_tree);
}
INIT_STEP(INIT_FILES, devices_mount);
