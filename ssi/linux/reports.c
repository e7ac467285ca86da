// SPDX-License-Identifier: MIT
// What the floors below have to tell of this node. /proc/cluster/lock: the longest stretch of
// kernel code, and who it was; it may not pass 64 pages' work or 100 000 instructions (PROTOCOLS
// 1). /proc/cluster/trace: the newest state changes of protocols. /proc/cluster/heap: blocks of the
// kernel heap in use by size; what is larger than the largest class counts in pages.
#include "kernel/init.h"
#include "kernel/trace.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/dispatch.h"
#include "ssi/process/procfs.h"

static void lock_show(struct text *t)
{
    struct arch_hold h;
    arch_hold_longest(&h);
    text_add(t, "node %u longest_hold_us %u thread %s ", cluster_self(), (unsigned)(h.ns / 1000),
             h.thread);
    if (h.vector == 0x80)
        text_add(t, "in %s\n", linux_call_name(h.number));
    else if (h.vector != 0)
        text_add(t, "in vector %u\n", h.vector);
    else
        text_add(t, "until it slept\n");
    text_add(t, "node %u cpus %u held_us %llu waited_us %llu taken %llu contended %llu\n",
             cluster_self(), arch_cpu_count(), (unsigned long long)(h.held_ns / 1000),
             (unsigned long long)(h.waited_ns / 1000), (unsigned long long)h.taken,
             (unsigned long long)h.contended);
}

static long lock_write(const struct fs_who *who, const char *bytes, size_t n)
{
    if (who->uid != 0)
        return -EPERM;
    if (n < 5 || memcmp(bytes, "clear", 5) != 0)
        return -EINVAL;
    arch_hold_forget();
    return (long)n;
}

static void heap_show(struct text *t)
{
    size_t in_classes = 0;
    unsigned bytes, blocks;
    text_add(t, "bytes blocks\n");
    for (unsigned n = 0; heap_class(n, &bytes, &blocks); n++) {
        text_add(t, "%u %u\n", bytes, blocks);
        in_classes += (size_t)bytes * blocks;
    }
    text_add(t, "%u %u\n", PAGE_SIZE, (unsigned)((heap_bytes_used() - in_classes) / PAGE_SIZE));
}

static void reports_start(void)
{
    procfs_cluster_file("lock", lock_show, lock_write);
    procfs_cluster_file("trace", trace_show, NULL);
    procfs_cluster_file("heap", heap_show, NULL);
}
INIT_STEP(INIT_PROCESS, reports_start);
