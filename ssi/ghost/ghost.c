// SPDX-License-Identifier: MIT
#include "ssi/ghost/ghost.h"
#include "lib/assert.h"
#include "lib/crc32c.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/ghost/sections.h"

static const struct ghost_section sections[] = {
#define SECTION(number, word, v, must, undo_w, undo_r)                                             \
    {.id = (number),                                                                               \
     .version = (v),                                                                               \
     .required = (must),                                                                           \
     .name = #word,                                                                                \
     .write = word##_write,                                                                        \
     .read = word##_read,                                                                          \
     .undo_write = (undo_w),                                                                       \
     .undo_read = (undo_r)},
#include "ssi/ghost/sections.def"
#undef SECTION
};

// ---- bytes -------------------------------------------------------------------------------------

static int grow(struct ghost *g, size_t n)
{
    if (g->n + n <= g->capacity)
        return 0;
    if (g->n + n > GHOST_BYTES_MAX)
        return -E2BIG;
    size_t capacity = MAX(g->capacity, (size_t)PAGE_SIZE / 2);
    while (capacity < g->n + n)
        capacity *= 2;
    uint8_t *bytes = heap_alloc(capacity);
    if (bytes == NULL)
        return -ENOMEM;
    if (g->n)
        memcpy(bytes, g->bytes, g->n);
    heap_free(g->bytes);
    g->bytes = bytes;
    g->capacity = capacity;
    return 0;
}

int ghost_put(struct ghost *g, const void *bytes, size_t n)
{
    int e = grow(g, n);
    if (e < 0)
        return e;
    memcpy(g->bytes + g->n, bytes, n);
    g->n += n;
    return 0;
}

int ghost_take(struct ghost *g, void *bytes, size_t n)
{
    if (n > g->end - g->at)
        return -EPROTO;
    memcpy(bytes, g->bytes + g->at, n);
    g->at += n;
    return 0;
}

void ghost_free(struct ghost *g)
{
    heap_free(g->bytes);
    *g = (struct ghost){0};
}

static uint32_t ghost_sum(const struct ghost *g)
{
    struct ghost_header h;
    memcpy(&h, g->bytes, sizeof(h));
    h.crc32c = 0;
    uint32_t sum = crc32c(0, &h, sizeof(h));
    return crc32c(sum, g->bytes + sizeof(h), g->n - sizeof(h));
}

// ---- out ---------------------------------------------------------------------------------------

static int section_write(const struct ghost_section *s, struct ghost_job *job, struct ghost *g)
{
    struct ghost_section_head head = {
        .id = s->id, .version = s->version, .flags = s->required ? GHOST_REQUIRED : 0};
    size_t head_at = g->n;
    int e = GHOST_PUT(g, head);
    if (e == 0)
        e = s->write(job, g);
    if (e < 0)
        return e;
    head.bytes = (uint32_t)(g->n - head_at - sizeof(head));
    memcpy(g->bytes + head_at, &head, sizeof(head));
    return 0;
}

static void undo_writes(struct ghost_job *job, unsigned count)
{
    while (count-- > 0)
        if (sections[count].undo_write)
            sections[count].undo_write(job);
}

static void header_write(const struct ghost_job *job, struct ghost *g)
{
    struct ghost_header h = {
        .magic = GHOST_MAGIC,
        .version = GHOST_VERSION,
        .bytes = (uint32_t)g->n,
        .sections = ARRAY_SIZE(sections),
        .pid = job->process->pid,
        .incarnation = job->process->incarnation,
        .features_edx = job->process->features_edx,
        .features_ecx = job->process->features_ecx,
        .frozen_ns = job->frozen_ns,
        .source = cluster_self(),
    };
    memcpy(g->bytes, &h, sizeof(h));
    h.crc32c = ghost_sum(g);
    memcpy(g->bytes, &h, sizeof(h));
}

int ghost_export(struct ghost_job *job, struct ghost *g)
{
    struct ghost_header empty = {0};
    *g = (struct ghost){0};
    ASSERT(job->process->state == PROCESS_MOVING);
    int e = GHOST_PUT(g, empty);
    unsigned i = 0;
    for (; e == 0 && i < ARRAY_SIZE(sections); i++)
        e = section_write(&sections[i], job, g);
    if (e < 0) {
        undo_writes(job, i);
        ghost_free(g);
        return e;
    }
    header_write(job, g);
    return 0;
}

void ghost_export_undo(struct ghost_job *job)
{
    undo_writes(job, ARRAY_SIZE(sections));
}

void ghost_export_done(struct ghost_job *job)
{
    heap_free(job->files);
    heap_free(job->file);
    job->files = NULL;
    job->file = NULL;
    job->file_count = 0;
}

// ---- in ----------------------------------------------------------------------------------------

bool ghost_check(const struct ghost *g, const char **why)
{
    struct ghost_header h;
    *why = NULL;
    if (g->n < sizeof(h)) {
        *why = "shorter than its header";
        return false;
    }
    memcpy(&h, g->bytes, sizeof(h));
    if (h.magic != GHOST_MAGIC)
        *why = "no ghost";
    else if (h.version != GHOST_VERSION)
        *why = "of another version";
    else if (h.bytes != g->n)
        *why = "cut or with something behind it";
    else if (h.crc32c != ghost_sum(g))
        *why = "damaged: the checksum differs";
    else if (h.pid <= PID_CLUSTER || h.pid / PID_PER_NODE >= NODE_MAX || h.sections > 64)
        *why = "header out of range";
    return *why == NULL;
}

static const struct ghost_section *section_find(uint16_t id)
{
    for (unsigned i = 0; i < ARRAY_SIZE(sections); i++)
        if (sections[i].id == id)
            return &sections[i];
    return NULL;
}

// Reads the section that begins at g->at; *done is its bit, 0 when it was skipped.
static int section_read(struct ghost_job *job, struct ghost *g, uint32_t *done)
{
    struct ghost_section_head head;
    g->end = g->n;
    if (GHOST_TAKE(g, head) < 0 || head.bytes > g->n - g->at)
        return -EPROTO;
    const struct ghost_section *s = section_find(head.id);
    size_t next = g->at + head.bytes;
    *done = 0;
    if (s == NULL || s->version != head.version) {
        job->why = "a section that this node does not know";
        g->at = next;
        return head.flags & GHOST_REQUIRED ? -EPROTO : 0;
    }
    g->end = next;
    int e = s->read(job, g);
    if (e == 0 && g->at != next)
        e = -EPROTO;
    if (e < 0)
        log_warn("ghost", "section %s refused: %s", s->name, errno_text(e));
    *done = 1u << (s - sections);
    return e;
}

static int sections_read(struct ghost_job *job, struct ghost *g, uint32_t count)
{
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t done;
        int e = section_read(job, g, &done);
        if (e < 0)
            return e;
        if (seen & done)
            return -EPROTO;
        seen |= done;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(sections); i++)
        if (sections[i].required && !(seen & 1u << i))
            return -EPROTO;
    return g->at == g->n ? 0 : -EPROTO;
}

int ghost_import(struct ghost_job *job, struct ghost *g)
{
    struct ghost_header h;
    memcpy(&h, g->bytes, sizeof(h));
    g->at = sizeof(h);
    struct process *p = process_new_as(h.pid, h.incarnation + 1);
    if (p == NULL)
        return -ENOMEM;
    p->state = PROCESS_MOVING;
    p->features_edx = h.features_edx;
    p->features_ecx = h.features_ecx;
    p->came_from = h.source;
    p->born = (node_id_t)(h.pid / PID_PER_NODE);
    job->process = p;
    int e = sections_read(job, g, h.sections);
    if (e < 0)
        ghost_import_undo(job);
    else
        ghost_export_done(job);
    return e;
}

void ghost_import_undo(struct ghost_job *job)
{
    for (unsigned i = ARRAY_SIZE(sections); i-- > 0;)
        if (sections[i].undo_read)
            sections[i].undo_read(job);
    while (!list_empty(&job->process->tasks)) {
        struct task *t = list_entry(job->process->tasks.next, struct task, link);
        struct thread *never_ran = t->thread;
        task_free(t);
        thread_abandon(never_ran);
    }
    process_free(job->process);
    job->task = NULL;
    job->process = NULL;
}
