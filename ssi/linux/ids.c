// SPDX-License-Identifier: MIT
// Who a process is: PIDs, groups, sessions, users (credentials(7)).
#include "ssi/linux/linux.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/process/session.h"

#define KEEP     UINT32_MAX // -1: leave it as it is
#define OVERFLOW 65534u     // what 16-bit calls show of a large id

static struct credentials *cred(void)
{
    return task_current()->cred;
}

long sys_getpid(struct call *c)
{
    (void)c;
    return process_current()->pid;
}

long sys_gettid(struct call *c)
{
    (void)c;
    return task_current()->tid;
}

long sys_getppid(struct call *c)
{
    (void)c;
    return process_current()->parent;
}

long sys_getpgrp(struct call *c)
{
    (void)c;
    return process_current()->pgrp;
}

long sys_getpgid(struct call *c)
{
    return c->args[0] ? session_getpgid((int32_t)c->args[0]) : process_current()->pgrp;
}

long sys_getsid(struct call *c)
{
    return c->args[0] ? session_getsid((int32_t)c->args[0]) : process_current()->sid;
}

long sys_setpgid(struct call *c)
{
    if ((int32_t)(c->args[1] ? c->args[1] : c->args[0]) < 0)
        return -EINVAL;
    if ((int32_t)c->args[0] < 0)
        return -ESRCH;
    return session_setpgid(process_current(), (int32_t)c->args[0], (int32_t)c->args[1]);
}

long sys_setsid(struct call *c)
{
    (void)c;
    return session_setsid(process_current());
}

// ---- users and groups, read --------------------------------------------------------------------
static long narrow(uint32_t id)
{
    return (long)(id > 0xffff ? OVERFLOW : id);
}

long sys_getuid32(struct call *c)
{
    (void)c;
    return (long)cred()->uid;
}

long sys_geteuid32(struct call *c)
{
    (void)c;
    return (long)cred()->euid;
}

long sys_getgid32(struct call *c)
{
    (void)c;
    return (long)cred()->gid;
}

long sys_getegid32(struct call *c)
{
    (void)c;
    return (long)cred()->egid;
}

long sys_getuid(struct call *c)
{
    (void)c;
    return narrow(cred()->uid);
}

long sys_geteuid(struct call *c)
{
    (void)c;
    return narrow(cred()->euid);
}

long sys_getgid(struct call *c)
{
    (void)c;
    return narrow(cred()->gid);
}

long sys_getegid(struct call *c)
{
    (void)c;
    return narrow(cred()->egid);
}

static int three_out(const struct call *c, const uint32_t id[3], bool wide)
{
    for (unsigned i = 0; i < 3; i++) {
        uint16_t low = (uint16_t)narrow(id[i]);
        int e = wide ? user_write(c->args[i], &id[i], 4) : user_write(c->args[i], &low, 2);
        if (e < 0)
            return e;
    }
    return 0;
}

long sys_getresuid32(struct call *c)
{
    return three_out(c, (uint32_t[]){cred()->uid, cred()->euid, cred()->suid}, true);
}

long sys_getresgid32(struct call *c)
{
    return three_out(c, (uint32_t[]){cred()->gid, cred()->egid, cred()->sgid}, true);
}

long sys_getresuid(struct call *c)
{
    return three_out(c, (uint32_t[]){cred()->uid, cred()->euid, cred()->suid}, false);
}

long sys_getresgid(struct call *c)
{
    return three_out(c, (uint32_t[]){cred()->gid, cred()->egid, cred()->sgid}, false);
}

// ---- users and groups, set: real, effective, saved; fsuid follows the effective one ------------
struct triple {
    uint32_t real, effective, saved;
};

static struct triple users_of(const struct credentials *c)
{
    return (struct triple){c->uid, c->euid, c->suid};
}

static struct triple groups_of(const struct credentials *c)
{
    return (struct triple){c->gid, c->egid, c->sgid};
}

static int users_set(struct triple t)
{
    struct credentials *c = cred(), old = *c;
    c->uid = t.real;
    c->euid = c->fsuid = t.effective;
    c->suid = t.saved;
    credentials_users_changed(c, &old);
    process_credentials_changed(&old);
    return 0;
}

static int groups_set(struct triple t)
{
    struct credentials *c = cred(), old = *c;
    c->gid = t.real;
    c->egid = c->fsgid = t.effective;
    c->sgid = t.saved;
    process_credentials_changed(&old);
    return 0;
}

static bool one_of(const struct triple *t, uint32_t id)
{
    return id == t->real || id == t->effective || id == t->saved;
}

static int change_one(struct triple *t, uint32_t id, bool may)
{
    if (id == KEEP)
        return -EINVAL;
    if (may)
        *t = (struct triple){id, id, id};
    else if (id == t->real || id == t->saved)
        t->effective = id;
    else
        return -EPERM;
    return 0;
}

static int change_real_effective(struct triple *t, uint32_t real, uint32_t effective, bool may)
{
    struct triple old = *t;
    if (real != KEEP && !may && real != old.real && real != old.effective)
        return -EPERM;
    if (effective != KEEP && !may && !one_of(&old, effective))
        return -EPERM;
    if (real != KEEP)
        t->real = real;
    if (effective != KEEP)
        t->effective = effective;
    if (real != KEEP || (effective != KEEP && effective != old.real))
        t->saved = t->effective;
    return 0;
}

static int change_all(struct triple *t, uint32_t real, uint32_t effective, uint32_t saved, bool may)
{
    const uint32_t wanted[3] = {real, effective, saved};
    for (unsigned i = 0; i < 3; i++) {
        if (wanted[i] != KEEP && !may && !one_of(t, wanted[i]))
            return -EPERM;
    }
    if (real != KEEP)
        t->real = real;
    if (effective != KEEP)
        t->effective = effective;
    if (saved != KEEP)
        t->saved = saved;
    return 0;
}

long sys_setuid32(struct call *c)
{
    struct triple t = users_of(cred());
    int e = change_one(&t, c->args[0], process_can(CAP_SETUID));
    return e < 0 ? e : users_set(t);
}

long sys_setgid32(struct call *c)
{
    struct triple t = groups_of(cred());
    int e = change_one(&t, c->args[0], process_can(CAP_SETGID));
    return e < 0 ? e : groups_set(t);
}

long sys_setreuid32(struct call *c)
{
    struct triple t = users_of(cred());
    int e = change_real_effective(&t, c->args[0], c->args[1], process_can(CAP_SETUID));
    return e < 0 ? e : users_set(t);
}

long sys_setregid32(struct call *c)
{
    struct triple t = groups_of(cred());
    int e = change_real_effective(&t, c->args[0], c->args[1], process_can(CAP_SETGID));
    return e < 0 ? e : groups_set(t);
}

long sys_setresuid32(struct call *c)
{
    struct triple t = users_of(cred());
    int e = change_all(&t, c->args[0], c->args[1], c->args[2], process_can(CAP_SETUID));
    return e < 0 ? e : users_set(t);
}

long sys_setresgid32(struct call *c)
{
    struct triple t = groups_of(cred());
    int e = change_all(&t, c->args[0], c->args[1], c->args[2], process_can(CAP_SETGID));
    return e < 0 ? e : groups_set(t);
}

// The 16-bit calls: 0xffff is -1.
static struct call widen(const struct call *c)
{
    struct call wide = *c;
    for (unsigned i = 0; i < 3; i++)
        wide.args[i] = (c->args[i] & 0xffff) == 0xffff ? KEEP : c->args[i] & 0xffff;
    return wide;
}

long sys_setuid(struct call *c)
{
    struct call w = widen(c);
    return sys_setuid32(&w);
}

long sys_setgid(struct call *c)
{
    struct call w = widen(c);
    return sys_setgid32(&w);
}

long sys_setreuid(struct call *c)
{
    struct call w = widen(c);
    return sys_setreuid32(&w);
}

long sys_setregid(struct call *c)
{
    struct call w = widen(c);
    return sys_setregid32(&w);
}

long sys_setresuid(struct call *c)
{
    struct call w = widen(c);
    return sys_setresuid32(&w);
}

long sys_setresgid(struct call *c)
{
    struct call w = widen(c);
    return sys_setresgid32(&w);
}

// setfsuid, setfsgid: the old value, whether it was changed or not.
static long fs_id_set(uint32_t to, uint32_t *id, bool may)
{
    struct credentials old = *cred();
    uint32_t before = *id;
    if (!may || to == KEEP)
        return (long)before;
    *id = to;
    credentials_fs_user_changed(cred(), &old);
    process_credentials_changed(&old);
    return (long)before;
}

long sys_setfsuid32(struct call *c)
{
    struct triple t = users_of(cred());
    return fs_id_set(c->args[0], &cred()->fsuid, one_of(&t, c->args[0]) || process_can(CAP_SETUID));
}

long sys_setfsgid32(struct call *c)
{
    struct triple t = groups_of(cred());
    return fs_id_set(c->args[0], &cred()->fsgid, one_of(&t, c->args[0]) || process_can(CAP_SETGID));
}

long sys_setfsuid(struct call *c)
{
    struct call w = widen(c);
    return sys_setfsuid32(&w);
}

long sys_setfsgid(struct call *c)
{
    struct call w = widen(c);
    return sys_setfsgid32(&w);
}

// ---- supplementary groups ----------------------------------------------------------------------
static long groups_out(const struct call *c, size_t each)
{
    const struct credentials *k = cred();
    int32_t size = (int32_t)c->args[0];
    if (size < 0 || (size && (uint32_t)size < k->group_count))
        return -EINVAL;
    for (uint32_t i = 0; size && i < k->group_count; i++) {
        uint16_t low = (uint16_t)narrow(k->groups[i]);
        const void *from = each == 4 ? (const void *)&k->groups[i] : &low;
        int e = user_write(c->args[1] + i * (uint32_t)each, from, each);
        if (e < 0)
            return e;
    }
    return (long)k->group_count;
}

// As getgroups tells them on Linux: the smallest first.
static void sort(uint32_t *groups, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint32_t k = i, group = groups[i];
        for (; k > 0 && groups[k - 1] > group; k--)
            groups[k] = groups[k - 1];
        groups[k] = group;
    }
}

static long groups_in(const struct call *c, size_t each)
{
    uint32_t groups[FS_GROUPS_MAX] = {0};
    uint32_t count = c->args[0];
    if (!process_can(CAP_SETGID))
        return -EPERM;
    if (count > FS_GROUPS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < count; i++) { // little-endian: the low half comes first
        int e = user_read(&groups[i], c->args[1] + i * (uint32_t)each, each);
        if (e < 0)
            return e;
        if (groups[i] == (each == 4 ? KEEP : (uint16_t)KEEP))
            return -EINVAL;
    }
    sort(groups, count);
    memcpy(cred()->groups, groups, sizeof(groups));
    cred()->group_count = count;
    return 0;
}

long sys_getgroups32(struct call *c)
{
    return groups_out(c, 4);
}

long sys_getgroups(struct call *c)
{
    return groups_out(c, 2);
}

long sys_setgroups32(struct call *c)
{
    return groups_in(c, 4);
}

long sys_setgroups(struct call *c)
{
    return groups_in(c, 2);
}
