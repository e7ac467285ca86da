// SPDX-License-Identifier: MIT
// What the files of the `weft` command share. It knows only the user ABI: /proc and system calls.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// "weft: text" on stderr; returns 1, the status of a failed verb.
int weft_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A whole file of /proc into `to`, always ended with NUL; false and errno when it cannot be read.
// The path is printf-like, below /proc (or $WEFT_PROC, for tests).
bool proc_read(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Writes the words in one write(2); false and errno when that fails.
bool proc_write(const char *words, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A process as /proc shows it.
struct proc {
    int pid;
    int ppid;
    int node; // -1: unknown
    char state;
    unsigned long ticks; // user and system time, 1/100 s
    unsigned long rss_kib;
    char name[64];
};

// All processes of the cluster in order of pid; the caller frees. NULL and errno on failure.
struct proc *proc_list(size_t *count);

// A line of /proc/cluster/nodes, cut into its words; points into `text` that was read.
#define NODE_WORDS 8
extern const char *const node_columns[NODE_WORDS];
struct node_line {
    char *word[NODE_WORDS];
};
size_t node_lines(char *text, struct node_line *lines, size_t max);

void print_json_text(const char *text); // with its quotes

int verb_nodes(bool json);
int verb_ps(bool json);
int verb_top(bool once);
