// SPDX-License-Identifier: MIT
// Where a packet goes first: ourselves, the link, everybody on the link, or the gateway.
#pragma once

#include "lib/types.h"

enum route_kind {
    ROUTE_LOOP,
    ROUTE_BROADCAST,
    ROUTE_NEIGHBOUR
};

struct route {
    enum route_kind kind;
    uint32_t next_hop; // of ROUTE_NEIGHBOUR
    uint32_t source;   // our address on this way
};

// 0, -ENETDOWN (no address or NIC), -EHOSTUNREACH (no route).
int route_find(uint32_t to, struct route *r) MUST_CHECK;

// Path MTU discovery (RFC 1191): bytes of the largest packet on the way to `to`, as far as is
// known, at most `mtu`; and what a router said of it, believed for ten minutes.
size_t route_mtu(uint32_t to, size_t mtu);
void route_narrow(uint32_t to, size_t mtu);
