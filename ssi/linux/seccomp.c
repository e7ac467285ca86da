// SPDX-License-Identifier: MIT
// seccomp(2), and prctl(2)'s half of it. There are no listeners (SECCOMP_FILTER_FLAG_NEW_LISTENER
// is EINVAL, as before Linux 5.0).
#include "ssi/linux/seccomp.h"
#include "ssi/linux/linux.h"
#include "mm/user.h"
#include "ssi/process/seccomp.h"

enum { // operations
    SET_MODE_STRICT = 0,
    SET_MODE_FILTER = 1,
    GET_ACTION_AVAIL = 2,
};

enum { // flags of SET_MODE_FILTER
    FLAG_TSYNC = 1,
    FLAG_LOG = 2,
    FLAG_SPEC_ALLOW = 4, // about side channels between programs: nothing to allow
    FLAG_TSYNC_ESRCH = 16,
    FLAGS = 23,
};

struct program { // struct sock_fprog
    uint16_t count, pad;
    uint32_t code;
} PACKED;

// A filter from user memory, checked: 0, or the errors in Linux's order. May sleep.
static int filter_in(uint32_t user, struct seccomp_filter **filter)
{
    struct program p;
    int e = user_read(&p, user, sizeof(p));
    if (e < 0)
        return e;
    if (p.count == 0 || p.count > BPF_CLASSIC_MAX)
        return -EINVAL;
    if (!task_current()->cred->no_new_privileges && !process_can(CAP_SYS_ADMIN))
        return -EACCES;
    struct seccomp_filter *f = seccomp_filter_new(p.count);
    if (f == NULL)
        return -ENOMEM;
    e = user_read(f->code, p.code, p.count * sizeof(f->code[0]));
    if (e == 0)
        e = seccomp_filter_check(f);
    if (e < 0)
        seccomp_filter_put(f);
    else
        *filter = f;
    return e;
}

static long set_filter(uint32_t flags, uint32_t user)
{
    struct seccomp_filter *f;
    if (flags & ~(uint32_t)FLAGS)
        return -EINVAL;
    int e = filter_in(user, &f);
    if (e < 0)
        return e;
    f->log = flags & FLAG_LOG;
    int32_t r = seccomp_filter_add(task_current(), f, flags & FLAG_TSYNC);
    return r > 0 && flags & FLAG_TSYNC_ESRCH ? -ESRCH : r;
}

static long action_available(uint32_t user)
{
    uint32_t action;
    int e = user_read(&action, user, sizeof(action));
    if (e < 0)
        return e;
    switch (action) {
    case SECCOMP_KILL_PROCESS:
    case SECCOMP_KILL_THREAD:
    case SECCOMP_TRAP:
    case SECCOMP_ERRNO:
    case SECCOMP_TRACE:
    case SECCOMP_LOG:
    case SECCOMP_ALLOW:
        return 0;
    }
    return -EOPNOTSUPP;
}

long sys_seccomp(struct call *c)
{
    uint32_t flags = c->args[1], at = c->args[2];
    switch (c->args[0]) {
    case SET_MODE_STRICT:
        return flags || at ? -EINVAL : seccomp_strict(task_current());
    case SET_MODE_FILTER:
        return set_filter(flags, at);
    case GET_ACTION_AVAIL:
        return flags ? -EINVAL : action_available(at);
    }
    return -EINVAL;
}

long seccomp_by_prctl(uint32_t mode, uint32_t at)
{
    return mode == SECCOMP_STRICT   ? seccomp_strict(task_current())
           : mode == SECCOMP_FILTER ? set_filter(0, at)
                                    : -EINVAL;
}
