// SPDX-License-Identifier: MIT
// UDP and raw sockets (udp(7), raw(7)). Datagrams to a socket of this node are handed over
// directly, those that come from the wire by net/sockets.h.
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "net/sockets.h"
#include "net/wire.h"
#include "ssi/cluster/cluster.h"
#include "ssi/stream/socket_priv.h"

#define UDP_BYTES_MAX 65507u
#define RAW_BYTES_MAX 65535u
#define LOOPBACK      0x7f000001u

// ---- who gets it -------------------------------------------------------------------------------
// How well a datagram fits a socket; 0: not at all.
static unsigned fit(const struct socket *s, struct net_address from, struct net_address to,
                    bool broadcast)
{
    if (s->local.port != to.port)
        return 0;
    if (s->local.ip != 0 && s->local.ip != to.ip && !(broadcast && s->local.ip == net_ip()))
        return 0;
    if (s->state == SOCKET_CONNECTED && (s->remote.ip != from.ip || s->remote.port != from.port))
        return 0;
    return 1 + (s->local.ip != 0) + 2 * (s->state == SOCKET_CONNECTED);
}

static struct socket *receiver(struct net_address from, struct net_address to)
{
    struct socket *s, *best = NULL;
    unsigned score = 0;
    list_for_each (s, inet_ports(INET_UDP, to.port), port_link) {
        unsigned f = fit(s, from, to, false);
        if (f >= score && f > 0) { // the newest of equals, as Linux has it
            score = f;
            best = s;
        }
    }
    return best;
}

static void hand_over(struct socket *to, struct packet *p)
{
    if (packets_weight(to) + p->n > to->receive_limit) {
        cluster_count_add("socket: datagram dropped, queue full", 1);
        packet_put(p);
        return;
    }
    p->time_ns = cluster_real_ns();
    packet_append(to, p);
}

static struct packet *copied(const void *bytes, size_t n)
{
    struct packet *p = packet_new((uint32_t)n);
    if (p == NULL)
        return NULL;
    memcpy(p->bytes, bytes, n);
    p->n = (uint32_t)n;
    return p;
}

static void give_copy(struct socket *s, const struct net_datagram *d)
{
    struct packet *p = copied(d->bytes, d->n);
    if (p == NULL) {
        cluster_count_add("socket: datagram dropped, no memory", 1);
        return;
    }
    p->from = d->from;
    p->to_ip = d->to.ip;
    p->ttl = d->ttl;
    p->tos = d->tos;
    hand_over(s, p);
}

static bool on_datagram(const struct net_datagram *d)
{
    struct socket *s = NULL;
    bool any = false;
    if (!d->broadcast) {
        s = receiver(d->from, d->to);
        if (s)
            give_copy(s, d);
        return s != NULL;
    }
    list_for_each (s, inet_ports(INET_UDP, d->to.port), port_link)
        if (fit(s, d->from, d->to, true) > 0) {
            give_copy(s, d);
            any = true;
        }
    return any;
}

// ICMP_FILTER of raw(7).
static bool filtered(const struct socket *s, uint8_t protocol, const struct net_packet *in)
{
    if (protocol != IP_ICMP)
        return false;
    uint8_t type = in->header[in->header_bytes];
    return type < 32 && s->icmp_filter & 1u << type;
}

static void on_packet(uint8_t protocol, const struct net_packet *in)
{
    struct socket *s;
    list_for_each (s, inet_ports(INET_RAW, protocol), port_link) {
        if (s->protocol != protocol || (s->local.ip && s->local.ip != in->to) ||
            (s->state == SOCKET_CONNECTED && s->remote.ip != in->from) || filtered(s, protocol, in))
            continue;
        struct packet *p = copied(in->header, in->n);
        if (p == NULL)
            return;
        p->from = (struct net_address){in->from, 0};
        p->to_ip = in->to;
        p->ttl = in->ttl;
        p->tos = in->tos;
        hand_over(s, p);
    }
}

static bool raw_may_have_sent(uint8_t protocol)
{
    const struct socket *s;
    list_for_each (s, inet_ports(INET_RAW, protocol), port_link)
        if (s->protocol == protocol)
            return true;
    return false;
}

static bool on_error(const struct net_error *e)
{
    struct socket *s;
    bool any = false;
    if (e->protocol != IP_UDP)
        return raw_may_have_sent(e->protocol);
    list_for_each (s, inet_ports(INET_UDP, e->local.port), port_link) {
        if (s->local.port != e->local.port || (s->local.ip && s->local.ip != e->local.ip))
            continue;
        bool connected = s->state == SOCKET_CONNECTED;
        bool its = connected && s->remote.ip == e->remote.ip && s->remote.port == e->remote.port;
        if (its)
            socket_fail(s, e->error);
        any = any || its || !connected;
    }
    return any;
}

static const struct net_sockets handlers = {on_datagram, on_packet, on_error};

static void datagrams_start(void)
{
    net_sockets_set(&handlers);
}
INIT_STEP(INIT_FILES, datagrams_start);

// ---- connect -----------------------------------------------------------------------------------
static int disconnect(struct socket *s)
{
    s->state = SOCKET_IDLE;
    s->remote = (struct net_address){0, 0};
    if (!s->bound && s->type != SOCK_RAW) {
        inet_port_drop(s);
        s->local = (struct net_address){0, 0};
    }
    return 0;
}

static int broadcast_allowed(const struct socket *s, uint32_t ip)
{
    return net_is_broadcast(ip) && !s->broadcast ? -EACCES : 0;
}

static int datagram_connect(struct socket *s, const struct socket_name *n,
                            const struct socket_cred *by)
{
    struct net_address to;
    uint32_t from = s->local.ip;
    (void)by;
    if (socket_name_is_none(n))
        return disconnect(s);
    int e = inet_name_parse(n, &to);
    if (e == 0)
        e = broadcast_allowed(s, to.ip);
    if (to.ip == 0)
        to.ip = LOOPBACK;
    if (e == 0 && from == 0)
        e = inet_source(to.ip, &from);
    if (e == 0 && s->local.port == 0)
        e = inet_port_bind(s, (struct net_address){from, 0});
    if (e < 0)
        return e;
    s->local.ip = from;
    s->remote = to;
    if (s->type == SOCK_RAW)
        s->remote.port = 0;
    s->state = SOCKET_CONNECTED;
    return 0;
}

// ---- sending -----------------------------------------------------------------------------------
static int target_of(struct socket *s, const struct socket_message *m, struct net_address *to)
{
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    *to = s->remote;
    if (s->local.port == 0) {
        int bound = inet_port_bind(s, (struct net_address){0, 0});
        if (bound < 0)
            return bound;
    }
    if (m->name.bytes == 0 && s->state != SOCKET_CONNECTED)
        return -EDESTADDRREQ;
    struct socket_name n = m->name;
    if (n.bytes >= 16 && n.at[0] == AF_UNSPEC) // Linux takes it for AF_INET
        n.at[0] = AF_INET;
    int e = n.bytes ? inet_name_parse(&n, to) : 0;
    if (e < 0)
        return e;
    if (to->port == 0 && s->type != SOCK_RAW)
        return -EINVAL;
    if (to->ip == 0)
        to->ip = LOOPBACK;
    if (to->ip >> 28 >= 0xe && to->ip != NET_BROADCAST)
        return -ENETUNREACH; // no multicast
    e = broadcast_allowed(s, to->ip);
    if (e == 0 && s->error)
        return socket_take_error(s);
    return e == 0 && s->shut & SHUT_WRITE ? -EPIPE : e;
}

static int source_of(struct socket *s, uint32_t to, struct net_address *from)
{
    *from = s->local;
    return from->ip == 0 ? inet_source(to, &from->ip) : 0;
}

// IP_MTU_DISCOVER of ip(7).
static struct net_way way_of(const struct socket *s)
{
    static const struct {
        bool dont_fragment, whole, probe;
    } means[] = {
        [MTU_DISCOVER_DONT] = {false, false, false},    [MTU_DISCOVER_WANT] = {true, false, false},
        [MTU_DISCOVER_DO] = {true, true, false},        [MTU_DISCOVER_PROBE] = {true, true, true},
        [MTU_DISCOVER_INTERFACE] = {false, true, true}, [MTU_DISCOVER_OMIT] = {false, false, true},
    };
    return (struct net_way){
        .ttl = s->ttl,
        .tos = s->tos,
        .fragment = means[s->mtu_discover].dont_fragment ? IP_DONT_FRAGMENT : 0,
        .whole = means[s->mtu_discover].whole,
        .probe = means[s->mtu_discover].probe,
    };
}

// To the wire, or to ourselves.
static int udp_transmit(struct socket *s, struct net_address from, struct net_address to,
                        struct packet *p)
{
    p->from = from;
    p->to_ip = to.ip;
    p->ttl = s->ttl;
    p->tos = s->tos;
    if (!inet_is_local(to.ip) || udp_port_taken(to.port)) {
        int e = udp_send_from(from, to, p->bytes, p->n, way_of(s));
        if (e == 0 && net_is_broadcast(to.ip)) {
            struct net_datagram d = {from, to, p->bytes, p->n, s->ttl, s->tos, true};
            (void)on_datagram(&d);
        }
        packet_put(p);
        return e;
    }
    struct socket *r = receiver(from, to);
    if (r) {
        hand_over(r, p);
        return 0;
    }
    packet_put(p);
    if (s->state == SOCKET_CONNECTED && to.port == s->remote.port && to.ip == s->remote.ip)
        socket_fail(s, -ECONNREFUSED); // as the answering ICMP message would
    return 0;
}

// ---- several sends as one datagram (MSG_MORE, UDP_CORK) ----------------------------------------
#define LENGTH_MAX 65535u // of one of them

static int push(struct socket *s)
{
    struct net_address from;
    struct packet *p = s->gathered;
    s->gathered = NULL;
    int e = source_of(s, s->gathered_to.ip, &from);
    if (e == 0)
        return udp_transmit(s, from, s->gathered_to, p);
    packet_put(p);
    return e;
}

void inet_datagram_push(struct socket *s)
{
    if (s->gathered)
        (void)push(s);
}

// Takes p. What does not fit takes all that was gathered along.
static int gather(struct socket *s, struct packet *p)
{
    struct packet *old = s->gathered;
    uint32_t n = old ? old->n + p->n : p->n;
    s->gathered = NULL;
    if (old == NULL && n <= UDP_BYTES_MAX) {
        s->gathered = p;
        return 0;
    }
    struct packet *all = n > UDP_BYTES_MAX ? NULL
                         : n <= old->room  ? old
                                           : packet_new(MIN(2 * n, UDP_BYTES_MAX));
    if (all && all != old)
        memcpy(all->bytes, old->bytes, old->n);
    if (all) {
        memcpy(all->bytes + old->n, p->bytes, p->n);
        all->n = n;
    }
    if (old && all != old)
        packet_put(old);
    packet_put(p);
    s->gathered = all;
    return all ? 0 : n > UDP_BYTES_MAX ? -EMSGSIZE : -ENOMEM;
}

static int send_gathering(struct socket *s, struct socket_message *m, bool more)
{
    struct packet *p;
    struct xfer start = *m->data;
    if (m->flags & MSG_OOB)
        return -EOPNOTSUPP;
    int e = packet_gather(m, LENGTH_MAX, &p);
    if (e < 0)
        return e;
    if (s->gathered == NULL) // the first one says where to
        e = target_of(s, m, &s->gathered_to);
    if (e < 0)
        packet_put(p);
    else
        e = gather(s, p);
    if (e == 0 && !more)
        e = push(s);
    if (e < 0)
        *m->data = start;
    return e;
}

static int udp_send_socket(struct socket *s, struct socket_message *m)
{
    struct net_address from, to;
    struct packet *p;
    struct xfer start = *m->data;
    bool more = s->cork_datagrams || m->flags & MSG_MORE;
    if (more || s->gathered)
        return send_gathering(s, m, more);
    int e = target_of(s, m, &to);
    if (e < 0)
        return e;
    e = packet_gather(m, UDP_BYTES_MAX, &p);
    if (e < 0)
        return e;
    e = source_of(s, to.ip, &from);
    if (e < 0)
        packet_put(p);
    else
        e = udp_transmit(s, from, to, p);
    if (e < 0)
        *m->data = start;
    return e;
}

// IP_HDRINCL: what the program's header asks for is done with ours.
static int header_take(const struct packet *p, struct net_way *way, uint8_t *protocol,
                       uint32_t *bytes)
{
    const struct ip_wire *h = (const void *)p->bytes;
    *bytes = p->n >= sizeof(*h) ? (h->version_ihl & 15u) * 4u : 0;
    if (*bytes < sizeof(*h) || *bytes > p->n)
        return -EINVAL;
    *way = (struct net_way){h->ttl, h->tos, be16_get(h->id), be16_get(h->fragment), true, true};
    *protocol = h->protocol;
    return 0;
}

static int raw_send_socket(struct socket *s, struct socket_message *m)
{
    struct net_address from, to;
    struct packet *p;
    struct xfer start = *m->data;
    struct net_way way = way_of(s);
    int e = target_of(s, m, &to);
    if (e == 0)
        e = packet_gather(m, RAW_BYTES_MAX, &p);
    if (e < 0)
        return e;
    uint32_t skip = 0;
    uint8_t protocol = (uint8_t)s->protocol;
    if (s->header_included)
        e = header_take(p, &way, &protocol, &skip);
    from = s->local;
    if (e == 0 && from.ip == 0)
        e = inet_source(to.ip, &from.ip);
    if (e == 0)
        e = ip_send_raw(from.ip, to.ip, protocol, p->bytes + skip, p->n - skip, way);
    if (e == -ENOBUFS)
        e = 0; // what a full queue drops is said to nobody, see send(2)
    packet_put(p);
    if (e < 0)
        *m->data = start;
    return e;
}

// ---- the rest ----------------------------------------------------------------------------------
static unsigned inet_datagram_poll(struct socket *s)
{
    return datagram_poll_in(s) | POLL_OUT | POLL_WRBAND;
}

static int inet_datagram_shutdown(struct socket *s, unsigned how)
{
    (void)datagram_shutdown(s, how); // Linux does, and says ENOTCONN
    return s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
}

static void nothing(struct socket *s)
{
    (void)s;
}

#define INET_DATAGRAMS(of, sends)                                                                  \
    .name = of, .bind = inet_bind, .connect = datagram_connect, .listen = datagram_listen,         \
    .send = sends, .receive = datagram_receive, .poll = inet_datagram_poll,                        \
    .name_of = inet_name_of, .shutdown = inet_datagram_shutdown,                                   \
    .readable_bytes = datagram_readable_bytes, .end = nothing

const struct socket_kind udp_kind = {INET_DATAGRAMS("udp", udp_send_socket)};
const struct socket_kind raw_kind = {INET_DATAGRAMS("raw", raw_send_socket)};
