// SPDX-License-Identifier: MIT
#include "ssi/process/load.h"
#include "kernel/init.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/node_var.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/process.h"

#define LOAD_PERIOD_NS (5 * NS_PER_S)

// exp(-5 s / 1, 5, 15 min) in fixed point
static const uint32_t decay[3] = {1884, 2014, 2037};

NODE_VAR(uint32_t, averages[3]);
NODE_VAR(struct timer, sample_timer);

static void sample(void *arg)
{
    (void)arg;
    uint32_t now = thread_ready_count() << LOAD_SHIFT;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t sum = (uint64_t)node(averages)[i] * decay[i] +
                       (uint64_t)now * ((1u << LOAD_SHIFT) - decay[i]);
        node(averages)[i] = (uint32_t)(sum >> LOAD_SHIFT);
    }
    timer_set(&node(sample_timer), clock_now_ns() + LOAD_PERIOD_NS);
}

// What other nodes hear each second: the mean since the last telling.
NODE_VAR(uint64_t, told_integral_ns);
NODE_VAR(uint64_t, told_at_ns);
NODE_VAR(uint32_t, told_load);

static void load_fill(struct cluster_load *l)
{
    uint64_t now = clock_now_ns(), integral = thread_ready_integral();
    uint64_t past = now - node(told_at_ns);
    if (past >= NS_PER_S / 2) {
        uint64_t threads100 = (integral - node(told_integral_ns)) * 100 / past;
        node(told_load) = (uint32_t)(threads100 / arch_cpu_count());
        node(told_integral_ns) = integral;
        node(told_at_ns) = now;
    }
    l->load = node(told_load);
    l->processes = process_count();
}

static void load_init(void)
{
    cluster_on_load_fill(load_fill);
    timer_init(&node(sample_timer), sample, NULL);
    timer_set(&node(sample_timer), clock_now_ns() + LOAD_PERIOD_NS);
}
INIT_STEP(INIT_PROCESS, load_init);

uint32_t load_average(unsigned which)
{
    return node(averages)[which];
}
