// SPDX-License-Identifier: MIT
#include "net/dhcp_message.h"

#include "net/wire.h"

struct dhcp_wire { // RFC 2131, figure 1, up to the options
    uint8_t op, hardware, hardware_bytes, hops;
    be32_t xid;
    be16_t secs, flags;
    be32_t client, yours, next, relay;
    uint8_t mac[16];
    uint8_t names[64 + 128];
    be32_t cookie;
};
STATIC_ASSERT(sizeof(struct dhcp_wire) == 240, "DHCP header");

#define COOKIE         0x63825363u // section 3
#define FLAG_BROADCAST 0x8000u
#define LEASE_MIN_S    10u  // who lends for less would have us ask all the time
#define MESSAGE_MAX    576u // option 57: what every host must take

enum {
    OP_REQUEST = 1,
    OP_REPLY = 2,
};

enum { // RFC 2132
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_WANTED = 50,
    OPTION_LEASE = 51,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_LIST = 55,
    OPTION_SIZE = 57,
    OPTION_RENEW = 58,
    OPTION_REBIND = 59,
    OPTION_END = 255,
};

// 32 minus the zeros at its end; false when it is not ones followed by zeros, or has none.
static bool prefix_of(uint32_t mask, unsigned *prefix)
{
    uint32_t hosts = ~mask;
    *prefix = 32;
    for (uint32_t h = hosts; h; h >>= 1)
        (*prefix)--;
    return (hosts & (hosts + 1)) == 0 && *prefix > 0;
}

// One option of a known length; false: it contradicts its own meaning.
static bool option_take(const uint8_t *p, size_t n, struct dhcp_reply *r)
{
    switch (p[0]) {
    case OPTION_TYPE:
        r->type = p[2];
        return n == 1 && (p[2] == DHCP_OFFER || p[2] == DHCP_ACK || p[2] == DHCP_NAK);
    case OPTION_MASK:
        return n == 4 && prefix_of(be32_at(p + 2), &r->prefix);
    case OPTION_ROUTER: // in order of preference
        r->gateway = n >= 4 ? be32_at(p + 2) : 0;
        return n >= 4 && n % 4 == 0;
    case OPTION_SERVER:
        r->server = n == 4 ? be32_at(p + 2) : 0;
        return n == 4;
    case OPTION_LEASE:
        r->lease_s = n == 4 ? be32_at(p + 2) : 0;
        return n == 4;
    case OPTION_RENEW:
        r->renew_s = n == 4 ? be32_at(p + 2) : 0;
        return n == 4;
    case OPTION_REBIND:
        r->rebind_s = n == 4 ? be32_at(p + 2) : 0;
        return n == 4;
    default: // a number from the wire, not an enum
        return true;
    }
}

static bool options_take(const uint8_t *p, size_t n, struct dhcp_reply *r)
{
    while (n > 0 && p[0] != OPTION_END) {
        size_t bytes = 1;
        if (p[0] != OPTION_PAD) {
            if (n < 2 || p[1] + 2u > n || p[1] == 0 || !option_take(p, p[1], r))
                return false;
            bytes = p[1] + 2u;
        }
        p += bytes;
        n -= bytes;
    }
    return n > 0; // the end must be marked
}

static bool host_possible(uint32_t ip)
{
    return ip >> 24 != 0 && ip >> 24 != 127 && ip >> 28 < 0xe;
}

// RFC 2131, 4.4.5: T1 is half the lease and T2 seven eighths, unless told otherwise and sensible.
static void times_complete(struct dhcp_reply *r)
{
    if (r->lease_s == DHCP_LEASE_FOREVER)
        return;
    if (r->rebind_s == 0 || r->rebind_s >= r->lease_s)
        r->rebind_s = r->lease_s - r->lease_s / 8;
    if (r->renew_s == 0 || r->renew_s >= r->rebind_s)
        r->renew_s = MIN(r->lease_s / 2, r->rebind_s - 1);
}

// What an OFFER and an ACK must have (table 3).
static bool lease_whole(struct dhcp_reply *r)
{
    if (!host_possible(r->ip) || r->prefix == 0 || r->lease_s < LEASE_MIN_S)
        return false;
    uint32_t hosts = r->prefix == 32 ? 0 : UINT32_MAX >> r->prefix;
    bool edge = r->prefix < 31 && ((r->ip & hosts) == 0 || (r->ip & hosts) == hosts);
    if (edge || (r->gateway && !host_possible(r->gateway)))
        return false;
    times_complete(r);
    return true;
}

bool dhcp_parse(const uint8_t *bytes, size_t n, uint32_t xid, const uint8_t mac[6],
                struct dhcp_reply *r)
{
    const struct dhcp_wire *h = (const void *)bytes;
    *r = (struct dhcp_reply){0};
    if (n < sizeof(*h) || h->op != OP_REPLY || h->hardware != 1 || h->hardware_bytes != 6)
        return false;
    if (be32_get(h->xid) != xid || memcmp(h->mac, mac, 6) != 0 || be32_get(h->cookie) != COOKIE)
        return false;
    r->ip = be32_get(h->yours);
    if (!options_take(bytes + sizeof(*h), n - sizeof(*h), r) || !host_possible(r->server))
        return false;
    switch (r->type) {
    case DHCP_NAK:
        return true;
    case DHCP_OFFER:
    case DHCP_ACK:
        return lease_whole(r);
    case DHCP_DISCOVER:
    case DHCP_REQUEST:
        break;
    }
    return false;
}

static uint8_t *word_option(uint8_t *p, uint8_t option, uint32_t value)
{
    be32_t v = be32(value);
    p[0] = option;
    p[1] = sizeof(v);
    memcpy(p + 2, &v, sizeof(v));
    return p + 2 + sizeof(v);
}

static uint8_t *bytes_option(uint8_t *p, uint8_t option, const uint8_t *bytes, uint8_t n)
{
    p[0] = option;
    p[1] = n;
    memcpy(p + 2, bytes, n);
    return p + 2 + n;
}

void dhcp_write(const struct dhcp_ask *a, uint8_t bytes[DHCP_MESSAGE_BYTES])
{
    struct dhcp_wire h = {.op = OP_REQUEST, .hardware = 1, .hardware_bytes = 6};
    static const uint8_t list[] = {OPTION_MASK, OPTION_ROUTER, OPTION_LEASE, OPTION_RENEW,
                                   OPTION_REBIND};
    h.xid = be32(a->xid);
    h.secs = be16(a->secs);
    // Without an address we take broadcasts only (4.1).
    h.flags = be16(a->own ? 0 : FLAG_BROADCAST);
    h.client = be32(a->own);
    memcpy(h.mac, a->mac, 6);
    h.cookie = be32(COOKIE);
    memset(bytes, 0, DHCP_MESSAGE_BYTES);
    memcpy(bytes, &h, sizeof(h));
    uint8_t *p = bytes + sizeof(h);
    p = bytes_option(p, OPTION_TYPE, (const uint8_t[]){(uint8_t)a->type}, 1);
    p = bytes_option(p, OPTION_SIZE, (const uint8_t[]){MESSAGE_MAX >> 8, MESSAGE_MAX & 255}, 2);
    if (a->wanted)
        p = word_option(p, OPTION_WANTED, a->wanted);
    if (a->server)
        p = word_option(p, OPTION_SERVER, a->server);
    p = bytes_option(p, OPTION_LIST, list, sizeof(list));
    *p = OPTION_END;
}
