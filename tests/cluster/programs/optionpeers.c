// SPDX-License-Identifier: MIT
// Options of a connection that is not over loopback, for test_sockets.py: optionpeers serve PORT,
// optionpeers ask IP PORT.
#define _GNU_SOURCE
#include "options.h"

// Each connection begins with a byte that says what is wanted of the server.
static void serve_one(int l)
{
    int n, s = accept(l, NULL, NULL);
    char what = 0;
    recv(s, &what, 1, 0);
    switch (what) {
    case 'i': // something to tell of
        for (int k = 0; k < 5; k++) {
            recv(s, b, 1000, MSG_WAITALL);
            send(s, b, 10, 0);
        }
        break;
    case 'l': // three bytes, when asked six more
        send(s, "abc", 3, 0);
        recv(s, b, 1, 0);
        usleep(50000);
        send(s, "defghi", 6, 0);
        break;
    case 'd': // what is there when it is accepted
        n = (int)recv(s, b, sizeof(b), MSG_DONTWAIT);
        send(s, &n, sizeof(n), 0);
        break;
    case 'z': // reads late
        usleep(3000000);
        while (recv(s, b, sizeof(b), 0) > 0)
            continue;
        break;
    }
    recv(s, b, 1, 0); // until the other end goes
    close(s);
}

static int serve(int port)
{
    struct sockaddr_in a = {AF_INET, htons((uint16_t)port), {0}, {0}};
    int l = socket(AF_INET, SOCK_STREAM, 0);
    set(l, SOL_SOCKET, SO_REUSEADDR, 1);
    set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 30);
    if (bind(l, (void *)&a, sizeof(a)) < 0 || listen(l, 9) < 0)
        return 3;
    for (int k = 0; k < 6; k++)
        serve_one(l);
    return 0;
}

static int ask(const struct sockaddr_in *a, int segment, const char *what)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    set(s, IPPROTO_TCP, TCP_MAXSEG, segment);
    for (int tries = 0; connect(s, (const void *)a, sizeof(*a)) < 0 && tries < 100; tries++)
        usleep(20000); // it begins to listen
    send(s, what, strlen(what), 0);
    return s;
}

// Sends more than the server's node keeps for it, closes, and says how long that took.
static long closes(const struct sockaddr_in *a, int seconds)
{
    struct linger l = {1, seconds};
    int s = ask(a, 0, "z");
    setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    for (int sum = 0; sum < 450000;)
        sum += (int)send(s, b, 50000, 0);
    long start = now_ms();
    T(close(s));
    return now_ms() - start;
}

static int asks(const char *ip, int port)
{
    struct sockaddr_in a = {AF_INET, htons((uint16_t)port), {inet_addr(ip)}, {0}};
    int s = ask(&a, 0, "i"), n;
    puts("- a peer");
    for (int k = 0; k < 5; k++) {
        T(send(s, b, 1000, 0));
        T(recv(s, b, 10, MSG_WAITALL));
    }
    struct tcp_info i = info_of(s);
    printf("state %u options %x ato %u acked %llu received %llu mss %d rtt %d sent %d\n",
           i.tcpi_state, i.tcpi_options & 7, i.tcpi_ato, i.tcpi_bytes_acked, i.tcpi_bytes_received,
           i.tcpi_snd_mss > 1000, i.tcpi_rtt > 0, i.tcpi_data_segs_out >= 6);
    T(set(s, IPPROTO_TCP, TCP_CORK, 1));
    T(send(s, b, 100, 0));
    T(info_of(s).tcpi_notsent_bytes);
    T(set(s, IPPROTO_TCP, TCP_CORK, 0));
    T(info_of(s).tcpi_notsent_bytes);
    close(s);
    s = ask(&a, 1000, "l");
    T(get(s, IPPROTO_TCP, TCP_MAXSEG));
    T(set(s, SOL_SOCKET, SO_RCVLOWAT, 5));
    while (waiting(s) < 3)
        continue;
    T(readable(s, 0));
    T(recv(s, b, 9, MSG_DONTWAIT | MSG_PEEK));
    T(send(s, "m", 1, 0));
    T(recv(s, b, 9, 0));
    close(s);
    s = ask(&a, 0, "");
    usleep(100000);
    T(send(s, "dxyz", 4, 0)); // and only now it is accepted
    T(recv(s, &n, sizeof(n), MSG_WAITALL));
    T(n);
    close(s);
    long took = closes(&a, 30);
    printf("waits: %d\n", took > 500 && took < 20000);
    took = closes(&a, 1);
    printf("for a second: %d\n", took >= 900 && took < 2500);
    s = ask(&a, 0, "-");
    T(set(s, IPPROTO_TCP, TCP_LINGER2, -1));
    both_end(s, -1);
    return 0;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 3)
        return asks(argv[2], atoi(argv[3]));
    return argc > 2 ? serve(atoi(argv[2])) : 1;
}
