// SPDX-License-Identifier: MIT
// POSIX message queues (mq_overview(7)). Names and messages are at the home of the file tree, so a
// name is the same on all nodes; a descriptor is an open file like any other, which other nodes
// forward to and which goes along with a process. They end with that home.
#pragma once

#include "ssi/fs/file.h"

#define MQUEUE_PRIORITIES       32768u
#define MQUEUE_MESSAGES_DEFAULT 10u
#define MQUEUE_BYTES_DEFAULT    8192u
#define MQUEUE_QUEUES_MAX       256u

struct mqueue_facts {
    uint32_t messages_max, message_bytes_max, messages;
} PACKED;

struct mqueue_head { // of a message, both ways; then its bytes
    uint32_t priority, bytes;
} PACKED;

struct mqueue_notice { // mq_notify(3): who is told of a message in an empty queue, once
    int32_t pid;       // 0: nobody
    int32_t signal;    // 0: it is only not told again
    int32_t value;
} PACKED;

// Opens, or with O_CREAT makes, the queue `name` (without a slash before it). `facts` NULL: as the
// system has them. `bytes_max`: RLIMIT_MSGQUEUE. Errors of mq_open(3).
int mqueue_open(const struct fs_who *who, const char *name, uint32_t flags, uint32_t mode,
                const struct mqueue_facts *facts, uint32_t bytes_max, struct file **f);
int mqueue_unlink(const struct fs_who *who, const char *name); // 0, -ENOENT, -EACCES, -EPERM

// On a queue of any node; -EBADF: it is none. None waits: -EAGAIN says that the queue is full or
// empty. All may sleep a little.
int mqueue_look(struct file *f, struct mqueue_facts *facts);
// `*told` is whom the caller has to send the signal of mq_notify.
int mqueue_send(struct file *f, const void *bytes, struct mqueue_head head,
                struct mqueue_notice *told);
int mqueue_receive(struct file *f, void *to, size_t size, struct mqueue_head *head);
// One more or less that waits for a message: who waits comes before mq_notify.
void mqueue_waits(struct file *f, int32_t more);
// Registers (pid != 0, -EBUSY) or ends the registration of `pid` (`off`).
int mqueue_notify(struct file *f, const struct mqueue_notice *n, bool off);
