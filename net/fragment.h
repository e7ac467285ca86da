// SPDX-License-Identifier: MIT
// Datagrams put together from fragments (RFC 791; RFC 1122, 3.3.2). The memory for it is the
// heap's, and bounded: what it takes, no packet of TCP or of the links between nodes can miss.
#pragma once

#include "net/ip.h"

struct assembly; // a datagram in the making

void fragment_init(void);
// Of a packet whose header was checked and says: a fragment. NULL, or the assembly whose last
// missing one it was: then `*whole` is the packet, until fragment_free.
struct assembly *fragment_receive(const struct ip_packet *p, struct ip_packet *whole) MUST_CHECK;
void fragment_free(struct assembly *a);
