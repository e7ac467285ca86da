// SPDX-License-Identifier: MIT
// Sections task, fpu, rseq, ldt and affinity: the thread's registers, its system call in progress,
// its masks. What comes from outside is made safe as if a program had given it.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/process/ldt.h"

struct task_wire {
    int32_t tid;
    struct arch_regs regs;
    struct arch_tls tls;
    uint32_t call_number;
    uint32_t call_args[6];
    uint64_t call_deadline_ns, call_done;
    uint8_t call_body[32];
    uint8_t call_active, blocked_saved_valid;
    uint16_t io_priority;
    uint8_t policy, policy_reset, realtime;
    uint64_t blocked, blocked_saved;
    uint32_t altstack_at, altstack_bytes, altstack_flags;
    uint32_t clear_child_tid, robust_list;
    uint32_t slack_ns, slack_default_ns;
    uint8_t memory_errors, io_flusher;
} PACKED;

int task_write(struct ghost_job *job, struct ghost *g)
{
    const struct task *t = job->task;
    struct task_wire w = {
        .tid = t->tid,
        .regs = *t->regs,
        .tls = t->tls,
        .call_number = t->call.number,
        .call_deadline_ns = t->call.deadline_ns,
        .call_done = t->call.done,
        .call_active = t->call.active,
        .blocked_saved_valid = t->blocked_saved_valid,
        .blocked = t->blocked,
        .blocked_saved = t->blocked_saved,
        .policy = t->policy,
        .policy_reset = t->policy_reset,
        .realtime = t->realtime,
        .altstack_at = t->altstack_at,
        .altstack_bytes = t->altstack_bytes,
        .altstack_flags = t->altstack_flags,
        .clear_child_tid = t->clear_child_tid,
        .robust_list = t->robust_list,
        .io_priority = t->io_priority,
        .slack_ns = t->slack_ns,
        .slack_default_ns = t->slack_default_ns,
        .memory_errors = t->memory_errors,
        .io_flusher = t->io_flusher,
    };
    memcpy(w.call_args, t->call.args, sizeof(w.call_args));
    memcpy(w.call_body, t->call.body, sizeof(w.call_body));
    return GHOST_PUT(g, w);
}

int task_read(struct ghost_job *job, struct ghost *g)
{
    struct task_wire w;
    if (GHOST_TAKE(g, w) < 0)
        return -EPROTO;
    if (w.tid <= PID_CLUSTER || task_find(w.tid))
        return -EPROTO;
    struct task *t = task_new(job->process, w.tid);
    if (t == NULL)
        return -ENOMEM;
    job->task = t;
    t->start = w.regs;
    arch_regs_sanitise(&t->start);
    t->tls = w.tls;
    if (!arch_tls_sanitise(&t->tls))
        return -EPROTO;
    t->call = (struct call){
        .number = w.call_number,
        .deadline_ns = w.call_deadline_ns,
        .done = w.call_done,
        .active = w.call_active,
    };
    memcpy(t->call.args, w.call_args, sizeof(w.call_args));
    memcpy(t->call.body, w.call_body, sizeof(w.call_body));
    t->blocked_saved_valid = w.blocked_saved_valid;
    bool realtime = w.policy == TASK_POLICY_FIFO || w.policy == TASK_POLICY_RR;
    if (w.policy > TASK_POLICY_MAX || realtime != (w.realtime != 0) || w.realtime > 99)
        return -EPROTO;
    t->realtime = w.realtime;
    t->policy = w.policy;
    t->policy_reset = w.policy_reset != 0;
    t->blocked = w.blocked;
    t->blocked_saved = w.blocked_saved;
    t->altstack_at = w.altstack_at;
    t->altstack_bytes = w.altstack_bytes;
    t->altstack_flags = w.altstack_flags;
    t->clear_child_tid = w.clear_child_tid;
    t->robust_list = w.robust_list;
    t->io_priority = w.io_priority;
    t->slack_ns = w.slack_ns;
    t->slack_default_ns = w.slack_default_ns;
    t->memory_errors = w.memory_errors;
    t->io_flusher = w.io_flusher != 0;
    return 0;
}

// The FPU state of the task that runs this is in the CPU.
int fpu_write(struct ghost_job *job, struct ghost *g)
{
    if (job->task == task_current())
        arch_fpu_save(&job->task->fpu);
    return GHOST_PUT(g, job->task->fpu);
}

int fpu_read(struct ghost_job *job, struct ghost *g)
{
    if (job->task == NULL || GHOST_TAKE(g, job->task->fpu) < 0)
        return -EPROTO;
    arch_fpu_sanitise(&job->task->fpu);
    return 0;
}

struct rseq_wire {
    uint32_t at, bytes, signature, barriers;
} PACKED;

int rseq_write(struct ghost_job *job, struct ghost *g)
{
    const struct task *t = job->task;
    struct rseq_wire w = {t->rseq_at, t->rseq_bytes, t->rseq_signature,
                          job->process->space->barriers};
    return GHOST_PUT(g, w);
}

// Whatever it was doing, it is on another CPU now.
int rseq_read(struct ghost_job *job, struct ghost *g)
{
    struct rseq_wire w;
    if (job->task == NULL || job->process->space == NULL || GHOST_TAKE(g, w) < 0 ||
        w.at >= USER_TOP || w.barriers > UINT16_MAX)
        return -EPROTO;
    job->task->rseq_at = w.at;
    job->task->rseq_bytes = w.bytes;
    job->task->rseq_signature = w.signature;
    job->task->rseq_cpu = UINT32_MAX;
    job->task->rseq_due = w.at != 0;
    job->process->space->barriers = (uint16_t)w.barriers;
    return 0;
}

int ldt_write(struct ghost_job *job, struct ghost *g)
{
    const struct ldt *l = job->process->ldt;
    uint32_t count = l ? l->count : 0;
    int e = GHOST_PUT(g, count);
    return e < 0 || count == 0 ? e : ghost_put(g, l->desc, count * sizeof(l->desc[0]));
}

int ldt_read(struct ghost_job *job, struct ghost *g)
{
    uint32_t count, desc[2];
    if (job->task == NULL || GHOST_TAKE(g, count) < 0 || count > LDT_ENTRIES)
        return -EPROTO;
    for (uint32_t k = 0; k < count; k++) {
        if (GHOST_TAKE(g, desc) < 0 || !arch_ldt_entry_good(desc))
            return -EPROTO;
        int e = ldt_set(job->process, k, desc);
        if (e < 0)
            return e;
    }
    return 0;
}

int affinity_write(struct ghost_job *job, struct ghost *g)
{
    return GHOST_PUT(g, job->task->thread->affinity);
}

// CPUs that this node has not are no reason to stay away: then all of them will do.
int affinity_read(struct ghost_job *job, struct ghost *g)
{
    uint32_t mask;
    if (job->task == NULL || GHOST_TAKE(g, mask) < 0)
        return -EPROTO;
    if (!thread_affinity_set(job->task->thread, mask))
        job->task->thread->affinity = UINT32_MAX;
    return 0;
}
