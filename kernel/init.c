// SPDX-License-Identifier: MIT
#include "kernel/init.h"
#include "lib/log.h"

void init_run_all(void)
{
    for (unsigned level = 0; level < INIT_LEVELS; level++) {
        SET_FOREACH (init, const struct init_step, s) {
            if ((*s)->level != level)
                continue;
            log_debug("init", "%u %s", level, (*s)->name);
            (*s)->run();
        }
    }
}
