// SPDX-License-Identifier: MIT
// /proc/sys: what holds here, in the words of proc(5), to be read only. hostname and domainname are
// set by their calls.
#include "lib/limits.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "ssi/fs/notify.h"
#include "ssi/process/aio.h"
#include "ssi/process/ipc.h"
#include "ssi/process/names.h"
#include "ssi/process/procfs_priv.h"
#include "ssi/process/uname.h"
#include "ssi/stream/mqueue.h"
#include "ssi/stream/pipe.h"

#define FILE_R 0100444u

// ---- /proc/sys/kernel --------------------------------------------------------------------------
static void show_hostname(struct text *t)
{
    text_add(t, "%s\n", system_host_name());
}

static void show_domainname(struct text *t)
{
    text_add(t, "%s\n", system_domain_name());
}

static void show_ostype(struct text *t)
{
    text_add(t, "%s\n", UNAME_SYSTEM);
}

static void show_osrelease(struct text *t)
{
    text_add(t, "%s\n", UNAME_RELEASE);
}

static void show_os_version(struct text *t)
{
    text_add(t, "%s\n", UNAME_VERSION);
}

static void show_pid_max(struct text *t)
{
    text_add(t, "%u\n", NODE_MAX * PID_PER_NODE);
}

// System V IPC: what cannot be exceeded, as IPC_INFO tells it.
static void show_sem(struct text *t)
{
    text_add(t, "%u\t%u\t%u\t%u\n", IPC_SEMS_MAX, IPC_SEMS_ALL, IPC_SEMOPS, IPC_IDS_MAX);
}

static void show_ipc_ids(struct text *t) // msgmni, shmmni
{
    text_add(t, "%u\n", IPC_IDS_MAX);
}

static void show_msgmax(struct text *t)
{
    text_add(t, "%u\n", IPC_MSG_MAX);
}

static void show_msgmnb(struct text *t)
{
    text_add(t, "%u\n", IPC_QUEUE_MAX);
}

static void show_shmmax(struct text *t)
{
    text_add(t, "%u\n", USER_TOP);
}

static void show_shmall(struct text *t)
{
    text_add(t, "%u\n", USER_TOP / PAGE_SIZE);
}

static void show_ngroups(struct text *t)
{
    text_add(t, "%u\n", FS_GROUPS_MAX);
}

static void show_last_capability(struct text *t)
{
    text_add(t, "%u\n", CAP_LAST);
}

static void show_overflow_id(struct text *t)
{
    text_add(t, "65534\n");
}

static void show_zero(struct text *t) // what is off, or did not happen
{
    text_add(t, "0\n");
}

static const struct proc_row kernel_rows[] = {
    {"hostname", FILE_R, show_hostname, NULL},
    {"domainname", FILE_R, show_domainname, NULL},
    {"ostype", FILE_R, show_ostype, NULL},
    {"osrelease", FILE_R, show_osrelease, NULL},
    {"version", FILE_R, show_os_version, NULL},
    {"pid_max", FILE_R, show_pid_max, NULL},
    {"ngroups_max", FILE_R, show_ngroups, NULL},
    {"cap_last_cap", FILE_R, show_last_capability, NULL},
    {"overflowuid", FILE_R, show_overflow_id, NULL},
    {"overflowgid", FILE_R, show_overflow_id, NULL},
    {"randomize_va_space", FILE_R, show_zero, NULL},
    {"tainted", FILE_R, show_zero, NULL},
    {"sem", FILE_R, show_sem, NULL},
    {"msgmax", FILE_R, show_msgmax, NULL},
    {"msgmnb", FILE_R, show_msgmnb, NULL},
    {"msgmni", FILE_R, show_ipc_ids, NULL},
    {"shmmax", FILE_R, show_shmmax, NULL},
    {"shmall", FILE_R, show_shmall, NULL},
    {"shmmni", FILE_R, show_ipc_ids, NULL},
    {NULL, 0, NULL, NULL},
};

// ---- /proc/sys/kernel/random -------------------------------------------------------------------
#define UUID_BYTES 16u

struct boot_name {
    uint8_t bytes[UUID_BYTES];
    bool drawn;
};
NODE_VAR(struct boot_name, boot_name); // of this node's start

// Random, version 4, in the variant of RFC 4122.
static void uuid_make(uint8_t u[UUID_BYTES])
{
    random_bytes(u, UUID_BYTES);
    u[6] = (u[6] & 0x0f) | 0x40;
    u[8] = (u[8] & 0x3f) | 0x80;
}

static void uuid_show(struct text *t, const uint8_t u[UUID_BYTES])
{
    for (unsigned i = 0; i < UUID_BYTES; i++)
        text_add(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    text_add(t, "\n");
}

static void show_uuid(struct text *t)
{
    uint8_t u[UUID_BYTES];
    uuid_make(u);
    uuid_show(t, u);
}

static void show_boot_id(struct text *t)
{
    struct boot_name *b = &node(boot_name);
    if (!b->drawn)
        uuid_make(b->bytes);
    b->drawn = true;
    uuid_show(t, b->bytes);
}

static void show_entropy(struct text *t) // bits of the generator's key
{
    text_add(t, "256\n");
}

static const struct proc_row random_rows[] = {
    {"uuid", FILE_R, show_uuid, NULL},
    {"boot_id", FILE_R, show_boot_id, NULL},
    {"poolsize", FILE_R, show_entropy, NULL},
    {"entropy_avail", FILE_R, show_entropy, NULL},
    {NULL, 0, NULL, NULL},
};

// ---- /proc/sys/fs ------------------------------------------------------------------------------
static void show_descriptors_max(struct text *t)
{
    text_add(t, "%u\n", FD_MAX);
}

// Open files take memory, and nothing else limits them.
static void show_files_max(struct text *t)
{
    text_add(t, "%u\n", frame_total_count());
}

static void show_pipe_max(struct text *t)
{
    text_add(t, "%u\n", PIPE_BYTES_MAX);
}

static void show_aio_max(struct text *t)
{
    text_add(t, "%u\n", AIO_RESULTS_MAX);
}

static void show_aio(struct text *t)
{
    text_add(t, "%u\n", aio_asked_for());
}

static const struct proc_row fs_rows[] = {
    {"aio-max-nr", FILE_R, show_aio_max, NULL},
    {"aio-nr", FILE_R, show_aio, NULL},
    {"file-max", FILE_R, show_files_max, NULL},
    {"nr_open", FILE_R, show_descriptors_max, NULL},
    {"pipe-max-size", FILE_R, show_pipe_max, NULL},
    {"overflowuid", FILE_R, show_overflow_id, NULL},
    {"overflowgid", FILE_R, show_overflow_id, NULL},
    {NULL, 0, NULL, NULL},
};

static void show_events_max(struct text *t)
{
    text_add(t, "%u\n", NOTIFY_EVENTS_MAX);
}

static void show_instances_max(struct text *t)
{
    text_add(t, "%u\n", NOTIFY_INSTANCES_MAX);
}

static void show_watches_max(struct text *t)
{
    text_add(t, "%u\n", NOTIFY_WATCHES_MAX);
}

static const struct proc_row inotify_rows[] = {
    {"max_queued_events", FILE_R, show_events_max, NULL},
    {"max_user_instances", FILE_R, show_instances_max, NULL},
    {"max_user_watches", FILE_R, show_watches_max, NULL},
    {NULL, 0, NULL, NULL},
};

static void show_queue_messages(struct text *t)
{
    text_add(t, "%u\n", MQUEUE_MESSAGES_DEFAULT);
}

static void show_queue_bytes(struct text *t)
{
    text_add(t, "%u\n", MQUEUE_BYTES_DEFAULT);
}

static void show_queues_max(struct text *t)
{
    text_add(t, "%u\n", MQUEUE_QUEUES_MAX);
}

static const struct proc_row mqueue_rows[] = {
    {"msg_default", FILE_R, show_queue_messages, NULL},
    {"msg_max", FILE_R, show_queue_messages, NULL}, // but for the superuser
    {"msgsize_default", FILE_R, show_queue_bytes, NULL},
    {"msgsize_max", FILE_R, show_queue_bytes, NULL},
    {"queues_max", FILE_R, show_queues_max, NULL},
    {NULL, 0, NULL, NULL},
};

// ---- /proc/sys/vm ------------------------------------------------------------------------------
static void show_map_count(struct text *t)
{
    text_add(t, "%u\n", SPACE_SEGMENTS_MAX);
}

static void show_address_min(struct text *t)
{
    text_add(t, "%u\n", MMAP_ADDRESS_MIN);
}

static const struct proc_row vm_rows[] = {
    {"max_map_count", FILE_R, show_map_count, NULL},
    {"mmap_min_addr", FILE_R, show_address_min, NULL},
    {NULL, 0, NULL, NULL},
};

// ---- the folders -------------------------------------------------------------------------------
const struct proc_folder proc_folders[] = {
    {"net", PROC_NET, 0, PROC_NET_FILES, proc_net_rows},
    {"sysvipc", PROC_SYSVIPC, 0, PROC_SYSVIPC_FILES, proc_ipc_rows},
    {"sys", PROC_SYS, 0, 0, NULL},
    {"kernel", PROC_SYS_KERNEL, PROC_SYS, PROC_KERNEL_FILES, kernel_rows},
    {"vm", PROC_SYS_VM, PROC_SYS, PROC_VM_FILES, vm_rows},
    {"fs", PROC_SYS_FS, PROC_SYS, PROC_FS_FILES, fs_rows},
    {"random", PROC_SYS_RANDOM, PROC_SYS_KERNEL, PROC_RANDOM_FILES, random_rows},
    {"inotify", PROC_SYS_INOTIFY, PROC_SYS_FS, PROC_INOTIFY_FILES, inotify_rows},
    {"mqueue", PROC_SYS_MQUEUE, PROC_SYS_FS, PROC_MQUEUE_FILES, mqueue_rows},
    {NULL, 0, 0, 0, NULL},
};
