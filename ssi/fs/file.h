// SPDX-License-Identifier: MIT
// Open files: one ops struct per kind (tree file, directory, generated file, device, pipe, tty,
// remote). A file opened here and used elsewhere after a move keeps its home; the other node holds
// a proxy whose ops forward by rpc.
#pragma once

#include "kernel/wait.h"
#include "ssi/fs/fs.h"

struct inode;
struct file_owner;

enum {
    POLL_IN = 1,
    POLL_PRI = 2,
    POLL_OUT = 4,
    POLL_ERR = 8,
    POLL_HUP = 16,
    POLL_NVAL = 32,
    POLL_RDNORM = 0x40,
    POLL_WRNORM = 0x100,
    POLL_WRBAND = 0x200,
    POLL_RDHUP = 0x2000
};

struct fs_set { // which attributes to change
    bool mode_set, owner_set, times_set, size_set;
    uint32_t mode, uid, gid; // uid, gid: UINT32_MAX keeps
    int64_t atime_ns, mtime_ns;
    uint64_t bytes;
};

struct file_ops {
    const char *name;
    // Move bytes at the file's offset (advanced) or, when `at` is not NULL, at *at. Return 0 with
    // x->done, or negative errno with nothing done. A short copy ends the call early: the caller
    // faults in and calls again. Interruptible sleeps give -EINTR (only when nothing was done).
    int (*read)(struct file *f, struct xfer *x, const uint64_t *at);
    int (*write)(struct file *f, struct xfer *x, const uint64_t *at);
    int64_t (*seek)(struct file *f, int64_t offset, int whence);
    // Linux dirent64 records into the transfer (always kernel memory).
    int (*list)(struct file *f, struct xfer *x);
    // `arg` bytes in and out by value: `data` holds in_bytes, at most out_size come back.
    long (*ioctl)(struct file *f, uint32_t request, void *data, size_t in_bytes, size_t out_size);
    unsigned (*poll)(struct file *f); // POLL_* that hold now
    bool polls_plainly;               // POLL_IN and POLL_OUT are not RDNORM and WRNORM, too
    bool seeks_nowhere;               // no `seek`, but lseek is no error: it gives 0
    struct wait_queue *(*poll_queue)(
        struct file *f); // woken when poll may have changed; NULL: never
    int (*stat)(struct file *f, struct fs_stat *st);
    int (*set)(struct file *f, const struct fs_set *s); // chmod, chown, utimes, truncate
    int (*sync)(struct file *f);
    int (*map)(struct file *f, uint64_t offset, bool shared, struct container **c,
               uint32_t *index); // mmap: a container and the page where it begins
    // Sockets only: a call by value, for node `from`. `in` and `out` are kernel memory; *out_bytes
    // of `out` are the answer. Never waits for programs. The result is the call's.
    int64_t (*exchange)(struct file *f, node_id_t from, const void *in, size_t in_bytes, void *out,
                        size_t out_size, size_t *out_bytes);
    // Whom O_ASYNC tells of news: the list of struct file_owner (owner.h). NULL: it never has any.
    struct list *(*async)(struct file *f);
    void (*release)(struct file *f); // last user gone
    const char *bound; // why other nodes cannot use it, in words; NULL: they forward to its home
};

struct file {
    const struct file_ops *ops;
    uint32_t users;
    uint32_t flags; // O_*: access mode and status flags
    uint64_t offset;
    struct fs_place place;    // the inode it is open on, when it has one
    node_id_t home;           // where this description lives; self unless a proxy
    uint64_t handle;          // names it on its home, 0 until it is first exported
    void *data;               // the ops' own
    struct list link;         // of exported handles
    struct inode *keeps;      // inode of the tree held open by an end of a FIFO, or NULL
    struct list watchers;     // epoll items that watch it: they end with it
    struct file_owner *owner; // of owner.h; NULL: never set, or its home is elsewhere
};

// Was it opened for that? Access mode 3 is for neither.
static inline bool file_reads(const struct file *f)
{
    uint32_t mode = f->flags & O_ACCMODE;
    return mode == O_RDONLY || mode == O_RDWR;
}

static inline bool file_writes(const struct file *f)
{
    uint32_t mode = f->flags & O_ACCMODE;
    return mode == O_WRONLY || mode == O_RDWR;
}

// ssi/stream: the last user of a watched file is gone, its ops are not released yet.
extern void (*file_on_watched_end)(struct file *f);

struct file *file_new(const struct file_ops *ops, uint32_t flags, void *data); // one user
void file_get(struct file *f);
void file_put(struct file *f);

// What holds now, POLL_RDNORM and POLL_WRNORM beside IN and OUT. Files without `poll` are always
// ready. May sleep (a file whose home is elsewhere); the watch on poll_queue comes first then.
unsigned file_poll(struct file *f);

// Attributes: of the name it was opened by when it has one, else the ops'. May sleep.
int file_stat(struct file *f, struct fs_stat *st);
int file_set(struct file *f, const struct fs_set *s);
// A pipe or a FIFO, here or elsewhere? May sleep.
bool file_is_pipe(struct file *f);
// The status flags have changed (F_SETFL): its home hears of it. 0, -EIO, -ENOMEM. May sleep.
int file_flags_tell(struct file *f);
// A name by which it can be reached from who->root: bytes without the NUL, or -ENOENT (a pipe, an
// unlinked file), -ERANGE. May sleep.
long file_path(const struct fs_who *who, struct file *f, char *to, size_t size);
// Opens what `f` is open on once more, as /proc/PID/fd does: with its own offset where there is a
// name or an inode to open, else the same open file when its access mode allows. O_PATH: as it is.
int fs_reopen(const struct fs_who *who, struct file *f, uint32_t flags, struct file **again);
// Is it a regular file or a directory of the tree, here or at its home?
bool file_is_tree(const struct file *f);
// `f`, an end of a FIFO, keeps `i` until it is released.
void file_hold_inode(struct file *f, struct inode *i);

// Takes exactly n bytes out of a write's transfer, faulting user memory in: 0, -EFAULT, -ENOMEM,
// -EINTR (the caller restores its copy of *x). May sleep: hold nothing busy.
int xfer_take_all(struct xfer *x, void *to, size_t n);
// Puts n bytes into a read's transfer; same errors, *x tells how far it got. May sleep.
int xfer_put_all(struct xfer *x, const void *from, size_t n);

// Internal bits of file.flags, above what users set.
#define FILE_IMAGE      0x40000000u // counts as a user of the inode as program image
#define FILE_STATELESS  0x20000000u // a device that can be opened again on any node
#define FILE_PRIVILEGED 0x10000000u // opened with CAP_FSETID: writing keeps set-id bits
#define FILE_UNCOUNTED  0x08000000u // what memfd_create gave: may write, and is no writer (ETXTBSY)
#define FILE_FLAGS_OWN  (FILE_IMAGE | FILE_STATELESS | FILE_PRIVILEGED | FILE_UNCOUNTED)

// A move at the file's own offset claims its room at once: another user who comes while it sleeps
// gets the room behind. Afterwards what was not moved is given back, unless the offset went on.
static inline uint64_t file_offset_claim(struct file *f, size_t n)
{
    uint64_t from = f->offset;
    f->offset = from + n;
    return from;
}
static inline void file_offset_settle(struct file *f, uint64_t from, size_t claimed, size_t moved)
{
    if (f->offset == from + claimed)
        f->offset = from + moved;
}

enum { // of lseek
    WHENCE_SET,
    WHENCE_CUR,
    WHENCE_END,
    WHENCE_DATA,
    WHENCE_HOLE
};
// lseek on something of `end` bytes: SEEK_SET, CUR, END, DATA, HOLE; the new offset, -EINVAL,
// -ENXIO.
int64_t file_seek_in(struct file *f, uint64_t end, int64_t offset, int whence);

// Reads or writes with user memory, faulting in as needed; bytes done or negative errno.
long file_read(struct file *f, struct xfer *x, const uint64_t *at);
long file_write(struct file *f, struct xfer *x, const uint64_t *at);

// ---- descriptors of a process: a shareable object ----------------------------------------------
struct fd_table;

struct fd_table *fd_table_new(void);
struct fd_table *fd_table_clone(struct fd_table *t); // fork: same files
void fd_table_get(struct fd_table *t);
void fd_table_put(struct fd_table *t);
// Is there a place for one more? Asked before what an open or an accept cannot take back.
bool fd_room(const struct fd_table *t);
int fd_install(struct fd_table *t, struct file *f, int at_least, bool cloexec); // takes the user
int fd_replace(struct fd_table *t, int fd, struct file *f, bool cloexec);       // dup2
struct file *fd_file(struct fd_table *t, int fd); // borrowed: valid until the caller sleeps; NULL
struct file *fd_file_get(struct fd_table *t, int fd); // with a user more
int fd_close(struct fd_table *t, int fd);
struct file *fd_take(struct fd_table *t, int fd); // closed, but its user is the caller's; NULL
void fd_close_on_exec(struct fd_table *t, int32_t owner); // owner: of byte ranges that end so
bool fd_cloexec(struct fd_table *t, int fd);
int fd_set_cloexec(struct fd_table *t, int fd, bool on);
int fd_next(struct fd_table *t, int after);          // next open descriptor, -1: none
uint32_t fd_table_size(const struct fd_table *t);    // descriptors it has room for as it is
void fd_limit_set(struct fd_table *t, uint32_t max); // RLIMIT_NOFILE

// ---- ghost: a file as it travels ---------------------------------------------------------------
struct file_ref {
    uint16_t home;
    uint16_t reserved;
    uint32_t flags;
    uint64_t handle;
    struct fs_place place;
    uint32_t giver; // who made this reference
} PACKED;

// Makes it reachable from other nodes and writes its reference: the home keeps a user for the
// target until it says released (or its node dies, or the giver does before it was imported).
// -EBUSY with *why in words when it cannot.
int file_export(struct file *f, node_id_t target, struct file_ref *ref, const char **why);
void file_export_undo(struct file *f, node_id_t target, const struct file_ref *ref);
// On the target: the file itself when it lives here, else a proxy. NULL: no memory.
struct file *file_import(const struct file_ref *ref);
