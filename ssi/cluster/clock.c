// SPDX-License-Identifier: MIT
#include "ssi/cluster/clock.h"
#include "arch/x86/arch.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/clock_line.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster_priv.h"
#include "ssi/cluster/rpc.h"

enum {
    CLOCK_QUESTIONS = 5,
    CLOCK_EVERY_S = 10,
    CLOCK_AGAIN_MS = 200
};

struct clock_answer { // on the wire
    uint64_t cluster_ns;
    int64_t real_ns; // add it to the cluster's clock: nanoseconds since 1970
} PACKED;
STATIC_ASSERT(sizeof(struct clock_answer) == 16, "clock answer on the wire");

NODE_VAR(struct clock_line, clock_line); // cluster time over this node's
NODE_VAR(bool, clock_set);

uint64_t cluster_clock_ns(void)
{
    return clock_line_at(&node(clock_line), clock_now_ns());
}

uint64_t cluster_real_ns(void)
{
    return cluster_clock_ns() + node(clock_line).real_ns;
}

bool cluster_clock_is_set(void)
{
    return node(clock_set);
}

void cluster_on_clock(const struct rpc_in *in)
{
    struct clock_answer a = {.cluster_ns = cluster_clock_ns(),
                             .real_ns = (int64_t)node(clock_line).real_ns};
    if (node(clock_set))
        rpc_reply(in->from, in->request, 0, &a, sizeof(a));
    else
        rpc_reply(in->from, in->request, -EAGAIN, NULL, 0);
}

// The best of several questions: the offset is wrong by half its round trip at most.
static bool clock_ask(node_id_t keeper, int64_t *offset_ns, int64_t *real_ns)
{
    uint64_t least = UINT64_MAX;
    for (unsigned i = 0; i < CLOCK_QUESTIONS; i++) {
        struct clock_answer a;
        uint64_t asked = clock_now_ns();
        long n = rpc_call(keeper, MSG_cluster_clock, NULL, 0, &a, sizeof(a), 0);
        uint64_t trip = clock_now_ns() - asked;
        if (n != (long)sizeof(a) || trip >= least)
            continue;
        least = trip;
        *offset_ns = (int64_t)(a.cluster_ns - (asked + trip / 2));
        *real_ns = a.real_ns;
    }
    return least != UINT64_MAX;
}

static void clock_take(int64_t offset_ns, int64_t real_ns)
{
    uint64_t now = clock_now_ns();
    bool first = !node(clock_set);
    if (first) // the one step, before anything reads the clock
        node(clock_line) = (struct clock_line){
            .from_ns = now, .at_ns = now + (uint64_t)offset_ns, .real_ns = (uint64_t)real_ns};
    else
        clock_line_turn(&node(clock_line), now, offset_ns);
    arch_vdso_clock_set(&node(clock_line), cluster_self());
    node(clock_set) = true;
    if (first)
        cluster_clock_was_set();
}

static void clock_thread(void *arg)
{
    (void)arg;
    cluster_wait_epoch();
    for (;;) {
        node_id_t keeper = cluster_fs_home();
        int64_t offset = 0, real = 0;
        if (keeper == cluster_self()) {
            uint64_t now = clock_now_ns();
            clock_take((int64_t)(clock_line_at(&node(clock_line), now) - now),
                       (int64_t)(arch_clock_real_s() * NS_PER_S - now));
        } else if (clock_ask(keeper, &offset, &real)) {
            clock_take(offset, real);
        }
        uint64_t pause = node(clock_set) ? CLOCK_EVERY_S * NS_PER_S : CLOCK_AGAIN_MS * NS_PER_MS;
        (void)wait_for_ns(pause, 0);
    }
}

void cluster_clock_start(void)
{
    thread_create("clock", THREAD_URGENT, clock_thread, NULL);
}
