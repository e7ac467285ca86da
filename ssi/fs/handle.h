// SPDX-License-Identifier: MIT
// Open files of this node that other nodes use, by handle, with the users counted per node.
#pragma once

#include "ssi/fs/wire.h"

// One user more on `user`; gives `f` its handle. -ENOMEM.
int handle_add_user(struct file *f, node_id_t user);
// Users less; the last one lets go of the file. May free it.
void handle_drop_users(uint64_t handle, node_id_t user, uint32_t count);
// As handle_add_user, for a user that `giver` gives to `to`: until `to` claims it the giver can
// take it back, and it goes with either. -ENOMEM.
int handle_share(struct file *f, node_id_t giver, node_id_t to);
// False: `to` has claimed it and lets go of it by itself, or it was never given.
bool handle_take_back(uint64_t handle, node_id_t giver, node_id_t to);
// What `giver` has given to `user` has arrived there.
void handle_claim(uint64_t handle, node_id_t user, node_id_t giver);
// NULL when there is none, or `user` has none of it (NODE_NONE: not asked).
struct file *handle_file(uint64_t handle, node_id_t user);
enum remote_kind handle_kind(const struct file *f);

// users.c, on other nodes: `count` users of `node` less at the home; what the reference's giver has
// given has arrived.
void users_release(node_id_t home, uint64_t handle, node_id_t node, uint32_t count);
void users_claim(const struct file_ref *ref);
