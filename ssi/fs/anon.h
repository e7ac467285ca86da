// SPDX-License-Identifier: MIT
// Open files without a name: epoll, eventfd, timerfd, signalfd.
#pragma once

#include "ssi/fs/file.h"

// stat of one: all of them are the same inode without a type, as on Linux.
int anon_stat(struct file *f, struct fs_stat *st);
