// SPDX-License-Identifier: MIT
// Owners of open files (fcntl(2), "Managing signals"): F_SETOWN and its like, O_ASYNC.
#include "ssi/linux/file_owner.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/fs/owner.h"
#include "ssi/linux/file.h"
#include "ssi/process/group.h"
#include "ssi/process/priv.h"
#include "ssi/stream/ioctls.h"

struct linux_owner { // struct f_owner_ex of the ABI
    int32_t type, pid;
} PACKED;

// Is the number that of a process, thread or group?
static bool id_lives(int32_t id)
{
    const struct process *me = process_current();
    const struct signal_info nothing = {.signal = 0};
    return task_find(id) || signal_kill(me, id, &nothing) != -ESRCH ||
           (id > 1 && group_kill(me, id, &nothing) != -ESRCH);
}

static bool owner_lives(const struct file_owner_facts *o)
{
    const struct process *me = process_current();
    const struct signal_info nothing = {.signal = 0};
    switch (o->type) {
    case OWNER_TASK:
        return task_find(o->id) || signal_kill(me, o->process, &nothing) != -ESRCH;
    case OWNER_PROCESS:
        return signal_kill(me, o->id, &nothing) != -ESRCH;
    }
    return o->id == 1 || group_kill(me, o->id, &nothing) != -ESRCH;
}

static long change(struct file *f, uint32_t what, int fd, const struct file_owner_facts *to)
{
    struct owner_change c = {.what = what, .fd = fd, .to = *to};
    struct file_owner_facts now;
    return file_owner_change(f, &c, &now);
}

static struct file_owner_facts owner_by_me(int32_t type, int32_t id)
{
    const struct credentials *me = task_current()->cred;
    const struct task *t = type == OWNER_TASK ? task_find(id) : NULL;
    return (struct file_owner_facts){.type = type,
                                     .id = id,
                                     .process = t ? t->process->pid : id,
                                     .uid = me->uid,
                                     .euid = me->euid};
}

static long owner_change(struct file *f, int32_t type, int32_t id)
{
    if (id < 0 || (id != 0 && !id_lives(id)))
        return -ESRCH;
    struct file_owner_facts to = owner_by_me(type, id);
    return change(f, OWNER_SET_WHO, 0, &to);
}

// What holds; an owner that is gone is none.
static long owner_now(struct file *f, struct file_owner_facts *o)
{
    struct owner_change c = {.what = 0};
    int e = file_owner_change(f, &c, o);
    if (e == 0 && o->id && !owner_lives(o))
        o->id = 0;
    return e;
}

long file_owner_number_set(struct file *f, int32_t who)
{
    if (who == INT32_MIN)
        return -EINVAL;
    return owner_change(f, who < 0 ? OWNER_GROUP : OWNER_PROCESS, who < 0 ? -who : who);
}

long file_owner_number(struct file *f, int32_t *who)
{
    struct file_owner_facts o;
    long e = owner_now(f, &o);
    if (e == 0)
        *who = o.type == OWNER_GROUP ? -o.id : o.id;
    return e;
}

static long set_ex(struct file *f, uint32_t user)
{
    struct linux_owner o;
    int e = user_read(&o, user, sizeof(o));
    if (e < 0)
        return e;
    if (o.type < OWNER_TASK || o.type > OWNER_GROUP)
        return -EINVAL;
    return owner_change(f, o.type, o.pid);
}

static long get_ex(struct file *f, uint32_t user)
{
    struct file_owner_facts now;
    long e = owner_now(f, &now);
    struct linux_owner o = {now.type, now.id};
    return e < 0 ? e : user_write(user, &o, sizeof(o));
}

static long get_uids(struct file *f, uint32_t user)
{
    struct owner_change c = {.what = 0};
    struct file_owner_facts now;
    int e = file_owner_change(f, &c, &now);
    uint32_t ids[2] = {now.uid, now.euid};
    return e < 0 ? e : user_write(user, ids, sizeof(ids));
}

static long signal_change(struct file *f, uint32_t signal)
{
    if (signal > OWNER_SIGNAL_MAX)
        return -EINVAL;
    struct file_owner_facts to = {.signal = (int32_t)signal};
    return change(f, OWNER_SET_SIGNAL, 0, &to);
}

static long signal_now(struct file *f)
{
    struct owner_change c = {.what = 0};
    struct file_owner_facts now;
    int e = file_owner_change(f, &c, &now);
    return e < 0 ? e : now.signal;
}

// A group's number is negative, and no error: the registers are set here.
static long number_out(int32_t who)
{
    struct task *t = task_current();
    if (who >= 0)
        return who;
    t->call.active = false;
    t->regs->eax = (uint32_t)who;
    return 0;
}

long file_owner_fcntl(struct file *f, uint32_t command, uint32_t arg)
{
    int32_t who = 0;
    long e;
    switch (command) {
    case F_SETOWN:
        return file_owner_number_set(f, (int32_t)arg);
    case F_GETOWN:
        e = file_owner_number(f, &who);
        return e < 0 ? e : number_out(who);
    case F_SETSIG:
        return signal_change(f, arg);
    case F_GETSIG:
        return signal_now(f);
    case F_SETOWN_EX:
        return set_ex(f, arg);
    case F_GETOWN_EX:
        return get_ex(f, arg);
    case F_GETOWNER_UIDS:
        return get_uids(f, arg);
    }
    return -EINVAL;
}

// ---- O_ASYNC -----------------------------------------------------------------------------------
// A terminal without owner gets its foreground group, or the caller.
static struct file_owner_facts owner_of_terminal(struct file *f, uint32_t *what)
{
    int32_t value = 0, pgrp = 0;
    struct file_owner_facts to = {0};
    if (f->ops->ioctl == NULL || f->ops->ioctl(f, TIOCGDEV, &value, 0, sizeof(value)) < 0)
        return to;
    *what |= OWNER_SET_WHO_IF_NONE;
    bool master = f->ops->ioctl(f, TIOCGPTN, &value, 0, sizeof(value)) >= 0;
    if (!master && f->ops->ioctl(f, TIOCGPGRP, &pgrp, 0, sizeof(pgrp)) >= 0 && pgrp > 0)
        return owner_by_me(OWNER_GROUP, pgrp);
    return owner_by_me(OWNER_PROCESS, process_current()->pid);
}

long file_async_set(struct file *f, int fd, bool on)
{
    uint32_t what = on ? OWNER_ASYNC_ON : OWNER_ASYNC_OFF;
    struct file_owner_facts to = {0};
    if (on == ((f->flags & O_ASYNC) != 0))
        return 0;
    if (on)
        to = owner_of_terminal(f, &what);
    return change(f, what, fd, &to);
}
