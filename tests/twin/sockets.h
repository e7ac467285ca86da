// SPDX-License-Identifier: MIT
// Of sockets.c: the sockets that are open, addresses, and the wait for loopback.
#pragma once

#include "twin.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#define SLOTS 8

static struct slot {
    int fd, family, type, refused, port, sent;
} slots[SLOTS];

static int epoll_fd = -1;
static const int ports[] = {5001, 5002, 5003};
static const char *const names[] = {"one", "two", "dir/three"};
static char buffer[70000];

static int is_open(const struct slot *s)
{
    return s->fd >= 0;
}

static struct slot *some_slot(void)
{
    unsigned first = draw(SLOTS);
    for (unsigned i = 0; i < SLOTS; i++)
        if (is_open(&slots[(first + i) % SLOTS]))
            return &slots[(first + i) % SLOTS];
    return &slots[0];
}

static struct slot *free_slot(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (!is_open(&slots[i]))
            return &slots[i];
    return NULL;
}

static int number(const struct slot *s)
{
    return (int)(s - slots);
}

static const char *kind(const struct slot *s)
{
    static char text[4][32];
    static unsigned next;
    char *to = text[next++ % 4];
    sprintf(to, "%d:%s-%s", number(s), s->family == AF_UNIX ? "unix" : "inet",
            s->type == SOCK_STREAM  ? "stream"
            : s->type == SOCK_DGRAM ? "dgram"
                                    : "seq");
    return to;
}

// ---- loopback takes its time on Linux ----------------------------------------------------------
static int quiet(void)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        int out = 0;
        if (!is_open(&slots[i]) || slots[i].family != AF_INET || slots[i].type != SOCK_STREAM)
            continue;
        if (!ioctl(slots[i].fd, SIOCOUTQ, &out) && out)
            return 0;
    }
    return 1;
}

static void settle(void)
{
    for (int i = 0; i < 50 && !quiet(); i++)
        nanosleep(&(struct timespec){0, 2000000}, NULL);
}

// ---- addresses ---------------------------------------------------------------------------------
union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_un un;
    char bytes[256];
};

static socklen_t some_address(int family, union address *a)
{
    memset(a, 0, sizeof(*a));
    if (!draw(12))
        family = (int)draw(4);
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_UNIX) {
        unsigned kind = draw(8);
        if (kind < 3) {
            strcpy(a->un.sun_path, names[kind]);
            return (socklen_t)(2 + strlen(names[kind]) + draw(2));
        }
        if (kind < 6) {
            sprintf(a->un.sun_path + 1, "abstract%u", kind & 1);
            return 2 + 1 + 9;
        }
        return kind == 6 ? 2 : (socklen_t)draw(130);
    }
    a->in.sin_port = htons((uint16_t)PICK(ports));
    a->in.sin_addr.s_addr = htonl(draw(8) ? INADDR_LOOPBACK : 0x7f000002);
    return draw(12) ? sizeof(a->in) : (socklen_t)draw(30);
}

static void said_address(const char *what, const union address *a, socklen_t length)
{
    printf("%u:   %s length %d", twin_step, what, (int)length);
    if (length >= 2)
        printf(" family %d", a->any.sa_family);
    if (length >= 8 && a->any.sa_family == AF_INET) {
        int port = ntohs(a->in.sin_port);
        printf(" %x port %d", (unsigned)ntohl(a->in.sin_addr.s_addr), port > 6000 ? 9999 : port);
    } else if (length > 2 && a->any.sa_family == AF_UNIX) {
        // what Linux chose for an autobind is random
        if (length == 8 && !a->un.sun_path[0])
            printf(" chosen");
        else
            printf(" %d.%s", a->un.sun_path[0], a->un.sun_path + !a->un.sun_path[0]);
    }
    printf("\n");
}

static const char *said_to(const union address *a, socklen_t length)
{
    static char text[200];
    if (a->any.sa_family == AF_UNIX)
        sprintf(text, "unix %d %.100s", (int)length,
                a->un.sun_path[0] ? a->un.sun_path : a->un.sun_path + 1);
    else
        sprintf(text, "family %d %d %x:%d", a->any.sa_family, (int)length,
                (unsigned)ntohl(a->in.sin_addr.s_addr), ntohs(a->in.sin_port));
    return text;
}
