// SPDX-License-Identifier: MIT
// What /proc/PID says of memory: statm, the Vm lines of status, smaps and smaps_rollup (proc(5)).
// Resident is what the page tables of this node show: a page that is here and was never used since
// the process came is not.
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "ssi/container/container.h"
#include "ssi/process/procfs_priv.h"

#define KIB(pages) ((unsigned)((pages) << (PAGE_SHIFT - 10)))
#define PSS_SHIFT  12 // a page that several have is shared out

static bool of_file(const struct segment *s)
{
    return container_source(s->object).object != 0 && s->note != (void *)MAPS_NOTHING;
}

// How many show the page, as far as this node knows: by segments of one container, or by copies of
// it that nobody wrote to, beside the file's own.
static uint32_t mappers(const struct segment *s, frame_t frame)
{
    uint32_t n =
        s->flags & SEGMENT_SHARED ? container_segment_count(s->object) : frame_users(frame);
    return n > 1 && !(s->flags & SEGMENT_SHARED) && of_file(s) ? n - 1 : MAX(n, 1u);
}

static void page_add(struct resident *r, const struct segment *s, frame_t frame, unsigned rights)
{
    bool dirty = rights & MAP_DIRTY, file = of_file(s);
    uint32_t n = mappers(s, frame);
    r->all++;
    if (s->flags & SEGMENT_SHARED)
        *(file ? &r->file : &r->shared_memory) += 1;
    else
        *(file && !(rights & MAP_WRITE) ? &r->file : &r->anonymous) += 1;
    if (n > 1)
        *(dirty ? &r->shared_dirty : &r->shared_clean) += 1;
    else
        *(dirty ? &r->private_dirty : &r->private_clean) += 1;
    r->proportional += (1u << PSS_SHIFT) / n;
    if (dirty)
        r->proportional_dirty += (1u << PSS_SHIFT) / n;
}

static void segment_add(struct resident *r, struct segment *s)
{
    uint32_t frame;
    unsigned rights;
    struct arch_space *a = &s->space->arch;
    for (uint32_t at = arch_space_next(a, s->start, s->end, &frame, &rights); at < s->end;
         at = arch_space_next(a, at + PAGE_SIZE, s->end, &frame, &rights))
        page_add(r, s, frame, rights);
}

static struct resident resident_of(const struct process *p)
{
    struct resident r = {0};
    struct segment *s;
    if (p->space) {
        list_for_each (s, &p->space->segments, link)
            segment_add(&r, s);
    }
    return r;
}

// ---- mapped -------------------------------------------------------------------------------------
struct mapped { // pages
    uint32_t data, stack, program, libraries, locked;
};

static struct mapped mapped_of(const struct process *p)
{
    struct mapped m = {0};
    const struct segment *s;
    if (p->space == NULL)
        return m;
    list_for_each (s, &p->space->segments, link) {
        uint32_t pages = (s->end - s->start) >> PAGE_SHIFT;
        bool stack = s->flags & (SEGMENT_STACK | SEGMENT_GROWS_DOWN);
        if (s->flags & SEGMENT_LOCKED)
            m.locked += pages;
        if (stack)
            m.stack += pages;
        else if (s->prot & PROT_W)
            m.data += s->flags & SEGMENT_SHARED ? 0 : pages;
        else if (s->prot & PROT_X)
            *(s->note == (void *)MAPS_PROGRAM ? &m.program : &m.libraries) += pages;
    }
    return m;
}

int proc_show_statm(int32_t pid, struct process *p, struct text *t)
{
    struct mapped m = mapped_of(p);
    struct resident r = resident_of(p);
    (void)pid;
    text_add(t, "%u %u %u %u 0 %u 0\n", p->space ? p->space->mapped_pages : 0, r.all,
             r.file + r.shared_memory, m.program, m.data + m.stack);
    return 0;
}

static void add_kib(struct text *t, const char *name, uint32_t pages)
{
    text_add(t, "%s:\t%8u kB\n", name, KIB(pages));
}

void proc_add_memory(const struct process *p, struct text *t)
{
    if (p->space == NULL)
        return;
    struct mapped m = mapped_of(p);
    struct resident r = resident_of(p);
    add_kib(t, "VmPeak", p->space->mapped_pages_most);
    add_kib(t, "VmSize", p->space->mapped_pages);
    add_kib(t, "VmLck", m.locked);
    add_kib(t, "VmPin", 0);
    add_kib(t, "VmHWM", arch_space_pages_most(&p->space->arch));
    add_kib(t, "VmRSS", r.all);
    add_kib(t, "RssAnon", r.anonymous);
    add_kib(t, "RssFile", r.file);
    add_kib(t, "RssShmem", r.shared_memory);
    add_kib(t, "VmData", m.data);
    add_kib(t, "VmStk", m.stack);
    add_kib(t, "VmExe", m.program);
    add_kib(t, "VmLib", m.libraries);
    add_kib(t, "VmPTE", p->space->arch.table_frames);
    add_kib(t, "VmSwap", 0);
}

// ---- smaps --------------------------------------------------------------------------------------
static void add_line(struct text *t, const char *name, uint32_t pages)
{
    text_add(t, "%-16s%8u kB\n", name, KIB(pages));
}

static uint32_t shared_out(uint64_t proportional)
{
    return (uint32_t)(proportional >> PSS_SHIFT);
}

static void add_resident(const struct resident *r, struct text *t)
{
    add_line(t, "Rss:", r->all);
    add_line(t, "Pss:", shared_out(r->proportional));
    add_line(t, "Pss_Dirty:", shared_out(r->proportional_dirty));
    add_line(t, "Shared_Clean:", r->shared_clean);
    add_line(t, "Shared_Dirty:", r->shared_dirty);
    add_line(t, "Private_Clean:", r->private_clean);
    add_line(t, "Private_Dirty:", r->private_dirty);
    add_line(t, "Anonymous:", r->anonymous);
    add_line(t, "Swap:", 0);
    add_line(t, "SwapPss:", 0);
}

struct segment_memory proc_segment_memory(struct segment *s)
{
    struct segment_memory m = {
        .pages = (s->end - s->start) >> PAGE_SHIFT, .prot = s->prot, .flags = s->flags};
    segment_add(&m.resident, s);
    return m;
}

void proc_add_segment(const struct segment_memory *m, struct text *t)
{
    bool shared = m->flags & SEGMENT_SHARED;
    add_line(t, "Size:", m->pages);
    add_line(t, "KernelPageSize:", 1);
    add_line(t, "MMUPageSize:", 1);
    add_resident(&m->resident, t);
    add_line(t, "Locked:", m->flags & SEGMENT_LOCKED ? shared_out(m->resident.proportional) : 0);
    text_add(t, "VmFlags:%s%s%s%s mr mw me%s%s%s%s%s \n", m->prot & PROT_R ? " rd" : "",
             m->prot & PROT_W ? " wr" : "", m->prot & PROT_X ? " ex" : "", shared ? " sh" : "",
             shared ? " ms" : "", m->flags & SEGMENT_GROWS_DOWN ? " gd" : "",
             m->flags & SEGMENT_LOCKED ? " lo" : "", m->flags & SEGMENT_NOT_FORKED ? " dc" : "",
             m->flags & SEGMENT_WIPED ? " wf" : "");
}

int proc_show_smaps_rollup(int32_t pid, struct process *p, struct text *t)
{
    (void)pid;
    if (p->space == NULL || list_empty(&p->space->segments))
        return 0;
    struct resident r = resident_of(p);
    const struct segment *first = list_entry(p->space->segments.next, struct segment, link);
    const struct segment *last = list_entry(p->space->segments.prev, struct segment, link);
    text_add(t, "%08x-%08x ---p 00000000 00:00 0                          [rollup]\n", first->start,
             last->end);
    add_resident(&r, t);
    return 0;
}
