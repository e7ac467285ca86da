// SPDX-License-Identifier: MIT
#include "net/eth.h"

#include "lib/errno.h"
#include "net/arp.h"
#include "net/counters.h"
#include "net/ip.h"
#include "net/wire.h"

const uint8_t eth_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void eth_receive(struct nic *nic, const uint8_t *frame, size_t n)
{
    const struct eth_wire *h = (const void *)frame;
    if (n < sizeof(*h)) {
        net_counter_add(COUNT_eth_short);
        return;
    }
    if (memcmp(h->from, nic->mac, 6) == 0) { // some LANs send our own broadcasts back
        net_counter_add(COUNT_eth_own);
        return;
    }
    bool broadcast = memcmp(h->to, eth_broadcast, 6) == 0;
    if (!broadcast && memcmp(h->to, nic->mac, 6) != 0) {
        net_counter_add(COUNT_eth_not_ours);
        return;
    }
    const uint8_t *payload = frame + sizeof(*h);
    n -= sizeof(*h);
    switch (be16_get(h->type)) {
    case ETH_ARP:
        arp_receive(nic, h->from, payload, n);
        break;
    case ETH_IPV4:
        ip_receive(payload, n, broadcast ? IP_VIA_BROADCAST : IP_VIA_WIRE);
        break;
    default: // a number from the wire, not an enum
        net_counter_add(COUNT_eth_type);
    }
}

// As frames on the wire: a card that cuts puts the headers before each segment.
static void count_out(const struct buf *b)
{
    uint32_t text = 0, segments = 1;
    for (unsigned k = 0; k < b->piece_count; k++)
        text += b->pieces[k].bytes;
    if (b->cut_bytes && text)
        segments = (text + b->cut_bytes - 1) / b->cut_bytes;
    net_counter_more(COUNT_frames_out, segments);
    net_counter_more(COUNT_bytes_out, text + (uint64_t)segments * b->n);
}

int eth_send(struct nic *nic, struct buf *b, const uint8_t to[6], uint16_t type)
{
    struct eth_wire *h = buf_push(b, sizeof(*h));
    memcpy(h->to, to, 6);
    memcpy(h->from, nic->mac, 6);
    h->type = be16(type);
    if (b->n < ETH_FRAME_MIN && b->cut_bytes == 0) {
        size_t pad = ETH_FRAME_MIN - b->n;
        memset(buf_put(b, pad), 0, pad); // never old bytes of the buffer
    }
    count_out(b);
    if (nic->ops->send(nic, b))
        return 0;
    net_counter_add(COUNT_nic_tx_full);
    return -ENOBUFS;
}

int eth_send_all(struct nic *nic, struct list *bufs, const uint8_t to[6], uint16_t type)
{
    struct list *item;
    int error = 0;
    while (error == 0 && (item = list_pop(bufs)))
        error = eth_send(nic, list_entry(item, struct buf, link), to, type);
    buf_free_all(bufs); // without one of them the others are worth nothing
    return error;
}
