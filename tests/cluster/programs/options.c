// SPDX-License-Identifier: MIT
// Options of sockets that change what they do, over loopback: what is held and for how long, low
// water, deferred and lingering ends, what TCP_INFO tells.
// options far: between moves to node 1 and back (it stays without /proc/self/node).
#define _GNU_SOURCE
#include "options.h"
#include "move.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>

#define UDP_CORK 1
#define HELD_MS  200

// ---- values ------------------------------------------------------------------------------------
static void values(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    puts("- values");
    static const struct {
        int option, to;
    } sets[] = {
        {TCP_MAXSEG, 87},
        {TCP_MAXSEG, 88},
        {TCP_MAXSEG, 32767},
        {TCP_MAXSEG, 32768},
        {TCP_MAXSEG, -1},
        {TCP_MAXSEG, 0},
        {TCP_SYNCNT, 0},
        {TCP_SYNCNT, 1},
        {TCP_SYNCNT, 127},
        {TCP_SYNCNT, 128},
        {TCP_LINGER2, 5},
        {TCP_LINGER2, 120},
        {TCP_LINGER2, 121},
        {TCP_LINGER2, 0},
        {TCP_LINGER2, -1},
        {TCP_LINGER2, -5},
        {TCP_DEFER_ACCEPT, 1},
        {TCP_DEFER_ACCEPT, 2},
        {TCP_DEFER_ACCEPT, 5},
        {TCP_DEFER_ACCEPT, 100},
        {TCP_DEFER_ACCEPT, 1000},
        {TCP_DEFER_ACCEPT, 0},
        {TCP_DEFER_ACCEPT, -1},
        {TCP_WINDOW_CLAMP, 1},
        {TCP_WINDOW_CLAMP, 5000},
        {TCP_WINDOW_CLAMP, 0},
        {TCP_USER_TIMEOUT, -1},
        {TCP_USER_TIMEOUT, 0},
        {TCP_USER_TIMEOUT, 77},
        {TCP_NOTSENT_LOWAT, 0},
        {TCP_NOTSENT_LOWAT, 9},
        {TCP_NOTSENT_LOWAT, -1},
        {TCP_CORK, 5},
        {TCP_CORK, 0},
        {TCP_NODELAY, 5},
        {TCP_NODELAY, 0},
        {TCP_QUICKACK, 0},
        {TCP_QUICKACK, 1},
        {TCP_KEEPIDLE, 0},
    };
    for (size_t k = 0; k < sizeof(sets) / sizeof(*sets); k++) {
        errno = 0;
        int was = get(s, IPPROTO_TCP, sets[k].option);
        int r = set(s, IPPROTO_TCP, sets[k].option, sets[k].to);
        printf("option %d: %d, to %d: %s, %d\n", sets[k].option, was, sets[k].to,
               r < 0 ? strerrorname_np(errno) : "", get(s, IPPROTO_TCP, sets[k].option));
    }
    close(s);
}

static void other_values(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_DGRAM, 0);
    char name[32];
    socklen_t n;
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, 100));
    T(get(s, SOL_SOCKET, SO_RCVLOWAT));
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, 0));
    T(get(s, SOL_SOCKET, SO_RCVLOWAT));
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, -1));
    T(get(s, SOL_SOCKET, SO_RCVLOWAT) > 100000);
    T(set(s, SOL_SOCKET, SO_SNDLOWAT, 100));
    T(get(s, SOL_SOCKET, SO_SNDLOWAT));
    T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    n = sizeof(name);
    memset(name, 0, sizeof(name));
    T(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n));
    printf("%s %u\n", name, n);
    n = 2;
    memset(name, 0, sizeof(name));
    T(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n));
    printf("%s %u\n", name, n);
    T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonsense", 8));
    T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "", 0));
    T(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 5));
    T(get(u, IPPROTO_UDP, UDP_CORK));
    T(set(u, IPPROTO_UDP, UDP_CORK, 7));
    T(get(u, IPPROTO_UDP, UDP_CORK));
    T(set(u, IPPROTO_UDP, UDP_CORK, 0));
    T(setsockopt(u, IPPROTO_UDP, UDP_CORK, "", 1));
    T(get(s, IPPROTO_UDP, UDP_CORK));
    T(get(u, IPPROTO_TCP, TCP_CORK));
    T(get(u, IPPROTO_UDP, 77));
    both_end(s, u);
}

// ---- TCP_INFO ----------------------------------------------------------------------------------
// What is the same on every machine.
static void show_info(const char *of, int s)
{
    struct tcp_info i = info_of(s);
    printf("%s: state %u ca %u retransmits %u probes %u backoff %u options %x ato %d lost %u "
           "retrans %u sacked %u reordering %u total_retrans %u\n",
           of, i.tcpi_state, i.tcpi_ca_state, i.tcpi_retransmits, i.tcpi_probes, i.tcpi_backoff,
           i.tcpi_options & 7, i.tcpi_ato, i.tcpi_lost, i.tcpi_retrans, i.tcpi_sacked,
           i.tcpi_reordering, i.tcpi_total_retrans);
    printf("   rto %d mss %d %d %d pmtu %d cwnd %d ssthresh %x scale %d %d unsent %u acked %llu "
           "received %llu\n",
           i.tcpi_rto >= 200000, i.tcpi_snd_mss >= 536, i.tcpi_rcv_mss >= 536, i.tcpi_advmss >= 536,
           i.tcpi_pmtu > 1000, i.tcpi_snd_cwnd > 1, i.tcpi_snd_ssthresh, i.tcpi_snd_wscale > 0,
           i.tcpi_rcv_wscale > 0, i.tcpi_notsent_bytes, i.tcpi_bytes_acked, i.tcpi_bytes_received);
}

static void infos(void)
{
    int c, s, l = listener(), fresh = socket(AF_INET, SOCK_STREAM, 0);
    unsigned char bytes[300];
    puts("- TCP_INFO");
    for (socklen_t k = 0, want = 0; k < 6; k++, want = want * 3 + 1) {
        socklen_t n = want < 104 ? want : 104;
        memset(bytes, 0xee, sizeof(bytes));
        T(getsockopt(l, IPPROTO_TCP, TCP_INFO, bytes, &n));
        printf("%u of %u: %x, then %x\n", n, want, bytes[0], bytes[n]);
    }
    struct tcp_info i = info_of(l);
    printf("listening: %u %u %u\n", i.tcpi_state, i.tcpi_unacked, i.tcpi_sacked);
    i = info_of(fresh);
    printf("fresh: %u %u %u\n", i.tcpi_state, i.tcpi_unacked, i.tcpi_options);
    c = socket(AF_INET, SOCK_STREAM, 0);
    reach(c, l);
    i = info_of(l);
    printf("one waits: %u %u %u\n", i.tcpi_state, i.tcpi_unacked, i.tcpi_sacked);
    s = accept(l, NULL, NULL);
    usleep(20000);
    show_info("connected", c);
    show_info("accepted", s);
    for (int k = 0; k < 10; k++) {
        T(send(c, b, 1000, 0));
        T(recv(s, b, 1000, MSG_WAITALL));
        T(send(s, b, 10, 0));
        T(recv(c, b, 10, MSG_WAITALL));
    }
    usleep(100000);
    show_info("client", c);
    show_info("server", s);
    i = info_of(c);
    printf("last ms: %d %d %d, rtt %d %d\n",
           i.tcpi_last_data_sent >= 100 && i.tcpi_last_data_sent < 5000,
           i.tcpi_last_data_recv >= 100 && i.tcpi_last_data_recv < 5000,
           i.tcpi_last_ack_recv<5000, i.tcpi_rtt> 0 && i.tcpi_rtt < 500000,
           i.tcpi_min_rtt < 500000);
    printf("segments: %d %d %d %d, bytes %llu %llu\n", i.tcpi_segs_out >= 10, i.tcpi_segs_in >= 10,
           i.tcpi_data_segs_out >= 10, i.tcpi_data_segs_in >= 10, i.tcpi_bytes_sent,
           i.tcpi_bytes_retrans);
    shutdown(c, SHUT_WR);
    usleep(200000);
    printf("states %u %u\n", info_of(c).tcpi_state, info_of(s).tcpi_state);
    close(s);
    usleep(20000);
    printf("state %u\n", info_of(c).tcpi_state);
    both_end(c, l);
    close(fresh);
}

static void segments(void)
{
    int c, s, l = listener();
    puts("- TCP_MAXSEG");
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(set(c, IPPROTO_TCP, TCP_MAXSEG, 1000));
    T(reach(c, l));
    s = accept(l, NULL, NULL);
    T(get(c, IPPROTO_TCP, TCP_MAXSEG));
    T(get(s, IPPROTO_TCP, TCP_MAXSEG));
    T(info_of(c).tcpi_snd_mss);
    T(info_of(s).tcpi_snd_mss);
    T(info_of(c).tcpi_advmss);
    T(set(c, IPPROTO_TCP, TCP_MAXSEG, 500));
    T(get(c, IPPROTO_TCP, TCP_MAXSEG));
    both_end(c, s);
    T(set(l, IPPROTO_TCP, TCP_MAXSEG, 900));
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(reach(c, l));
    s = accept(l, NULL, NULL);
    T(get(c, IPPROTO_TCP, TCP_MAXSEG));
    T(get(s, IPPROTO_TCP, TCP_MAXSEG));
    both_end(c, s);
    close(l);
}

// ---- held segments -----------------------------------------------------------------------------
static void corks(void)
{
    int c, s;
    pair_of(&c, &s);
    puts("- TCP_CORK");
    T(set(c, IPPROTO_TCP, TCP_CORK, 1));
    long start = now_ms();
    T(send(c, "abc", 3, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    T(write(c, "de", 2));
    T(recv(s, b, 9, MSG_DONTWAIT | MSG_PEEK));
    T(readable(s, 0));
    T(set(c, IPPROTO_TCP, TCP_CORK, 0));
    T(readable(s, 1000));
    T(recv(s, b, 9, 0));
    int in_time = now_ms() - start < HELD_MS;
    puts("- for a while");
    set(c, IPPROTO_TCP, TCP_CORK, 1);
    start = now_ms();
    T(send(c, "abc", 3, 0));
    T(readable(s, 5000));
    long took = now_ms() - start;
    printf("%d %d\n", took >= HELD_MS / 2, took < 2000);
    T(recv(s, b, 9, 0));
    puts("- TCP_NODELAY");
    T(send(c, "fg", 2, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    T(set(c, IPPROTO_TCP, TCP_NODELAY, 1));
    T(readable(s, 100));
    T(recv(s, b, 9, 0));
    T(get(c, IPPROTO_TCP, TCP_CORK));
    T(send(c, "h", 1, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    puts("- the end");
    T(shutdown(c, SHUT_WR));
    T(recv(s, b, 9, MSG_WAITALL));
    T(recv(s, b, 9, 0));
    both_end(c, s);
    T(in_time);
}

// Who lets go of a connection has nothing left of what was held for it.
static void anew(void)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    int c, s, l = listener();
    pair_of(&c, &s);
    puts("- anew");
    T(set(c, IPPROTO_TCP, TCP_CORK, 1));
    T(send(c, "abc", 3, 0));
    T(connect(s, &none, sizeof(none)));
    close(c);
    T(reach(s, l));
    c = accept(l, NULL, NULL);
    T(waiting(s));
    T(readable(s, 0));
    T(send(c, "de", 2, 0));
    T(recv(s, b, 9, 0));
    T(info_of(s).tcpi_bytes_received);
    both_end(c, s);
    close(l);
}

static void mores(void)
{
    int c, s;
    pair_of(&c, &s);
    puts("- MSG_MORE");
    T(send(c, "abc", 3, MSG_MORE));
    T(recv(s, b, 9, MSG_DONTWAIT));
    T(send(c, "de", 2, 0));
    T(readable(s, 1000));
    T(recv(s, b, 9, 0));
    long start = now_ms();
    T(send(c, "f", 1, MSG_MORE));
    T(readable(s, 5000));
    long took = now_ms() - start;
    printf("%d %d\n", took >= HELD_MS / 2, took < 2000);
    T(recv(s, b, 9, 0));
    T(send(c, "g", 1, MSG_MORE));
    close(c);
    T(recv(s, b, 9, MSG_WAITALL));
    close(s);
    puts("- more than a segment");
    int l = listener();
    c = socket(AF_INET, SOCK_STREAM, 0);
    set(c, IPPROTO_TCP, TCP_MAXSEG, 1012);
    reach(c, l);
    s = accept(l, NULL, NULL);
    set(c, IPPROTO_TCP, TCP_CORK, 1);
    T(send(c, b, 3500, 0));
    T(waiting(s));
    T(send(c, b, 400, 0));
    T(waiting(s));
    T(send(c, b, 200, 0));
    T(waiting(s));
    T(set(c, IPPROTO_TCP, TCP_CORK, 0));
    T(waiting(s));
    both_end(c, s);
    close(l);
}

static void datagrams(void)
{
    struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}}, other;
    int s = socket(AF_INET, SOCK_DGRAM, 0), o = socket(AF_INET, SOCK_DGRAM, 0);
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    bind(s, (void *)&a, sizeof(a));
    bind(o, (void *)&a, sizeof(a));
    a = at(s);
    other = at(o);
    puts("- datagrams");
    T(sendto(c, "ab", 2, MSG_MORE, (void *)&a, sizeof(a)));
    T(recv(s, b, 9, MSG_DONTWAIT));
    T(sendto(c, "cde", 3, MSG_MORE, (void *)&other, sizeof(other)));
    T(send(c, "f", 1, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    printf("%.6s\n", b);
    T(recv(o, b, 9, MSG_DONTWAIT));
    T(send(c, "f", 1, 0));
    T(connect(c, (void *)&a, sizeof(a)));
    T(set(c, IPPROTO_UDP, UDP_CORK, 1));
    T(send(c, "gh", 2, 0));
    T(write(c, "ij", 2));
    usleep(250000);
    T(recv(s, b, 9, MSG_DONTWAIT));
    T(set(c, IPPROTO_UDP, UDP_CORK, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    printf("%.4s\n", b);
    T(set(c, IPPROTO_UDP, UDP_CORK, 0));
    T(recv(s, b, 9, MSG_DONTWAIT));
    puts("- too much");
    T(send(c, b, 40000, MSG_MORE));
    T(send(c, b, 40000, 0));
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    T(send(c, "k", 1, 0));
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    puts("- nothing");
    T(send(c, "lm", 2, MSG_MORE));
    T(send(c, "", 0, 0));
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    T(send(c, "", 0, MSG_MORE));
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    T(send(c, "n", 1, 0));
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    T(send(c, "o", 1, MSG_MORE));
    close(c);
    T(recv(s, b, sizeof(b), MSG_DONTWAIT));
    both_end(s, o);
}

// ---- SO_RCVLOWAT -------------------------------------------------------------------------------
// A child reads: what it got, and whether it had to wait until `after` was sent. That is enough by
// itself, as Linux counts anew what comes when some was taken already.
static void low_reader(int c, int s, const char *before, const char *after, size_t room, int flags)
{
    int status;
    send(c, before, strlen(before), 0);
    pid_t child = fork();
    if (child == 0)
        _exit((int)recv(s, b, room, flags) & 0xff);
    usleep(60000);
    int over = waitpid(child, &status, WNOHANG) == child;
    send(c, after, strlen(after), 0);
    if (!over)
        waitpid(child, &status, 0);
    printf("%s + %s, room %zu: %d, %s\n", before, after, room, WEXITSTATUS(status),
           over ? "at once" : "waited");
}

static void show_ready(int s, int ep)
{
    struct timeval none = {0, 0};
    struct epoll_event e;
    fd_set in;
    FD_ZERO(&in);
    FD_SET(s, &in);
    usleep(5000);
    int selected = select(s + 1, &in, NULL, NULL, &none);
    printf("   %d bytes: poll %d select %d epoll %d\n", waiting(s), readable(s, 0), selected,
           epoll_wait(ep, &e, 1, 0));
}

static void low_waters(int tcp)
{
    int c, s, p[2], ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN};
    struct timeval t = {0, 50000}, none = {0, 0};
    if (tcp) {
        pair_of(&c, &s);
    } else {
        socketpair(AF_UNIX, SOCK_STREAM, 0, p);
        c = p[0];
        s = p[1];
    }
    printf("- SO_RCVLOWAT %d\n", tcp);
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, 5));
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
    show_ready(s, ep);
    send(c, "abc", 3, 0);
    show_ready(s, ep);
    T(recv(s, b, 9, MSG_DONTWAIT | MSG_PEEK));
    T(recv(s, b, 2, 0)); // less than the mark is asked for
    T(recv(s, b, 9, MSG_DONTWAIT));
    send(c, "abcde", 5, 0);
    show_ready(s, ep);
    T(recv(s, b, 9, 0));
    low_reader(c, s, "abc", "defghi", 9, 0);
    T(waiting(s));
    low_reader(c, s, "abc", "d", 3, 0);
    T(recv(s, b, 9, MSG_DONTWAIT));
    low_reader(c, s, "abcdef", "g", 9, 0);
    T(recv(s, b, 9, MSG_DONTWAIT));
    low_reader(c, s, "abcdef", "ghijk", 11, MSG_WAITALL);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    send(c, "ab", 2, 0);
    T(recv(s, b, 9, 0));
    T(recv(s, b, 9, 0));
    send(c, "ab", 2, 0);
    T(read(s, b, 9));
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
    send(c, "abcd", 4, 0);
    shutdown(c, SHUT_WR);
    show_ready(s, ep);
    T(recv(s, b, 9, 0));
    T(recv(s, b, 9, 0));
    both_end(c, s);
    close(ep);
}

// ---- TCP_DEFER_ACCEPT --------------------------------------------------------------------------
static void defers(void)
{
    int l = listener(), c, d, e, s;
    puts("- TCP_DEFER_ACCEPT");
    T(set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30));
    c = socket(AF_INET, SOCK_STREAM, 0);
    d = socket(AF_INET, SOCK_STREAM, 0);
    e = socket(AF_INET, SOCK_STREAM, 0);
    T(reach(c, l));
    T(reach(d, l));
    T(reach(e, l));
    T(readable(l, 50));
    T(info_of(c).tcpi_state);
    T(send(d, "abc", 3, 0));
    T(readable(l, 1000));
    s = accept(l, NULL, NULL);
    T(recv(s, b, 9, 0));
    T(readable(l, 0));
    close(s);
    T(shutdown(e, SHUT_WR));
    T(readable(l, 1000));
    s = accept(l, NULL, NULL);
    T(recv(s, b, 9, 0));
    T(readable(l, 0));
    close(s);
    close(e);
    e = socket(AF_INET, SOCK_STREAM, 0);
    T(reach(e, l));
    close(e); // its FIN is news
    T(readable(l, 1000));
    s = accept(l, NULL, NULL);
    T(recv(s, b, 9, 0));
    close(s);
    close(l);
    T(send(c, "a", 1, 0)); // which the listener never told of
    usleep(20000);
    T(recv(c, b, 1, 0));
    both_end(c, d);
    puts("- for a while");
    l = listener();
    T(set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1));
    c = socket(AF_INET, SOCK_STREAM, 0);
    T(reach(c, l));
    T(readable(l, 200));
    T(readable(l, 5000));
    s = accept(l, NULL, NULL);
    T(recv(s, b, 1, MSG_DONTWAIT));
    both_end(c, s);
    close(l);
}

// ---- SO_LINGER ---------------------------------------------------------------------------------
static void lingers(void)
{
    int c, s;
    struct linger five = {1, 5};
    socklen_t n = sizeof(five);
    pair_of(&c, &s);
    puts("- SO_LINGER");
    T(setsockopt(c, SOL_SOCKET, SO_LINGER, &five, sizeof(five)));
    memset(&five, 0, sizeof(five));
    T(getsockopt(c, SOL_SOCKET, SO_LINGER, &five, &n));
    printf("%d %d\n", five.l_onoff, five.l_linger);
    T(send(c, "abc", 3, 0));
    long start = now_ms();
    T(close(c));
    T(now_ms() - start < 3000);
    T(recv(s, b, 9, 0));
    T(recv(s, b, 9, 0));
    close(s);
}

// ---- elsewhere ---------------------------------------------------------------------------------
static void far(void)
{
    int c, s, ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN};
    pair_of(&c, &s);
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, 5));
    T(set(c, IPPROTO_TCP, TCP_USER_TIMEOUT, 7000));
    T(set(c, IPPROTO_TCP, TCP_SYNCNT, 3));
    T(set(c, IPPROTO_TCP, TCP_LINGER2, 9));
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &e);
    for (int k = 0; k < 3; k++) {
        move_to(k & 1 ? 0 : 1); // 1, 0, 1
        printf("move %d\n", k);
        T(get(s, SOL_SOCKET, SO_RCVLOWAT));
        T(get(c, IPPROTO_TCP, TCP_USER_TIMEOUT));
        T(get(c, IPPROTO_TCP, TCP_SYNCNT));
        T(get(c, IPPROTO_TCP, TCP_LINGER2));
        show_info("client", c);
        send(c, "abc", 3, 0);
        show_ready(s, ep);
        T(recv(s, b, 9, MSG_DONTWAIT));
        low_reader(c, s, "abc", "defghi", 9, 0);
        recv(s, b, 9, MSG_DONTWAIT);
        T(set(c, IPPROTO_TCP, TCP_CORK, 1));
        T(send(c, "abcde", 5, 0));
        T(set(c, IPPROTO_TCP, TCP_CORK, 0));
        T(recv(s, b, 9, 0));
        T(send(c, "abc", 3, MSG_MORE));
        T(send(c, "de", 2, 0));
        T(recv(s, b, 9, 0));
    }
    close(ep);
    both_end(c, s);
    datagrams();
    defers();
    lingers();
}

int main(int argc, char **argv)
{
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1) {
        far();
        return 0;
    }
    values();
    other_values();
    infos();
    segments();
    corks();
    anew();
    mores();
    datagrams();
    low_waters(1);
    low_waters(0);
    defers();
    lingers();
    return 0;
}
