// SPDX-License-Identifier: MIT
// Steps on a socket of this node. Sending and receiving sleep while nothing can be moved.
#pragma once

#include "ssi/stream/socket_priv.h"

// -EAGAIN: a listener's queue is full; does not wait for it.
int socket_connect_step(struct file *f, const struct socket_name *n, const struct socket_cred *by);
int socket_send_step(struct file *f, struct socket_message *m);
int socket_receive_step(struct file *f, struct socket_message *m);
