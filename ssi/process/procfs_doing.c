// SPDX-License-Identifier: MIT
// What a process has read and written, and which system call it is in (proc(5)).
#include "ssi/process/procfs_priv.h"

// Of the process, also where a thread is asked for. Nothing comes from a disk or goes to one.
int proc_show_io(int32_t pid, struct process *p, struct text *t)
{
    struct usage u;
    (void)pid;
    usage_of_process(p, &u);
    usage_add(&u, &p->reaped);
    text_add(t, "rchar: %llu\nwchar: %llu\nsyscr: %u\nsyscw: %u\n",
             (unsigned long long)u.read_bytes, (unsigned long long)u.written_bytes, u.reads,
             u.writes);
    text_add(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return 0;
}

int proc_show_syscall(int32_t pid, struct process *p, struct text *t)
{
    const struct task *task = task_find(pid);
    bool runs = task == NULL || task->process != p ||
                (task != task_current() &&
                 (task->thread->state == THREAD_RUNNING || task->thread->state == THREAD_READY));
    if (runs) {
        text_add(t, "running\n");
        return 0;
    }
    if (!task->call.active) {
        text_add(t, "-1 0x%x 0x%x\n", task->regs->esp, task->regs->eip);
        return 0;
    }
    text_add(t, "%u", task->call.number);
    for (unsigned k = 0; k < ARRAY_SIZE(task->call.args); k++)
        text_add(t, " 0x%x", task->call.args[k]);
    text_add(t, " 0x%x 0x%x\n", task->regs->esp, task->regs->eip);
    return 0;
}

int proc_show_personality(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    text_add(t, "%08x\n", p->personality);
    return 0;
}
