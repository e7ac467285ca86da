// SPDX-License-Identifier: MIT
// netdevice(7): the interfaces `lo` and `eth0`, as programs ask a socket about them. They are set
// at boot; a request that would change something is refused with EPERM.
#include "lib/errno.h"
#include "lib/string.h"
#include "net/sockets.h"
#include "ssi/stream/socket_priv.h"

enum {
    SIOCATMARK = 0x8905,
    SIOCGIFNAME = 0x8910,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS = 0x8913,
    SIOCSIFFLAGS = 0x8914,
    SIOCGIFADDR = 0x8915,
    SIOCGIFDSTADDR = 0x8917,
    SIOCGIFBRDADDR = 0x8919,
    SIOCGIFNETMASK = 0x891b,
    SIOCGIFMETRIC = 0x891d,
    SIOCGIFMTU = 0x8921,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
    SIOCGIFTXQLEN = 0x8942,
    SIOCGIFMAP = 0x8970,
};

#define IFF_UP        0x1u
#define IFF_BROADCAST 0x2u
#define IFF_LOOPBACK  0x8u
#define IFF_RUNNING   0x40u
#define IFF_MULTICAST 0x1000u
#define IFF_LOWER_UP  0x10000u
#define ARPHRD_ETHER  1
#define ARPHRD_LOOP   772
#define LOOPBACK      0x7f000001u

struct ifreq {
    char name[16];
    union {
        uint8_t address[16]; // struct sockaddr
        int32_t value;
        int16_t flags;
    };
} PACKED;
STATIC_ASSERT(sizeof(struct ifreq) == 32, "ifreq of the ABI");

static const char *const names[] = {"lo", "eth0"};

static bool exists(unsigned k)
{
    uint8_t mac[6];
    return k == 0 || net_mac(mac);
}

static uint32_t address_of(unsigned k)
{
    return k == 0 ? LOOPBACK : net_ip();
}

static uint32_t mask_of(unsigned k)
{
    unsigned bits = k == 0 ? 8 : net_prefix();
    return bits ? ~0u << (32 - bits) : 0;
}

static void put_address(struct ifreq *r, uint32_t ip)
{
    struct socket_name n;
    inet_name_make((struct net_address){ip, 0}, &n);
    memcpy(r->address, n.at, sizeof(r->address));
}

static long conf(uint8_t *data, size_t *n)
{
    size_t used = 0;
    for (unsigned k = 0; k < ARRAY_SIZE(names); k++) {
        struct ifreq r = {.name = ""};
        if (!exists(k) || address_of(k) == 0 || used + sizeof(r) > SOCKET_IOCTL_BYTES)
            continue;
        str_copy(r.name, names[k], sizeof(r.name));
        put_address(&r, address_of(k));
        memcpy(data + used, &r, sizeof(r));
        used += sizeof(r);
    }
    *n = used;
    return 0;
}

static int16_t flags_of(unsigned k)
{
    return (int16_t)(IFF_UP | IFF_RUNNING |
                     (k == 0 ? IFF_LOOPBACK : IFF_BROADCAST | IFF_MULTICAST));
}

static uint32_t mtu_of(unsigned k)
{
    return k == 0 ? 65536 : 1500;
}

bool inet_interface(unsigned k, struct inet_interface *i)
{
    if (k >= ARRAY_SIZE(names) || !exists(k))
        return false;
    *i = (struct inet_interface){
        .name = names[k],
        .index = (int32_t)k + 1,
        .ip = address_of(k),
        .mask = mask_of(k),
        .mtu = mtu_of(k),
        .flags = (uint32_t)flags_of(k) | IFF_LOWER_UP,
        .hardware = k == 0 ? ARPHRD_LOOP : ARPHRD_ETHER,
    };
    if (k > 0)
        (void)net_mac(i->mac);
    return true;
}

static void hardware(struct ifreq *r, unsigned k)
{
    memset(r->address, 0, sizeof(r->address));
    uint16_t kind = k == 0 ? ARPHRD_LOOP : ARPHRD_ETHER;
    memcpy(r->address, &kind, sizeof(kind));
    if (k > 0)
        (void)net_mac(r->address + 2);
}

static long about(uint32_t request, struct ifreq *r, unsigned k)
{
    switch (request) {
    case SIOCGIFFLAGS:
        r->flags = flags_of(k);
        return 0;
    case SIOCSIFFLAGS:
        return (r->flags ^ flags_of(k)) & (int16_t)IFF_UP ? -EPERM : 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFBRDADDR:
        if (address_of(k) == 0)
            return -EADDRNOTAVAIL;
        put_address(r, request == SIOCGIFNETMASK            ? mask_of(k)
                       : request == SIOCGIFBRDADDR && k > 0 ? address_of(k) | ~mask_of(k)
                       : request == SIOCGIFBRDADDR          ? 0
                                                            : address_of(k));
        return 0;
    case SIOCGIFMETRIC:
        r->value = 0;
        return 0;
    case SIOCGIFMTU:
        r->value = (int32_t)mtu_of(k);
        return 0;
    case SIOCGIFTXQLEN:
        r->value = 1000;
        return 0;
    case SIOCGIFINDEX:
        r->value = (int32_t)k + 1;
        return 0;
    case SIOCGIFHWADDR:
        hardware(r, k);
        return 0;
    case SIOCGIFMAP:
        memset(r->address, 0, sizeof(r->address));
        return 0;
    }
    return -EPERM;
}

static long name_of_index(struct ifreq *r)
{
    uint32_t k = (uint32_t)r->value - 1;
    if (k >= ARRAY_SIZE(names) || !exists(k))
        return -ENODEV;
    str_copy(r->name, names[k], sizeof(r->name));
    return 0;
}

long inet_ioctl(struct socket *s, uint32_t request, void *data, size_t *n)
{
    struct ifreq r;
    int32_t mark;
    if (request == SIOCGIFCONF)
        return conf(data, n);
    if (request == SIOCATMARK) {
        mark = s->kind == &tcp_kind && urgent_at_mark(s);
        memcpy(data, &mark, sizeof(mark));
        *n = sizeof(mark);
        return s->kind == &tcp_kind ? 0 : -ENOTTY;
    }
    if (request < SIOCGIFNAME || request > SIOCGIFMAP || *n < sizeof(r))
        return -ENOTTY;
    memcpy(&r, data, sizeof(r));
    long e = -ENODEV;
    r.name[sizeof(r.name) - 1] = '\0';
    if (request == SIOCGIFNAME)
        e = name_of_index(&r);
    for (unsigned k = 0; request != SIOCGIFNAME && k < ARRAY_SIZE(names); k++)
        if (!strcmp(r.name, names[k]) && exists(k))
            e = about(request, &r, k);
    memcpy(data, &r, sizeof(r));
    *n = sizeof(r);
    return e;
}
