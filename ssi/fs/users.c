// SPDX-License-Identifier: MIT
// What is said to an open file's home about its users.
#include "ssi/fs/handle.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/wire.h"

void users_release(node_id_t home, uint64_t handle, node_id_t node, uint32_t count)
{
    struct file_release m = {.handle = handle, .node = node, .count = count};
    wire_send(home, MSG_fs_release, &m, sizeof(m));
}

void users_claim(const struct file_ref *ref)
{
    struct file_share m = {.handle = ref->handle, .node = (uint16_t)ref->giver};
    wire_send(ref->home, MSG_fs_claim, &m, sizeof(m));
}
