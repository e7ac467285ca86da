// SPDX-License-Identifier: MIT
#include "ssi/linux/traced.h"
#include "ssi/linux/clocks.h"
#include "ssi/linux/dispatch.h"
#include "ssi/linux/linux.h"
#include "ssi/process/tracee.h"

#define VECTOR_CALL    0x80u
#define INT_BYTES      2u // of "int $0x80"
#define FUTEX_COMMANDS 0x7fu
#define FUTEX_WAIT     0u
#define FUTEX_WAIT_SET 9u

enum { // linux/errno.h: what programs never see and tracers do
    ERESTARTSYS = 512,
    ERESTARTNOINTR = 513,
    ERESTARTNOHAND = 514,
    ERESTART_RESTARTBLOCK = 516,
};

// How Linux leaves a call that ends when a handler runs, whatever its flags say.
static int code_without_restart(const struct call *c)
{
    switch (c->number) {
    case LINUX_NR_nanosleep:
    case LINUX_NR_poll:
        return ERESTART_RESTARTBLOCK;
    case LINUX_NR_clock_nanosleep:
    case LINUX_NR_clock_nanosleep_time64:
        return c->args[1] & TIMER_ABSTIME ? ERESTARTNOHAND : ERESTART_RESTARTBLOCK;
    case LINUX_NR_futex:
    case LINUX_NR_futex_time64:
        return ERESTART_RESTARTBLOCK;
    case LINUX_NR_pause:
    case LINUX_NR_sigsuspend:
    case LINUX_NR_rt_sigsuspend:
    case LINUX_NR_select:
    case LINUX_NR__newselect:
    case LINUX_NR_pselect6:
    case LINUX_NR_pselect6_time64:
    case LINUX_NR_ppoll:
    case LINUX_NR_ppoll_time64:
    case LINUX_NR_msgsnd:
    case LINUX_NR_msgrcv:
        return ERESTARTNOHAND;
    }
    return EINTR;
}

static void call_leave(struct task *t)
{
    struct call *c = &t->call;
    struct arch_regs *r = t->regs;
    bool never = linux_call_never_restarts(c);
    c->active = false;
    if (c->done > 0 && !never) {
        r->eax = (uint32_t)c->done; // bytes that moved already must not move twice
        return;
    }
    int code = linux_call_always_restarts(c) ? ERESTARTNOINTR
               : never                       ? code_without_restart(c)
                                             : ERESTARTSYS;
    if (never)
        linux_time_left_out(c);
    if (code == ERESTART_RESTARTBLOCK && t->trace)
        t->trace->left = *c;
    r->vector = VECTOR_CALL;
    r->eax = (uint32_t)-code;
    t->call_left = true;
}

bool traced_call_due(const struct task *t)
{
    return t->trace && t->trace->in_call && !t->call.active;
}

void traced_call_look(struct task *t)
{
    if (t->trace == NULL || !t->trace->in_call)
        return;
    if (t->call.active) {
        if (!tracee_call_must_end(t))
            return;
        call_leave(t);
    } else if (t->call.number == LINUX_NR_sigreturn || t->call.number == LINUX_NR_rt_sigreturn) {
        t->regs->error = UINT32_MAX; // the registers are the interrupted program's
    }
    if (t->trace)
        tracee_call_ends(t);
}

static void run_again(struct arch_regs *r, uint32_t number)
{
    r->eax = number;
    r->eip -= INT_BYTES;
}

void traced_call_restart(struct task *t)
{
    struct arch_regs *r = t->regs;
    if (!t->call_left)
        return;
    t->call_left = false;
    if (r->vector != VECTOR_CALL || (int32_t)r->error < 0)
        return;
    switch (-(int32_t)r->eax) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
        run_again(r, r->error);
        break;
    case ERESTART_RESTARTBLOCK:
        if (t->trace)
            run_again(r, LINUX_NR_restart_syscall);
        else
            t->call.active = true; // detached in this stop: as if nothing had been
        break;
    }
}

void traced_call_handled(struct task *t, bool sa_restart)
{
    struct arch_regs *r = t->regs;
    int32_t code = -(int32_t)r->eax;
    t->call_left = false;
    if (r->vector != VECTOR_CALL || (int32_t)r->error < 0)
        return;
    if (code == ERESTARTNOINTR || (code == ERESTARTSYS && sa_restart))
        run_again(r, r->error);
    else if (code == ERESTARTSYS || code == ERESTARTNOHAND || code == ERESTART_RESTARTBLOCK)
        r->eax = (uint32_t)-EINTR;
}
