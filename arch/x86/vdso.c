// SPDX-License-Identifier: MIT
// The vDSO as the kernel has it: the frames of its two pages, and what the data page says.
#include "arch/x86/vdso/data.h"
#include "arch/x86/x86.h"
#include "lib/assert.h"
#include "lib/limits.h"

extern const char vdso_image[], vdso_image_end[];

static struct vdso_data *data;

static uint32_t next(uint32_t node)
{
    return node << 24 | ((data->sequence + 1) & 0x00ffffffu);
}

static void say_begin(void)
{
    data->sequence = next(data->sequence >> 24); // user code on other CPUs waits from here
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void say_end(uint32_t node)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    data->sequence = next(node);
}

void vdso_init(uint64_t tsc_start, uint32_t ns_per_cycle_q24)
{
    ASSERT(((uint32_t)vdso_image & PAGE_MASK) == 0 &&
           (uint32_t)(vdso_image_end - vdso_image) <= PAGE_SIZE);
    uint32_t frame = arch_table_alloc();
    ASSERT(frame != 0);
    data = (struct vdso_data *)(KERNEL_BASE + (frame << PAGE_SHIFT));
    data->sysenter = cpu_info.sysenter;
    data->fence = cpu_info.sse2;
    data->tsc_start = tsc_start;
    data->ns_per_cycle_q24 = ns_per_cycle_q24;
}

void arch_vdso_clock_set(const struct clock_line *line, node_id_t self)
{
    say_begin();
    data->line = *line;
    say_end(self);
}

void arch_vdso_arrived(void)
{
    say_begin();
    say_end(data->sequence >> 24);
}

uint32_t arch_vdso_frame(unsigned page)
{
    const void *at = page == 0 ? (const void *)data : (const void *)vdso_image;
    return page < VDSO_PAGES ? arch_frame_of_low(at) : 0;
}
