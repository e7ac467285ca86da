// SPDX-License-Identifier: MIT
// What ip.c and stack.c see of TCP; users take net/tcp/tcp.h.
#pragma once

#include "net/ip.h"

void tcp_init(void);
void tcp_input(const struct ip_packet *p);
