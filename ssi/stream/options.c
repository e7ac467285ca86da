// SPDX-License-Identifier: MIT
// getsockopt and setsockopt: one table of what exists (socket(7), ip(7), tcp(7), unix(7)). Options
// whose effect the network here does not have are kept and given back, as programs expect; the
// table's comment says which.
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "net/sockets.h"
#include "net/tcp/tcp.h"
#include "ssi/stream/socket_priv.h"

enum {
    SOL_SOCKET = 1,
    SOL_IP = 0,
    SOL_TCP = 6,
    SOL_UDP = 17,
    SOL_RAW = 255
};

#define BUFFER_DEFAULT   212992u            // net.core.rmem_default
#define BUFFER_MAX       SOCKET_MESSAGE_MAX // twice net.core.rmem_max
#define BUFFER_MIN       2304u
#define TCP_RECEIVE      131072u
#define TCP_SEND         2626560u // what Linux shows for loopback
#define TCP_RECEIVE_MAX  6291456u // net.ipv4.tcp_rmem, the last
#define SYN_RETRIES      6u       // net.ipv4.tcp_syn_retries
#define FIN_WAIT_2_S     60       // net.ipv4.tcp_fin_timeout
#define FIN_WAIT_2_MAX_S 120
#define SEGMENT_MIN      88
#define SEGMENT_MAX      32767
#define WINDOW_MIN       1152
#define NAME_BYTES       16u    // of TCP_CONGESTION
#define CONGESTION       "reno" // net/tcp/congestion.c

void options_init(struct socket *s)
{
    bool tcp = s->kind == &tcp_kind;
    s->receive_limit = tcp ? TCP_RECEIVE : BUFFER_DEFAULT;
    s->send_limit = tcp ? TCP_SEND : BUFFER_DEFAULT;
    s->ttl = 64;
    s->multicast_ttl = 1;
    s->multicast_loop = true;
    s->low_water = 1;
    s->keep_idle_s = 7200;
    s->keep_interval_s = 75;
    s->keep_count = 9;
    s->mtu_discover = MTU_DISCOVER_WANT;
    s->prompt = true;
    s->syn_retries = SYN_RETRIES;
}

void options_inherit(struct socket *child, const struct socket *l)
{
    child->reuse_address = l->reuse_address;
    child->reuse_port = l->reuse_port;
    child->keep_alive = l->keep_alive;
    child->dont_route = l->dont_route;
    child->oob_inline = l->oob_inline;
    child->linger = l->linger;
    child->linger_s = l->linger_s;
    child->no_delay = l->no_delay;
    child->cork = l->cork;
    child->low_water = l->low_water;
    child->max_segment = l->max_segment;
    child->linger2_s = l->linger2_s;
    child->window_max = l->window_max;
    child->unsent_max = l->unsent_max;
    child->syn_retries = l->syn_retries;
    child->user_timeout_ms = l->user_timeout_ms;
    child->receive_limited = l->receive_limited;
    child->receive_limit = l->receive_limit;
    child->send_limit = l->send_limit;
    child->receive_timeout_ns = l->receive_timeout_ns;
    child->send_timeout_ns = l->send_timeout_ns;
    child->keep_idle_s = l->keep_idle_s;
    child->keep_interval_s = l->keep_interval_s;
    child->keep_count = l->keep_count;
    child->priority = l->priority;
    child->ttl = l->ttl;
    child->tos = l->tos;
    child->cred = l->cred;
    child->uid = l->uid;
    child->gid = l->gid;
    child->told_connected = true;
}

struct tcp_tuning options_tuning(const struct socket *s)
{
    return (struct tcp_tuning){.segment_max = (uint16_t)s->max_segment,
                               .syn_retries = (uint8_t)s->syn_retries,
                               .defer_retries = s->defer_retries,
                               .fin_wait_2_s = s->linger2_s,
                               .user_timeout_ms = s->user_timeout_ms,
                               .window_max = s->window_max,
                               .unsent_max = s->unsent_max};
}

// All but what sends at once what was held: that is for who sets it.
static void tune(struct socket *s)
{
    struct tcp_keepalive k = {s->keep_alive ? s->keep_idle_s : 0, s->keep_interval_s,
                              s->keep_count};
    struct tcp_tuning t = options_tuning(s);
    if (s->tcp_listener)
        tcp_listener_tune(s->tcp_listener, &t);
    if (s->conn == NULL || s->state == SOCKET_CLOSED)
        return;
    tcp_tune(s->conn, &t);
    tcp_set_urgent_apart(s->conn, !s->oob_inline);
    tcp_set_keepalive(s->conn, k);
}

void options_apply(struct socket *s)
{
    tune(s);
    if (s->conn == NULL || s->state == SOCKET_CLOSED)
        return;
    tcp_set_corked(s->conn, s->cork);
    tcp_set_nodelay(s->conn, s->no_delay);
}

// ---- the table ---------------------------------------------------------------------------------
enum how {         // what a set does with the value
    HOW_FIELD,     // kept in the field
    HOW_BYTE,      // 0..255, -1: the usual value (or -1: an error); also as one byte
    HOW_TEXT,      // set_own, of any length but 0
    HOW_READ_ONLY, // -ENOPROTOOPT
    HOW_OWN,       // set_own
};

struct option {
    int16_t level, number;
    uint8_t how, width; // bytes of the field
    uint16_t at;        // in struct socket
    int32_t usual;      // for -1 of HOW_BYTE
};

#define FIELD(level, number, field, how, usual)                                                    \
    {                                                                                              \
        level, number, how, sizeof(((struct socket *)0)->field), offsetof(struct socket, field),   \
            usual                                                                                  \
    }
#define OWN(level, number)                                                                         \
    {                                                                                              \
        level, number, HOW_OWN, 0, 0, 0                                                            \
    }

// Without effect here, kept: DEBUG, NO_CHECK, DONTROUTE, PRIORITY, MARK, MULTICAST_*.
static const struct option options[] = {
    FIELD(SOL_SOCKET, 1, debug, HOW_FIELD, 0),         // SO_DEBUG
    FIELD(SOL_SOCKET, 2, reuse_address, HOW_FIELD, 0), // SO_REUSEADDR
    FIELD(SOL_SOCKET, 3, type, HOW_READ_ONLY, 0),      // SO_TYPE
    FIELD(SOL_SOCKET, 5, dont_route, HOW_FIELD, 0),    // SO_DONTROUTE
    FIELD(SOL_SOCKET, 6, broadcast, HOW_FIELD, 0),     // SO_BROADCAST
    FIELD(SOL_SOCKET, 9, keep_alive, HOW_FIELD, 0),    // SO_KEEPALIVE
    FIELD(SOL_SOCKET, 10, oob_inline, HOW_FIELD, 0),   // SO_OOBINLINE
    FIELD(SOL_SOCKET, 11, no_check, HOW_FIELD, 0),     // SO_NO_CHECK
    FIELD(SOL_SOCKET, 12, priority, HOW_FIELD, 0),     // SO_PRIORITY
    FIELD(SOL_SOCKET, 15, reuse_port, HOW_FIELD, 0),   // SO_REUSEPORT
    FIELD(SOL_SOCKET, 16, pass_cred, HOW_FIELD, 0),    // SO_PASSCRED
    FIELD(SOL_SOCKET, 36, mark, HOW_FIELD, 0),         // SO_MARK
    FIELD(SOL_SOCKET, 38, protocol, HOW_READ_ONLY, 0), // SO_PROTOCOL
    FIELD(SOL_SOCKET, 39, family, HOW_READ_ONLY, 0),   // SO_DOMAIN
    OWN(SOL_SOCKET, 4),                                // SO_ERROR
    OWN(SOL_SOCKET, 7),                                // SO_SNDBUF
    OWN(SOL_SOCKET, 8),                                // SO_RCVBUF
    OWN(SOL_SOCKET, 13),                               // SO_LINGER
    OWN(SOL_SOCKET, 17),                               // SO_PEERCRED
    OWN(SOL_SOCKET, 18),                               // SO_RCVLOWAT
    OWN(SOL_SOCKET, 19),                               // SO_SNDLOWAT
    OWN(SOL_SOCKET, 20),                               // SO_RCVTIMEO
    OWN(SOL_SOCKET, 21),                               // SO_SNDTIMEO
    OWN(SOL_SOCKET, 29),                               // SO_TIMESTAMP
    OWN(SOL_SOCKET, 30),                               // SO_ACCEPTCONN
    OWN(SOL_SOCKET, 32),                               // SO_SNDBUFFORCE
    OWN(SOL_SOCKET, 33),                               // SO_RCVBUFFORCE
    OWN(SOL_SOCKET, 35),                               // SO_TIMESTAMPNS
    OWN(SOL_SOCKET, 63),                               // SO_TIMESTAMP_NEW
    OWN(SOL_SOCKET, 64),                               // SO_TIMESTAMPNS_NEW
    OWN(SOL_SOCKET, 66),                               // SO_RCVTIMEO_NEW
    OWN(SOL_SOCKET, 67),                               // SO_SNDTIMEO_NEW
    FIELD(SOL_IP, 1, tos, HOW_BYTE, 0),                // IP_TOS
    FIELD(SOL_IP, 2, ttl, HOW_BYTE, 64),               // IP_TTL
    FIELD(SOL_IP, 3, header_included, HOW_FIELD, 0),   // IP_HDRINCL
    FIELD(SOL_IP, 8, want_pktinfo, HOW_FIELD, 0),      // IP_PKTINFO
    FIELD(SOL_IP, 10, mtu_discover, HOW_BYTE, -1),     // IP_MTU_DISCOVER
    FIELD(SOL_IP, 11, receive_errors, HOW_FIELD, 0),   // IP_RECVERR
    FIELD(SOL_IP, 12, want_ttl, HOW_FIELD, 0),         // IP_RECVTTL
    FIELD(SOL_IP, 13, want_tos, HOW_FIELD, 0),         // IP_RECVTOS
    FIELD(SOL_IP, 15, v4_free_bind, HOW_FIELD, 0),     // IP_FREEBIND
    FIELD(SOL_IP, 20, want_destination, HOW_FIELD, 0), // IP_RECVORIGDSTADDR
    FIELD(SOL_IP, 33, multicast_ttl, HOW_BYTE, 1),     // IP_MULTICAST_TTL
    FIELD(SOL_IP, 34, multicast_loop, HOW_FIELD, 0),   // IP_MULTICAST_LOOP
    FIELD(SOL_TCP, 1, no_delay, HOW_FIELD, 0),         // TCP_NODELAY
    OWN(SOL_TCP, 2),                                   // TCP_MAXSEG
    FIELD(SOL_TCP, 3, cork, HOW_FIELD, 0),             // TCP_CORK
    FIELD(SOL_TCP, 4, keep_idle_s, HOW_FIELD, 0),      // TCP_KEEPIDLE
    FIELD(SOL_TCP, 5, keep_interval_s, HOW_FIELD, 0),  // TCP_KEEPINTVL
    FIELD(SOL_TCP, 6, keep_count, HOW_FIELD, 0),       // TCP_KEEPCNT
    OWN(SOL_IP, 14),                                   // IP_MTU
    FIELD(SOL_TCP, 7, syn_retries, HOW_FIELD, 0),      // TCP_SYNCNT
    OWN(SOL_TCP, 8),                                   // TCP_LINGER2
    OWN(SOL_TCP, 9),                                   // TCP_DEFER_ACCEPT
    OWN(SOL_TCP, 10),                                  // TCP_WINDOW_CLAMP
    OWN(SOL_TCP, 11),                                  // TCP_INFO
    FIELD(SOL_TCP, 12, prompt, HOW_FIELD, 0),          // TCP_QUICKACK
    {SOL_TCP, 13, HOW_TEXT, 0, 0, 0},                  // TCP_CONGESTION
    OWN(SOL_TCP, 18),                                  // TCP_USER_TIMEOUT
    FIELD(SOL_TCP, 25, unsent_max, HOW_FIELD, 0),      // TCP_NOTSENT_LOWAT
    FIELD(SOL_UDP, 1, cork_datagrams, HOW_FIELD, 0),   // UDP_CORK
    FIELD(SOL_RAW, 1, icmp_filter, HOW_FIELD, 0),      // ICMP_FILTER
};

static const struct option *option_of(const struct socket *s, int32_t level, int32_t number)
{
    for (size_t k = 0; k < ARRAY_SIZE(options); k++)
        if (options[k].level == level && options[k].number == number) {
            bool fits = level == SOL_SOCKET || (level == SOL_IP && s->family == AF_INET) ||
                        (level == SOL_TCP && s->kind == &tcp_kind) ||
                        (level == SOL_UDP && s->kind == &udp_kind) ||
                        (level == SOL_RAW && s->kind == &raw_kind);
            return fits ? &options[k] : NULL;
        }
    return NULL;
}

static int unknown(const struct socket *s, int32_t level, bool sets)
{
    bool known = level == SOL_SOCKET || (s->family == AF_INET && level == SOL_IP) ||
                 (s->kind == &tcp_kind && level == SOL_TCP) ||
                 (s->kind == &udp_kind && level == SOL_UDP) ||
                 (s->kind == &raw_kind && level == SOL_RAW);
    return known || (sets && s->family == AF_INET) ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static void field_set(struct socket *s, const struct option *o, int32_t value)
{
    uint8_t *field = (uint8_t *)s + o->at;
    if (o->width == 1 && o->how == HOW_FIELD)
        *field = value != 0;
    else
        memcpy(field, &value, o->width);
}

static int32_t field_get(const struct socket *s, const struct option *o)
{
    int32_t value = 0;
    memcpy(&value, (const uint8_t *)s + o->at, o->width);
    return value;
}

// ---- those with a meaning of their own ---------------------------------------------------------
struct time32 {
    int32_t seconds, microseconds;
} PACKED;
struct time64 {
    int64_t seconds, microseconds;
} PACKED;

static int timeout_set(uint64_t *to, bool wide, const void *value, size_t n)
{
    struct time64 t;
    struct time32 narrow;
    if (n < (wide ? sizeof(t) : sizeof(narrow)))
        return -EINVAL;
    if (wide) {
        memcpy(&t, value, sizeof(t));
    } else {
        memcpy(&narrow, value, sizeof(narrow));
        t = (struct time64){narrow.seconds, narrow.microseconds};
    }
    if (t.microseconds < 0 || t.microseconds >= 1000000)
        return -EDOM;
    *to = t.seconds < 0 ? 1 : MIN((uint64_t)t.seconds, 1u << 30) * NS_PER_S;
    *to += (uint64_t)t.microseconds * 1000;
    return 0;
}

static long timeout_get(uint64_t ns, bool wide, void *value)
{
    struct time64 t = {(int64_t)(ns / NS_PER_S), (int64_t)(ns % NS_PER_S / 1000)};
    struct time32 narrow = {(int32_t)t.seconds, (int32_t)t.microseconds};
    memcpy(value, wide ? (void *)&t : (void *)&narrow, wide ? sizeof(t) : sizeof(narrow));
    return wide ? sizeof(t) : sizeof(narrow);
}

// socket(7): doubled, for the kernel's own overhead.
static void buffer_set(uint32_t *to, int32_t value)
{
    uint32_t wanted = value < 0 ? BUFFER_MAX : MIN((uint32_t)value, BUFFER_MAX / 2) * 2;
    *to = MAX(wanted, BUFFER_MIN);
}

// The kind of time that an option means: the last one that is set holds.
static uint8_t stamp_kind(int16_t number)
{
    return (uint8_t)(SOCKET_WANT_TIME | (number == 35 || number == 64 ? SOCKET_WANT_TIME_NS : 0) |
                     (number >= 63 ? SOCKET_WANT_TIME_WIDE : 0));
}

// What is not there yet when more than half a buffer is to wait never comes.
static void low_water_set(struct socket *s, int32_t value)
{
    uint32_t wanted = value < 0 ? INT32_MAX : (uint32_t)value;
    if (s->kind == &tcp_kind) {
        wanted = MIN(wanted, (s->receive_limited ? s->receive_limit : TCP_RECEIVE_MAX) / 2);
        if (!s->receive_limited)
            s->receive_limit = MAX(s->receive_limit, 2 * wanted);
    }
    s->low_water = (int32_t)MAX(wanted, 1u);
    if (s->kind->poll(s) & POLL_IN)
        socket_wake(s, WAKE_READ);
}

static int congestion_set(const void *value, size_t n)
{
    char name[NAME_BYTES] = {0};
    memcpy(name, value, MIN(n, sizeof(name) - 1));
    return strcmp(name, CONGESTION) == 0 ? 0 : -ENOENT;
}

static int window_set(struct socket *s, int32_t value)
{
    if (value == 0 && (s->state == SOCKET_CONNECTING || s->state == SOCKET_CONNECTED))
        return -EINVAL;
    s->window_max = value == 0 ? 0 : (uint32_t)MAX(value, WINDOW_MIN);
    return 0;
}

static int set_tcp(struct socket *s, const struct option *o, int32_t v, const void *value, size_t n)
{
    switch (o->number) {
    case 2:
        if (v != 0 && (v < SEGMENT_MIN || v > SEGMENT_MAX))
            return -EINVAL;
        s->max_segment = v;
        return 0;
    case 8:
        s->linger2_s = v < 0 ? -1 : MIN(v, FIN_WAIT_2_MAX_S);
        return 0;
    case 9:
        s->defer_retries = defer_retries(v);
        return 0;
    case 10:
        return window_set(s, v);
    case 13:
        return congestion_set(value, n);
    case 18:
        if (v < 0)
            return -EINVAL;
        s->user_timeout_ms = (uint32_t)v;
        return 0;
    }
    return -ENOPROTOOPT;
}

static int set_own(struct socket *s, const struct option *o, const void *value, size_t n)
{
    int32_t v[2] = {0, 0};
    memcpy(v, value, MIN(n, sizeof(v)));
    if (o->level == SOL_TCP)
        return set_tcp(s, o, v[0], value, n);
    if (o->level != SOL_SOCKET)
        return -ENOPROTOOPT;
    switch (o->number) {
    case 7:
    case 32:
        buffer_set(&s->send_limit, v[0]);
        s->send_limit = MAX(s->send_limit, 4608u);
        return 0;
    case 8:
    case 33:
        buffer_set(&s->receive_limit, v[0]);
        s->receive_limited = true;
        return 0;
    case 18:
        low_water_set(s, v[0]);
        return 0;
    case 13:
        if (n < sizeof(v))
            return -EINVAL;
        s->linger = v[0] != 0;
        s->linger_s = v[0] ? v[1] : s->linger_s;
        return 0;
    case 20:
    case 66:
        return timeout_set(&s->receive_timeout_ns, o->number == 66, value, n);
    case 29:
    case 35:
    case 63:
    case 64:
        s->timestamp = v[0] ? stamp_kind(o->number) : 0;
        return 0;
    case 21:
    case 67:
        return timeout_set(&s->send_timeout_ns, o->number == 67, value, n);
    }
    return -ENOPROTOOPT;
}

static long get_tcp(const struct socket *s, const struct option *o, void *value)
{
    int32_t v = 0;
    switch (o->number) {
    case 2:
        v = (int32_t)tcp_info_segment(s);
        break;
    case 8:
        v = s->linger2_s ? s->linger2_s : FIN_WAIT_2_S;
        break;
    case 9:
        v = (int32_t)defer_seconds(s->defer_retries);
        break;
    case 10:
        v = (int32_t)s->window_max;
        break;
    case 11:
        return tcp_info_get(s, value);
    case 13:
        memset(value, 0, NAME_BYTES);
        memcpy(value, CONGESTION, sizeof(CONGESTION));
        return NAME_BYTES;
    case 18:
        v = (int32_t)s->user_timeout_ms;
        break;
    }
    memcpy(value, &v, sizeof(v));
    return sizeof(v);
}

static long get_own(struct socket *s, const struct option *o, void *value)
{
    int32_t v[2] = {0, 0};
    size_t n = sizeof(v[0]);
    if (o->level == SOL_IP) {
        v[0] = (int32_t)net_mtu(s->remote.ip);
        memcpy(value, v, n);
        return s->state == SOCKET_CONNECTED ? (long)n : -ENOTCONN;
    }
    if (o->level == SOL_TCP)
        return get_tcp(s, o, value);
    switch (o->number) {
    case 4:
        if (s->kind == &tcp_kind)
            (void)s->kind->poll(s); // a connection that failed meanwhile
        v[0] = -socket_take_error(s);
        break;
    case 7:
    case 32:
        v[0] = (int32_t)s->send_limit;
        break;
    case 8:
    case 33:
        v[0] = (int32_t)s->receive_limit;
        break;
    case 13:
        v[0] = s->linger;
        v[1] = s->linger_s;
        n = sizeof(v);
        break;
    case 17: {
        struct socket_cred none = {0, UINT32_MAX, UINT32_MAX};
        bool known = s->family == AF_UNIX && (s->was_connected || s->listened);
        memcpy(value, s->listened ? &s->cred : known ? &s->peer_cred : &none, sizeof(none));
        return sizeof(none);
    }
    case 18:
        v[0] = s->low_water;
        break;
    case 19:
        v[0] = 1;
        break;
    case 20:
    case 66:
        return timeout_get(s->receive_timeout_ns, o->number == 66, value);
    case 21:
    case 67:
        return timeout_get(s->send_timeout_ns, o->number == 67, value);
    case 29:
    case 35:
    case 63:
    case 64:
        v[0] = s->timestamp == stamp_kind(o->number) ||
               (o->number == 63 && s->timestamp & SOCKET_WANT_TIME_WIDE);
        break;
    case 30:
        v[0] = s->state == SOCKET_LISTENING;
        break;
    }
    memcpy(value, v, n);
    return (long)n;
}

// ---- the calls ---------------------------------------------------------------------------------
static int byte_value(const struct option *o, const void *value, size_t n, int32_t *v)
{
    if (n < sizeof(*v) && n > 0)
        *v = *(const uint8_t *)value;
    if (*v == -1)
        *v = o->usual;
    bool ttl = o->number == 2, discover = o->number == 10; // all are of SOL_IP
    return *v < (ttl ? 1 : 0) || *v > (discover ? MTU_DISCOVER_OMIT : 255) ? -EINVAL : 0;
}

// Those of TCP that count something; as Linux has them.
static bool count_allowed(int32_t number, int32_t v)
{
    if (number >= 4 && number <= 7)
        return v >= 1 && v <= (number < 6 ? 32767 : 127);
    return true;
}

// A field has another value.
static void field_apply(struct socket *s, const struct option *o, int32_t value)
{
    bool tcp = o->level == SOL_TCP;
    if (tcp && ((o->number == 1 && value) || (o->number == 3 && !value)))
        held_end(s); // joined
    if (tcp && s->conn && o->number == 1)
        tcp_set_nodelay(s->conn, s->no_delay);
    else if (tcp && s->conn && o->number == 3)
        tcp_set_corked(s->conn, s->cork);
    else if (tcp && s->conn && o->number == 12)
        tcp_set_prompt(s->conn, s->prompt);
    else if (o->level == SOL_UDP && !value)
        inet_datagram_push(s);
    else
        tune(s);
}

int options_set(struct socket *s, int32_t level, int32_t number, const void *value, size_t n)
{
    int32_t v = 0;
    const struct option *o = option_of(s, level, number);
    if (n < sizeof(v) && (level == SOL_SOCKET || (level == SOL_TCP && s->kind == &tcp_kind)))
        return -EINVAL;
    if (o == NULL)
        return unknown(s, level, true);
    if (o->how == HOW_READ_ONLY)
        return -ENOPROTOOPT;
    bool needs_value = number == 2 || number == 15 || number == 33 || number == 34;
    if (level == SOL_IP && n == 0 && needs_value) // the others take nothing for 0
        return -EINVAL;
    if (level == SOL_IP && number == 33 && s->type == SOCK_STREAM)
        return -EINVAL;
    bool text = o->how == HOW_TEXT && n > 0;
    if (n < sizeof(v) && o->how != HOW_BYTE && !text && level != SOL_IP)
        return -EINVAL;
    memcpy(&v, value, n < sizeof(v) ? MIN(n, 1u) : sizeof(v)); // ip(7): an int or a byte
    if (o->how == HOW_OWN || o->how == HOW_TEXT) {
        int e = set_own(s, o, value, n);
        tune(s);
        return e;
    }
    int e = o->how == HOW_BYTE ? byte_value(o, value, n, &v) : 0;
    if (e < 0)
        return e;
    if (level == SOL_TCP && !count_allowed(number, v))
        return -EINVAL;
    field_set(s, o, v);
    field_apply(s, o, v);
    return 0;
}

long options_get(struct socket *s, int32_t level, int32_t number, void *value)
{
    const struct option *o = option_of(s, level, number);
    if (o == NULL)
        return unknown(s, level, false);
    if (o->how == HOW_OWN || o->how == HOW_TEXT)
        return get_own(s, o, value);
    int32_t v = field_get(s, o);
    memcpy(value, &v, sizeof(v));
    return sizeof(v);
}
