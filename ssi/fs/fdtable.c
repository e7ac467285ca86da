// SPDX-License-Identifier: MIT
// Descriptors of a process: a growing array of files with their close-on-exec marks.
#include "ssi/fs/file.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/locks.h"

#define FD_MIN 32u

struct fd_slot {
    struct file *file;
    bool cloexec;
};

struct fd_table {
    uint32_t users;
    uint32_t size;       // slots there are
    uint32_t max;        // RLIMIT_NOFILE
    uint32_t first_free; // no free slot below
    struct fd_slot *slots;
};

struct fd_table *fd_table_new(void)
{
    struct fd_table *t = heap_zalloc(sizeof(*t));
    if (t == NULL)
        return NULL;
    t->slots = heap_zalloc(FD_MIN * sizeof(*t->slots));
    if (t->slots == NULL) {
        heap_free(t);
        return NULL;
    }
    t->users = 1;
    t->size = FD_MIN;
    t->max = FD_MAX;
    return t;
}

static bool fd_grow(struct fd_table *t, uint32_t want)
{
    uint32_t size = t->size;
    while (size < want)
        size *= 2;
    if (size == t->size)
        return true;
    struct fd_slot *slots = heap_zalloc(size * sizeof(*slots));
    if (slots == NULL)
        return false;
    memcpy(slots, t->slots, t->size * sizeof(*slots));
    heap_free(t->slots);
    t->slots = slots;
    t->size = size;
    return true;
}

struct fd_table *fd_table_clone(struct fd_table *t)
{
    struct fd_table *n = fd_table_new();
    if (n == NULL)
        return NULL;
    if (!fd_grow(n, t->size)) {
        fd_table_put(n);
        return NULL;
    }
    n->max = t->max;
    n->first_free = t->first_free;
    for (uint32_t fd = 0; fd < t->size; fd++) {
        n->slots[fd] = t->slots[fd];
        if (n->slots[fd].file)
            file_get(n->slots[fd].file);
    }
    return n;
}

void fd_table_get(struct fd_table *t)
{
    t->users++;
}

void fd_table_put(struct fd_table *t)
{
    ASSERT(t->users > 0);
    if (--t->users > 0)
        return;
    for (uint32_t fd = 0; fd < t->size; fd++) {
        struct file *f = t->slots[fd].file;
        t->slots[fd].file = NULL;
        if (f)
            file_put(f);
    }
    heap_free(t->slots);
    heap_free(t);
}

bool fd_room(const struct fd_table *t)
{
    uint32_t fd = t->first_free;
    while (fd < t->size && t->slots[fd].file)
        fd++;
    return fd < t->max && fd < FD_MAX;
}

int fd_install(struct fd_table *t, struct file *f, int at_least, bool cloexec)
{
    if (at_least < 0 || (uint32_t)at_least >= MIN(t->max, FD_MAX))
        return -EINVAL;
    uint32_t fd = MAX((uint32_t)at_least, t->first_free);
    while (fd < t->size && t->slots[fd].file)
        fd++;
    if (fd >= t->max || fd >= FD_MAX)
        return -EMFILE;
    if (!fd_grow(t, fd + 1))
        return -ENOMEM;
    if ((uint32_t)at_least <= t->first_free)
        t->first_free = fd + 1;
    t->slots[fd] = (struct fd_slot){.file = f, .cloexec = cloexec};
    return (int)fd;
}

int fd_replace(struct fd_table *t, int fd, struct file *f, bool cloexec)
{
    if (fd < 0 || (uint32_t)fd >= MIN(t->max, FD_MAX))
        return -EBADF;
    if (!fd_grow(t, (uint32_t)fd + 1))
        return -ENOMEM;
    struct file *old = t->slots[fd].file;
    t->slots[fd] = (struct fd_slot){.file = f, .cloexec = cloexec};
    if (old)
        file_put(old);
    return fd;
}

struct file *fd_file(struct fd_table *t, int fd)
{
    return fd >= 0 && (uint32_t)fd < t->size ? t->slots[fd].file : NULL;
}

struct file *fd_file_get(struct fd_table *t, int fd)
{
    struct file *f = fd_file(t, fd);
    if (f)
        file_get(f);
    return f;
}

struct file *fd_take(struct fd_table *t, int fd)
{
    struct file *f = fd_file(t, fd);
    if (f == NULL)
        return NULL;
    t->slots[fd] = (struct fd_slot){0};
    t->first_free = MIN(t->first_free, (uint32_t)fd);
    return f;
}

int fd_close(struct fd_table *t, int fd)
{
    struct file *f = fd_take(t, fd);
    if (f == NULL)
        return -EBADF;
    file_put(f);
    return 0;
}

void fd_close_on_exec(struct fd_table *t, int32_t owner)
{
    for (uint32_t fd = 0; fd < t->size; fd++) {
        if (t->slots[fd].file == NULL || !t->slots[fd].cloexec)
            continue;
        locks_drop(t->slots[fd].file, owner);
        fd_close(t, (int)fd);
    }
}

bool fd_cloexec(struct fd_table *t, int fd)
{
    return fd_file(t, fd) && t->slots[fd].cloexec;
}

int fd_set_cloexec(struct fd_table *t, int fd, bool on)
{
    if (fd_file(t, fd) == NULL)
        return -EBADF;
    t->slots[fd].cloexec = on;
    return 0;
}

int fd_next(struct fd_table *t, int after)
{
    for (uint32_t fd = (uint32_t)(after + 1); fd < t->size; fd++)
        if (t->slots[fd].file)
            return (int)fd;
    return -1;
}

uint32_t fd_table_size(const struct fd_table *t)
{
    return t->size;
}

void fd_limit_set(struct fd_table *t, uint32_t max)
{
    t->max = max;
}
