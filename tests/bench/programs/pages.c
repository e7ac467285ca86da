// SPDX-License-Identifier: MIT
// What a page on another node costs, in turn with round trips of a request and a 4 KiB answer by
// TCP between the same two nodes, so that both meet the same load of the machine. Run on node 0 of
// two: a child goes to node 1 and shares memory with its parent. Usage: pages ADDRESS (of node 0).
// Prints `NAME US TRIP_US RATIO`, medians.
#define _GNU_SOURCE
#include "sample.h"
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
    PAGES = 128,
    BLOCK = 16, // touched in order between two round trips
    REQUEST = 64,
    STRIDE = 37, // of the walk that must not look sequential; odd, and above fault-around
    PORT = 7999
};

static uint8_t *memory;
static int to_child[2], to_parent[2];
static double sample[PAGES], trips[PAGES];
static uint8_t bytes[PAGE];
static int wire; // to the server, which is beside the parent

// NAME, median of both, their ratio.
static void say(const char *name, unsigned n)
{
    qsort(sample, n, sizeof(sample[0]), by_size);
    qsort(trips, n, sizeof(trips[0]), by_size);
    printf("%s %.1f %.1f %.3f\n", name, sample[n / 2], trips[n / 2], sample[n / 2] / trips[n / 2]);
    fflush(stdout);
}

static void read_all(int fd, size_t n)
{
    for (ssize_t got; n > 0; n -= (size_t)got) {
        got = read(fd, bytes, n);
        if (got <= 0)
            exit(0); // the other side is through
    }
}

static volatile uint8_t *page(unsigned i)
{
    return memory + (size_t)(i % PAGES) * PAGE;
}

static void trip(unsigned i)
{
    double begun = now_us();
    if (write(wire, bytes, REQUEST) != REQUEST)
        exit(3);
    read_all(wire, PAGE);
    trips[i] = now_us() - begun;
}

// Each page by itself, in an order without neighbours, and a round trip after each.
static void touch_each(const char *name, int write_it)
{
    for (unsigned i = 0; i < PAGES; i++) {
        volatile uint8_t *at = page(i * STRIDE);
        double begun = now_us();
        if (write_it)
            *at = (uint8_t)i;
        else
            (void)*at;
        sample[i] = now_us() - begun;
        trip(i);
    }
    say(name, PAGES);
}

static void touch_in_order(const char *name)
{
    for (unsigned i = 0; i < PAGES / BLOCK; i++) {
        double begun = now_us();
        for (unsigned k = 0; k < BLOCK; k++)
            (void)*page(i * BLOCK + k);
        sample[i] = (now_us() - begun) / BLOCK;
        trip(i);
    }
    say(name, PAGES / BLOCK);
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

static void serve(int listener)
{
    int one = 1;
    wire = accept(listener, NULL, NULL);
    setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    for (;;) {
        read_all(wire, REQUEST);
        if (write(wire, bytes, PAGE) != PAGE)
            exit(3);
    }
}

static void call_server(const char *address)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int one = 1;
    wire = socket(AF_INET, SOCK_STREAM, 0);
    inet_aton(address, &a.sin_addr);
    if (wire < 0 || connect(wire, (struct sockaddr *)&a, sizeof(a)) < 0) {
        perror("connect");
        exit(3);
    }
    setsockopt(wire, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
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

// Before each step the parent has written all pages.
static void child(const char *address)
{
    go_to_node_1();
    call_server(address);
    for (unsigned round = 0; round < 2; round++) {
        await(to_child[0]);
        touch_each(round ? "read" : "warm_read", 0);
        touch_each(round ? "upgrade" : "warm_upgrade", 1);
        pass(to_parent[1]);
    }
    await(to_child[0]);
    touch_each("write", 1);
    pass(to_parent[1]);
    await(to_child[0]);
    touch_in_order("sequential");
    memory += (size_t)PAGES * PAGE;
    touch_each("first_touch", 1);
    exit(0);
}

int main(int argc, char **argv)
{
    int status;
    if (argc != 2)
        return fprintf(stderr, "usage: pages ADDRESS\n"), 2;
    memory =
        mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pipe(to_child) || pipe(to_parent))
        return 2;
    pid_t pid = fork(); // before there is a socket, which would hold it here
    if (pid == 0)
        child(argv[1]);
    int listener = listen_here();
    pid_t server = fork();
    if (server == 0)
        serve(listener);
    close(listener);
    for (unsigned step = 0; step < 4; step++) {
        own_all();
        pass(to_child[1]);
        if (step < 3)
            await(to_parent[0]);
    }
    int good = waitpid(pid, &status, 0) == pid && status == 0;
    return waitpid(server, &status, 0) == server && good ? 0 : 1;
}
