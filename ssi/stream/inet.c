// SPDX-License-Identifier: MIT
// AF_INET addresses and ports of programs' sockets on this node (ip(7)): who has which port, and
// which address a socket speaks from. Ports that the kernel itself uses count as taken.
#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/sockets.h"
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_priv.h"

#define BUCKETS          64u
#define EPHEMERAL_FIRST  32768u // net.ipv4.ip_local_port_range of Linux
#define EPHEMERAL_COUNT  28232u
#define PRIVILEGED_BELOW 1024u
#define LOOPBACK         0x7f000001u
#define TIME_WAIT_NS     (60 * NS_PER_S)
#define TIME_WAIT_MAX    256u // more at once: the oldest are forgotten

struct resting {             // an address in TIME_WAIT
    struct list link;        // of all, in order of until_ns
    struct list bucket_link; // by port
    struct net_address at;
    uint64_t until_ns;
};

struct port_tables {
    bool set_up;
    struct list bucket[INET_TABLES][BUCKETS];
    struct list resting;
    struct list resting_by_port[BUCKETS];
    struct resting slots[TIME_WAIT_MAX];
    unsigned slot; // used next
};
NODE_VAR(struct port_tables, ports);

struct random_pool {
    unsigned left;
    uint16_t numbers[128];
};
NODE_VAR(struct random_pool, random_pool);

static struct port_tables *tables(void)
{
    struct port_tables *t = &node(ports);
    if (!t->set_up) {
        for (unsigned k = 0; k < INET_TABLES; k++)
            for (unsigned b = 0; b < BUCKETS; b++)
                list_init(&t->bucket[k][b]);
        list_init(&t->resting);
        for (unsigned b = 0; b < BUCKETS; b++)
            list_init(&t->resting_by_port[b]);
        t->set_up = true;
    }
    return t;
}

struct list *inet_ports(enum inet_table t, uint16_t port)
{
    return &tables()->bucket[t][port % BUCKETS];
}

enum inet_table inet_table_of(const struct socket *s)
{
    return s->type == SOCK_RAW ? INET_RAW : s->kind == &tcp_kind ? INET_TCP : INET_UDP;
}

// ---- sockaddr_in -------------------------------------------------------------------------------
#define SOCKADDR_IN_BYTES 16u

int inet_name_parse(const struct socket_name *n, struct net_address *a)
{
    if (n->bytes < SOCKADDR_IN_BYTES)
        return -EINVAL;
    uint16_t family = (uint16_t)(n->at[0] | n->at[1] << 8);
    if (family != AF_INET)
        return -EAFNOSUPPORT;
    a->port = (uint16_t)(n->at[2] << 8 | n->at[3]);
    a->ip =
        (uint32_t)n->at[4] << 24 | (uint32_t)n->at[5] << 16 | (uint32_t)n->at[6] << 8 | n->at[7];
    return 0;
}

void inet_name_make(struct net_address a, struct socket_name *n)
{
    *n = (struct socket_name){
        .bytes = SOCKADDR_IN_BYTES,
        .at = {AF_INET, 0, (uint8_t)(a.port >> 8), (uint8_t)a.port, (uint8_t)(a.ip >> 24),
               (uint8_t)(a.ip >> 16), (uint8_t)(a.ip >> 8), (uint8_t)a.ip},
    };
}

void inet_name_of(const struct socket *s, bool peer, struct socket_name *n)
{
    inet_name_make(peer ? s->remote : s->local, n);
}

bool inet_is_local(uint32_t ip)
{
    return ip >> 24 == 127 || (ip != 0 && ip == net_ip());
}

int inet_source(uint32_t to, uint32_t *from)
{
    if (to >> 24 == 127) {
        *from = LOOPBACK;
        return 0;
    }
    int e = net_source(to, from);
    return e == 0 ? 0 : -ENETUNREACH;
}

// ---- ports -------------------------------------------------------------------------------------
static bool overlap(uint32_t a, uint32_t b)
{
    return a == 0 || b == 0 || a == b;
}

// May both have it (socket(7), SO_REUSEADDR and SO_REUSEPORT)?
static bool may_share(const struct socket *a, const struct socket *b)
{
    if (a->reuse_port && b->reuse_port && a->cred.uid == b->cred.uid)
        return true;
    if (!a->reuse_address || !b->reuse_address)
        return false;
    return a->kind != &tcp_kind || (a->state != SOCKET_LISTENING && b->state != SOCKET_LISTENING);
}

static void rested(struct resting *r)
{
    list_remove(&r->link);
    list_remove(&r->bucket_link);
}

static bool resting(struct net_address at)
{
    struct port_tables *t = tables();
    struct resting *r, *next;
    uint64_t now = clock_now_ns();
    list_for_each_safe (r, next, &t->resting, link) {
        if (r->until_ns > now)
            break;
        rested(r);
    }
    list_for_each (r, &t->resting_by_port[at.port % BUCKETS], bucket_link)
        if (r->at.port == at.port && overlap(r->at.ip, at.ip))
            return true;
    return false;
}

static bool kernel_has(enum inet_table t, uint16_t port)
{
    return t == INET_TCP ? tcp_port_taken(port) : t == INET_UDP && udp_port_taken(port);
}

static bool conflicts(const struct socket *s, struct net_address a)
{
    const struct socket *o;
    enum inet_table t = inet_table_of(s);
    if (t == INET_RAW)
        return false;
    bool ours = false; // a listener of the stack that stands for one of our sockets
    list_for_each (o, inet_ports(t, a.port), port_link) {
        if (o == s || o->local.port != a.port)
            continue;
        ours = ours || o->tcp_listener;
        if (overlap(o->local.ip, a.ip) && !may_share(s, o))
            return true;
    }
    if (!ours && kernel_has(t, a.port))
        return true;
    return t == INET_TCP && !s->reuse_address && resting(a);
}

// RFC 6056: not to be guessed. The generator makes many at the price of one.
static uint32_t port_start(void)
{
    struct random_pool *p = &node(random_pool);
    if (p->left == 0) {
        random_bytes(p->numbers, sizeof(p->numbers));
        p->left = ARRAY_SIZE(p->numbers);
    }
    return p->numbers[--p->left] % EPHEMERAL_COUNT;
}

static int port_choose(const struct socket *s, struct net_address *a)
{
    uint32_t start = port_start();
    for (uint32_t k = 0; k < EPHEMERAL_COUNT; k++) {
        a->port = (uint16_t)(EPHEMERAL_FIRST + (start + k) % EPHEMERAL_COUNT);
        const struct socket *o;
        bool used = kernel_has(inet_table_of(s), a->port);
        list_for_each (o, inet_ports(inet_table_of(s), a->port), port_link)
            used = used || o->local.port == a->port;
        if (!used && !resting(*a))
            return 0;
    }
    return -EADDRINUSE;
}

void inet_port_share(struct socket *s, struct net_address a)
{
    list_remove(&s->port_link);
    s->local = a;
    list_append(inet_ports(inet_table_of(s), a.port), &s->port_link);
}

int inet_port_bind(struct socket *s, struct net_address a)
{
    if (a.port == 0) {
        int e = port_choose(s, &a);
        if (e < 0)
            return e;
    } else if (conflicts(s, a)) {
        return -EADDRINUSE;
    }
    inet_port_share(s, a);
    return 0;
}

void inet_port_drop(struct socket *s)
{
    list_remove(&s->port_link);
}

void inet_time_wait(struct net_address a)
{
    struct port_tables *t = tables();
    struct resting *r = &t->slots[t->slot++ % TIME_WAIT_MAX];
    if (r->until_ns)
        rested(r);
    r->at = a;
    r->until_ns = clock_now_ns() + TIME_WAIT_NS;
    list_append(&t->resting, &r->link);
    list_append(&t->resting_by_port[a.port % BUCKETS], &r->bucket_link);
}

int inet_bind(struct socket *s, const struct socket_name *n, bool low_ports)
{
    struct net_address a;
    struct socket_name fixed = *n;
    // ip(7): AF_UNSPEC with address 0 is taken for AF_INET, as Linux does.
    if (n->bytes >= SOCKADDR_IN_BYTES && n->at[0] == 0 && n->at[1] == 0 &&
        !memcmp(n->at + 4, "\0\0\0", 4))
        fixed.at[0] = AF_INET;
    int e = inet_name_parse(&fixed, &a);
    if (e < 0)
        return e;
    if (a.ip != 0 && !inet_is_local(a.ip) && !net_is_broadcast(a.ip) && !s->v4_free_bind)
        return -EADDRNOTAVAIL;
    if (s->kind == &tcp_kind && net_is_broadcast(a.ip))
        return -EADDRNOTAVAIL;
    if (s->type == SOCK_RAW) {
        s->local.ip = a.ip;
        s->bound = a.ip != 0;
        return 0;
    }
    if (a.port > 0 && a.port < PRIVILEGED_BELOW && !low_ports)
        return -EACCES;
    if (s->state == SOCKET_CLOSED && !s->bound) // the port of the connection that was
        inet_port_drop(s);
    bool closed = s->state == SOCKET_IDLE || (s->state == SOCKET_CLOSED && !s->bound);
    if ((s->local.port != 0 && s->state == SOCKET_IDLE) || !closed)
        return -EINVAL;
    e = inet_port_bind(s, a);
    s->bound = e == 0;
    return e;
}
