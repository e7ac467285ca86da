// SPDX-License-Identifier: MIT
// The interface's address and what follows from it.
#include "net/route.h"

#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/arp.h"
#include "net/ip.h"
#include "net/net.h"
#include "net/sockets.h"

NODE_VAR(uint32_t, own_ip);
NODE_VAR(unsigned, own_prefix);
NODE_VAR(uint32_t, own_gateway);

#define PATHS     16u
#define NARROW_NS (600 * NS_PER_S) // RFC 1191, 6.3: then the card's size is tried again
#define PATH_MIN  552u             // Linux's bound: nobody makes us send crumbs

struct path { // one that takes less than the card
    uint32_t to;
    size_t mtu;
    uint64_t until_ns;
};
NODE_VAR(struct path, paths[PATHS]);
NODE_VAR(unsigned, path_count); // slots that were ever used

uint32_t net_ip(void)
{
    return node(own_ip);
}

unsigned net_prefix(void)
{
    return node(own_prefix);
}

static uint32_t own_mask(void)
{
    return node(own_prefix) ? ~0u << (32 - node(own_prefix)) : 0;
}

uint32_t net_gateway(void)
{
    return node(own_gateway);
}

void net_ip_set(uint32_t ip, unsigned prefix, uint32_t gateway)
{
    arp_flush(); // what was learnt may belong to another link
    node(path_count) = 0;
    node(own_ip) = ip;
    node(own_prefix) = MIN(prefix, 32u);
    node(own_gateway) = gateway;
    if (nic_first())
        arp_announce(nic_first());
}

bool net_mac(uint8_t mac[6])
{
    if (!nic_first())
        return false;
    memcpy(mac, nic_first()->mac, 6);
    return true;
}

bool ip_is_broadcast(uint32_t ip)
{
    if (ip == NET_BROADCAST)
        return true;
    return node(own_ip) && node(own_prefix) < 31 && ip == (node(own_ip) | ~own_mask());
}

int route_find(uint32_t to, struct route *r)
{
    *r = (struct route){ROUTE_NEIGHBOUR, to, node(own_ip)};
    if (to >> 24 == 127 || (to == node(own_ip) && to != 0)) {
        r->kind = ROUTE_LOOP;
        r->source = to;
        return 0;
    }
    if (!nic_first())
        return -ENETDOWN;
    if (ip_is_broadcast(to)) {
        r->kind = ROUTE_BROADCAST;
        return 0;
    }
    if (!node(own_ip))
        return -ENETDOWN;
    if (to >> 28 >= 0xe || to >> 24 == 0) // multicast and reserved
        return -EHOSTUNREACH;
    if (((to ^ node(own_ip)) & own_mask()) == 0)
        return 0;
    r->next_hop = node(own_gateway);
    return node(own_gateway) ? 0 : -EHOSTUNREACH;
}

static struct path *path_find(uint32_t to)
{
    for (unsigned i = 0; i < node(path_count); i++)
        if (node(paths)[i].to == to)
            return &node(paths)[i];
    return NULL;
}

size_t route_mtu(uint32_t to, size_t mtu)
{
    const struct path *p = path_find(to);
    return p && clock_now_ns() < p->until_ns ? MIN(mtu, p->mtu) : mtu;
}

// A free slot, or the one of the oldest news.
static struct path *path_slot(void)
{
    if (node(path_count) < PATHS)
        return &node(paths)[node(path_count)++];
    struct path *oldest = &node(paths)[0];
    for (unsigned i = 1; i < PATHS; i++)
        if (node(paths)[i].until_ns < oldest->until_ns)
            oldest = &node(paths)[i];
    return oldest;
}

void route_narrow(uint32_t to, size_t mtu)
{
    struct path *p = path_find(to);
    mtu = route_mtu(to, MAX(mtu, PATH_MIN)); // never wider while older news hold
    if (!p)
        p = path_slot();
    *p = (struct path){to, mtu, clock_now_ns() + NARROW_NS};
}

// One number of a dotted address; moves *text behind it.
static bool parse_octet(const char **text, unsigned max, unsigned *value)
{
    const char *p = *text;
    unsigned v = 0, digits = 0;
    for (; *p >= '0' && *p <= '9' && digits < 3; p++, digits++)
        v = v * 10 + (unsigned)(*p - '0');
    *text = p;
    *value = v;
    return digits > 0 && v <= max;
}

static bool parse_address(const char **text, uint32_t *ip)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned octet;
        if (i > 0 && *(*text)++ != '.')
            return false;
        if (!parse_octet(text, 255, &octet))
            return false;
        value = value << 8 | octet;
    }
    *ip = value;
    return true;
}

bool net_parse_ip(const char *text, uint32_t *ip)
{
    return parse_address(&text, ip) && *text == 0;
}

bool net_parse_cidr(const char *text, uint32_t *ip, unsigned *prefix)
{
    return parse_address(&text, ip) && *text++ == '/' && parse_octet(&text, 32, prefix) &&
           *text == 0;
}

void net_format_ip(uint32_t ip, char out[16])
{
    fmt_print(out, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
}
