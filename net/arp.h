// SPDX-License-Identifier: MIT
// Neighbours: which hardware address an IPv4 address on the link has (RFC 826).
#pragma once

#include "net/nic.h"

void arp_init(void);
// `from`: the frame's sender, which the packet must name as well.
void arp_receive(struct nic *nic, const uint8_t from[6], const uint8_t *packet, size_t n);
// Sends an IPv4 packet to a neighbour, now or when it has answered; the newest datagram of each
// neighbour waits. Takes the buffer. 0 or -ENOBUFS.
int arp_send(struct nic *nic, uint32_t neighbour, struct buf *b);
// The same of all fragments of a datagram.
int arp_send_all(struct nic *nic, uint32_t neighbour, struct list *bufs);
// Tells everybody our address (RFC 5227, section 3): others correct what they had.
void arp_announce(struct nic *nic);
// Each neighbour that was asked for; `mac` NULL: it has not answered (yet).
void arp_each(void (*fn)(void *arg, uint32_t ip, const uint8_t *mac), void *arg);
// Forgets everything; waiting packets are dropped.
void arp_flush(void);
