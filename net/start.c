// SPDX-License-Identifier: MIT
// The node's network at boot: drivers have registered at INIT_DEVICES; the address comes from the
// settings `ip=` and `gw=`, from a DHCP server with `dhcp=1`, or from `node=` as the lab numbers
// its nodes.
#include "net/stack.h"

#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "net/dhcp.h"
#include "net/net.h"

#define LAB_NET    0x0a4d0000u // 10.77.0.0/24
#define LAB_PREFIX 24u
#define LAB_FIRST  10u // node 0
#define LAB_NODES  200u

#define DHCP_PATIENCE_NS (30 * NS_PER_S)

static void address_set(void)
{
    uint32_t ip = 0, gateway = 0;
    unsigned prefix = 0;
    const char *text = setting("ip");
    if (text && !net_parse_cidr(text, &ip, &prefix)) {
        log_error("net", "ip=%s is not A.B.C.D/BITS: no address", text);
        return;
    }
    if (!text && setting("node")) {
        uint32_t id = setting_u32("node", 0);
        ip = id < LAB_NODES ? LAB_NET + LAB_FIRST + id : 0;
        prefix = LAB_PREFIX;
    }
    text = setting("gw");
    if (text && !net_parse_ip(text, &gateway))
        log_error("net", "gw=%s is not A.B.C.D: no gateway", text);
    if (ip == 0)
        return;
    net_ip_set(ip, prefix, gateway);
    char own[16];
    net_format_ip(ip, own);
    log_info("net", "address %s/%u", own, prefix);
}

// The cluster's link wants an address: the start waits for one, within reason.
NODE_VAR(struct wait_queue, address_there);

static void address_came(void)
{
    wait_wake_all(&node(address_there));
}

static void address_ask(void)
{
    uint64_t deadline_ns = clock_now_ns() + DHCP_PATIENCE_NS;
    wait_init(&node(address_there));
    int error = dhcp_start(address_came);
    while (error == 0 && net_ip() == 0)
        error = wait_sleep(&node(address_there), deadline_ns, 0);
    if (error)
        log_warn("net", "dhcp: no address: %s", errno_text(error));
}

static void net_start(void)
{
    net_stack_init();
    if (!net_stack_open())
        log_warn("net", "no network card: only loopback");
    if (setting_is("dhcp", "1"))
        address_ask();
    else
        address_set();
    if (setting_is("echo", "1") && net_services_start() != 0)
        log_error("net", "no memory for echo, discard and chargen");
}
INIT_STEP(INIT_NET, net_start);
