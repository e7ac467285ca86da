// SPDX-License-Identifier: MIT
// name_to_handle_at(2) and open_by_handle_at(2): an inode of the tree by its number. A handle is
// good on every node, as numbers are the tree's; it ends with the tree's home.
#include "lib/string.h"
#include "ssi/fs/inode.h"
#include "ssi/linux/file.h"

#define HANDLE_BYTES_MAX 128u
#define HANDLE_TYPE      1
#define HANDLE_TYPE_NONE 255
#define AT_HANDLE_FID    0x200u

struct handle_head { // struct file_handle of the ABI; then the handle
    uint32_t bytes;
    int32_t type;
} PACKED;

struct handle_body {
    uint32_t view;
    uint64_t inode;
} PACKED;
STATIC_ASSERT(sizeof(struct handle_body) == 12, "as long as that of tmpfs");

// Where a name leads, or an open file when it is empty and may be.
static int place_of_name(const struct call *c, struct fs_place *at)
{
    struct file_name n;
    struct file *f;
    uint32_t flags = c->args[4];
    int e = file_name_begin(&n, (int32_t)c->args[0], c->args[1]);
    if (e < 0)
        return e;
    if (n.path[0] == '\0' && (flags & AT_EMPTY_PATH)) {
        file_name_end(&n);
        *at = n.at;
        return 0;
    }
    e = fs_open(&n.who, n.at, n.path, O_PATH | (flags & AT_SYMLINK_FOLLOW ? 0 : O_NOFOLLOW), 0, &f);
    file_name_end(&n);
    if (e < 0)
        return e;
    *at = f->place;
    file_put(f);
    return 0;
}

long sys_name_to_handle_at(struct call *c)
{
    struct handle_head h;
    struct fs_place at;
    if (c->args[4] & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID))
        return -EINVAL;
    int e = place_of_name(c, &at);
    if (e == 0 && (at.mount || at.inode == 0))
        e = -EOPNOTSUPP; // what is generated has no numbers that last
    if (e == 0)
        e = user_read(&h, c->args[2], sizeof(h));
    if (e == 0 && h.bytes > HANDLE_BYTES_MAX)
        e = -EINVAL;
    if (e < 0)
        return e;
    struct handle_body body = {.view = at.view, .inode = at.inode};
    int32_t mount = (int32_t)at.view;
    bool fits = h.bytes >= sizeof(body);
    h = (struct handle_head){.bytes = sizeof(body), .type = fits ? HANDLE_TYPE : HANDLE_TYPE_NONE};
    e = user_write(c->args[3], &mount, sizeof(mount));
    if (e == 0)
        e = user_write(c->args[2], &h, sizeof(h));
    if (e == 0 && fits)
        e = user_write(c->args[2] + sizeof(h), &body, sizeof(body));
    return e < 0 ? e : fits ? 0 : -EOVERFLOW;
}

static int handle_in(uint32_t user, struct handle_body *body)
{
    struct handle_head h;
    int e = user_read(&h, user, sizeof(h));
    if (e < 0)
        return e;
    if (h.bytes == 0 || h.bytes > HANDLE_BYTES_MAX || h.type < 0)
        return -EINVAL;
    if (h.bytes < sizeof(*body) || h.type != HANDLE_TYPE)
        return -ESTALE;
    return user_read(body, user + sizeof(h), sizeof(*body));
}

long sys_open_by_handle_at(struct call *c)
{
    struct handle_body body;
    struct fs_who who;
    struct file *f;
    uint32_t flags = c->args[2];
    struct process *p = process_current();
    process_who(p, &who);
    if (!process_can(CAP_DAC_READ_SEARCH))
        return -EPERM;
    if ((int32_t)c->args[0] != AT_FDCWD && !fd_file(p->files, (int)c->args[0]))
        return -EBADF;
    int e = handle_in(c->args[1], &body);
    if (e < 0)
        return e;
    struct fs_place at = {.view = body.view, .inode = body.inode};
    e = body.inode ? fs_open_place(&who, at, flags & ~(O_CREAT | O_EXCL | FILE_FLAGS_OWN), &f)
                   : -ESTALE;
    if (e < 0)
        return e == -ENOENT ? -ESTALE : e;
    int fd = fd_install(process_current()->files, f, 0, flags & O_CLOEXEC);
    if (fd < 0)
        file_put(f);
    return fd;
}
