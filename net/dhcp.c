// SPDX-License-Identifier: MIT
// The states are those of RFC 2131, figure 5, without INIT-REBOOT (nothing is remembered over a
// boot):
//
//   SELECTING --OFFER, REQUEST out--> REQUESTING --ACK--> BOUND --T1--> RENEWING --T2--> REBINDING
//       ^                                  | NAK, silence   ^             | ACK           | ACK
//       |<---------------------------------+                +-------------+---------------+
//       |<-------------- NAK, or the lease ends, from RENEWING and REBINDING
//
// One timer drives it: what it means follows from the state.
#include "net/dhcp.h"

#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "net/counters.h"
#include "net/dhcp_message.h"
#include "net/net.h"

#define FIRST_RETRY_S 4u // 4.1: 4 s, doubled up to 64 s, each a second less or more
#define LAST_RETRY_S  64u
#define ASK_AGAIN_MIN 60u // s, while a lease lasts (4.4.5)
#define REQUESTS_MAX  4u

enum dhcp_state {
    DHCP_STOPPED,
    DHCP_SELECTING,
    DHCP_REQUESTING,
    DHCP_BOUND,
    DHCP_RENEWING,
    DHCP_REBINDING,
};

struct client {
    enum dhcp_state state; // written by state_set only
    struct udp_port *port;
    struct timer timer;
    void (*bound)(void);
    uint8_t mac[6];
    uint32_t xid;
    unsigned tries;
    uint64_t began_ns;       // of this attempt: the field `secs`
    uint64_t asked_ns;       // the lease counts from its request (4.4.1)
    uint64_t bound_ns;       // when the request of the present lease went out
    struct dhcp_reply lease; // offered, then held
};

NODE_VAR(struct client, client);

static const char *const names[] = {"stopped", "selecting", "requesting",
                                    "bound",   "renewing",  "rebinding"};

const char *dhcp_state_text(void)
{
    return names[node(client).state];
}

static bool state_may_follow(enum dhcp_state from, enum dhcp_state to)
{
    switch (to) {
    case DHCP_STOPPED:
    case DHCP_SELECTING:
        return true;
    case DHCP_REQUESTING:
        return from == DHCP_SELECTING;
    case DHCP_BOUND:
        return from == DHCP_REQUESTING || from == DHCP_RENEWING || from == DHCP_REBINDING;
    case DHCP_RENEWING:
        return from == DHCP_BOUND;
    case DHCP_REBINDING:
        return from == DHCP_RENEWING;
    }
    return false;
}

static void state_set(struct client *c, enum dhcp_state to)
{
    ASSERT(state_may_follow(c->state, to));
    log_debug("dhcp", "%s -> %s", names[c->state], names[to]);
    c->state = to;
    c->tries = 0;
}

static uint64_t lease_end_ns(const struct client *c, uint32_t s)
{
    return c->bound_ns + s * NS_PER_S;
}

// By state: DISCOVER, REQUEST of what was offered, or REQUEST of what we have (table 5).
static void ask(struct client *c)
{
    struct dhcp_ask a = {.type = DHCP_REQUEST, .xid = c->xid};
    struct net_address to = {NET_BROADCAST, DHCP_SERVER_PORT};
    switch (c->state) {
    case DHCP_SELECTING:
        a.type = DHCP_DISCOVER;
        break;
    case DHCP_REQUESTING:
        a.wanted = c->lease.ip;
        a.server = c->lease.server;
        break;
    case DHCP_RENEWING:
        to.ip = c->lease.server;
        a.own = c->lease.ip;
        break;
    case DHCP_REBINDING:
        a.own = c->lease.ip;
        break;
    case DHCP_STOPPED:
    case DHCP_BOUND:
        return;
    }
    uint8_t bytes[DHCP_MESSAGE_BYTES];
    memcpy(a.mac, c->mac, 6);
    a.secs = (uint16_t)MIN((clock_now_ns() - c->began_ns) / NS_PER_S, 0xffffu);
    c->asked_ns = clock_now_ns();
    c->tries++;
    dhcp_write(&a, bytes);
    (void)udp_send(c->port, to, bytes, sizeof(bytes)); // lost: asked again
}

static void ask_and_wait(struct client *c)
{
    uint32_t s = c->tries < 4 ? FIRST_RETRY_S << c->tries : LAST_RETRY_S;
    ask(c);
    timer_set(&c->timer, clock_now_ns() + (s - 1) * NS_PER_S + random_u32() % (2 * NS_PER_S));
}

// 4.4.5: half of the time that is left, not less than a minute.
static void renew_and_wait(struct client *c, uint32_t until_s)
{
    uint64_t end = lease_end_ns(c, until_s), now = clock_now_ns();
    uint64_t left_s = end > now ? (end - now) / NS_PER_S : 0;
    ask(c);
    timer_set(&c->timer, MIN(now + MAX(left_s / 2, (uint64_t)ASK_AGAIN_MIN) * NS_PER_S, end));
}

static void begin(struct client *c)
{
    state_set(c, DHCP_SELECTING);
    c->xid = random_u32();
    c->began_ns = clock_now_ns();
    ask_and_wait(c);
}

static void lease_lost(struct client *c, const char *why)
{
    log_warn("dhcp", "%s: the address is given back", why);
    net_ip_set(0, 0, 0);
    begin(c);
}

static void timer_fires(void *arg)
{
    struct client *c = arg;
    switch (c->state) {
    case DHCP_STOPPED:
        break;
    case DHCP_SELECTING:
        ask_and_wait(c);
        break;
    case DHCP_REQUESTING:
        if (c->tries >= REQUESTS_MAX)
            begin(c);
        else
            ask_and_wait(c);
        break;
    case DHCP_BOUND:
        state_set(c, DHCP_RENEWING);
        c->xid = random_u32();
        c->began_ns = clock_now_ns();
        renew_and_wait(c, c->lease.rebind_s);
        break;
    case DHCP_RENEWING:
        if (clock_now_ns() >= lease_end_ns(c, c->lease.rebind_s)) {
            state_set(c, DHCP_REBINDING);
            renew_and_wait(c, c->lease.lease_s);
        } else {
            renew_and_wait(c, c->lease.rebind_s);
        }
        break;
    case DHCP_REBINDING:
        if (clock_now_ns() >= lease_end_ns(c, c->lease.lease_s))
            lease_lost(c, "the lease ended");
        else
            renew_and_wait(c, c->lease.lease_s);
        break;
    }
}

static void bind(struct client *c, const struct dhcp_reply *r)
{
    bool same = c->state != DHCP_REQUESTING && r->ip == net_ip() && r->prefix == net_prefix();
    char own[16], server[16];
    c->lease = *r;
    c->bound_ns = c->asked_ns;
    state_set(c, DHCP_BOUND);
    if (!same) {
        net_ip_set(r->ip, r->prefix, r->gateway);
        net_format_ip(r->ip, own);
        net_format_ip(r->server, server);
        log_info("dhcp", "address %s/%u from %s for %u s", own, r->prefix, server, r->lease_s);
    }
    if (r->lease_s == DHCP_LEASE_FOREVER)
        timer_cancel(&c->timer);
    else
        timer_set(&c->timer, lease_end_ns(c, r->renew_s));
    c->bound();
}

static void request(struct client *c, const struct dhcp_reply *offer)
{
    c->lease = *offer;
    state_set(c, DHCP_REQUESTING);
    ask_and_wait(c);
}

// Refused: after a while from the start, so that a confused server is not asked without end.
static void select_again(struct client *c)
{
    state_set(c, DHCP_SELECTING);
    timer_set(&c->timer, clock_now_ns() + FIRST_RETRY_S * NS_PER_S);
}

static void answer(struct client *c, const struct dhcp_reply *r)
{
    bool ours = r->server == c->lease.server || c->state == DHCP_REBINDING;
    switch (c->state) {
    case DHCP_SELECTING:
        if (r->type == DHCP_OFFER)
            request(c, r); // the first one is good enough
        return;
    case DHCP_REQUESTING:
    case DHCP_RENEWING:
    case DHCP_REBINDING:
        if (r->type == DHCP_ACK && ours && r->ip == c->lease.ip)
            bind(c, r);
        else if (r->type == DHCP_NAK && ours && c->state == DHCP_REQUESTING)
            select_again(c);
        else if (r->type == DHCP_NAK && ours)
            lease_lost(c, "the server refuses");
        return;
    case DHCP_STOPPED:
    case DHCP_BOUND:
        return;
    }
}

static void receive(void *arg, struct net_address from, const void *bytes, size_t n)
{
    struct client *c = arg;
    struct dhcp_reply r;
    if (from.port != DHCP_SERVER_PORT || !dhcp_parse(bytes, n, c->xid, c->mac, &r)) {
        net_counter_add(COUNT_dhcp_refused);
        return;
    }
    answer(c, &r);
}

int dhcp_start(void (*bound)(void))
{
    struct client *c = &node(client);
    c->bound = bound;
    timer_init(&c->timer, timer_fires, c);
    if (!net_mac(c->mac))
        return -ENETDOWN;
    c->port = udp_open(DHCP_CLIENT_PORT, receive, c);
    if (!c->port)
        return -EADDRINUSE;
    begin(c);
    return 0;
}

void dhcp_stop(void)
{
    struct client *c = &node(client);
    if (c->state == DHCP_STOPPED)
        return;
    state_set(c, DHCP_STOPPED);
    timer_cancel(&c->timer);
    udp_close(c->port);
}
