// SPDX-License-Identifier: MIT
// The CPU probe: 100 x mean number of threads running or ready over the last period / CPUs. Plain
// usage saturates at 100: with it 3+1 and 2+2 processes on two nodes would look alike.
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "sched/policy/components.h"

enum {
    INTEGRAL_NS,
    STAMP_NS
};

int cpu_probe(void *arg)
{
    uint64_t *memory = COMPONENT_ARG->memory;
    uint64_t integral = thread_ready_integral(), now = clock_now_ns();
    uint64_t since =
        memory[STAMP_NS] ? memory[STAMP_NS] : now - COMPONENT_ARG->period_ms * NS_PER_MS;
    uint64_t sum = integral - memory[INTEGRAL_NS];
    bool first = memory[STAMP_NS] == 0;
    memory[INTEGRAL_NS] = integral;
    memory[STAMP_NS] = now;
    if (first) // no period behind us yet: the count of now is the best there is
        sum = thread_ready_count() * (now - since);
    if (now > since)
        probe_publish(arg, (weight_t)(100 * sum / (now - since) / arch_cpu_count()));
    return 0;
}
