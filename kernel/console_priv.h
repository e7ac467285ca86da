// SPDX-License-Identifier: MIT
// The console's start, called by main.c only.
#pragma once

void console_start(void);  // output and the log
void console_listen(void); // input, when interrupts can be handled
