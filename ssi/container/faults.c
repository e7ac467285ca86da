// SPDX-License-Identifier: MIT
// Fault points of containers that are one for each word or state: what nodes say of a page, of a
// container and through the gate, and the commits of a page's home, of a holder and of the gate.
#include "kernel/fault.h"
#include "ssi/container/coherence.h"
#include "ssi/container/gate.h"
#include "ssi/container/wire.h"

static void list_points(fault_tell_fn tell, void *arg)
{
    for (unsigned k = 1; k < COH_LOCAL_FIRST; k++)
        if (coh_kind_receiver(k) != COH_TO_NOBODY)
            tell(coh_kind_receiver(k) == COH_TO_GATE ? "gate" : "coherence", coh_kind_name(k), arg);
    for (unsigned n = NOTE_ATTACHED; n <= NOTE_HOME; n++)
        tell("note", container_note_name(n), arg);
    for (unsigned s = 0; s < COH_HOME_STATES; s++)
        if (s != COH_HOME_REBUILDING) // where a successor's entries begin
            tell("page-home", coh_home_state_name(s), arg);
    for (unsigned s = 0; s < COH_HELDS; s++)
        tell("page-held", coh_held_name(s), arg);
    for (unsigned s = 0; s < COH_GATE_STATES; s++)
        tell("gate", coh_gate_state_name(s), arg);
}
FAULT_LIST(list_points);
