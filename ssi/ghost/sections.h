// SPDX-License-Identifier: MIT
// The functions that sections.def names; private to this folder.
#pragma once

#include "ssi/ghost/ghost.h"

#define SECTION(id, name, version, required, undo_write, undo_read)                                \
    int name##_write(struct ghost_job *job, struct ghost *g);                                      \
    int name##_read(struct ghost_job *job, struct ghost *g);
#include "ssi/ghost/sections.def"
#undef SECTION

// Pending signals of a process or a thread.
int signal_set_write(const struct signal_set *s, struct ghost *g);
int signal_set_read(struct process *p, struct signal_set *s, struct ghost *g);
void files_undo_write(struct ghost_job *job);
void files_undo_read(struct ghost_job *job);
