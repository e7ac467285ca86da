// SPDX-License-Identifier: MIT
// Ethernet II frames (RFC 894).
#pragma once

#include "net/nic.h"

extern const uint8_t eth_broadcast[6];

void eth_receive(struct nic *nic, const uint8_t *frame, size_t n);
// Adds the header, pads to the minimum, sends. Takes the buffer. 0 or -ENOBUFS.
int eth_send(struct nic *nic, struct buf *b, const uint8_t to[6], uint16_t type);
// The same of the fragments of a datagram, up to the first that cannot go.
int eth_send_all(struct nic *nic, struct list *bufs, const uint8_t to[6], uint16_t type);
