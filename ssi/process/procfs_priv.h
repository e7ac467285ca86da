// SPDX-License-Identifier: MIT
// Between the files of procfs.
//
// Numbers of its nodes: for a process (or a thread) pid << 20 | kind, else the kind alone.
#pragma once

#include "ssi/process/priv.h"
#include "ssi/process/procfs.h"

#define PROC_PID_SHIFT   20
#define PROC_INODE(p, k) ((uint64_t)(uint32_t)(p) << PROC_PID_SHIFT | (k))

enum {
    // without a process
    PROC_ROOT = 1,
    PROC_CLUSTER = 2,
    PROC_SYS = 3,
    PROC_SYS_KERNEL = 4,
    PROC_SELF = 5,
    PROC_NET = 6,
    PROC_THREAD_SELF = 7,
    PROC_SYS_VM = 8,
    PROC_SYS_FS = 9,
    PROC_SYS_INOTIFY = 10,
    PROC_SYS_MQUEUE = 11,
    PROC_SYS_RANDOM = 12,
    PROC_SYSVIPC = 13,
    PROC_SYSTEM_FILES = 0x100, // + row of the table
    PROC_KERNEL_FILES = 0x200,
    PROC_NET_FILES = 0x300,
    PROC_VM_FILES = 0x400,
    PROC_FS_FILES = 0x500,
    PROC_INOTIFY_FILES = 0x600,
    PROC_MQUEUE_FILES = 0x700,
    PROC_RANDOM_FILES = 0x800,
    PROC_SYSVIPC_FILES = 0x900,
    PROC_CLUSTER_FILES = 0x1000,
    // of a process
    PROC_DIR = 1,
    PROC_FD_DIR = 2,
    PROC_TASK_DIR = 3,
    PROC_FD_LIST = 4,    // asked between nodes: the open descriptors, in decimal
    PROC_TASK_LIST = 5,  // likewise: the tids
    PROC_THREAD_DIR = 6, // /proc/PID/task/TID: has no task in its turn
    PROC_FDINFO_DIR = 7,
    PROC_FILES = 0x10, // + row of the table
    PROC_FDS = 0x1000, // + descriptor
    PROC_FDINFOS = 0x2000,
};

struct cluster_file {
    const char *name;
    void (*show)(struct text *t);
    long (*write)(const struct fs_who *who, const char *bytes, size_t n);
};

const struct cluster_file *cluster_file(unsigned index); // NULL behind the last
int cluster_file_find(const char *name);                 // its index, -ENOENT

struct proc_row { // a plain file or a link
    const char *name;
    uint32_t mode;
    void (*show)(struct text *t);                                        // of the system
    int (*show_process)(int32_t pid, struct process *p, struct text *t); // local; may sleep
};

extern const struct proc_row proc_system_rows[]; // ended by an empty name
extern const struct proc_row proc_net_rows[];    // /proc/net
extern const struct proc_row proc_ipc_rows[];    // /proc/sysvipc

// A folder of texts for everybody, and of such folders.
struct proc_folder {
    const char *name;
    uint32_t kind, in;           // its own number, and that of the folder it is in, if not the root
    uint32_t files;              // number of its first file, below 256 of them
    const struct proc_row *rows; // may be NULL
};
#define PROC_FOLDER_FILES 0x100u
extern const struct proc_folder proc_folders[]; // ended by an empty name
void proc_show_mounts(struct text *t);
void proc_show_mountinfo(struct text *t);
extern const struct proc_row proc_process_rows[]; // /proc/PID
// /proc/PID/maps and smaps, of a process of this node. May sleep.
int proc_show_maps(int32_t pid, struct process *p, struct text *t);
int proc_show_smaps(int32_t pid, struct process *p, struct text *t);

struct resident { // pages
    uint32_t all, anonymous, file, shared_memory;
    uint32_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t proportional, proportional_dirty; // in PSS_SHIFT fractions
};
struct segment_memory { // of a segment that may be gone when it is printed
    uint32_t pages, prot, flags;
    struct resident resident;
};
struct segment_memory proc_segment_memory(struct segment *s);
void proc_add_segment(const struct segment_memory *m, struct text *t); // as smaps has it
void proc_add_memory(const struct process *p, struct text *t);         // as status has it
int proc_show_statm(int32_t pid, struct process *p, struct text *t);
int proc_show_smaps_rollup(int32_t pid, struct process *p, struct text *t);
int proc_show_io(int32_t pid, struct process *p, struct text *t);
int proc_show_syscall(int32_t pid, struct process *p, struct text *t);
int proc_show_personality(int32_t pid, struct process *p, struct text *t);
// /proc/PID/fdinfo/FD, of a process of this node. 0, -ENOENT. May sleep.
int proc_show_fdinfo(struct process *p, int fd, struct text *t);
// /proc/PID/mem, of a process of this node: 0, -ESRCH, -EACCES, -ENOMEM. May sleep.
int proc_open_memory(int32_t pid, uint32_t flags, struct file **f);
int proc_row_find(const struct proc_row *rows, const char *name); // -ENOENT

// The text of a process's node, wherever the process is. 0, -ESRCH and others. May sleep.
int proc_process_text(int32_t pid, uint32_t kind, struct text *t);
// The same for a process (or thread) of this node.
int proc_local_text(int32_t pid, uint32_t kind, struct text *t);
int proc_init_text(uint32_t kind, struct text *t); // of PID 1
// The process with this PID or a thread with this TID, on this node; NULL.
struct process *proc_find(int32_t pid);
// Owner of a process (or thread) anywhere. 0, -ESRCH.
int proc_owner(int32_t pid, uint32_t *uid);
// The next PID above `pid` on node `n`; 0: none.
int32_t proc_next(node_id_t n, int32_t pid);
int proc_migrate(int32_t pid, node_id_t to, const struct fs_who *who);
// /proc/PID/oom_score_adj, wherever it is. 0, -ESRCH, -EACCES: less than it is is root's. May
// sleep.
int proc_oom_adjust(int32_t pid, int value, const struct fs_who *who);

// What each node says of itself.
struct node_facts {
    uint32_t free_frames, total_frames, processes, tasks;
    uint64_t user_ns, system_ns, idle_ns;
    uint64_t heap_bytes;
} PACKED;
int node_facts_of(node_id_t n, struct node_facts *f); // 0, -EHOSTDOWN
