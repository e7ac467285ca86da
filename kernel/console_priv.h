// SPDX-License-Identifier: MIT
// The console's start, called by main.c only.
#pragma once

void console_start(void);     // output and the log
void console_set_quiet(void); // from now on only errors of the log: the console is a program's
