// SPDX-License-Identifier: MIT
// What the bodies about files share.
#pragma once

#include "mm/user.h"
#include "ssi/fs/file.h"
#include "ssi/linux/linux.h"

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR        0x200u // and AT_EACCESS of faccessat2
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT     0x800u
#define AT_EMPTY_PATH       0x1000u
#define AT_STATX_SYNC       0x6000u

#define MOVE_BYTES_MAX 0x7ffff000u // of one read or write, as Linux has it

// A name that a call gives: who asks, where it begins, and the path from user memory.
struct file_name {
    struct fs_who who;
    struct fs_place at;
    char *path; // on the heap
};

// 0, -EFAULT, -ENAMETOOLONG, -ENOMEM, -EBADF, -ENOTDIR. file_name_end() after success. May sleep.
int file_name_begin(struct file_name *n, int32_t dirfd, uint32_t user_path);
// The same; with AT_EMPTY_PATH an empty path is no error.
int file_name_begin_flags(struct file_name *n, int32_t dirfd, uint32_t user_path,
                          uint32_t at_flags);
void file_name_end(struct file_name *n);

// The directory of that path: 0, or as fs_resolve_dir and file_name_begin. May sleep.
int file_dir_of(uint32_t user_path, struct fs_place *dir);

// The file of a descriptor of the current process, with a user more; NULL: -EBADF.
struct file *file_of(uint32_t fd);
// The same, with those open by O_PATH, which file_of does not give.
struct file *file_of_any(uint32_t fd);

// What a body returns after bytes were moved: `moved` of this entry (>= 0 or negative errno) on top
// of c->done, `wanted` in all.
long file_moved(struct call *c, const struct file *f, long moved, uint64_t wanted);

// A session leader without terminal opened f, without O_NOCTTY: a free pty becomes its controlling
// terminal. May sleep.
void file_opened_by_leader(struct file *f);

// A call that reached a file, and what it moved (or negative errno): /proc/PID/io tells of it. One
// that was interrupted moved nothing, and is most often made again.
static inline void file_count_read(long moved)
{
    struct usage *u = &process_current()->ended;
    u->reads += moved != -EINTR;
    u->read_bytes += (uint64_t)MAX(moved, 0);
}

static inline void file_count_write(long moved)
{
    struct usage *u = &process_current()->ended;
    u->writes += moved != -EINTR;
    u->written_bytes += (uint64_t)MAX(moved, 0);
}

// How many of *n bytes a regular file may take at `at` (NULL: at its offset): RLIMIT_FSIZE. 0, or
// -EFBIG after SIGXFSZ was sent to the caller.
int file_size_limit(struct file *f, const uint64_t *at, size_t *n);
// Writes what there is to write of `n` bytes of the kernel under RLIMIT_FSIZE, as sendfile(2) does:
// as many as may be, with SIGXFSZ when that is not all. Bytes, or an error when none was written.
long file_write_piece(struct file *out, const uint64_t *to, char *bytes, size_t n);
// Sleeps until one of these POLL_*, or an end, may hold: 0, -ETIMEDOUT, -EINTR. `until_ns`:
// clock_now_ns time, or WAIT_FOREVER.
int file_await(struct file *f, unsigned events, uint64_t until_ns);
// RLIMIT_FSIZE: 0, or -EFBIG after SIGXFSZ was sent to the caller.
int file_size_allowed(uint64_t bytes);

static inline uint64_t u64_of(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}
