// SPDX-License-Identifier: MIT
#include "net/stack.h"

#include "net/arp.h"
#include "net/ip.h"
#include "net/nic.h"
#include "net/tcp/input.h"
#include "net/udp.h"

void net_stack_init(void)
{
    buf_init();
    arp_init();
    ip_init();
    udp_init();
    tcp_init();
}

bool net_stack_open(void)
{
    struct nic *nic = nic_first();
    return nic && nic->ops->open(nic);
}
