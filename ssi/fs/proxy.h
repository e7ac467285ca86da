// SPDX-License-Identifier: MIT
// Open files whose home is another node: ops that forward to it. One proxy per handle and node.
#pragma once

#include "ssi/fs/handle.h"

// A proxy that takes over one user that the home holds for this node. NULL: no memory (and the
// user is given back).
struct file *proxy_open(node_id_t home, const struct opened_reply *r, uint32_t flags, bool fresh);
// A file of this node that no other node uses becomes a proxy of a socket that was made at `home`;
// what it was is released. 0, -ENOMEM, -EPROTO (the user that the home holds is given back).
int proxy_adopt(struct file *f, node_id_t home, const struct opened_reply *r);
bool proxy_is(const struct file *f);
bool proxy_came(const struct file *f); // with a process from another node
// Asks the home about f; the reply's data goes to `out`. result of the operation, or -EIO when the
// home is gone. May sleep, uninterruptibly and not for long.
int64_t proxy_ask(struct file *f, struct file_ask *a, const void *in, void *out,
                  struct file_reply *reply);
int proxy_image_source(struct file *f, struct io_source *source);
