// SPDX-License-Identifier: MIT
// AF_NETLINK, NETLINK_ROUTE (netlink(7), rtnetlink(7)): what programs and their C library ask about
// links, addresses and routes. A request is answered at once into the socket's own inbox. The
// interfaces are set at boot: a request that would change something is refused with EPERM, and
// there are no groups to listen to.
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "net/sockets.h"
#include "ssi/stream/socket_priv.h"

enum {
    NLMSG_ERROR = 2,
    NLMSG_DONE = 3,
    NLMSG_CONTROL_BELOW = 16,
    RTM_NEWLINK = 16,
    RTM_GETLINK = 18,
    RTM_NEWADDR = 20,
    RTM_GETADDR = 22,
    RTM_NEWROUTE = 24,
    RTM_GETROUTE = 26,
    RTM_KIND_GET = 2, // of each four: new, delete, get, set
};
enum {
    NLM_REQUEST = 1,
    NLM_MULTI = 2,
    NLM_ACK = 4,
    NLM_DUMP = 0x300,
};
enum {
    IFLA_ADDRESS = 1,
    IFLA_BROADCAST = 2,
    IFLA_IFNAME = 3,
    IFLA_MTU = 4,
    IFLA_QDISC = 6,
    IFLA_STATS = 7,
    IFLA_TXQLEN = 13,
    IFLA_OPERSTATE = 16,
    IFLA_LINKMODE = 17,
    IFLA_STATS64 = 23,
    IFA_ADDRESS = 1,
    IFA_LOCAL = 2,
    IFA_LABEL = 3,
    IFA_BROADCAST = 4,
    IFA_FLAGS = 8,
    RTA_DST = 1,
    RTA_OIF = 4,
    RTA_GATEWAY = 5,
    RTA_PREFSRC = 7,
    RTA_TABLE = 15,
};

#define REPLY_BYTES   (PAGE_SIZE - (uint32_t)sizeof(struct packet)) // far more than is ever said
#define REQUEST_MAX   65536u
#define INBOX_MAX     64u // answers that wait
#define NAME_BYTES    12u // sockaddr_nl
#define IFF_LOOPBACK  8u
#define OPERSTATE_UP  6
#define IFA_PERMANENT 0x80
#define SCOPE_LINK    253
#define SCOPE_HOST    254
#define TABLE_MAIN    254
#define PROTO_KERNEL  2
#define PROTO_BOOT    3
#define UNICAST       1

struct nlmsghdr {
    uint32_t bytes;
    uint16_t type, flags;
    uint32_t sequence, port;
} PACKED;

struct ifinfomsg {
    uint8_t family, pad;
    uint16_t hardware;
    int32_t index;
    uint32_t flags, change;
} PACKED;

struct ifaddrmsg {
    uint8_t family, prefix, flags, scope;
    uint32_t index;
} PACKED;

struct rtmsg {
    uint8_t family, dst_bits, src_bits, tos, table, protocol, scope, type;
    uint32_t flags;
} PACKED;

// ---- answers -----------------------------------------------------------------------------------
struct reply {
    struct packet *p;
    uint32_t begin; // of the message under way
    uint32_t port;
    const struct nlmsghdr *to;
};

static void put(struct reply *r, const void *bytes, size_t n)
{
    uint32_t padded = (uint32_t)ALIGN_UP(n, 4);
    ASSERT(r->p->room - r->p->n >= padded);
    memcpy(r->p->bytes + r->p->n, bytes, n);
    memset(r->p->bytes + r->p->n + n, 0, padded - n);
    r->p->n += padded;
}

static void begin(struct reply *r, uint16_t type, uint16_t flags)
{
    struct nlmsghdr h = {0, type, flags, r->to->sequence, r->port};
    r->begin = r->p->n;
    put(r, &h, sizeof(h));
}

static void end(struct reply *r)
{
    uint32_t bytes = r->p->n - r->begin;
    memcpy(r->p->bytes + r->begin, &bytes, sizeof(bytes));
}

static void attribute(struct reply *r, uint16_t type, const void *value, size_t n)
{
    uint16_t head[2] = {(uint16_t)(sizeof(head) + n), type};
    put(r, head, sizeof(head));
    put(r, value, n);
}

static void attribute_u32(struct reply *r, uint16_t type, uint32_t value)
{
    attribute(r, type, &value, sizeof(value));
}

static void attribute_ip(struct reply *r, uint16_t type, uint32_t ip)
{
    attribute_u32(r, type, __builtin_bswap32(ip));
}

// rtnetlink(7), struct rtnl_link_stats and its 64-bit form: the first eight of their numbers.
#define STATS   24u
#define STATS64 25u

static void say_traffic(struct reply *r, bool lo)
{
    uint64_t wide[STATS64] = {0};
    uint32_t narrow[STATS] = {0};
    struct net_traffic in, out;
    net_traffic(lo, &in, &out);
    const uint64_t told[] = {in.packets, out.packets, in.bytes,   out.bytes,
                             in.errors,  out.errors,  in.dropped, out.dropped};
    for (unsigned k = 0; k < ARRAY_SIZE(told); k++) {
        wide[k] = told[k];
        narrow[k] = (uint32_t)told[k];
    }
    attribute(r, IFLA_STATS64, wide, sizeof(wide));
    attribute(r, IFLA_STATS, narrow, sizeof(narrow));
}

static void say_link(struct reply *r, const struct inet_interface *i, uint16_t flags)
{
    bool lo = i->flags & IFF_LOOPBACK;
    uint8_t state = lo ? 0 : OPERSTATE_UP, mode = 0, all[6];
    struct ifinfomsg m = {0, 0, i->hardware, i->index, i->flags, 0};
    memset(all, lo ? 0 : 0xff, sizeof(all));
    begin(r, RTM_NEWLINK, flags);
    put(r, &m, sizeof(m));
    attribute(r, IFLA_IFNAME, i->name, strlen(i->name) + 1);
    attribute_u32(r, IFLA_TXQLEN, 1000);
    attribute(r, IFLA_OPERSTATE, &state, 1);
    attribute(r, IFLA_LINKMODE, &mode, 1);
    attribute_u32(r, IFLA_MTU, i->mtu);
    attribute(r, IFLA_QDISC, "noqueue", 8);
    attribute(r, IFLA_ADDRESS, i->mac, sizeof(i->mac));
    attribute(r, IFLA_BROADCAST, all, sizeof(all));
    say_traffic(r, lo);
    end(r);
}

static void say_address(struct reply *r, const struct inet_interface *i)
{
    bool lo = i->flags & IFF_LOOPBACK;
    struct ifaddrmsg m = {AF_INET, (uint8_t)__builtin_popcount(i->mask), IFA_PERMANENT,
                          lo ? SCOPE_HOST : 0, (uint32_t)i->index};
    begin(r, RTM_NEWADDR, NLM_MULTI);
    put(r, &m, sizeof(m));
    attribute_ip(r, IFA_ADDRESS, i->ip);
    attribute_ip(r, IFA_LOCAL, i->ip);
    if (!lo)
        attribute_ip(r, IFA_BROADCAST, i->ip | ~i->mask);
    attribute(r, IFA_LABEL, i->name, strlen(i->name) + 1);
    attribute_u32(r, IFA_FLAGS, IFA_PERMANENT);
    end(r);
}

static void say_route(struct reply *r, const struct inet_interface *i, uint32_t gateway)
{
    struct rtmsg m = {.family = AF_INET,
                      .dst_bits = gateway ? 0 : (uint8_t)__builtin_popcount(i->mask),
                      .table = TABLE_MAIN,
                      .protocol = gateway ? PROTO_BOOT : PROTO_KERNEL,
                      .scope = gateway ? 0 : SCOPE_LINK,
                      .type = UNICAST};
    begin(r, RTM_NEWROUTE, NLM_MULTI);
    put(r, &m, sizeof(m));
    attribute_u32(r, RTA_TABLE, TABLE_MAIN);
    if (gateway)
        attribute_ip(r, RTA_GATEWAY, gateway);
    else
        attribute_ip(r, RTA_DST, i->ip & i->mask);
    if (!gateway)
        attribute_ip(r, RTA_PREFSRC, i->ip);
    attribute_u32(r, RTA_OIF, (uint32_t)i->index);
    end(r);
}

static void say_error(struct reply *r, int error)
{
    int32_t code = error;
    begin(r, NLMSG_ERROR, 0);
    put(r, &code, sizeof(code));
    put(r, r->to, error ? MIN(r->to->bytes, REPLY_BYTES / 2) : sizeof(*r->to));
    end(r);
}

static void say_done(struct reply *r)
{
    uint32_t zero = 0;
    begin(r, NLMSG_DONE, NLM_MULTI);
    put(r, &zero, sizeof(zero));
    end(r);
}

// ---- requests ----------------------------------------------------------------------------------
static uint8_t family_of(const struct nlmsghdr *h)
{
    return h->bytes > sizeof(*h) ? *(const uint8_t *)(h + 1) : 0;
}

static void dump(struct reply *r, uint16_t type, uint8_t family)
{
    struct inet_interface i;
    bool inet = family == AF_UNSPEC || family == AF_INET;
    for (unsigned k = 0; inet_interface(k, &i); k++) {
        bool lo = i.flags & IFF_LOOPBACK;
        if (type == RTM_GETLINK)
            say_link(r, &i, NLM_MULTI);
        else if (type == RTM_GETADDR && inet && i.ip)
            say_address(r, &i);
        else if (type == RTM_GETROUTE && inet && i.ip && !lo && net_gateway())
            say_route(r, &i, net_gateway());
        if (type == RTM_GETROUTE && inet && i.ip && !lo)
            say_route(r, &i, 0);
    }
    say_done(r);
}

// The name among the attributes behind an ifinfomsg; "" when there is none.
static void name_asked(const struct nlmsghdr *h, char name[16])
{
    const uint8_t *bytes = (const uint8_t *)h;
    uint16_t head[2];
    name[0] = '\0';
    for (uint32_t at = sizeof(*h) + sizeof(struct ifinfomsg); at + sizeof(head) <= h->bytes;) {
        memcpy(head, bytes + at, sizeof(head));
        if (head[0] < sizeof(head) || head[0] > h->bytes - at)
            return;
        uint32_t n = head[0] - (uint32_t)sizeof(head);
        if (head[1] == IFLA_IFNAME && n > 0 && n <= 16) {
            memcpy(name, bytes + at + sizeof(head), n);
            name[n - 1] = '\0';
        }
        at += (uint32_t)ALIGN_UP(head[0], 4);
    }
}

static int one_link(struct reply *r)
{
    struct ifinfomsg m;
    struct inet_interface i;
    char name[16];
    if (r->to->bytes < sizeof(*r->to) + sizeof(m))
        return -EINVAL;
    memcpy(&m, r->to + 1, sizeof(m));
    name_asked(r->to, name);
    if (m.index <= 0 && name[0] == '\0')
        return -EINVAL;
    for (unsigned k = 0; inet_interface(k, &i); k++)
        if (m.index > 0 ? i.index == m.index : !strcmp(i.name, name)) {
            say_link(r, &i, 0);
            return 0;
        }
    return -ENODEV;
}

static void answer(struct reply *r)
{
    const struct nlmsghdr *h = r->to;
    bool asks = h->type % 4 == RTM_KIND_GET;
    bool known = h->type == RTM_GETLINK || h->type == RTM_GETADDR || h->type == RTM_GETROUTE;
    int e = !asks ? -EPERM : -EOPNOTSUPP;
    if (h->type < NLMSG_CONTROL_BELOW)
        e = 0;
    else if (known && (h->flags & NLM_DUMP)) {
        dump(r, h->type, family_of(h));
        return;
    } else if (h->type == RTM_GETLINK)
        e = one_link(r);
    if (e < 0 || (h->flags & NLM_ACK))
        say_error(r, e);
}

static int take_requests(struct socket *s, struct packet *in)
{
    for (uint32_t at = 0; in->n - at >= sizeof(struct nlmsghdr);) {
        const struct nlmsghdr *h = (const struct nlmsghdr *)(in->bytes + at);
        if (h->bytes < sizeof(*h) || h->bytes > in->n - at)
            break;
        if ((h->flags & NLM_REQUEST) || (h->flags & NLM_ACK)) {
            bool full = s->inbox_count >= INBOX_MAX;
            struct reply r = {full ? NULL : packet_new(REPLY_BYTES), 0, s->netlink_port, h};
            if (r.p == NULL)
                return -ENOBUFS;
            if (h->flags & NLM_REQUEST)
                answer(&r);
            else
                say_error(&r, 0);
            if (r.p->n)
                packet_append(s, r.p);
            else
                packet_put(r.p);
        }
        at += (uint32_t)MIN(ALIGN_UP((uint64_t)h->bytes, 4), (uint64_t)(in->n - at));
    }
    return 0;
}

// ---- names -------------------------------------------------------------------------------------
void netlink_name_make(uint32_t port, struct socket_name *n)
{
    *n = (struct socket_name){.bytes = NAME_BYTES, .at = {AF_NETLINK}};
    memcpy(n->at + 4, &port, sizeof(port));
}

static int name_parse(const struct socket_name *n, uint32_t *port, uint32_t *groups)
{
    if (n->bytes < NAME_BYTES || n->at[0] != AF_NETLINK || n->at[1] != 0)
        return -EINVAL;
    memcpy(port, n->at + 4, sizeof(*port));
    memcpy(groups, n->at + 8, sizeof(*groups));
    return 0;
}

static bool port_taken(uint32_t port)
{
    const struct socket *s;
    list_for_each (s, sockets_all(), all_link)
        if (s->family == AF_NETLINK && s->netlink_port == port)
            return true;
    return false;
}

// The PID of who made it, or when that is taken a number that no PID is.
static void port_choose(struct socket *s)
{
    uint32_t port = (uint32_t)s->cred.pid;
    for (uint32_t k = 4097; port == 0 || port_taken(port); k++)
        port = -k;
    s->netlink_port = port;
}

static int netlink_bind(struct socket *s, const struct socket_name *n, bool low_ports)
{
    (void)low_ports;
    uint32_t port, groups;
    int e = name_parse(n, &port, &groups);
    if (e < 0)
        return e;
    if (groups)
        return -EOPNOTSUPP;
    if (s->netlink_port)
        return port == 0 || port == s->netlink_port ? 0 : -EINVAL;
    if (port && port_taken(port))
        return -EADDRINUSE;
    if (port)
        s->netlink_port = port;
    else
        port_choose(s);
    return 0;
}

static int netlink_connect(struct socket *s, const struct socket_name *n,
                           const struct socket_cred *by)
{
    uint32_t port, groups;
    (void)by;
    if (socket_name_is_none(n)) {
        s->state = SOCKET_IDLE;
        return 0;
    }
    int e = name_parse(n, &port, &groups);
    if (e == 0 && (port || groups))
        e = -ECONNREFUSED; // only the kernel is spoken to
    if (e < 0)
        return e;
    if (!s->netlink_port)
        port_choose(s);
    s->state = SOCKET_CONNECTED;
    return 0;
}

static void netlink_name_of(const struct socket *s, bool peer, struct socket_name *n)
{
    netlink_name_make(peer ? 0 : s->netlink_port, n);
}

// ---- messages ----------------------------------------------------------------------------------
static int netlink_send(struct socket *s, struct socket_message *m)
{
    uint32_t port = 0, groups = 0;
    struct packet *in;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    int e = m->name.bytes ? name_parse(&m->name, &port, &groups) : 0;
    if (e < 0)
        return e;
    if (port || groups)
        return -ECONNREFUSED;
    if (!s->netlink_port)
        port_choose(s);
    e = packet_gather(m, REQUEST_MAX, &in);
    if (e < 0)
        return e;
    e = take_requests(s, in);
    packet_put(in);
    return e;
}

static unsigned netlink_poll(struct socket *s)
{
    return datagram_poll_in(s) | POLL_OUT;
}

static int netlink_shutdown(struct socket *s, unsigned how)
{
    (void)s, (void)how;
    return -EOPNOTSUPP;
}

static void netlink_end(struct socket *s)
{
    (void)s;
}

const struct socket_kind netlink_kind = {
    .name = "netlink",
    .bind = netlink_bind,
    .connect = netlink_connect,
    .listen = datagram_listen,
    .send = netlink_send,
    .receive = datagram_receive,
    .poll = netlink_poll,
    .name_of = netlink_name_of,
    .shutdown = netlink_shutdown,
    .readable_bytes = datagram_readable_bytes,
    .end = netlink_end,
};
