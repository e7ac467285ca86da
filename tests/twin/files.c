// SPDX-License-Identifier: MIT
// Names: what makes, moves, removes and describes files, by path and by descriptor.
#include "files.h"

#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

static void step_link(void)
{
    static const int flags[] = {0, 0, AT_SYMLINK_FOLLOW, AT_EMPTY_PATH, 0x8000};
    struct path from = draw_path(), to = draw_path();
    int a = draw_at(), b = draw_at(), f = PICK(flags);
    if (CALL(geteuid32)) // what of it needs root is not the same in 6.1 and later
        f &= ~AT_EMPTY_PATH;
    if (draw(2))
        said(CALL(link, from.at, to.at), "link(%s, %s)", from.words, to.words);
    else
        said(CALL(linkat, a, from.at, b, to.at, f), "linkat(%d, %s, %d, %s, %x)", a, from.words, b,
             to.words, f);
}

static void step_symlink(void)
{
    struct path from = draw_path(), to = draw_path();
    int at = draw_at();
    if (draw(2))
        said(CALL(symlink, from.at, to.at), "symlink(%s, %s)", from.words, to.words);
    else
        said(CALL(symlinkat, from.at, at, to.at), "symlinkat(%s, %d, %s)", from.words, at,
             to.words);
}

static void step_rename(void)
{
    // Not RENAME_WHITEOUT: that is for file systems above others.
    static const unsigned flags[] = {
        0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_NOREPLACE | RENAME_EXCHANGE, 8, 0x80000000};
    struct path from = draw_path(), to = draw_path();
    int a = draw_at(), b = draw_at();
    unsigned f = PICK(flags);
    if (*from.words == 'a') // too long: seen before or after what is wrong with the other
        from = (struct path){"a", "a"};
    if (draw(2))
        said(CALL(rename, from.at, to.at), "rename(%s, %s)", from.words, to.words);
    else
        said(CALL(renameat2, a, from.at, b, to.at, f), "renameat2(%d, %s, %d, %s, %x)", a,
             from.words, b, to.words, f);
}

static void step_remove(void)
{
    static const int flags[] = {0, AT_REMOVEDIR, AT_REMOVEDIR, 0x100, AT_EMPTY_PATH};
    struct path p = draw_path();
    int at = draw_at(), f = PICK(flags);
    if (draw(2))
        said(CALL(rmdir, p.at), "rmdir(%s)", p.words);
    else
        said(CALL(unlinkat, at, p.at, f), "unlinkat(%d, %s, %x)", at, p.words, f);
}

static void step_mknod(void)
{
    static const mode_t types[] = {0, S_IFREG, S_IFIFO, S_IFSOCK, S_IFDIR, S_IFLNK, 0170000};
    struct path p = draw_path();
    mode_t mode = PICK(types) | draw_mode();
    int at = draw_at();
    said(CALL(mknodat, at, p.at, mode, 0), "mknodat(%d, %s, %o)", at, p.words, mode);
}

static void step_mkdirat(void)
{
    struct path p = draw_path();
    mode_t mode = draw_mode();
    int at = draw_at();
    said(CALL(mkdirat, at, p.at, mode), "mkdirat(%d, %s, %o)", at, p.words, mode);
}

static void step_chmod(void)
{
    static const int flags[] = {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH};
    struct path p = draw_path();
    int at = draw_at(), fd = draw_fd(), f = PICK(flags);
    mode_t mode = draw_mode();
    switch (draw(4)) {
    case 0:
        said(CALL(chmod, p.at, mode), "chmod(%s, %o)", p.words, mode);
        break;
    case 1:
        said(CALL(fchmod, fd, mode), "fchmod(%d, %o)", fd, mode);
        break;
    case 2:
        said(CALL(fchmodat, at, p.at, mode), "fchmodat(%d, %s, %o)", at, p.words, mode);
        break;
    default:
        said(syscall(452, at, p.at, mode, f), "fchmodat2(%d, %s, %o, %x)", at, p.words, mode, f);
    }
}

static void step_chown(void)
{
    static const int ids[] = {-1, -1, 0, 1000, 2000, 1 << 20};
    static const int flags[] = {0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x800};
    struct path p = draw_path();
    int at = draw_at(), fd = draw_fd(), f = PICK(flags), uid = PICK(ids), gid = PICK(ids);
    switch (draw(5)) {
    case 0:
        said(CALL(chown32, p.at, uid, gid), "chown(%s, %d, %d)", p.words, uid, gid);
        break;
    case 1:
        said(CALL(lchown32, p.at, uid, gid), "lchown(%s, %d, %d)", p.words, uid, gid);
        break;
    case 2:
        said(CALL(fchown32, fd, uid, gid), "fchown(%d, %d, %d)", fd, uid, gid);
        break;
    case 3:
        said(CALL(chown, p.at, uid, gid), "chown16(%s, %d, %d)", p.words, uid, gid);
        break;
    default:
        said(CALL(fchownat, at, p.at, uid, gid, f), "fchownat(%d, %s, %d, %d, %x)", at, p.words,
             uid, gid, f);
    }
}

static void step_access(void)
{
    static const int flags[] = {
        0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x800, AT_EACCESS | AT_SYMLINK_NOFOLLOW};
    struct path p = draw_path();
    int at = draw_at(), f = PICK(flags), mode = draw(20) ? (int)draw(8) : 8;
    if (draw(2))
        said(CALL(access, p.at, mode), "access(%s, %d)", p.words, mode);
    else
        said(CALL(faccessat2, at, p.at, mode, f), "faccessat2(%d, %s, %d, %x)", at, p.words, mode,
             f);
}

static void step_times(void)
{
    static const int nsec[] = {0,          0,          5,          999999999, UTIME_NOW,
                               UTIME_OMIT, UTIME_OMIT, 1000000000, -1};
    static const int flags[] = {0, 0, AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, 0x800};
    struct path p = draw_path();
    int64_t times[4] = {(int64_t)draw(1 << 29), PICK(nsec), (int64_t)draw(1 << 29), PICK(nsec)};
    int at = draw_at(), f = PICK(flags);
    bool null_path = draw(5) == 0, null_times = draw(6) == 0;
    said(CALL(utimensat_time64, at, null_path ? NULL : p.at, null_times ? NULL : times, f),
         "utimensat(%d, %s, %s %lld %lld, %x)", at, null_path ? "NULL" : p.words,
         null_times ? "now" : "", (long long)times[1], (long long)times[3], f);
}

static void step_stat(void)
{
    static const int flags[] = {0,
                                0,
                                AT_SYMLINK_NOFOLLOW,
                                AT_EMPTY_PATH,
                                AT_EMPTY_PATH,
                                AT_NO_AUTOMOUNT,
                                0x2000,
                                0x4000,
                                0x6000,
                                0x200};
    static const unsigned masks[] = {STATX_ALL, STATX_BASIC_STATS, 0, STATX_SIZE, 0x80000000};
    struct path p = draw_path();
    struct statx st;
    int at = draw_at(), f = PICK(flags);
    unsigned mask = PICK(masks) | STATX_MTIME | STATX_CTIME; // later ones ask for these alone
    memset(&st, 0, sizeof(st));
    if (p.at == NULL) // an empty path to later ones
        f &= ~AT_EMPTY_PATH;
    if (said(CALL(statx, at, p.at, f, mask, &st), "statx(%d, %s, %x, %x)", at, p.words, f, mask) ==
        0) {
        printf("%u:   mask %x\n", twin_step, st.stx_mask & STATX_BASIC_STATS);
        said_stat("is", &st);
    }
}

static void step_stat64(void)
{
    struct path p = draw_path();
    struct stat64 st;
    int fd = draw_fd(), at = draw_at();
    long done;
    memset(&st, 0, sizeof(st));
    switch (draw(4)) {
    case 0:
        done = said(CALL(stat64, p.at, &st), "stat64(%s)", p.words);
        break;
    case 1:
        done = said(CALL(lstat64, p.at, &st), "lstat64(%s)", p.words);
        break;
    case 2:
        done = said(CALL(fstat64, fd, &st), "fstat64(%d)", fd);
        break;
    default:
        done = said(CALL(fstatat64, at, p.at, &st, 0), "fstatat64(%d, %s)", at, p.words);
    }
    if (done == 0)
        printf("%u:   %o %u %u %u %ld\n", twin_step, st.st_mode, (unsigned)st.st_nlink, st.st_uid,
               st.st_gid, (long)st.st_blksize);
}

static void step_readlink(void)
{
    static const int sizes[] = {64, 64, 64, 1, 0, -1};
    struct path p = draw_path();
    int at = draw_at(), size = PICK(sizes);
    long got =
        said(CALL(readlinkat, at, p.at, buffer, size), "readlinkat(%d, %s, %d)", at, p.words, size);
    if (got > 0)
        printf("%u:   %.*s\n", twin_step, (int)(got < 64 ? got : 64), buffer);
}

static void step_chdir(void)
{
    struct path p = draw_path();
    int fd = draw_fd();
    switch (draw(4)) {
    case 0:
        said(CALL(chdir, p.at), "chdir(%s)", p.words);
        break;
    case 1:
        said(CALL(fchdir, fd), "fchdir(%d)", fd);
        break;
    default:
        said(CALL(chdir, "/twin"), "chdir(/twin)");
    }
}

static void step_getcwd(void)
{
    static const int sizes[] = {64, 64, 1, 0, 5, -1};
    int size = PICK(sizes);
    memset(buffer, 0, 64);
    said(CALL(getcwd, buffer, size), "getcwd(%d)", size);
    printf("%u:   %.63s\n", twin_step, buffer);
}

static void step_list(void)
{
    struct entry {
        char words[40];
    } all[64];
    int fd = draw_fd();
    unsigned n = 0;
    lseek64(fd, 0, SEEK_SET);
    if (draw(8) == 0) {
        unsigned size = draw(24);
        said(CALL(getdents64, fd, buffer, size), "getdents64(%d, %u)", fd, size);
        return;
    }
    long got = CALL(getdents64, fd, buffer, BUFFER);
    said(got < 0 ? -1 : 0, "getdents64(%d)", fd);
    for (long i = 0; i < got && n < 64;) {
        struct dirent64 *e = (struct dirent64 *)(buffer + i);
        snprintf(all[n++].words, sizeof(all[0].words), "%.20s %u", e->d_name, e->d_type);
        i += e->d_reclen;
    }
    qsort(all, n, sizeof(all[0]), by_name);
    for (unsigned i = 0; i < n; i++)
        printf("%u:   %s\n", twin_step, all[i].words);
}

// Linux 6.1 looks at the file first, later ones at the other arguments: what is wrong is asked of a
// file that is there. (Sizes stay within what a file system of a block has for them.)
static const char *draw_attribute(void)
{
    static const char *const names[] = {"user.a", "user.b",    "user.c",  "user.",    "user",
                                        "",       "trusted.a", "other.a", "system.a", "security.a"};
    return draw(4) ? names[draw(3)] : PICK(names);
}

static void step_setxattr(void)
{
    static const int flags[] = {0, 0, 0, XATTR_CREATE, XATTR_REPLACE, 3, 4};
    static const unsigned sizes[] = {0, 1, 5, 100, 500, 65537};
    struct path p = draw_path();
    const char *name = draw_attribute();
    unsigned size = PICK(sizes);
    int f = PICK(flags), fd = draw_fd();
    fill();
    if (f > 3 || size > 500 || !*name)
        p = (struct path){"/twin", "/twin"};
    if (fd == AT_FDCWD) // later ones take it for a directory
        fd = -1;
    switch (draw(*p.words == '/' ? 2 : 3)) {
    case 0:
        said(CALL(setxattr, p.at, name, buffer, size, f), "setxattr(%s, %s, %u, %d)", p.words, name,
             size, f);
        break;
    case 1:
        said(CALL(lsetxattr, p.at, name, buffer, size, f), "lsetxattr(%s, %s, %u, %d)", p.words,
             name, size, f);
        break;
    default:
        said(CALL(fsetxattr, fd, name, buffer, size, f), "fsetxattr(%d, %s, %u, %d)", fd, name,
             size, f);
    }
}

static void step_getxattr(void)
{
    static const unsigned sizes[] = {0, 1, 5, 100, 5000, 65536, 0xffffffff};
    struct path p = draw_path();
    const char *name = draw_attribute();
    unsigned size = PICK(sizes);
    int fd = draw_fd();
    long got;
    if (!*name)
        p = (struct path){"/twin", "/twin"};
    if (fd == AT_FDCWD)
        fd = -1;
    switch (draw(*p.words == '/' ? 3 : 5)) {
    case 0:
        got = said(CALL(getxattr, p.at, name, buffer, size), "getxattr(%s, %s, %u)", p.words, name,
                   size);
        break;
    case 1:
        got = said(CALL(removexattr, p.at, name), "removexattr(%s, %s)", p.words, name);
        break;
    case 2:
        got = said(CALL(llistxattr, p.at, buffer, size), "llistxattr(%s, %u)", p.words, size);
        return; // in an order of its own
    case 3:
        got =
            said(CALL(fgetxattr, fd, name, buffer, size), "fgetxattr(%d, %s, %u)", fd, name, size);
        break;
    default:
        got = said(CALL(fremovexattr, fd, name), "fremovexattr(%d, %s)", fd, name);
        break;
    }
    if (got > 0 && size)
        said_bytes("got", buffer, got);
}

static void step_openat2(void)
{
    static const uint64_t resolves[] = {0,
                                        0,
                                        RESOLVE_NO_SYMLINKS,
                                        RESOLVE_BENEATH,
                                        RESOLVE_IN_ROOT,
                                        RESOLVE_NO_MAGICLINKS,
                                        RESOLVE_NO_XDEV,
                                        0x100,
                                        RESOLVE_BENEATH | RESOLVE_IN_ROOT};
    static const unsigned flags[] = {
        O_RDONLY,        O_RDWR | O_CREAT,      O_PATH,     O_DIRECTORY, O_TMPFILE | 2,
        O_PATH | O_RDWR, O_CREAT | O_DIRECTORY, 0x40000000, O_RDWR};
    static const unsigned sizes[] = {24, 24, 24, 24, 24, 24, 23, 25, 0, 32};
    struct path p = draw_path();
    struct open_how how[2] = {{PICK(flags) | O_NONBLOCK | 0100000, 0, PICK(resolves)}, {0, 0, 0}};
    int at = draw_at();
    unsigned size = PICK(sizes);
    if (how[0].flags & O_PATH)
        how[0].flags &= ~(uint64_t)(O_NONBLOCK | 0100000);
    if (how[0].flags & (O_CREAT | __O_TMPFILE) || draw(10) == 0)
        how[0].mode = draw(9) ? draw_mode() : 010777;
    said_fd((int)said(CALL(openat2, at, p.at, how, size), "openat2(%d, %s, %llo, %llo, %llx, %u)",
                      at, p.words, (unsigned long long)how[0].flags,
                      (unsigned long long)how[0].mode, (unsigned long long)how[0].resolve, size));
}

static void step_truncate(void)
{
    struct path p = draw_path();
    int64_t to = draw_offset();
    said(CALL(truncate64, p.at, LOW(to), HIGH(to)), "truncate64(%s, %lld)", p.words, (long long)to);
}

static void step_statfs(void)
{
    struct path p = draw_path();
    struct statfs64 s;
    unsigned size = draw(8) ? sizeof(s) : sizeof(s) - 4;
    memset(&s, 0, sizeof(s));
    if (said(CALL(statfs64, p.at, size, &s), "statfs64(%s, %u)", p.words, size) == 0)
        printf("%u:   %lx %ld %ld\n", twin_step, (long)s.f_type, (long)s.f_bsize,
               (long)s.f_namelen);
}

static void step_olds(void)
{
    struct path p = draw_path(), q = draw_path();
    mode_t mode = draw_mode();
    switch (draw(3)) {
    case 0:
        said_fd((int)said(CALL(creat, p.at, mode), "creat(%s, %o)", p.words, mode));
        break;
    case 1:
        said(CALL(renameat, AT_FDCWD, p.at, AT_FDCWD, q.at), "renameat(%s, %s)", p.words, q.words);
        break;
    default:
        said(CALL(readlink, p.at, buffer, 64), "readlink(%s)", p.words);
    }
}

static void step_dup(void)
{
    int fd = draw_fd(), to = draw_fd();
    if (draw(2))
        said(CALL(dup, fd), "dup(%d)", fd);
    else
        said(CALL(dup2, fd, to), "dup2(%d, %d)", fd, to);
}

static const struct step steps[] = {
    {step_make, 8},     {step_open, 12},   {step_close, 8},    {step_dup, 2},    {step_write, 4},
    {step_read, 2},     {step_mkdir, 6},   {step_mkdirat, 3},  {step_link, 6},   {step_symlink, 6},
    {step_rename, 10},  {step_unlink, 4},  {step_remove, 6},   {step_mknod, 4},  {step_chmod, 5},
    {step_chown, 5},    {step_access, 5},  {step_times, 4},    {step_stat, 6},   {step_stat64, 4},
    {step_readlink, 3}, {step_chdir, 3},   {step_getcwd, 2},   {step_list, 4},   {step_setxattr, 4},
    {step_getxattr, 6}, {step_openat2, 5}, {step_truncate, 3}, {step_statfs, 1}, {step_olds, 2},
    {step_become, 5},   {step_umask, 1},   {step_look, 6}};

int main(int argc, char **argv)
{
    tells_blocks = true;
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), files_begin);
}
