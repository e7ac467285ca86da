// SPDX-License-Identifier: MIT
// The paper's local analyzer (4.2.5), with its words: above 80 the node is too busy.
#include "sched/policy/components.h"

int cpu_local_analyzer(void *arg)
{
    if (PROBE_WEIGHT > 80)
        send_scheduling_request(ANALYZER_ID);
    return 0;
}
