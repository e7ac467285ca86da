// SPDX-License-Identifier: MIT
// What options.c and optionpeers.c share: sockets over TCP, their options, what waits in them.
#pragma once

#include "said.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char b[70000];
static int value; // what get() got

static inline int set(int s, int level, int option, int to)
{
    return setsockopt(s, level, option, &to, sizeof(to));
}

static inline int get(int s, int level, int option)
{
    socklen_t n = sizeof(value);
    value = -77;
    return getsockopt(s, level, option, &value, &n) < 0 ? -1 : value;
}

static inline long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline struct sockaddr_in at(int s)
{
    struct sockaddr_in a;
    socklen_t n = sizeof(a);
    getsockname(s, (void *)&a, &n);
    return a;
}

static inline int listener(void)
{
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    int l = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(l, (void *)&a, sizeof(a)) < 0 || listen(l, 5) < 0)
        exit(3);
    return l;
}

static inline int reach(int s, int l)
{
    struct sockaddr_in a = at(l);
    return connect(s, (void *)&a, sizeof(a));
}

static inline void pair_of(int *c, int *s)
{
    int l = listener();
    *c = socket(AF_INET, SOCK_STREAM, 0);
    if (reach(*c, l) < 0)
        exit(4);
    *s = accept(l, NULL, NULL);
    close(l);
}

// What waits, once it had time to come.
static inline int waiting(int s)
{
    int n = -1;
    usleep(5000);
    ioctl(s, FIONREAD, &n);
    return n;
}

static inline int readable(int s, int ms)
{
    struct pollfd p = {s, POLLIN, 0};
    return poll(&p, 1, ms);
}

static inline void both_end(int c, int s)
{
    close(c);
    close(s);
}

static inline struct tcp_info info_of(int s)
{
    struct tcp_info i;
    socklen_t n = sizeof(i);
    memset(&i, 0, sizeof(i));
    if (getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n) < 0)
        exit(5);
    return i;
}
