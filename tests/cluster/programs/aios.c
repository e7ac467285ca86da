// SPDX-License-Identifier: MIT
// Native asynchronous I/O on files and pipes; with a word the process moves between its calls.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "said.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

typedef uint32_t context;

static context c;
static struct iocb b[8], *p[8];
static struct io_event events[16];
static char place[64], data[8][64];

static struct iocb *prepare(int k, int operation, int fd, void *at, size_t bytes, long long offset)
{
    memset(&b[k], 0, sizeof(b[k]));
    b[k].aio_data = 1000 + (unsigned)k;
    b[k].aio_lio_opcode = (uint16_t)operation;
    b[k].aio_fildes = (uint32_t)fd;
    b[k].aio_buf = (uintptr_t)at;
    b[k].aio_nbytes = bytes;
    b[k].aio_offset = offset;
    return p[k] = &b[k];
}

static long submit(int n)
{
    return syscall(SYS_io_submit, c, n, p);
}

static long results(int least, int most, long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    return syscall(SYS_io_getevents, c, least, most, events, ms < 0 ? NULL : &t);
}

static void show(long n)
{
    for (long k = 0; k < n; k++)
        printf("  event of %llu, object %d: %lld %lld\n", (unsigned long long)events[k].data,
               events[k].obj == (uintptr_t)&b[events[k].data % 8], (long long)events[k].res,
               (long long)events[k].res2);
}

static int file(int flags)
{
    return open(place, O_CREAT | flags, 0600);
}

static void contexts(void)
{
    context other = 0, used = 1;
    T(syscall(SYS_io_setup, 0, &other));
    T(syscall(SYS_io_setup, 8, 8));
    T(syscall(SYS_io_setup, 8, &used));
    T(syscall(SYS_io_setup, 0x20000000, &other));
    T(syscall(SYS_io_setup, 8, &c));
    T(syscall(SYS_io_setup, 8, &other));
    printf("two: %d\n", c && other && c != other);
    T(syscall(SYS_io_destroy, other));
    T(syscall(SYS_io_destroy, other));
    T(syscall(SYS_io_destroy, 0));
    T(syscall(SYS_io_submit, other, 0, p));
    T(syscall(SYS_io_getevents, other, 0, 1, events, NULL));
    T(syscall(SYS_io_getevents, c, -1, 1, events, NULL));
    T(syscall(SYS_io_getevents, c, 2, 1, events, NULL));
    T(syscall(SYS_io_getevents, c, 0, 1, events, 8));
    T(results(0, 4, -1));
    T(results(1, 4, 30));
    T(syscall(SYS_io_submit, c, -1, p));
    T(syscall(SYS_io_submit, c, 0, p));
    T(syscall(SYS_io_submit, c, 1, 8));
    p[0] = (void *)8;
    T(submit(1));
}

static void wrong(void)
{
    int f = file(O_RDONLY | O_TRUNC), w = file(O_WRONLY), pipes[2];
    if (pipe(pipes))
        return;
    prepare(0, 99, f, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_NOOP, f, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, -1, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, w, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PWRITE, f, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, f, data, 10, -1);
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, f, data, 10, 0)->aio_reserved2 = 1;
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, f, data, 10, 0)->aio_rw_flags = 0x1000;
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, f, data, 10, 0)->aio_flags = IOCB_FLAG_RESFD;
    b[0].aio_resfd = (uint32_t)-1;
    T(submit(1));
    b[0].aio_resfd = (uint32_t)f;
    T(submit(1));
    prepare(0, IOCB_CMD_FSYNC, f, data, 10, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_FSYNC, pipes[0], 0, 0, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PREADV, f, (void *)8, 1, 0);
    T(submit(1));
    prepare(0, IOCB_CMD_PREAD, f, data, 10, 0);
    prepare(1, 99, f, data, 10, 0);
    T(submit(2)); // the first is done
    T(syscall(SYS_io_cancel, c, &b[0], events));
    T(syscall(SYS_io_cancel, c, 8, events));
    long n = results(1, 4, -1);
    T(n);
    show(n);
    close(f);
    close(w);
    close(pipes[0]);
    close(pipes[1]);
}

static void files(void)
{
    int f = file(O_RDWR | O_TRUNC);
    char small[10];
    struct iovec v[2] = {{data[2], 3}, {data[3], 20}};
    prepare(0, IOCB_CMD_PWRITE, f, "hello, world", 12, 0);
    prepare(1, IOCB_CMD_PWRITE, f, "later", 5, 20);
    prepare(2, IOCB_CMD_PREAD, f, data[0], 60, 0);
    prepare(3, IOCB_CMD_PREAD, f, data[1], 60, 100);
    prepare(4, IOCB_CMD_PREADV, f, v, 2, 7);
    prepare(5, IOCB_CMD_PREAD, f, (void *)8, 10, 0);
    T(submit(6));
    long n = results(3, 3, -1);
    T(n);
    show(n);
    n = results(1, 16, -1);
    T(n);
    show(n);
    printf("%s, %s, %.3s, %s; offset %ld\n", data[0], data[0] + 20, data[2], data[3],
           (long)lseek(f, 0, SEEK_CUR));
    prepare(0, IOCB_CMD_PWRITEV, f, &(struct iovec){"vector", 6}, 1, 3)->aio_flags =
        IOCB_FLAG_RESFD;
    int e = eventfd(0, 0);
    uint64_t count = 0;
    b[0].aio_resfd = (uint32_t)e;
    T(submit(1));
    T(read(e, &count, sizeof(count)));
    printf("counted %llu\n", (unsigned long long)count);
    T(pread(f, small, sizeof(small), 0));
    printf("%.10s\n", small);
    T(syscall(SYS_io_getevents, c, 1, 1, 8, NULL));
    show(results(1, 4, -1)); // it is still there
    for (int k = 0; k < 2; k++) {
        prepare(k, k ? IOCB_CMD_FDSYNC : IOCB_CMD_FSYNC, f, 0, 0, 0);
        p[0] = &b[k];
        T(submit(1));
        show(results(1, 1, -1));
    }
    close(e);
    close(f);
}

static void on_alarm(int s)
{
    (void)s;
}

static void pipes(void)
{
    int q[2];
    if (pipe(q))
        return;
    prepare(0, IOCB_CMD_PWRITE, q[1], "through", 7, 0);
    prepare(1, IOCB_CMD_PREAD, q[0], data[4], 60, 0);
    T(submit(2));
    long n = results(2, 2, -1);
    show(n);
    printf("%s\n", data[4]);
    struct sigaction a = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &a, NULL);
    ualarm(30000, 30000);
    T(results(1, 1, -1)); // nothing comes
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    ualarm(30000, 30000);
    T(results(1, 1, -1));
    ualarm(0, 0);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    raise(SIGALRM);
    sigemptyset(&all);
    struct {
        sigset_t *mask;
        size_t bytes;
    } m = {&all, 8};
    T(syscall(SYS_io_pgetevents, c, 1, 1, events, NULL, &m));
    sigprocmask(SIG_SETMASK, &all, NULL);
    close(q[0]);
    close(q[1]);
}

static void *submits(void *fd)
{
    usleep(50000);
    prepare(0, IOCB_CMD_PWRITE, (int)(intptr_t)fd, "thread", 6, 0);
    submit(1);
    return NULL;
}

static void threads(void)
{
    pthread_t t;
    int f = file(O_RDWR | O_TRUNC);
    pthread_create(&t, NULL, submits, (void *)(intptr_t)f);
    long n = results(1, 4, 20000);
    T(n);
    show(n);
    pthread_join(t, NULL);
    close(f);
}

static void child(void)
{
    T(results(0, 4, 0));
}

static void moves(void)
{
    int f = file(O_RDWR | O_TRUNC), q[2];
    T(syscall(SYS_io_setup, 8, &c));
    for (int n = 0; n < 4; n++) {
        char text[16];
        snprintf(text, sizeof(text), "on the way %d", n);
        prepare(0, IOCB_CMD_PWRITE, f, text, 12, n * 12);
        prepare(1, IOCB_CMD_PREAD, f, data[n], 60, 0);
        T(submit(2));
        move_to(1 - n % 2);
        long r = results(1, 1, -1);
        show(r);
        move_to(n % 2);
        r = results(0, 4, 0);
        show(r);
        printf("%s\n", data[n]);
    }
    // It waits for a pipe while it is moved.
    if (pipe(q))
        return;
    fflush(stdout);
    pid_t me = getpid(), other = fork();
    if (other == 0) {
        char name[32];
        snprintf(name, sizeof(name), "/proc/%d/node", me);
        for (int n = 0; n < 3; n++) {
            usleep(50000);
            int node = open(name, O_WRONLY), tries = 50;
            while (node >= 0 && write(node, n % 2 ? "0" : "1", 1) != 1 && --tries)
                usleep(20000); // somebody else moves it
            if (tries == 0)
                printf("not moved: %s\n", strerrorname_np(errno));
            close(node);
        }
        fflush(stdout);
        if (write(q[1], "after moves", 12) != 12)
            _exit(1);
        _exit(0);
    }
    prepare(0, IOCB_CMD_PWRITE, f, "x", 1, 0);
    prepare(1, IOCB_CMD_PREAD, q[0], data[5], 60, 0);
    prepare(2, IOCB_CMD_PREAD, f, data[6], 5, 0);
    T(submit(3));
    show(results(3, 8, -1));
    printf("%s, %s\n", data[5], data[6]);
    waitpid(other, NULL, 0);
    T(syscall(SYS_io_destroy, c));
}

// More results than can move wait.
static void stays(void)
{
    int f = file(O_RDWR | O_TRUNC);
    syscall(SYS_io_setup, 4096, &c);
    for (int n = 0; n < 2100; n += 7) {
        for (int k = 0; k < 7; k++)
            prepare(k, IOCB_CMD_PREAD, f, data[k], 10, 0);
        if (submit(7) != 7)
            return;
    }
    pause();
}

int main(int argc, char **argv)
{
    snprintf(place, sizeof(place), "/tmp/aios-%d", (int)getpid());
    if (argc > 1 && !strcmp(argv[1], "stays")) {
        stays();
    } else if (argc > 1) {
        moves();
    } else {
        contexts();
        wrong();
        files();
        pipes();
        threads();
        in_child(child);
        T(syscall(SYS_io_destroy, c));
    }
    unlink(place);
    return 0;
}
