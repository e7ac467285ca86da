// SPDX-License-Identifier: MIT
// What the cluster's thread asks of rpc, and the table of messages.
#pragma once

#include "ssi/cluster/link.h"
#include "ssi/cluster/rpc.h"

struct rpc_row {
    const char *name; // NULL: no such message
    rpc_handler_fn handler;
    enum rpc_class class;
    bool blocks;
};

#define RPC_KINDS 256
const struct rpc_row *rpc_row(unsigned kind); // NULL: no such message

// `wake` is called when rpc_run_local has something to do.
void rpc_init(void (*wake)(void));
// A message of a member; runs its handler or hands it to a worker. Cluster's thread.
void rpc_receive(const struct link_message *m);
// Messages of this node to itself whose handlers do not block. Cluster's thread.
void rpc_run_local(void);
// All that arrived has at least begun, as far as workers can be had.
bool rpc_drained(void);
// After the install: waiters of the gone end, what they had asked and is not begun is dropped.
void rpc_on_epoch(void);
