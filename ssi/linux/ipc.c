// SPDX-License-Identifier: MIT
// System V IPC: ipc(2) with its sub-calls, and the direct numbers.
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/linux/ipc_abi.h"
#include "ssi/linux/linux.h"
#include "ssi/process/ipc.h"

#define NO_TIMEOUT UINT64_MAX

// ---- shared ------------------------------------------------------------------------------------
static long get(enum ipc_kind kind, uint32_t key, uint32_t size, uint32_t flags)
{
    struct ipc_ask a = {.kind = (uint16_t)kind,
                        .op = IPC_OP_GET,
                        .id = (int32_t)key,
                        .a = size,
                        .flags = flags & 07777};
    return ipc_ask(&a, NULL, NULL, 0, NULL);
}

// What comes back has to be all of it: the home may be another node.
static long ask_facts(struct ipc_ask *a, void *out, size_t n)
{
    size_t got;
    long r = ipc_ask(a, NULL, out, n, &got);
    return r >= 0 && got != n ? -EIDRM : r;
}

static struct ipc64_perm perm_of(const struct ipc_facts *f)
{
    return (struct ipc64_perm){.key = f->key,
                               .uid = f->uid,
                               .gid = f->gid,
                               .cuid = f->cuid,
                               .cgid = f->cgid,
                               .mode = (uint16_t)f->mode,
                               .seq = (uint16_t)f->seq};
}

static int facts_out(enum ipc_kind kind, const struct ipc_facts *f, uint32_t to)
{
    union {
        struct shmid64_ds shm;
        struct semid64_ds sem;
        struct msqid64_ds msg;
    } d;
    memset(&d, 0, sizeof(d));
    size_t n = sizeof(d.shm);
    switch (kind) {
    case IPC_KIND_SHM:
        d.shm = (struct shmid64_ds){perm_of(f),    f->size,       f->times_s[0],
                                    f->times_s[1], f->times_s[2], f->created_by,
                                    f->last_by,    f->users,      {0, 0}};
        break;
    case IPC_KIND_SEM:
        n = sizeof(d.sem);
        d.sem = (struct semid64_ds){perm_of(f), f->times_s[0], f->times_s[2], f->size, {0, 0}};
        break;
    case IPC_KIND_MSG:
        n = sizeof(d.msg);
        d.msg =
            (struct msqid64_ds){perm_of(f), f->times_s[0], f->times_s[1], f->times_s[2], f->bytes,
                                f->users,   f->size,       f->last_by,    f->last_taker, {0, 0}};
        break;
    case IPC_KINDS:
        break;
    }
    return user_write(to, &d, n);
}

static long stat_call(enum ipc_kind kind, uint32_t id, enum ipc_stat how, uint32_t to)
{
    struct ipc_facts f;
    struct ipc_ask a = {.kind = (uint16_t)kind, .op = IPC_OP_STAT, .id = (int32_t)id, .flags = how};
    long r = ask_facts(&a, &f, sizeof(f));
    if (r < 0)
        return r;
    r = facts_out(kind, &f, to);
    return r < 0 ? r : how == IPC_STAT_BY_ID ? 0 : f.id;
}

static long set_call(enum ipc_kind kind, uint32_t id, uint32_t from)
{
    struct msqid64_ds d;
    size_t n = kind == IPC_KIND_SHM   ? sizeof(struct shmid64_ds)
               : kind == IPC_KIND_SEM ? sizeof(struct semid64_ds)
                                      : sizeof(d);
    memset(&d, 0, sizeof(d));
    int e = user_read(&d, from, MIN(n, sizeof(d)));
    if (e < 0)
        return e;
    struct ipc_ask a = {.kind = (uint16_t)kind,
                        .op = IPC_OP_SET,
                        .id = (int32_t)id,
                        .a = d.perm.uid,
                        .b = d.perm.gid,
                        .c = kind == IPC_KIND_MSG ? d.qbytes : 0,
                        .flags = d.perm.mode};
    return ipc_ask(&a, NULL, NULL, 0, NULL);
}

static long info_call(enum ipc_kind kind, bool used, uint32_t to)
{
    struct ipc_info i;
    struct ipc_ask a = {.kind = (uint16_t)kind, .op = IPC_OP_INFO};
    long r = ask_facts(&a, &i, sizeof(i));
    if (r < 0)
        return r;
    struct seminfo sem = {0, IPC_IDS_MAX,   IPC_SEMS_ALL, 0, IPC_SEMS_MAX, IPC_SEMOPS, 0,
                          0, IPC_SEM_VALUE, IPC_SEM_VALUE};
    struct shminfo64 shm = {USER_TOP, 1, IPC_IDS_MAX, IPC_IDS_MAX, USER_TOP / PAGE_SIZE, {0}};
    struct shm_info shm_used = {(int32_t)i.objects, i.units, i.units, 0, 0, 0};
    struct msginfo msg = {.msgmax = IPC_MSG_MAX, .msgmnb = IPC_QUEUE_MAX, .msgmni = IPC_IDS_MAX};
    if (used && kind == IPC_KIND_SEM) {
        sem.semusz = (int32_t)i.objects;
        sem.semaem = (int32_t)i.units;
    }
    if (used && kind == IPC_KIND_MSG) {
        msg.msgpool = (int32_t)i.objects;
        msg.msgmap = (int32_t)i.units;
        msg.msgtql = (int32_t)i.bytes;
    }
    int e = kind == IPC_KIND_SEM   ? user_write(to, &sem, sizeof(sem))
            : kind == IPC_KIND_MSG ? user_write(to, &msg, sizeof(msg))
            : used                 ? user_write(to, &shm_used, sizeof(shm_used))
                                   : user_write(to, &shm, sizeof(shm));
    return e < 0 ? e : r;
}

// The commands that all three kinds have; -ENOTTY: another one.
static long control(enum ipc_kind kind, uint32_t id, uint32_t command, uint32_t arg)
{
    struct ipc_ask a = {.kind = (uint16_t)kind, .op = IPC_OP_REMOVE, .id = (int32_t)id};
    switch (command) {
    case IPC_RMID:
        return ipc_ask(&a, NULL, NULL, 0, NULL);
    case IPC_SET:
        return set_call(kind, id, arg);
    case IPC_STAT:
        return stat_call(kind, id, IPC_STAT_BY_ID, arg);
    case IPC_INFO:
        return info_call(kind, false, arg);
    }
    return -ENOTTY;
}

// ---- semaphores --------------------------------------------------------------------------------
// `bad`: what is wrong with the time, which is told behind what is wrong with the operations.
static long sem_op(struct call *c, uint32_t id, uint32_t at, uint32_t count, uint64_t relative_ns,
                   int bad)
{
    if (count > IPC_SEMOPS)
        return -E2BIG;
    if (count < 1)
        return -EINVAL;
    struct ipc_ask a = {.kind = IPC_KIND_SEM,
                        .op = IPC_OP_SEM_DO,
                        .id = (int32_t)id,
                        .in_bytes = count * (uint32_t)sizeof(struct ipc_sembuf)};
    struct ipc_sembuf *ops = heap_alloc(a.in_bytes);
    if (ops == NULL)
        return -ENOMEM;
    long r = user_read(ops, at, a.in_bytes);
    if (r == 0)
        r = (int32_t)id < 0 ? -EINVAL : bad;
    if (r == 0) {
        uint64_t until = linux_deadline_local(linux_deadline(c, relative_ns));
        r = ipc_ask_waiting(&a, ops, NULL, 0, NULL, until);
    }
    heap_free(ops);
    if (r == 1)
        process_current()->ipc_undoes = true;
    return MIN(r, 0);
}

static long sem_timed_op(struct call *c, uint32_t timeout_at, bool wide)
{
    uint64_t ns = NO_TIMEOUT;
    bool direct = c->number != LINUX_NR_ipc;
    int e = timeout_at ? linux_timespec_in(timeout_at, wide, &ns) : 0;
    if (e == -EFAULT)
        return e;
    return direct ? sem_op(c, c->args[0], c->args[1], c->args[2], ns, e)
                  : sem_op(c, c->args[1], c->args[4], c->args[2], ns, e);
}

static long sem_values(uint32_t id, bool set, uint32_t at)
{
    struct ipc_facts f;
    struct ipc_ask a = {.kind = IPC_KIND_SEM, .op = IPC_OP_STAT, .id = (int32_t)id, .a = set};
    long r = ask_facts(&a, &f, sizeof(f));
    if (r < 0)
        return r;
    size_t n = MIN(f.size, IPC_SEMS_MAX) * sizeof(uint16_t);
    uint16_t *values = heap_zalloc(n);
    if (values == NULL)
        return -ENOMEM;
    a = (struct ipc_ask){.kind = IPC_KIND_SEM,
                         .op = set ? IPC_OP_SEM_SET_ALL : IPC_OP_SEM_ALL,
                         .id = (int32_t)id,
                         .in_bytes = set ? (uint32_t)n : 0};
    r = set ? user_read(values, at, n) : 0;
    if (r == 0)
        r = ipc_ask(&a, values, set ? NULL : values, n, NULL);
    if (r == 0 && !set)
        r = user_write(at, values, n);
    heap_free(values);
    return r;
}

static long sem_control(uint32_t id, uint32_t number, uint32_t command, uint32_t arg)
{
    static const uint16_t asks[] = {[SEM_GETPID] = IPC_OP_SEM_PID,
                                    [SEM_GETVAL] = IPC_OP_SEM_VALUE,
                                    [SEM_GETNCNT] = IPC_OP_SEM_WAIT_MORE,
                                    [SEM_GETZCNT] = IPC_OP_SEM_WAIT_ZERO,
                                    [SEM_SETVAL] = IPC_OP_SEM_SET};
    struct ipc_ask a = {.kind = IPC_KIND_SEM, .id = (int32_t)id, .a = number, .b = arg};
    if ((int32_t)id < 0)
        return -EINVAL;
    switch (command) {
    case SEM_GETPID:
    case SEM_GETVAL:
    case SEM_GETNCNT:
    case SEM_GETZCNT:
    case SEM_SETVAL:
        if (command == SEM_SETVAL && arg > IPC_SEM_VALUE)
            return -ERANGE;
        a.op = asks[command];
        return ipc_ask(&a, NULL, NULL, 0, NULL);
    case SEM_GETALL:
    case SEM_SETALL:
        return sem_values(id, command == SEM_SETALL, arg);
    case SEM_STAT:
        return stat_call(IPC_KIND_SEM, id, IPC_STAT_BY_INDEX, arg);
    case SEM_STAT_ANY:
        return stat_call(IPC_KIND_SEM, id, IPC_STAT_ANY, arg);
    case SEM_INFO:
        return info_call(IPC_KIND_SEM, true, arg);
    }
    long r = control(IPC_KIND_SEM, id, command, arg);
    return r == -ENOTTY ? -EINVAL : r;
}

// ---- messages ----------------------------------------------------------------------------------
static long message_send(uint32_t id, uint32_t at, uint32_t n, uint32_t flags)
{
    int32_t type;
    long r = user_read(&type, at, sizeof(type));
    if (r < 0)
        return r;
    if (n > IPC_MSG_MAX || (int32_t)id < 0 || type < 1)
        return -EINVAL;
    uint8_t *bytes = heap_alloc(MAX(n, 1));
    if (bytes == NULL)
        return -ENOMEM;
    r = user_read(bytes, at + (uint32_t)sizeof(type), n);
    struct ipc_ask a = {.kind = IPC_KIND_MSG,
                        .op = IPC_OP_MSG_SEND,
                        .id = (int32_t)id,
                        .a = (uint32_t)type,
                        .in_bytes = n};
    if (r == 0)
        r = flags & IPC_NOWAIT_FLAG ? ipc_ask(&a, bytes, NULL, 0, NULL)
                                    : ipc_ask_waiting(&a, bytes, NULL, 0, NULL, WAIT_FOREVER);
    heap_free(bytes);
    return r;
}

static long message_take(uint32_t id, uint32_t at, uint32_t n, uint32_t type, uint32_t flags)
{
    if ((int32_t)n < 0 || (int32_t)id < 0)
        return -EINVAL;
    if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT_FLAG)))
        return -EINVAL;
    uint32_t room = MIN(n, IPC_MSG_MAX);
    uint8_t *bytes = heap_alloc(sizeof(type) + IPC_MSG_MAX);
    if (bytes == NULL)
        return -ENOMEM;
    struct ipc_ask a = {.kind = IPC_KIND_MSG,
                        .op = IPC_OP_MSG_TAKE,
                        .id = (int32_t)id,
                        .a = type,
                        .b = room,
                        .flags = flags};
    size_t size = sizeof(type) + IPC_MSG_MAX, got = 0;
    long r = flags & IPC_NOWAIT_FLAG ? ipc_ask(&a, NULL, bytes, size, &got)
                                     : ipc_ask_waiting(&a, NULL, bytes, size, &got, WAIT_FOREVER);
    if (r >= 0 && user_write(at, bytes, MIN(got, size)) < 0)
        r = -EFAULT; // and the message is lost, as on Linux
    heap_free(bytes);
    return r;
}

static long message_control(uint32_t id, uint32_t command, uint32_t arg)
{
    if ((int32_t)id < 0)
        return -EINVAL;
    switch (command) {
    case MSG_STAT:
        return stat_call(IPC_KIND_MSG, id, IPC_STAT_BY_INDEX, arg);
    case MSG_STAT_ANY:
        return stat_call(IPC_KIND_MSG, id, IPC_STAT_ANY, arg);
    case MSG_INFO:
        return info_call(IPC_KIND_MSG, true, arg);
    }
    long r = control(IPC_KIND_MSG, id, command, arg);
    return r == -ENOTTY ? -EINVAL : r;
}

// ---- shared memory -----------------------------------------------------------------------------
// The address that shmat(2) is given, as it means it: 0 for any; -EINVAL.
static long hint_of(uint32_t hint, uint32_t flags)
{
    if (hint == 0)
        return flags & SHM_REMAP ? -EINVAL : 0;
    if (hint % PAGE_SIZE && !(flags & SHM_RND))
        return -EINVAL;
    hint -= hint % PAGE_SIZE;
    return hint == 0 || hint >= USER_TOP ? -EINVAL : (long)hint;
}

static long place_for(uint32_t hint, uint32_t bytes, uint32_t flags)
{
    struct space *s = process_current()->space;
    if (hint == 0) {
        hint = space_hole(s, 0, bytes);
        return hint ? (long)hint : -ENOMEM;
    }
    if (bytes > USER_TOP - hint)
        return -EINVAL;
    const struct segment *g = flags & SHM_REMAP ? NULL : space_find_from(s, hint);
    return g && g->start < hint + bytes ? -EINVAL : (long)hint;
}

static int map_memory(struct container *c, uint32_t id, uint32_t bytes, uint32_t hint,
                      uint32_t flags, uint32_t *at)
{
    struct process *p = process_current();
    unsigned prot = PROT_R | (flags & SHM_RDONLY ? 0 : PROT_W) | (flags & SHM_EXEC ? PROT_X : 0);
    uint32_t size = ALIGN_UP(bytes, PAGE_SIZE);
    container_space_settle(p->space);
    long place = place_for(hint, size, flags);
    if (place < 0 && place > -4096)
        return (int)place;
    *at = (uint32_t)place;
    int e = ipc_shm_attached(p, (int32_t)id, *at);
    if (e < 0)
        return e;
    e = space_map(p->space, *at, size, prot, SEGMENT_SHARED, c, 0, &container_segment_ops, NULL);
    if (e < 0) {
        struct list *l = p->shm.prev;
        list_remove(l);
        heap_free(list_entry(l, struct shm_attachment, link));
    }
    return e;
}

static long memory_attach(uint32_t id, uint32_t hint, uint32_t flags, uint32_t *at)
{
    struct ipc_shm m;
    struct container *c = NULL;
    struct ipc_ask a = {.kind = IPC_KIND_SHM,
                        .op = IPC_OP_SHM_ATTACH,
                        .id = (int32_t)id,
                        .flags = (flags & SHM_RDONLY ? 0 : 0222) | (flags & SHM_EXEC ? 0111 : 0)};
    long r = (int32_t)id < 0 ? -EINVAL : hint_of(hint, flags);
    if (r < 0 && r > -4096)
        return r;
    hint = (uint32_t)r;
    r = ask_facts(&a, &m, sizeof(m));
    if (r < 0)
        return r;
    if (m.here && cluster_fs_home() != cluster_self())
        return -EIDRM; // no node tells another what lies where
    if (m.here)
        memcpy(&c, &m.ref, sizeof(c));
    else
        c = container_import(&m.ref);
    int e = c ? map_memory(c, id, m.bytes, hint, flags, at) : -ENOMEM;
    if (e < 0) {
        if (c)
            container_put(c);
        a.op = IPC_OP_SHM_ADJUST;
        a.a = UINT32_MAX; // one less
        a.b = (uint32_t)m.was_by;
        a.c = m.was_s;
        a.flags = 1;
        (void)ipc_ask(&a, NULL, NULL, 0, NULL);
    }
    return e;
}

static long memory_detach(uint32_t at)
{
    struct process *p = process_current();
    struct shm_attachment *s, *found = NULL;
    container_space_settle(p->space);
    list_for_each (s, &p->shm, link)
        if (s->at == at)
            found = s;
    if (found == NULL)
        return -EINVAL;
    const struct segment *g = space_find(p->space, at);
    if (g && g->start == at && (g->flags & SEGMENT_SHARED))
        (void)space_unmap(p->space, at, g->end - g->start);
    ipc_shm_detached(p, found);
    return 0;
}

static long memory_control(uint32_t id, uint32_t command, uint32_t arg)
{
    struct ipc_ask a = {
        .kind = IPC_KIND_SHM, .op = IPC_OP_SHM_LOCK, .id = (int32_t)id, .a = command == SHM_LOCK};
    if ((int32_t)id < 0)
        return -EINVAL;
    switch (command) {
    case SHM_STAT:
        return stat_call(IPC_KIND_SHM, id, IPC_STAT_BY_INDEX, arg);
    case SHM_STAT_ANY:
        return stat_call(IPC_KIND_SHM, id, IPC_STAT_ANY, arg);
    case SHM_INFO:
        return info_call(IPC_KIND_SHM, true, arg);
    case SHM_LOCK:
    case SHM_UNLOCK:
        return ipc_ask(&a, NULL, NULL, 0, NULL);
    }
    long r = control(IPC_KIND_SHM, id, command, arg);
    return r == -ENOTTY ? -EINVAL : r;
}

// ---- ipc(2) ------------------------------------------------------------------------------------
static long attach_by_ipc(const struct call *c)
{
    uint32_t at;
    if (c->args[0] >> 16)
        return -EINVAL;
    long r = memory_attach(c->args[1], c->args[4], c->args[2], &at);
    return r < 0 ? r : user_write(c->args[3], &at, sizeof(at));
}

static long take_by_ipc(const struct call *c)
{
    uint32_t block[2]; // address, type
    if (c->args[0] >> 16)
        return message_take(c->args[1], c->args[4], c->args[2], c->args[5], c->args[3]);
    int e = c->args[4] ? user_read(block, c->args[4], sizeof(block)) : -EINVAL;
    return e < 0 ? e : message_take(c->args[1], block[0], c->args[2], block[1], c->args[3]);
}

static long control_by_ipc(const struct call *c)
{
    uint32_t arg, command = c->args[3] & ~IPC_64;
    int e = c->args[4] ? user_read(&arg, c->args[4], sizeof(arg)) : -EINVAL;
    return e < 0 ? e : sem_control(c->args[1], c->args[2], command, arg);
}

long sys_ipc(struct call *c)
{
    const uint32_t *a = c->args; // number, first, second, third, pointer, fifth
    switch (a[0] & 0xffff) {
    case CALL_SEMOP:
        return sem_timed_op(c, 0, false);
    case CALL_SEMTIMEDOP:
        return sem_timed_op(c, a[5], false);
    case CALL_SEMGET:
        return get(IPC_KIND_SEM, a[1], a[2], a[3]);
    case CALL_SEMCTL:
        return control_by_ipc(c);
    case CALL_MSGSND:
        return message_send(a[1], a[4], a[2], a[3]);
    case CALL_MSGRCV:
        return take_by_ipc(c);
    case CALL_MSGGET:
        return get(IPC_KIND_MSG, a[1], 0, a[2]);
    case CALL_MSGCTL:
        return message_control(a[1], a[2] & ~IPC_64, a[4]);
    case CALL_SHMAT:
        return attach_by_ipc(c);
    case CALL_SHMDT:
        return memory_detach(a[4]);
    case CALL_SHMGET:
        return get(IPC_KIND_SHM, a[1], a[2], a[3]);
    case CALL_SHMCTL:
        return memory_control(a[1], a[2] & ~IPC_64, a[4]);
    }
    return -ENOSYS;
}

// ---- the direct numbers ------------------------------------------------------------------------
// They know the newer structures alone: a command with IPC_64 is none of theirs.
long sys_semget(struct call *c)
{
    return get(IPC_KIND_SEM, c->args[0], c->args[1], c->args[2]);
}

long sys_semctl(struct call *c)
{
    return sem_control(c->args[0], c->args[1], c->args[2], c->args[3]);
}

long sys_semtimedop_time64(struct call *c)
{
    return sem_timed_op(c, c->args[3], true);
}

long sys_shmget(struct call *c)
{
    return get(IPC_KIND_SHM, c->args[0], c->args[1], c->args[2]);
}

long sys_shmctl(struct call *c)
{
    return memory_control(c->args[0], c->args[1], c->args[2]);
}

long sys_shmat(struct call *c)
{
    uint32_t at;
    long r = memory_attach(c->args[0], c->args[1], c->args[2], &at);
    return r < 0 ? r : (long)at;
}

long sys_shmdt(struct call *c)
{
    return memory_detach(c->args[0]);
}

long sys_msgget(struct call *c)
{
    return get(IPC_KIND_MSG, c->args[0], 0, c->args[1]);
}

long sys_msgsnd(struct call *c)
{
    return message_send(c->args[0], c->args[1], c->args[2], c->args[3]);
}

long sys_msgrcv(struct call *c)
{
    return message_take(c->args[0], c->args[1], c->args[2], c->args[3], c->args[4]);
}

long sys_msgctl(struct call *c)
{
    return message_control(c->args[0], c->args[1], c->args[2]);
}
