// SPDX-License-Identifier: MIT
// The lab's Ethernet switch: QEMU nodes on unix stream sockets, optionally a tap of this network
// namespace, and the witness; with faults on demand. See switch.h for its parts.
// It ends on SIGTERM, SIGINT, or after --limit seconds.
#include "qemu/switch.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "host-tools/keyfile.h"

#define CLIENTS_MAX   8
#define PCAP_FLUSH_NS 100000000u

static struct client {
    int fd;
    size_t bytes;
    char line[512];
} clients[CLIENTS_MAX];

static volatile sig_atomic_t ending;

static void on_signal(int signal UNUSED)
{
    ending = 1;
}

static uint64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what, int error)
{
    fprintf(stderr, "switch: %s: %s\n", what, strerror(error));
    exit(1);
}

static int control_listen(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof a.sun_path)
        die(path, ENAMETOOLONG);
    strcpy(a.sun_path, path);
    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof a) || listen(s, CLIENTS_MAX))
        die(path, errno);
    return s;
}

static void client_accept(int listener)
{
    struct timeval second = {1, 0};
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    for (int i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].fd < 0) {
            clients[i] = (struct client){.fd = fd};
            return;
        }
    close(fd);
}

static void client_read(struct client *c)
{
    ssize_t n = recv(c->fd, c->line + c->bytes, sizeof c->line - 1 - c->bytes, MSG_DONTWAIT);
    char *end;

    if (n <= 0) {
        if (n < 0 && errno == EAGAIN)
            return;
        close(c->fd);
        c->fd = -1;
        return;
    }
    c->bytes += (size_t)n;
    c->line[c->bytes] = 0;
    while ((end = strchr(c->line, '\n'))) {
        *end = 0;
        control_command(c->line, c->fd);
        c->bytes -= (size_t)(end + 1 - c->line);
        memmove(c->line, end + 1, c->bytes + 1);
    }
    if (c->bytes == sizeof c->line - 1)
        c->bytes = 0; // a line that long is no command
}

struct watch {
    struct pollfd fds[2 * SWITCH_PORT_MAX + CLIENTS_MAX + 1];
    void (*ready[2 * SWITCH_PORT_MAX + CLIENTS_MAX + 1])(unsigned which, short events);
    unsigned which[2 * SWITCH_PORT_MAX + CLIENTS_MAX + 1];
    unsigned count;
};

static void watch_add(struct watch *w, int fd, short events,
                      void (*ready)(unsigned which, short events), unsigned which)
{
    w->fds[w->count] = (struct pollfd){.fd = fd, .events = events};
    w->ready[w->count] = ready;
    w->which[w->count++] = which;
}

static void ready_control(unsigned which, short events UNUSED)
{
    client_accept((int)which);
}

static void ready_client(unsigned which, short events UNUSED)
{
    if (clients[which].fd >= 0)
        client_read(&clients[which]);
}

static void ready_listener(unsigned which, short events UNUSED)
{
    port_accept(which);
}

static void ready_port(unsigned which, short events)
{
    if (switch_ports[which].fd >= 0 && (events & POLLOUT))
        port_write(which);
    if (switch_ports[which].fd >= 0 && (events & (POLLIN | POLLHUP | POLLERR)))
        port_read(which);
}

// Returns when the first throttled port may be read again.
static uint64_t watch_ports(struct watch *w)
{
    uint64_t wake_ns = UINT64_MAX;

    for (unsigned i = 0; i < SWITCH_PORT_MAX; i++) {
        const struct port *p = &switch_ports[i];
        if (p->kind == PORT_FREE || p->kind == PORT_WITNESS)
            continue;
        if (p->fd < 0) {
            watch_add(w, p->listener, POLLIN, ready_listener, i);
            continue;
        }
        bool throttled = port_throttled(i);
        if (throttled)
            wake_ns = MIN(wake_ns, p->in_busy_until);
        watch_add(w, p->fd, (short)((throttled ? 0 : POLLIN) | (p->out_first ? POLLOUT : 0)),
                  ready_port, i);
    }
    return wake_ns;
}

// Frames that a throttled port had left in its buffer.
static void resume_ports(void)
{
    for (unsigned i = 0; i < SWITCH_PORT_MAX; i++)
        if (switch_ports[i].kind == PORT_NODE && switch_ports[i].fd >= 0 &&
            switch_ports[i].in_bytes && switch_faults.link_bits_per_second && !port_throttled(i))
            port_read(i);
}

static void serve(int control)
{
    static struct watch w;
    uint64_t flushed_ns = 0;

    while (!ending) {
        switch_now_ns = clock_ns();
        uint64_t next_ns = forward_run();
        resume_ports();
        w.count = 0;
        uint64_t unthrottled_ns = watch_ports(&w);
        next_ns = MIN(next_ns, unthrottled_ns);
        watch_add(&w, control, POLLIN, ready_control, (unsigned)control);
        for (unsigned i = 0; i < CLIENTS_MAX; i++)
            if (clients[i].fd >= 0)
                watch_add(&w, clients[i].fd, POLLIN, ready_client, i);
        next_ns = MIN(next_ns, switch_now_ns + PCAP_FLUSH_NS);
        uint64_t wait_ns = next_ns > switch_now_ns ? next_ns - switch_now_ns : 0;
        struct timespec t = {0, (long)wait_ns};
        if (ppoll(w.fds, w.count, &t, NULL) < 0 && errno != EINTR)
            die("poll", errno);
        switch_now_ns = clock_ns();
        forward_run();
        for (unsigned i = 0; i < w.count; i++)
            if (w.fds[i].revents)
                w.ready[i](w.which[i], w.fds[i].revents);
        if (switch_now_ns - flushed_ns > PCAP_FLUSH_NS) {
            flushed_ns = switch_now_ns;
            pcap_flush();
        }
    }
}

static void usage(void)
{
    fprintf(stderr, "usage: switch --control SOCKET [--pcap FILE] [--host-if NAME] "
                    "[--key FILE] [--limit SECONDS]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"control", required_argument, NULL, 'c'}, {"pcap", required_argument, NULL, 'p'},
        {"host-if", required_argument, NULL, 'h'}, {"key", required_argument, NULL, 'k'},
        {"limit", required_argument, NULL, 'l'},   {NULL, 0, NULL, 0},
    };
    struct sigaction end = {.sa_handler = on_signal};
    static uint8_t key[SEAL_KEY_BYTES];
    const char *control = NULL, *key_file = NULL;
    int option, error;

    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].fd = -1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            control = optarg;
        else if (option == 'p' && (error = pcap_open(optarg)) < 0)
            die(optarg, -error);
        else if (option == 'h' && (error = port_open_tap(optarg)) < 0)
            die(optarg, -error);
        else if (option == 'k')
            key_file = optarg;
        else if (option == 'l')
            alarm((unsigned)strtoul(optarg, NULL, 10));
        else if (option == '?')
            usage();
    }
    if (!control || optind != argc)
        usage();
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGALRM, &end, NULL);
    if (key_file && !keyfile_read(key_file, key))
        die(key_file, EINVAL);
    witness_port_init(key_file ? key : NULL);
    port_open_witness();
    forward_reset_random();
    serve(control_listen(control));
    pcap_flush();
    return 0;
}
