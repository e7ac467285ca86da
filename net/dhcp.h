// SPDX-License-Identifier: MIT
// DHCP client (RFC 2131) of the interface, for the setting dhcp=1: sets the address, keeps its
// lease, and takes the address away when the lease ends unrenewed.
#pragma once

#include "lib/types.h"

// 0, -ENETDOWN (no NIC) or -EADDRINUSE (port 68). `bound` is told of each lease; neither sleeps.
int dhcp_start(void (*bound)(void)) MUST_CHECK;
void dhcp_stop(void); // the address stays; for the simulator's nodes
const char *dhcp_state_text(void);
