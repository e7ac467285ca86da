// SPDX-License-Identifier: MIT
#include "ssi/fs/special.h"
#include "lib/errno.h"
#include "lib/node_var.h"

static int no_fifo(void **fifo, uint32_t flags, struct file **f)
{
    (void)fifo, (void)flags, (void)f;
    return -ENXIO;
}

static void no_fifo_free(void *fifo)
{
    (void)fifo;
}

static int no_device(const struct fs_who *who, uint32_t mode, uint64_t rdev, uint32_t flags,
                     struct file **f)
{
    (void)who, (void)mode, (void)rdev, (void)flags, (void)f;
    return -ENXIO;
}

static const struct fs_special_ops none = {no_fifo, no_fifo_free, no_device, NULL, NULL};
NODE_VAR(const struct fs_special_ops *, special) = &none;

void fs_special_set(const struct fs_special_ops *ops)
{
    node(special) = ops;
}

const struct fs_special_ops *fs_special(void)
{
    return node(special);
}
