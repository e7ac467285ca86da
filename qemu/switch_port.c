// SPDX-License-Identifier: MIT
// Ports: a unix stream per QEMU (4 bytes of big-endian length before each frame, QEMU's
// `-netdev stream`), a tap of this network namespace, and the witness inside.
#include "qemu/switch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define IN_BYTES_MAX (4 + SWITCH_FRAME_BYTES_MAX + 65536)

struct port switch_ports[SWITCH_PORT_MAX];

static int port_new(const char *name, enum port_kind kind)
{
    if (port_find(name) >= 0)
        return -EEXIST;
    for (int slot = 0; slot < SWITCH_PORT_MAX; slot++) {
        struct port *p = &switch_ports[slot];
        if (p->kind != PORT_FREE)
            continue;
        memset(p, 0, sizeof *p);
        snprintf(p->name, sizeof p->name, "%s", name);
        p->kind = kind;
        p->listener = p->fd = -1;
        return slot;
    }
    return -ENOSPC;
}

int port_find(const char *name)
{
    for (int slot = 0; slot < SWITCH_PORT_MAX; slot++)
        if (switch_ports[slot].kind != PORT_FREE && !strcmp(switch_ports[slot].name, name))
            return slot;
    return -ENOENT;
}

int port_listen(const char *name, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int slot;

    if (strlen(path) >= sizeof a.sun_path)
        return -ENAMETOOLONG;
    strcpy(a.sun_path, path);
    slot = port_new(name, PORT_NODE);
    if (slot < 0)
        return slot;
    struct port *p = &switch_ports[slot];
    p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    p->in = malloc(IN_BYTES_MAX);
    if (p->listener < 0 || !p->in || bind(p->listener, (struct sockaddr *)&a, sizeof a) ||
        listen(p->listener, 1)) {
        int error = errno;
        close(p->listener);
        free(p->in);
        p->kind = PORT_FREE;
        return -error;
    }
    return slot;
}

static int tap_configure(struct ifreq *r)
{
    struct sockaddr_in *a = (struct sockaddr_in *)&r->ifr_addr;
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), failed;

    if (s < 0)
        return -errno;
    a->sin_family = AF_INET;
    a->sin_addr.s_addr = inet_addr("10.77.0.1");
    failed = ioctl(s, SIOCSIFADDR, r);
    a->sin_addr.s_addr = inet_addr("255.255.255.0");
    failed = failed || ioctl(s, SIOCSIFNETMASK, r) || ioctl(s, SIOCGIFFLAGS, r);
    r->ifr_flags |= IFF_UP | IFF_RUNNING;
    failed = failed || ioctl(s, SIOCSIFFLAGS, r);
    int error = errno;
    close(s);
    return failed ? -error : 0;
}

int port_open_tap(const char *interface)
{
    struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), slot, error;

    if (fd < 0)
        return -errno;
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", interface);
    error = ioctl(fd, TUNSETIFF, &r) ? -errno : tap_configure(&r);
    slot = error ? error : port_new("h", PORT_HOST);
    if (slot < 0)
        close(fd);
    else
        switch_ports[slot].fd = fd;
    return slot;
}

int port_open_witness(void)
{
    return port_new("w", PORT_WITNESS);
}

bool port_connected(unsigned slot)
{
    return switch_ports[slot].kind == PORT_WITNESS ||
           (switch_ports[slot].kind != PORT_FREE && switch_ports[slot].fd >= 0);
}

void port_accept(unsigned slot)
{
    struct port *p = &switch_ports[slot];

    p->fd = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    p->in_bytes = 0;
}

static void port_pop(struct port *p)
{
    struct frame *f = p->out_first;

    p->out_first = f->next;
    p->out_sent = 0;
    p->under_way_bytes -= f->bytes;
    free(f);
}

// The QEMU of this port is gone; another may come.
static void port_hang_up(unsigned slot)
{
    struct port *p = &switch_ports[slot];

    close(p->fd);
    p->fd = -1;
    while (p->out_first)
        port_pop(p);
    forward_forget(slot);
}

bool port_throttled(unsigned slot)
{
    return switch_faults.link_bits_per_second &&
           switch_ports[slot].in_busy_until > switch_now_ns + 1000000;
}

static void port_take_frames(unsigned slot)
{
    struct port *p = &switch_ports[slot];
    size_t at = 0;

    while (p->fd >= 0 && p->in_bytes - at >= 4 && !port_throttled(slot)) {
        const uint8_t *b = p->in + at;
        size_t bytes = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
        if (!bytes || bytes > SWITCH_FRAME_BYTES_MAX) {
            fprintf(stderr, "switch: port %s: a frame of %zu bytes; hung up\n", p->name, bytes);
            port_hang_up(slot);
            return;
        }
        if (p->in_bytes - at < 4 + bytes)
            break;
        forward_frame(slot, b + 4, bytes);
        at += 4 + bytes;
    }
    p->in_bytes -= at;
    memmove(p->in, p->in + at, p->in_bytes);
}

static void tap_read(unsigned slot)
{
    uint8_t data[SWITCH_FRAME_BYTES_MAX];
    ssize_t n;

    for (int i = 0; i < 64 && !port_throttled(slot); i++) {
        n = read(switch_ports[slot].fd, data, sizeof data);
        if (n <= 0)
            return;
        forward_frame(slot, data, (size_t)n);
    }
}

void port_read(unsigned slot)
{
    struct port *p = &switch_ports[slot];

    if (p->kind == PORT_HOST) {
        tap_read(slot);
        return;
    }
    ssize_t n = read(p->fd, p->in + p->in_bytes, IN_BYTES_MAX - p->in_bytes);
    if (n > 0)
        p->in_bytes += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        if (p->in_bytes < IN_BYTES_MAX) {
            port_hang_up(slot);
            return;
        }
    }
    port_take_frames(slot);
}

void port_write(unsigned slot)
{
    struct port *p = &switch_ports[slot];
    size_t head = p->kind == PORT_HOST ? 4 : 0; // a tap frames by itself

    while (p->out_first) {
        struct frame *f = p->out_first;
        size_t at = MAX(p->out_sent, head);
        ssize_t n = p->kind == PORT_HOST
                        ? write(p->fd, f->wire + at, 4 + f->bytes - at)
                        : send(p->fd, f->wire + at, 4 + f->bytes - at, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0 && p->kind == PORT_NODE) {
            port_hang_up(slot);
            return;
        }
        p->out_sent = n < 0 ? 4 + f->bytes : at + (size_t)n; // a tap that is down loses it
        if (p->out_sent < 4 + f->bytes)
            return;
        port_pop(p);
    }
}

void port_deliver(struct frame *f)
{
    struct port *p = &switch_ports[f->to];
    unsigned to = f->to;

    if (p->kind == PORT_WITNESS) {
        p->under_way_bytes -= f->bytes;
        witness_port_input(to, f->wire + 4, f->bytes);
        free(f);
        return;
    }
    if (!port_connected(to)) {
        p->under_way_bytes -= f->bytes;
        free(f);
        return;
    }
    f->next = NULL;
    if (p->out_first)
        p->out_last->next = f;
    else
        p->out_first = f;
    p->out_last = f;
    if (p->out_first == f)
        port_write(to);
}
