// SPDX-License-Identifier: MIT
// The paper's global scheduling manager (4.2.5), with its words: the first process that runs here
// goes to the node with the lowest load.
#include "sched/policy/components.h"

int cpu_scheduling_manager(void *arg)
{
    (void)arg;
    int32_t pid = find_a_kerrighed_process();
    node_id_t node_id = find_a_node_for_migration();
    do_process_migration(pid, node_id);
    return 0;
}
