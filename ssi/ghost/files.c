// SPDX-License-Identifier: MIT
// Section files: descriptors, as references to open files. Descriptors that share an open file
// share it on the other node too.
#include "ssi/ghost/sections.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"

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
        int e = file_export(f, job->target, &job->files[job->file_count], &job->why);
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

static int files_import(struct ghost_job *job, struct ghost *g, uint32_t count)
{
    job->file = heap_zalloc(count * sizeof(*job->file) + 1);
    if (job->file == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct file_ref ref;
        if (GHOST_TAKE(g, ref) < 0)
            return -EPROTO;
        struct file *f = file_import(&ref);
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
