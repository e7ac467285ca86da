// SPDX-License-Identifier: MIT
// Texts of /proc/PID as proc(5) has them, made on the node that has the process. Of a zombie most
// is empty.
#include "lib/errno.h"
#include "lib/string.h"
#include "kernel/timer.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/fs/inode.h"
#include "ssi/fs/notify.h"
#include "ssi/process/exec_priv.h"
#include "ssi/process/procfs_priv.h"
#include "ssi/process/seccomp.h"
#include "ssi/process/tracee.h"
#include "ssi/stream/stream.h"

#define TICK_NS  (NS_PER_S / 100)
#define FILE_R   0100444u
#define FILE_OWN 0100400u
#define LINK     0120777u

struct process *proc_find(int32_t pid)
{
    struct process *p = process_find(pid);
    struct task *t = p ? NULL : task_find(pid);
    return t ? t->process : p;
}

// Of its thread `t`; NULL: none is left.
static char state_letter(const struct process *p, const struct task *t)
{
    switch (p->state) {
    case PROCESS_ZOMBIE:
        return 'Z';
    case PROCESS_STOPPED:
        return tracee_any(p) ? 't' : 'T';
    case PROCESS_MOVING:
        return 'D';
    case PROCESS_RUNNING:
        break;
    }
    if (t && tracee_stopped(t))
        return 't';
    bool runs = t && (t->thread->state == THREAD_RUNNING || t->thread->state == THREAD_READY);
    return runs ? 'R' : 'S';
}

static sigset64 actions_that(const struct process *p, bool ignored)
{
    sigset64 set = 0;
    for (int i = 1; p->actions && i <= SIGNAL_MAX; i++) {
        uint32_t h = p->actions->action[i - 1].handler;
        if (ignored ? h == SIG_IGN : h > SIG_IGN)
            set |= SIGBIT(i);
    }
    return set;
}

// The thread with that number, else (its leader has ended) the first there is. NULL: none.
static const struct task *shown_task(int32_t pid, const struct process *p)
{
    const struct task *own = task_find(pid);
    if (own && own->process == p)
        return own;
    return list_empty(&p->tasks) ? NULL : list_entry(p->tasks.next, struct task, link);
}

static int32_t terminal_foreground(const struct process *p)
{
    const struct tty *t =
        p->tty_attached && p->tty_node == cluster_self() ? tty_find(p->tty_number) : NULL;
    return t ? tty_foreground(t) : p->tty_attached ? p->pgrp : -1;
}

// The process as a whole, or, under a number that is not its own, a thread.
static int show_stat(int32_t pid, struct process *p, struct text *t)
{
    const struct task *first = shown_task(pid, p);
    const struct space *s = p->space;
    struct usage used;
    if (first && pid != p->pid)
        usage_of_task(first, &used);
    else
        usage_of_process(p, &used);
    text_add(t, "%d (%s) %c %d %d %d %d %d 0 ", pid, first ? first->thread->name : p->name,
             state_letter(p, first), p->parent, p->pgrp, p->sid,
             p->tty_attached ? (int)tty_device_number(p->tty_number) : 0, terminal_foreground(p));
    text_add(t, "%u %u %u %u ", used.minor_faults, p->reaped.minor_faults, used.major_faults,
             p->reaped.major_faults);
    text_add(t, "%u %u %u %u %d %d %u 0 ", (unsigned)(used.user_ns / TICK_NS),
             (unsigned)(used.system_ns / TICK_NS), (unsigned)(p->reaped.user_ns / TICK_NS),
             (unsigned)(p->reaped.system_ns / TICK_NS),
             first && first->realtime ? -1 - first->realtime : 20 + p->nice, p->nice,
             MAX(p->task_count, 1u));
    text_add(t, "%u %u %u %u ", (unsigned)(p->start_ns / TICK_NS),
             s ? s->mapped_pages << PAGE_SHIFT : 0, process_resident_pages(p),
             p->limits[RLIMIT_RSS].current);
    text_add(t, "0 0 0 %u %u ", first ? first->regs->esp : 0, first ? first->regs->eip : 0);
    text_add(t, "%u %u %u %u ", (unsigned)(uint32_t)p->pending.pending,
             first ? (unsigned)(uint32_t)first->blocked : 0,
             (unsigned)(uint32_t)actions_that(p, true), (unsigned)(uint32_t)actions_that(p, false));
    text_add(t, "0 0 0 %d 0 %u %u 0 0 0 0 0 %u %u %u %u %u %d\n", p->exit_signal,
             first ? first->realtime : 0u, first ? first->policy : 0u, s ? s->brk_start : 0,
             p->arg_start, p->arg_end, p->env_start, p->env_end, p->exit_status);
    return 0;
}

static const char *state_word(char letter)
{
    switch (letter) {
    case 'R':
        return "R (running)";
    case 'S':
        return "S (sleeping)";
    case 'T':
        return "T (stopped)";
    case 't':
        return "t (tracing stop)";
    case 'Z':
        return "Z (zombie)";
    }
    return "D (disk sleep)";
}

static void add_set(struct text *t, const char *name, sigset64 s)
{
    text_add(t, "%s:\t%08x%08x\n", name, (unsigned)(s >> 32), (unsigned)(uint32_t)s);
}

static void add_who(const struct process *p, const struct credentials *c, struct text *t)
{
    text_add(t, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid,
             c->gid, c->egid, c->sgid, c->fsgid);
    text_add(t, "FDSize:\t%u\nGroups:\t", p->files ? fd_table_size(p->files) : 0);
    for (uint32_t i = 0; i < c->group_count; i++)
        text_add(t, "%u ", c->groups[i]);
    text_add(t, c->group_count ? "\n" : " \n");
}

static void add_signals(const struct process *p, const struct task *task, struct text *t)
{
    text_add(t, "SigQ:\t%u/%u\n", p->signals_queued, p->limits[RLIMIT_SIGPENDING].current);
    add_set(t, "SigPnd", task ? task->pending.pending : 0);
    add_set(t, "ShdPnd", p->pending.pending);
    add_set(t, "SigBlk", task ? task->blocked : 0);
    add_set(t, "SigIgn", actions_that(p, true));
    add_set(t, "SigCgt", actions_that(p, false));
}

// CPUs as ranges: 0-2,5.
static void add_cpus(struct text *t, uint32_t cpus)
{
    const char *before = "";
    text_add(t, "Cpus_allowed:\t%x\nCpus_allowed_list:\t", cpus);
    for (unsigned i = 0; i < ARCH_CPUS_MAX; i++) {
        unsigned first = i;
        if (!(cpus & 1u << i))
            continue;
        while (i + 1 < ARCH_CPUS_MAX && cpus & 1u << (i + 1))
            i++;
        text_add(t, "%s%u", before, first);
        if (i > first)
            text_add(t, "-%u", i);
        before = ",";
    }
    text_add(t, "\n");
}

static void add_switches(const struct process *p, const struct task *task, struct text *t)
{
    struct usage u;
    if (task)
        usage_of_task(task, &u);
    else
        usage_of_process(p, &u);
    text_add(t, "voluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t%u\n", u.sleeps,
             u.preemptions);
}

static int show_status(int32_t pid, struct process *p, struct text *t)
{
    const struct task *task = shown_task(pid, p);
    const struct credentials *c = task ? task->cred : &p->cred;
    uint32_t cpus = (uint32_t)((1ull << arch_cpu_count()) - 1);
    text_add(t, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n",
             task ? task->thread->name : p->name, p->fs ? p->fs->umask : 0,
             state_word(state_letter(p, task)), p->pid, pid, p->parent);
    text_add(t, "TracerPid:\t%d\n", tracee_tracer(task));
    add_who(p, c, t);
    proc_add_memory(p, t);
    text_add(t, "Threads:\t%u\n", MAX(p->task_count, 1u));
    add_signals(p, task, t);
    add_set(t, "CapInh", c->inheritable);
    add_set(t, "CapPrm", c->permitted);
    add_set(t, "CapEff", c->effective);
    add_set(t, "CapBnd", c->bounding);
    add_set(t, "CapAmb", c->ambient);
    text_add(t, "NoNewPrivs:\t%d\nSeccomp:\t%u\nSeccomp_filters:\t%u\n", c->no_new_privileges,
             task ? task->seccomp : SECCOMP_NONE, task ? seccomp_filters(task) : 0);
    add_cpus(t, task ? task->thread->affinity & cpus : cpus);
    add_switches(p, task, t);
    text_add(t, "Node:\t%u\nIncarnation:\t%u\n", cluster_self(), p->incarnation);
    return 0;
}

static int show_comm(int32_t pid, struct process *p, struct text *t)
{
    const struct task *task = task_find(pid);
    text_add(t, "%s\n", task ? task->thread->name : p->name);
    return 0;
}

// ---- what lies in the process's own memory -----------------------------------------------------
// Bytes of a process's memory, through its containers: short at a hole. May sleep; then `p` may be
// gone, so it is looked up again for each piece.
static size_t peek(int32_t pid, uint32_t at, char *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        struct process *p = process_find(pid);
        struct segment *s = p && p->space ? space_find(p->space, at) : NULL;
        if (!s)
            break;
        struct container *c = s->object;
        uint64_t offset = ((uint64_t)s->index << PAGE_SHIFT) + (at - s->start);
        size_t piece = MIN(n - done, (size_t)(s->end - at));
        struct xfer x;
        xfer_kernel(&x, to + done, piece);
        container_get(c);
        int e = container_read(c, offset, &x);
        container_put(c);
        done += x.done;
        at += (uint32_t)x.done;
        if (e < 0 || x.done == 0)
            break;
    }
    return done;
}

static int show_words(int32_t pid, uint32_t from, uint32_t to, struct text *t)
{
    if (to <= from)
        return 0;
    size_t room = t->size - t->length - 1;
    size_t n = MIN((size_t)(to - from), room);
    t->cut = n < to - from;
    t->length += peek(pid, from, t->at + t->length, n);
    t->at[t->length] = 0;
    return 0;
}

static int show_cmdline(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    return p->space ? show_words(p->pid, p->arg_start, p->arg_end, t) : 0;
}

static int show_environ(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    return p->space ? show_words(p->pid, p->env_start, p->env_end, t) : 0;
}

// As the program found it, unless it has written there.
static int show_auxv(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    uint32_t end = p->space ? exec_auxv_end_max(p->arg_start) : 0, head[4];
    for (unsigned pad = 0; end && pad < 16; pad += 4) {
        uint32_t at = end - pad - EXEC_AUXV_BYTES;
        if (peek(p->pid, at, (char *)head, sizeof(head)) == sizeof(head) && exec_auxv_is(head))
            return show_words(p->pid, at, at + EXEC_AUXV_BYTES, t);
    }
    return 0;
}

static int show_mem(int32_t pid, struct process *p, struct text *t)
{
    (void)pid, (void)p, (void)t;
    return -EACCES; // it is opened where the process is: procfs_mem.c
}

// ---- limits ------------------------------------------------------------------------------------
static void add_limit(struct text *t, uint32_t value)
{
    if (value == RLIM_INFINITY)
        text_add(t, "%-21s", "unlimited");
    else
        text_add(t, "%-21u", value);
}

static int show_limits(int32_t pid, struct process *p, struct text *t)
{
    static const struct {
        const char *name, *unit;
    } rows[RLIMITS] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
        {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
    };
    (void)pid;
    text_add(t, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIMITS; i++) {
        text_add(t, "%-26s", rows[i].name);
        add_limit(t, p->limits[i].current);
        add_limit(t, p->limits[i].maximum);
        text_add(t, "%-10s\n", rows[i].unit);
    }
    return 0;
}

// ---- out of memory ------------------------------------------------------------------------------
#define OOM_POINTS 1000

static int show_oom_adjust(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    text_add(t, "%d\n", p->oom_adjust);
    return 0;
}

// As Linux tells it: 0 to 2000, two thirds of a thousand for one without memory.
static int show_oom_score(int32_t pid, struct process *p, struct text *t)
{
    int64_t weight = p->space ? process_oom_weight(p) : INT64_MIN, score = 0;
    (void)pid;
    if (weight != INT64_MIN)
        score = (OOM_POINTS + weight * OOM_POINTS / (int64_t)frame_total_count()) * 2 / 3;
    text_add(t, "%d\n", (int)MAX(score, 0));
    return 0;
}

// ---- where it is and what holds it -------------------------------------------------------------
static int show_node(int32_t pid, struct process *p, struct text *t)
{
    (void)pid, (void)p;
    text_add(t, "%u\n", cluster_self());
    return 0;
}

static int show_cantmove(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    const char *why = process_on_cantmove ? process_on_cantmove(p) : p->cannot_move;
    if (why)
        text_add(t, "%s\n", why);
    return 0;
}

static int show_depends(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    if (process_on_depends && p->state != PROCESS_ZOMBIE)
        process_on_depends(p, t);
    return 0;
}

// ---- links -------------------------------------------------------------------------------------
static int show_exe(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    if (p->space)
        text_add(t, "%s", p->path);
    return 0;
}

static int add_path(struct process *p, struct fs_place dir, struct text *t)
{
    struct fs_who who;
    process_who(p, &who);
    who.uid = who.gid = 0;
    who.lacks = 0;
    char *path = heap_alloc(PATH_MAX_BYTES);
    if (!path)
        return -ENOMEM;
    long n = fs_path_of(&who, dir, path, PATH_MAX_BYTES);
    if (n > 0)
        text_add(t, "%s", path);
    heap_free(path);
    return n == -ERANGE ? -ENAMETOOLONG : (int)MIN(n, 0);
}

static int show_cwd(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    return p->fs ? add_path(p, p->fs->cwd, t) : 0;
}

static int show_root(int32_t pid, struct process *p, struct text *t)
{
    (void)pid, (void)p;
    text_add(t, "/"); // as seen from inside
    return 0;
}

// socket:[N] and pipe:[N] with the number that fstat gives, wherever it lives.
static void show_nameless(struct file *f, struct text *t)
{
    struct fs_stat st;
    bool known = file_stat(f, &st) == 0;
    uint32_t type = known ? st.mode & S_IFMT : 0;
    const char *name = type == S_IFSOCK ? "socket" : type == S_IFIFO ? "pipe" : f->ops->name;
    if (type == S_IFSOCK || type == S_IFIFO)
        text_add(t, "%s:[%u]", name, (unsigned)st.inode);
    else
        text_add(t, "%s:[%u]", name, (unsigned)f->place.inode);
}

static int show_descriptor(struct process *p, int fd, struct text *t)
{
    struct file *f = p->files ? fd_file_get(p->files, fd) : NULL;
    if (!f)
        return -ENOENT;
    struct fs_who who;
    process_who(p, &who);
    who.uid = who.gid = 0;
    who.lacks = 0;
    char *path = heap_alloc(PATH_MAX_BYTES);
    int e = path ? 0 : -ENOMEM;
    if (path && file_path(&who, f, path, PATH_MAX_BYTES) > 0)
        text_add(t, "%s", path);
    else if (path && (f->ops->name[0] == '[' || notify_is(f)))
        text_add(t, "anon_inode:%s", f->ops->name);
    else if (path)
        show_nameless(f, t);
    heap_free(path);
    file_put(f);
    return e;
}

static int list_descriptors(const struct process *p, struct text *t)
{
    for (int fd = p->files ? fd_next(p->files, -1) : -1; fd >= 0; fd = fd_next(p->files, fd))
        text_add(t, "%d ", fd);
    return 0;
}

static int list_tasks(const struct process *p, struct text *t)
{
    const struct task *task;
    if (list_empty(&p->tasks))
        text_add(t, "%d ", p->pid);
    list_for_each (task, &p->tasks, link)
        text_add(t, "%d ", task->tid);
    return 0;
}

static int show_mounts(int32_t pid, struct process *p, struct text *t)
{
    (void)pid, (void)p;
    proc_show_mounts(t);
    return 0;
}

static int show_mountinfo(int32_t pid, struct process *p, struct text *t)
{
    (void)pid, (void)p;
    proc_show_mountinfo(t);
    return 0;
}

const struct proc_row proc_process_rows[] = {
    {"stat", FILE_R, NULL, show_stat},
    {"status", FILE_R, NULL, show_status},
    {"statm", FILE_R, NULL, proc_show_statm},
    {"cmdline", FILE_R, NULL, show_cmdline},
    {"comm", FILE_R, NULL, show_comm},
    {"environ", FILE_OWN, NULL, show_environ},
    {"auxv", FILE_OWN, NULL, show_auxv},
    {"maps", FILE_R, NULL, proc_show_maps},
    {"smaps", FILE_R, NULL, proc_show_smaps},
    {"smaps_rollup", FILE_R, NULL, proc_show_smaps_rollup},
    {"mem", 0100600, NULL, show_mem},
    {"io", FILE_OWN, NULL, proc_show_io},
    {"syscall", FILE_OWN, NULL, proc_show_syscall},
    {"personality", FILE_OWN, NULL, proc_show_personality},
    {"limits", FILE_R, NULL, show_limits},
    {"oom_score", FILE_R, NULL, show_oom_score},
    {"oom_score_adj", 0100644, NULL, show_oom_adjust},
    {"mounts", FILE_R, NULL, show_mounts},
    {"mountinfo", FILE_R, NULL, show_mountinfo},
    {"node", 0100666, NULL, show_node}, // who may is checked as for kill
    {"cantmove", FILE_R, NULL, show_cantmove},
    {"depends", FILE_R, NULL, show_depends},
    {"exe", LINK, NULL, show_exe},
    {"cwd", LINK, NULL, show_cwd},
    {"root", LINK, NULL, show_root},
    {NULL, 0, NULL, NULL},
};

// PID 1 is no process of ours: every node serves it.
int proc_init_text(uint32_t kind, struct text *t)
{
    const char *name = kind >= PROC_FILES && kind - PROC_FILES < ARRAY_SIZE(proc_process_rows) - 1
                           ? proc_process_rows[kind - PROC_FILES].name
                           : "";
    if (!strcmp(name, "stat"))
        text_add(t, "1 (init) S 0 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0 0 4294967295 0 0 0 0 0 "
                    "0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
    else if (!strcmp(name, "status"))
        text_add(t, "Name:\tinit\nState:\tS (sleeping)\nTgid:\t1\nPid:\t1\nPPid:\t0\n"
                    "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t1\n");
    else if (!strcmp(name, "comm"))
        text_add(t, "init\n");
    else if (!strcmp(name, "statm"))
        text_add(t, "0 0 0 0 0 0 0\n");
    else if (!strcmp(name, "node"))
        text_add(t, "%u\n", cluster_self());
    else if (!strcmp(name, "cantmove"))
        text_add(t, "it is on every node\n");
    return 0;
}

int proc_local_text(int32_t pid, uint32_t kind, struct text *t)
{
    struct process *p = proc_find(pid);
    if (!p)
        return -ESRCH;
    if (kind == PROC_FD_LIST)
        return list_descriptors(p, t);
    if (kind == PROC_TASK_LIST)
        return list_tasks(p, t);
    if (kind >= PROC_FDINFOS)
        return proc_show_fdinfo(p, (int)(kind - PROC_FDINFOS), t);
    if (kind >= PROC_FDS)
        return show_descriptor(p, (int)(kind - PROC_FDS), t);
    if (kind < PROC_FILES || kind - PROC_FILES >= ARRAY_SIZE(proc_process_rows) - 1)
        return -ENOENT;
    return proc_process_rows[kind - PROC_FILES].show_process(pid, p, t);
}
