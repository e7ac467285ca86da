// SPDX-License-Identifier: MIT
#include "ssi/process/seccomp.h"
#include "kernel/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/tracee.h"

#define ACTION_MASK   0xffff0000u
#define DATA_MASK     0x0000ffffu
#define ERRNO_MAX     4095u
#define AUDIT_I386    0x40000003u
#define LOGGED_MAX    1000u // lines in the node's log: a program may make any number
#define WITHOUT_PAUSE BPF_CLASSIC_MAX

enum { // the calls of strict mode
    NR_EXIT = 1,
    NR_READ = 3,
    NR_WRITE = 4,
    NR_SIGRETURN = 119,
};

struct seccomp_data {
    int32_t number;
    uint32_t arch;
    uint64_t eip;
    uint64_t args[6];
} PACKED;
STATIC_ASSERT(sizeof(struct seccomp_data) == SECCOMP_INPUT_BYTES, "seccomp_data of the ABI");

void (*process_on_seccomp)(bool any);

NODE_VAR(unsigned, filtered_tasks); // of this node: they have a mode
NODE_VAR(unsigned, logged);

static void mode_set(struct task *t, enum seccomp_mode mode)
{
    bool before = node(filtered_tasks) > 0;
    ASSERT(mode == SECCOMP_NONE || mode >= t->seccomp);
    node(filtered_tasks) +=
        (unsigned)(mode != SECCOMP_NONE) - (unsigned)(t->seccomp != SECCOMP_NONE);
    t->seccomp = (uint8_t)mode;
    if (process_on_seccomp && before != (node(filtered_tasks) > 0))
        process_on_seccomp(!before);
}

// ---- filters -----------------------------------------------------------------------------------
struct seccomp_filter *seccomp_filter_new(uint32_t count)
{
    ASSERT(count <= BPF_CLASSIC_MAX);
    struct seccomp_filter *f = heap_zalloc(sizeof(*f) + count * sizeof(f->code[0]));
    if (f == NULL)
        return NULL;
    f->users = 1;
    f->count = count;
    return f;
}

int seccomp_filter_check(const struct seccomp_filter *f)
{
    uint16_t *scratch = heap_alloc(BPF_CLASSIC_MAX * sizeof(*scratch));
    if (scratch == NULL)
        return -ENOMEM;
    bool good = bpf_classic_check(f->code, f->count, SECCOMP_INPUT_BYTES, scratch);
    heap_free(scratch);
    return good ? 0 : -EINVAL;
}

void seccomp_filter_put(struct seccomp_filter *f)
{
    while (f && --f->users == 0) {
        struct seccomp_filter *older = f->older;
        heap_free(f);
        f = older;
    }
}

static void filters_set(struct task *t, struct seccomp_filter *f)
{
    struct seccomp_filter *was = t->filters;
    f->users++;
    t->filters = f;
    seccomp_filter_put(was);
    mode_set(t, SECCOMP_FILTER);
}

// Is `old` the chain `of`, or the older part of it?
static bool begins_with(const struct seccomp_filter *of, const struct seccomp_filter *old)
{
    while (of && of != old)
        of = of->older;
    return of == old;
}

// A thread that has other filters than the current one: its id; 0: there is none.
static int32_t differs(const struct task *me)
{
    struct task *t;
    list_for_each (t, &me->process->tasks, link) {
        bool same = t->seccomp == SECCOMP_NONE ||
                    (t->seccomp == SECCOMP_FILTER && begins_with(me->filters, t->filters));
        if (!same && !t->ending)
            return t->tid;
    }
    return 0;
}

int32_t seccomp_filter_add(struct task *me, struct seccomp_filter *f, bool all)
{
    int32_t e = me->seccomp == SECCOMP_NONE || me->seccomp == SECCOMP_FILTER ? 0 : -EINVAL;
    f->chain = f->count + (me->filters ? me->filters->chain + 4 : 0);
    if (e == 0 && f->chain > SECCOMP_CHAIN_MAX)
        e = -ENOMEM;
    if (e == 0 && all)
        e = differs(me);
    if (e == 0) {
        f->older = me->filters;
        if (f->older)
            f->older->users++;
        struct task *t;
        list_for_each (t, &me->process->tasks, link) {
            if (t != me && (!all || t->ending))
                continue;
            filters_set(t, f);
            t->cred->no_new_privileges |= me->cred->no_new_privileges;
        }
    }
    seccomp_filter_put(f);
    return e;
}

int seccomp_strict(struct task *t)
{
    if (t->seccomp != SECCOMP_NONE && t->seccomp != SECCOMP_STRICT)
        return -EINVAL;
    mode_set(t, SECCOMP_STRICT);
    return 0;
}

void seccomp_inherit(struct task *to, const struct task *from)
{
    if (from->filters)
        filters_set(to, from->filters);
    mode_set(to, from->seccomp);
}

void seccomp_release(struct task *t)
{
    mode_set(t, SECCOMP_NONE);
    seccomp_filter_put(t->filters);
    t->filters = NULL;
}

unsigned seccomp_filters(const struct task *t)
{
    unsigned n = 0;
    for (const struct seccomp_filter *f = t->filters; f; f = f->older)
        n++;
    return n;
}

// ---- at a call ---------------------------------------------------------------------------------
// Of all filters the strictest answer, of equal ones the youngest's; *by gave it. May sleep.
static uint32_t ask(struct task *t, const struct seccomp_filter **by)
{
    const struct arch_regs *r = t->regs;
    const struct seccomp_data d = {
        (int32_t)r->error, AUDIT_I386, r->eip, {r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp}};
    uint32_t input[SECCOMP_INPUT_BYTES / sizeof(uint32_t)], result = SECCOMP_ALLOW, run = 0;
    memcpy(input, &d, sizeof(d));
    *by = t->filters;
    for (const struct seccomp_filter *f = t->filters; f; f = f->older) {
        uint32_t one = bpf_classic_run(f->code, input, sizeof(d));
        if ((int32_t)(one & ACTION_MASK) < (int32_t)(result & ACTION_MASK)) {
            result = one;
            *by = f;
        }
        run += f->count;
        if (run > WITHOUT_PAUSE) {
            run = 0;
            kernel_pause();
        }
    }
    return result;
}

static void tell(const struct task *t, uint32_t result, int signal)
{
    cluster_count_add("seccomp: calls told of", 1);
    if (node(logged) >= LOGGED_MAX)
        return;
    node(logged)++;
    log_debug("seccomp", "pid=%d comm=\"%s\" sig=%d arch=%x syscall=%d ip=0x%x code=0x%x", t->tid,
              t->thread->name, signal, AUDIT_I386, (int32_t)t->regs->error, t->regs->eip, result);
}

static void trap(struct task *t, uint32_t data)
{
    struct arch_regs *r = t->regs;
    r->eax = r->error; // as if it had not been made
    const struct signal_info info = {.signal = SIGSYS,
                                     .error = (int32_t)data,
                                     .code = SYS_SECCOMP,
                                     .address = r->eip,
                                     .value = (int32_t)r->error,
                                     .status = (int32_t)AUDIT_I386};
    signal_force(t, &info);
}

// A tracer is not asked about this SIGSYS.
static void NORETURN kill(struct task *t, uint32_t result)
{
    tell(t, result, SIGSYS);
    mode_set(t, SECCOMP_DEAD);
    if ((result & ACTION_MASK) == SECCOMP_KILL_THREAD && t->process->task_count > 1)
        task_exit(SIGSYS);
    process_exit_group(SIGSYS);
}

static bool filtered(struct task *t, bool traced);

// A tracer may look, and change the call or take it away. False: it is not made. May sleep.
static bool trace(struct task *t, uint32_t data)
{
    struct arch_regs *r = t->regs;
    r->eax = (uint32_t)-ENOSYS;
    if (!tracee_seccomp(t, data) || (int32_t)r->error < 0)
        return false;
    return filtered(t, true); // it may be another call now
}

// `traced`: a tracer has seen it.
static bool filtered(struct task *t, bool traced)
{
    const struct seccomp_filter *by;
    uint32_t result = ask(t, &by), data = result & DATA_MASK;
    bool told = by && by->log;
    switch (result & ACTION_MASK) {
    case SECCOMP_ALLOW:
        return true;
    case SECCOMP_LOG:
        tell(t, result, 0);
        return true;
    case SECCOMP_ERRNO:
        t->regs->eax = -MIN(data, ERRNO_MAX);
        break;
    case SECCOMP_TRAP:
        trap(t, data);
        break;
    case SECCOMP_NOTIFY:
        t->regs->eax = (uint32_t)-ENOSYS;
        break;
    case SECCOMP_TRACE:
        return traced || trace(t, data);
    default: // what is not known kills the process, as Linux has it
        kill(t, result);
    }
    if (told)
        tell(t, result, 0);
    return false;
}

static bool strict(struct task *t)
{
    uint32_t number = t->regs->error;
    if (number == NR_READ || number == NR_WRITE || number == NR_EXIT || number == NR_SIGRETURN)
        return true;
    mode_set(t, SECCOMP_DEAD);
    tell(t, SECCOMP_KILL_THREAD, SIGKILL);
    task_exit(SIGKILL);
}

bool seccomp_call(struct task *t)
{
    switch ((enum seccomp_mode)t->seccomp) {
    case SECCOMP_NONE:
        return true;
    case SECCOMP_STRICT:
        return strict(t);
    case SECCOMP_FILTER:
        return filtered(t, false);
    case SECCOMP_DEAD:
        break;
    }
    task_exit(SIGKILL);
}
