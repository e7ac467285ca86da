// SPDX-License-Identifier: MIT
// What names of the tree may stand for that rooms above provide: FIFOs and devices. Handed down
// once at start (ssi/stream); without it such names give ENXIO.
#pragma once

#include "ssi/fs/file.h"

struct name_call;

struct fs_special_ops {
    // One end of the FIFO whose state is *fifo (NULL at first), by the access mode of `flags`.
    // Never waits for the other end: that is fifo_wait's. 0, -ENOMEM, -ENXIO.
    int (*fifo_open)(void **fifo, uint32_t flags, struct file **f);
    void (*fifo_free)(void *fifo);
    // A device by number. 0, -ENXIO.
    int (*device_open)(const struct fs_who *who, uint32_t mode, uint64_t rdev, uint32_t flags,
                       struct file **f);
    // NAME_QUEUE and NAME_QUEUE_UNLINK at the home of the tree. NULL: -ENOSYS.
    int (*queue_open)(struct name_call *c);
    int (*queue_unlink)(struct name_call *c);
};

// ioctl of an opened FIFO end, never a user's: 0 once the other end was opened. Sleeps until then
// unless O_NONBLOCK (-EAGAIN).
#define FIFO_WAIT     0xfffffff1u
#define FILE_UNREAD   0x541bu     // FIONREAD: bytes behind the offset
#define SEALS_GET     0xfffffff3u // of a memfd
#define SEALS_ADD     0xfffffff4u
#define PIPE_SIZE_GET 0xfffffff5u // bytes that a pipe may hold
#define PIPE_SIZE_SET 0xfffffff6u // from a uint32_t; the new size, -EINVAL, -EPERM, -EBUSY
#define NOTIFY_REMOVE 0xfffffff7u // of an inotify: the watch of that int32_t
// Of a pipe. The oldest bytes, behind as many as a uint32_t says, which stay: how many; -ENODATA:
// no more can come. As many as a uint32_t says are taken out. How many can be put in; -EPIPE.
#define FIFO_PEEK 0xfffffff2u
#define FIFO_SKIP 0xfffffff8u
#define FIFO_ROOM 0xfffffff9u

void fs_special_set(const struct fs_special_ops *ops); // kept
const struct fs_special_ops *fs_special(void);         // never NULL
