// SPDX-License-Identifier: MIT
// DHCP messages as bytes (RFC 2131, 2; options of RFC 2132): pure functions.
#pragma once

#include "lib/types.h"

#define DHCP_SERVER_PORT   67u
#define DHCP_CLIENT_PORT   68u
#define DHCP_MESSAGE_BYTES 300u // what a client sends; servers and relays expect no less
#define DHCP_LEASE_FOREVER 0xffffffffu

enum dhcp_type { // option 53
    DHCP_DISCOVER = 1,
    DHCP_OFFER = 2,
    DHCP_REQUEST = 3,
    DHCP_ACK = 5,
    DHCP_NAK = 6,
};

struct dhcp_reply {
    enum dhcp_type type; // OFFER, ACK or NAK
    uint32_t ip, server;
    unsigned prefix;
    uint32_t gateway;                    // 0: none
    uint32_t lease_s, renew_s, rebind_s; // lease, T1, T2; T1 < T2 < lease
};

struct dhcp_ask {
    enum dhcp_type type; // DISCOVER or REQUEST
    uint32_t xid;
    uint16_t secs; // since the client began
    uint8_t mac[6];
    uint32_t own;            // address it has and keeps using; 0: none
    uint32_t wanted, server; // options 50 and 54; 0: left out
};

// False: not an answer to `xid` of `mac`, or malformed: the whole message is refused.
bool dhcp_parse(const uint8_t *bytes, size_t n, uint32_t xid, const uint8_t mac[6],
                struct dhcp_reply *r) MUST_CHECK;
void dhcp_write(const struct dhcp_ask *a, uint8_t bytes[DHCP_MESSAGE_BYTES]);
