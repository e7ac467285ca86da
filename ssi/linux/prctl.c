// SPDX-License-Identifier: MIT
// prctl(2), as programs use it.
#include "ssi/linux/linux.h"
#include "ssi/linux/seccomp.h"
#include "lib/string.h"
#include "mm/user.h"

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_SET_SECCOMP = 22,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_SECUREBITS = 27,
    PR_GET_TSC = 25,
    PR_SET_TSC = 26,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_TASK_PERF_EVENTS_DISABLE = 31,
    PR_TASK_PERF_EVENTS_ENABLE = 32,
    PR_MCE_KILL = 33,
    PR_MCE_KILL_GET = 34,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_SET_IO_FLUSHER = 57,
    PR_GET_IO_FLUSHER = 58,
};

#define AMBIENT_CLEAR_ALL 4
#define SLACK_USUAL_NS    50000u
#define TSC_ENABLED       1

enum {
    MEMORY_ERRORS_CLEAR = 0,
    MEMORY_ERRORS_SET = 1,
    MEMORY_ERRORS_DEFAULT = 2,
};

static long set_name(uint32_t at)
{
    char name[16] = {0};
    struct task *t = task_current();
    long n = user_read_string(name, at, sizeof(name));
    if (n < 0 && n != -ENAMETOOLONG)
        return n;
    name[15] = 0;
    str_copy(t->thread->name, name, sizeof(t->thread->name));
    if (t->tid == t->process->pid)
        str_copy(t->process->name, name, sizeof(t->process->name));
    return 0;
}

static long get_name(uint32_t at)
{
    char name[16] = {0};
    str_copy(name, task_current()->thread->name, sizeof(name));
    return user_write(at, name, sizeof(name));
}

static long ambient(const uint32_t *args)
{
    struct credentials *c = task_current()->cred;
    if (args[1] == AMBIENT_CLEAR_ALL) {
        if (args[2] || args[3] || args[4])
            return -EINVAL;
        c->ambient = 0;
        return 0;
    }
    return args[3] || args[4] ? -EINVAL : credentials_ambient(c, args[1], args[2]);
}

static long bounding_has(const struct credentials *c, uint32_t which)
{
    return which > CAP_LAST ? -EINVAL : (c->bounding & CAPABILITY_BIT(which)) != 0;
}

static long no_new_privileges(struct credentials *c, const uint32_t *args, bool set)
{
    if (args[1] != set || args[2] || args[3] || args[4])
        return -EINVAL;
    if (!set)
        return c->no_new_privileges;
    c->no_new_privileges = true;
    return 0;
}

static uint32_t slack(uint32_t ns)
{
    return ns ? ns : SLACK_USUAL_NS;
}

static long subreaper_out(uint32_t at)
{
    int32_t on = process_current()->subreaper;
    return user_write(at, &on, sizeof(on));
}

// Are args[from] to args[4] zero?
static bool none_given(const uint32_t *args, unsigned from)
{
    uint32_t any = 0;
    for (unsigned i = from; i < 5; i++)
        any |= args[i];
    return any == 0;
}

// ---- what is remembered for who asks, and changes nothing here -------------------------------
// args[2]: 0 late, 1 early, 2 as the machine has it.
static long memory_errors_set(struct task *t, const uint32_t *args)
{
    if (!none_given(args, 3))
        return -EINVAL;
    if (args[1] == MEMORY_ERRORS_CLEAR && args[2] == 0)
        t->memory_errors = 0;
    else if (args[1] == MEMORY_ERRORS_SET && args[2] <= MEMORY_ERRORS_DEFAULT)
        t->memory_errors = (uint8_t)(MEMORY_ERRORS_DEFAULT - args[2]);
    else
        return -EINVAL;
    return 0;
}

static long memory_errors(const struct task *t, const uint32_t *args)
{
    return none_given(args, 1) ? MEMORY_ERRORS_DEFAULT - t->memory_errors : -EINVAL;
}

static long huge_pages(struct process *p, const uint32_t *args, bool set)
{
    if (!none_given(args, set ? 2 : 1))
        return -EINVAL;
    if (!set)
        return p->no_huge_pages;
    p->no_huge_pages = args[1] != 0;
    return 0;
}

static long io_flusher(struct task *t, const uint32_t *args, bool set)
{
    if (!process_can(CAP_SYS_RESOURCE))
        return -EPERM;
    if (!none_given(args, set ? 2 : 1) || args[1] > 1)
        return -EINVAL;
    if (!set)
        return t->io_flusher;
    t->io_flusher = args[1];
    return 0;
}

static long tsc_out(uint32_t at)
{
    uint32_t now = TSC_ENABLED;
    return user_write(at, &now, sizeof(now));
}

long sys_prctl(struct call *c)
{
    struct process *p = process_current();
    struct task *t = task_current();
    struct credentials *own = t->cred;
    uint32_t a = c->args[1];
    switch (c->args[0]) {
    case PR_SET_NAME:
        return set_name(a);
    case PR_GET_NAME:
        return get_name(a);
    case PR_SET_PDEATHSIG:
        if (a > SIGNAL_MAX)
            return -EINVAL;
        p->parent_death_signal = (int)a;
        return 0;
    case PR_GET_PDEATHSIG:
        return user_write(a, &p->parent_death_signal, 4);
    case PR_GET_DUMPABLE:
        return !p->not_dumpable;
    case PR_SET_DUMPABLE:
        if (a > 1)
            return -EINVAL;
        p->not_dumpable = !a;
        return 0;
    case PR_GET_KEEPCAPS:
        return (own->secure_bits & SECURE_KEEP_CAPS) != 0;
    case PR_SET_KEEPCAPS:
        return credentials_keep(own, a);
    case PR_GET_SECUREBITS:
        return own->secure_bits;
    case PR_SET_SECUREBITS:
        return credentials_set_secure_bits(own, a);
    case PR_SET_TIMERSLACK:
        t->slack_ns = a ? a : slack(t->slack_default_ns);
        return 0;
    case PR_GET_TIMERSLACK:
        return (long)slack(t->slack_ns);
    case PR_SET_CHILD_SUBREAPER:
        p->subreaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return subreaper_out(a);
    case PR_GET_TID_ADDRESS:
        return user_write(a, &t->clear_child_tid, sizeof(t->clear_child_tid));
    case PR_CAP_AMBIENT:
        return ambient(c->args);
    case PR_MCE_KILL:
        return memory_errors_set(t, c->args);
    case PR_MCE_KILL_GET:
        return memory_errors(t, c->args);
    case PR_SET_THP_DISABLE:
    case PR_GET_THP_DISABLE:
        return huge_pages(p, c->args, c->args[0] == PR_SET_THP_DISABLE);
    case PR_SET_IO_FLUSHER:
    case PR_GET_IO_FLUSHER:
        return io_flusher(t, c->args, c->args[0] == PR_SET_IO_FLUSHER);
    case PR_TASK_PERF_EVENTS_DISABLE: // of none
    case PR_TASK_PERF_EVENTS_ENABLE:
        return 0;
    case PR_GET_TSC:
        return tsc_out(a);
    case PR_SET_TSC: // RDTSC that faults is not offered
        return a == TSC_ENABLED ? 0 : -EINVAL;
    case PR_GET_TIMING: // statistical
        return 0;
    case PR_GET_SECCOMP:
        return t->seccomp;
    case PR_SET_SECCOMP:
        return seccomp_by_prctl(a, c->args[2]);
    case PR_SET_TIMING:
        return a == 0 ? 0 : -EINVAL;
    case PR_CAPBSET_READ:
        return bounding_has(own, a);
    case PR_CAPBSET_DROP:
        return credentials_drop_bounding(own, a);
    case PR_SET_NO_NEW_PRIVS:
    case PR_GET_NO_NEW_PRIVS:
        return no_new_privileges(own, c->args, c->args[0] == PR_SET_NO_NEW_PRIVS);
    }
    return -EINVAL;
}
