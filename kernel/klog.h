// SPDX-License-Identifier: MIT
// The node's log: its last lines in a ring, for syslog(2), /dev/kmsg and panics, and on the
// console. A line of the ring is "<PRIORITY>[SECONDS.MICROSECONDS] TEXT\n". Callers hold the kernel
// lock; none of these sleeps.
#pragma once

#include "kernel/wait.h"

enum { // levels of syslog(3): the lower three bits of a priority, above them the facility
    KLOG_ERROR = 3,
    KLOG_WARN = 4,
    KLOG_INFO = 6,
    KLOG_DEBUG = 7,
    KLOG_LEVEL = 7,
};

#define KLOG_RING_BYTES 16384u

// From now on lines of log_line() come here, and those below `console_level` go to the console too.
void klog_start(uint32_t console_level);
uint32_t klog_console_level(void);
void klog_set_console_level(uint32_t level); // 1 to 8

// One line, `n` bytes without a line end.
void klog_add(uint32_t priority, const char *text, size_t n);

// Bytes of the log have numbers, from 0 at the start of the node.
uint64_t klog_end(void);               // the number of the next byte
uint64_t klog_line_from(uint64_t at);  // the first line that begins at `at` or later, and is kept
struct wait_queue *klog_readers(void); // woken when there is a new line
// Copies bytes from number *from on (or the oldest kept), advances it; 0 at the end.
size_t klog_read(uint64_t *from, char *to, size_t size);
