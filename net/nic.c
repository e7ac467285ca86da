// SPDX-License-Identifier: MIT
#include "net/nic.h"

#include "lib/assert.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "net/counters.h"
#include "net/eth.h"
#include "net/tcp/input.h"
#include "net/wire.h"

NODE_VAR(struct nic *, first);

void nic_register(struct nic *nic)
{
    ASSERT(nic->mtu <= ETH_PAYLOAD_MAX);
    const uint8_t *m = nic->mac;
    log_info("net", "%s: %02x:%02x:%02x:%02x:%02x:%02x%s", nic->name, m[0], m[1], m[2], m[3], m[4],
             m[5], node(first) ? " (not used: another one was first)" : "");
    if (!node(first))
        node(first) = nic;
}

struct nic *nic_first(void)
{
    return node(first);
}

void nic_receive(struct nic *nic, const uint8_t *frame, size_t n)
{
    net_counter_add(COUNT_frames_in);
    net_counter_more(COUNT_bytes_in, n);
    eth_receive(nic, frame, n);
}

void nic_batch_begin(void)
{
    tcp_batch_begin();
}

void nic_batch_end(void)
{
    tcp_batch_end();
}
