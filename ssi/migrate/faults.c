// SPDX-License-Identifier: MIT
// Fault points of the hand-off: a side enters a state (its messages go after that; dropped, the
// other side asks when its patience ends), and each message.
#include "kernel/fault.h"
#include "ssi/migrate/handoff.h"

static void list_points(fault_tell_fn tell, void *arg)
{
    for (unsigned s = 0; s < HANDOFF_STATES; s++) {
        tell("handoff-source", handoff_state_word(s), arg);
        if (s != HANDOFF_FREEZE && s != HANDOFF_COMMIT) // the source's alone
            tell("handoff-target", handoff_state_word(s), arg);
    }
    for (unsigned k = 1; k < HANDOFF_LOCAL_FIRST; k++)
        if (handoff_kind_side(k) != HANDOFF_AT_NOBODY)
            tell("handoff", handoff_kind_name(k), arg);
}
FAULT_LIST(list_points);
