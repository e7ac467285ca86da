// SPDX-License-Identifier: MIT
#include "ssi/process/rseq.h"
#include "lib/errno.h"
#include "mm/user.h"
#include "ssi/process/linux_abi.h"

#define BYTES_MIN        32u // what Linux takes at least, and as it is aligned
#define CPU_UNREGISTERED UINT32_MAX
#define CPU_UNKNOWN      UINT32_MAX // not written yet
#define WORD_SECTION     8u         // 64 bits: address of the critical section, or 0
#define WORD_FLAGS       16u
#define SIGNATURE_BYTES  4u // before where an interrupted section goes on

struct section {
    uint32_t version, flags;
    uint64_t start, bytes, abort;
} PACKED;
STATIC_ASSERT(sizeof(struct section) == 32, "struct rseq_cs");

static int registered_check(const struct task *t, uint32_t at, uint32_t bytes, uint32_t signature)
{
    if (t->rseq_at != at || t->rseq_bytes != bytes)
        return -EINVAL;
    return t->rseq_signature == signature ? 0 : -EPERM;
}

int rseq_register(struct task *t, uint32_t at, uint32_t bytes, uint32_t signature)
{
    static const uint64_t none;
    if (t->rseq_at) {
        int e = registered_check(t, at, bytes, signature);
        return e < 0 ? e : -EBUSY;
    }
    if (bytes < BYTES_MIN || at % BYTES_MIN)
        return -EINVAL;
    if (at >= USER_TOP || bytes > USER_TOP - at)
        return -EFAULT;
    int e = user_write(at + WORD_SECTION, &none, sizeof(none));
    if (e < 0)
        return e;
    t->rseq_at = at;
    t->rseq_bytes = bytes;
    t->rseq_signature = signature;
    t->rseq_cpu = CPU_UNKNOWN;
    t->rseq_due = true;
    return 0;
}

int rseq_unregister(struct task *t, uint32_t at, uint32_t bytes, uint32_t signature)
{
    static const uint32_t words[2] = {0, CPU_UNREGISTERED};
    int e = t->rseq_at ? registered_check(t, at, bytes, signature) : -EINVAL;
    if (e == 0)
        e = user_write(at, words, sizeof(words));
    if (e < 0)
        return e;
    t->rseq_at = 0;
    t->rseq_due = false;
    return 0;
}

// Written on the CPU that it names: the write may have slept.
static int tell_cpu(struct task *t)
{
    uint32_t cpu;
    while ((cpu = arch_cpu_id()) != t->rseq_cpu) {
        uint32_t words[2] = {cpu, cpu};
        int e = user_write(t->rseq_at, words, sizeof(words));
        if (e < 0)
            return e;
        t->rseq_cpu = cpu;
    }
    return 0;
}

static bool makes_sense(const struct section *s)
{
    return s->version == 0 && s->start < USER_TOP && s->bytes < USER_TOP - s->start &&
           s->abort < USER_TOP && s->abort - s->start >= s->bytes;
}

// What was in the middle of it goes on at its abort address, and it is no longer the current one.
static int leave_section(struct task *t, uint64_t at)
{
    static const uint64_t none;
    struct section s;
    uint32_t signature, flags;
    int e = at < USER_TOP ? user_read(&s, (uint32_t)at, sizeof(s)) : -EFAULT;
    if (e < 0)
        return e;
    if (!makes_sense(&s))
        return -EINVAL;
    e = user_read(&signature, (uint32_t)s.abort - SIGNATURE_BYTES, sizeof(signature));
    if (e < 0)
        return e;
    if (signature != t->rseq_signature)
        return -EINVAL;
    bool inside = t->regs->eip - s.start < s.bytes;
    if (inside) {
        e = user_read(&flags, t->rseq_at + WORD_FLAGS, sizeof(flags));
        if (e < 0 || (s.flags | flags))
            return e < 0 ? e : -EINVAL;
    }
    e = user_write(t->rseq_at + WORD_SECTION, &none, sizeof(none));
    if (e == 0 && inside)
        t->regs->eip = (uint32_t)s.abort;
    return e;
}

int rseq_attend(struct task *t)
{
    uint64_t at;
    t->rseq_due = false;
    int e = user_read(&at, t->rseq_at + WORD_SECTION, sizeof(at));
    if (e == 0 && at)
        e = leave_section(t, at);
    if (e == 0)
        e = tell_cpu(t);
    if (e == -EINTR)
        t->rseq_due = true;
    return e;
}

void rseq_return(struct task *t)
{
    int e = rseq_attend(t);
    if (e < 0 && e != -EINTR)
        signal_force(t, &(struct signal_info){.signal = SIGSEGV, .code = SI_KERNEL});
}

void rseq_restart_all(const struct space *s)
{
    for (struct process *p = process_next(0); p; p = process_next(p->pid)) {
        struct task *t;
        if (p->space != s)
            continue;
        list_for_each (t, &p->tasks, link)
            t->rseq_due = t->rseq_at != 0;
    }
    arch_space_interrupt(&s->arch);
}
