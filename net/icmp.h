// SPDX-License-Identifier: MIT
// ICMP (RFC 792, 1122): answers echo requests, says what became of packets.
#pragma once

#include "net/ip.h"

void icmp_receive(const struct ip_packet *p);
void icmp_tell_sockets(const struct ip_packet *p); // sockets.c: one that is well formed
// Tells the sender of a packet what became of it, quoting its IPv4 header and the first bytes
// behind it; at most one error per 10 ms, and none about a broadcast or an ICMP error.
void icmp_send_error(uint8_t type, uint8_t code, const struct ip_packet *p);
