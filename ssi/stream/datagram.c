// SPDX-License-Identifier: MIT
// What sockets of datagrams have in common, whatever family they are of: UDP, raw ICMP, AF_UNIX.
#include "lib/errno.h"
#include "ssi/stream/socket_priv.h"

int datagram_receive(struct socket *s, struct socket_message *m)
{
    if (s->error)
        return socket_take_error(s);
    if (packet_first(s) == NULL)
        return -EAGAIN; // also of what is shut: only who would wait is told of the end
    return packet_deliver(s, m);
}

unsigned datagram_poll_in(const struct socket *s)
{
    unsigned now = s->error ? POLL_ERR : 0;
    if (packet_first(s) || (s->shut & SHUT_READ))
        now |= POLL_IN;
    if (s->shut & SHUT_READ)
        now |= POLL_RDHUP;
    if (s->shut == (SHUT_READ | SHUT_WRITE))
        now |= POLL_HUP;
    return now;
}

int datagram_shutdown(struct socket *s, unsigned how)
{
    s->shut |= how;
    socket_wake(s, WAKE_READ | WAKE_WRITE | WAKE_OWN);
    return 0;
}

uint32_t datagram_readable_bytes(const struct socket *s)
{
    const struct packet *p = packet_first(s);
    return p ? p->n : 0;
}

int datagram_listen(struct socket *s)
{
    (void)s;
    return -EOPNOTSUPP;
}
