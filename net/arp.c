// SPDX-License-Identifier: MIT
// An entry is unresolved (asked, one packet may wait), fresh, or stale (used on, but asked for
// again). Entries are made only when we want to send, or when the neighbour asked for us: gossip
// between others cannot fill the cache. Entries are few: a list, most recently used first.
#include "net/arp.h"

#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "mm/heap.h"
#include "net/counters.h"
#include "net/eth.h"
#include "net/net.h"
#include "net/wire.h"

#define ENTRIES_MAX   512u
#define BUCKETS       64u
#define FRESH_NS      (45 * NS_PER_S)
#define RETRY_NS      (100 * NS_PER_MS) // doubled with each try
#define TRIES_MAX     6u
#define TRIES_UNICAST 3u              // of a neighbour that is known: then it may have moved
#define DEFEND_GAP_NS (10 * NS_PER_S) // RFC 5227, DEFEND_INTERVAL
#define FRAGMENTS_MAX 96u             // that wait: a quarter of the common pool has room for them

struct neighbour {
    struct list link;
    struct timer timer; // the next try, or the end of freshness
    struct nic *nic;
    uint32_t ip;
    uint8_t mac[6];
    bool known;          // mac is valid
    unsigned tries;      // unanswered requests
    struct list waiting; // the fragments of one datagram; mostly one buffer
    unsigned waiting_count;
};

NODE_VAR(struct list, buckets[BUCKETS]);
NODE_VAR(unsigned, entries);
NODE_VAR(unsigned, fragments_waiting); // beyond the first of each neighbour
NODE_VAR(uint64_t, defended_ns);

void arp_init(void)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        list_init(&node(buckets)[i]);
}

static struct list *bucket_of(uint32_t ip)
{
    return &node(buckets)[ip % BUCKETS];
}

static struct neighbour *neighbour_find(uint32_t ip)
{
    struct neighbour *e;
    list_for_each (e, bucket_of(ip), link)
        if (e->ip == ip)
            return e;
    return NULL;
}

static void waiting_forget(struct neighbour *e)
{
    if (e->waiting_count)
        node(fragments_waiting) -= e->waiting_count - 1;
    e->waiting_count = 0;
}

static void waiting_drop(struct neighbour *e)
{
    if (e->waiting_count)
        net_counter_add(COUNT_arp_dropped);
    waiting_forget(e);
    buf_free_all(&e->waiting);
}

static void neighbour_free(struct neighbour *e)
{
    waiting_drop(e);
    timer_cancel(&e->timer);
    list_remove(&e->link);
    heap_free(e);
    node(entries)--;
}

void arp_flush(void)
{
    struct neighbour *e, *next;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_for_each_safe (e, next, &node(buckets)[i], link)
            neighbour_free(e);
}

void arp_each(void (*fn)(void *arg, uint32_t ip, const uint8_t *mac), void *arg)
{
    const struct neighbour *e;
    for (unsigned i = 0; i < BUCKETS; i++)
        list_for_each (e, &node(buckets)[i], link)
            fn(arg, e->ip, e->known ? e->mac : NULL);
}

// `to_mac` NULL: broadcast.
static void arp_emit(struct nic *nic, unsigned operation, const uint8_t *to_mac, uint32_t to_ip)
{
    struct buf *b = buf_alloc(true); // without ARP the links between nodes stand still too
    if (!b)
        return;
    struct arp_wire *a = buf_put(b, sizeof(*a));
    a->hardware = be16(1);
    a->protocol = be16(ETH_IPV4);
    a->hardware_bytes = 6;
    a->protocol_bytes = 4;
    a->operation = be16(operation);
    memcpy(a->sender_mac, nic->mac, 6);
    a->sender_ip = be32(net_ip());
    memset(a->target_mac, 0, 6);
    if (to_mac)
        memcpy(a->target_mac, to_mac, 6);
    a->target_ip = be32(to_ip);
    (void)eth_send(nic, b, to_mac ? to_mac : eth_broadcast, ETH_ARP); // a loss is tried again
}

static void neighbour_ask(struct neighbour *e)
{
    bool unicast = e->known && e->tries < TRIES_UNICAST;
    arp_emit(e->nic, ARP_REQUEST, unicast ? e->mac : NULL, e->ip);
    timer_set(&e->timer, clock_now_ns() + (RETRY_NS << e->tries));
    e->tries++;
}

static void neighbour_timer(void *arg)
{
    struct neighbour *e = arg;
    if (e->tries == 0 && e->known) { // freshness is over: ask again only when it is used
        e->tries = 1;
        return;
    }
    if (e->tries < TRIES_MAX) {
        neighbour_ask(e);
        return;
    }
    net_counter_add(COUNT_arp_failed);
    neighbour_free(e);
}

static struct neighbour *neighbour_new(struct nic *nic, uint32_t ip)
{
    struct list *bucket = bucket_of(ip);
    if (node(entries) >= ENTRIES_MAX) {
        if (list_empty(bucket))
            return NULL;
        net_counter_add(COUNT_arp_full);
        neighbour_free(list_entry(bucket->prev, struct neighbour, link));
    }
    struct neighbour *e = heap_zalloc(sizeof(*e));
    if (!e)
        return NULL;
    timer_init(&e->timer, neighbour_timer, e);
    list_init(&e->waiting);
    e->nic = nic;
    e->ip = ip;
    list_push(bucket, &e->link);
    node(entries)++;
    return e;
}

static void neighbour_learn(struct neighbour *e, const uint8_t mac[6])
{
    memcpy(e->mac, mac, 6);
    e->known = true;
    e->tries = 0;
    timer_set(&e->timer, clock_now_ns() + FRESH_NS);
    waiting_forget(e);
    (void)eth_send_all(e->nic, &e->waiting, e->mac, ETH_IPV4); // a full ring is counted there
}

static struct neighbour *neighbour_use(struct nic *nic, uint32_t ip)
{
    struct neighbour *e = neighbour_find(ip);
    if (!e)
        e = neighbour_new(nic, ip);
    if (e && !timer_is_set(&e->timer)) // new, or stale and used again
        neighbour_ask(e);
    return e;
}

static int wait_for(struct neighbour *e, struct list *bufs)
{
    unsigned n = buf_count(bufs);
    if (e)
        waiting_drop(e);
    if (!e || node(fragments_waiting) + n - 1 > FRAGMENTS_MAX) {
        net_counter_add(COUNT_arp_dropped);
        buf_free_all(bufs);
        return -ENOBUFS;
    }
    list_move(&e->waiting, bufs);
    e->waiting_count = n;
    node(fragments_waiting) += n - 1;
    return 0;
}

int arp_send_all(struct nic *nic, uint32_t ip, struct list *bufs)
{
    struct neighbour *e = neighbour_use(nic, ip);
    return e && e->known ? eth_send_all(nic, bufs, e->mac, ETH_IPV4) : wait_for(e, bufs);
}

int arp_send(struct nic *nic, uint32_t ip, struct buf *b)
{
    struct neighbour *e = neighbour_use(nic, ip);
    struct list one;
    if (e && e->known)
        return eth_send(nic, b, e->mac, ETH_IPV4);
    list_init(&one);
    list_append(&one, &b->link);
    return wait_for(e, &one);
}

void net_neighbour_doubt(uint32_t ip)
{
    struct neighbour *e = neighbour_find(ip);
    if (e == NULL || !e->known)
        return;
    e->known = false;
    e->tries = 0;
    neighbour_ask(e);
}

void arp_announce(struct nic *nic)
{
    if (net_ip())
        arp_emit(nic, ARP_REQUEST, NULL, net_ip());
}

// Somebody else says that our address is his: say once per interval that it is ours.
static void address_defend(struct nic *nic, const uint8_t mac[6])
{
    net_counter_add(COUNT_arp_conflict);
    uint64_t now = clock_now_ns();
    if (node(defended_ns) && now - node(defended_ns) < DEFEND_GAP_NS)
        return;
    node(defended_ns) = now;
    log_warn("net", "address conflict: %02x:%02x:%02x:%02x:%02x:%02x has our address", mac[0],
             mac[1], mac[2], mac[3], mac[4], mac[5]);
    arp_announce(nic);
}

void arp_receive(struct nic *nic, const uint8_t from[6], const uint8_t *packet, size_t n)
{
    const struct arp_wire *a = (const void *)packet;
    if (n < sizeof(*a) || be16_get(a->hardware) != 1 || be16_get(a->protocol) != ETH_IPV4 ||
        a->hardware_bytes != 6 || a->protocol_bytes != 4 || (a->sender_mac[0] & 1) ||
        memcmp(a->sender_mac, from, 6) != 0) { // a damaged frame: ARP has no checksum
        net_counter_add(COUNT_arp_bad);
        return;
    }
    uint32_t sender = be32_get(a->sender_ip), target = be32_get(a->target_ip);
    unsigned operation = be16_get(a->operation);
    if (net_ip() == 0)
        return;
    if (sender == net_ip()) {
        address_defend(nic, a->sender_mac);
        return;
    }
    bool for_us = target == net_ip();
    struct neighbour *e = neighbour_find(sender);
    if (!e && sender && for_us && operation == ARP_REQUEST) // will talk to us: know him already
        e = neighbour_new(nic, sender);
    if (e)
        neighbour_learn(e, a->sender_mac);
    if (for_us && operation == ARP_REQUEST)
        arp_emit(nic, ARP_REPLY, a->sender_mac, sender);
}
