// SPDX-License-Identifier: MIT
// Datagrams that need fragments: over loopback, by UDP and raw sockets, and IP_MTU_DISCOVER.
// fragments echo PORT: sends back what comes, until an empty datagram does.
// fragments ask ADDRESS PORT TIMES: sends datagrams there and says what came back.
#define _GNU_SOURCE
#include "say.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#define MOST 65507

static uint8_t out[70000], in[70000];

static void fill(unsigned seed)
{
    for (size_t i = 0; i < sizeof(out); i++) {
        seed = seed * 1103515245 + 12345;
        out[i] = (uint8_t)(seed >> 16);
    }
}

static struct sockaddr_in address(const char *ip, int port)
{
    return (struct sockaddr_in){AF_INET, htons((uint16_t)port), {inet_addr(ip)}, {0}};
}

static ssize_t receive(int fd, int ms)
{
    struct pollfd p = {fd, POLLIN, 0};
    memset(in, 0, sizeof(in));
    return poll(&p, 1, ms) == 1 ? recv(fd, in, sizeof(in), 0) : -1;
}

static int discover(int fd, int how)
{
    return setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how));
}

static void show_discover(int fd)
{
    int how = -7;
    socklen_t n = sizeof(how);
    int r = getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &how, &n);
    printf("discover %d %d %u\n", r, how, n);
}

static void show_mtu(const char *what, int fd)
{
    int mtu = -7;
    socklen_t n = sizeof(mtu);
    int r = getsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, &n);
    printf("%s: mtu %s %d %u\n", what, error_name(r), mtu, n);
}

static void options(void)
{
    static const int tries[] = {0, 1, 2, 3, 4, 5, 6, -1, -2, 255};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), mtu = 1000;
    struct sockaddr_in a = address("127.0.0.1", 9);
    show_discover(fd);
    for (unsigned i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        say("set", discover(fd, tries[i]));
        show_discover(fd);
    }
    say("one byte", setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, "\2", 1));
    show_discover(fd);
    say("no byte", setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, "\2", 0));
    show_discover(fd);
    show_mtu("idle", fd);
    say("connect", connect(fd, (void *)&a, sizeof(a)));
    show_mtu("connected", fd);
    say("mtu set", setsockopt(fd, IPPROTO_IP, IP_MTU, &mtu, sizeof(mtu)));
    close(fd);
}

static void udp_loopback(void)
{
    static const size_t sizes[] = {1472, 1473, 8000, 30000, 65506, 65507, 65508, 65536};
    int from = socket(AF_INET, SOCK_DGRAM, 0), to = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = address("127.0.0.1", 0);
    socklen_t n = sizeof(a);
    say("bind", bind(to, (void *)&a, n));
    getsockname(to, (void *)&a, &n);
    for (int how = IP_PMTUDISC_DONT; how <= IP_PMTUDISC_DO; how++) {
        say("set", discover(from, how));
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            ssize_t r = say("send", sendto(from, out, sizes[i], 0, (void *)&a, n));
            if (r >= 0)
                printf("got %d\n", receive(to, 5000) == r && !memcmp(in, out, (size_t)r));
        }
    }
    close(from);
    close(to);
}

static uint16_t sum_of(const void *bytes, size_t n)
{
    const uint16_t *p = bytes;
    uint32_t sum = 0;
    for (; n > 1; n -= 2)
        sum += *p++;
    if (n)
        sum += *(const uint8_t *)p;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

// An echo request of n bytes, the ICMP header with them.
static void request_make(uint8_t *at, size_t n)
{
    struct icmphdr h = {.type = ICMP_ECHO, .un.echo = {htons(77), htons(1)}};
    memcpy(at, out, n);
    memcpy(at, &h, sizeof(h));
    h.checksum = sum_of(at, n);
    memcpy(at, &h, sizeof(h));
}

// Of the socket that hears both, the answer.
static void show_answer(int fd, const uint8_t *request, size_t n)
{
    const struct iphdr *ip = (const void *)in;
    const struct icmphdr *h = (const void *)(ip + 1);
    ssize_t r = receive(fd, 5000);
    if (r > 0 && h->type == ICMP_ECHO)
        r = receive(fd, 5000);
    printf("answer %zd, type %d, total %d, offset %d, more %d, header %d, sum %d, bytes %d\n", r,
           h->type, ntohs(ip->tot_len), ntohs(ip->frag_off) & 0x1fff,
           !!(ntohs(ip->frag_off) & 0x2000), sum_of(ip, 20), sum_of(h, n),
           !memcmp(h + 1, request + sizeof(*h), n - sizeof(*h)));
}

static void raw_loopback(void)
{
    static const size_t sizes[] = {8, 1480, 1481, 8008, 65507, 65515, 65516, 65535, 65536};
    static uint8_t request[70000];
    struct sockaddr_in a = address("127.0.0.1", 0);
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
        request_make(request, sizes[i]);
        if (say("raw", sendto(fd, request, sizes[i], 0, (void *)&a, sizeof(a))) > 0)
            show_answer(fd, request, sizes[i]);
        close(fd);
    }
}

// The program's own header: of a packet, and of the fragments of one.
static void own_header(void)
{
    static uint8_t request[4008], packet[4100];
    static const struct {
        size_t at, n;
        int more;
    } cuts[] = {{0, 4008, 0}, {2000, 2008, 0}, {0, 2000, 1},
                {0, 1600, 1}, {1600, 800, 1},  {2400, 1608, 0}};
    struct sockaddr_in a = address("127.0.0.1", 0);
    int on = 1, fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    say("own header", setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)));
    request_make(request, sizeof(request));
    for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct iphdr h = {.version = 4,
                          .ihl = 5,
                          .id = htons(i < 3 ? 99 : 100),
                          .ttl = 9,
                          .protocol = IPPROTO_ICMP,
                          .daddr = a.sin_addr.s_addr};
        h.frag_off = htons((uint16_t)(cuts[i].at / 8 | (cuts[i].more ? 0x2000 : 0)));
        memcpy(packet, &h, sizeof(h));
        memcpy(packet + sizeof(h), request + cuts[i].at, cuts[i].n);
        say("packet", sendto(fd, packet, sizeof(h) + cuts[i].n, 0, (void *)&a, sizeof(a)));
        if (i == 0 || i == 2 || i == 5)
            show_answer(fd, request, sizeof(request));
    }
    close(fd);
}

static int echo(int port)
{
    struct sockaddr_in a = address("0.0.0.0", port), from;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (void *)&a, sizeof(a)) < 0)
        return 3;
    for (;;) {
        socklen_t size = sizeof(from);
        ssize_t n = recvfrom(fd, in, sizeof(in), 0, (void *)&from, &size);
        if (n <= 0)
            return n < 0;
        if (sendto(fd, in, (size_t)n, 0, (void *)&from, size) != n)
            return 4;
    }
}

static int ask(const char *ip, int port, int times)
{
    static const size_t sizes[] = {1472, 1473, 8000, 30000, 65507};
    struct sockaddr_in a = address(ip, port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    say("connect", connect(fd, (void *)&a, sizeof(a)));
    show_mtu("connected", fd);
    for (int k = 0; k < times; k++)
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            fill((unsigned)k);
            ssize_t r = send(fd, out, sizes[i], 0);
            if (r != (ssize_t)sizes[i] || receive(fd, 10000) != r || memcmp(in, out, (size_t)r))
                return say("not the same", r) < 0 ? 5 : 6;
        }
    say("too large", send(fd, out, MOST + 1, 0));
    for (int how = 0; how <= IP_PMTUDISC_OMIT; how++) {
        discover(fd, how);
        ssize_t r = say("1473", send(fd, out, 1473, 0));
        if (r > 0)
            printf("back %d\n", receive(fd, 10000) == r && !memcmp(in, out, (size_t)r));
        r = say("1472", send(fd, out, 1472, 0));
        printf("back %d\n", receive(fd, 10000) == r && !memcmp(in, out, (size_t)r));
    }
    int raw = socket(AF_INET, SOCK_RAW, 200), on = 1;
    a.sin_port = 0;
    say("raw", sendto(raw, out, 1481, 0, (void *)&a, sizeof(a)));
    setsockopt(raw, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on));
    memcpy(out,
           &(struct iphdr){
               .version = 4, .ihl = 5, .ttl = 9, .protocol = 200, .daddr = a.sin_addr.s_addr},
           20);
    say("own header", sendto(raw, out, 1500, 0, (void *)&a, sizeof(a)));
    say("own header", sendto(raw, out, 1501, 0, (void *)&a, sizeof(a)));
    return 0;
}

int main(int argc, char **argv)
{
    fill(1);
    if (argc == 3 && !strcmp(argv[1], "echo"))
        return echo(atoi(argv[2]));
    if (argc == 5 && !strcmp(argv[1], "ask"))
        return ask(argv[2], atoi(argv[3]), atoi(argv[4]));
    options();
    udp_loopback();
    raw_loopback();
    own_header();
    return 0;
}
