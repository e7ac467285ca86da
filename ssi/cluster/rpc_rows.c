// SPDX-License-Identifier: MIT
// messages.def as a table. Apart from rpc.c, so that a test brings its own.
#include "ssi/cluster/rpc_priv.h"

static const struct rpc_row rpc_rows[RPC_KINDS] = {
#define MESSAGE(number, name, class, blocks, handler) [number] = {#name, handler, class, blocks},
#include "ssi/cluster/messages.def"
#undef MESSAGE
};

const struct rpc_row *rpc_row(unsigned kind)
{
    return kind < RPC_KINDS && rpc_rows[kind].name != NULL ? &rpc_rows[kind] : NULL;
}
