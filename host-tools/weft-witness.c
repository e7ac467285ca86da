// SPDX-License-Identifier: MIT
// weft-witness [--key FILE] [ADDRESS]: answers the cluster's questions about even splits on UDP
// 7702, beside dnsmasq on a head node (docs: PROTOCOLS 4). One line per question on stdout.
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "host-tools/keyfile.h"
#include "ssi/cluster/witness.h"
#include "lib/string.h"

static int witness_socket(const char *address)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(WITNESS_PORT)};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fprintf(stderr, "weft-witness: %s: not an IPv4 address\n", address);
        return -1;
    }
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof(at)) < 0) {
        perror("weft-witness");
        return -1;
    }
    return s;
}

static void witness_tell(const struct witness_message *m, const struct sockaddr_in *from)
{
    char ip[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &from->sin_addr, ip, sizeof(ip));
    printf("%s node %u.%" PRIu32 " epoch %" PRIu32 ": %s\n", ip, m->id, m->incarnation, m->epoch,
           m->kind == WITNESS_GRANTED ? "granted" : "refused");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct witness w;
    uint8_t key[SEAL_KEY_BYTES];
    witness_init(&w);
    if (argc > 2 && strcmp(argv[1], "--key") == 0) {
        if (!keyfile_read(argv[2], key)) {
            fprintf(stderr, "weft-witness: %s: no key\n", argv[2]);
            return 1;
        }
        witness_seal(&w, key);
        argc -= 2;
        argv += 2;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
        fprintf(stderr, "usage: weft-witness [--key FILE] [ADDRESS]\n");
        return 2;
    }
    int s = witness_socket(argc == 2 ? argv[1] : "0.0.0.0");
    if (s < 0)
        return 1;
    for (;;) {
        uint8_t in[256];
        struct witness_sealed out;
        struct sockaddr_in from;
        socklen_t from_size = sizeof(from);
        ssize_t got = recvfrom(s, in, sizeof(in), 0, (struct sockaddr *)&from, &from_size);
        if (got < 0)
            continue;
        size_t n = witness_answer(&w, in, (size_t)got, &out, sizeof(out));
        if (n == 0)
            continue;
        sendto(s, &out, n, 0, (struct sockaddr *)&from, from_size);
        witness_tell(&out.message, &from);
    }
}
