// SPDX-License-Identifier: MIT
// From int 0x80 to the body and back. A body that was asked to leave is entered again on the way
// to user mode, after the marks were seen to: the program cannot tell (PROTOCOLS 6).
#include "ssi/linux/dispatch.h"
#include "ssi/linux/linux.h"
#include "ssi/linux/traced.h"
#include "kernel/init.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/procfs.h"
#include "ssi/process/rseq.h"
#include "ssi/process/seccomp.h"
#include "ssi/process/tracee.h"

#define CALL_TABLE_SIZE 512

typedef long (*call_body)(struct call *c);

static const call_body bodies[CALL_TABLE_SIZE] = {
#define SYSCALL(number, name, body) [number] = body,
#include "ssi/linux/syscalls.def"
#undef SYSCALL
};

static const char *const names[CALL_TABLE_SIZE] = {
#define LINUX_CALL(number, name) [number] = #name,
#include "ssi/linux/names.def"
#undef LINUX_CALL
};

#define SYSCALL(number, name, body) STATIC_ASSERT((number) == LINUX_NR_##name, #name);
#include "ssi/linux/syscalls.def"
#undef SYSCALL

const char *linux_call_name(uint32_t number)
{
    return number < CALL_TABLE_SIZE && names[number] ? names[number] : "?";
}

// ---- unknown calls: counted by number and program ----------------------------------------------
#define UNKNOWN_MAX 128

struct unknown_call {
    uint32_t number, count;
    char program[16];
};

NODE_VAR(struct unknown_call, unknown[UNKNOWN_MAX]);
NODE_VAR(unsigned, unknown_count);

static long call_unknown(struct call *c)
{
    const char *program = process_current()->name;
    for (unsigned i = 0; i < node(unknown_count); i++) {
        struct unknown_call *u = &node(unknown)[i];
        if (u->number == c->number && !strcmp(u->program, program)) {
            u->count++;
            return -ENOSYS;
        }
    }
    if (node(unknown_count) == UNKNOWN_MAX) {
        cluster_count_add("linux: unknown call not listed", 1);
        return -ENOSYS;
    }
    struct unknown_call *u = &node(unknown)[node(unknown_count)++];
    *u = (struct unknown_call){.number = c->number, .count = 1};
    str_copy(u->program, program, sizeof(u->program));
    return -ENOSYS;
}

void linux_unknown_show(struct text *t)
{
    for (unsigned i = 0; i < node(unknown_count); i++) {
        const struct unknown_call *u = &node(unknown)[i];
        text_add(t, "%s %u %s %u\n", linux_call_name(u->number), u->number, u->program, u->count);
    }
}

// ---- entering and leaving ----------------------------------------------------------------------
// Runs or continues the call. Afterwards it is over, or still active because it was left.
static inline void call_enter(struct task *t)
{
    struct call *c = &t->call;
    call_body body = c->number < CALL_TABLE_SIZE ? bodies[c->number] : NULL;
    long result = body ? body(c) : call_unknown(c);
    if (!c->active)
        return; // the body set the registers itself: exec, sigreturn
    if (result == -EINTR && t->thread->asked)
        return;
    c->active = false;
    t->regs->eax = (uint32_t)result;
}

static void on_syscall(struct arch_regs *r)
{
    struct task *t = thread_current()->user;
    struct call *c = &t->call;
    t->regs = r;
    c->number = r->error;
    c->args[0] = r->ebx;
    c->args[1] = r->ecx;
    c->args[2] = r->edx;
    c->args[3] = r->esi;
    c->args[4] = r->edi;
    c->args[5] = r->ebp;
    c->deadline_ns = 0;
    c->done = 0;
    uint32_t *own = (uint32_t *)c->body; // stores, where a literal or memset makes a long loop
    own[0] = own[1] = own[2] = own[3] = own[4] = own[5] = own[6] = own[7] = 0;
    c->active = true;
    call_enter(t);
}

static __attribute__((noinline)) void stack_fill(void)
{
    uint32_t below[256];
    frame_canary_fill(below, sizeof(below));
}

// With canary=1 the stack that the body will use holds the pattern, too.
static void on_syscall_filled(struct arch_regs *r)
{
    stack_fill();
    on_syscall(r);
}

// sigsuspend, ppoll and their like set a mask for the time of the call: back to the program's.
static void mask_restore(struct task *t)
{
    if (!t->blocked_saved_valid)
        return;
    t->blocked_saved_valid = false;
    t->blocked = t->blocked_saved;
    if (signal_pending(t))
        t->thread->asked = true;
}

static void on_user_return_traced(struct arch_regs *r);

static inline __attribute__((always_inline)) void user_return(struct arch_regs *r, bool traced)
{
    struct task *t = thread_current()->user;
    t->regs = r;
    for (;;) {
        if (traced)
            traced_call_look(t);
        if (t->thread->asked) {
            if (!traced && t->trace) { // since this was entered
                on_user_return_traced(r);
                return;
            }
            t->thread->asked = false;
            task_attend(t);
            if (traced)
                traced_call_restart(t);
        }
        if (t->call.active)
            call_enter(t);
        else
            mask_restore(t);
        if (t->thread->asked || (traced && traced_call_due(t)))
            continue;
        if (t->call.active)
            thread_yield(); // left without a reason: let others run, then go on with it
        else if (thread_should_yield())
            thread_yield();
        else if (t->rseq_due)
            rseq_return(t);
        else if (cluster_is_fenced())
            cluster_gate(); // no user code without the quorum (PROTOCOLS 4)
        else
            return;
    }
}

static void on_user_return(struct arch_regs *r)
{
    user_return(r, false);
}

// ---- while a task of this node is traced or filtered -------------------------------------------
static void on_user_return_traced(struct arch_regs *r)
{
    struct task *t = thread_current()->user;
    t->regs = r;
    tracee_step_hide(t);
    user_return(r, true);
    if (t->trace)
        tracee_step_set(t);
}

static void on_syscall_plain(struct arch_regs *r)
{
    if (frame_canary_on())
        on_syscall_filled(r);
    else
        on_syscall(r);
}

// A tracer sees the call first, then the filters.
static void on_syscall_watched(struct arch_regs *r)
{
    struct task *t = thread_current()->user;
    t->regs = r;
    tracee_step_hide(t);
    if (t->trace && !tracee_call_begins(t))
        return;
    if (t->seccomp == SECCOMP_NONE || seccomp_call(t))
        on_syscall_plain(r);
    else
        t->call.number = r->error;
}

NODE_VAR(bool, any_traced);
NODE_VAR(bool, any_filtered); // by seccomp

// The plain ways have not one instruction for tracing and filters.
static void ways_choose(void)
{
    arch_on_syscall = node(any_traced) || node(any_filtered) ? on_syscall_watched
                      : frame_canary_on()                    ? on_syscall_filled
                                                             : on_syscall;
    arch_on_user_return = node(any_traced) ? on_user_return_traced : on_user_return;
}

static void on_tracing(bool any)
{
    node(any_traced) = any;
    ways_choose();
}

static void on_seccomp(bool any)
{
    node(any_filtered) = any;
    ways_choose();
}

// What a tracer sees a sleep go on with after it was interrupted.
long sys_restart_syscall(struct call *c)
{
    struct tracee *e = task_current()->trace;
    if (e == NULL || e->left.number == 0)
        return -EINTR;
    *c = e->left;
    c->active = true;
    e->left.number = 0;
    return bodies[c->number](c);
}

enum { // sub-calls of ipc and futex that wait
    IPC_SEMOP = 1,
    IPC_SEMTIMEDOP = 4,
    IPC_MSGSND = 11,
    IPC_MSGRCV = 12,
    FUTEX_WAIT = 0,
    FUTEX_LOCK_PI = 6,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_LOCK_PI2 = 13,
};

// Calls that are made again whatever the handler's flags are.
bool linux_call_always_restarts(const struct call *c)
{
    uint32_t futex = c->args[1] & 0x7f;
    return (c->number == LINUX_NR_futex || c->number == LINUX_NR_futex_time64) &&
           (futex == FUTEX_LOCK_PI || futex == FUTEX_LOCK_PI2 || futex == FUTEX_WAIT_REQUEUE_PI);
}

// Calls that end with EINTR whenever a handler ran, with SA_RESTART or not (signal(7)).
bool linux_call_never_restarts(const struct call *c)
{
    uint32_t ipc = c->args[0] & 0xffff;
    uint32_t futex = c->args[1] & 0x7f;
    switch (c->number) {
    case LINUX_NR_pause:
    case LINUX_NR_sigsuspend:
    case LINUX_NR_rt_sigsuspend:
    case LINUX_NR_rt_sigtimedwait:
    case LINUX_NR_rt_sigtimedwait_time64:
    case LINUX_NR_nanosleep:
    case LINUX_NR_clock_nanosleep:
    case LINUX_NR_clock_nanosleep_time64:
    case LINUX_NR_select:
    case LINUX_NR__newselect:
    case LINUX_NR_pselect6:
    case LINUX_NR_pselect6_time64:
    case LINUX_NR_poll:
    case LINUX_NR_ppoll:
    case LINUX_NR_ppoll_time64:
    case LINUX_NR_epoll_wait:
    case LINUX_NR_epoll_pwait:
    case LINUX_NR_epoll_pwait2:
    case LINUX_NR_semtimedop_time64:
    case LINUX_NR_msgsnd:
    case LINUX_NR_msgrcv:
    case LINUX_NR_io_getevents:
    case LINUX_NR_io_pgetevents:
    case LINUX_NR_io_pgetevents_time64:
        return true;
    case LINUX_NR_socketcall:
    case LINUX_NR_connect:
    case LINUX_NR_accept4:
    case LINUX_NR_sendto:
    case LINUX_NR_sendmsg:
    case LINUX_NR_sendmmsg:
    case LINUX_NR_recvfrom:
    case LINUX_NR_recvmsg:
    case LINUX_NR_recvmmsg:
    case LINUX_NR_recvmmsg_time64:
        return c->body[0]; // a timeout is set: linux_socket_deadline
    case LINUX_NR_ipc:
        return ipc == IPC_SEMOP || ipc == IPC_SEMTIMEDOP || ipc == IPC_MSGSND || ipc == IPC_MSGRCV;
    case LINUX_NR_futex:
    case LINUX_NR_futex_time64:
        return c->args[3] && (futex == FUTEX_WAIT || futex == FUTEX_WAIT_BITSET);
    }
    return false;
}

static void on_interrupted_call(struct task *t, bool sa_restart)
{
    struct call *c = &t->call;
    if (t->call_left) {
        traced_call_handled(t, sa_restart);
        return;
    }
    c->active = false;
    if (c->done > 0 && !linux_call_never_restarts(c)) {
        t->regs->eax = (uint32_t)c->done; // bytes that moved already must not move twice
        return;
    }
    if ((sa_restart && !linux_call_never_restarts(c)) || linux_call_always_restarts(c)) {
        t->regs->eax = c->number;
        t->regs->eip -= 2; // int 0x80 once more
        return;
    }
    linux_time_left_out(c);
    t->regs->eax = (uint32_t)-EINTR;
}

static void linux_init(void)
{
    ways_choose();
    process_on_tracing = on_tracing;
    process_on_seccomp = on_seccomp;
    process_on_interrupted_call = on_interrupted_call;
    procfs_cluster_file("enosys", linux_unknown_show, NULL);
}
INIT_STEP(INIT_PROCESS, linux_init);
