// SPDX-License-Identifier: MIT
// Byte streams that are not tree files: pipes, the terminal, the exec port's files.
#pragma once

#include "ssi/fs/file.h"

// A pipe's two ends. 0, -ENOMEM.
int pipe_new(uint32_t flags, struct file **read_end, struct file **write_end);

// The node's console as a terminal (termios, line discipline, job control). Every node has one.
struct tty;
struct tty *tty_console(void);
struct file *tty_open(struct tty *t, uint32_t flags);

// What the line discipline asks of the room above (ssi/process), set once.
struct tty_signals {
    void (*group)(int32_t pgrp, int signal); // SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP
    // May the caller (a process of this node; kernel threads may) use the console now, whose
    // foreground group is pgrp? 0; -EIO; -ERESTART: it was sent SIGTTIN/SIGTTOU.
    int (*background)(int32_t pgrp, bool reading);
    // Node whose console is the controlling terminal of that process, or -ENXIO. NULL: this one.
    int (*controlling)(int32_t pid);
};
void tty_signals_set(const struct tty_signals *s);

// Job control state, read and set by ioctls with the caller's ids passed in by ssi/linux.
int32_t tty_foreground(const struct tty *t);
void tty_set_foreground(struct tty *t, int32_t pgrp);
int32_t tty_session(const struct tty *t);
void tty_set_session(struct tty *t, int32_t sid);

// /dev entries other than the terminal: null zero full random urandom kmsg exec exec.data.
void devices_mount(void);
