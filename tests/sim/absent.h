// SPDX-License-Identifier: MIT
// Included before rpc_rows.c: handlers of rooms that are not in the simulator are absent.
#pragma once

#include "ssi/cluster/rpc.h"

#define MESSAGE(number, name, class, blocks, handler)                                              \
    extern __typeof__(handler) handler __attribute__((weak));
#include "ssi/cluster/messages.def"
#undef MESSAGE
