// SPDX-License-Identifier: MIT
// /proc/net of the node that is asked (proc(5)): the interfaces, and the sockets that live there.
#include "net/arp.h"
#include "net/net.h"
#include "net/sockets.h"
#include "ssi/process/procfs_priv.h"
#include "ssi/stream/socket.h"

#define FILE_R      0100444u
#define RTF_UP      1u
#define RTF_GATEWAY 2u

static bool has_card(void)
{
    uint8_t mac[6];
    return net_mac(mac);
}

static void show_traffic(struct text *t, const char *name, bool loop)
{
    struct net_traffic in, out;
    net_traffic(loop, &in, &out);
    text_add(t, "%6s: %7llu %7llu %4llu %4llu    0     0          0         0", name,
             (unsigned long long)in.bytes, (unsigned long long)in.packets,
             (unsigned long long)in.errors, (unsigned long long)in.dropped);
    text_add(t, " %8llu %7llu %4llu %4llu    0     0       0          0\n",
             (unsigned long long)out.bytes, (unsigned long long)out.packets,
             (unsigned long long)out.errors, (unsigned long long)out.dropped);
}

static void show_dev(struct text *t)
{
    text_add(t, "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                "packets errs drop fifo colls carrier compressed\n");
    show_traffic(t, "lo", true);
    if (has_card())
        show_traffic(t, "eth0", false);
}

static void show_route_line(struct text *t, uint32_t to, uint32_t gateway, unsigned flags,
                            uint32_t mask)
{
    text_add(t, "eth0\t%08X\t%08X\t%04X\t0\t0\t0\t%08X\t0\t0\t0\n", __builtin_bswap32(to),
             __builtin_bswap32(gateway), flags, __builtin_bswap32(mask));
}

static void show_route(struct text *t)
{
    uint32_t mask = net_prefix() ? ~0u << (32 - net_prefix()) : 0;
    text_add(t, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\t"
                "IRTT\n");
    if (!has_card() || net_ip() == 0)
        return;
    if (net_gateway())
        show_route_line(t, 0, net_gateway(), RTF_UP | RTF_GATEWAY, 0);
    show_route_line(t, net_ip() & mask, 0, RTF_UP, mask);
}

#define ATF_COM 2u // the address is known

static void show_neighbour(void *arg, uint32_t ip, const uint8_t *mac)
{
    static const uint8_t none[6];
    const uint8_t *m = mac ? mac : none;
    char text[16];
    net_format_ip(ip, text);
    text_add(arg,
             "%-16s 0x1         0x%x         %02x:%02x:%02x:%02x:%02x:%02x     *        eth0\n",
             text, mac ? ATF_COM : 0, m[0], m[1], m[2], m[3], m[4], m[5]);
}

static void show_arp(struct text *t)
{
    text_add(t, "IP address       HW type     Flags       HW address            Mask     Device\n");
    arp_each(show_neighbour, t);
}

static void show_nothing(struct text *t) // of IPv6 there is nothing
{
    (void)t;
}

const struct proc_row proc_net_rows[] = {
    {"dev", FILE_R, show_dev, NULL},          {"route", FILE_R, show_route, NULL},
    {"arp", FILE_R, show_arp, NULL},          {"tcp", FILE_R, socket_show_tcp, NULL},
    {"udp", FILE_R, socket_show_udp, NULL},   {"raw", FILE_R, socket_show_raw, NULL},
    {"unix", FILE_R, socket_show_unix, NULL}, {"sockstat", FILE_R, socket_show_sockstat, NULL},
    {"if_inet6", FILE_R, show_nothing, NULL}, {NULL, 0, NULL, NULL},
};
