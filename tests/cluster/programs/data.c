// SPDX-License-Identifier: MIT
// Open files and their data: offsets, append, vectors, truncation, holes, copies between files,
// descriptors, fcntl, locks of all kinds, limits.
#define _GNU_SOURCE
#include "said.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char b[65536];

static void ends(int fd);

static void moving(void)
{
    int fd = open("f", O_CREAT | O_RDWR | O_TRUNC, 0644);
    T(write(fd, "0123456789", 10));
    T(lseek(fd, -3, SEEK_END));
    T(read(fd, b, 100));
    T(read(fd, b, 100));
    T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, -100, SEEK_CUR));
    T(lseek(fd, 0, 9));
    T(lseek(fd, 100, SEEK_SET));
    T(read(fd, b, 1));
    T(write(fd, "x", 1));
    T(pread(fd, b, 3, 2));
    T(pread(fd, b, 3, -1));
    T(pread(fd, b, 3, 1000));
    T(pwrite(fd, "yy", 2, 4));
    T(pwrite(fd, "yy", 2, -4));
    T(lseek(fd, 0, SEEK_CUR));
    T(read(fd, NULL, 0));
    T(read(fd, (void *)8, 1));
    lseek(fd, 0, SEEK_SET);
    T(read(fd, (void *)8, 1));
    T(read(fd, (void *)8, 0));
    T(write(fd, (void *)8, 4));
    T(write(fd, (void *)0xc0000000, 4));
    T(read(fd, b, 0x80000000u));
    T(lseek(fd, 0, SEEK_CUR));
    T(read(99, b, 1));
    T(write(99, b, 1));
    ends(fd);
}

// Sizes and appending.
static void ends(int fd)
{
    int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY);
    T(write(ro, "x", 1));
    T(read(wo, b, 1));
    T(ftruncate(ro, 1));
    T(ftruncate(wo, -1));
    T(ftruncate(wo, 5));
    T(lseek(fd, 0, SEEK_END));
    T(ftruncate(wo, 5000));
    T(pread(fd, b, 100, 4990));
    T(truncate("f", 3));
    T(truncate("nothere", 3));
    T(truncate("f", -3));
    T(truncate(".", 3));
    struct stat s;
    fstat(fd, &s);
    printf("size %ld\n", (long)s.st_size);
    close(ro);
    close(wo);
    int a = open("f", O_WRONLY | O_APPEND);
    T(write(a, "abc", 3));
    T(lseek(a, 0, SEEK_CUR));
    T(lseek(a, 0, SEEK_SET));
    T(write(a, "def", 3));
    T(pwrite(a, "ghi", 3, 0)); // goes to the end on Linux
    T(pread(fd, b, 100, 0));
    printf("%.12s\n", b);
    T(fcntl(fd, F_SETFL, O_APPEND));
    lseek(fd, 0, SEEK_SET);
    T(write(fd, "Z", 1));
    T(lseek(fd, 0, SEEK_CUR));
    close(a);
    close(fd);
    fd = open("big", O_CREAT | O_RDWR | O_LARGEFILE, 0600);
    T(lseek64(fd, 0x100000000LL, SEEK_SET) == 0x100000000LL);
    T(write(fd, "end", 3));
    fstat(fd, &s);
    T(pread64(fd, b, 10, 0x100000000LL - 2));
    T(lseek(fd, 0, SEEK_END));
    close(fd);
    T(syscall(SYS_open, "big", O_RDONLY));
    T(open64("big", O_RDONLY));
    close(3);
    unlink("big");
}

static void vectors(void)
{
    int fd = open("v", O_CREAT | O_RDWR | O_TRUNC, 0644);
    struct iovec v[3] = {{"abc", 3}, {"", 0}, {"defg", 4}};
    T(writev(fd, v, 3));
    T(writev(fd, v, -1));
    T(writev(fd, v, 0));
    T(writev(fd, v, 1025));
    T(writev(fd, (void *)8, 1));
    struct iovec bad[2] = {{"ok", 2}, {(void *)8, 5}};
    T(writev(fd, bad, 2));
    struct iovec neg[1] = {{b, 0xffffffff}};
    T(writev(fd, neg, 1));
    char x[4], y[8];
    struct iovec r[2] = {{x, 2}, {y, 3}};
    T(preadv(fd, r, 2, 1));
    printf("%.2s %.3s\n", x, y);
    T(pwritev(fd, v, 3, 2));
    T(preadv(fd, r, 2, -1));
    T(preadv2(fd, r, 2, 0, 0));
    T(preadv2(fd, r, 2, -1, 0));
    T(pwritev2(fd, v, 1, 0, RWF_APPEND));
    T(pwritev2(fd, v, 1, 0, 0x40000000));
    T(pwritev2(fd, v, 1, -1, RWF_DSYNC));
    T(lseek(fd, 0, SEEK_END));
    close(fd);
}

static void holes(void)
{
    int fd = open("h", O_CREAT | O_RDWR | O_TRUNC, 0644);
    struct stat s;
    T(ftruncate(fd, 1 << 20));
    fstat(fd, &s);
    printf("blocks %ld\n", (long)s.st_blocks);
    T(pwrite(fd, "data", 4, 65536));
    T(lseek(fd, 65537, SEEK_DATA));
    T(lseek(fd, 1 << 20, SEEK_HOLE));
    T(lseek(fd, -1, SEEK_DATA));
    fstat(fd, &s);
    T(fallocate(fd, 0, 0, 10));
    T(fallocate(fd, 0, 0, 0));
    T(fallocate(fd, 0, -1, 10));
    T(fallocate(fd, 0, 1 << 20, 4096));
    fstat(fd, &s);
    printf("size %ld\n", (long)s.st_size);
    T(fallocate(fd, FALLOC_FL_KEEP_SIZE, 2 << 20, 4096));
    fstat(fd, &s);
    printf("size %ld\n", (long)s.st_size);
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096));
    T(pread(fd, b, 4, 65536));
    printf("%d%d%d%d\n", b[0], b[1], b[2], b[3]);
    T(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 65536, 4096));
    T(fallocate(99, 0, 0, 1));
    int ro = open("h", O_RDONLY);
    T(fallocate(ro, 0, 0, 1));
    T(posix_fallocate(fd, 0, 100));
    int p[2];
    pipe(p);
    T(fallocate(p[1], 0, 0, 1));
    T(lseek(p[0], 0, SEEK_SET));
    T(pread(p[0], b, 1, 0));
    T(ftruncate(p[1], 0));
    T(fsync(p[0]));
    T(fsync(fd));
    T(fdatasync(fd));
    T(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    T(posix_fadvise(fd, 0, 0, 77));
    T(posix_fadvise(p[0], 0, 0, 0));
    T(posix_fadvise(99, 0, 0, 0));
    T(readahead(fd, 0, 10));
    T(sync_file_range(fd, 0, 0, 0));
    close(p[0]);
    close(p[1]);
    close(ro);
    close(fd);
}

static void copies(void)
{
    int in = open("in", O_CREAT | O_RDWR | O_TRUNC, 0644);
    int out = open("out", O_CREAT | O_RDWR | O_TRUNC, 0644);
    int p[2];
    off_t at = 2;
    pipe(p);
    T(write(in, "hello world", 11));
    T(sendfile(out, in, NULL, 100));
    T(sendfile(out, in, &at, 5));
    printf("at %ld\n", (long)at);
    T(sendfile(p[1], in, &at, 100));
    printf("at %ld\n", (long)at);
    T(read(p[0], b, 100));
    T(sendfile(out, p[0], NULL, 5));
    at = -1;
    T(sendfile(out, in, &at, 5));
    T(sendfile(99, in, NULL, 5));
    T(sendfile(in, 99, NULL, 5));
    int ap = open("out", O_WRONLY | O_APPEND);
    T(sendfile(ap, in, NULL, 5));
    close(ap);
    loff_t from = 0, to = 20;
    T(copy_file_range(in, &from, out, &to, 5, 0));
    printf("%ld %ld\n", (long)from, (long)to);
    T(copy_file_range(in, NULL, out, NULL, 5, 1));
    T(copy_file_range(in, &from, in, &from, 2, 0));
    T(copy_file_range(in, NULL, p[1], NULL, 5, 0));
    T(copy_file_range(in, (loff_t[]){100}, out, NULL, 5, 0));
    T(lseek(out, 0, SEEK_END));
    from = 0;
    T(splice(in, &from, p[1], NULL, 5, 0));
    printf("from %ld\n", (long)from);
    T(splice(p[0], NULL, out, NULL, 3, 0));
    int q[2];
    pipe(q);
    T(tee(p[0], q[1], 100, 0));
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    T(read(q[0], b, 100));
    printf("%.4s\n", b);
    T(splice(p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
    T(tee(p[0], q[1], 100, SPLICE_F_NONBLOCK));
    T(splice(in, NULL, out, NULL, 5, 0));
    T(splice(p[0], &from, out, NULL, 5, 0));
    T(tee(in, q[1], 5, 0));
    struct iovec v = {"vmsplice", 8};
    T(vmsplice(p[1], &v, 1, 0));
    T(read(p[0], b, 100));
    close(p[1]);
    T(splice(p[0], NULL, out, NULL, 5, 0));
    close(p[0]);
    close(q[0]);
    close(q[1]);
    close(in);
    close(out);
}

// While a shared mapping may change it, nothing seals its bytes; others do not count.
static void memfd_mapped(void)
{
    T(memfd_create("mapped", MFD_ALLOW_SEALING));
    T(ftruncate(3, 4096));
    T(open("/proc/self/fd/3", O_RDONLY));
    void *reader = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 4, 0);
    void *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 3, 0);
    void *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
    T(mprotect(shared, 4096, PROT_READ));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_SHRINK));
    T(fcntl(3, F_GET_SEALS));
    munmap(shared, 4096);
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE));
    T(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0) == MAP_FAILED);
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE));
    munmap(reader, 4096), munmap(copy, 4096);
    close(3), close(4);
}

// A sealed memfd can be mapped to be read, and that mapping never becomes writable.
static void memfd_sealed(unsigned seal)
{
    T(memfd_create("sealed", MFD_ALLOW_SEALING));
    T(ftruncate(3, 4096));
    T(fcntl(3, F_ADD_SEALS, seal));
    T(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0) == MAP_FAILED);
    void *reader = mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0);
    T(reader == MAP_FAILED);
    T(mprotect(reader, 4096, PROT_READ | PROT_WRITE));
    T(mprotect(reader, 4096, PROT_NONE));
    char *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, 3, 0);
    T(copy == MAP_FAILED);
    T(*copy = 7);
    munmap(reader, 4096), munmap(copy, 4096);
    close(3);
}

static void memfds(void)
{
    T(memfd_create("name", MFD_CLOEXEC));
    char link[64] = {0};
    T(readlink("/proc/self/fd/3", link, 60));
    printf("%s\n", link);
    T(write(3, "mem", 3));
    T(ftruncate(3, 8192));
    T(fcntl(3, F_GET_SEALS));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE));
    close(3);
    T(memfd_create("name", MFD_ALLOW_SEALING));
    T(write(3, "mem", 3));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
    T(fcntl(3, F_GET_SEALS));
    T(ftruncate(3, 1));
    T(ftruncate(3, 100));
    T(pwrite(3, "x", 1, 3));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
    T(pwrite(3, "x", 1, 0));
    T(fcntl(3, F_ADD_SEALS, F_SEAL_WRITE));
    close(3);
    memfd_mapped();
    memfd_sealed(F_SEAL_WRITE);
    memfd_sealed(F_SEAL_FUTURE_WRITE);
    T(memfd_create("x", 0x80));
    T(memfd_create((void *)8, 0));
}

static void descriptors(void)
{
    int fd = open("f", O_RDWR | O_CLOEXEC);
    T(fd);
    T(fcntl(fd, F_GETFD));
    T(fcntl(fd, F_SETFD, 0));
    T(fcntl(fd, F_GETFD));
    T(fcntl(fd, F_GETFL) & ~O_LARGEFILE);
    T(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY | O_CREAT));
    T(fcntl(fd, F_GETFL) & ~O_LARGEFILE);
    T(fcntl(fd, F_DUPFD, 20));
    T(fcntl(fd, F_DUPFD_CLOEXEC, 20));
    T(fcntl(21, F_GETFD));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, F_DUPFD, 1 << 20));
    T(fcntl(fd, 9999));
    T(fcntl(99, F_GETFD));
    T(dup(fd));
    T(dup(99));
    T(dup2(fd, 30));
    T(dup2(fd, fd));
    T(dup2(99, 99));
    T(dup2(fd, -1));
    T(dup2(fd, 1 << 20));
    T(dup3(fd, fd, 0));
    T(dup3(fd, 31, O_CLOEXEC));
    T(dup3(fd, 31, 1));
    T(fcntl(31, F_GETFD));
    T(close(31));
    T(close(31));
    T(close(-1));
    T(syscall(SYS_close_range, 20, 25, 0));
    T(fcntl(20, F_GETFD));
    T(syscall(SYS_close_range, 30, 20, 0));
    T(syscall(SYS_close_range, 30, 30, CLOSE_RANGE_CLOEXEC));
    T(fcntl(30, F_GETFD));
    T(syscall(SYS_close_range, 4, ~0u, CLOSE_RANGE_UNSHARE));
    T(fcntl(30, F_GETFD));
    int n = 3;
    T(ioctl(fd, FIONBIO, &n));
    T(ioctl(fd, FIONREAD, &n));
    T(ioctl(fd, TIOCGWINSZ, b));
    T(ioctl(fd, FIOCLEX));
    T(fcntl(fd, F_GETFD));
    T(ioctl(fd, FIONCLEX));
    T(ioctl(fd, 0x1234, b));
    T(ioctl(99, FIONREAD, &n));
    struct rlimit l = {8, 10};
    setrlimit(RLIMIT_NOFILE, &l);
    while ((n = dup(fd)) >= 0)
        ;
    T(n);
    T(pipe((int[2]){0, 0}));
    T(fcntl(fd, F_DUPFD, 8));
    T(dup2(fd, 9));
    for (n = 3; n < 12; n++)
        close(n);
    int p[2];
    T(pipe2(p, O_NONBLOCK | O_CLOEXEC));
    T(fcntl(p[0], F_GETFL));
    T(fcntl(p[0], F_GETFD));
    T(read(p[0], b, 1));
    T(pipe2(p, 077));
    T(pipe((void *)8));
    T(fcntl(p[1], F_GETPIPE_SZ));
    T(write(p[1], b, 65536));
    close(p[0]);
    signal(SIGPIPE, SIG_IGN);
    T(write(p[1], b, 1));
    close(p[1]);
}

static int over_limit;

static void count_over_limit(int s)
{
    (void)s;
    over_limit++;
}

// Of a limit on the size of files sendfile hears when it writes: not at the end of what it reads.
static void limit_of_sendfile(void)
{
    struct rlimit l = {100, RLIM_INFINITY};
    int in = open("lim", O_RDONLY), out = open("lim2", O_CREAT | O_RDWR, 0600);
    off_t at[4] = {0, 100, 40, 0};
    signal(SIGXFSZ, count_over_limit);
    setrlimit(RLIMIT_FSIZE, &l);
    long r[4] = {sendfile(out, in, &at[0], 200), sendfile(out, in, &at[1], 1), -1, -1};
    int none = over_limit;
    lseek(out, 60, SEEK_SET);
    r[2] = sendfile(out, in, &at[2], 50);
    r[3] = sendfile(out, in, &at[3], 1);
    l.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &l);
    printf("sendfile %ld %ld %ld %ld, %d %d signals, at %ld %ld %ld %ld\n", r[0], r[1], r[2], r[3],
           none, over_limit, (long)at[0], (long)at[1], (long)at[2], (long)at[3]);
    close(in);
    close(out);
}

static void limits(void)
{
    struct rlimit l = {100, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &l);
    // Printed afterwards: stdout may be a file.
    int fd = open("lim", O_CREAT | O_RDWR, 0600);
    long r[5] = {write(fd, b, 200), write(fd, b, 1), ftruncate(fd, 101), fallocate(fd, 0, 0, 200),
                 pwrite(fd, b, 50, 80)};
    close(fd);
    l.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &l);
    printf("limits %ld %ld %ld %ld %ld\n", r[0], r[1], r[2], r[3], r[4]);
    limit_of_sendfile();
}

static int child(int (*f)(void))
{
    int status;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0)
        exit(f());
    waitpid(p, &status, 0);
    return status;
}

static int lock(int fd, int command, short type, short whence, off_t start, off_t length)
{
    struct flock l = {.l_type = type, .l_whence = whence, .l_start = start, .l_len = length};
    int r = fcntl(fd, command, &l);
    if (r == 0 && (command == F_GETLK || command == F_OFD_GETLK))
        printf("  type %d start %ld length %ld whence %d pid %s\n", l.l_type, (long)l.l_start,
               (long)l.l_len, l.l_whence,
               l.l_pid == 0    ? "0"
               : l.l_pid == -1 ? "-1"
                               : "some");
    return r;
}

static int other(void)
{
    int fd = open("lk", O_RDWR);
    T(lock(fd, F_GETLK, F_WRLCK, SEEK_SET, 0, 0));
    T(lock(fd, F_GETLK, F_RDLCK, SEEK_SET, 0, 0));
    T(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 12, 2));
    T(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 31, 2));
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 50, 2));
    T(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
    return 0;
}

static int ofd_other(void)
{
    int fd = open("lk", O_RDWR);
    T(lock(fd, F_GETLK, F_WRLCK, SEEK_SET, 0, 0));
    T(lock(fd, F_OFD_GETLK, F_WRLCK, SEEK_SET, 0, 0));
    T(lock(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 5));
    T(lock(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 200, 5));
    T(flock(fd, LOCK_EX | LOCK_NB));
    return 0;
}

static int of_a_pid(pid_t owner) // whose lock others would meet
{
    struct flock l = {.l_type = F_WRLCK};
    fcntl(open("lk2", O_RDWR), F_GETLK, &l);
    return l.l_type == F_UNLCK ? 0 : l.l_pid == owner ? 1 : 2;
}

// What ends a process's locks: the close of a descriptor, also by exec; not of one of O_PATH.
static void unlocks(void)
{
    int fd = open("lk2", O_CREAT | O_RDWR | O_CLOEXEC, 0600), gate[2], status;
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0));
    close(open("lk2", O_PATH));
    fflush(stdout);
    pid_t me = getpid(), p = fork();
    if (p == 0)
        _exit(of_a_pid(me));
    waitpid(p, &status, 0);
    T(status);
    close(fd);
    pipe2(gate, O_CLOEXEC);
    p = fork();
    if (p == 0) {
        close(gate[0]); // descriptors are closed in order: the file comes before the gate
        fd = open("lk2", O_RDWR | O_CLOEXEC);
        lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 0);
        execl("/proc/self/exe", "data", "stay", NULL);
        _exit(1);
    }
    close(gate[1]);
    read(gate[0], b, 1); // until exec closed it
    T(of_a_pid(p));
    close(gate[0]);
    kill(p, SIGKILL);
    waitpid(p, &status, 0);
}

static void locks(void)
{
    int fd = open("lk", O_CREAT | O_RDWR, 0600), ro = open("lk", O_RDONLY);
    write(fd, b, 100);
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 10, 10));
    T(lock(fd, F_SETLK, F_RDLCK, SEEK_SET, 30, 10));
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 15, 10));
    T(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 12, 2));
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_END, -5, 5));
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 80, -5));
    T(lock(fd, F_SETLK, F_WRLCK, SEEK_SET, -1, 5));
    T(lock(fd, F_SETLK, F_WRLCK, 7, 1, 5));
    T(lock(fd, F_SETLK, 9, SEEK_SET, 1, 5));
    T(lock(ro, F_SETLK, F_WRLCK, SEEK_SET, 1, 5));
    T(lock(fd, F_GETLK, F_UNLCK, SEEK_SET, 1, 5));
    T(lock(fd, F_GETLK, F_WRLCK, SEEK_SET, 10, 5));
    T(lock(99, F_GETLK, F_WRLCK, SEEK_SET, 10, 5));
    T(fcntl(fd, F_SETLK, (void *)8));
    child(other);
    close(ro); // lets go of all the process's locks
    child(other);
    T(lock(fd, F_OFD_SETLK, F_WRLCK, SEEK_SET, 0, 10));
    child(ofd_other);
    struct flock l = {.l_type = F_WRLCK, .l_pid = 5};
    T(fcntl(fd, F_OFD_SETLK, &l));
    int again = open("lk", O_RDWR);
    T(lock(again, F_OFD_SETLK, F_RDLCK, SEEK_SET, 5, 1));
    T(lock(again, F_SETLK, F_RDLCK, SEEK_SET, 5, 1));
    T(lock(again, F_SETLK, F_RDLCK, SEEK_SET, 50, 1));
    T(lock(again, F_OFD_GETLK, F_RDLCK, SEEK_SET, 5, 1));
    T(flock(fd, LOCK_EX));
    child(ofd_other);
    T(flock(again, LOCK_SH | LOCK_NB));
    T(flock(fd, LOCK_SH));
    T(flock(again, LOCK_SH | LOCK_NB));
    T(flock(fd, LOCK_EX | LOCK_NB));
    T(flock(again, LOCK_UN));
    T(flock(fd, LOCK_EX | LOCK_NB));
    T(flock(fd, 77));
    T(flock(99, LOCK_SH));
    int d = dup(fd);
    close(fd);
    T(flock(again, LOCK_EX | LOCK_NB));
    close(d);
    T(flock(again, LOCK_EX | LOCK_NB));
    close(again);
    int p[2];
    pipe(p);
    T(lock(p[0], F_SETLK, F_RDLCK, SEEK_SET, 5, 1));
    T(flock(p[0], LOCK_SH));
    close(p[0]);
    close(p[1]);
}

static int waiter(void)
{
    int fd = open("dl", O_RDWR);
    lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 10, 10);
    usleep(100000);
    int r = lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 0, 10);
    return r == 0 ? 0 : errno;
}

static void deadlock(void)
{
    int status, fd = open("dl", O_CREAT | O_RDWR, 0600);
    lock(fd, F_SETLK, F_WRLCK, SEEK_SET, 0, 10);
    fflush(stdout);
    pid_t p = fork();
    if (p == 0)
        exit(waiter());
    usleep(300000);
    T(lock(fd, F_SETLKW, F_WRLCK, SEEK_SET, 10, 10));
    T(lock(fd, F_SETLK, F_UNLCK, SEEK_SET, 0, 0));
    waitpid(p, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    alarm(0);
    close(fd);
}

static void devices(void)
{
    int fd = open("/dev/full", O_RDWR);
    T(write(fd, "x", 1));
    T(read(fd, b, 3));
    close(fd);
    fd = open("/dev/null", O_RDWR);
    T(read(fd, b, 3));
    T(write(fd, b, 3));
    T(lseek(fd, 5, SEEK_SET));
    T(ftruncate(fd, 3));
    close(fd);
    fd = open("/dev/zero", O_RDWR);
    b[0] = 5;
    T(read(fd, b, 3));
    printf("%d\n", b[0]);
    T(write(fd, b, 3));
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    T(read(fd, b, 3));
    close(fd);
    fd = open("/dev/tty", O_RDWR);
    close(fd);
    fd = open("/dev/fd/0", O_RDONLY);
    T(fd >= 0);
    close(fd);
    T(access("/dev/stdin", F_OK));
    T(access("/dev/random", R_OK | W_OK));
    struct stat s;
    T(stat("/dev/shm", &s));
    printf("%o\n", s.st_mode);
    T(shm_open("/seg", O_CREAT | O_RDWR | O_EXCL, 0600));
    T(shm_unlink("/seg"));
    T(shm_unlink("/seg"));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return pause();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int fd = 3; fd < 40; fd++)
        close(fd);
    umask(022);
    mkdir("/opt/d", 0755);
    chdir("/opt/d");
    moving();
    vectors();
    holes();
    copies();
    memfds();
    limits();
    locks();
    unlocks();
    deadlock();
    devices();
    for (int fd = 3; fd < 40; fd++)
        close(fd);
    descriptors();
    return 0;
}
