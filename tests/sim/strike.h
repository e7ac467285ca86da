// SPDX-License-Identifier: MIT
// One strike at a fault point: the k-th time that any node comes to a point drawn from the seed,
// the node itself, the one it speaks to, or a third one dies, loses what it sends next, or stands
// still. Options: point=ROOM:STATE, victim=0..2 (source, target, third), action=0..2 (die, drop,
// stall), nth=K.
#pragma once

#include "lib/types.h"

// Draws the strike among the points of `rooms` (comma-separated prefixes of room names) and arms
// it. `dies` is called before a node is killed.
void strike_arm(const char *rooms, void (*dies)(unsigned victim));
void strike_disarm(void);

// Around all runs: which points were reached and struck, kept in memory that the runs share.
void strikes_begin(void);
void strikes_print(void);      // the points' names
void strikes_report(bool all); // a line of sums; all: a line for each point too
