// SPDX-License-Identifier: MIT
// The texts of /proc/net about sockets (proc(5)): those that live on the node that is asked.
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_priv.h"

// The states as Linux numbers them: ESTABLISHED 1, SYN_SENT 2, FIN_WAIT2 5, CLOSE 7, CLOSE_WAIT 8,
// LISTEN 10.
static unsigned joined_number(const struct socket *s)
{
    bool ours = s->shut & SHUT_WRITE, theirs = s->peer == NULL || (s->peer->shut & SHUT_WRITE);
    if (s->kind != &tcp_kind || (!ours && !theirs))
        return 1;
    return ours && theirs ? 7 : ours ? 5 : 8;
}

unsigned socket_state_number(const struct socket *s)
{
    struct tcp_facts f;
    if (s->conn) {
        tcp_facts(s->conn, &f);
        return f.state;
    }
    switch (s->state) {
    case SOCKET_LISTENING:
        return 10;
    case SOCKET_CONNECTING:
        return 2;
    case SOCKET_CONNECTED:
        return joined_number(s);
    case SOCKET_IDLE:
    case SOCKET_CLOSED:
        break;
    }
    return 7;
}

static void show_line(struct text *t, unsigned k, const struct socket *s)
{
    text_add(t, "%4u: %08X:%04X %08X:%04X %02X %08X:%08X %02X:%08X %08X %5u %8d %u %d %08x\n", k,
             __builtin_bswap32(s->local.ip), s->local.port, __builtin_bswap32(s->remote.ip),
             s->remote.port, socket_state_number(s), 0, (unsigned)s->kind->readable_bytes(s), 0, 0,
             0, s->cred.uid, 0, (unsigned)s->number, 1, 0);
}

static void show_table(struct text *t, const struct socket_kind *k)
{
    const struct socket *s;
    unsigned n = 0;
    text_add(t, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
                "  timeout inode\n");
    list_for_each (s, sockets_all(), all_link)
        if (s->kind == k && (s->local.port || s->remote.port))
            show_line(t, n++, s);
}

void socket_show_tcp(struct text *t)
{
    show_table(t, &tcp_kind);
}

void socket_show_udp(struct text *t)
{
    show_table(t, &udp_kind);
}

void socket_show_raw(struct text *t)
{
    show_table(t, &raw_kind);
}

#define SO_ACCEPTCON 0x10000u

static void show_name(struct text *t, const struct unix_name *n)
{
    if (n == NULL || n->bytes <= 2)
        return;
    text_add(t, " ");
    for (uint32_t k = 2; k < n->bytes && (n->at[k] || !n->inode); k++)
        text_add(t, "%c", n->at[k] ? n->at[k] : '@');
}

void socket_show_unix(struct text *t)
{
    const struct socket *s;
    text_add(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    list_for_each (s, sockets_all(), all_link) {
        if (s->family != AF_UNIX)
            continue;
        bool listens = s->state == SOCKET_LISTENING;
        text_add(t, "%08x: %08X %08X %08X %04X %02X %5u", (unsigned)s->number, 2, 0,
                 listens ? SO_ACCEPTCON : 0, s->type, s->state == SOCKET_CONNECTED ? 3 : 1,
                 (unsigned)s->number);
        show_name(t, s->name);
        text_add(t, "\n");
    }
}

void socket_show_sockstat(struct text *t)
{
    const struct socket *s;
    unsigned all = 0, tcp = 0, udp = 0, raw = 0;
    list_for_each (s, sockets_all(), all_link) {
        all++;
        tcp += s->kind == &tcp_kind;
        udp += s->kind == &udp_kind;
        raw += s->kind == &raw_kind;
    }
    text_add(t, "sockets: used %u\nTCP: inuse %u orphan 0 tw 0 alloc %u mem 0\n", all, tcp, tcp);
    text_add(t, "UDP: inuse %u mem 0\nRAW: inuse %u\n", udp, raw);
}
