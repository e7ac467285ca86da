// SPDX-License-Identifier: MIT
// Pipes with O_DIRECT: packets, alone and beside bytes, full, spread, cut, and of ends that move
// (packets moves). Every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "move.h"
#include "say.h"
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char big[70000];

static void read_some(const char *what, int fd, size_t n)
{
    static char in[70000];
    memset(in, 0, sizeof(in));
    ssize_t r = read(fd, in, n);
    if (r < 0)
        printf("%s: %s\n", what, error_name(r));
    else
        printf("%s: %zd %.10s\n", what, r, in);
    fflush(stdout);
}

static void waiting(int fd)
{
    int n = -1;
    int r = ioctl(fd, FIONREAD, &n);
    printf("waiting: %d %d\n", r, n);
}

static void flags(int p[2])
{
    say("bad flags", pipe2(p, O_DIRECT | O_APPEND));
    say("pipe2", pipe2(p, O_DIRECT | O_NONBLOCK));
    printf("flags %o %o\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
}

static void few(int p[2])
{
    put(p[1], "one");
    put(p[1], "two two");
    put(p[1], "three");
    say("nothing", write(p[1], "", 0));
    waiting(p[0]);
    read_some("a packet", p[0], 100);
    read_some("a piece of one", p[0], 3);
    waiting(p[0]);
    read_some("the next", p[0], 100);
    read_some("none", p[0], 100);
    say("no bytes", read(p[0], big, 0));
}

static void large(int p[2])
{
    memset(big, 'x', sizeof(big));
    big[4096] = 'y', big[8192] = 'z';
    say("a large write", write(p[1], big, 9000));
    read_some("its first", p[0], 70000);
    read_some("its second", p[0], 5);
    read_some("its third", p[0], 70000);
    say("more than fits", write(p[1], big, 70000));
    show_poll("full", p[1]);
    waiting(p[0]);
    for (int k = 0; k < 16; k++)
        read_some("page", p[0], 10);
    int n = 0;
    while (write(p[1], "s", 1) == 1)
        n++;
    printf("small ones: %d %s\n", n, error_name(-1));
    waiting(p[0]);
    show_poll("full of small ones", p[1]);
    say("made smaller", fcntl(p[1], F_SETPIPE_SZ, 4096 * 8));
    say("made larger", fcntl(p[1], F_SETPIPE_SZ, 4096 * 32));
    for (n = 0; write(p[1], "t", 1) == 1; n++)
        ;
    printf("more: %d\n", n);
    for (n = 0; read(p[0], big, 100) == 1; n++)
        ;
    printf("read: %d\n", n);
    say("small again", fcntl(p[1], F_SETPIPE_SZ, 4096 * 4));
    say("eight pages", write(p[1], big, 4096 * 8));
    for (n = 0; read(p[0], big, 100) == 100; n++)
        ;
    printf("read: %d\n", n);
    say("as before", fcntl(p[1], F_SETPIPE_SZ, 65536));
}

// (Bytes that fill a page: to fewer Linux may add what follows, packet or not.)
static void beside_bytes(int p[2])
{
    int fl = fcntl(p[1], F_GETFL);
    say("bytes", fcntl(p[1], F_SETFL, fl & ~O_DIRECT));
    say("a page", write(p[1], big, 4096));
    say("packets", fcntl(p[1], F_SETFL, fl));
    put(p[1], "PACKET");
    put(p[1], "ANOTHER");
    fcntl(p[1], F_SETFL, fl & ~O_DIRECT);
    put(p[1], "ghi");
    put(p[1], "jkl");
    read_some("bytes", p[0], 4000);
    read_some("bytes, then a packet, cut", p[0], 100);
    read_some("a packet alone", p[0], 100);
    read_some("bytes", p[0], 100);
    say("packets", fcntl(p[1], F_SETFL, fl));
    int s[2];
    done("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    say("a socket has none", fcntl(s[0], F_SETFL, O_DIRECT));
    close(s[0]), close(s[1]);
}

static void spread(int p[2])
{
    char a[4] = "", b[8] = "";
    struct iovec out[] = {{"spr", 3}, {"ead", 3}}, in[] = {{a, 3}, {b, 7}};
    struct iovec wide[] = {{big, 3000}, {big, 3000}};
    say("writev", writev(p[1], out, 2));
    put(p[1], "next");
    say("readv", readv(p[0], in, 2));
    printf("%.3s %s\n", a, b);
    read_some("next", p[0], 100);
    say("wide", writev(p[1], wide, 2));
    read_some("one page", p[0], 70000);
    read_some("the rest", p[0], 70000);
    char *m = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    put(p[1], "fresh");
    say("into untouched memory", read(p[0], m + 4094, 100));
    printf("%s\n", m + 4094);
    munmap(m + 4096, 4096);
    put(p[1], "kept");
    say("into nothing", read(p[0], m + 4096, 100));
    read_some("it is still there", p[0], 100);
    say("from nothing", write(p[1], m + 4096, 10));
    say("half from nothing", write(p[1], m, 8192));
    read_some("what came of it", p[0], 100);
    munmap(m, 12288);
}

static void fifo(void)
{
    say("mkfifo", mkfifo("/tmp/packets.fifo", 0600));
    int r = open("/tmp/packets.fifo", O_RDWR | O_NONBLOCK);
    printf("open %s\n", error_name(r));
    say("open for packets", open("/tmp/packets.fifo", O_RDWR | O_DIRECT));
    say("set", fcntl(r, F_SETFL, O_NONBLOCK | O_DIRECT));
    put(r, "left");
    put(r, "right");
    read_some("of a fifo", r, 100);
    close(r);
    r = open("/tmp/packets.fifo", O_RDWR | O_NONBLOCK);
    read_some("afterwards", r, 100);
    put(r, "a");
    put(r, "b");
    read_some("bytes again", r, 100);
    close(r);
    unlink("/tmp/packets.fifo");
}

static void waits(void)
{
    int p[2];
    char c[8192];
    done("pipe", pipe2(p, O_DIRECT));
    fcntl(p[1], F_SETPIPE_SZ, 4096);
    pid_t child = fork();
    if (child == 0) {
        memset(c, 'w', sizeof(c));
        c[4096] = 'v';
        exit(write(p[1], c, 8192) == 8192 && write(p[1], "end", 3) == 3 ? 0 : 1);
    }
    close(p[1]);
    for (ssize_t n; (n = read(p[0], c, sizeof(c))) > 0;)
        printf("%zd %c\n", n, c[0]);
    int status;
    waitpid(child, &status, 0);
    printf("writer: %d\n", status);
    close(p[0]);
}

// Packets wait in the pipe while its ends are elsewhere; what is set there holds here.
static void moves(void)
{
    int p[2];
    flags(p);
    put(p[1], "before");
    put(p[1], "before too");
    for (int k = 0; k < 2; k++) {
        move_to(1);
        read_some("away", p[0], 3);
        if (k == 0)
            large(p), beside_bytes(p);
        few(p), spread(p);
        fcntl(p[1], F_SETFL, O_WRONLY | O_NONBLOCK);
        move_to(0);
        printf("flags %o\n", fcntl(p[1], F_GETFL));
        put(p[1], "a");
        put(p[1], "b");
        read_some("home", p[0], 100);
        fcntl(p[1], F_SETFL, O_WRONLY | O_NONBLOCK | O_DIRECT);
        put(p[1], "for later");
        put(p[1], "and later");
    }
    few(p);
}

int main(int argc, char **argv)
{
    int p[2];
    if (argc > 1 && !strcmp(argv[1], "moves")) {
        moves();
        return 0;
    }
    flags(p);
    few(p);
    large(p);
    beside_bytes(p);
    spread(p);
    fifo();
    waits();
    return 0;
}
