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
#include "ssi/process/uname.h"

// ---- uname, sysinfo ----------------------------------------------------------------------------
static int uname_out(uint32_t at, size_t field, unsigned fields)
{
    char host[16];
    fmt_print(host, sizeof(host), "node%u", cluster_self());
    const char *text[6] = {UNAME_SYSTEM,  host,          UNAME_RELEASE,
                           UNAME_VERSION, UNAME_MACHINE, UNAME_DOMAIN};
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
    if (new.maximum > l->maximum && process_current()->cred.euid)
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
    if (c->args[0] >= RLIMITS)
        return -EINVAL;
    int e = user_read(&new, c->args[1], sizeof(new));
    return e < 0 ? e : limit_set(process_current(), c->args[0], new);
}

static uint64_t wide_limit(uint32_t l)
{
    return l == RLIM_INFINITY ? UINT64_MAX : l;
}

static uint32_t narrow_limit(uint64_t l)
{
    return l >= RLIM_INFINITY ? RLIM_INFINITY : (uint32_t)l;
}

long sys_prlimit64(struct call *c)
{
    struct process *me = process_current();
    struct process *p = c->args[0] ? process_find((int32_t)c->args[0]) : me;
    uint64_t new[2], old[2];
    if (c->args[1] >= RLIMITS)
        return -EINVAL;
    if (!p || p->state == PROCESS_ZOMBIE)
        return -ESRCH;
    if (p != me && me->cred.euid && me->cred.uid != p->cred.uid)
        return -EPERM;
    old[0] = wide_limit(p->limits[c->args[1]].current);
    old[1] = wide_limit(p->limits[c->args[1]].maximum);
    if (c->args[2]) {
        int32_t pid = p->pid;
        int e = user_read(new, c->args[2], sizeof(new));
        if (e < 0)
            return e;
        if (process_find(pid) != p) // it ended while we slept
            return -ESRCH;
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

// ---- prctl -------------------------------------------------------------------------------------
enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_CAPBSET_READ = 23,
    PR_GET_SECUREBITS = 27,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_CAP_AMBIENT = 47,
};

enum { // PR_CAP_AMBIENT
    AMBIENT_IS_SET = 1,
    AMBIENT_RAISE = 2,
    AMBIENT_LOWER = 3,
    AMBIENT_CLEAR_ALL = 4,
};

#define CAPABILITY_LAST  40u
#define SECURE_KEEP_CAPS 16
#define SLACK_USUAL_NS   50000u

static long set_name(uint32_t at)
{
    char name[16] = {0};
    struct task *t = task_current();
    long n = user_read_string(name, at, sizeof(name));
    if (n < 0 && n != -ENAMETOOLONG)
        return n;
    name[15] = 0;
    str_copy(t->thread->name, name, sizeof(t->thread->name));
    if (t->tid == t->process->pid)
        str_copy(t->process->name, name, sizeof(t->process->name));
    return 0;
}

static long get_name(uint32_t at)
{
    char name[16] = {0};
    str_copy(name, task_current()->thread->name, sizeof(name));
    return user_write(at, name, sizeof(name));
}

// No capability is ever inheritable (capset(2)), so none can be raised.
static long ambient(const uint32_t *args)
{
    if (args[1] == AMBIENT_CLEAR_ALL)
        return args[2] || args[3] || args[4] ? -EINVAL : 0;
    if (args[2] > CAPABILITY_LAST || args[3] || args[4])
        return -EINVAL;
    switch (args[1]) {
    case AMBIENT_IS_SET:
    case AMBIENT_LOWER:
        return 0;
    case AMBIENT_RAISE:
        return -EPERM;
    }
    return -EINVAL;
}

static uint32_t slack(uint32_t ns)
{
    return ns ? ns : SLACK_USUAL_NS;
}

static long subreaper_out(uint32_t at)
{
    int32_t on = process_current()->subreaper;
    return user_write(at, &on, sizeof(on));
}

long sys_prctl(struct call *c)
{
    struct process *p = process_current();
    struct task *t = task_current();
    uint32_t a = c->args[1];
    switch (c->args[0]) {
    case PR_SET_NAME:
        return set_name(a);
    case PR_GET_NAME:
        return get_name(a);
    case PR_SET_PDEATHSIG:
        if (a > SIGNAL_MAX)
            return -EINVAL;
        p->parent_death_signal = (int)a;
        return 0;
    case PR_GET_PDEATHSIG:
        return user_write(a, &p->parent_death_signal, 4);
    case PR_GET_DUMPABLE:
        return !p->not_dumpable;
    case PR_SET_DUMPABLE:
        if (a > 1)
            return -EINVAL;
        p->not_dumpable = !a;
        return 0;
    case PR_GET_KEEPCAPS:
        return p->keep_caps;
    case PR_SET_KEEPCAPS:
        if (a > 1)
            return -EINVAL;
        p->keep_caps = a;
        return 0;
    case PR_GET_SECUREBITS:
        return p->keep_caps ? SECURE_KEEP_CAPS : 0;
    case PR_SET_TIMERSLACK:
        t->slack_ns = a ? a : slack(t->slack_default_ns);
        return 0;
    case PR_GET_TIMERSLACK:
        return (long)slack(t->slack_ns);
    case PR_SET_CHILD_SUBREAPER:
        p->subreaper = a != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return subreaper_out(a);
    case PR_GET_TID_ADDRESS:
        return user_write(a, &t->clear_child_tid, sizeof(t->clear_child_tid));
    case PR_CAP_AMBIENT:
        return ambient(c->args);
    case PR_GET_TIMING: // statistical
    case PR_GET_SECCOMP:
        return 0;
    case PR_SET_TIMING:
        return a == 0 ? 0 : -EINVAL;
    case PR_CAPBSET_READ:
        return a <= 40 ? 1 : -EINVAL;
    case PR_SET_NO_NEW_PRIVS:
        if (a != 1 || c->args[2] || c->args[3] || c->args[4])
            return -EINVAL;
        p->no_new_privileges = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        if (a || c->args[2] || c->args[3] || c->args[4])
            return -EINVAL;
        return p->no_new_privileges;
    }
    return -EINVAL;
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
    if (process_current()->cred.euid)
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

long sys_sethostname(struct call *c)
{
    (void)c;
    return -EPERM; // names are the cluster's: nodeN
}

long sys_setdomainname(struct call *c)
{
    return sys_sethostname(c);
}

// ---- capabilities: all of root's, none of others'
#define CAPABILITY_V1  0x19980330u
#define CAPABILITY_V2  0x20071026u
#define CAPABILITY_V3  0x20080522u
#define CAPABILITY_TOP 0x1ffu // of the upper word: 41 are known

struct capability_header {
    uint32_t version;
    int32_t pid;
} PACKED;

enum { // words of a set
    CAPABILITY_EFFECTIVE,
    CAPABILITY_PERMITTED,
    CAPABILITY_INHERITABLE,
    CAPABILITY_SETS
};

struct capability_sets {
    uint32_t words[2][CAPABILITY_SETS];
};

static struct capability_sets capabilities_of(const struct process *p)
{
    struct capability_sets s = {{{0}}};
    if (p->cred.euid == 0)
        for (int k = CAPABILITY_EFFECTIVE; k <= CAPABILITY_PERMITTED; k++)
            s.words[0][k] = ~0u, s.words[1][k] = CAPABILITY_TOP;
    return s;
}

// The header of both calls: bytes of the sets that its version means, 0 for a version that is not
// known (then the one that is has been written back), -EFAULT.
static long capability_header_in(uint32_t user, struct capability_header *h)
{
    int e = user_read(h, user, sizeof(*h));
    if (e < 0)
        return e;
    if (h->version == CAPABILITY_V1)
        return (long)sizeof(struct capability_sets) / 2;
    if (h->version == CAPABILITY_V2 || h->version == CAPABILITY_V3)
        return (long)sizeof(struct capability_sets);
    h->version = CAPABILITY_V3;
    e = user_write(user, h, sizeof(*h));
    return e < 0 ? e : 0;
}

long sys_capget(struct call *c)
{
    struct capability_header h;
    long bytes = capability_header_in(c->args[0], &h);
    if (bytes <= 0)
        return bytes < 0 ? bytes : c->args[1] ? -EINVAL : 0;
    if (h.pid < 0)
        return -EINVAL;
    const struct process *p = h.pid ? process_find(h.pid) : process_current();
    if (p == NULL)
        return -ESRCH;
    struct capability_sets s = capabilities_of(p);
    return c->args[1] ? user_write(c->args[1], &s, (size_t)bytes) : 0;
}

// A part of what root may cannot be given up: only the sets that the process has can be set.
long sys_capset(struct call *c)
{
    struct capability_header h;
    struct capability_sets new = {{{0}}}, now = capabilities_of(process_current());
    long bytes = capability_header_in(c->args[0], &h);
    if (bytes <= 0)
        return bytes < 0 ? bytes : -EINVAL;
    if (h.pid != 0 && h.pid != task_current()->tid)
        return -EPERM;
    int e = user_read(&new, c->args[1], (size_t)bytes);
    if (e < 0)
        return e;
    new.words[1][CAPABILITY_EFFECTIVE] &= CAPABILITY_TOP;
    new.words[1][CAPABILITY_PERMITTED] &= CAPABILITY_TOP;
    return memcmp(&new, &now, (size_t)bytes) == 0 ? 0 : -EPERM;
}
