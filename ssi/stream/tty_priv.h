// SPDX-License-Identifier: MIT
// What the files of ssi/stream share about the terminal.
#pragma once

#include "ssi/stream/stream.h"

const struct tty_signals *tty_signals_of_room(void); // NULL until they are set
