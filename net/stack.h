// SPDX-License-Identifier: MIT
// Brings the stack to life: every room's start, in order. The kernel does it in start.c, tests and
// the simulator once per node.
#pragma once

#include "lib/types.h"

void net_stack_init(void); // before a NIC may receive
// Opens the first NIC; false: there is none, or it does not work.
bool net_stack_open(void) MUST_CHECK;
// TCP echo (RFC 862), discard (863) and character generator (864); 0 or -ENOMEM.
int net_services_start(void) MUST_CHECK;
