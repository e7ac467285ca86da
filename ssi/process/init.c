// SPDX-License-Identifier: MIT
// PID 1 is the cluster's: each node serves it with a kernel thread that keeps a shell on the
// node's console, and takes in whoever has lost its parent. When the boot archive names a program
// (`make image`) node 0 runs that instead and ends with it; the other nodes lend themselves to it.
#include "kernel/bootparts.h"
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

static const char shell_argv[] = "-sh";
static const char environment[] = "PATH=/bin:/sbin:/usr/bin:/usr/sbin\0"
                                  "HOME=/root\0"
                                  "TERM=vt100\0"
                                  "USER=root\0"
                                  "LOGNAME=root\0"
                                  "SHELL=/bin/sh\0"
                                  "PS1=\\[\\e]weft;$?\\a\\]\\w \\$ ";
#define ENVC       7u
#define NO_PROGRAM (127 << 8) // status when what was to run does not

// What runs on the console: the shell, or the program of the boot archive.
NODE_VAR(const char *, program);
NODE_VAR(struct exec_args, program_args);
NODE_VAR(bool, program_is_shell);

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
    const struct credentials *c = process_acting(from);
    bool permitted = credentials_can(c, CAP_KILL) || c->uid == 0 || c->euid == 0; // all its are 0
    return permitted ? 0 : -EPERM; // it ignores all signals
}

// ---- the shell's process -----------------------------------------------------------------------
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
    p->tty_number = TTY_CONSOLE;
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
    int e = process_exec(t->process, node(program), t->process->fs->cwd, &node(program_args));
    if (e < 0) {
        log_error("process", "%s does not run: %s", node(program), errno_text(e));
        task_exit(NO_PROGRAM);
    }
}

static int start_shell(void)
{
    struct process *p = process_new(0);
    if (!p)
        return -ENOMEM;
    int e = fill_process(p);
    struct task *t = e == 0 ? task_new(p, p->pid) : NULL;
    if (!t) {
        process_reap(p);
        return e < 0 ? e : -ENOMEM;
    }
    t->first = shell_main;
    if (node(program_is_shell))
        p->cannot_move = "it is the shell of its node's console";
    node(shell_pid) = p->pid;
    node(shell_ended) = false;
    task_start(t);
    return 0;
}

// As a shell shows it.
static int shown_status(int status)
{
    return status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
}

static void tell_end(int status)
{
    char text[32];
    int n = fmt_print(text, sizeof(text), "\033]weft;exit=%d\a\r\n", shown_status(status));
    console_write(text, (size_t)n);
}

// The end of the boot archive's program is the end of its node.
static void see_end(int status)
{
    if (!node(program_is_shell))
        arch_exit((uint8_t)shown_status(status));
    tell_end(status);
    if (status == NO_PROGRAM) // a shell that cannot run: not in a tight loop
        (void)wait_for_ns(RETRY_NS, 0);
}

// The program's argv in the boot archive, each string NUL-ended; false when there is none.
static bool find_app(const char **argv, size_t *bytes)
{
    const void *part;
    if (!boot_archive() || !archive_part(boot_archive(), ARCHIVE_PROGRAM, &part, bytes))
        return false;
    *argv = part;
    if (*bytes <= ARG_BYTES_MAX - sizeof(environment) && (*argv)[0] == '/' &&
        (*argv)[*bytes - 1] == '\0')
        return true;
    log_error("process", "the boot archive's program is no list of words");
    return false;
}

static bool set_program(const char *path, const char *argv, size_t bytes)
{
    struct exec_args *args = &node(program_args);
    args->strings = heap_alloc(bytes + sizeof(environment));
    if (!args->strings)
        return false;
    memcpy(args->strings, argv, bytes);
    memcpy(args->strings + bytes, environment, sizeof(environment));
    args->bytes = bytes + sizeof(environment);
    args->envc = ENVC;
    for (size_t i = 0; i < bytes; i++)
        args->argc += argv[i] == '\0';
    node(program) = path;
    return true;
}

static bool choose_program(void)
{
    const char *argv;
    size_t bytes;
    node(program_is_shell) = !find_app(&argv, &bytes);
    return node(program_is_shell) ? set_program(SHELL, shell_argv, sizeof(shell_argv))
                                  : set_program(argv, argv, bytes);
}

static void init_thread(void *arg)
{
    (void)arg;
    cluster_wait_joined();
    if (!node(program_is_shell) && cluster_self() != 0)
        return; // node 0 runs it; this node lends itself
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
        see_end(node(shell_status));
    }
}

static void init_start(void)
{
    wait_init(&node(shell_wait));
    if (!choose_program() || !thread_create("pid1", THREAD_NORMAL, init_thread, NULL))
        log_error("process", "no memory for PID 1: no shell on this console");
}
INIT_STEP(INIT_SHELL, init_start);
