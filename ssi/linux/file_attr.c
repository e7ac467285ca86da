// SPDX-License-Identifier: MIT
// Changing attributes: mode, owner, times, size.
#include "ssi/linux/file.h"
#include "kernel/timer.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/inode.h"

#define UTIME_NOW   0x3fffffff
#define UTIME_OMIT  0x3ffffffe
#define SECONDS_MAX INT64_C(9000000000) // what a time of a file may be: 285 years around 1970

// Sets attributes of an open file; `owner_only`: who is not its owner may not.
static long set_file(uint32_t fd, const struct fs_set *s, bool owner_only)
{
    struct fs_who who;
    struct fs_stat st;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    process_who(process_current(), &who);
    int e = f->flags & O_PATH ? -EBADF : file_stat(f, &st);
    bool owner = who.uid == st.uid || fs_can(&who, CAP_FOWNER);
    bool now = s->times_set && !owner_only && !owner;
    if (e == 0 && now && !fs_may(&who, st.mode, st.uid, st.gid, MAY_W))
        e = -EACCES;
    if (e == 0 && owner_only && !s->owner_set && !owner)
        e = -EPERM;
    if (e == 0 && s->owner_set && !fs_may_give(&who, st.uid, st.gid, s->uid, s->gid))
        e = -EPERM;
    struct fs_set set = *s;
    if (e == 0 && set.mode_set && !fs_in_group(&who, st.gid) && !fs_can(&who, CAP_FSETID))
        set.mode &= ~02000u; // S_ISGID
    if (e == 0)
        e = file_set(f, &set);
    file_put(f);
    return e;
}

// ---- mode and owner ----------------------------------------------------------------------------
static long chmod_at(int32_t dirfd, uint32_t path, uint32_t mode, uint32_t at_flags)
{
    struct file_name n;
    if (at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int e = file_name_begin_flags(&n, dirfd, path, at_flags);
    if (e < 0)
        return e;
    e = fs_chmod(&n.who, n.at, n.path, mode & 07777,
                 (at_flags & AT_SYMLINK_NOFOLLOW ? FS_NOFOLLOW : 0) |
                     (at_flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0));
    file_name_end(&n);
    return e;
}

long sys_chmod(struct call *c)
{
    return chmod_at(AT_FDCWD, c->args[0], c->args[1], 0);
}

long sys_fchmodat(struct call *c)
{
    return chmod_at((int32_t)c->args[0], c->args[1], c->args[2], 0);
}

long sys_fchmodat2(struct call *c)
{
    return chmod_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3]);
}

long sys_fchmod(struct call *c)
{
    return set_file(c->args[0], &(struct fs_set){.mode_set = true, .mode = c->args[1] & 07777},
                    true);
}

static uint32_t wide_id(uint32_t id) // of the calls with 16 bits
{
    return (id & 0xffff) == 0xffff ? UINT32_MAX : id & 0xffff;
}

static long chown_at(int32_t dirfd, uint32_t path, uint32_t uid, uint32_t gid, uint32_t at_flags)
{
    struct file_name n;
    if (at_flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int e = file_name_begin_flags(&n, dirfd, path, at_flags);
    if (e < 0)
        return e;
    e = fs_chown(&n.who, n.at, n.path, uid, gid,
                 (at_flags & AT_SYMLINK_NOFOLLOW ? FS_NOFOLLOW : 0) |
                     (at_flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0));
    file_name_end(&n);
    return e;
}

static long chown_file(uint32_t fd, uint32_t uid, uint32_t gid)
{
    return set_file(fd, &(struct fs_set){.owner_set = true, .uid = uid, .gid = gid}, true);
}

long sys_chown16(struct call *c)
{
    return chown_at(AT_FDCWD, c->args[0], wide_id(c->args[1]), wide_id(c->args[2]), 0);
}

long sys_lchown16(struct call *c)
{
    return chown_at(AT_FDCWD, c->args[0], wide_id(c->args[1]), wide_id(c->args[2]),
                    AT_SYMLINK_NOFOLLOW);
}

long sys_fchown16(struct call *c)
{
    return chown_file(c->args[0], wide_id(c->args[1]), wide_id(c->args[2]));
}

long sys_chown32(struct call *c)
{
    return chown_at(AT_FDCWD, c->args[0], c->args[1], c->args[2], 0);
}

long sys_lchown32(struct call *c)
{
    return chown_at(AT_FDCWD, c->args[0], c->args[1], c->args[2], AT_SYMLINK_NOFOLLOW);
}

long sys_fchown32(struct call *c)
{
    return chown_file(c->args[0], c->args[1], c->args[2]);
}

long sys_fchownat(struct call *c)
{
    return chown_at((int32_t)c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]);
}

// ---- times -------------------------------------------------------------------------------------
struct times {
    int64_t atime_ns, mtime_ns; // FS_TIME_OMIT: stays
    bool now;                   // both are the present, asked for as such
    bool bad;                   // no times; said once the file is known
};

static struct times times_now(void)
{
    int64_t now = (int64_t)cluster_real_ns();
    return (struct times){now, now, true, false};
}

// False: not a time.
static bool time_of(const struct linux_timespec64 *t, int64_t *ns)
{
    if (t->nanoseconds == UTIME_NOW)
        *ns = (int64_t)cluster_real_ns();
    else if (t->nanoseconds == UTIME_OMIT)
        *ns = FS_TIME_OMIT;
    else if (t->nanoseconds < 0 || t->nanoseconds >= (int32_t)NS_PER_S)
        return false;
    else
        *ns = MAX(MIN(t->seconds, SECONDS_MAX), -SECONDS_MAX) * (int64_t)NS_PER_S + t->nanoseconds;
    return true;
}

static int times_in(uint32_t user, bool wide, struct times *t)
{
    struct linux_timespec64 two[2];
    struct linux_timespec32 narrow[2];
    *t = times_now();
    if (user == 0)
        return 0;
    int e = wide ? user_read(two, user, sizeof(two)) : user_read(narrow, user, sizeof(narrow));
    for (int k = 0; k < 2 && e == 0 && !wide; k++)
        two[k] = (struct linux_timespec64){narrow[k].seconds, narrow[k].nanoseconds, 0};
    if (e == 0)
        t->bad = !time_of(&two[0], &t->atime_ns) || !time_of(&two[1], &t->mtime_ns);
    t->now = e == 0 && two[0].nanoseconds == UTIME_NOW && two[1].nanoseconds == UTIME_NOW;
    return e;
}

static long set_times(int32_t dirfd, uint32_t path, const struct times *t, uint32_t at_flags)
{
    struct file_name n;
    int e = file_name_begin_flags(&n, dirfd, path, at_flags);
    if (e < 0)
        return e;
    unsigned flags = (at_flags & AT_SYMLINK_NOFOLLOW ? FS_NOFOLLOW : 0) |
                     (at_flags & AT_EMPTY_PATH ? FS_EMPTY_PATH : 0) | (t->now ? FS_TIMES_NOW : 0);
    if (t->bad) {
        struct fs_stat st;
        e = fs_stat(&n.who, n.at, n.path, flags & ~FS_TIMES_NOW, &st);
        e = e < 0 ? e : -EINVAL;
    } else {
        e = fs_utimes(&n.who, n.at, n.path, t->atime_ns, t->mtime_ns, flags);
    }
    file_name_end(&n);
    return e;
}

static long utimens_call(const struct call *c, bool wide)
{
    struct times t;
    uint32_t path = c->args[1], flags = c->args[3];
    int e = times_in(c->args[2], wide, &t);
    if (e < 0)
        return e;
    if (t.atime_ns == FS_TIME_OMIT && t.mtime_ns == FS_TIME_OMIT)
        return 0;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (path || (int32_t)c->args[0] == AT_FDCWD)
        return set_times((int32_t)c->args[0], path, &t, flags);
    if (flags)
        return -EINVAL;
    if (t.bad) {
        struct file *f = file_of(c->args[0]);
        if (f)
            file_put(f);
        return f ? -EINVAL : -EBADF;
    }
    struct fs_set s = {.times_set = true, .atime_ns = t.atime_ns, .mtime_ns = t.mtime_ns};
    return set_file(c->args[0], &s, !t.now);
}

long sys_utimensat(struct call *c)
{
    return utimens_call(c, false);
}

long sys_utimensat_time64(struct call *c)
{
    return utimens_call(c, true);
}

long sys_utime(struct call *c)
{
    int32_t seconds[2];
    struct times t = times_now();
    if (c->args[1]) {
        int e = user_read(seconds, c->args[1], sizeof(seconds));
        if (e < 0)
            return e;
        t = (struct times){seconds[0] * (int64_t)NS_PER_S, seconds[1] * (int64_t)NS_PER_S, false,
                           false};
    }
    return set_times(AT_FDCWD, c->args[0], &t, 0);
}

static long utimes_at(int32_t dirfd, uint32_t path, uint32_t user)
{
    struct linux_timeval32 two[2];
    struct times t = times_now();
    if (user) {
        int e = user_read(two, user, sizeof(two));
        if (e < 0)
            return e;
        for (int k = 0; k < 2; k++)
            if (two[k].microseconds < 0 || two[k].microseconds >= 1000000)
                return -EINVAL;
        t = (struct times){two[0].seconds * (int64_t)NS_PER_S + two[0].microseconds * 1000,
                           two[1].seconds * (int64_t)NS_PER_S + two[1].microseconds * 1000, false,
                           false};
    }
    return set_times(dirfd, path, &t, 0);
}

long sys_utimes(struct call *c)
{
    return utimes_at(AT_FDCWD, c->args[0], c->args[1]);
}

long sys_futimesat(struct call *c)
{
    return utimes_at((int32_t)c->args[0], c->args[1], c->args[2]);
}

// ---- size --------------------------------------------------------------------------------------
static long truncate_name(uint32_t path, int64_t bytes)
{
    struct file_name n;
    if (bytes < 0)
        return -EINVAL;
    int e = file_size_allowed((uint64_t)bytes);
    if (e == 0)
        e = file_name_begin(&n, AT_FDCWD, path);
    if (e < 0)
        return e;
    e = fs_truncate(&n.who, n.at, n.path, (uint64_t)bytes);
    file_name_end(&n);
    return e;
}

static long truncate_file(uint32_t fd, int64_t bytes)
{
    if (bytes < 0)
        return -EINVAL;
    struct file *f = file_of(fd);
    if (f == NULL)
        return -EBADF;
    long e = -EINVAL;
    if (file_writes(f) && file_is_tree(f))
        e = file_size_allowed((uint64_t)bytes);
    if (e == 0)
        e = file_set(f, &(struct fs_set){.size_set = true, .bytes = (uint64_t)bytes});
    file_put(f);
    return e;
}

long sys_truncate(struct call *c)
{
    return truncate_name(c->args[0], (int32_t)c->args[1]);
}

long sys_ftruncate(struct call *c)
{
    return truncate_file(c->args[0], (int32_t)c->args[1]);
}

long sys_truncate64(struct call *c)
{
    return truncate_name(c->args[0], (int64_t)u64_of(c->args[1], c->args[2]));
}

long sys_ftruncate64(struct call *c)
{
    return truncate_file(c->args[0], (int64_t)u64_of(c->args[1], c->args[2]));
}
