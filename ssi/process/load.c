// SPDX-License-Identifier: MIT
#include "ssi/process/load.h"
#include "kernel/init.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/node_var.h"

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

static void load_init(void)
{
    timer_init(&node(sample_timer), sample, NULL);
    timer_set(&node(sample_timer), clock_now_ns() + LOAD_PERIOD_NS);
}
INIT_STEP(INIT_PROCESS, load_init);

uint32_t load_average(unsigned which)
{
    return node(averages)[which];
}
