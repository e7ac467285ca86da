// SPDX-License-Identifier: MIT
// /proc/cluster: a list of files that other rooms add to.
#include "ssi/process/procfs.h"
#include "kernel/fault.h"
#include "kernel/init.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/container.h"
#include "ssi/process/procfs_priv.h"

#define FILES_MAX 48

NODE_VAR(struct cluster_file, files[FILES_MAX]);
NODE_VAR(unsigned, file_count);

void procfs_cluster_file(const char *name, void (*show)(struct text *t),
                         long (*write)(const struct fs_who *who, const char *bytes, size_t n))
{
    ASSERT(node(file_count) < FILES_MAX);
    node(files)[node(file_count)++] = (struct cluster_file){name, show, write};
}

const struct cluster_file *cluster_file(unsigned index)
{
    return index < node(file_count) ? &node(files)[index] : NULL;
}

int cluster_file_find(const char *name)
{
    for (unsigned i = 0; i < node(file_count); i++) {
        if (!strcmp(node(files)[i].name, name))
            return (int)i;
    }
    return -ENOENT;
}

// Arms a fault point, for tests: a line as behind fault= on the command line.
static long faults_write(const struct fs_who *who, const char *bytes, size_t n)
{
    char words[FAULT_WORDS_MAX];
    if (!fs_can(who, CAP_SYS_ADMIN))
        return -EPERM;
    size_t length = n > 0 && bytes[n - 1] == '\n' ? n - 1 : n;
    if (length >= sizeof(words))
        return -EINVAL;
    memcpy(words, bytes, length);
    words[length] = '\0';
    int e = fault_arm(words);
    return e < 0 ? e : (long)n;
}

static void cluster_files_start(void)
{
    procfs_cluster_file("nodes", cluster_nodes_show, NULL);
    procfs_cluster_file("events", cluster_events_show, NULL);
    procfs_cluster_file("counters", cluster_counters_show, NULL);
    procfs_cluster_file("faults", faults_show, faults_write);
    procfs_cluster_file("containers", containers_show, NULL);
}
INIT_STEP(INIT_PROCESS, cluster_files_start);
