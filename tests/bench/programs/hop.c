// SPDX-License-Identifier: MIT
// Moves of a process in turn with round trips of a request and a 4 KiB answer by TCP between the
// same two nodes, so that both meet the same load of the machine. Run on node 0 of two.
// Usage: hop ADDRESS (of node 0) MOVES. Prints `mover PID`, `tcp_4k MEDIAN_US P90_US`; the freezes
// are in /proc/cluster/migrations.
#define _GNU_SOURCE
#include "sample.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    ANSWER = 4096,
    REQUEST = 64,
    TRIPS = 4, // after each move
    SAMPLES_MAX = 4096,
    PORT = 7998
};

static double sample[SAMPLES_MAX];
static uint8_t bytes[ANSWER];

static void check(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(2);
}

static int move(int pid, int node)
{
    char path[64], word[2] = {(char)('0' + node), 0};
    snprintf(path, sizeof(path), "/proc/%d/node", pid);
    int fd = open(path, O_WRONLY), good = fd >= 0 && write(fd, word, 1) == 1;
    close(fd);
    return good;
}

static void read_all(int fd, size_t n)
{
    for (ssize_t got; n > 0; n -= (size_t)got) {
        got = read(fd, bytes, n);
        if (got <= 0)
            exit(0); // the other side is through
    }
}

static void serve(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    check(move(getpid(), 1), "the server's move");
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_aton(address, &a.sin_addr);
    check(fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0, "connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (;;) {
        read_all(fd, REQUEST);
        check(write(fd, bytes, ANSWER) == ANSWER, "answer");
    }
}

static pid_t start_mover(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            usleep(500);
    return pid;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int moves = argc > 2 ? atoi(argv[2]) : 20, one = 1, n = 0;
    pid_t mover = start_mover(); // first: it has no socket
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(argc > 1 && bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
    check(listen(listener, 1) == 0, "listen");
    pid_t server = fork();
    if (server == 0) {
        close(listener);
        serve(argv[1]);
    }
    int fd = accept(listener, NULL, NULL);
    close(listener);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    printf("mover %d\n", mover);
    for (int i = 0; i < moves; i++) {
        check(move(mover, 1 - i % 2), "move");
        for (int k = 0; k < TRIPS && n < SAMPLES_MAX; k++) {
            double begun = now_us();
            check(write(fd, bytes, REQUEST) == REQUEST, "request");
            read_all(fd, ANSWER);
            sample[n++] = now_us() - begun;
        }
    }
    qsort(sample, (size_t)n, sizeof(sample[0]), by_size);
    printf("tcp_4k %.1f %.1f\n", sample[n / 2], sample[n * 9 / 10]);
    close(fd);
    return waitpid(server, NULL, 0) == server && kill(mover, 9) == 0 ? 0 : 1;
}
