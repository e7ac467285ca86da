// SPDX-License-Identifier: MIT
// One send or receive on a socket of this node, sleeping while nothing can be moved.
#pragma once

#include "ssi/stream/socket_priv.h"

int socket_send_step(struct file *f, struct socket_message *m);
int socket_receive_step(struct file *f, struct socket_message *m);
