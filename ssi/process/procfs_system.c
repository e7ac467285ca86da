// SPDX-License-Identifier: MIT
// Texts of /proc that are not about a process. stat, meminfo, loadavg and cpuinfo speak of the
// node that is asked, as busybox's top and free expect of one machine; sums and other nodes are in
// /proc/cluster.
#include "kernel/init.h"
#include "kernel/timer.h"
#include "mm/frame.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/locks.h"
#include "ssi/process/ipc.h"
#include "ssi/process/load.h"
#include "ssi/process/procfs_priv.h"
#include "ssi/process/uname.h"
#include "ssi/stream/pty.h"

#define TICK_NS (NS_PER_S / 100)
#define FILE_R  0100444u
#define LINK    0120777u

static unsigned ticks(uint64_t ns)
{
    return (unsigned)(ns / TICK_NS);
}

static void show_stat(struct text *t)
{
    uint64_t user, system, idle;
    thread_cpu_times(&user, &system, &idle);
    text_add(t, "cpu  %u 0 %u %u 0 0 0 0 0 0\n", ticks(user), ticks(system), ticks(idle));
    unsigned cpus = arch_cpu_count();
    for (unsigned i = 0; i < cpus; i++) {
        thread_cpu_times_of(i, &user, &system, &idle);
        text_add(t, "cpu%u %u 0 %u %u 0 0 0 0 0 0\n", i, ticks(user), ticks(system), ticks(idle));
    }
    uint64_t up = cluster_clock_ns(), now = cluster_real_ns();
    text_add(t, "intr %llu\nctxt %llu\nbtime %u\n", (unsigned long long)arch_interrupt_count(),
             (unsigned long long)thread_switch_count(), (unsigned)((now - up) / NS_PER_S));
    text_add(t, "processes %u\nprocs_running %u\nprocs_blocked 0\n", process_count(),
             thread_ready_count());
}

static void show_meminfo(struct text *t)
{
    unsigned total = frame_total_count() * 4, free = frame_free_count() * 4;
    text_add(t, "MemTotal:       %8u kB\nMemFree:        %8u kB\nMemAvailable:   %8u kB\n", total,
             free, free);
    text_add(t, "Buffers:        %8u kB\nCached:         %8u kB\nSwapCached:     %8u kB\n", 0, 0,
             0);
    text_add(t, "Shmem:          %8u kB\nSReclaimable:   %8u kB\n", 0, 0);
    text_add(t, "SwapTotal:      %8u kB\nSwapFree:       %8u kB\n", 0, 0);
}

// There is neither disk nor swap nor module: nothing comes from them or goes there.
static void show_vmstat(struct text *t)
{
    text_add(t, "nr_free_pages %u\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n", frame_free_count());
}

static void show_none(struct text *t)
{
    (void)t;
}

static void show_swaps(struct text *t)
{
    text_add(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
}

static void show_partitions(struct text *t)
{
    text_add(t, "major minor  #blocks  name\n\n");
}

static void show_devices(struct text *t)
{
    text_add(t,
             "Character devices:\n  1 mem\n  4 ttyS\n  5 /dev/tty\n  5 /dev/console\n"
             "  5 /dev/ptmx\n 10 misc\n%3u pts\n\nBlock devices:\n",
             PTS_MAJOR);
}

static void show_uptime(struct text *t)
{
    uint64_t user, system, idle, up = cluster_clock_ns();
    thread_cpu_times(&user, &system, &idle);
    text_add(t, "%u.%02u %u.%02u\n", ticks(up) / 100, ticks(up) % 100, ticks(idle) / 100,
             ticks(idle) % 100);
}

static void show_loadavg(struct text *t)
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t l = load_average(i) + (1u << LOAD_SHIFT) / 200; // rounded to hundredths
        text_add(t, "%u.%02u ", l >> LOAD_SHIFT,
                 ((l & ((1u << LOAD_SHIFT) - 1)) * 100) >> LOAD_SHIFT);
    }
    struct process *last = NULL;
    for (struct process *p = process_next(0); p; p = process_next(p->pid))
        last = p;
    text_add(t, "%u/%u %d\n", thread_ready_count(), process_count(), last ? last->pid : 1);
}

static void show_version(struct text *t)
{
    text_add(t, "%s version %s %s\n", UNAME_SYSTEM, UNAME_RELEASE, UNAME_VERSION);
}

static void show_cpuinfo(struct text *t)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {{0, "fpu"},   {4, "tsc"},  {5, "msr"},   {6, "pae"},  {8, "cx8"},
                 {15, "cmov"}, {23, "mmx"}, {24, "fxsr"}, {25, "sse"}, {26, "sse2"}};
    struct arch_features f = arch_cpu_features();
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        text_add(t, "processor\t: %u\nvendor_id\t: unknown\ncpu family\t: 6\nmodel name\t: i686\n",
                 i);
        text_add(t, "flags\t\t:");
        for (unsigned k = 0; k < ARRAY_SIZE(flags); k++) {
            if (f.edx >> flags[k].bit & 1)
                text_add(t, " %s", flags[k].name);
        }
        text_add(t, "\n\n");
    }
}

void proc_show_mounts(struct text *t)
{
    text_add(t, "weft / weft rw 0 0\nproc /proc proc rw 0 0\ndevtmpfs /dev devtmpfs rw 0 0\n");
    char *more = heap_alloc(PATH_MAX_BYTES);
    long n = more ? fs_mounts_text(more, PATH_MAX_BYTES) : 0;
    if (n > 0)
        text_add(t, "%.*s", (int)n, more);
    heap_free(more);
}

// As proc(5) has mountinfo, out of the lines of mounts.
void proc_show_mountinfo(struct text *t)
{
    char *all = heap_alloc(PATH_MAX_BYTES);
    struct text m;
    int n = 1;
    if (all == NULL)
        return;
    text_init(&m, all, PATH_MAX_BYTES);
    proc_show_mounts(&m);
    all[MIN(m.length, (size_t)PATH_MAX_BYTES - 1)] = '\0';
    for (char *line = all, *end; (end = strchr(line, '\n')) != NULL; line = end + 1, n++) {
        char *path = strchr(line, ' '), *type = path ? strchr(path + 1, ' ') : NULL;
        char *options = type ? strchr(type + 1, ' ') : NULL;
        if (options == NULL)
            break;
        text_add(t, "%d 1 0:%d / %.*s rw - %.*s %.*s rw\n", n, n, (int)(type - path - 1), path + 1,
                 (int)(options - type - 1), type + 1, (int)(path - line), line);
    }
    heap_free(all);
}

static void show_filesystems(struct text *t)
{
    text_add(t, "nodev\tweft\nnodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n");
}

static void show_cmdline(struct text *t)
{
    text_add(t, "\n");
}

const struct proc_row proc_system_rows[] = {
    {"stat", FILE_R, show_stat, NULL},
    {"meminfo", FILE_R, show_meminfo, NULL},
    {"uptime", FILE_R, show_uptime, NULL},
    {"loadavg", FILE_R, show_loadavg, NULL},
    {"version", FILE_R, show_version, NULL},
    {"cpuinfo", FILE_R, show_cpuinfo, NULL},
    {"mounts", FILE_R, proc_show_mounts, NULL},
    {"filesystems", FILE_R, show_filesystems, NULL},
    {"cmdline", FILE_R, show_cmdline, NULL},
    {"vmstat", FILE_R, show_vmstat, NULL},
    {"diskstats", FILE_R, show_none, NULL},
    {"partitions", FILE_R, show_partitions, NULL},
    {"swaps", FILE_R, show_swaps, NULL},
    {"modules", FILE_R, show_none, NULL},
    {"devices", FILE_R, show_devices, NULL},
    {"locks", FILE_R, locks_show, NULL},
    {NULL, 0, NULL, NULL},
};

// ---- /proc/cluster: a part per node ------------------------------------------------------------
static void show_memory(struct text *t)
{
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct node_facts f;
        if (node_facts_of(n, &f) < 0)
            continue; // it left while we asked
        text_add(t, "node %u\nfree_frames %u\ntotal_frames %u\nkernel_heap_bytes %u\n", n,
                 f.free_frames, f.total_frames, (unsigned)f.heap_bytes);
    }
}

static void show_cpu(struct text *t)
{
    text_add(t, "node user_us system_us idle_us\n");
    for (node_id_t n = cluster_next(NODE_NONE); n != NODE_NONE; n = cluster_next(n)) {
        struct node_facts f;
        if (node_facts_of(n, &f) < 0)
            continue;
        text_add(t, "%u %llu %llu %llu\n", n, (unsigned long long)(f.user_ns / 1000),
                 (unsigned long long)(f.system_ns / 1000), (unsigned long long)(f.idle_ns / 1000));
    }
}

static void system_files_start(void)
{
    procfs_cluster_file("memory", show_memory, NULL);
    procfs_cluster_file("cpu", show_cpu, NULL);
}
INIT_STEP(INIT_PROCESS, system_files_start);
