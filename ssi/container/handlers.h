// SPDX-License-Identifier: MIT
// Handlers of this room's messages: rows of ssi/cluster/messages.def. Only clone sleeps.
#pragma once

#include "ssi/cluster/rpc.h"

void container_on_pages(const struct rpc_in *in);    // wire.c
void container_on_note(const struct rpc_in *in);     // link.c
void container_on_gate(const struct rpc_in *in);     // homes.c
void container_on_clone(const struct rpc_in *in);    // fork.c
void container_on_adopt(const struct rpc_in *in);    // epoch.c
void container_on_reported(const struct rpc_in *in); // epoch.c
