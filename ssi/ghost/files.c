// SPDX-License-Identifier: MIT
// Section files: descriptors, as references to open files. Descriptors that share an open file
// share it on the other node too. What is of one process only moves with it: signalfds, and epolls
// with their items.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/fs/owner.h"
#include "ssi/process/signalfd.h"
#include "ssi/stream/epoll.h"

// file_ref.reserved of what is made anew on the target; below are kinds of forwarded files.
enum {
    COMES_EPOLL = 0x100,
    COMES_SIGNALFD = 0x101, // place.inode is its mask
};

struct item_wire {
    uint16_t file; // index among the files
    uint16_t reserved;
    int32_t fd;
    uint32_t events;
    uint64_t data;
} PACKED;

struct fd_wire {
    uint32_t fd;
    uint16_t file; // index among the files
    uint16_t cloexec;
} PACKED;

static int file_index(const struct ghost_job *job, const struct file *f)
{
    for (unsigned i = 0; i < job->file_count; i++)
        if (job->file[i] == f)
            return (int)i;
    return -1;
}

static unsigned fd_count(struct fd_table *t)
{
    unsigned n = 0;
    for (int fd = fd_next(t, -1); fd >= 0; fd = fd_next(t, fd))
        n++;
    return n;
}

// ---- what moves along --------------------------------------------------------------------------
static bool comes_along(const struct file *f)
{
    return epoll_is(f) || signalfd_is(f);
}

static bool only_in(struct fd_table *t, const struct file *f)
{
    uint32_t n = 0;
    for (int fd = fd_next(t, -1); fd >= 0; fd = fd_next(t, fd))
        n += fd_file(t, fd) == f;
    return n == f->users;
}

static bool has_file(struct fd_table *t, const struct file *f)
{
    for (int fd = fd_next(t, -1); fd >= 0; fd = fd_next(t, fd))
        if (fd_file(t, fd) == f)
            return true;
    return false;
}

static bool items_are_ours(struct fd_table *t, const struct file *e)
{
    const struct epoll_item *cursor = NULL;
    struct epoll_item_facts i;
    while (epoll_next(e, &cursor, &i))
        if (!has_file(t, i.file))
            return false;
    return true;
}

static const char *file_stays(struct fd_table *t, const struct file *f)
{
    if (f->ops->bound && (!comes_along(f) || !only_in(t, f)))
        return f->ops->bound;
    if ((comes_along(f) || (f->flags & FILE_STATELESS)) && file_owner_set(f))
        return "an open file that is made anew on its target has an owner (F_SETOWN)";
    if (epoll_is(f) && !items_are_ours(t, f))
        return "an epoll watches a file that only another process has open";
    return NULL;
}

const char *ghost_files_stay(struct fd_table *t)
{
    for (int fd = fd_next(t, -1); fd >= 0; fd = fd_next(t, fd)) {
        const char *why = file_stays(t, fd_file(t, fd));
        if (why)
            return why;
    }
    return NULL;
}

static int file_refer(struct ghost_job *job, struct fd_table *t, struct file *f,
                      struct file_ref *ref)
{
    const char *why = file_stays(t, f);
    if (why) {
        job->why = why;
        return -EBUSY;
    }
    if (!comes_along(f))
        return file_export(f, job->target, ref, &job->why);
    *ref = (struct file_ref){.reserved = epoll_is(f) ? COMES_EPOLL : COMES_SIGNALFD,
                             .flags = f->flags};
    if (signalfd_is(f))
        ref->place.inode = signalfd_mask(f);
    return 0;
}

static struct file *file_come(const struct ghost_job *job, const struct file_ref *ref)
{
    struct file *f;
    switch (ref->reserved) {
    case COMES_EPOLL:
        return epoll_new();
    case COMES_SIGNALFD:
        f = signalfd_new(job->process, ref->place.inode, ref->flags & O_NONBLOCK);
        return f;
    default:
        return file_import(ref);
    }
}

static int items_write(const struct ghost_job *job, struct ghost *g, const struct file *e)
{
    const struct epoll_item *cursor = NULL;
    struct epoll_item_facts i;
    uint32_t count = 0;
    while (epoll_next(e, &cursor, &i))
        count++;
    int r = GHOST_PUT(g, count);
    for (cursor = NULL; r == 0 && epoll_next(e, &cursor, &i);) {
        struct item_wire w = {.file = (uint16_t)file_index(job, i.file),
                              .fd = i.fd,
                              .events = i.event.events,
                              .data = i.event.data};
        r = GHOST_PUT(g, w);
    }
    return r;
}

static int items_read(const struct ghost_job *job, struct ghost *g, struct file *e)
{
    uint32_t count;
    int r = GHOST_TAKE(g, count);
    for (uint32_t k = 0; r == 0 && k < count; k++) {
        struct item_wire w;
        if (GHOST_TAKE(g, w) < 0 || w.file >= job->file_count)
            return -EPROTO;
        struct epoll_item_facts i = {job->file[w.file], w.fd, {w.events, w.data}};
        r = epoll_put(e, &i);
    }
    return r;
}

// ---- writing -----------------------------------------------------------------------------------
// Every open file once, in order of its first descriptor; each with a user more until it is undone
// or done.
static int files_collect(struct ghost_job *job, struct fd_table *t, unsigned count)
{
    job->files = heap_zalloc(count * sizeof(*job->files) + 1);
    job->file = heap_zalloc(count * sizeof(*job->file) + 1);
    job->file_count = 0;
    if (job->files == NULL || job->file == NULL)
        return -ENOMEM;
    for (int fd = fd_next(t, -1); fd >= 0; fd = fd_next(t, fd)) {
        struct file *f = fd_file(t, fd);
        if (file_index(job, f) >= 0)
            continue;
        int e = file_refer(job, t, f, &job->files[job->file_count]);
        if (e < 0)
            return e;
        job->file[job->file_count++] = f;
    }
    return 0;
}

int files_write(struct ghost_job *job, struct ghost *g)
{
    struct fd_table *t = job->process->files;
    uint32_t fds = fd_count(t);
    int e = files_collect(job, t, fds);
    uint32_t files = job->file_count;
    if (e == 0)
        e = GHOST_PUT(g, files);
    if (e == 0)
        e = ghost_put(g, job->files, files * sizeof(*job->files));
    if (e == 0)
        e = GHOST_PUT(g, fds);
    for (int fd = fd_next(t, -1); e == 0 && fd >= 0; fd = fd_next(t, fd)) {
        struct fd_wire w = {.fd = (uint32_t)fd,
                            .file = (uint16_t)file_index(job, fd_file(t, fd)),
                            .cloexec = fd_cloexec(t, fd)};
        e = GHOST_PUT(g, w);
    }
    for (unsigned k = 0; e == 0 && k < files; k++)
        if (epoll_is(job->file[k]))
            e = items_write(job, g, job->file[k]);
    return e;
}

void files_undo_write(struct ghost_job *job)
{
    while (job->file_count > 0) {
        job->file_count--;
        file_export_undo(job->file[job->file_count], job->target, &job->files[job->file_count]);
    }
    ghost_export_done(job);
}

// ---- reading -----------------------------------------------------------------------------------
static int files_import(struct ghost_job *job, struct ghost *g, uint32_t count)
{
    job->file = heap_zalloc(count * sizeof(*job->file) + 1);
    if (job->file == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct file_ref ref;
        if (GHOST_TAKE(g, ref) < 0)
            return -EPROTO;
        struct file *f = file_come(job, &ref);
        if (f == NULL)
            return -ENOMEM;
        job->file[job->file_count++] = f;
    }
    return 0;
}

static int fds_install(struct ghost_job *job, struct ghost *g)
{
    struct fd_table *t = job->process->files;
    uint32_t count;
    if (GHOST_TAKE(g, count) < 0 || count > FD_MAX)
        return -EPROTO;
    for (uint32_t i = 0; i < count; i++) {
        struct fd_wire w;
        if (GHOST_TAKE(g, w) < 0 || w.fd >= FD_MAX || w.file >= job->file_count)
            return -EPROTO;
        file_get(job->file[w.file]);
        int fd = fd_install(t, job->file[w.file], (int)w.fd, w.cloexec);
        if (fd < 0)
            file_put(job->file[w.file]);
        if (fd != (int)w.fd)
            return fd < 0 ? fd : -EPROTO;
    }
    return 0;
}

int files_read(struct ghost_job *job, struct ghost *g)
{
    if (job->process->files == NULL)
        job->process->files = fd_table_new();
    if (job->process->files == NULL)
        return -ENOMEM;
    uint32_t count;
    if (GHOST_TAKE(g, count) < 0 || count > FD_MAX)
        return -EPROTO;
    int e = files_import(job, g, count);
    if (e == 0)
        e = fds_install(job, g);
    for (unsigned k = 0; e == 0 && k < job->file_count; k++)
        if (epoll_is(job->file[k]))
            e = items_read(job, g, job->file[k]);
    files_undo_read(job);
    return e;
}

// The descriptors hold the files by now; the list of them goes.
void files_undo_read(struct ghost_job *job)
{
    while (job->file_count > 0)
        file_put(job->file[--job->file_count]);
    heap_free(job->file);
    job->file = NULL;
}
