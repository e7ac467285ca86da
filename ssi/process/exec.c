// SPDX-License-Identifier: MIT
// execve(2). Everything that can fail is done on a plan beside the process; then the process
// changes in one go.
#include "ssi/process/exec_priv.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/inode.h"
#include "ssi/process/group_exit.h"
#include "ssi/process/timers.h"
#include "ssi/process/ipc.h"
#include "ssi/process/aio.h"
#include "ssi/process/ldt.h"
#include "ssi/process/tracee.h"
#include "ssi/process/vdso.h"

#define SCRIPT_LEVELS 4
#define MODE_SETUID   04000u
#define MODE_SETGID   02000u
#define MODE_XGRP     00010u
#define MODE_ANY_X    00111u
#define MODE_TYPE     0170000u
#define MODE_REGULAR  0100000u

// ---- finding the file --------------------------------------------------------------------------
// Is what was opened fit to be run by the caller? 0, -EACCES.
static int check_file(struct exec_plan *x, struct exec_file *f)
{
    int e = f->file->ops->stat ? f->file->ops->stat(f->file, &f->st) : -EACCES;
    if (e < 0)
        return e;
    bool may = (f->st.mode & MODE_TYPE) == MODE_REGULAR && (f->st.mode & MODE_ANY_X) &&
               fs_may(&x->who, f->st.mode, f->st.uid, f->st.gid, MAY_X);
    return may ? 0 : -EACCES;
}

// Who may run a file need not be allowed to read it: then the kernel reads it for him, and nobody
// may look at the process.
static int open_unreadable(struct exec_plan *x, struct fs_place at, const char *path,
                           struct exec_file *out)
{
    struct exec_file named = {0};
    struct fs_who kernel = x->who;
    kernel.lacks = 0;
    int e = fs_open(&x->who, at, path, O_PATH, 0, &named.file);
    if (e < 0)
        return e;
    e = check_file(x, &named);
    if (e == 0)
        e = fs_reopen(&kernel, named.file, O_RDONLY, &out->file);
    file_put(named.file);
    x->unreadable = true;
    return e;
}

static int open_file(struct exec_plan *x, struct fs_place at, const char *path,
                     struct exec_file *out)
{
    // A FIFO is only to be refused, not waited for.
    int e = fs_open(&x->who, at, path, O_RDONLY | O_NONBLOCK, 0, &out->file);
    if (e == -EACCES)
        e = open_unreadable(x, at, path, out);
    if (e < 0)
        return e == -ENXIO ? -EACCES : e; // a device that is not there, a socket
    return check_file(x, out);
}

static int read_head(struct exec_plan *x, const struct exec_file *f)
{
    x->head_bytes = (size_t)MIN(f->st.bytes, (uint64_t)sizeof(x->head));
    return exec_read(f->file, 0, x->head, x->head_bytes);
}

static void close_file(struct exec_file *f)
{
    if (f->file)
        file_put(f->file);
    f->file = NULL;
}

// ---- #! scripts --------------------------------------------------------------------------------
static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

// Takes "#! interpreter argument" apart in place: the argument is the rest of the line, as one.
static int script_line(struct exec_plan *x, char **interp, char **argument)
{
    char *line = x->head + 2;
    char *limit = x->head + MIN(x->head_bytes, (size_t)EXEC_SCRIPT_HEAD);
    char *end = line;
    while (end < limit && *end != '\n')
        end++;
    if (end == limit && x->head_bytes >= EXEC_SCRIPT_HEAD)
        return -ENOEXEC; // cut: it might name another program
    while (end > line && blank(end[-1]))
        end--;
    *end = 0;
    while (blank(*line))
        line++;
    if (*line == 0)
        return -ENOEXEC;
    *interp = line;
    while (*line && !blank(*line))
        line++;
    if (*line)
        *line++ = 0;
    while (blank(*line))
        line++;
    *argument = *line ? line : NULL;
    return 0;
}

static char *append(char *to, const char *s)
{
    size_t n = strlen(s) + 1;
    memcpy(to, s, n);
    return to + n;
}

// argv becomes: interpreter, [argument], name of the script, argv[1]...
static int script_args(struct exec_plan *x, const char *interp, const char *argument,
                       const char *script)
{
    const struct exec_args *old = &x->args;
    size_t skip = old->argc ? strlen(old->strings) + 1 : 0;
    size_t bytes = strlen(interp) + 1 + (argument ? strlen(argument) + 1 : 0) + strlen(script) + 1 +
                   old->bytes - skip;
    if (bytes > ARG_BYTES_MAX)
        return -E2BIG;
    char *strings = heap_alloc(bytes);
    if (!strings)
        return -ENOMEM;
    char *at = append(strings, interp);
    if (argument)
        at = append(at, argument);
    at = append(at, script);
    memcpy(at, old->strings + skip, old->bytes - skip);
    if (x->args_own)
        heap_free(x->args.strings);
    x->args.argc = (old->argc ? old->argc - 1 : 0) + (argument ? 3 : 2);
    x->args.strings = strings;
    x->args.bytes = bytes;
    x->args_own = true;
    return 0;
}

// Opens what is to be run, and while it is a script the interpreter it names, up to SCRIPT_LEVELS.
static int find_program(struct exec_plan *x)
{
    const char *told = x->path; // the script's name as its interpreter gets it
    for (int level = 0;; level++) {
        int e = open_file(x, x->opened_at, x->opened, &x->program);
        if (e == 0)
            e = read_head(x, &x->program);
        if (e < 0)
            return e;
        if (x->head_bytes < 2 || x->head[0] != '#' || x->head[1] != '!')
            return 0;
        if (level == SCRIPT_LEVELS)
            return -ELOOP;
        char *interp, *argument;
        e = script_line(x, &interp, &argument);
        if (e == 0 && x->args.name_ends)
            e = -ENOENT;
        if (e == 0)
            e = script_args(x, interp, argument, told);
        if (e < 0)
            return e;
        str_copy(x->interpreter, interp, sizeof(x->interpreter));
        close_file(&x->program);
        told = x->opened = x->interpreter;
        x->opened_at = x->who.cwd;
    }
}

// ---- the plan ----------------------------------------------------------------------------------
static int find_interpreter(struct exec_plan *x)
{
    const struct elf_image *m = &x->image;
    if (!m->interp_bytes)
        return 0;
    char name[ELF_INTERP_MAX + 1] = {0};
    int e = exec_read(x->program.file, m->interp_offset, name, m->interp_bytes);
    if (e < 0)
        return e;
    if (name[m->interp_bytes - 1] != 0)
        return -ENOEXEC;
    e = open_file(x, x->who.cwd, name, &x->interp);
    if (e == 0)
        e = read_head(x, &x->interp);
    if (e == 0)
        e = exec_parse(x, &x->interp, &x->interp_image);
    return e == -ENOEXEC ? -ELIBBAD : e;
}

static void set_ids(struct exec_plan *x)
{
    const struct fs_stat *st = &x->program.st;
    x->cred = *task_current()->cred;
    uint32_t euid = x->cred.euid, egid = x->cred.egid;
    if (!x->cred.no_new_privileges && !tracee_of_unprivileged(x->p)) {
        if (st->mode & MODE_SETUID)
            euid = st->uid;
        if ((st->mode & (MODE_SETGID | MODE_XGRP)) == (MODE_SETGID | MODE_XGRP))
            egid = st->gid;
    }
    x->secure = credentials_exec(&x->cred, euid, egid);
}

// Where a relocatable image goes: programs at a fixed base, the interpreter where there is room.
static int place(const struct exec_plan *x, const struct elf_image *m, bool program, uint32_t *base)
{
    *base = 0;
    if (!m->head.relocatable)
        return 0;
    uint32_t bytes = m->high - m->low;
    uint32_t at = program && bytes < EXEC_STACK_TOP - EXEC_DYN_BASE - (16u << 20)
                      ? EXEC_DYN_BASE
                      : space_hole(x->space, 0, bytes);
    if (!at)
        return -ENOMEM;
    *base = at - m->low;
    return 0;
}

static int build(struct exec_plan *x)
{
    x->space = space_new();
    if (!x->space)
        return -ENOMEM;
    int e = place(x, &x->image, true, &x->base);
    if (e == 0)
        e = exec_map(x, &x->program, &x->image, x->base, MAPS_PROGRAM);
    x->entry = x->image.head.entry + x->base;
    x->space->brk_start = x->space->brk = ALIGN_UP(x->image.brk + x->base, PAGE_SIZE);
    if (e == 0 && x->interp.file) {
        e = place(x, &x->interp_image, false, &x->interp_base);
        if (e == 0)
            e = exec_map(x, &x->interp, &x->interp_image, x->interp_base, MAPS_INTERPRETER);
        x->entry = x->interp_image.head.entry + x->interp_base;
    }
    if (e == 0)
        e = exec_stack(x);
    return e == 0 ? vdso_map(x->space) : e;
}

static int prepare(struct exec_plan *x)
{
    int e = find_program(x);
    if (e == 0)
        e = exec_parse(x, &x->program, &x->image);
    if (e == 0)
        e = find_interpreter(x);
    if (e < 0)
        return e;
    set_ids(x);
    return build(x);
}

// ---- the change --------------------------------------------------------------------------------
static void reset_signals(struct process *p, struct task *t)
{
    actions_clear(p->actions);
    t->altstack_at = t->altstack_bytes = 0;
    t->altstack_flags = SS_DISABLE;
    t->blocked_saved_valid = false;
}

static void start_registers(struct task *t, const struct exec_plan *x)
{
    *t->regs = (struct arch_regs){
        .ds = USER_DS,
        .es = USER_DS,
        .eip = x->entry,
        .cs = USER_CS,
        .eflags = 0x202, // interrupts on
        .esp = x->esp,
        .ss = USER_DS,
    };
    memset(&t->tls, 0, sizeof(t->tls));
    arch_fpu_init(&t->fpu);
    if (t->thread == thread_current()) {
        arch_user_prepare(t->thread->stack_top, &t->tls);
        arch_fpu_load(&t->fpu);
    }
    t->call.active = false;
    t->clear_child_tid = t->robust_list = t->rseq_at = 0;
    t->rseq_due = false;
    t->memory_left = false;
}

static void adopt_image(struct process *p, const struct exec_plan *x)
{
    p->arg_start = x->arg_start;
    p->arg_end = x->arg_end;
    p->env_start = x->env_start;
    p->env_end = x->env_end;
    const char *slash = strrchr(x->path, '/');
    str_copy(p->name, slash ? slash + 1 : x->path, sizeof(p->name));
    struct credentials *mine = task_current()->cred, old = *mine;
    *mine = x->cred;
    p->did_exec = true;
    p->not_dumpable = mine->euid != mine->uid || mine->egid != mine->gid || x->unreadable;
    process_credentials_changed(&old);
    struct arch_features features = arch_cpu_features();
    p->features_edx = features.edx;
    p->features_ecx = features.ecx;
}

static void commit(struct exec_plan *x)
{
    struct process *p = x->p;
    struct task *t = task_current();
    task_memory_left(t);
    struct space *old = p->space;
    struct file *old_file = p->executable;
    usage_leave_space(p);
    p->space = x->space;
    x->space = NULL;
    t->thread->space = &p->space->arch;
    arch_space_load(&p->space->arch);
    p->executable = x->program.file;
    x->program.file = NULL;
    adopt_image(p, x);
    str_copy(t->thread->name, p->name, sizeof(t->thread->name));
    reset_signals(p, t);
    start_registers(t, x);
    fd_close_on_exec(p->files, p->pid);
    process_timers_delete(p);
    if (p->aio)
        aio_remove_all(p);
    if (p->ldt)
        ldt_drop(p);
    ipc_exec(p);
    vfork_release(p);
    if (old)
        space_put(old);
    if (old_file)
        file_put(old_file);
}

// /proc/PID/exe names the file itself, not the way to it.
static void real_path(const struct exec_plan *x, char *to, size_t size)
{
    struct fs_who anybody = x->who;
    anybody.uid = anybody.gid = 0;
    anybody.lacks = 0;
    if (file_path(&anybody, x->program.file, to, size) <= 0)
        str_copy(to, x->opened, size);
}

static void plan_free(struct exec_plan *x)
{
    close_file(&x->program);
    close_file(&x->interp);
    if (x->space)
        space_put(x->space);
    if (x->args_own)
        heap_free(x->args.strings);
    heap_free(x);
}

int process_exec(struct process *p, const char *path, struct fs_place at,
                 const struct exec_args *args)
{
    struct exec_plan *x = heap_zalloc(sizeof(*x));
    if (!x)
        return -ENOMEM;
    x->p = p;
    x->args = *args;
    process_who(p, &x->who);
    str_copy(x->path, args->name ? args->name : path, sizeof(x->path));
    x->opened = path;
    x->opened_at = at;
    const struct task *me = task_current();
    int32_t tid = me ? me->tid : 0;
    int e = prepare(x);
    if (e == 0)
        e = process_unshare(p, CLONE_FILES | CLONE_SIGHAND);
    if (e == 0)
        e = process_become_single(p); // from here on there is no way back
    if (e == 0) {
        char *real = heap_alloc(sizeof(p->path));
        if (real) {
            real_path(x, real, sizeof(p->path));
            str_copy(p->path, real, sizeof(p->path));
            heap_free(real);
        }
        commit(x);
    }
    plan_free(x);
    if (e == 0 && me && me->process == p && me->trace)
        tracee_execs(task_current(), tid);
    return e;
}
