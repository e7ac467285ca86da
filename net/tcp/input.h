// SPDX-License-Identifier: MIT
// What ip.c and stack.c see of TCP; users take net/tcp/tcp.h.
#pragma once

#include "net/ip.h"

void tcp_init(void);
// More frames may follow at once: an ACK that is due waits for the end of the batch, so that many
// segments get one. Without a batch each is answered when it has been worked on.
void tcp_batch_begin(void);
void tcp_batch_end(void);
void tcp_input(const struct ip_packet *p);
// Is the byte with that number sent and not acknowledged? What an ICMP error quotes has to be
// (RFC 5927, 4.1).
bool tcp_in_flight(struct net_address local, struct net_address peer, uint32_t seq);
void tcp_path_narrows(struct net_address local, struct net_address peer); // route_narrow was told
