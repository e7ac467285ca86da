// SPDX-License-Identifier: MIT
// The vDSO in a process (vdso(7)): a page of this node's data and a page of code, at the same
// places in all programs. They lie in a container that every node has as its own, so a process
// that moves has those of the node where it is.
#pragma once

#include "mm/space.h"

int vdso_map(struct space *s); // 0, -ENOMEM
