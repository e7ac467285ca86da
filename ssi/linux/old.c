// SPDX-License-Identifier: MIT
// Calls of old: sgetmask(2) and ssetmask(2) know the first 32 signals only; sysfs(2) tells the
// types of file systems by number, in the order of /proc/filesystems.
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/linux/linux.h"

static const char *const types[] = {"weft", "tmpfs", "proc", "devtmpfs"};

enum {
    TYPE_OF_NAME = 1,
    NAME_OF_TYPE = 2,
    TYPE_COUNT = 3,
};

// No mask looks like an error: SIGKILL and SIGSTOP are never in it.
long sys_sgetmask(struct call *c)
{
    (void)c;
    return (long)(int32_t)task_current()->blocked;
}

long sys_ssetmask(struct call *c)
{
    struct task *t = task_current();
    long was = (long)(int32_t)t->blocked;
    signal_mask_set(t, c->args[0]);
    return was;
}

static long type_of_name(uint32_t user)
{
    char *name;
    long found = -EINVAL;
    int e = linux_path_in(user, &name);
    if (e < 0)
        return e;
    for (unsigned k = 0; k < ARRAY_SIZE(types); k++)
        if (strcmp(types[k], name) == 0)
            found = (long)k;
    heap_free(name);
    return found;
}

long sys_sysfs(struct call *c)
{
    switch (c->args[0]) {
    case TYPE_OF_NAME:
        return type_of_name(c->args[1]);
    case NAME_OF_TYPE:
        if (c->args[1] >= ARRAY_SIZE(types))
            return -EINVAL;
        return user_write(c->args[2], types[c->args[1]], strlen(types[c->args[1]]) + 1);
    case TYPE_COUNT:
        return ARRAY_SIZE(types);
    }
    return -EINVAL;
}
