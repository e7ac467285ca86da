// SPDX-License-Identifier: MIT
// /proc/PID/fdinfo (proc_pid_fdinfo(5)).
#include "lib/errno.h"
#include "ssi/process/pidfd.h"
#include "ssi/process/procfs_priv.h"

int proc_show_fdinfo(struct process *p, int fd, struct text *t)
{
    struct fs_stat st;
    struct pidfd_of of;
    struct file *f = p->files ? fd_file_get(p->files, fd) : NULL;
    if (f == NULL)
        return -ENOENT;
    uint32_t flags = f->flags & ~FILE_FLAGS_OWN;
    flags |= fd_cloexec(p->files, fd) ? O_CLOEXEC : 0; // asked before anything sleeps
    int64_t at = f->ops->seek && !(flags & O_PATH) ? f->ops->seek(f, 0, WHENCE_CUR) : 0;
    bool known = file_stat(f, &st) == 0;
    text_add(t, "pos:\t%u\nflags:\t0%o\nmnt_id:\t%u\nino:\t%u\n", (unsigned)MAX(at, 0), flags,
             f->place.mount, known ? (unsigned)st.inode : 0);
    if (pidfd_names(f, false, &of) == 0) {
        int32_t pid = pidfd_state(&of) < 0 ? -1 : of.pid; // a process that was waited for has none
        text_add(t, "Pid:\t%d\nNSpid:\t%d\n", pid, pid);
    }
    file_put(f);
    return 0;
}
