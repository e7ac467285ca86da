// SPDX-License-Identifier: MIT
// Calls of a system's administrator for what is not here: there is no disk to swap to or to count
// quotas on, and the tree stays on its root. Privileges, arguments and names are looked at in the
// order that Linux has, and its error for what cannot be used is given.
#include "ssi/fs/inode.h"
#include "ssi/linux/file.h"

#define SWAP_FLAGS 0x7ffffu // swapon(2): priority, and three bits

// The file of that name can be opened for reading and writing: 0. May sleep.
static int opens(uint32_t path)
{
    struct file_name n;
    struct file *f;
    int e = file_name_begin(&n, AT_FDCWD, path);
    if (e < 0)
        return e;
    e = fs_open(&n.who, n.at, n.path, O_RDWR, 0, &f);
    file_name_end(&n);
    if (e == 0)
        file_put(f);
    return e;
}

// No file can be swapped to: pages that are short of room go to other nodes.
long sys_swapon(struct call *c)
{
    if (c->args[1] & ~SWAP_FLAGS)
        return -EINVAL;
    if (!process_can(CAP_SYS_ADMIN))
        return -EPERM;
    int e = opens(c->args[0]);
    return e < 0 ? e : -EINVAL;
}

long sys_swapoff(struct call *c)
{
    if (!process_can(CAP_SYS_ADMIN))
        return -EPERM;
    int e = opens(c->args[0]);
    return e < 0 ? e : -EINVAL;
}

// As on Linux while it runs on its first root, which can never be put aside.
long sys_pivot_root(struct call *c)
{
    struct fs_place new_root, put_old;
    struct fs_who who;
    if (!process_can(CAP_SYS_ADMIN))
        return -EPERM;
    int e = file_dir_of(c->args[0], &new_root);
    if (e == 0)
        e = file_dir_of(c->args[1], &put_old);
    if (e < 0)
        return e;
    process_who(process_current(), &who);
    bool same = (new_root.mount == who.root.mount && new_root.view == who.root.view) ||
                (put_old.mount == who.root.mount && put_old.view == who.root.view);
    return same ? -EBUSY : -EINVAL;
}

enum { // quotactl(2)
    QUOTA_TYPES = 3,
    Q_SYNC = 0x800001,
};

long sys_quotactl(struct call *c)
{
    uint32_t command = c->args[0] >> 8, type = c->args[0] & 0xff;
    struct file_name n;
    struct fs_stat st;
    if (type >= QUOTA_TYPES)
        return -EINVAL;
    if (c->args[1] == 0)
        return command == Q_SYNC ? 0 : -ENODEV;
    int e = file_name_begin(&n, AT_FDCWD, c->args[1]);
    if (e < 0)
        return e;
    e = fs_stat(&n.who, n.at, n.path, 0, &st);
    file_name_end(&n);
    if (e < 0)
        return e;
    return (st.mode & S_IFMT) == S_IFBLK ? -ENODEV : -ENOTBLK;
}
