// SPDX-License-Identifier: MIT
// Setting canary=1: free memory is filled, so that a test sees kernel bytes that reach a program.
#include "kernel/init.h"
#include "kernel/settings.h"
#include "mm/frame.h"

static void canary_start(void)
{
    if (setting_is("canary", "1"))
        frame_canary_start();
}
INIT_STEP(INIT_CORE, canary_start);
