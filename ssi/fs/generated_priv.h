// SPDX-License-Identifier: MIT
// What the files of ssi/fs ask of the generated trees.
#pragma once

#include "ssi/fs/generated.h"

int generated_stat(struct fs_place p, struct fs_stat *st);
// A file of a generated tree opened again from its place alone, for stateless devices.
int generated_reopen(struct fs_place p, uint32_t flags, struct file **f);
