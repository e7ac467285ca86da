// SPDX-License-Identifier: MIT
// What a page on another node costs, beside the round trip of a request and a 4 KiB answer by TCP
// between the same two processes. Run on node 0 of two: a child goes to node 1, and both share
// memory. Usage: pages ADDRESS (of node 0). Prints `NAME MEDIAN_US P90_US` lines.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAGES = 256,
    STRIDE = 37, // of the walk that must not look sequential; odd, and above fault-around
    TRIPS = 200,
    PORT = 7999
};

static uint8_t *memory;
static int to_child[2], to_parent[2];
static double sample[PAGES];

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void say(const char *name, unsigned n)
{
    qsort(sample, n, sizeof(sample[0]), by_size);
    printf("%s %.1f %.1f\n", name, sample[n / 2], sample[n * 9 / 10]);
    fflush(stdout);
}

static volatile uint8_t *page(unsigned i)
{
    return memory + (size_t)(i % PAGES) * PAGE;
}

// Each page by itself, in an order without neighbours.
static void touch_each(const char *name, int write)
{
    for (unsigned i = 0; i < PAGES; i++) {
        volatile uint8_t *at = page(i * STRIDE);
        double begun = now_us();
        if (write)
            *at = (uint8_t)i;
        else
            (void)*at;
        sample[i] = now_us() - begun;
    }
    say(name, PAGES);
}

static void touch_in_order(const char *name)
{
    double begun = now_us();
    for (unsigned i = 0; i < PAGES; i++)
        (void)*page(i);
    sample[0] = (now_us() - begun) / PAGES;
    say(name, 1);
}

static void own_all(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        *page(i) = (uint8_t)i;
}

static void pass(int fd)
{
    char c = 0;
    if (write(fd, &c, 1) != 1)
        exit(2);
}

static void await(int fd)
{
    char c;
    if (read(fd, &c, 1) != 1)
        exit(2);
}

static void read_all(int fd, uint8_t *to, size_t n)
{
    while (n > 0) {
        ssize_t got = read(fd, to, n);
        if (got <= 0)
            exit(3);
        to += got;
        n -= (size_t)got;
    }
}

static void serve(int listener)
{
    static uint8_t bytes[PAGE];
    int one = 1, fd = accept(listener, NULL, NULL);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (unsigned i = 0; i < TRIPS; i++) {
        read_all(fd, bytes, 64);
        if (write(fd, bytes, PAGE) != PAGE)
            exit(3);
    }
    close(fd);
}

static void ask(const char *address)
{
    static uint8_t bytes[PAGE];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_aton(address, &a.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        perror("connect");
        exit(3);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (unsigned i = 0; i < TRIPS; i++) {
        double begun = now_us();
        if (write(fd, bytes, 64) != 64)
            exit(3);
        read_all(fd, bytes, PAGE);
        sample[i] = now_us() - begun;
    }
    close(fd);
    say("tcp_4k", TRIPS);
}

static int listen_here(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0) {
        perror("listen");
        exit(3);
    }
    return fd;
}

static void go_to_node_1(void)
{
    int fd = open("/proc/self/node", O_WRONLY);
    if (fd < 0 || write(fd, "1", 1) != 1) {
        perror("/proc/self/node");
        exit(2);
    }
    close(fd);
}

// Reads, upgrades, in order: each time with all pages the parent's. Then the parent takes them.
static void child(const char *address)
{
    for (unsigned round = 0; round < 2; round++) {
        await(to_child[0]);
        touch_each(round ? "read" : "warm_read", 0);
        touch_each(round ? "upgrade" : "warm_upgrade", 1);
        pass(to_parent[1]);
    }
    await(to_child[0]);
    touch_in_order("sequential");
    pass(to_parent[1]);
    await(to_child[0]);
    memory += (size_t)PAGES * PAGE;
    touch_each("first_touch", 1);
    pass(to_parent[1]);
    await(to_child[0]);
    if (address)
        ask(address);
    exit(0);
}

int main(int argc, char **argv)
{
    int listener = argc > 1 ? listen_here() : -1, status;
    memory =
        mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pipe(to_child) || pipe(to_parent))
        return 2;
    own_all();
    pid_t pid = fork();
    if (pid == 0) {
        if (listener >= 0)
            close(listener);
        go_to_node_1();
        child(argc > 1 ? argv[1] : NULL);
    }
    for (unsigned round = 0; round < 2; round++) {
        pass(to_child[1]);
        await(to_parent[0]);
        touch_each(round ? "write" : "warm_write", 1);
    }
    for (unsigned round = 0; round < 2; round++) { // in order; then first touches
        pass(to_child[1]);
        await(to_parent[0]);
    }
    pass(to_child[1]);
    if (listener >= 0)
        serve(listener);
    return waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}
