// SPDX-License-Identifier: MIT
// Descriptors: open, close, dup, fcntl, pipes, umask.
#include "ssi/linux/file.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/locks.h"
#include "ssi/fs/special.h"
#include "ssi/linux/file_owner.h"
#include "ssi/process/linux_abi.h"
#include "ssi/stream/socket.h"
#include "ssi/stream/stream.h"

enum {
    F_DUPFD = 0,
    F_GETFD = 1,
    F_SETFD = 2,
    F_GETFL = 3,
    F_SETFL = 4,
    F_GETLK = 5,
    F_SETLK = 6,
    F_SETLKW = 7,
    F_GETLK64 = 12,
    F_SETLK64 = 13,
    F_SETLKW64 = 14,
    F_OFD_GETLK = 36,
    F_OFD_SETLK = 37,
    F_OFD_SETLKW = 38,
    F_GETLEASE = 1025,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ = 1031,
    F_GETPIPE_SZ = 1032,
    F_ADD_SEALS = 1033,
    F_GET_SEALS = 1034,
};

#define O_LARGEFILE 0100000u
#define O_SETTABLE  (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static int file_place_of(int32_t dirfd, struct fs_place *at)
{
    struct fs_who who;
    if (dirfd == AT_FDCWD) {
        process_who(process_current(), &who);
        *at = who.cwd;
        return 0;
    }
    const struct file *f = fd_file(process_current()->files, dirfd);
    if (f == NULL)
        return -EBADF;
    *at = f->place;
    return f->place.inode ? 0 : -ENOTDIR;
}

static int name_begin(struct file_name *n, int32_t dirfd, uint32_t user_path, bool empty_fine)
{
    struct process *p = process_current();
    process_who(p, &n->who);
    n->at = n->who.cwd;
    int e = linux_path_in(user_path, &n->path);
    if (e < 0)
        return e;
    if (dirfd == AT_FDCWD || n->path[0] == '/')
        return 0;
    struct file *f = fd_file(p->files, dirfd);
    if (f && f->place.inode != 0) {
        n->at = f->place;
        return 0;
    }
    e = n->path[0] == '\0' && !empty_fine ? -ENOENT : f ? -ENOTDIR : -EBADF;
    heap_free(n->path);
    return e;
}

int file_name_begin(struct file_name *n, int32_t dirfd, uint32_t user_path)
{
    return name_begin(n, dirfd, user_path, false);
}

int file_name_begin_flags(struct file_name *n, int32_t dirfd, uint32_t user_path, uint32_t at_flags)
{
    return name_begin(n, dirfd, user_path, at_flags & AT_EMPTY_PATH);
}

void file_name_end(struct file_name *n)
{
    heap_free(n->path);
}

struct file *file_of_any(uint32_t fd)
{
    return fd_file_get(process_current()->files, (int)fd);
}

struct file *file_of(uint32_t fd)
{
    struct file *f = fd_file(process_current()->files, (int)fd);
    if (f == NULL || (f->flags & O_PATH))
        return NULL;
    file_get(f);
    return f;
}

static long install(struct file *f, int at_least, bool cloexec)
{
    int fd = fd_install(process_current()->files, f, at_least, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

// For who did not say that it knows of 64-bit offsets.
static bool too_large(struct file *f)
{
    struct fs_stat st;
    return file_is_tree(f) && file_stat(f, &st) == 0 && (st.mode & S_IFMT) == S_IFREG &&
           st.bytes > INT32_MAX;
}

static long open_resolved(int32_t dirfd, uint32_t path, uint32_t flags, uint32_t mode,
                          uint32_t resolve)
{
    struct file_name n;
    struct file *f;
    bool directory = flags & O_DIRECTORY;
    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    // Bits that Linux ignores are ignored; what it would do something else with is refused.
    if (flags & O_TMPFILE ? !directory || (flags & O_ACCMODE) == O_RDONLY || (flags & O_CREAT)
                          : directory && (flags & O_CREAT))
        return -EINVAL;
    int e = file_name_begin(&n, dirfd, path);
    bool begun = e == 0; // where the path begins is looked at behind the room
    if ((begun || e == -EBADF || e == -ENOTDIR) && !fd_room(process_current()->files))
        e = begun && n.path[0] == '\0' ? -ENOENT : -EMFILE;
    if (!begun)
        return e;
    if (e == 0 && n.path[0] == '/' && (resolve & FS_RESOLVE_IN_ROOT))
        e = file_place_of(dirfd, &n.at);
    if (e == 0)
        e = fs_open_resolved(&n.who, n.at, n.path, flags & ~FILE_FLAGS_OWN, mode & 07777, resolve,
                             &f);
    file_name_end(&n);
    if (e == 0 && !(flags & (O_LARGEFILE | O_PATH)) && too_large(f)) {
        file_put(f);
        e = -EOVERFLOW;
    }
    if (e < 0)
        return e;
    const struct process *p = process_current();
    if (p->pid == p->sid && !p->tty_attached && !(flags & (O_NOCTTY | O_PATH)))
        file_opened_by_leader(f);
    return install(f, 0, flags & O_CLOEXEC);
}

#define O_SYNC_BITS 04010000u
#define O_KNOWN                                                                                    \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC_BITS |     \
     O_ASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC |         \
     O_PATH | O_TMPFILE)

static long open_at(int32_t dirfd, uint32_t path, uint32_t flags, uint32_t mode)
{
    return open_resolved(dirfd, path, flags & O_KNOWN, mode, 0);
}

struct open_how { // of the ABI
    uint64_t flags, mode, resolve;
};

#define RESOLVE_KNOWN 63u

// A struct that may grow: bytes behind what is known must be zero.
static int how_in(uint32_t user, uint32_t bytes, struct open_how *how)
{
    if (bytes < sizeof(*how))
        return -EINVAL;
    if (bytes > PAGE_SIZE)
        return -E2BIG;
    int e = user_read(how, user, sizeof(*how));
    for (uint32_t at = sizeof(*how); e == 0 && at < bytes; at++) {
        uint8_t more;
        e = user_read(&more, user + at, 1);
        if (e == 0 && more)
            e = -E2BIG;
    }
    return e;
}

static int how_check(const struct open_how *how)
{
    bool makes = how->flags & (O_CREAT | O_TMPFILE);
    if ((how->flags & ~(uint64_t)O_KNOWN) || (how->resolve & ~(uint64_t)RESOLVE_KNOWN) ||
        (how->mode & ~(uint64_t)(makes ? 07777 : 0)))
        return -EINVAL;
    if ((how->resolve & FS_RESOLVE_BENEATH) && (how->resolve & FS_RESOLVE_IN_ROOT))
        return -EINVAL;
    if ((how->flags & O_PATH) &&
        (how->flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)))
        return -EINVAL;
    return 0;
}

long sys_openat2(struct call *c)
{
    struct open_how how;
    int e = how_in(c->args[2], c->args[3], &how);
    if (e == 0)
        e = how_check(&how);
    if (e < 0)
        return e;
    // Names that are made are not looked up alone.
    if ((how.resolve & FS_RESOLVE_CACHED) && (how.flags & (O_CREAT | O_TRUNC | O_TMPFILE)))
        return -EAGAIN;
    return open_resolved((int32_t)c->args[0], c->args[1], (uint32_t)how.flags, (uint32_t)how.mode,
                         (uint32_t)how.resolve);
}

long sys_open(struct call *c)
{
    return open_at(AT_FDCWD, c->args[0], c->args[1], c->args[2]);
}

long sys_openat(struct call *c)
{
    return open_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}

long sys_creat(struct call *c)
{
    return open_at(AT_FDCWD, c->args[0], O_CREAT | O_WRONLY | O_TRUNC, c->args[1]);
}

static void unlock_on_close(uint32_t fd)
{
    struct process *p = process_current();
    struct file *f = file_of_any(fd);
    if (f == NULL)
        return;
    locks_drop(f, p->pid);
    file_put(f);
}

static long close_one(struct fd_table *t, uint32_t fd)
{
    unlock_on_close(fd);
    struct file *f = fd_take(t, (int)fd);
    if (f == NULL)
        return -EBADF;
    if (f->users == 1 && socket_is(f))
        socket_linger(f);
    file_put(f);
    return 0;
}

long sys_close(struct call *c)
{
    return close_one(process_current()->files, c->args[0]);
}

long sys_close_range(struct call *c)
{
    struct fd_table *t = process_current()->files;
    uint32_t first = c->args[0], last = c->args[1], flags = c->args[2];
    int e;
    if (first > last || (flags & ~6u)) // CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC
        return -EINVAL;
    if ((flags & 2) && (e = process_unshare(process_current(), CLONE_FILES)) < 0)
        return e;
    t = process_current()->files;
    int fd = first > INT32_MAX ? -1 : fd_next(t, (int)first - 1);
    for (; fd >= 0 && (uint32_t)fd <= last; fd = fd_next(t, fd)) {
        if (flags & 4) {
            fd_set_cloexec(t, fd, true);
            continue;
        }
        (void)close_one(t, (uint32_t)fd);
    }
    return 0;
}

// ---- dup ---------------------------------------------------------------------------------------
long sys_dup(struct call *c)
{
    struct file *f = file_of_any(c->args[0]);
    return f ? install(f, 0, false) : -EBADF;
}

static long dup_to(uint32_t from, uint32_t to, bool cloexec)
{
    struct file *f = file_of_any(from);
    if (f == NULL)
        return -EBADF;
    unlock_on_close(to);
    int fd = fd_replace(process_current()->files, (int)to, f, cloexec);
    if (fd < 0)
        file_put(f);
    return fd;
}

long sys_dup2(struct call *c)
{
    if (c->args[0] == c->args[1])
        return fd_file(process_current()->files, (int)c->args[0]) ? (long)c->args[0] : -EBADF;
    return dup_to(c->args[0], c->args[1], false);
}

long sys_dup3(struct call *c)
{
    if (c->args[0] == c->args[1] || (c->args[2] & ~O_CLOEXEC))
        return -EINVAL;
    return dup_to(c->args[0], c->args[1], c->args[2] & O_CLOEXEC);
}

// ---- fcntl -------------------------------------------------------------------------------------
struct linux_flock {
    int16_t type, whence;
    int32_t start, length;
    int32_t pid;
} PACKED;

struct linux_flock64 {
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
} PACKED;
STATIC_ASSERT(sizeof(struct linux_flock64) == 24, "flock64 of the ABI");

static int lock_in(uint32_t user, bool wide, struct linux_flock64 *l)
{
    struct linux_flock narrow;
    int e = wide ? user_read(l, user, sizeof(*l)) : user_read(&narrow, user, sizeof(narrow));
    if (e < 0 || wide)
        return e;
    *l =
        (struct linux_flock64){narrow.type, narrow.whence, narrow.start, narrow.length, narrow.pid};
    return 0;
}

static int lock_out(uint32_t user, bool wide, const struct linux_flock64 *l)
{
    struct linux_flock narrow = {l->type, l->whence, (int32_t)l->start, (int32_t)l->length, l->pid};
    return wide ? user_write(user, l, sizeof(*l)) : user_write(user, &narrow, sizeof(narrow));
}

// The range as [from, to): to is UINT64_MAX for "to the end, however far".
static int lock_range(struct file *f, const struct linux_flock64 *l, struct lock_range *r)
{
    struct fs_stat st;
    int64_t from = l->start, to;
    if (l->whence == 1) {
        from += (int64_t)(f->ops->seek ? f->ops->seek(f, 0, 1) : 0);
    } else if (l->whence == 2) {
        int e = file_stat(f, &st);
        if (e < 0)
            return e;
        from += (int64_t)st.bytes;
    } else if (l->whence != 0) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(from, l->length, &to))
        return -EOVERFLOW;
    if (l->length < 0) {
        int64_t swap = from;
        from = to;
        to = swap;
    }
    if (from < 0)
        return -EINVAL;
    r->from = (uint64_t)from;
    r->to = l->length == 0 ? UINT64_MAX : (uint64_t)to;
    return 0;
}

static long lock_call(struct file *f, uint32_t command, uint32_t user)
{
    bool ofd = command >= F_OFD_GETLK, wide = command >= F_GETLK64;
    bool gets = command == F_GETLK || command == F_GETLK64 || command == F_OFD_GETLK;
    bool waits = command == F_SETLKW || command == F_SETLKW64 || command == F_OFD_SETLKW;
    struct linux_flock64 l;
    struct lock_range r = {0};
    int e = lock_in(user, wide, &l);
    if (e == 0 && (l.type < LOCK_SHARED || l.type > LOCK_NONE || (gets && l.type == LOCK_NONE)))
        e = -EINVAL;
    if (e == 0 && ofd && l.pid != 0)
        e = -EINVAL;
    if (e == 0)
        e = lock_range(f, &l, &r);
    if (e < 0)
        return e;
    if (!gets && ((l.type == LOCK_SHARED && !file_reads(f)) ||
                  (l.type == LOCK_EXCLUSIVE && !file_writes(f))))
        return -EBADF;
    r.owner = ofd ? -1 : process_current()->pid;
    r.whole = ofd ? f : NULL;
    r.ofd = ofd;
    r.kind = l.type;
    if (!gets)
        return locks_set(f, &r, waits);
    if ((e = locks_get(f, &r)) < 0)
        return e;
    l.type = (int16_t)r.kind;
    if (r.kind != LOCK_NONE) {
        l.whence = 0;
        l.start = (int64_t)r.from;
        l.length = r.to == UINT64_MAX ? 0 : (int64_t)(r.to - r.from);
        l.pid = r.owner;
    }
    return lock_out(user, wide, &l);
}

static long seals_call(struct file *f, uint32_t command, uint32_t seals)
{
    if (command == F_ADD_SEALS && !file_writes(f))
        return -EPERM;
    if (!file_is_tree(f) || f->ops->ioctl == NULL || (command == F_ADD_SEALS && (seals & ~31u)))
        return -EINVAL;
    return f->ops->ioctl(f, command == F_ADD_SEALS ? SEALS_ADD : SEALS_GET, &seals, sizeof(seals),
                         0);
}

static long pipe_size_call(struct file *f, uint32_t command, uint32_t bytes)
{
    if (f->ops->ioctl == NULL || socket_is(f))
        return -EBADF;
    long r = command == F_GETPIPE_SZ ? f->ops->ioctl(f, PIPE_SIZE_GET, NULL, 0, 0)
                                     : f->ops->ioctl(f, PIPE_SIZE_SET, &bytes, sizeof(bytes), 0);
    return r == -ENOTTY ? -EBADF : r;
}

// O_ASYNC on what never has news is forgotten, as on Linux.
static long flags_set(struct file *f, int fd, uint32_t flags)
{
    if ((flags & O_DIRECT) && f->ops->seek == NULL && !file_is_pipe(f))
        return -EINVAL;
    long e = file_async_set(f, fd, flags & O_ASYNC);
    if (e < 0 && e != -ENOTTY)
        return e;
    f->flags = (f->flags & ~O_SETTABLE) | (flags & O_SETTABLE);
    return file_flags_tell(f);
}

static long fcntl_on(struct call *c, struct file *f)
{
    struct fd_table *t = process_current()->files;
    int fd = (int)c->args[0];
    uint32_t command = c->args[1], arg = c->args[2];
    switch (command) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        file_get(f);
        return install(f, (int)arg, command == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_cloexec(t, fd);
    case F_SETFD:
        return fd_set_cloexec(t, fd, arg & 1);
    case F_GETFL:
        return (long)(f->flags & ~FILE_FLAGS_OWN);
    case F_SETFL:
        return flags_set(f, fd, arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW:
    case F_GETLK64:
    case F_SETLK64:
    case F_SETLKW64:
    case F_OFD_GETLK:
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return lock_call(f, command, arg);
    case F_SETOWN:
    case F_GETOWN:
    case F_SETSIG:
    case F_GETSIG:
    case F_SETOWN_EX:
    case F_GETOWN_EX:
    case F_GETOWNER_UIDS:
        return file_owner_fcntl(f, command, arg);
    case F_ADD_SEALS:
    case F_GET_SEALS:
        return seals_call(f, command, arg);
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return pipe_size_call(f, command, arg);
    case F_GETLEASE: // none is ever given
        return LOCK_NONE;
    }
    return -EINVAL;
}

long sys_fcntl(struct call *c)
{
    uint32_t command = c->args[1];
    bool any = command <= F_GETFL || command == F_DUPFD_CLOEXEC;
    struct file *f = any ? file_of_any(c->args[0]) : file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    long r = command == F_SETFL && (f->flags & O_PATH) ? -EBADF : fcntl_on(c, f);
    file_put(f);
    return r;
}

long sys_flock(struct call *c)
{
    enum {
        FLOCK_SH = 1,
        FLOCK_EX = 2,
        FLOCK_NB = 4,
        FLOCK_UN = 8
    };
    uint32_t what = c->args[1];
    struct lock_range r = {.to = UINT64_MAX, .owner = process_current()->pid};
    if ((what & ~FLOCK_NB) == FLOCK_SH)
        r.kind = LOCK_SHARED;
    else if ((what & ~FLOCK_NB) == FLOCK_EX)
        r.kind = LOCK_EXCLUSIVE;
    else if ((what & ~FLOCK_NB) == FLOCK_UN)
        r.kind = LOCK_NONE;
    else
        return -EINVAL;
    struct file *f = file_of(c->args[0]);
    if (f == NULL)
        return -EBADF;
    r.whole = f;
    long e = r.kind == LOCK_NONE || file_reads(f) || file_writes(f)
                 ? locks_set(f, &r, !(what & FLOCK_NB))
                 : -EBADF;
    file_put(f);
    return e;
}

// ---- pipes and the mask ------------------------------------------------------------------------
static long pipe_with(uint32_t user, uint32_t flags)
{
    struct fd_table *t = process_current()->files;
    struct file *ends[2];
    int32_t fds[2];
    int e = pipe_new(flags & (O_NONBLOCK | O_DIRECT), &ends[0], &ends[1]);
    if (e < 0)
        return e;
    fds[0] = fd_install(t, ends[0], 0, flags & O_CLOEXEC);
    if (fds[0] < 0) {
        file_put(ends[0]);
        file_put(ends[1]);
        return fds[0];
    }
    fds[1] = fd_install(t, ends[1], 0, flags & O_CLOEXEC);
    e = fds[1] < 0 ? fds[1] : user_write(user, fds, sizeof(fds));
    if (e == 0)
        return 0;
    fd_close(t, fds[0]);
    if (fds[1] < 0)
        file_put(ends[1]);
    else
        fd_close(t, fds[1]);
    return e;
}

long sys_pipe(struct call *c)
{
    return pipe_with(c->args[0], 0);
}

long sys_pipe2(struct call *c)
{
    if (c->args[1] & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
        return -EINVAL;
    return pipe_with(c->args[0], c->args[1]);
}

long sys_umask(struct call *c)
{
    struct fs_context *fs = process_current()->fs;
    uint32_t old = fs->umask;
    fs->umask = c->args[0] & 0777;
    return (long)old;
}

// ---- files without names -----------------------------------------------------------------------
enum {
    MFD_CLOEXEC = 1,
    MFD_ALLOW_SEALING = 2,
    MFD_NAME_MAX = 249
};

long sys_memfd_create(struct call *c)
{
    uint32_t flags = c->args[1];
    struct fs_who who;
    struct file *f = NULL;
    char *name;
    if (flags & ~(uint32_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
        return -EINVAL;
    int e = linux_path_in(c->args[0], &name);
    if (e < 0)
        return e == -ENAMETOOLONG ? -EINVAL : e;
    process_who(process_current(), &who);
    e = strlen(name) > MFD_NAME_MAX ? -EINVAL : fs_memfd(&who, name, flags & MFD_ALLOW_SEALING, &f);
    heap_free(name);
    if (e < 0)
        return e;
    f->flags |= O_LARGEFILE;
    return install(f, 0, flags & MFD_CLOEXEC);
}
