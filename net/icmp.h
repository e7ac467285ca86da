// SPDX-License-Identifier: MIT
// ICMP (RFC 792, 1122): answers echo requests, says when a UDP port is closed.
#pragma once

#include "net/ip.h"

void icmp_receive(const struct ip_packet *p);
void icmp_tell_sockets(const struct ip_packet *p); // sockets.c: one that is well formed
// Tells the sender of a UDP datagram that nobody listens; at most one per 10 ms. `p` is the
// datagram; the IPv4 header in front of its bytes is quoted.
void icmp_send_port_unreachable(const struct ip_packet *p);
