// SPDX-License-Identifier: MIT
// What the bodies about sockets share.
#pragma once

#include "ssi/linux/file.h"
#include "ssi/stream/socket.h"

// The socket of a descriptor, with a user more. 0, -EBADF, -ENOTSOCK.
int linux_socket_of(uint32_t fd, struct file **f);
struct socket_cred linux_socket_cred(void); // of the current process: effective ids

// Addresses from and to user memory. `inode` is found by linux_socket_name_find.
int linux_socket_name_in(uint32_t user, uint32_t bytes, struct socket_name *n);
// At most *user_bytes (an int in user memory, which gets the whole length) go out. 0, -EFAULT,
// -EINVAL.
int linux_socket_name_out(const struct socket_name *n, uint32_t user, uint32_t user_bytes);
// The inode of a path that an AF_UNIX socket is sent or connected to. 0, errors of connect(2).
int linux_socket_name_find(struct file *f, struct socket_name *n);
// The same two of where a message goes: streams and sequenced packets do not look it up.
int linux_socket_target_in(struct file *f, uint32_t user, uint32_t bytes, struct socket_name *n);
int linux_socket_target_find(struct file *f, struct socket_name *n);
// Does it ask for the queue of errors, where there is one (it is always empty)?
bool linux_socket_errors_asked(struct file *f, uint32_t flags);

// When a call's wait ends, by SO_RCVTIMEO or SO_SNDTIMEO; such a call is never restarted.
uint64_t linux_socket_deadline(struct call *c, struct file *f, bool sending);
// What send(2) and its like return: SIGPIPE, bytes done so far, going on after a move.
long linux_socket_sent(struct call *c, struct file *f, uint32_t flags, long moved, uint64_t wanted);

long linux_sendmsg(struct call *c, const uint32_t *a);
long linux_recvmsg(struct call *c, const uint32_t *a);
long linux_sendmmsg(struct call *c, const uint32_t *a);
long linux_recvmmsg(struct call *c, const uint32_t *a, bool wide);
