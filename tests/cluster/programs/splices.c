// SPDX-License-Identifier: MIT
// splice, tee: nothing is lost where little fits, what they wait for, limits. far: between nodes.
#define _GNU_SOURCE
#include "move.h"
#include "said.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
    MUCH = 60000
};

static int far;
static char text[MUCH], back[2 * MUCH];

static void go(int node)
{
    if (far)
        move_to(node);
}

static void set_nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void fill(void)
{
    for (int i = 0; i < MUCH; i++)
        text[i] = (char)('a' + i * 7 / 5 % 26);
}

// Into something that takes a little at a time and says EAGAIN: all comes out, in order.
static void little_by_little(const char *what, int in, int to_write, int to_read)
{
    int got = 0, refused = 0, k = 0;
    while (got < MUCH) {
        ssize_t n = splice(in, NULL, to_write, NULL, MUCH, SPLICE_F_NONBLOCK);
        refused += n < 0;
        if (n < 0 && errno != EAGAIN)
            break;
        if (n > 0 && ++k % 3)
            continue;
        if (k % 5 == 1)
            go(k / 5 % 2);
        n = read(to_read, back + got, 1 + (size_t)(k * 997 % 5000));
        got += n > 0 ? (int)n : 0;
    }
    printf("%s: %d bytes, %s, refused %d\n", what, got,
           memcmp(back, text, MUCH) ? "wrong" : "right", refused > 0);
}

static void loses_nothing(void)
{
    int p[2], q[2], s[2], small = 4096;
    pipe(p);
    pipe2(q, O_NONBLOCK);
    fcntl(q[1], F_SETPIPE_SZ, 4096);
    write(p[1], text, MUCH);
    little_by_little("pipe", p[0], q[1], q[0]);
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
    setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    write(p[1], text, MUCH);
    little_by_little("socket", p[0], s[0], s[1]);
    FILE *f = fopen("splices.data", "w");
    fwrite(text, 1, MUCH, f);
    fclose(f);
    int fd = open("splices.data", O_RDONLY);
    little_by_little("file", fd, q[1], q[0]);
    T(lseek(fd, 0, SEEK_CUR));
    close(fd);
    for (int i = 0; i < 2; i++)
        close(p[i]), close(q[i]), close(s[i]);
}

static void waits_for_the_first(void)
{
    int p[2], q[2];
    pipe(p);
    pipe(q);
    fflush(stdout);
    if (fork() == 0) {
        go(1);
        usleep(100000);
        write(p[1], "first", 5);
        usleep(100000);
        read(q[0], back, MUCH);
        exit(0);
    }
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    go(1);
    T(splice(p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK));
    wait(NULL);
    go(0);
    set_nonblocking(p[0]);
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    T(tee(p[0], q[1], 100, 0));
    close(p[1]);
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    T(tee(p[0], q[1], 100, 0));
    close(p[0]);
    pipe(p);
    set_nonblocking(q[1]);
    while (write(q[1], text, 4096) == 4096)
        ;
    write(p[1], "more", 4);
    T(splice(p[0], NULL, q[1], NULL, 100, 0));
    T(tee(p[0], q[1], 100, 0));
    T(read(p[0], back, 100));
    for (int i = 0; i < 2; i++)
        close(p[i]), close(q[i]);
}

static void copies(void)
{
    int p[2], q[2];
    pipe(p);
    pipe(q);
    write(p[1], text, 20000);
    T(tee(p[0], q[1], 50000, 0));
    go(1);
    T(splice(p[0], NULL, q[1], NULL, 5000, 0));
    go(0);
    T(read(q[0], back, MUCH));
    T(!memcmp(back, text, 20000) && !memcmp(back + 20000, text, 5000));
    T(read(p[0], back, MUCH));
    T(memcmp(back, text + 5000, 15000));
    for (int i = 0; i < 2; i++)
        close(p[i]), close(q[i]);
    mkfifo("splices.fifo", 0600);
    int fifo = open("splices.fifo", O_RDONLY | O_NONBLOCK);
    pipe(q);
    T(splice(fifo, NULL, q[1], NULL, 5, 0));
    close(fifo);
    unlink("splices.fifo");
    pipe2(p, O_DIRECT);
    write(p[1], "packet one", 10);
    write(p[1], "packet two", 10);
    T(splice(p[0], NULL, q[1], NULL, 7, 0));
    T(read(p[0], back, 100));
    T(read(p[0], back, 100));
    T(read(q[0], back, 100));
    for (int i = 0; i < 2; i++)
        close(p[i]), close(q[i]);
}

static volatile int signals;

static void count(int s)
{
    (void)s;
    signals++;
}

static void refusals(void)
{
    int p[2], q[2], s[2], fd = open("splices.data", O_RDWR | O_TRUNC), n[5];
    struct rlimit l = {100, RLIM_INFINITY};
    signal(SIGPIPE, count);
    signal(SIGXFSZ, count);
    pipe(p);
    pipe(q);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    close(q[0]);
    close(s[1]);
    write(p[1], text, 300);
    T(splice(p[0], NULL, q[1], NULL, 5, 0));
    T(signals);
    T(splice(p[0], NULL, s[0], NULL, 5, 0));
    T(signals);
    T(tee(p[0], q[1], 5, 0));
    T(signals);
    fflush(stdout);
    setrlimit(RLIMIT_FSIZE, &l);
    n[0] = (int)splice(p[0], NULL, fd, NULL, 60, 0);
    n[1] = (int)splice(p[0], NULL, fd, NULL, 60, 0);
    n[2] = signals;
    n[3] = (int)splice(p[0], NULL, fd, NULL, 60, 0);
    n[4] = signals;
    l.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &l);
    printf("limit: %d %d %d %d %d\n", n[0], n[1], n[2], n[3], n[4]);
    T(read(p[0], back, MUCH));
    close(fd);
    close(p[0]);
    close(p[1]);
    close(q[1]);
    close(s[0]);
    unlink("splices.data");
}

int main(int argc, char **argv)
{
    (void)argv;
    far = argc > 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    fill();
    loses_nothing();
    waits_for_the_first();
    copies();
    refusals();
    return 0;
}
