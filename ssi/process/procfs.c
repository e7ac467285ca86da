// SPDX-License-Identifier: MIT
// The tree of /proc: which names there are and what each node is.
#include "ssi/process/procfs.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/generated.h"
#include "ssi/process/procfs_priv.h"

#define DIR_MODE  0040555u
#define LINK_MODE 0120777u
#define FILE_TYPE 0100000u
#define TEXT_MAX  (32u << 10)

static int32_t pid_of(uint64_t inode)
{
    return (int32_t)(inode >> PROC_PID_SHIFT);
}

static uint32_t kind_of(uint64_t inode)
{
    return (uint32_t)inode & ((1u << PROC_PID_SHIFT) - 1);
}

int proc_row_find(const struct proc_row *rows, const char *name)
{
    for (int i = 0; rows[i].name; i++) {
        if (!strcmp(rows[i].name, name))
            return i;
    }
    return -ENOENT;
}

static unsigned rows_count(const struct proc_row *rows)
{
    unsigned n = 0;
    while (rows[n].name)
        n++;
    return n;
}

// ---- attributes --------------------------------------------------------------------------------
static int entry(struct gen_entry *e, uint64_t inode, uint32_t mode, const char *name)
{
    *e = (struct gen_entry){.inode = inode, .mode = mode};
    str_copy(e->name, name, sizeof(e->name));
    return 0;
}

// A link that tells what the file is open for; on other nodes that is not known.
static uint32_t descriptor_mode(int32_t pid, int fd)
{
    const struct process *p = proc_find(pid);
    const struct file *f = p && p->files ? fd_file(p->files, fd) : NULL;
    uint32_t access = f ? f->flags & O_ACCMODE : O_RDWR;
    uint32_t mode = (access != O_WRONLY ? 0500 : 0) | (access != O_RDONLY ? 0300 : 0);
    return 0120000 | (f && f->flags & O_PATH ? 0 : mode);
}

static int process_attributes(int32_t pid, uint32_t kind, struct gen_entry *e)
{
    uint32_t uid;
    int error = proc_owner(pid, &uid);
    if (error < 0)
        return -ENOENT;
    if (kind == PROC_DIR || kind == PROC_TASK_DIR || kind == PROC_THREAD_DIR ||
        kind == PROC_FDINFO_DIR)
        e->mode = DIR_MODE;
    else if (kind == PROC_FD_DIR)
        e->mode = 0040500;
    else if (kind >= PROC_FDINFOS)
        e->mode = FILE_TYPE | 0444;
    else if (kind >= PROC_FDS)
        e->mode = descriptor_mode(pid, (int)(kind - PROC_FDS));
    else if (kind >= PROC_FILES && kind - PROC_FILES < rows_count(proc_process_rows))
        e->mode = proc_process_rows[kind - PROC_FILES].mode;
    else
        return -ENOENT;
    e->uid = e->gid = uid;
    return 0;
}

// NULL: `kind` is no folder of the table.
static const struct proc_folder *folder_of(uint32_t kind)
{
    const struct proc_folder *d = proc_folders;
    while (d->name && d->kind != kind)
        d++;
    return d->name ? d : NULL;
}

// The row of a file of a folder; NULL: `kind` is no such file.
static const struct proc_row *folder_row(uint32_t kind)
{
    for (const struct proc_folder *d = proc_folders; d->name; d++)
        if (d->rows && kind >= d->files && kind - d->files < PROC_FOLDER_FILES)
            return kind - d->files < rows_count(d->rows) ? &d->rows[kind - d->files] : NULL;
    return NULL;
}

static int system_attributes(uint32_t kind, struct gen_entry *e)
{
    if (kind == PROC_ROOT || kind == PROC_CLUSTER || folder_of(kind))
        e->mode = DIR_MODE;
    else if (kind == PROC_SELF || kind == PROC_THREAD_SELF)
        e->mode = LINK_MODE;
    else if (kind >= PROC_CLUSTER_FILES) {
        const struct cluster_file *f = cluster_file(kind - PROC_CLUSTER_FILES);
        if (!f)
            return -ENOENT;
        e->mode = FILE_TYPE | (f->write ? 0644 : 0444);
    } else if (folder_row(kind))
        e->mode = FILE_TYPE | 0444;
    else if (kind >= PROC_SYSTEM_FILES && kind - PROC_SYSTEM_FILES < rows_count(proc_system_rows))
        e->mode = proc_system_rows[kind - PROC_SYSTEM_FILES].mode;
    else
        return -ENOENT;
    return 0;
}

static int attributes(uint64_t inode, struct gen_entry *e)
{
    *e = (struct gen_entry){.inode = inode};
    return pid_of(inode) ? process_attributes(pid_of(inode), kind_of(inode), e)
                         : system_attributes(kind_of(inode), e);
}

// ---- names -------------------------------------------------------------------------------------
// One spelling of each number only: no zeros before it.
static bool number(const char *name, int32_t *value)
{
    uint32_t v;
    if (name[0] < '0' || name[0] > '9' || (name[0] == '0' && name[1]) || !str_to_u32(name, &v) ||
        v > INT32_MAX)
        return false;
    *value = (int32_t)v;
    return true;
}

static int look_at(uint64_t inode, const char *name, struct gen_entry *e)
{
    int r = attributes(inode, e);
    str_copy(e->name, name, sizeof(e->name));
    return r;
}

static int look_root(const char *name, struct gen_entry *e)
{
    int32_t pid;
    if (number(name, &pid))
        return pid > 0 ? look_at(PROC_INODE(pid, PROC_DIR), name, e) : -ENOENT;
    if (!strcmp(name, "cluster"))
        return entry(e, PROC_CLUSTER, DIR_MODE, name);
    if (!strcmp(name, "sys"))
        return entry(e, PROC_SYS, DIR_MODE, name);
    if (!strcmp(name, "self"))
        return entry(e, PROC_SELF, LINK_MODE, name);
    if (!strcmp(name, "thread-self"))
        return entry(e, PROC_THREAD_SELF, LINK_MODE, name);
    if (!strcmp(name, "net"))
        return entry(e, PROC_NET, DIR_MODE, name);
    if (!strcmp(name, "sysvipc"))
        return entry(e, PROC_SYSVIPC, DIR_MODE, name);
    int row = proc_row_find(proc_system_rows, name);
    return row < 0 ? row : look_at(PROC_SYSTEM_FILES + (unsigned)row, name, e);
}

static int look_process(int32_t pid, uint32_t dir, const char *name, struct gen_entry *e)
{
    if (!strcmp(name, "fd"))
        return look_at(PROC_INODE(pid, PROC_FD_DIR), name, e);
    if (!strcmp(name, "fdinfo"))
        return look_at(PROC_INODE(pid, PROC_FDINFO_DIR), name, e);
    if (!strcmp(name, "task") && dir == PROC_DIR)
        return look_at(PROC_INODE(pid, PROC_TASK_DIR), name, e);
    int row = proc_row_find(proc_process_rows, name);
    return row < 0 ? row : look_at(PROC_INODE(pid, PROC_FILES + (unsigned)row), name, e);
}

// The first of a list of decimal numbers that is above `after`.
static bool first_above(const char *s, int32_t after, int32_t *found)
{
    bool any = false;
    while (*s) {
        int32_t v = 0;
        while (*s >= '0' && *s <= '9')
            v = v * 10 + (*s++ - '0');
        while (*s == ' ')
            s++;
        if (v > after && (!any || v < *found)) {
            *found = v;
            any = true;
        }
    }
    return any;
}

#define LIST_BYTES (12u << 10)

static bool list_next(int32_t pid, uint32_t kind, int32_t after, int32_t *found)
{
    char *buffer = heap_alloc(LIST_BYTES);
    if (!buffer)
        return false;
    struct text t;
    text_init(&t, buffer, LIST_BYTES);
    bool any = proc_process_text(pid, kind, &t) == 0 && first_above(buffer, after, found);
    heap_free(buffer);
    return any;
}

// What a folder of numbers lists, and the node of one of them.
static uint32_t list_of(uint32_t dir)
{
    return dir == PROC_TASK_DIR ? PROC_TASK_LIST : PROC_FD_LIST;
}

static uint64_t numbered(int32_t pid, uint32_t dir, int32_t v)
{
    if (dir == PROC_TASK_DIR)
        return PROC_INODE(v, PROC_THREAD_DIR);
    return PROC_INODE(pid, (dir == PROC_FD_DIR ? PROC_FDS : PROC_FDINFOS) + (uint32_t)v);
}

static int look_number(int32_t pid, uint32_t dir, const char *name, struct gen_entry *e)
{
    int32_t v, found;
    if (!number(name, &v) || !list_next(pid, list_of(dir), v - 1, &found) || found != v)
        return -ENOENT;
    return look_at(numbered(pid, dir, v), name, e);
}

static int look_folder(uint32_t kind, const char *name, struct gen_entry *e)
{
    const struct proc_folder *d = folder_of(kind);
    if (!d)
        return -ENOENT;
    for (const struct proc_folder *in = proc_folders; in->name; in++)
        if (in->in == kind && !strcmp(in->name, name))
            return entry(e, in->kind, DIR_MODE, name);
    int row = d->rows ? proc_row_find(d->rows, name) : -ENOENT;
    return row < 0 ? row : look_at(d->files + (unsigned)row, name, e);
}

static int look(const struct fs_who *who, uint64_t dir, const char *name, struct gen_entry *e)
{
    int32_t pid = pid_of(dir);
    uint32_t kind = kind_of(dir);
    (void)who;
    if (!strcmp(name, "..")) {
        const struct proc_folder *d = pid ? NULL : folder_of(kind);
        if (pid && kind == PROC_THREAD_DIR)
            return look_at(PROC_INODE(pid, PROC_TASK_DIR), name, e);
        if (pid && kind != PROC_DIR)
            return look_at(PROC_INODE(pid, PROC_DIR), name, e);
        return entry(e, d && d->in ? d->in : PROC_ROOT, DIR_MODE, name);
    }
    if (pid && (kind == PROC_DIR || kind == PROC_THREAD_DIR))
        return look_process(pid, kind, name, e);
    if (pid)
        return look_number(pid, kind, name, e);
    if (kind == PROC_ROOT)
        return look_root(name, e);
    if (kind != PROC_CLUSTER)
        return look_folder(kind, name, e);
    int row = cluster_file_find(name);
    return row < 0 ? row : look_at(PROC_CLUSTER_FILES + (unsigned)row, name, e);
}

// ---- listings ----------------------------------------------------------------------------------
static int list_rows(const struct proc_row *rows, uint64_t base, uint64_t row, uint32_t mode,
                     struct gen_entry *e)
{
    if (row >= rows_count(rows))
        return -ENOENT;
    return entry(e, base + row, mode ? mode : rows[row].mode, rows[row].name);
}

#define CURSOR_PIDS (1u << 24) // + the PID that was listed last: 31 bits, as readdir(3) wants
#define ROOT_NAMES  7u
#define PROC_INIT   PROC_INODE(PID_CLUSTER, PROC_DIR)

// The lowest PID above `after` on any member; 0: none. A process that moves meanwhile is listed
// once.
static int32_t next_anywhere(int32_t after)
{
    int32_t lowest = 0;
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        int32_t pid = proc_next(n, after);
        if (pid > 0 && (lowest == 0 || pid < lowest))
            lowest = pid;
    }
    return lowest;
}

// First the fixed names, then the processes.
static int list_root(uint64_t *cursor, struct gen_entry *e)
{
    static const struct {
        const char *name;
        uint64_t inode;
        uint32_t mode;
    } names[ROOT_NAMES] = {
        {"cluster", PROC_CLUSTER, DIR_MODE}, {"sys", PROC_SYS, DIR_MODE},
        {"self", PROC_SELF, LINK_MODE},      {"thread-self", PROC_THREAD_SELF, LINK_MODE},
        {"net", PROC_NET, DIR_MODE},         {"sysvipc", PROC_SYSVIPC, DIR_MODE},
        {"1", PROC_INIT, DIR_MODE}};
    uint64_t at = *cursor;
    if (at < ROOT_NAMES) {
        ++*cursor;
        return entry(e, names[at].inode, names[at].mode, names[at].name);
    }
    if (at < CURSOR_PIDS) {
        ++*cursor;
        if (list_rows(proc_system_rows, PROC_SYSTEM_FILES, at - ROOT_NAMES, 0, e) == 0)
            return 0;
        at = CURSOR_PIDS;
    }
    int32_t pid = next_anywhere((int32_t)(at - CURSOR_PIDS));
    if (pid == 0)
        return -ENOENT;
    char name[16];
    fmt_print(name, sizeof(name), "%d", pid);
    *cursor = CURSOR_PIDS + (uint32_t)pid;
    return entry(e, PROC_INODE(pid, PROC_DIR), DIR_MODE, name);
}

static int list_process(int32_t pid, uint32_t dir, uint64_t *cursor, struct gen_entry *e)
{
    uint64_t at = (*cursor)++;
    if (at > 0 && dir == PROC_THREAD_DIR)
        at++;
    if (at == 0)
        return entry(e, PROC_INODE(pid, PROC_FD_DIR), 0040500, "fd");
    if (at == 1)
        return entry(e, PROC_INODE(pid, PROC_TASK_DIR), DIR_MODE, "task");
    if (at == 2)
        return entry(e, PROC_INODE(pid, PROC_FDINFO_DIR), DIR_MODE, "fdinfo");
    return list_rows(proc_process_rows, PROC_INODE(pid, PROC_FILES), at - 3, 0, e);
}

// The cursor is the last number listed plus one.
static int list_numbers(int32_t pid, uint32_t dir, uint64_t *cursor, struct gen_entry *e)
{
    int32_t v;
    char name[16];
    if (!list_next(pid, list_of(dir), (int32_t)*cursor - 1, &v))
        return -ENOENT;
    *cursor = (uint64_t)v + 1;
    fmt_print(name, sizeof(name), "%d", v);
    uint32_t mode = dir == PROC_FD_DIR     ? 0120700
                    : dir == PROC_TASK_DIR ? DIR_MODE
                                           : FILE_TYPE | 0444;
    return entry(e, numbered(pid, dir, v), mode, name);
}

// First its files, then the folders in it.
static int list_folder(uint32_t kind, uint64_t at, struct gen_entry *e)
{
    const struct proc_folder *d = folder_of(kind);
    uint64_t rows = d && d->rows ? rows_count(d->rows) : 0;
    if (at < rows)
        return list_rows(d->rows, d->files, at, FILE_TYPE | 0444, e);
    at -= rows;
    for (const struct proc_folder *in = proc_folders; in->name; in++)
        if (in->in == kind && at-- == 0)
            return entry(e, in->kind, DIR_MODE, in->name);
    return -ENOENT;
}

static int list(uint64_t dir, uint64_t *cursor, struct gen_entry *e)
{
    int32_t pid = pid_of(dir);
    uint32_t kind = kind_of(dir);
    if (pid && (kind == PROC_DIR || kind == PROC_THREAD_DIR))
        return list_process(pid, kind, cursor, e);
    if (pid)
        return list_numbers(pid, kind, cursor, e);
    if (kind == PROC_ROOT)
        return list_root(cursor, e);
    uint64_t at = (*cursor)++;
    if (kind != PROC_CLUSTER)
        return list_folder(kind, at, e);
    const struct cluster_file *f = cluster_file((unsigned)at);
    return f ? entry(e, PROC_CLUSTER_FILES + at, FILE_TYPE | (f->write ? 0644 : 0444), f->name)
             : -ENOENT;
}

// ---- content -----------------------------------------------------------------------------------
static int show(uint64_t inode, struct text *t)
{
    uint32_t kind = kind_of(inode);
    const struct proc_row *row = folder_row(kind);
    if (pid_of(inode))
        return proc_process_text(pid_of(inode), kind, t);
    if (kind >= PROC_CLUSTER_FILES)
        cluster_file(kind - PROC_CLUSTER_FILES)->show(t);
    else if (row)
        row->show(t);
    else
        proc_system_rows[kind - PROC_SYSTEM_FILES].show(t);
    return 0;
}

static long write_node(const struct fs_who *who, int32_t pid, const char *bytes, size_t n)
{
    char text[16];
    uint32_t to;
    if (n >= sizeof(text))
        return -EINVAL;
    memcpy(text, bytes, n);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    text[n] = 0;
    if (n == 0 || !str_to_u32(text, &to) || to >= NODE_MAX || !cluster_is_member((node_id_t)to))
        return -EINVAL;
    return proc_migrate(pid, (node_id_t)to, who);
}

static long write_oom_adjust(const struct fs_who *who, int32_t pid, const char *bytes, size_t n)
{
    uint32_t value;
    char text[16];
    while (n && (bytes[n - 1] == '\n' || bytes[n - 1] == ' '))
        n--;
    if (n >= sizeof(text))
        return -EINVAL;
    memcpy(text, bytes, n);
    text[n] = '\0';
    bool below = text[0] == '-';
    if (!str_to_u32(text + below, &value) || value > 1000)
        return -EINVAL;
    return proc_oom_adjust(pid, below ? -(int)value : (int)value, who);
}

static long write_process(const struct fs_who *who, uint64_t inode, const char *bytes, size_t n)
{
    const uint32_t row = kind_of(inode) - PROC_FILES;
    long e = -EACCES;
    if (row == (uint32_t)proc_row_find(proc_process_rows, "node"))
        e = write_node(who, pid_of(inode), bytes, n);
    else if (row == (uint32_t)proc_row_find(proc_process_rows, "oom_score_adj"))
        e = write_oom_adjust(who, pid_of(inode), bytes, n);
    return e < 0 ? e : (long)n;
}

static long write(const struct fs_who *who, uint64_t inode, const char *bytes, size_t n)
{
    uint32_t kind = kind_of(inode);
    if (pid_of(inode))
        return write_process(who, inode, bytes, n);
    if (kind < PROC_CLUSTER_FILES)
        return -EACCES;
    const struct cluster_file *f = cluster_file(kind - PROC_CLUSTER_FILES);
    return f && f->write ? f->write(who, bytes, n) : -EACCES;
}

// What the links of another's process lead to is not everybody's business.
static bool may_follow(const struct fs_who *who, uint64_t inode)
{
    struct gen_entry entry;
    return who->pid == pid_of(inode) || fs_can(who, CAP_SYS_PTRACE) ||
           attributes(inode, &entry) < 0 || entry.uid == who->uid;
}

static int link(const struct fs_who *who, uint64_t inode, char *to, size_t size)
{
    if (inode == PROC_SELF) {
        fmt_print(to, size, "%d", who->pid);
        return 0;
    }
    if (inode == PROC_THREAD_SELF) { // of who is here: /proc is each node's own
        const struct task *me = task_current();
        fmt_print(to, size, "%d/task/%d", who->pid, me ? me->tid : who->pid);
        return 0;
    }
    struct text t;
    if (!may_follow(who, inode))
        return -EACCES;
    text_init(&t, to, size);
    int e = proc_process_text(pid_of(inode), kind_of(inode), &t);
    if (e == 0 && t.length == 0)
        e = -ENOENT; // a zombie has neither program nor directory
    return e;
}

static bool is_row(uint64_t inode, const char *name)
{
    return pid_of(inode) &&
           kind_of(inode) == PROC_FILES + (uint32_t)proc_row_find(proc_process_rows, name);
}

// The file behind a link of a process of this node, or NULL.
static struct file *file_behind(uint64_t inode)
{
    uint32_t kind = kind_of(inode);
    struct process *p = proc_find(pid_of(inode));
    if (p && is_row(inode, "exe") && p->executable) {
        file_get(p->executable);
        return p->executable;
    }
    bool descriptor = kind >= PROC_FDS && kind < PROC_FDINFOS;
    return p && descriptor && p->files ? fd_file_get(p->files, (int)(kind - PROC_FDS)) : NULL;
}

// A process's memory; the links of descriptors and of the program stand for open files, whatever
// their names.
static int open_node(const struct fs_who *who, uint64_t inode, uint32_t flags, struct file **f)
{
    if (is_row(inode, "mem"))
        return proc_open_memory(pid_of(inode), flags, f);
    struct file *open = pid_of(inode) ? file_behind(inode) : NULL;
    if (open == NULL)
        return -ELOOP; // on another node: by its name
    int e = may_follow(who, inode) ? fs_reopen(who, open, flags, f) : -EACCES;
    file_put(open);
    return e;
}

static const struct gen_tree tree = {
    .path = "/proc",
    .look = look,
    .attributes = attributes,
    .list = list,
    .show = show,
    .text_bytes = TEXT_MAX,
    .write = write,
    .link = link,
    .open = open_node,
};

int32_t procfs_folder_of(struct fs_place at)
{
    bool folder = at.mount && at.mount == fs_generated_number("/proc") && pid_of(at.inode) &&
                  kind_of(at.inode) == PROC_DIR;
    return folder ? pid_of(at.inode) : 0;
}

static void procfs_mount(void)
{
    fs_mount_generated(&tree);
}
INIT_STEP(INIT_PROCESS, procfs_mount);
