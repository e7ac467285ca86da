// SPDX-License-Identifier: MIT
#include "net/tcp/tcp_priv.h"

#include "lib/assert.h"
#include "lib/log.h"

static const char *const names[TCP_STATES] = {
#define TCP_STATE(name) [TCP_##name] = #name,
#define TCP_MOVE(from, to)
#include "net/tcp/states.def"
#undef TCP_STATE
#undef TCP_MOVE
};

static const struct {
    uint8_t from, to;
} moves[] = {
#define TCP_STATE(name)
#define TCP_MOVE(from, to) {TCP_##from, TCP_##to},
#include "net/tcp/states.def"
#undef TCP_STATE
#undef TCP_MOVE
};

const char *tcp_state_name(enum tcp_state s)
{
    return s < TCP_STATES ? names[s] : "?";
}

bool tcp_state_may_follow(enum tcp_state from, enum tcp_state to)
{
    for (unsigned i = 0; i < ARRAY_SIZE(moves); i++)
        if (moves[i].from == from && moves[i].to == to)
            return true;
    return false;
}

void tcp_state_set(struct tcp_conn *c, enum tcp_state to)
{
    ASSERT(tcp_state_may_follow(c->state, to));
    log_debug("tcp", "%u:%u %s -> %s", c->local.port, c->peer.port, names[c->state], names[to]);
    c->state = to;
    switch (to) {
    case TCP_CLOSED:
    case TCP_LISTEN:
    case TCP_SYN_SENT:
    case TCP_SYN_RECEIVED:
    case TCP_ESTABLISHED:
    case TCP_FIN_WAIT_1:
    case TCP_CLOSE_WAIT:
    case TCP_CLOSING:
    case TCP_LAST_ACK:
        break;
    case TCP_FIN_WAIT_2:
        if (c->released) // nobody is left to read: the peer gets a while to say FIN
            tcp_fin_wait_2_start(c);
        break;
    case TCP_TIME_WAIT:
        tcp_end_timer_start(c, 2 * TCP_MSL_NS);
        break;
    }
}

bool tcp_state_sends(enum tcp_state s)
{
    return s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT || s == TCP_FIN_WAIT_1 || s == TCP_CLOSING ||
           s == TCP_LAST_ACK;
}

bool tcp_state_receives(enum tcp_state s)
{
    return s == TCP_ESTABLISHED || s == TCP_FIN_WAIT_1 || s == TCP_FIN_WAIT_2;
}
