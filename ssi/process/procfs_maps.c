// SPDX-License-Identifier: MIT
// /proc/PID/maps and smaps (proc(5)). Which file a segment shows its container knows.
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/fs/name.h"
#include "ssi/process/procfs_priv.h"

#define NAME_COLUMN 73u

// What is known of the file that the last segments showed, so that its name is asked for once.
struct maps_file {
    struct fs_who who; // as root, with the process's root
    uint64_t inode, device;
    char *path; // PATH_MAX_BYTES
};

// A copy of what is printed of a segment: asking for names may sleep, and then it may be gone.
struct maps_line {
    uint32_t start, end, prot;
    bool shared;
    enum maps_note note;
    const char *special; // NULL: a file, or nothing
    uint64_t inode, offset;
};

static const char *special_name(const struct segment *s)
{
    if (s->flags & SEGMENT_STACK)
        return "[stack]";
    if (s->flags & SEGMENT_BRK)
        return "[heap]";
    switch ((enum maps_note)(uintptr_t)s->note) {
    case MAPS_VDSO:
        return "[vdso]";
    case MAPS_VVAR:
        return "[vvar]";
    case MAPS_PROGRAM:
    case MAPS_INTERPRETER:
    case MAPS_FILE:
    case MAPS_READ_ONLY:
    case MAPS_NOTHING:
        break;
    }
    return NULL;
}

static struct maps_line line_of(const struct segment *s)
{
    struct io_source source = container_source(s->object);
    struct maps_line l = {.start = s->start,
                          .end = s->end,
                          .prot = s->prot,
                          .note = (enum maps_note)(uintptr_t)s->note,
                          .special = special_name(s)};
    l.shared = (s->flags & SEGMENT_SHARED) && !l.special;
    bool file = l.note != MAPS_NOTHING && !l.special && source.object;
    l.inode = file ? source.object : 0;
    l.offset = file ? source.offset + ((uint64_t)s->index << PAGE_SHIFT) : 0;
    return l;
}

// Behind the end of a file a mapping of it shows a source that has nothing: it goes on the same.
static void go_on(struct maps_line *l, const struct maps_line *before)
{
    if (l->inode || l->special || l->note != MAPS_FILE || before->end != l->start ||
        before->note != MAPS_FILE || !before->inode)
        return;
    l->inode = before->inode;
    l->offset = before->offset + (before->end - before->start);
}

// May sleep.
static void learn(struct maps_file *f, uint64_t inode)
{
    struct fs_stat st;
    struct file *open;
    if (f->inode == inode)
        return;
    f->inode = inode;
    f->device = 1;
    long n = fs_path_of(&f->who, place_of(0, inode), f->path, PATH_MAX_BYTES);
    if (n < 0) {
        str_copy(f->path, "[file] (deleted)", PATH_MAX_BYTES); // kept by mappings alone
    } else if (fs_open_place(&f->who, place_of(0, inode), O_PATH, &open) == 0) {
        f->device = file_stat(open, &st) == 0 ? st.dev : 1;
        file_put(open);
    }
}

static void show_line(const struct maps_line *l, struct maps_file *f, struct text *t)
{
    size_t begin = t->length;
    uint64_t device = 0;
    const char *name = l->special ? l->special : "";
    if (l->inode) {
        learn(f, l->inode);
        device = f->device;
        name = f->path;
    }
    text_add(t, "%08x-%08x %c%c%c%c %08x %02x:%02x %u ", l->start, l->end,
             l->prot & PROT_R ? 'r' : '-', l->prot & PROT_W ? 'w' : '-',
             l->prot & PROT_X ? 'x' : '-', l->shared ? 's' : 'p', (unsigned)l->offset,
             (unsigned)(device >> 8), (unsigned)(device & 0xff), (unsigned)l->inode);
    while (*name && t->length - begin < NAME_COLUMN && t->length + 1 < t->size)
        text_add(t, " ");
    text_add(t, "%s\n", name);
}

static int show_maps(struct process *p, struct text *t, bool details)
{
    struct maps_file f = {.path = heap_alloc(PATH_MAX_BYTES)};
    struct maps_line last = {0};
    int32_t whose = p->pid;
    if (f.path == NULL)
        return -ENOMEM;
    process_who(p, &f.who);
    f.who.uid = f.who.gid = 0;
    f.who.lacks = 0;
    while ((p = process_find(whose)) != NULL && p->space) {
        struct segment *s = space_find_from(p->space, last.end);
        if (s == NULL)
            break;
        struct maps_line l = line_of(s);
        struct segment_memory m = {0};
        if (details)
            m = proc_segment_memory(s);
        go_on(&l, &last);
        show_line(&l, &f, t);
        if (details)
            proc_add_segment(&m, t);
        last = l;
    }
    heap_free(f.path);
    return 0;
}

int proc_show_maps(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    return show_maps(p, t, false);
}

int proc_show_smaps(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    return show_maps(p, t, true);
}
