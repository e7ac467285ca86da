// SPDX-License-Identifier: MIT
// What the rest of the kernel would give the cluster room, for test_cluster.c.
#pragma once

#include "tests/unit/unit.h"

#include <string.h>
#include "arch/x86/arch.h"
#include "kernel/bootparts.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "ssi/cluster/clock.h"
#include "ssi/cluster/cluster_priv.h"
#include "ssi/cluster/link_priv.h"
#include "ssi/cluster/rpc_priv.h"
#include "tests/sim/ports/key.h"
#include "tests/sim/ports/sim_priv.h"
#include "tests/sim/ports/stacks.h"

static struct sim_stacks lan;
static unsigned founders;
static bool cut_off[STACKS_MAX], stopped[STACKS_MAX];

static unsigned here(void)
{
    for (unsigned i = 0; i < lan.count; i++)
        if (lan.node[i] == sim_node_current())
            return i;
    return STACKS_MAX;
}

// ---- what the rest of the kernel would give ----
const char *setting(const char *key)
{
    static char text[16];
    if (strcmp(key, "node") == 0)
        snprintf(text, sizeof(text), "%u", here());
    else if (strcmp(key, "nodes") == 0)
        snprintf(text, sizeof(text), "%u", founders);
    else
        return NULL;
    return text;
}

uint32_t setting_u32(const char *key, uint32_t otherwise)
{
    const char *text = setting(key);
    return text ? (uint32_t)atoi(text) : otherwise;
}

bool setting_is(const char *key, const char *value)
{
    return setting(key) && strcmp(setting(key), value) == 0;
}

static struct key_archive archives[STACKS_MAX];

const struct archive *boot_archive(void)
{
    return archives[here()].header.parts != 0 ? &archives[here()].archive : NULL;
}

static void give_keys(const char *text)
{
    for (unsigned i = 0; i < STACKS_MAX; i++)
        key_archive_make(&archives[i], text);
}

unsigned arch_cpu_count(void)
{
    return 1;
}

struct arch_features arch_cpu_features(void)
{
    return (struct arch_features){1, 2};
}

void arch_vdso_clock_set(const struct clock_line *line, node_id_t self)
{
    (void)line;
    (void)self;
}

uint64_t arch_clock_real_s(void)
{
    return 1000000;
}

static unsigned resets;

void arch_reset(void)
{
    resets++;
    stopped[here()] = true;
    thread_exit();
}

void arch_power_off(void)
{
    stopped[here()] = true;
    thread_exit();
}
