// SPDX-License-Identifier: MIT
// SIGIO and F_SETSIG's signal: from an open file's news to its owner (fcntl(2)).
#pragma once

#include "ssi/fs/owner.h"
#include "ssi/process/process.h"

// One of a file's news, in the words of poll(2): si_code 1 to 6, and SI_SIGIO of a signal whose
// codes mean something else. pid and uid of such a signal_info are si_band and si_fd.
bool owner_info_is(const struct signal_info *info);

// remote_signal.c: here at once, elsewhere by a worker, in order. Never sleeps.
void owner_signal_soon(const struct file_owner_facts *to, const struct signal_info *info);
