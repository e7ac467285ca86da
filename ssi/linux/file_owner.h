// SPDX-License-Identifier: MIT
// Owners of open files: what fcntl and ioctl share. All may sleep when the file's home is another
// node.
#pragma once

#include "ssi/fs/file.h"

enum { // fcntl
    F_SETOWN = 8,
    F_GETOWN = 9,
    F_SETSIG = 10,
    F_GETSIG = 11,
    F_SETOWN_EX = 15,
    F_GETOWN_EX = 16,
    F_GETOWNER_UIDS = 17,
};

long file_owner_fcntl(struct file *f, uint32_t command, uint32_t arg);
// As F_SETOWN and F_GETOWN have it: negative numbers are groups.
long file_owner_number_set(struct file *f, int32_t who);
long file_owner_number(struct file *f, int32_t *who);
// 0; -ENOTTY: the file never has news.
long file_async_set(struct file *f, int fd, bool on);
