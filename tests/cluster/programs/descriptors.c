// SPDX-License-Identifier: MIT
// Descriptors: fcntl in all its forms, dup, close_range, lseek, copy_file_range, fallocate,
// renameat2, faccessat2, statx, utimensat and the calls on names: edges and errors.
#define _GNU_SOURCE
#include "said.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void dups(void)
{
    int fd = open("/dev/null", O_RDWR), path = open("/", O_PATH);
    struct rlimit l = {100, 100}, old;
    T(fcntl(fd, F_DUPFD, 50));
    T(fcntl(fd, F_DUPFD, 50));
    T(fcntl(50, F_GETFD));
    T(fcntl(fd, F_DUPFD_CLOEXEC, 60));
    T(fcntl(60, F_GETFD));
    T(fcntl(60, F_SETFD, 0));
    T(fcntl(60, F_GETFD));
    T(fcntl(60, F_SETFD, 0xff));
    T(fcntl(60, F_GETFD));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD_CLOEXEC, -1));
    getrlimit(RLIMIT_NOFILE, &old);
    l.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
    T(fcntl(fd, F_DUPFD, 100));
    T(fcntl(fd, F_DUPFD, 99));
    T(fcntl(fd, F_DUPFD, 99));
    T(dup2(fd, 100));
    T(dup2(fd, -1));
    T(dup2(99, 99));
    T(dup2(98, 98));
    T(dup3(fd, fd, 0));
    T(dup3(98, 98, 0));
    T(dup3(fd, 100, O_CLOEXEC));
    T(dup3(fd, 70, O_NONBLOCK));
    T(dup3(fd, 70, O_CLOEXEC));
    T(fcntl(70, F_GETFD));
    T(dup2(99, 70));
    T(fcntl(70, F_GETFD));
    T(dup(-1));
    T(fcntl(-1, F_GETFD));
    T(fcntl(fd, 9999));
    T(fcntl(98, 9999));
    T(fcntl(path, F_GETFL) & O_PATH);
    T(fcntl(path, F_SETFL, 0));
    T(fcntl(path, F_GETOWN));
    T(fcntl(path, F_DUPFD, 80));
    T(close(98));
    T(close(-1));
    l.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &l);
    T(open("/dev/null", O_RDONLY));
    T(dup(0));
    setrlimit(RLIMIT_NOFILE, &old);
    T(syscall(SYS_close_range, 60, 50, 0));
    T(syscall(SYS_close_range, 50, 60, 8));
    T(syscall(SYS_close_range, 50, 51, 4));
    T(fcntl(50, F_GETFD));
    T(syscall(SYS_close_range, 50, ~0u, 2));
    T(fcntl(50, F_GETFD));
    T(fcntl(99, F_GETFD));
    T(syscall(SYS_close_range, 3, ~0u, 0));
    T(fcntl(fd, F_GETFD));
}

static void flags(void)
{
    int fd = open("/opt/d-file", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2], s[2];
    pipe(p);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT | O_SYNC));
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, O_NOATIME));
    T(fcntl(fd, F_GETFL));
    T(fcntl(fd, F_SETFL, 0));
    T(fcntl(p[0], F_GETFL));
    T(fcntl(p[1], F_GETFL));
    T(fcntl(p[0], F_SETFL, O_ASYNC));
    T(fcntl(p[0], F_GETFL));
    T(fcntl(p[0], F_SETFL, 0));
    T(fcntl(fd, F_GETPIPE_SZ));
    T(fcntl(fd, F_SETPIPE_SZ, 4096));
    T(fcntl(p[0], F_GETPIPE_SZ));
    T(fcntl(p[0], F_SETPIPE_SZ, 4096));
    T(fcntl(p[1], F_GETPIPE_SZ));
    T(fcntl(p[1], F_SETPIPE_SZ, 5000));
    T(fcntl(p[1], F_SETPIPE_SZ, 0));
    T(fcntl(p[1], F_GETPIPE_SZ));
    T(fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
    T(fcntl(p[1], F_SETPIPE_SZ, -1));
    T(fcntl(p[1], F_SETPIPE_SZ, 65536));
    fcntl(p[1], F_SETFL, O_NONBLOCK);
    fcntl(p[0], F_SETFL, O_NONBLOCK);
    static char big[65536];
    T(write(p[1], big, 65536));
    T(fcntl(p[1], F_SETPIPE_SZ, 8192));
    T(write(p[1], big, 1));
    T(fcntl(p[1], F_SETPIPE_SZ, 131072));
    T(write(p[1], big, 65536));
    T(write(p[1], big, 1));
    int n;
    T(ioctl(p[0], FIONREAD, &n));
    printf("%d\n", n);
    T(read(p[0], big, 65536));
    T(read(p[0], big, 65536));
    T(fcntl(p[1], F_SETPIPE_SZ, 4096));
    T(write(p[1], big, 8192));
    T(fcntl(fd, F_GETLEASE));
    T(fcntl(fd, F_SETLEASE, 9));
    T(fcntl(p[0], F_GETLEASE));
    T(fcntl(p[0], F_SETLEASE, F_RDLCK));
    T(fcntl(s[0], F_GETFL));
    T(fcntl(s[0], F_GETPIPE_SZ));
    close(p[0]), close(p[1]), close(s[0]), close(s[1]), close(fd);
}

static void seeks(void)
{
    int fd = open("/opt/d-file", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
    char b[10];
    pipe(p);
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 0, SEEK_HOLE));
    T(ftruncate(fd, 100000));
    T(lseek(fd, 0, SEEK_HOLE));
    T(lseek(fd, 0, SEEK_DATA));
    T(pwrite(fd, "x", 1, 40960));
    T(lseek(fd, 0, SEEK_DATA));
    T(lseek(fd, 40961, SEEK_DATA));
    T(lseek(fd, 40960, SEEK_HOLE));
    T(lseek(fd, 50000, SEEK_DATA));
    T(lseek(fd, 50000, SEEK_HOLE));
    T(lseek(fd, 99999, SEEK_HOLE));
    T(lseek(fd, 100000, SEEK_HOLE));
    T(lseek(fd, 100000, SEEK_DATA));
    T(lseek(fd, -1, SEEK_DATA));
    T(lseek(fd, 0, 9));
    T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, -5, SEEK_END));
    T(lseek(fd, -200000, SEEK_CUR));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, 0x7fffffff, SEEK_SET));
    T(lseek(fd, 10, SEEK_CUR));
    T(lseek64(fd, 1ll << 40, SEEK_SET) == 1ll << 40);
    T(read(fd, b, 1));
    T(lseek64(fd, -1, SEEK_SET));
    T(lseek(p[0], 0, SEEK_SET));
    T(lseek(p[0], 0, 9));
    T(lseek(99, 0, SEEK_SET));
    T(pread(p[0], b, 1, 0));
    T(pread(fd, b, 1, -1));
    T(pwrite(fd, b, 1, -1));
    T(pread(fd, b, 0, 0));
    T(read(fd, NULL, 0));
    T(read(fd, (void *)8, 1));
    T(lseek(fd, 0, SEEK_SET));
    T(read(fd, (void *)8, 1));
    T(readv(fd, NULL, 0));
    T(readv(fd, NULL, -1));
    T(readv(fd, NULL, 1025));
    T(readv(fd, (struct iovec[]){{b, -1}}, 1));
    T(readv(fd, (struct iovec[]){{b, 4}, {(void *)8, 4}}, 2));
    T(writev(fd, (struct iovec[]){{b, 0x7fffffff}, {b, 0x7fffffff}}, 0));
    close(p[0]), close(p[1]), close(fd);
}

static void copies(void)
{
    int a = open("/opt/d-a", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int b = open("/opt/d-b", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
    int ro = open("/opt/d-a", O_RDONLY), ap = open("/opt/d-b", O_WRONLY | O_APPEND);
    int dir = open("/opt", O_RDONLY);
    loff_t in = 2, out = 5;
    pipe(p);
    write(a, "0123456789", 10);
    T(copy_file_range(a, NULL, b, NULL, 10, 0));
    T(copy_file_range(a, &in, b, &out, 100, 0));
    printf("%lld %lld\n", (long long)in, (long long)out);
    T(lseek(b, 0, SEEK_END));
    T(copy_file_range(a, &in, b, &out, 100, 0));
    T(copy_file_range(a, NULL, b, NULL, 10, 1));
    T(copy_file_range(ap, NULL, b, NULL, 10, 0));
    T(copy_file_range(a, NULL, ro, NULL, 10, 0));
    T(copy_file_range(a, NULL, ap, NULL, 10, 0));
    T(copy_file_range(p[0], NULL, b, NULL, 10, 0));
    T(copy_file_range(a, NULL, p[1], NULL, 10, 0));
    T(copy_file_range(dir, NULL, b, NULL, 10, 0));
    T(copy_file_range(a, NULL, dir, NULL, 10, 0));
    T(copy_file_range(99, NULL, b, NULL, 10, 0));
    in = 0, out = 5;
    T(copy_file_range(a, &in, a, &out, 6, 0));
    T(copy_file_range(a, &in, a, &out, 5, 0));
    in = 0;
    T(copy_file_range(a, &in, b, &out, 0, 0));
    T(copy_file_range(a, (void *)8, b, &out, 5, 0));
    close(a), close(b), close(p[0]), close(p[1]), close(ro), close(ap), close(dir);
}

static void rooms(void)
{
    int a = open("/opt/d-a", O_RDWR), p[2], ro = open("/opt/d-a", O_RDONLY);
    int ap = open("/opt/d-b", O_WRONLY | O_APPEND), dir = open("/opt", O_RDONLY);
    struct stat st;
    pipe(p);
    T(fallocate(a, 0, 0, 20000));
    fstat(a, &st);
    printf("%ld\n", (long)st.st_size);
    T(fallocate(a, FALLOC_FL_KEEP_SIZE, 0, 40000));
    fstat(a, &st);
    printf("%ld\n", (long)st.st_size);
    T(pwrite(a, "xxxxx", 5, 8190));
    T(fallocate(a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 4096));
    char c[5];
    T(pread(a, c, 5, 8190));
    printf("%d %d %d\n", c[1], c[2], c[4]);
    T(fallocate(a, FALLOC_FL_PUNCH_HOLE, 8192, 4096));
    T(fallocate(a, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3));
    T(pread(a, c, 5, 0));
    printf("%d %d %d\n", c[0], c[2], c[3]);
    T(fallocate(a, 0, -1, 10));
    T(fallocate(a, 0, 0, 0));
    T(fallocate(a, 0, 0, -1));
    T(fallocate(ro, 0, 0, 10));
    T(fallocate(dir, 0, 0, 10));
    T(fallocate(p[1], 0, 0, 10));
    T(fallocate(99, 0, 0, 10));
    T(fallocate(a, 0x1000, 0, 10));
    T(fallocate(a, FALLOC_FL_COLLAPSE_RANGE, 0, 4096));
    T(fallocate(a, FALLOC_FL_INSERT_RANGE, 0, 4096));
    T(posix_fadvise(a, 0, 0, 99));
    T(posix_fadvise(p[0], 0, 0, 0));
    T(posix_fadvise(a, 0, 0, POSIX_FADV_DONTNEED));
    T(syscall(SYS_readahead, a, 0, 0, 10));
    T(syscall(SYS_readahead, p[0], 0, 0, 10));
    T(syscall(SYS_readahead, ap, 0, 0, 10));
    T(sync_file_range(a, 0, 0, 8));
    T(sync_file_range(a, 0, 0, 7));
    T(sync_file_range(p[0], 0, 0, 7));
    T(ftruncate(a, -1));
    T(ftruncate(ro, 5));
    T(ftruncate(p[1], 5));
    T(truncate("/opt", 5));
    T(truncate("/opt/none", 5));
    T(fsync(p[0]));
    T(fdatasync(99));
    T(fsync(dir));
    close(a), close(p[0]), close(p[1]), close(ro), close(ap), close(dir);
}

#define NOREPLACE 1
#define EXCHANGE  2
#define WHITEOUT  4

static void names(void)
{
    struct stat st;
    int dir = open("/opt", O_RDONLY | O_DIRECTORY);
    close(open("/opt/d-one", O_CREAT | O_WRONLY, 0640));
    close(open("/opt/d-two", O_CREAT | O_WRONLY, 0600));
    mkdir("/opt/d-dir", 0755);
    mkdir("/opt/d-dir/in", 0755);
    symlink("d-one", "/opt/d-link");
    symlink("/nowhere", "/opt/d-dead");
    T(renameat2(dir, "d-one", dir, "d-two", NOREPLACE));
    T(renameat2(dir, "d-one", dir, "d-new", NOREPLACE));
    T(renameat2(dir, "d-new", dir, "d-one", 0));
    T(renameat2(dir, "d-one", dir, "d-two", NOREPLACE | EXCHANGE));
    T(renameat2(dir, "d-one", dir, "d-two", 8));
    T(renameat2(dir, "d-one", dir, "d-two", EXCHANGE | WHITEOUT));
    T(renameat2(dir, "d-one", dir, "/opt/d-none", EXCHANGE));
    T(renameat2(dir, "d-one", dir, "d-dir", EXCHANGE));
    T(stat("/opt/d-one", &st));
    printf("%o\n", st.st_mode);
    T(stat("/opt/d-dir", &st));
    printf("%o\n", st.st_mode);
    T(renameat2(dir, "d-one", dir, "d-dir", EXCHANGE));
    T(renameat2(dir, "d-dir", dir, "d-dir/in/x", EXCHANGE));
    T(renameat2(dir, "d-dir", dir, "d-dir/in", EXCHANGE));
    T(renameat2(dir, "d-dir/in", dir, "d-dir", EXCHANGE));
    T(rename("/opt/d-dir", "/opt/d-dir/in/x"));
    T(rename("/opt/d-one", "/opt/d-dir"));
    T(rename("/opt/d-dir", "/opt/d-one"));
    T(rename("/opt/d-dir/in", "/opt/d-dir"));
    T(rename("/opt/d-one", "/opt/d-one/"));
    T(rename("/opt/d-one/", "/opt/d-x"));
    T(rename("/opt/.", "/opt/d-x"));
    T(rename("/opt/d-dir/..", "/opt/d-x"));
    T(syscall(SYS_faccessat2, dir, "d-one", 9, 0));
    T(syscall(SYS_faccessat2, dir, "d-one", R_OK | W_OK, 0));
    T(syscall(SYS_faccessat2, dir, "d-one", X_OK, 0));
    T(syscall(SYS_faccessat2, dir, "d-one", R_OK, 0x800000));
    T(syscall(SYS_faccessat2, dir, "d-dead", F_OK, 0));
    T(syscall(SYS_faccessat2, dir, "d-dead", F_OK, AT_SYMLINK_NOFOLLOW));
    T(syscall(SYS_faccessat2, dir, "d-one", R_OK, AT_EACCESS));
    T(syscall(SYS_faccessat2, dir, "", R_OK, AT_EMPTY_PATH));
    T(syscall(SYS_faccessat2, dir, "", R_OK, 0));
    T(syscall(SYS_faccessat2, 99, "x", R_OK, 0));
    T(syscall(SYS_faccessat2, 99, "/opt/d-one", R_OK, 0));
    close(dir);
}

static void attributes(void)
{
    struct statx x;
    struct statfs fs;
    int dir = open("/opt", O_RDONLY | O_DIRECTORY), fd = open("/opt/d-one", O_RDWR);
    T(statx(dir, "d-one", 0, STATX_BASIC_STATS, &x));
    printf("%x %o %u\n", x.stx_mask & STATX_BASIC_STATS, x.stx_mode, x.stx_nlink);
    T(statx(dir, "d-one", 0, 0, &x));
    T(statx(dir, "d-one", 0, 0x80000000, &x));
    T(statx(dir, "d-one", 0x10, STATX_SIZE, &x));
    T(statx(dir, "d-one", AT_STATX_SYNC_TYPE, STATX_SIZE, &x));
    T(statx(dir, "d-one", AT_STATX_DONT_SYNC, STATX_SIZE, &x));
    T(statx(dir, "", 0, STATX_SIZE, &x));
    T(statx(dir, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    T(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    T(statx(99, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    T(statx(fd, "x", 0, STATX_SIZE, &x));
    T(statx(dir, "d-link", AT_SYMLINK_NOFOLLOW, STATX_SIZE, &x));
    printf("%o %llu\n", x.stx_mode, (unsigned long long)x.stx_size);
    T(statx(dir, "d-one", 0, STATX_SIZE, (void *)8));
    T(statx(dir, NULL, 0, STATX_SIZE, &x));
    T(statfs("/opt/none", &fs));
    T(fstatfs(99, &fs));
    T(utimensat(dir, "d-one", (struct timespec[]){{1, 1000000000}, {0, 0}}, 0));
    T(utimensat(dir, "d-one", (struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}, 0));
    T(utimensat(dir, "none", (struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}, 0));
    T(utimensat(dir, "d-one", NULL, 0x10));
    T(utimensat(dir, "", NULL, AT_EMPTY_PATH));
    T(futimens(fd, (struct timespec[]){{5, 6}, {7, 8}}));
    T(statx(fd, "", AT_EMPTY_PATH, STATX_ATIME | STATX_MTIME, &x));
    printf("%lld %u %lld %u\n", (long long)x.stx_atime.tv_sec, x.stx_atime.tv_nsec,
           (long long)x.stx_mtime.tv_sec, x.stx_mtime.tv_nsec);
    T(fchmodat(dir, "d-one", 0600, AT_SYMLINK_NOFOLLOW));
    T(syscall(SYS_fchmodat, dir, "d-dead", 0600));
    T(fchownat(dir, "d-one", 1, 1, 0x10));
    T(fchownat(dir, "", -1, -1, AT_EMPTY_PATH));
    T(linkat(dir, "d-one", dir, "d-one2", 0x10));
    T(linkat(dir, "d-link", dir, "d-l1", 0));
    T(linkat(dir, "d-link", dir, "d-l2", AT_SYMLINK_FOLLOW));
    T(linkat(fd, "", dir, "d-l3", AT_EMPTY_PATH));
    T(linkat(dir, "d-dir", dir, "d-l4", 0));
    T(unlinkat(dir, "d-dir", 0));
    T(unlinkat(dir, "d-one", AT_REMOVEDIR));
    T(unlinkat(dir, "d-dir", AT_REMOVEDIR));
    T(unlinkat(dir, "d-one", 0x10));
    T(unlinkat(dir, "d-dir/in/.", AT_REMOVEDIR));
    T(unlinkat(dir, "..", AT_REMOVEDIR));
    T(mkdirat(dir, "d-dir", 0));
    T(mkdirat(dir, "", 0));
    T(mkdirat(99, "x", 0));
    T(symlinkat("", dir, "d-empty"));
    T(readlinkat(dir, "d-one", (char *)&x, 10));
    T(readlinkat(dir, "d-link", (char *)&x, 0));
    T(readlinkat(dir, "d-link", (char *)&x, 3));
    T(mknodat(dir, "d-fifo", S_IFIFO | 0600, 0));
    T(mknodat(dir, "d-bad", 0130000, 0));
    T(mknodat(dir, "d-dir2", S_IFDIR, 0));
    T(flock(fd, LOCK_EX | LOCK_SH));
    T(flock(99, LOCK_EX));
    close(dir), close(fd);
}

static int listener(struct sockaddr_un *a)
{
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    *a = (struct sockaddr_un){AF_UNIX, "/opt/d-socket"};
    T(bind(s, (struct sockaddr *)a, sizeof(*a)));
    T(listen(s, 1));
    return s;
}

// Without a place for a descriptor nothing is made and nobody is taken off a queue.
static void full(void)
{
    struct rlimit old, none;
    struct sockaddr_un a;
    int s = listener(&a), to = socket(AF_UNIX, SOCK_STREAM, 0);
    T(connect(to, (struct sockaddr *)&a, sizeof(a)));
    getrlimit(RLIMIT_NOFILE, &old);
    none = (struct rlimit){0, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    T(open("/opt/d-full", O_CREAT | O_WRONLY, 0600));
    T(open("/opt/d-none", O_RDONLY));
    T(accept(s, NULL, NULL));
    setrlimit(RLIMIT_NOFILE, &old);
    T(access("/opt/d-full", F_OK));
    int made = accept(s, NULL, NULL);
    T(made < 0);
    close(made), close(to), close(s);
}

// What a call refuses it does not keep.
static void refused(void)
{
    int p[2];
    struct iovec v = {"x", 1};
    T(pipe(p));
    T(pwritev2(p[1], &v, 1, -1, ~0));
    T(pwritev2(p[1], &v, 1, -2, RWF_APPEND));
    close(p[1]);
    struct pollfd w = {p[0], POLLIN, 0};
    T(poll(&w, 1, 0));
    close(p[0]);
}

// The links of /proc/PID/fd tell what a file is open for.
static void links(void)
{
    static const int ways[] = {O_RDONLY, O_WRONLY, O_RDWR, O_PATH, O_WRONLY | O_APPEND};
    T(close(open("/opt/d-link", O_CREAT | O_RDWR, 0600)));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char name[40];
        struct stat s;
        int fd = open("/opt/d-link", ways[i]);
        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        int r = lstat(name, &s);
        printf("open %o: %d %o\n", ways[i], r, s.st_mode);
        close(fd);
    }
    unlink("/opt/d-link");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    dups();
    flags();
    seeks();
    copies();
    rooms();
    names();
    attributes();
    full();
    refused();
    links();
    return 0;
}
