// SPDX-License-Identifier: MIT
// The interface `lo` by netlink, as the C library asks for it and by hand. Only lo is printed: it
// is the same on every machine.
#define _GNU_SOURCE
#include "say.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

static void by_library(void)
{
    struct ifaddrs *all, *a;
    struct if_nameindex *n = if_nameindex();
    for (int k = 0; n && n[k].if_index; k++)
        if (!strcmp(n[k].if_name, "lo"))
            printf("%u %s\n", n[k].if_index, n[k].if_name);
    if_freenameindex(n);
    say("getifaddrs", getifaddrs(&all));
    for (a = all; a; a = a->ifa_next) {
        struct sockaddr_in *ip = (void *)a->ifa_addr, *mask = (void *)a->ifa_netmask;
        if (strcmp(a->ifa_name, "lo") || !ip || ip->sin_family != AF_INET)
            continue;
        printf("lo %s", inet_ntoa(ip->sin_addr));
        printf(" %s %x\n", inet_ntoa(mask->sin_addr), a->ifa_flags & (IFF_LOOPBACK | IFF_UP));
    }
    freeifaddrs(all);
}

struct ask {
    struct nlmsghdr h;
    union {
        struct ifinfomsg link;
        struct ifaddrmsg address;
        char rest[64];
    };
};

static struct ask ask_of(int type, int flags, size_t n)
{
    return (struct ask){.h = {NLMSG_LENGTH(n), type, NLM_F_REQUEST | flags, 77, 0}};
}

static void attributes(struct rtattr *r, int left)
{
    for (; RTA_OK(r, left); r = RTA_NEXT(r, left))
        if (r->rta_type == IFLA_IFNAME)
            printf(" name %s", (char *)RTA_DATA(r));
        else if (r->rta_type == IFLA_MTU)
            printf(" mtu %u", *(unsigned *)RTA_DATA(r));
        else if (r->rta_type == IFLA_ADDRESS)
            printf(" address of %d", (int)RTA_PAYLOAD(r));
        else if (r->rta_type == IFLA_STATS)
            printf(" stats of %d", (int)RTA_PAYLOAD(r));
}

// Until there is no more; of links only lo's.
static void answers(int s, int port)
{
    static char bytes[65536];
    struct sockaddr_nl from;
    socklen_t length = sizeof(from);
    int n;
    while ((n = recvfrom(s, bytes, sizeof(bytes), MSG_DONTWAIT, (void *)&from, &length)) > 0) {
        struct nlmsghdr *h = (void *)bytes;
        for (; NLMSG_OK(h, (unsigned)n); h = NLMSG_NEXT(h, n)) {
            struct ifinfomsg *m = NLMSG_DATA(h);
            int *error = NLMSG_DATA(h);
            if (h->nlmsg_seq != 77 || h->nlmsg_pid != (unsigned)port || from.nl_pid)
                printf("odd: %u %u %u\n", h->nlmsg_seq, h->nlmsg_pid, from.nl_pid);
            if (h->nlmsg_type == NLMSG_ERROR)
                printf("error %s\n", error[0] ? strerrorname_np(-error[0]) : "none");
            else if (h->nlmsg_type == NLMSG_DONE)
                printf("done\n");
            else if (h->nlmsg_type == RTM_NEWLINK && m->ifi_index == 1) {
                printf("link type %d flags %x multi %d", m->ifi_type, m->ifi_flags & 0x10009,
                       (h->nlmsg_flags & NLM_F_MULTI) != 0);
                attributes(IFLA_RTA(m), (int)IFLA_PAYLOAD(h));
                printf("\n");
            }
        }
    }
}

static void request(int s, int port, const char *what, struct ask *a)
{
    printf("%s: %ld\n", what, (long)send(s, a, a->h.nlmsg_len, 0));
    answers(s, port);
}

static void by_hand(void)
{
    struct sockaddr_nl me = {.nl_family = AF_NETLINK}, other = {.nl_family = AF_NETLINK};
    socklen_t n = sizeof(me);
    done("stream", socket(AF_NETLINK, SOCK_STREAM, 0));
    done("protocol", socket(AF_NETLINK, SOCK_RAW, 99));
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), t;
    say("short bind", bind(s, (void *)&me, 8));
    say("bind", bind(s, (void *)&me, sizeof(me)));
    say("name", getsockname(s, (void *)&me, &n));
    printf("%d %d %d\n", n, me.nl_family, me.nl_pid == (unsigned)getpid());
    t = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
    say("taken", bind(t, (void *)&me, sizeof(me)));
    say("another", bind(t, (void *)&other, sizeof(other)));
    getsockname(t, (void *)&other, &n);
    printf("%d %d\n", other.nl_pid != me.nl_pid, other.nl_pid != 0);
    close(t);
    say("listen", listen(s, 1));
    show_poll("empty", s);
    struct ask a = ask_of(RTM_GETLINK, NLM_F_DUMP, sizeof(a.link));
    request(s, (int)me.nl_pid, "links", &a);
    a = ask_of(RTM_GETLINK, 0, sizeof(a.link));
    a.link.ifi_index = 1;
    request(s, (int)me.nl_pid, "link 1", &a);
    a.link.ifi_index = 9999;
    request(s, (int)me.nl_pid, "link 9999", &a);
    a = ask_of(RTM_GETADDR, NLM_F_DUMP, sizeof(a.address));
    request(s, (int)me.nl_pid, "addresses", &a);
    a = ask_of(NLMSG_NOOP, NLM_F_ACK, 0);
    request(s, (int)me.nl_pid, "nothing, acknowledged", &a);
    request(s, (int)me.nl_pid, "cut", &(struct ask){.h = {8, RTM_GETLINK, NLM_F_REQUEST, 77, 0}});
    show_poll("empty", s);
    close(s);
}

int main(void)
{
    by_library();
    by_hand();
    return 0;
}
