// SPDX-License-Identifier: MIT
// The start of a node in C: memory, log, boot archive, settings; then init levels in a thread.
#include "boot/bootinfo.h"
#include "kernel/bootparts.h"
#include "kernel/console_priv.h"
#include "kernel/init.h"
#include "kernel/panic.h"
#include "kernel/settings.h"
#include "kernel/thread_priv.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/start.h"

NODE_VAR(struct archive, archive);
NODE_VAR(bool, archive_found);

const struct archive *boot_archive(void)
{
    return node(archive_found) ? &node(archive) : NULL;
}

static void archive_find(const struct bootinfo *info)
{
    for (unsigned i = 0; i < info->module_count; i++) {
        const struct boot_range *m = &info->module[i];
        const void *at = (const void *)(uintptr_t)(KERNEL_BASE + (uint32_t)m->start);
        size_t bytes = (size_t)(m->end - m->start);
        const char *why;
        if (!archive_is(at, bytes))
            log_warn("boot", "module %u is no boot archive; ignored", i);
        else if (archive_open(at, bytes, &node(archive), &why))
            node(archive_found) = true;
        else
            log_error("boot", "boot archive refused: %s", why);
    }
    if (!node(archive_found))
        log_error("boot", "no boot archive: give build/weft.img as a module");
}

// The console is then its standard input and output.
static bool has_program(void)
{
    const void *part;
    size_t bytes;
    return node(archive_found) && archive_part(&node(archive), ARCHIVE_PROGRAM, &part, &bytes);
}

static void settings_read(const struct bootinfo *info)
{
    const void *part;
    size_t bytes;
    static char words[2048];
    if (node(archive_found) && archive_part(&node(archive), ARCHIVE_SETTINGS, &part, &bytes)) {
        memcpy(words, part, MIN(bytes, sizeof(words) - 1));
        settings_parse(words);
    }
    settings_parse(info->command_line);
}

static void start(void *arg)
{
    (void)arg;
    init_run_all();
}

void kernel_main(const struct bootinfo *info)
{
    uint64_t left = mm_start(info);
    arch_start_clock();
    console_start();
    archive_find(info);
    if (has_program())
        console_set_quiet();
    log_info("boot", "Weft, loaded by %s; %u MiB of RAM, %u MiB free", info->loader,
             frame_total_count() >> 8, frame_free_count() >> 8);
    if (left > 0)
        log_info("boot",
                 "%u MiB of RAM are left: Weft uses what lies below 16 GiB and the CPU's end",
                 (unsigned)(left >> 20));
    settings_read(info);
    thread_scheduler_init();
    if (!thread_create("init", THREAD_NORMAL, start, NULL))
        panic("no memory for the first thread");
    thread_start_scheduler();
}
