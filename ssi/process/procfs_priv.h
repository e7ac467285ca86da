// SPDX-License-Identifier: MIT
// Between the files of procfs.
#pragma once

#include "ssi/process/priv.h"
#include "ssi/process/procfs.h"

struct cluster_file {
    const char *name;
    void (*show)(struct text *t);
    long (*write)(const struct fs_who *who, const char *bytes, size_t n);
};

const struct cluster_file *cluster_file(unsigned index); // NULL behind the last
int cluster_file_find(const char *name);                 // its index, -ENOENT
