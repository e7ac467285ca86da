// SPDX-License-Identifier: MIT
// From the loader's hands to kernel_main: Multiboot information is taken once and checked, then the
// CPU is brought up. Only the five fields that all loaders give are used.
#include "arch/x86/x86.h"
#include "boot/bootinfo.h"
#include "lib/assert.h"
#include "lib/string.h"

#define LOADER_MAGIC 0x2badb002u
#define HAS_MEMORY   (1u << 0)
#define HAS_COMMAND  (1u << 2)
#define HAS_MODULES  (1u << 3)
#define HAS_MAP      (1u << 6)
#define HAS_NAME     (1u << 9)

struct multiboot {
    uint32_t flags, mem_lower, mem_upper, boot_device, command_line;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t map_bytes, map;
    uint32_t drives[2], config, loader_name;
} PACKED;

struct multiboot_module {
    uint32_t start, end, text, reserved;
} PACKED;

struct multiboot_range {
    uint32_t size; // of what follows
    uint64_t start, bytes;
    uint32_t type; // 1: usable
} PACKED;

void arch_boot(uint32_t magic, uint32_t multiboot_at) NORETURN;

extern char boot_archive_start[], boot_archive_end[]; // boot/kernel.ld

static struct bootinfo info;
static char command_line[2048];

static void *at(uint32_t physical)
{
    return (void *)(KERNEL_BASE + physical);
}

static void ram_add(uint64_t start, uint64_t end)
{
    if (start < end && info.ram_count < BOOT_RANGES_MAX)
        info.ram[info.ram_count++] = (struct boot_range){start, end};
}

static void memory_map_read(const struct multiboot *m)
{
    if (m->flags & HAS_MAP) {
        uint32_t offset = 0;
        while (offset + sizeof(struct multiboot_range) <= m->map_bytes) {
            const struct multiboot_range *r = at(m->map + offset);
            if (r->type == 1)
                ram_add(r->start, r->start + r->bytes);
            offset += r->size + sizeof(r->size);
        }
    } else if (m->flags & HAS_MEMORY) {
        ram_add(0, (uint64_t)m->mem_lower << 10);
        ram_add(0x100000, 0x100000 + ((uint64_t)m->mem_upper << 10));
    }
}

static void modules_read(const struct multiboot *m)
{
    if (!(m->flags & HAS_MODULES))
        return;
    const struct multiboot_module *list = at(m->modules);
    for (uint32_t i = 0; i < m->module_count && info.module_count < BOOT_MODULES_MAX; i++)
        if (list[i].start < list[i].end)
            info.module[info.module_count++] = (struct boot_range){list[i].start, list[i].end};
}

// The archive that `make image` links behind the kernel is the first module: it is kept like one,
// and an archive that a loader brings takes its place.
static void linked_archive_add(void)
{
    uint32_t start = (uint32_t)boot_archive_start - KERNEL_BASE;
    uint32_t end = (uint32_t)boot_archive_end - KERNEL_BASE;
    if (start < end)
        info.module[info.module_count++] = (struct boot_range){start, end};
}

static uint64_t ram_end(void)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < info.ram_count; i++)
        end = MAX(end, info.ram[i].end);
    return end;
}

void arch_boot(uint32_t magic, uint32_t multiboot_at)
{
    cpu_detect();
    descriptors_init();
    cpu_init();
    linked_archive_add();
    if (magic == LOADER_MAGIC) {
        const struct multiboot *m = at(multiboot_at);
        memory_map_read(m);
        modules_read(m);
        if (m->flags & HAS_COMMAND)
            str_copy(command_line, at(m->command_line), sizeof(command_line));
        info.loader = m->flags & HAS_NAME ? at(m->loader_name) : "unknown loader";
    }
    info.command_line = command_line;
    paging_init(ram_end());
    interrupts_init();
    pci_scan();
    kernel_main(&info);
}
