// SPDX-License-Identifier: MIT
// Byte streams that are not tree files: pipes, the terminal, the exec port's files.
#pragma once

#include "ssi/fs/file.h"

// A pipe's two ends; flags O_NONBLOCK and, for packets, O_DIRECT. 0, -ENOMEM.
int pipe_new(uint32_t flags, struct file **read_end, struct file **write_end);

// Terminals of this node: its console, and ptys (pty.h). One has a number for /proc and for job
// control: TTY_CONSOLE, or 1 + the number of its pty.
#define TTY_CONSOLE 0u
struct tty;
struct tty *tty_console(void);
struct tty *tty_find(uint32_t number);                // NULL: there is none (any more)
struct file *tty_open(struct tty *t, uint32_t flags); // the console's
// Its device number: major << 8 as i386 has it.
uint32_t tty_device_number(uint32_t number);

// What the line discipline asks of the room above (ssi/process), set once. None sleeps.
struct tty_signals {
    void (*group)(int32_t pgrp, int signal); // SIGINT, SIGQUIT, SIGTSTP, SIGWINCH
    // May the caller (a process of this node; kernel threads may) use this terminal now, whose
    // foreground group is pgrp? 0; -EIO; -ERESTART: it was sent SIGTTIN/SIGTTOU.
    int (*background)(uint32_t number, int32_t pgrp, bool reading);
    // Node and number of the controlling terminal of that process, or -ENXIO. NULL: the console.
    int (*controlling)(int32_t pid, uint32_t *number);
    // Its line is down: the session's leader hears SIGHUP, nobody of it has a terminal.
    void (*hung_up)(uint32_t number, int32_t session, int32_t foreground);
};
void tty_signals_set(const struct tty_signals *s);

// Job control state, read and set by ioctls with the caller's ids passed in by ssi/linux.
int32_t tty_foreground(const struct tty *t);
void tty_set_foreground(struct tty *t, int32_t pgrp);
int32_t tty_session(const struct tty *t);
void tty_set_session(struct tty *t, int32_t sid);

// /dev entries other than the terminal: null zero full random urandom kmsg ptmx pts exec exec.data.
void devices_mount(void);
