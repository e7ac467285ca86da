// SPDX-License-Identifier: MIT
// What is left: system facts, limits, random numbers, prctl, power.
#include "ssi/linux/linux.h"
#include "kernel/random.h"
#include "kernel/timer.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/linux_abi.h"
#include "ssi/process/load.h"
#include "ssi/process/names.h"
#include "ssi/process/uname.h"

// ---- uname, sysinfo ----------------------------------------------------------------------------
static int uname_out(uint32_t at, size_t field, unsigned fields)
{
    char host[SYSTEM_NAME_MAX + 1], domain[SYSTEM_NAME_MAX + 1]; // writing may sleep
    str_copy(host, system_host_name(), sizeof(host));
    str_copy(domain, system_domain_name(), sizeof(domain));
    const char *text[6] = {UNAME_SYSTEM, host, UNAME_RELEASE, UNAME_VERSION, UNAME_MACHINE, domain};
    for (unsigned i = 0; i < fields; i++) {
        char buffer[65] = {0};
        str_copy(buffer, text[i], field);
        int e = user_write(at + i * (uint32_t)field, buffer, field);
        if (e < 0)
            return e;
    }
    return 0;
}

long sys_uname(struct call *c)
{
    return uname_out(c->args[0], 65, 6);
}

long sys_olduname(struct call *c)
{
    return uname_out(c->args[0], 65, 5);
}

long sys_oldolduname(struct call *c)
{
    return uname_out(c->args[0], 9, 5);
}

struct user_sysinfo {
    int32_t uptime;
    uint32_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t totalhigh, freehigh, mem_unit;
    uint8_t pad2[8];
} PACKED;
STATIC_ASSERT(sizeof(struct user_sysinfo) == 64, "struct sysinfo of i386");

long sys_sysinfo(struct call *c)
{
    struct user_sysinfo s = {
        .uptime = (int32_t)(cluster_clock_ns() / NS_PER_S),
        .totalram = frame_total_count(),
        .freeram = frame_free_count(),
        .procs = (uint16_t)process_count(),
        .mem_unit = PAGE_SIZE,
    };
    for (unsigned i = 0; i < 3; i++)
        s.loads[i] = load_average(i) << (16 - LOAD_SHIFT);
    return user_write(c->args[0], &s, sizeof(s));
}

// ---- limits ------------------------------------------------------------------------------------
static int limit_set(struct process *p, uint32_t which, struct rlimit_pair new)
{
    struct rlimit_pair *l = &p->limits[which];
    if (new.current > new.maximum)
        return -EINVAL;
    if (new.maximum > l->maximum && !process_can(CAP_SYS_RESOURCE))
        return -EPERM;
    if (which == RLIMIT_NOFILE && new.maximum > FD_MAX)
        return -EPERM;
    *l = new;
    if (which == RLIMIT_NOFILE)
        fd_limit_set(p->files, new.current);
    if (which == RLIMIT_STACK && p->space)
        p->space->stack_limit_bytes = MIN(new.current, 1u << 30);
    return 0;
}

long sys_ugetrlimit(struct call *c)
{
    if (c->args[0] >= RLIMITS)
        return -EINVAL;
    struct rlimit_pair l = process_current()->limits[c->args[0]];
    return user_write(c->args[1], &l, sizeof(l));
}

// The old call: infinity is the largest signed number.
long sys_getrlimit(struct call *c)
{
    if (c->args[0] >= RLIMITS)
        return -EINVAL;
    struct rlimit_pair l = process_current()->limits[c->args[0]];
    l.current = MIN(l.current, (uint32_t)INT32_MAX);
    l.maximum = MIN(l.maximum, (uint32_t)INT32_MAX);
    return user_write(c->args[1], &l, sizeof(l));
}

long sys_setrlimit(struct call *c)
{
    struct rlimit_pair new;
    int e = user_read(&new, c->args[1], sizeof(new));
    if (e < 0)
        return e;
    return c->args[0] < RLIMITS ? limit_set(process_current(), c->args[0], new) : -EINVAL;
}

static uint64_t wide_limit(uint32_t l)
{
    return l == RLIM_INFINITY ? UINT64_MAX : l;
}

static uint32_t narrow_limit(uint64_t l)
{
    return l >= RLIM_INFINITY ? RLIM_INFINITY : (uint32_t)l;
}

// Whose limits one may see and change: of who is the same in all ids.
static bool limits_reached(const struct process *p)
{
    return credentials_own(task_current()->cred, &p->cred) || process_can(CAP_SYS_RESOURCE);
}

long sys_prlimit64(struct call *c)
{
    struct process *me = process_current();
    uint64_t new[2], old[2];
    int e = c->args[2] ? user_read(new, c->args[2], sizeof(new)) : 0;
    if (e < 0)
        return e;
    struct process *p = c->args[0] ? process_find((int32_t)c->args[0]) : me;
    if (!p || p->state == PROCESS_ZOMBIE)
        return -ESRCH;
    if (p != me && !limits_reached(p))
        return -EPERM;
    if (c->args[1] >= RLIMITS)
        return -EINVAL;
    old[0] = wide_limit(p->limits[c->args[1]].current);
    old[1] = wide_limit(p->limits[c->args[1]].maximum);
    if (c->args[2]) {
        struct rlimit_pair l = {narrow_limit(new[0]), narrow_limit(new[1])};
        e = limit_set(p, c->args[1], l);
        if (e < 0)
            return e;
    }
    return c->args[3] ? user_write(c->args[3], old, sizeof(old)) : 0;
}

// ---- random ------------------------------------------------------------------------------------
long sys_getrandom(struct call *c)
{
    enum {
        GRND_NONBLOCK = 1,
        GRND_RANDOM = 2,
        GRND_INSECURE = 4
    };
    uint32_t flags = c->args[2], left = MIN(c->args[1], (uint32_t)INT32_MAX), done = 0;
    uint8_t piece[128];
    if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    while (left) {
        uint32_t n = MIN(left, (uint32_t)sizeof(piece));
        random_bytes(piece, n);
        int e = user_write(c->args[0] + done, piece, n);
        if (e < 0)
            return done ? (long)done : e;
        done += n;
        left -= n;
        if (done % PAGE_SIZE == 0) {
            if (signal_pending(task_current()))
                break;
            kernel_pause();
        }
    }
    memset(piece, 0, sizeof(piece));
    return (long)done;
}

// ---- personality, power ------------------------------------------------------------------------
long sys_personality(struct call *c)
{
    struct process *p = process_current();
    uint32_t old = p->personality;
    if (c->args[0] != UINT32_MAX)
        p->personality = c->args[0];
    return (long)old;
}

enum { // reboot(2)
    REBOOT_CAD_OFF = 0,
    REBOOT_CAD_ON = 0x89abcdef,
    REBOOT_HALT = 0xcdef0123,
    REBOOT_POWER_OFF = 0x4321fedc,
    REBOOT_RESTART = 0x01234567,
};
#define REBOOT_MAGIC1 0xfee1deadu

static bool magic2(uint32_t m)
{
    return m == 672274793u || m == 85072278u || m == 369367448u || m == 537993216u;
}

// Of this node alone; the others see it leave.
long sys_reboot(struct call *c)
{
    if (!process_can(CAP_SYS_BOOT))
        return -EPERM;
    if (c->args[0] != REBOOT_MAGIC1 || !magic2(c->args[1]))
        return -EINVAL;
    switch (c->args[2]) {
    case REBOOT_CAD_OFF:
    case REBOOT_CAD_ON:
        return 0;
    case REBOOT_HALT:
    case REBOOT_POWER_OFF:
        cluster_event("node %u powers off", cluster_self());
        arch_power_off();
    case REBOOT_RESTART:
        cluster_event("node %u restarts", cluster_self());
        arch_reset();
    }
    return -EINVAL;
}

// Each node has names of its own.
static long system_name_in(struct call *c, void (*set)(const char *name, size_t n))
{
    char name[SYSTEM_NAME_MAX];
    if (!process_can(CAP_SYS_ADMIN))
        return -EPERM;
    if (c->args[1] > sizeof(name))
        return -EINVAL;
    int e = user_read(name, c->args[0], c->args[1]);
    if (e == 0)
        set(name, c->args[1]);
    return e;
}

long sys_sethostname(struct call *c)
{
    return system_name_in(c, system_host_name_set);
}

long sys_setdomainname(struct call *c)
{
    return system_name_in(c, system_domain_name_set);
}

// ---- arch_prctl(2): of all that is about the CPU a 32-bit program may only have CPUID, as it has.
long sys_arch_prctl(struct call *c)
{
    enum {
        ARCH_GET_CPUID = 0x1011,
        ARCH_SET_CPUID = 0x1012
    };
    if (c->args[0] == ARCH_GET_CPUID)
        return 1;
    return c->args[0] == ARCH_SET_CPUID ? -ENODEV : -EINVAL;
}

// ---- ports: never a program's. One that drives devices could write into every node's memory, and
// nothing of it could move. So even root lacks CAP_SYS_RAWIO here.
#define PORTS 65536u

long sys_ioperm(struct call *c)
{
    uint32_t from = c->args[0], end = from + c->args[1];
    if (end <= from || end > PORTS)
        return -EINVAL;
    return c->args[2] ? -EPERM : 0;
}

long sys_iopl(struct call *c)
{
    if (c->args[0] > 3)
        return -EINVAL;
    return c->args[0] ? -EPERM : 0;
}
