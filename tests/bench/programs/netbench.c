// SPDX-License-Identifier: MIT
// TCP between two machines as a program sees it: round trips of one byte, and bulk.
//   netbench server PORT [MODULE... ADDRESS]
//   netbench client PORT PEER MIB ROUNDS REPEATS [MODULE... ADDRESS]
// With modules (Linux, where it is PID 1) it loads them and gives eth0 the address first.
// The client prints `rtt_us X` and `bulk_mbs X` (10^6 bytes) once per repeat, the server `ready`.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char buffer[64 << 10];

static void check(int good, const char *what)
{
    if (good)
        return;
    printf("netbench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_in address(const char *ip, int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    a.sin_addr.s_addr = inet_addr(ip);
    return a;
}

static void interface_up(char **words, int n)
{
    struct ifreq r = {.ifr_name = "eth0"};
    struct sockaddr_in own = address(words[n - 1], 0), mask = address("255.255.255.0", 0);
    for (int i = 0; i < n - 1; i++) {
        int module = open(words[i], O_RDONLY | O_CLOEXEC);
        check(module >= 0 && syscall(SYS_finit_module, module, "", 0) == 0, words[i]);
        close(module);
    }
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    memcpy(&r.ifr_addr, &own, sizeof(own));
    check(ioctl(s, SIOCSIFADDR, &r) == 0, "address");
    memcpy(&r.ifr_netmask, &mask, sizeof(mask));
    check(ioctl(s, SIOCSIFNETMASK, &r) == 0, "netmask");
    check(ioctl(s, SIOCGIFFLAGS, &r) == 0, "flags");
    r.ifr_flags |= IFF_UP;
    check(ioctl(s, SIOCSIFFLAGS, &r) == 0, "up");
    close(s);
}

static void serve(int s)
{
    int one = 1;
    unsigned long long got = 0;
    char kind;
    ssize_t n;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    check(read(s, &kind, 1) == 1, "kind");
    while ((n = read(s, buffer, sizeof(buffer))) > 0) {
        got += (unsigned long long)n;
        if (kind == 'R')
            check(write(s, buffer, (size_t)n) == n, "echo");
    }
    check(n == 0, "read");
    if (kind == 'B')
        check(write(s, &got, sizeof(got)) == sizeof(got), "count");
    close(s);
}

static __attribute__((noreturn)) void server(int port)
{
    struct sockaddr_in any = address("0.0.0.0", port);
    int l = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(l, (struct sockaddr *)&any, sizeof(any)) == 0, "bind");
    check(listen(l, 4) == 0, "listen");
    printf("ready\n");
    for (;;) {
        int s = accept(l, NULL, NULL);
        check(s >= 0, "accept");
        serve(s);
    }
}

static int connected(const char *peer, int port, char kind)
{
    struct sockaddr_in to = address(peer, port);
    int one = 1;
    for (double end = now_s() + 60; now_s() < end; usleep(200000)) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        check(s >= 0, "socket");
        if (connect(s, (struct sockaddr *)&to, sizeof(to)) == 0) {
            setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            check(write(s, &kind, 1) == 1, "kind");
            return s;
        }
        close(s);
    }
    check(0, "connect");
    return -1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void round_trips(const char *peer, int port, int rounds)
{
    double *us = calloc((size_t)rounds, sizeof(*us));
    int s = connected(peer, port, 'R');
    for (int i = 0; i < rounds; i++) {
        double start = now_s();
        check(write(s, "x", 1) == 1 && read(s, buffer, 1) == 1, "round trip");
        us[i] = (now_s() - start) * 1e6;
    }
    close(s);
    qsort(us, (size_t)rounds, sizeof(*us), by_value);
    printf("rtt_us %.1f\n", us[rounds / 2]);
    free(us);
}

static void bulk(const char *peer, int port, int mib)
{
    unsigned long long left = (unsigned long long)mib << 20, got = 0, sent = left;
    int s = connected(peer, port, 'B');
    double start = now_s();
    while (left) {
        size_t piece = left < sizeof(buffer) ? (size_t)left : sizeof(buffer);
        ssize_t n = write(s, buffer, piece);
        check(n > 0, "write");
        left -= (unsigned long long)n;
    }
    shutdown(s, SHUT_WR);
    check(read(s, &got, sizeof(got)) == sizeof(got) && got == sent, "count");
    printf("bulk_mbs %.2f\n", (double)sent / (now_s() - start) / 1e6);
    close(s);
}

int main(int argc, char **argv)
{
    int is_server = argc >= 3 && strcmp(argv[1], "server") == 0;
    int fixed = is_server ? 3 : 7;
    setvbuf(stdout, NULL, _IOLBF, 0);
    check(argc >= fixed, "usage");
    if (argc > fixed)
        interface_up(argv + fixed, argc - fixed);
    int port = atoi(argv[2]);
    if (is_server)
        server(port);
    for (int i = atoi(argv[6]); i > 0; i--) {
        round_trips(argv[3], port, atoi(argv[5]));
        bulk(argv[3], port, atoi(argv[4]));
    }
    printf("done\n");
    return 0;
}
