// SPDX-License-Identifier: MIT
// The node's log: one line per call, room first. Levels above the console's are kept in the ring
// only. Where lines go is the environment's business (`log_sink`): UART, ring, stderr.
#pragma once

#include "lib/types.h"

enum log_level {
    LOG_ERROR, // something was lost or refused that somebody wanted
    LOG_WARN,  // odd, and the node goes on
    LOG_INFO,  // what an operator wants to read: joins, deaths, moves
    LOG_DEBUG, // what a developer wants to read
};

// Called with a whole line without line end; set once at start. May be called with any lock held.
extern void (*log_sink)(enum log_level level, const char *line);

void log_line(enum log_level level, const char *room, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(room, ...) log_line(LOG_ERROR, room, __VA_ARGS__)
#define log_warn(room, ...)  log_line(LOG_WARN, room, __VA_ARGS__)
#define log_info(room, ...)  log_line(LOG_INFO, room, __VA_ARGS__)
#define log_debug(room, ...) log_line(LOG_DEBUG, room, __VA_ARGS__)

// The trace: state changes of protocols. The sink is NULL while nobody keeps them. All strings are
// literals; `about` and `which` are numbers that tell what changed: a pid and an attempt, a
// container and a page.
extern void (*trace_sink)(const char *what, const char *from, const char *to, uint32_t about,
                          uint32_t which);

static inline void trace_state(const char *what, const char *from, const char *to, uint32_t about,
                               uint32_t which)
{
    if (trace_sink && from != to)
        trace_sink(what, from, to, about, which);
}
