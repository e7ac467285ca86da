// SPDX-License-Identifier: MIT
// PID 1 is the cluster's: each node serves it with a kernel thread that keeps a shell on the
// node's console, and takes in whoever has lost its parent.
#include "kernel/console.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/priv.h"
#include "ssi/stream/stream.h"

#define ROOT_INODE 1 // of mount 0: the top of the tree
#define SHELL      "/bin/sh"
#define RETRY_NS   NS_PER_S

// argv, then the environment.
static const char shell_strings[] = "-sh\0"
                                    "PATH=/bin:/sbin:/usr/bin:/usr/sbin\0"
                                    "HOME=/root\0"
                                    "TERM=vt100\0"
                                    "USER=root\0"
                                    "LOGNAME=root\0"
                                    "SHELL=/bin/sh\0"
                                    "PS1=\\[\\e]weft;$?\\a\\]\\w \\$ ";
#define SHELL_ARGC 1u
#define SHELL_ENVC 7u

NODE_VAR(int32_t, shell_pid);
NODE_VAR(int, shell_status);
NODE_VAR(bool, shell_ended);
NODE_VAR(struct wait_queue, shell_wait);

// A child of PID 1 ended: it is reaped at once.
bool init_child_ended(int32_t pid, int status)
{
    if (pid == node(shell_pid)) {
        node(shell_status) = status;
        node(shell_ended) = true;
        wait_wake_all(&node(shell_wait));
    }
    return true;
}

int kill_init(const struct process *from)
{
    return from->cred.euid ? -EPERM : 0; // it ignores all signals
}

// ---- the shell's process
// -------------------------------------------------------------------------
static int open_console(struct process *p)
{
    struct tty *t = tty_console();
    struct file *f = tty_open(t, O_RDWR);
    if (!f)
        return -ENOMEM;
    for (int fd = 0; fd < 3; fd++) {
        file_get(f);
        int e = fd_install(p->files, f, 0, false);
        if (e < 0) {
            file_put(f);
            file_put(f);
            return e;
        }
    }
    file_put(f);
    p->tty_attached = true;
    p->tty_node = cluster_self();
    tty_set_session(t, p->sid);
    tty_set_foreground(t, p->pgrp);
    return 0;
}

static int set_directories(struct process *p)
{
    struct fs_who who;
    p->fs->root = (struct fs_place){.inode = ROOT_INODE};
    p->fs->cwd = p->fs->root;
    process_who(p, &who);
    if (fs_resolve_dir(&who, p->fs->root, "/root", &p->fs->cwd) < 0)
        log_warn("process", "no directory /root: the shell begins in /");
    return 0;
}

static int fill_process(struct process *p)
{
    p->sid = p->pgrp = p->pid;
    str_copy(p->name, "sh", sizeof(p->name));
    p->fs = heap_zalloc(sizeof(*p->fs));
    p->actions = heap_zalloc(sizeof(*p->actions));
    p->files = fd_table_new();
    if (!p->fs || !p->actions || !p->files)
        return -ENOMEM;
    p->fs->users = p->actions->users = 1;
    p->fs->umask = 022;
    int e = set_directories(p);
    return e < 0 ? e : open_console(p);
}

// First code of the shell's thread, in its own process.
static void shell_main(struct task *t)
{
    const struct exec_args args = {
        .strings = (char *)(uintptr_t)shell_strings,
        .bytes = sizeof(shell_strings),
        .argc = SHELL_ARGC,
        .envc = SHELL_ENVC,
    };
    int e = process_exec(t->process, SHELL, t->process->fs->cwd, &args);
    if (e < 0) {
        log_error("process", "%s does not run: %s", SHELL, errno_text(e));
        task_exit(127 << 8);
    }
}

static int start_shell(void)
{
    struct process *p = process_new();
    if (!p)
        return -ENOMEM;
    int e = fill_process(p);
    struct task *t = e == 0 ? task_new(p, p->pid) : NULL;
    if (!t) {
        process_reap(p);
        return e < 0 ? e : -ENOMEM;
    }
    t->first = shell_main;
    p->cannot_move = "it is the shell of its node's console";
    node(shell_pid) = p->pid;
    node(shell_ended) = false;
    task_start(t);
    return 0;
}

static void tell_end(int status)
{
    char text[32];
    int shown = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
    int n = fmt_print(text, sizeof(text), "\033]weft;exit=%d\a\r\n", shown);
    console_write(text, (size_t)n);
}

static void init_thread(void *arg)
{
    (void)arg;
    cluster_wait_joined();
    for (;;) {
        int e = start_shell();
        if (e < 0) {
            log_error("process", "no shell on this console: %s", errno_text(e));
            (void)wait_for_ns(RETRY_NS, 0);
            continue;
        }
        while (!node(shell_ended)) {
            if (wait_sleep(&node(shell_wait), WAIT_FOREVER, 0) < 0)
                break;
        }
        tell_end(node(shell_status));
        if (node(shell_status) == 127 << 8) // a shell that cannot run: not in a tight loop
            (void)wait_for_ns(RETRY_NS, 0);
    }
}

static void init_start(void)
{
    wait_init(&node(shell_wait));
    if (!thread_create("pid1", THREAD_NORMAL, init_thread, NULL))
        log_error("process", "no memory for PID 1: no shell on this console");
}
INIT_STEP(INIT_SHELL, init_start);
