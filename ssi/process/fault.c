// SPDX-License-Identifier: MIT
// What the CPU reports of a program becomes a page or a signal (Intel SDM 3A chapter 6;
// sigaction(2), si_code).
#include "ssi/process/priv.h"
#include "ssi/process/tracee.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"

enum { // exception vectors
    VECTOR_DE = 0,
    VECTOR_DB = 1,
    VECTOR_BP = 3,
    VECTOR_UD = 6,
    VECTOR_NM = 7,
    VECTOR_NP = 11,
    VECTOR_SS = 12,
    VECTOR_MF = 16,
    VECTOR_AC = 17,
    VECTOR_XM = 19,
};

static struct space *current_space(void)
{
    struct process *p = process_current();
    return p ? p->space : NULL;
}

static void kill_self(struct task *t)
{
    struct signal_info kill = {.signal = SIGKILL, .code = SI_KERNEL};
    (void)signal_post_process(t->process, &kill);
}

// A page that went down with a node takes the process with it (PROTOCOLS 5); every node says so.
static void lost(struct task *t)
{
    struct process *p = t->process;
    relatives_lost(p->pid, p->came_from != NODE_NONE ? p->came_from : p->born);
    kill_self(t);
}

// ---- out of memory -----------------------------------------------------------------------------
#define OOM_WAIT_NS (10 * NS_PER_MS)

static bool dying(const struct process *p)
{
    return p->exiting || (p->pending.pending & SIGBIT(SIGKILL));
}

#define LEADER_SHARE 8

// Its pages, and what it was said to count for beside them. The leader of a session, who may be the
// shell that somebody works at, must have many times as many pages as others.
int64_t process_oom_weight(const struct process *p)
{
    if (p->oom_adjust == OOM_NEVER)
        return INT64_MIN;
    int64_t pages = process_resident_pages(p);
    pages = p->sid == p->pid ? pages / LEADER_SHARE : pages;
    return pages + (int64_t)p->oom_adjust * frame_total_count() / 1000;
}

// The largest process ends (PROTOCOLS 5), of equal ones the youngest, one at a time: NULL while one
// is at it already. When all that there are want to be spared, it is `last`.
static struct process *largest(struct process *last)
{
    struct process *found = NULL;
    int64_t most = INT64_MIN + 1;
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        if (!p->space || p->state == PROCESS_ZOMBIE || p->state == PROCESS_MOVING)
            continue;
        if (dying(p))
            return NULL;
        int64_t its = process_oom_weight(p);
        if (its >= most) {
            found = p;
            most = its;
        }
    }
    return found ? found : last;
}

// A page of `t` could not be had. Afterwards its instruction is tried again, if it still runs.
static void out_of_memory(struct task *t)
{
    struct process *victim = largest(t->process);
    if (victim) {
        log_warn("process", "%s[%d] killed: out of memory, %u pages", victim->name, victim->pid,
                 process_resident_pages(victim));
        struct signal_info kill = {.signal = SIGKILL, .code = SI_KERNEL};
        (void)signal_post_process(victim, &kill);
    }
    if (victim != t->process && !dying(t->process))
        (void)wait_for_ns(OOM_WAIT_NS, 0);
}

static void current_lost(void)
{
    struct task *t = task_current();
    if (t)
        lost(t);
}

static bool on_page_fault(const struct arch_fault *f, struct arch_regs *r)
{
    struct task *t = task_current();
    if (!f->user || !t || !t->process->space)
        return false;
    t->regs = r;
    unsigned access = f->exec ? PROT_X : f->write ? PROT_W : PROT_R;
    int e = f->address < USER_TOP ? space_fault(t->process->space, f->address, access) : -EFAULT;
    struct signal_info info = {.signal = SIGSEGV, .address = f->address};
    switch (e) {
    case 0:
    case -EINTR: // the instruction is tried again after the marks were seen to
        return true;
    case -EACCES:
        info.code = SEGV_ACCERR;
        break;
    case -EIO:
        info.signal = SIGBUS;
        info.code = BUS_ADRERR;
        break;
    case -ENOMEM:
        out_of_memory(t);
        return true;
    case -EHOSTDOWN:
        lost(t);
        return true;
    default:
        info.code = SEGV_MAPERR; // the kernel's addresses, too
        break;
    }
    signal_force(t, &info);
    return true;
}

// Which of the unmasked x87 or SSE exceptions it was: invalid first, as Linux reports it.
static int fpe_code(uint32_t status)
{
    if (status & 1)
        return FPE_FLTINV;
    if (status & 4)
        return FPE_FLTDIV;
    if (status & 8)
        return FPE_FLTOVF;
    if (status & 0x12)
        return FPE_FLTUND;
    return FPE_FLTRES;
}

static uint32_t x87_exceptions(struct task *t)
{
    arch_fpu_save(&t->fpu);
    uint32_t cw = t->fpu.image[0], sw = t->fpu.image[2];
    return sw & ~cw;
}

static uint32_t sse_exceptions(struct task *t)
{
    arch_fpu_save(&t->fpu);
    uint32_t mxcsr = t->fpu.image[24] | (uint32_t)t->fpu.image[25] << 8;
    return mxcsr & ~(mxcsr >> 7);
}

// Why, as si_code. 0: of an address that a tracer watched who is gone.
static int debug_code(struct task *t, struct arch_regs *r)
{
    uint32_t causes = arch_watch_causes();
    uint32_t told = t->trace ? watch_told(&t->trace->watch, causes, r) : causes & ARCH_WATCH_STEP;
    if (told & ARCH_WATCH_STEP)
        return TRAP_TRACE; // the program goes on stepping, but not in its handler
    if (told)
        return TRAP_HWBKPT;
    return causes ? 0 : TRAP_BRKPT; // INT1
}

static void on_exception(unsigned vector, struct arch_regs *r)
{
    struct task *t = task_current();
    if (!t)
        return; // from user mode only: there is a task
    t->regs = r;
    struct signal_info info = {.signal = SIGSEGV, .code = SI_KERNEL, .address = r->eip};
    switch (vector) {
    case VECTOR_DE:
        info.signal = SIGFPE;
        info.code = FPE_INTDIV;
        break;
    case VECTOR_DB:
        info.signal = SIGTRAP;
        info.code = debug_code(t, r);
        if (info.code == 0 || tracee_step_left(t))
            return;
        break;
    case VECTOR_BP:
        info.signal = SIGTRAP;
        info.code = SI_KERNEL;
        break;
    case VECTOR_UD:
    case VECTOR_NM:
        info.signal = SIGILL;
        info.code = ILL_ILLOPN;
        break;
    case VECTOR_NP:
    case VECTOR_SS:
        info.signal = SIGBUS;
        break;
    case VECTOR_MF:
        info.signal = SIGFPE;
        info.code = fpe_code(x87_exceptions(t));
        break;
    case VECTOR_AC:
        info.signal = SIGBUS;
        info.code = BUS_ADRALN;
        break;
    case VECTOR_XM:
        info.signal = SIGFPE;
        info.code = fpe_code(sse_exceptions(t));
        break;
    }
    signal_force(t, &info);
}

static void fault_init(void)
{
    arch_on_page_fault = on_page_fault;
    arch_on_exception = on_exception;
    user_set_current(current_space);
    user_set_lost(current_lost);
}
INIT_STEP(INIT_PROCESS, fault_init);
