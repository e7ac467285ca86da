// SPDX-License-Identifier: MIT
// The ghost (the paper, 4.3): the one image of a process, an ordered list of sections that says
// everything but its pages. Placement, migration and checkpoint write and read the same bytes.
// Containers and files travel as references, so its size does not depend on that of the process.
//
// Bytes: struct ghost_header, then per section struct ghost_section_head and its body. Sections
// are rows of sections.def. An unknown section is skipped unless it is marked required.
// Exporting and importing may sleep. The process must be frozen: all its tasks in kernel mode with
// an empty kernel stack, state PROCESS_MOVING.
#pragma once

#include "ssi/process/process.h"

#define GHOST_MAGIC     0x5453484754464557ull // "WEFTGHST"
#define GHOST_VERSION   1u
#define GHOST_BYTES_MAX (256u << 10)
#define GHOST_THREADS   128u // of a process at most

struct ghost_header {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes;  // of the whole ghost
    uint32_t crc32c; // of the whole ghost, this field taken as 0
    uint32_t sections;
    int32_t pid;
    uint32_t incarnation;                // of the process that was exported
    uint32_t features_edx, features_ecx; // CPU features that it may have seen
    uint64_t frozen_ns;                  // cluster time; also the last it may have seen
    uint16_t source;                     // node
    uint16_t reserved[3];
} PACKED;
STATIC_ASSERT(sizeof(struct ghost_header) == 56, "wire form");

enum {
    GHOST_REQUIRED = 1
};

struct ghost_section_head {
    uint16_t id;
    uint16_t version;
    uint16_t flags;
    uint16_t reserved;
    uint32_t bytes; // of the body
} PACKED;
STATIC_ASSERT(sizeof(struct ghost_section_head) == 12, "wire form");

// A ghost being written or read: bytes in one growing block of the heap.
struct ghost {
    uint8_t *bytes;
    size_t n;        // bytes written, or there to be read
    size_t capacity; // of the block
    size_t at;       // where reading is
    size_t end;      // of the section being read
};

// What the sections work on.
struct ghost_job {
    struct process *process;
    struct task *task;      // whom the sections of a thread are about; between them its first
    node_id_t target;       // who imports it
    struct file_ref *files; // export: references handed out, for the undo
    struct file **file;     // beside them the files; import: files by index
    unsigned file_count;
    bool alarm_set;     // the process's alarm was running: its at_ns holds (this node's clock)
    uint64_t frozen_ns; // cluster time
    const char *why;    // set with an error: what went wrong, in words
};

struct ghost_section {
    uint16_t id, version;
    bool required;
    const char *name;
    int (*write)(struct ghost_job *job, struct ghost *g); // 0 or negative errno
    int (*read)(struct ghost_job *job, struct ghost *g);
    void (*undo_write)(struct ghost_job *job); // NULL: nothing to undo
    void (*undo_read)(struct ghost_job *job);
};

// Writes the ghost of job->process for job->target. On failure everything is undone, the ghost is
// empty, job->why may say why.
int ghost_export(struct ghost_job *job, struct ghost *g);
// The hand-off failed: takes back what the export handed out.
void ghost_export_undo(struct ghost_job *job);
// After COMMIT: forgets the undo information.
void ghost_export_done(struct ghost_job *job);

// Checks header and sums of bytes that came from outside; *why in words when they are refused.
bool ghost_check(const struct ghost *g, const char **why) MUST_CHECK;
// Makes job->process (incarnation + 1, state PROCESS_MOVING) and job->task of it; they do not run.
// On failure everything is undone.
int ghost_import(struct ghost_job *job, struct ghost *g);
void ghost_import_undo(struct ghost_job *job); // the target discards what it imported

void ghost_free(struct ghost *g);

// Why an open file of `t` cannot go where its process goes, in words; NULL: all can.
const char *ghost_files_stay(struct fd_table *t);

// ---- for the sections --------------------------------------------------------------------------
int ghost_put(struct ghost *g, const void *bytes, size_t n); // 0, -ENOMEM, -E2BIG
int ghost_take(struct ghost *g, void *bytes, size_t n);      // 0, -EPROTO beyond the section
#define GHOST_PUT(g, object)  ghost_put((g), &(object), sizeof(object))
#define GHOST_TAKE(g, object) ghost_take((g), &(object), sizeof(object))
