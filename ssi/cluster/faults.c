// SPDX-License-Identifier: MIT
// Fault points of the cluster's room that are one for each message: a request or notice as it goes
// out, the reply to it, and membership's own words.
#include "kernel/fault.h"
#include "lib/string.h"
#include "ssi/cluster/rpc_priv.h"

// Nobody answers these.
static bool is_one_way(unsigned kind)
{
    static const uint8_t kinds[] = {
        MSG_cluster_load,    MSG_container_pages,    MSG_container_note,  MSG_container_gate,
        MSG_container_adopt, MSG_container_reported, MSG_container_lodge, MSG_container_lodged,
        MSG_fs_ready,        MSG_fs_release,         MSG_fs_unlock,       MSG_process_reap,
        MSG_process_gone,    MSG_process_lost,       MSG_process_census,  MSG_move,
        MSG_sched_value,
    };
    return memchr(kinds, (int)kind, sizeof(kinds)) != NULL;
}

static void list_points(fault_tell_fn tell, void *arg)
{
#define MB_MESSAGE(number, name) tell("membership", #name, arg);
#include "ssi/cluster/membership.def"
    for (unsigned kind = 0; kind < RPC_KINDS; kind++) {
        const struct rpc_row *row = rpc_row(kind);
        if (row == NULL)
            continue;
        tell(row->name, "send", arg);
        if (!is_one_way(kind))
            tell(row->name, "reply", arg);
    }
}
FAULT_LIST(list_points);
