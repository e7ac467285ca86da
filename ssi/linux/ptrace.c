// SPDX-License-Identifier: MIT
// ptrace(2): the requests. The tracee is of this node and stopped while it is looked at; after
// what may sleep it is looked up again.
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/linux/linux.h"
#include "ssi/linux/ptrace_regs.h"
#include "ssi/process/priv.h"
#include "ssi/process/reach.h"
#include "ssi/process/siginfo.h"
#include "ssi/process/tls.h"
#include "ssi/process/tracee.h"

#define SIGINFO_BYTES 128u
#define AUDIT_I386    0x40000003u
#define PEEK_SHARED   1u

enum {
    PTRACE_TRACEME = 0,
    PTRACE_PEEKTEXT = 1,
    PTRACE_PEEKDATA = 2,
    PTRACE_PEEKUSR = 3,
    PTRACE_POKETEXT = 4,
    PTRACE_POKEDATA = 5,
    PTRACE_POKEUSR = 6,
    PTRACE_CONT = 7,
    PTRACE_KILL = 8,
    PTRACE_SINGLESTEP = 9,
    PTRACE_GETREGS = 12,
    PTRACE_SETREGS = 13,
    PTRACE_GETFPREGS = 14,
    PTRACE_SETFPREGS = 15,
    PTRACE_ATTACH = 16,
    PTRACE_DETACH = 17,
    PTRACE_GETFPXREGS = 18,
    PTRACE_SETFPXREGS = 19,
    PTRACE_OLDSETOPTIONS = 21,
    PTRACE_SYSCALL = 24,
    PTRACE_GET_THREAD_AREA = 25,
    PTRACE_SET_THREAD_AREA = 26,
    PTRACE_SYSEMU = 31,
    PTRACE_SYSEMU_SINGLESTEP = 32,
    PTRACE_SETOPTIONS = 0x4200,
    PTRACE_GETEVENTMSG = 0x4201,
    PTRACE_GETSIGINFO = 0x4202,
    PTRACE_SETSIGINFO = 0x4203,
    PTRACE_GETREGSET = 0x4204,
    PTRACE_SETREGSET = 0x4205,
    PTRACE_SEIZE = 0x4206,
    PTRACE_INTERRUPT = 0x4207,
    PTRACE_LISTEN = 0x4208,
    PTRACE_PEEKSIGINFO = 0x4209,
    PTRACE_GETSIGMASK = 0x420a,
    PTRACE_SETSIGMASK = 0x420b,
    PTRACE_GET_SYSCALL_INFO = 0x420e,
};

// The current thread's tracee of that id, stopped if it must be.
static struct tracee *tracee_of(int32_t pid, bool stopped)
{
    struct task *t = pid > 0 ? task_find(pid) : NULL;
    struct tracee *e = t ? t->trace : NULL;
    if (e == NULL || e->tracer != process_current() || !tracee_is_mine(&e->news))
        return NULL;
    if (e->tracer_tid == 0)
        e->tracer_tid = task_current()->tid;
    return !stopped || (e->state == TRACEE_STOPPED && !task_killed(t)) ? e : NULL;
}

// ---- memory ------------------------------------------------------------------------------------
static long word_move(int32_t pid, uint32_t at, uint32_t *word, enum reach_memory how)
{
    uint32_t done = 0;
    while (done < sizeof(*word)) {
        long n =
            process_memory_move(pid, at + done, (char *)word + done, sizeof(*word) - done, how);
        if (n == -EINTR || n == -ENOMEM)
            return n;
        if (n <= 0)
            return -EIO;
        done += (uint32_t)n;
    }
    return 0;
}

static long peek(int32_t pid, uint32_t at, uint32_t to)
{
    uint32_t word;
    long e = word_move(pid, at, &word, REACH_PEEK);
    return e < 0 ? e : user_write(to, &word, sizeof(word));
}

// ---- registers ---------------------------------------------------------------------------------
static bool user_area_good(uint32_t at)
{
    return at % sizeof(uint32_t) == 0 && at < USER_AREA_BYTES;
}

static long peek_user(const struct task *t, uint32_t at, uint32_t to)
{
    if (!user_area_good(at))
        return -EIO;
    uint32_t word = at / 4 < USER_REGS    ? ptrace_reg_get(t, at / 4)
                    : at >= USER_DEBUG_AT ? watch_get(&t->trace->watch, (at - USER_DEBUG_AT) / 4)
                                          : 0;
    return user_write(to, &word, sizeof(word));
}

static long poke_user(struct task *t, uint32_t at, uint32_t value)
{
    if (!user_area_good(at))
        return -EIO;
    if (at / 4 < USER_REGS)
        return ptrace_reg_set(t, at / 4, value);
    return at >= USER_DEBUG_AT ? watch_set(t, (at - USER_DEBUG_AT) / 4, value) : -EIO;
}

struct user_iovec {
    uint32_t at, bytes;
} PACKED;

static long set_move(int32_t pid, uint32_t type, struct user_iovec *v, bool write)
{
    const struct ptrace_set *s = ptrace_set_of(type);
    uint32_t words[PTRACE_SET_BYTES_MAX / 4] = {0};
    if (s == NULL || v->bytes % s->size)
        return -EINVAL;
    v->bytes = MIN(v->bytes, s->bytes);
    int e = write ? user_read(words, v->at, v->bytes) : 0;
    struct tracee *x = tracee_of(pid, true);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ESRCH;
    if (write)
        return s->set(x->task, words, v->bytes);
    e = s->get(x->task, words);
    return e < 0 ? e : user_write(v->at, words, v->bytes);
}

static long set_request(int32_t pid, uint32_t type, uint32_t data, bool write)
{
    struct user_iovec v;
    long e = user_read(&v, data, sizeof(v));
    if (e == 0)
        e = set_move(pid, type, &v, write);
    return e < 0 ? e : user_write(data + 4, &v.bytes, sizeof(v.bytes));
}

static long set_whole(int32_t pid, uint32_t type, uint32_t data, bool write)
{
    struct user_iovec v = {data, ptrace_set_of(type)->bytes};
    return set_move(pid, type, &v, write);
}

static long thread_area(int32_t pid, uint32_t entry, uint32_t data, bool write)
{
    struct user_desc d = {0};
    long e = write ? user_read(&d, data, sizeof(d)) : 0;
    struct tracee *x = tracee_of(pid, true);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ESRCH;
    if ((int32_t)entry < 0)
        return -EIO;
    d.entry_number = entry;
    if (write)
        return tls_set(&x->task->tls, &d, false);
    e = tls_get(&x->task->tls, &d);
    return e < 0 ? e : user_write(data, &d, sizeof(d));
}

// ---- signals -----------------------------------------------------------------------------------
static long siginfo_get(const struct tracee *e, uint32_t to)
{
    uint8_t info[SIGINFO_BYTES];
    if (e->info == NULL)
        return -EINVAL;
    signal_info_out(info, e->info);
    return user_write(to, info, sizeof(info));
}

static long siginfo_set(int32_t pid, uint32_t from)
{
    struct signal_info info;
    uint32_t signal;
    int e = user_read(&signal, from, sizeof(signal));
    if (e == 0)
        e = linux_siginfo_in(from, signal, &info);
    struct tracee *x = tracee_of(pid, true);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ESRCH;
    if (x->info == NULL)
        return -EINVAL;
    info.address = (uint32_t)info.pid;
    info.status = info.value;
    *x->info = info;
    return 0;
}

struct user_peek {
    uint64_t first;
    uint32_t flags;
    int32_t count;
} PACKED;

// The pending signal of that place in the queue: false when there are not so many.
static bool queued_at(const struct task *t, bool shared, uint64_t place, struct signal_info *info)
{
    const struct signal_set *s = shared ? &t->process->pending : &t->pending;
    const struct signal_queued *q;
    list_for_each (q, &s->queue, link) {
        if (place-- == 0) {
            *info = q->info;
            return true;
        }
    }
    return false;
}

static long siginfo_peek(int32_t pid, uint32_t args, uint32_t to)
{
    struct user_peek a;
    struct signal_info info;
    uint8_t out[SIGINFO_BYTES];
    int e = user_read(&a, args, sizeof(a));
    if (e < 0)
        return e;
    if (a.flags & ~PEEK_SHARED || a.count < 0)
        return -EINVAL;
    int32_t n = 0;
    for (; n < a.count; n++) {
        struct tracee *x = tracee_of(pid, true);
        if (x == NULL)
            return -ESRCH;
        if (!queued_at(x->task, a.flags & PEEK_SHARED, a.first + (uint32_t)n, &info))
            break;
        signal_info_out(out, &info);
        e = user_write(to + (uint32_t)n * SIGINFO_BYTES, out, sizeof(out));
        if (e < 0)
            return n ? n : e;
    }
    return n;
}

static long mask_request(int32_t pid, uint32_t bytes, uint32_t data, bool write)
{
    sigset64 mask = 0;
    if (bytes != sizeof(mask))
        return -EINVAL;
    long e = write ? user_read(&mask, data, sizeof(mask)) : 0;
    struct tracee *x = tracee_of(pid, true);
    if (e < 0 || x == NULL)
        return e < 0 ? e : -ESRCH;
    struct task *t = x->task;
    if (write) {
        signal_mask_set(t, mask);
        return 0;
    }
    mask = t->blocked_saved_valid ? t->blocked_saved : t->blocked;
    return user_write(data, &mask, sizeof(mask));
}

// ---- system calls ------------------------------------------------------------------------------
struct user_call_info { // struct ptrace_syscall_info
    uint8_t op, pad[3];
    uint32_t arch;
    uint64_t eip, esp;
    union {
        struct {
            uint64_t number, args[6];
            uint32_t data; // of a filter
        } PACKED entry;
        struct {
            int64_t result;
            uint8_t is_error;
        } PACKED exit;
    };
} PACKED;
STATIC_ASSERT(sizeof(struct user_call_info) == 84, "ptrace_syscall_info");

static long call_info(const struct tracee *e, uint32_t size, uint32_t to)
{
    const struct arch_regs *r = e->task->regs;
    struct user_call_info i = {
        .op = (uint8_t)e->call, .arch = AUDIT_I386, .eip = r->eip, .esp = r->esp};
    uint32_t bytes = offsetof(struct user_call_info, entry);
    if (e->call == CALL_ENTRY || e->call == CALL_SECCOMP) {
        const uint32_t args[6] = {r->ebx, r->ecx, r->edx, r->esi, r->edi, r->ebp};
        i.entry.number = (uint64_t)(int32_t)r->error;
        for (unsigned k = 0; k < 6; k++)
            i.entry.args[k] = args[k];
        i.entry.data = e->message;
        bytes = e->call == CALL_SECCOMP ? sizeof(i) : offsetof(struct user_call_info, entry.data);
    } else if (e->call == CALL_EXIT) {
        i.exit.result = (int32_t)r->eax;
        i.exit.is_error = r->eax >= (uint32_t)-4095;
        bytes += sizeof(i.exit);
    }
    int error = user_write(to, &i, MIN(size, bytes));
    return error < 0 ? error : (long)bytes;
}

// ---- going on ----------------------------------------------------------------------------------
static bool signal_good(uint32_t signal)
{
    return signal <= SIGNAL_MAX;
}

static long resume(struct tracee *e, enum tracee_mode mode, uint32_t signal)
{
    if (!signal_good(signal))
        return -EIO;
    tracee_resume(e, mode, (int)signal);
    return 0;
}

static long detach(struct tracee *e, uint32_t signal)
{
    if (!signal_good(signal))
        return -EIO;
    tracee_detach(e, (int)signal);
    return 0;
}

static long set_options(struct tracee *e, uint32_t options)
{
    if (options & ~(uint32_t)TRACE_OPTIONS)
        return -EINVAL;
    e->options = options;
    return 0;
}

static long listen(struct tracee *e)
{
    if (!e->seized || e->info == NULL || e->info->code >> 8 != EVENT_STOP)
        return -EIO;
    tracee_listen(e);
    return 0;
}

static long interrupt(int32_t pid)
{
    struct tracee *e = tracee_of(pid, false);
    if (e == NULL)
        return -ESRCH;
    if (!e->seized)
        return -EIO;
    tracee_interrupt(e);
    return 0;
}

static long kill_tracee(int32_t pid)
{
    struct tracee *e = tracee_of(pid, false);
    if (e == NULL)
        return -ESRCH;
    return signal_post_process(e->task->process, &(struct signal_info){.signal = SIGKILL});
}

// A process of another node cannot be traced from here.
static long attach(int32_t pid, bool seize, uint32_t options)
{
    struct process *p;
    int e = process_reach(pid, &p);
    if (e < 0)
        return e == -EIO ? -EPERM : e;
    struct task *t = task_find(pid);
    return t ? tracee_attach(t, seize, options) : -EPERM; // it has ended, its threads have not
}

static long seize(int32_t pid, uint32_t addr, uint32_t options)
{
    if (addr || options & ~(uint32_t)TRACE_OPTIONS)
        return -EIO;
    return attach(pid, true, options);
}

// ---- the call ----------------------------------------------------------------------------------
// What is done to a stopped tracee, and copies nothing in before.
static long of_stopped(uint32_t request, struct tracee *e, uint32_t addr, uint32_t data)
{
    int32_t pid = e->news.pid;
    uint32_t message = e->message;
    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
        return peek(pid, addr, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        return word_move(pid, addr, &data, REACH_POKE);
    case PTRACE_PEEKUSR:
        return peek_user(e->task, addr, data);
    case PTRACE_POKEUSR:
        return poke_user(e->task, addr, data);
    case PTRACE_CONT:
        return resume(e, RESUME_CONT, data);
    case PTRACE_SYSCALL:
        return resume(e, RESUME_SYSCALL, data);
    case PTRACE_SINGLESTEP:
        return resume(e, RESUME_STEP, data);
    case PTRACE_SYSEMU:
        return resume(e, RESUME_EMULATE, data);
    case PTRACE_SYSEMU_SINGLESTEP:
        return resume(e, RESUME_EMULATE_STEP, data);
    case PTRACE_DETACH:
        return detach(e, data);
    case PTRACE_OLDSETOPTIONS:
    case PTRACE_SETOPTIONS:
        return set_options(e, data);
    case PTRACE_GETEVENTMSG:
        return user_write(data, &message, sizeof(message));
    case PTRACE_GETSIGINFO:
        return siginfo_get(e, data);
    case PTRACE_SETSIGINFO:
        return siginfo_set(pid, data);
    case PTRACE_PEEKSIGINFO:
        return siginfo_peek(pid, addr, data);
    case PTRACE_LISTEN:
        return listen(e);
    case PTRACE_GET_SYSCALL_INFO:
        return call_info(e, addr, data);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
        return mask_request(pid, addr, data, request == PTRACE_SETSIGMASK);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        return set_request(pid, addr, data, request == PTRACE_SETREGSET);
    case PTRACE_GETREGS:
    case PTRACE_SETREGS:
        return set_whole(pid, NT_PRSTATUS, data, request == PTRACE_SETREGS);
    case PTRACE_GETFPREGS:
    case PTRACE_SETFPREGS:
        return set_whole(pid, NT_PRFPREG, data, request == PTRACE_SETFPREGS);
    case PTRACE_GETFPXREGS:
    case PTRACE_SETFPXREGS:
        return set_whole(pid, NT_PRXFPREG, data, request == PTRACE_SETFPXREGS);
    case PTRACE_GET_THREAD_AREA:
    case PTRACE_SET_THREAD_AREA:
        return thread_area(pid, addr, data, request == PTRACE_SET_THREAD_AREA);
    }
    return -EIO;
}

long sys_ptrace(struct call *c)
{
    uint32_t request = c->args[0];
    int32_t pid = (int32_t)c->args[1];
    switch (request) {
    case PTRACE_TRACEME:
        return tracee_traceme();
    case PTRACE_ATTACH:
        return attach(pid, false, 0);
    case PTRACE_SEIZE:
        return seize(pid, c->args[2], c->args[3]);
    case PTRACE_INTERRUPT:
        return interrupt(pid);
    case PTRACE_KILL:
        return kill_tracee(pid);
    }
    struct tracee *e = tracee_of(pid, true);
    return e ? of_stopped(request, e, c->args[2], c->args[3]) : -ESRCH;
}
