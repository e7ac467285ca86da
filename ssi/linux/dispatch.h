// SPDX-License-Identifier: MIT
// What the dispatcher shares with the rest of the room and with procfs.
#pragma once

#include "lib/fmt.h"
#include "ssi/linux/linux.h"

const char *linux_call_name(uint32_t number); // "?" for a number without a name
void linux_unknown_show(struct text *t);      // /proc/cluster/enosys: name number program count

// A sleep that ends with EINTR tells how much was left (nanosleep, clock_nanosleep): no-op for
// every other call. May sleep.
void linux_time_left_out(const struct call *c);
