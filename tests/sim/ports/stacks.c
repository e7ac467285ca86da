// SPDX-License-Identifier: MIT
#include "tests/sim/ports/stacks.h"

#include "lib/assert.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/arp.h"
#include "net/stack.h"
#include "net/tcp/tcp_priv.h"
#include "tests/sim/ports/ports.h"

void sim_stacks_start(struct sim_stacks *s, unsigned count, uint64_t seed)
{
    memset(s, 0, sizeof(*s));
    sim_seed(seed);
    sim_clock_reset();
    sim_wire_init(&s->wire);
    for (s->count = 0; s->count < count; s->count++) {
        s->node[s->count] = sim_node_new();
        sim_wire_attach(&s->wire, s->count);
        net_stack_init();
        ASSERT(net_stack_open());
        net_ip_set(STACK_IP(s->count), 24, 0);
    }
    sim_run_for(10 * NS_PER_MS);
}

static const char *left_over(void)
{
    arp_flush();
    if (tcp_conn_count())
        return "a TCP connection";
    if (buf_in_use())
        return "a packet buffer";
    if (sim_timers_set())
        return "a timer";
    buf_exit();
    if (frame_free_count() != frame_total_count())
        return "a frame";
    if (heap_bytes_used())
        return "heap memory";
    port_frames_forget();
    return NULL;
}

const char *sim_stacks_stop(struct sim_stacks *s)
{
    const char *left = NULL;
    sim_wire_free(&s->wire);
    for (unsigned i = 0; i < s->count && !left; i++) {
        sim_stacks_enter(s, i);
        left = left_over();
    }
    for (unsigned i = 0; i < s->count; i++)
        sim_node_free(s->node[i]);
    return left;
}
