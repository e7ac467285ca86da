// SPDX-License-Identifier: MIT
// kill(2): to a process, a group or everybody, on any node.
#include "lib/errno.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/group.h"
#include "ssi/process/priv.h"
#include "ssi/process/remote.h"

bool signal_permitted(const struct process *from, const struct process *to, int signal)
{
    const struct credentials *a = process_acting(from), *b = &to->cred;
    if (credentials_can(a, CAP_KILL) || a->euid == b->suid || a->euid == b->uid ||
        a->uid == b->suid || a->uid == b->uid)
        return true;
    return signal == SIGCONT && from->sid == to->sid;
}

// By the id of any of its threads, as kill(2) has it on Linux; on its own node only.
static struct process *whose(int32_t id)
{
    struct process *p = process_find(id);
    const struct task *t = p ? NULL : task_find(id);
    return t ? t->process : p;
}

static int kill_one(const struct process *from, int32_t pid, const struct signal_info *info)
{
    struct process *p = whose(pid);
    if (!p || p->state == PROCESS_MOVING)
        return pid == PID_CLUSTER ? kill_init(from) : remote_signal(from, pid, 0, info);
    if (!signal_permitted(from, p, info->signal))
        return -EPERM;
    return info->signal ? signal_post_process(p, info) : 0;
}

int signal_kill(const struct process *from, int32_t pid, const struct signal_info *info)
{
    if (pid > 0)
        return kill_one(from, pid, info);
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid == -1)
        return group_kill(from, GROUP_EVERYBODY, info);
    return group_kill(from, pid ? -pid : from->pgrp, info);
}

int signal_thread(const struct process *from, int32_t pid, int32_t tid,
                  const struct signal_info *info)
{
    struct task *t = task_find(tid);
    struct process *p = t ? t->process : process_find(pid);
    if (p && pid && p->pid != pid)
        return -ESRCH;
    if (p == NULL || p->state == PROCESS_MOVING)
        return remote_signal(from, p ? p->pid : pid, tid, info);
    if (t == NULL)
        return -ESRCH;
    if (!signal_permitted(from, p, info->signal))
        return -EPERM;
    return info->signal ? signal_post_task(t, info) : 0;
}
