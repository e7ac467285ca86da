// SPDX-License-Identifier: MIT
// /proc/sysvipc (proc(5)): the System V objects of the cluster, as their home tells.
#include "ssi/process/ipc.h"
#include "ssi/process/procfs_priv.h"

#define FILE_R 0100444u

// A line of each object of a kind, in the order of their indexes.
static void each(struct text *t, enum ipc_kind kind,
                 void (*line)(struct text *t, const struct ipc_facts *f))
{
    struct ipc_info info;
    struct ipc_ask a = {.kind = kind, .op = IPC_OP_INFO};
    long highest = ipc_ask(&a, NULL, &info, sizeof(info), NULL);
    for (long k = 0; k <= highest && !t->cut; k++) {
        struct ipc_facts f;
        size_t got;
        a = (struct ipc_ask){
            .kind = kind, .op = IPC_OP_STAT, .id = (int32_t)k, .flags = IPC_STAT_ANY};
        if (ipc_ask(&a, NULL, &f, sizeof(f), &got) >= 0 && got == sizeof(f))
            line(t, &f);
    }
}

static void memory_line(struct text *t, const struct ipc_facts *f)
{
    text_add(t, "%10d %10d  %4o %10u %5d %5d  %5u %5u %5u %5u %5u %10lld %10lld %10lld %10u %10u\n",
             f->key, f->id, f->mode, f->size, f->created_by, f->last_by, f->users, f->uid, f->gid,
             f->cuid, f->cgid, (long long)f->times_s[0], (long long)f->times_s[1],
             (long long)f->times_s[2], 0, 0);
}

// Where its pages are is each node's own: rss and swap are 0.
static void show_memory(struct text *t)
{
    text_add(t, "       key      shmid perms       size  cpid  lpid nattch   uid   gid  cuid  cgid"
                "      atime      dtime      ctime        rss       swap\n");
    each(t, IPC_KIND_SHM, memory_line);
}

static void semaphores_line(struct text *t, const struct ipc_facts *f)
{
    text_add(t, "%10d %10d  %4o %10u %5u %5u %5u %5u %10lld %10lld\n", f->key, f->id, f->mode,
             f->size, f->uid, f->gid, f->cuid, f->cgid, (long long)f->times_s[0],
             (long long)f->times_s[2]);
}

static void show_semaphores(struct text *t)
{
    text_add(t, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      "
                "ctime\n");
    each(t, IPC_KIND_SEM, semaphores_line);
}

static void queue_line(struct text *t, const struct ipc_facts *f)
{
    text_add(t, "%10d %10d  %4o  %10u %10u %5d %5d %5u %5u %5u %5u %10lld %10lld %10lld\n", f->key,
             f->id, f->mode, f->bytes, f->users, f->last_by, f->last_taker, f->uid, f->gid, f->cuid,
             f->cgid, (long long)f->times_s[0], (long long)f->times_s[1], (long long)f->times_s[2]);
}

static void show_queues(struct text *t)
{
    text_add(t, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  "
                "cgid      stime      rtime      ctime\n");
    each(t, IPC_KIND_MSG, queue_line);
}

const struct proc_row proc_ipc_rows[] = {
    {"msg", FILE_R, show_queues, NULL},
    {"sem", FILE_R, show_semaphores, NULL},
    {"shm", FILE_R, show_memory, NULL},
    {NULL, 0, NULL, NULL},
};
