// SPDX-License-Identifier: MIT
#include "mm/start.h"
#include "arch/x86/arch.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "mm/frame_priv.h"

#define LOW_END       0x30000000ull // end of the direct map
#define RAM_BYTES_MAX (16ull << 30) // more is left
#define FIRST_FRAME   0x100u        // the first MiB is the firmware's

extern char kernel_end[];

static uint32_t table_alloc(void)
{
    return frame_alloc(FRAME_LOW | FRAME_ZERO | FRAME_CRITICAL);
}

static bool overlaps(const struct boot_range *r, uint64_t start, uint64_t end)
{
    return start < r->end && r->start < end;
}

static bool is_ram(const struct bootinfo *info, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < info->ram_count; i++)
        if (info->ram[i].start <= start && end <= info->ram[i].end)
            return true;
    return false;
}

// Room for the frame records: above the kernel and all modules, inside RAM.
static uint64_t table_place(const struct bootinfo *info, uint32_t bytes)
{
    uint64_t at = (uint64_t)(uintptr_t)kernel_end - KERNEL_BASE;
    for (unsigned i = 0; i <= info->module_count; i++)
        for (unsigned m = 0; m < info->module_count; m++)
            if (overlaps(&info->module[m], at, at + bytes))
                at = ALIGN_UP(info->module[m].end, (uint64_t)PAGE_SIZE);
    ASSERT(at + bytes <= LOW_END && is_ram(info, at, at + bytes));
    return at;
}

// Hands [start, end) out except what the modules hold.
static void add_without_modules(const struct bootinfo *info, uint64_t start, uint64_t end)
{
    for (unsigned m = 0; m < info->module_count; m++) {
        const struct boot_range *r = &info->module[m];
        if (!overlaps(r, start, end))
            continue;
        if (start < r->start)
            add_without_modules(info, start, r->start);
        if (r->end < end)
            add_without_modules(info, r->end, end);
        return;
    }
    frame_t first = (frame_t)(ALIGN_UP(start, (uint64_t)PAGE_SIZE) >> PAGE_SHIFT);
    frame_t last = (frame_t)(end >> PAGE_SHIFT);
    if (first < last)
        frame_add_ram(first, last);
}

static uint64_t ram_above(const struct bootinfo *info, uint64_t limit)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < info->ram_count; i++) {
        const struct boot_range *r = &info->ram[i];
        if (r->end > limit)
            bytes += r->end - MAX(r->start, limit);
    }
    return bytes;
}

uint64_t mm_start(const struct bootinfo *info)
{
    uint64_t ram_end = 0, limit = MIN(RAM_BYTES_MAX, arch_physical_end());
    for (unsigned i = 0; i < info->ram_count; i++)
        ram_end = MAX(ram_end, info->ram[i].end);
    uint32_t frames = (uint32_t)(MIN(ram_end, limit) >> PAGE_SHIFT);
    uint32_t bytes = ALIGN_UP(frame_table_bytes(frames), PAGE_SIZE);
    uint64_t table = table_place(info, bytes);
    frame_table_init((void *)(uintptr_t)(KERNEL_BASE + (uint32_t)table), frames);
    uint64_t kernel_top = (uint64_t)(uintptr_t)kernel_end - KERNEL_BASE;
    for (unsigned i = 0; i < info->ram_count; i++) {
        uint64_t start = MAX(info->ram[i].start, (uint64_t)FIRST_FRAME << PAGE_SHIFT);
        uint64_t end = MIN(info->ram[i].end, (uint64_t)frames << PAGE_SHIFT);
        // Below the table only what lies between kernel, modules and table is left out.
        uint64_t cuts[] = {start,           MIN(end, 0x100000ull),     MAX(start, kernel_top),
                           MIN(end, table), MAX(start, table + bytes), end};
        for (unsigned c = 0; c < ARRAY_SIZE(cuts); c += 2)
            if (cuts[c] < cuts[c + 1])
                add_without_modules(info, cuts[c], cuts[c + 1]);
    }
    arch_table_alloc = table_alloc;
    arch_table_free = frame_put;
    return ram_above(info, limit);
}
