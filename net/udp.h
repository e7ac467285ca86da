// SPDX-License-Identifier: MIT
// The lower side of UDP; users take net/net.h.
#pragma once

#include "net/ip.h"

void udp_init(void);
void udp_receive(const struct ip_packet *p);
