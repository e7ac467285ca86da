// SPDX-License-Identifier: MIT
// /proc/PID/depends: a line for each thing of the process that lives on another node, and
// /proc/PID/cantmove: why it cannot move.
#include "kernel/init.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/migrate/migrate_priv.h"
#include "ssi/process/procfs.h"
#include "ssi/process/process.h"

static void memory_show(const struct process *p, struct text *t)
{
    const struct segment *s;
    const void *shown = NULL; // segments of one container mostly lie side by side
    list_for_each (s, &p->space->segments, link) {
        node_id_t home;
        if (s->object == shown)
            continue;
        shown = s->object;
        uint32_t pages = container_pages_elsewhere(s->object, &home);
        if (home != cluster_self())
            text_add(t, "node %u: pages of %08x-%08x\n", home, s->start, s->end);
        else if (pages > 0)
            text_add(t, "other nodes: %u pages of %08x-%08x\n", pages, s->start, s->end);
    }
}

static void files_show(const struct process *p, struct text *t)
{
    for (int fd = fd_next(p->files, -1); fd >= 0; fd = fd_next(p->files, fd)) {
        const struct file *f = fd_file(p->files, fd);
        if (f->home != cluster_self())
            text_add(t, "node %u: open file of descriptor %d\n", f->home, fd);
    }
}

static void depends_show(struct process *p, struct text *t)
{
    if (p->space)
        memory_show(p, t);
    if (p->files)
        files_show(p, t);
    if (p->tty_attached && p->tty_node != cluster_self())
        text_add(t, "node %u: terminal\n", p->tty_node);
    if (birth_node_of(p->pid) != cluster_self())
        text_add(t, "node %u: birth record\n", birth_node_of(p->pid));
}

static void depends_start(void)
{
    process_on_depends = depends_show;
    process_on_cantmove = migrate_reason;
}
INIT_STEP(INIT_PROCESS, depends_start);
