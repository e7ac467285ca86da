// SPDX-License-Identifier: MIT
// Calls on a socket of another node, through its proxy, and what AF_UNIX sockets do with names that
// are bound elsewhere. All may sleep.
#pragma once

#include "ssi/stream/socket.h"

int remote_bind(struct file *f, const struct socket_name *n, const struct socket_cred *by);
int remote_connect(struct file *f, const struct socket_name *n, const struct socket_cred *by);
int remote_connect_wait(struct file *f, uint64_t deadline_ns);
int remote_listen(struct file *f, int32_t backlog, const struct socket_cred *by);
int remote_accept(struct file *f, uint32_t flags, uint64_t deadline_ns, struct file **accepted,
                  struct socket_name *peer);
int remote_name_of(struct file *f, bool peer, struct socket_name *n);
int remote_shutdown(struct file *f, int32_t how);
int remote_set_option(struct file *f, int32_t level, int32_t option, const void *value, size_t n);
long remote_get_option(struct file *f, int32_t level, int32_t option, void *value);
bool remote_is_stream(struct file *f);
long remote_ioctl(struct file *f, uint32_t request, void *data, size_t *n);
int remote_send(struct file *f, struct socket_message *m);
int remote_receive(struct file *f, struct socket_message *m);

// The name is not bound here: on another node? `error` when nowhere. A stream's end moves to the
// listener's node: `f` becomes a proxy of it.
int unix_connect_there(struct file *f, const struct socket_name *n, const struct socket_cred *by,
                       int error);
int unix_send_there(struct file *f, struct socket_message *m, int error);
