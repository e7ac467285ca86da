// SPDX-License-Identifier: MIT
// Who a process is and what it may: users, groups, capabilities, limits, scheduling, prctl. What is
// given up does not come back, so each step is the life of a child that does several things.
#include "twin.h"

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CAPS 41
// Containers often lack the one, and may not use the other for real-time threads.
#define LACKED (1ull << CAP_SYS_RESOURCE | 1ull << CAP_SYS_NICE)

static void *volatile bad = (void *)8;
static pid_t parent;

static const int users[] = {0, 0, 1234, 1234, 4321, 65534, 65535, 65536, 70000, -1, -1, -2};

// ---- users and groups --------------------------------------------------------------------------
static void said_users(void)
{
    unsigned u[3] = {0}, g[3] = {0};
    long r = syscall(SYS_getresuid32, &u[0], &u[1], &u[2]);
    r += syscall(SYS_getresgid32, &g[0], &g[1], &g[2]);
    printf("%u:   %ld users %u %u %u, groups %u %u %u\n", twin_step, r, u[0], u[1], u[2], g[0],
           g[1], g[2]);
}

static void change_users(void)
{
    static const struct {
        int number, args;
        const char *name;
    } all[] = {{SYS_setuid32, 1, "setuid32"},       {SYS_setgid32, 1, "setgid32"},
               {SYS_setreuid32, 2, "setreuid32"},   {SYS_setregid32, 2, "setregid32"},
               {SYS_setresuid32, 3, "setresuid32"}, {SYS_setresgid32, 3, "setresgid32"},
               {SYS_setfsuid32, 1, "setfsuid32"},   {SYS_setfsgid32, 1, "setfsgid32"},
               {SYS_setuid, 1, "setuid"},           {SYS_setgid, 1, "setgid"},
               {SYS_setreuid, 2, "setreuid"},       {SYS_setregid, 2, "setregid"},
               {SYS_setresuid, 3, "setresuid"},     {SYS_setresgid, 3, "setresgid"},
               {SYS_setfsuid, 1, "setfsuid"},       {SYS_setfsgid, 1, "setfsgid"}};
    unsigned i = draw(sizeof(all) / sizeof(all[0]));
    int a[3] = {PICK(users), PICK(users), PICK(users)};
    said(syscall(all[i].number, a[0], a[1], a[2]), "%s(%d, %d, %d)", all[i].name, a[0],
         all[i].args > 1 ? a[1] : 0, all[i].args > 2 ? a[2] : 0);
    said_users();
}

static void ask_users(void)
{
    static const int plain[] = {SYS_getuid32, SYS_geteuid32, SYS_getgid32, SYS_getegid32,
                                SYS_getuid,   SYS_geteuid,   SYS_getgid,   SYS_getegid};
    unsigned short s[3] = {7, 7, 7};
    if (draw(2)) {
        unsigned i = draw(8);
        said(syscall(plain[i]), "get %u", i);
        return;
    }
    bool is_bad = !draw(4);
    said(syscall(draw(2) ? SYS_getresuid : SYS_getresgid, &s[0], is_bad ? bad : &s[1], &s[2]),
         "getres%s", is_bad ? " bad" : "");
    printf("%u:   %u %u %u\n", twin_step, s[0], s[1], s[2]);
}

static void many_groups(void)
{
    static const int counts[] = {0, 1, 3, 5, 32, 65537, -1};
    unsigned groups[32], got[32];
    unsigned short narrow[32];
    int n = PICK(counts);
    for (int i = 0; i < 32; i++) {
        groups[i] = (unsigned)PICK(users);
        narrow[i] = (unsigned short)groups[i];
    }
    memset(got, 0, sizeof(got));
    switch (draw(4)) {
    case 0:
        said(syscall(SYS_setgroups32, n, draw(8) ? (void *)groups : bad), "setgroups32(%d)", n);
        break;
    case 1:
        said(syscall(SYS_setgroups, n, draw(8) ? (void *)narrow : bad), "setgroups(%d)", n);
        break;
    default: {
        bool is_narrow = draw(2);
        long r = said(syscall(is_narrow ? SYS_getgroups : SYS_getgroups32, n == 65537 ? 32 : n,
                              draw(8) ? (void *)got : bad),
                      "getgroups%s(%d)", is_narrow ? "" : "32", n);
        said_bytes("they are", got, r > 0 ? r * (is_narrow ? 2 : 4) : 0);
    }
    }
}

// ---- capabilities ------------------------------------------------------------------------------
static uint64_t draw_caps(void)
{
    uint64_t some = ((uint64_t)draw_bits(0x1ff) << 32 | draw_bits(0xffffffff));
    switch (draw(4)) {
    case 0:
        return 0;
    case 1:
        return ((1ull << CAPS) - 1) & ~LACKED;
    case 2:
        return 1ull << draw(CAPS) & ~LACKED;
    default:
        return some & ~LACKED;
    }
}

static void said_caps(void)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{0}};
    long r = syscall(SYS_capget, &h, d);
    printf("%u:   %ld effective %x%08x permitted %x%08x inheritable %x%08x secure %x\n", twin_step,
           r, d[1].effective, d[0].effective, d[1].permitted, d[0].permitted, d[1].inheritable,
           d[0].inheritable, prctl(PR_GET_SECUREBITS));
}

static void change_caps(void)
{
    static const unsigned versions[] = {_LINUX_CAPABILITY_VERSION_3,
                                        _LINUX_CAPABILITY_VERSION_3,
                                        _LINUX_CAPABILITY_VERSION_3,
                                        _LINUX_CAPABILITY_VERSION_2,
                                        _LINUX_CAPABILITY_VERSION_1,
                                        0,
                                        7};
    int pids[] = {0, 0, 0, getpid(), parent, -1, 0x3fffffff};
    struct __user_cap_header_struct h = {PICK(versions), PICK(pids)};
    const char *name = h.pid == 0          ? "0"
                       : h.pid == getpid() ? "self"
                       : h.pid == parent   ? "parent"
                       : h.pid == -1       ? "-1"
                                           : "nobody";
    uint64_t s[3] = {draw_caps(), draw_caps(), draw_caps()};
    struct __user_cap_data_struct d[2] = {
        {(unsigned)s[0], (unsigned)(s[0] | s[1]), (unsigned)s[2]},
        {(unsigned)(s[0] >> 32), (unsigned)((s[0] | s[1]) >> 32), (unsigned)(s[2] >> 32)}};
    unsigned version = h.version, how = draw(12);
    if (draw(3)) {
        said(syscall(SYS_capset, how == 0 ? bad : &h,
                     how == 1   ? NULL
                     : how == 2 ? bad
                                : d),
             "capset(%x of %s, %llx %llx %llx) %u", version, name, (unsigned long long)s[0],
             (unsigned long long)(s[0] | s[1]), (unsigned long long)s[2], how > 2 ? 3 : how);
        said_caps();
    } else {
        memset(d, 0x77, sizeof(d));
        said(syscall(SYS_capget, how == 0 ? bad : &h,
                     how == 1   ? NULL
                     : how == 2 ? bad
                                : d),
             "capget(%x of %s) %u", version, name, how > 2 ? 3 : how);
        if (h.pid != parent)
            said_bytes("it is", d, sizeof(d));
    }
    printf("%u:   version %x\n", twin_step, h.version);
}

// ---- prctl -------------------------------------------------------------------------------------
static void asked_of_prctl(void)
{
    static const struct {
        int option;
        const char *name;
    } all[] = {{1, "SET_PDEATHSIG"},
               {3, "GET_DUMPABLE"},
               {4, "SET_DUMPABLE"},
               {5, "GET_UNALIGN"},
               {6, "SET_UNALIGN"},
               {7, "GET_KEEPCAPS"},
               {8, "SET_KEEPCAPS"},
               {9, "GET_FPEMU"},
               {10, "SET_FPEMU"},
               {11, "GET_FPEXC"},
               {12, "SET_FPEXC"},
               {13, "GET_TIMING"},
               {14, "SET_TIMING"},
               {19, "GET_ENDIAN"},
               {20, "SET_ENDIAN"},
               {21, "GET_SECCOMP"},
               {23, "CAPBSET_READ"},
               {24, "CAPBSET_DROP"},
               {27, "GET_SECUREBITS"},
               {28, "SET_SECUREBITS"},
               {29, "SET_TIMERSLACK"},
               {30, "GET_TIMERSLACK"},
               {31, "TASK_PERF_EVENTS_DISABLE"},
               {32, "TASK_PERF_EVENTS_ENABLE"},
               {33, "MCE_KILL"},
               {34, "MCE_KILL_GET"},
               {36, "SET_CHILD_SUBREAPER"},
               {38, "SET_NO_NEW_PRIVS"},
               {39, "GET_NO_NEW_PRIVS"},
               {41, "SET_THP_DISABLE"},
               {42, "GET_THP_DISABLE"},
               {43, "MPX_ENABLE_MANAGEMENT"},
               {44, "MPX_DISABLE_MANAGEMENT"},
               {45, "SET_FP_MODE"},
               {46, "GET_FP_MODE"},
               {47, "CAP_AMBIENT"},
               {57, "SET_IO_FLUSHER"},
               {58, "GET_IO_FLUSHER"},
               {0x59616d61, "SET_PTRACER"},
               {0, "0"},
               {-1, "-1"}};
    static const unsigned long args[] = {0, 0, 0,  1,  1,  1,  2,  3,    4,
                                         5, 9, 17, 40, 41, 64, 65, 0xff, -1};
    static const unsigned long rest[] = {0, 0, 0, 0, 0, 0, 1, 12, 40, 41, -1};
    unsigned i = draw(sizeof(all) / sizeof(all[0]));
    unsigned long a = PICK(args), b = PICK(rest), c = draw(4) ? 0 : PICK(rest),
                  d = draw(4) ? 0 : PICK(rest);
    if (all[i].option == PR_CAPBSET_READ && (a == CAP_SYS_RESOURCE || a == CAP_SYS_NICE))
        return;
    said(syscall(SYS_prctl, all[i].option, a, b, c, d), "prctl(%s, %lu, %lu, %lu, %lu)",
         all[i].name, a, b, c, d);
}

static void told_by_prctl(void)
{
    static const struct {
        int option;
        const char *name;
    } all[] = {{2, "GET_PDEATHSIG"}, {25, "GET_TSC"},  {37, "GET_CHILD_SUBREAPER"},
               {5, "GET_UNALIGN"},   {16, "GET_NAME"}, {19, "GET_ENDIAN"}};
    unsigned i = draw(sizeof(all) / sizeof(all[0]));
    char answer[16] = "...............";
    bool is_bad = !draw(5);
    said(syscall(SYS_prctl, all[i].option, is_bad ? bad : answer, 0, 0, 0), "prctl(%s)%s",
         all[i].name, is_bad ? " bad" : "");
    said_bytes("it is", answer, sizeof(answer));
}

static void named(void)
{
    static const char *const names[] = {
        "", "a", "with space", "fifteen letters", "sixteen letters.", "longer than what has room"};
    const char *name = PICK(names);
    bool is_bad = !draw(10);
    said(prctl(PR_SET_NAME, is_bad ? bad : (void *)name), "prctl(SET_NAME, %s)%s", name,
         is_bad ? " bad" : "");
    char line[64] = "";
    FILE *f = fopen("/proc/self/comm", "r");
    if (f && fgets(line, sizeof(line), f))
        printf("%u:   comm %s", twin_step, line);
    if (f)
        fclose(f);
}

static void named_memory(void)
{
    static const char *const names[] = {"plain",  "",       "with [", "with ]", "with \\",
                                        "with $", "with `", "tab\t",  NULL};
    size_t bytes = draw(4) ? 4096 : draw(2) ? 0 : 100;
    const char *name = PICK(names);
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned how = draw(10);
    if (how == 0)
        munmap(at, 4096);
    said(prctl(0x53564d41, how == 1 ? 1 : 0, at + (how == 2), bytes, how == 3 ? bad : (void *)name),
         "prctl(SET_VMA, %u, %u bytes, %s)", how > 3 ? 4 : how, (unsigned)bytes,
         name ? name : "none");
    munmap(at, 8192);
}

// ---- limits ------------------------------------------------------------------------------------
static int which_limit(void)
{
    return draw(12) ? (int)draw(RLIM_NLIMITS) : draw(2) ? RLIM_NLIMITS : -1;
}

static void limits(void)
{
    static const rlim64_t values[] = {0,    1,     50,       100,         1000,
                                      4096, 65536, 1u << 31, 0xfffffffeu, RLIM64_INFINITY};
    struct {
        rlim64_t soft, hard;
    } set = {PICK(values), PICK(values)}, old = {7, 7};
    struct {
        uint32_t soft, hard;
    } set32 = {(uint32_t)set.soft, (uint32_t)set.hard}, old32 = {7, 7};
    int which = which_limit(), pids[] = {0, 0, 0, getpid(), parent, -1, 0x3fffffff};
    unsigned at = draw(7), how = draw(12);
    switch (draw(4)) {
    case 0:
        said(syscall(SYS_prlimit64, pids[at], which, NULL, how ? (void *)&old : bad),
             "prlimit64(%u, %d) %d", at, which, how == 0);
        break;
    case 1: {
        unsigned i = draw(2);
        said(syscall(i ? SYS_getrlimit : SYS_ugetrlimit, which, how ? (void *)&old32 : bad),
             "%sgetrlimit(%d) %d", i ? "" : "u", which, how == 0);
        printf("%u:   %x %x\n", twin_step, (unsigned)old32.soft, (unsigned)old32.hard);
        return;
    }
    case 2:
        if (which == RLIMIT_AS || which == RLIMIT_STACK || which == RLIMIT_DATA ||
            which == RLIMIT_NOFILE || which == RLIMIT_CPU || which == RLIMIT_FSIZE)
            return; // it goes on needing those
        said(syscall(SYS_setrlimit, which, how ? (void *)&set32 : bad), "setrlimit(%d, %x %x) %d",
             which, (unsigned)set32.soft, (unsigned)set32.hard, how == 0);
        return;
    default:
        if (which == RLIMIT_AS || which == RLIMIT_STACK || which == RLIMIT_DATA ||
            which == RLIMIT_NOFILE || which == RLIMIT_CPU || which == RLIMIT_FSIZE || at == 4)
            return;
        said(syscall(SYS_prlimit64, pids[at], which, how == 1 ? bad : (void *)&set,
                     how == 2 ? bad : (void *)&old),
             "prlimit64(%u, %d, %llx %llx) %u", at, which, (unsigned long long)set.soft,
             (unsigned long long)set.hard, how == 1 || how == 2 ? how : 0);
    }
    printf("%u:   %llx %llx\n", twin_step, (unsigned long long)old.soft,
           (unsigned long long)old.hard);
}

// ---- scheduling --------------------------------------------------------------------------------
static void priorities(void)
{
    static const int values[] = {0, 1, 5, 10, 19, 20, 100, -1, -5, -20, -21, -100, 0x7fffffff};
    int which = (int)draw(4) - !draw(10), value = PICK(values);
    int ids[] = {0, 0, 0, getpid(), -1, 0x3fffffff};
    unsigned at = draw(6);
    if (which == PRIO_USER && at < 4)
        return; // of what else runs
    switch (draw(3)) {
    case 0:
        said(syscall(SYS_setpriority, which, ids[at], value), "setpriority(%d, %u, %d)", which, at,
             value);
        break;
    case 1:
        said(syscall(SYS_nice, value), "nice(%d)", value);
        break;
    }
    said(syscall(SYS_getpriority, which, ids[at]), "getpriority(%d, %u)", which, at);
}

static const int policies[] = {0, 0, 1, 2, 3, 5, 4, 6, 9, 0x40000000, 0x40000001, -1};

static pid_t some_pid(unsigned *at)
{
    pid_t pids[] = {0, 0, 0, getpid(), -1, 0x3fffffff};
    *at = draw(6);
    return pids[*at];
}

static void policy(void)
{
    static const int priority[] = {0, 0, 0, 1, 1, 50, 99, 100, -1};
    unsigned at, how = draw(14);
    pid_t pid = some_pid(&at);
    int p = PICK(policies);
    struct sched_param param = {PICK(priority)};
    void *given = how == 0 ? NULL : how == 1 ? bad : &param;
    switch (draw(6)) {
    case 0:
        said(syscall(SYS_sched_setscheduler, pid, p, given), "sched_setscheduler(%u, %x, %d) %u",
             at, (unsigned)p, param.sched_priority, how > 1 ? 2 : how);
        break;
    case 1:
        said(syscall(SYS_sched_setparam, pid, given), "sched_setparam(%u, %d) %u", at,
             param.sched_priority, how > 1 ? 2 : how);
        break;
    case 2:
        param.sched_priority = 7;
        said(syscall(SYS_sched_getparam, pid, given), "sched_getparam(%u) %u", at,
             how > 1 ? 2 : how);
        printf("%u:   %d\n", twin_step, param.sched_priority);
        break;
    case 3:
        said(syscall(SYS_sched_get_priority_max, p), "sched_get_priority_max(%x)", (unsigned)p);
        said(syscall(SYS_sched_get_priority_min, p), "sched_get_priority_min(%x)", (unsigned)p);
        break;
    case 4: {
        struct timespec t = {7, 7};
        said(syscall(SYS_sched_rr_get_interval, pid, how == 1 ? bad : (void *)&t),
             "sched_rr_get_interval(%u) %d", at, how == 1);
        printf("%u:   %s\n", twin_step, t.tv_nsec == 7 ? "not told" : "told");
        break;
    }
    }
    said(syscall(SYS_sched_getscheduler, pid), "sched_getscheduler(%u)", at);
}

struct attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
    uint64_t more;
};

static void attributes(void)
{
    static const unsigned sizes[] = {48, 48, 48, 48, 56, 64, 40, 0, 47, 49, 5000};
    static const int nices[] = {0, 0, 5, 19, 20, -1, -20, -21};
    static const unsigned priority[] = {0, 0, 0, 1, 99, 100};
    static const uint64_t flags[] = {0, 0, 0, 0, 1, 2, 4, 8, 16, 0x80, ~0ull};
    unsigned at, how = draw(14), size = PICK(sizes), f = draw(12) ? 0 : draw(3);
    pid_t pid = some_pid(&at);
    struct attr a = {.size = size,
                     .policy = (uint32_t)PICK(policies),
                     .flags = PICK(flags),
                     .nice = PICK(nices),
                     .priority = PICK(priority)};
    if (a.policy == 6) // of Linux alone
        a.policy = 0;
    if (draw(2)) {
        said(syscall(SYS_sched_setattr, pid,
                     how == 0   ? NULL
                     : how == 1 ? bad
                                : &a,
                     f),
             "sched_setattr(%u, size %u policy %x flags %llx nice %d priority %u, %u) %u", at, size,
             a.policy, (unsigned long long)a.flags, a.nice, a.priority, f, how > 1 ? 2 : how);
        if (how > 1)
            printf("%u:   size %u\n", twin_step, a.size);
    }
    memset(&a, 0x77, sizeof(a));
    if (said(syscall(SYS_sched_getattr, pid,
                     how == 2   ? NULL
                     : how == 3 ? bad
                                : &a,
                     size, f),
             "sched_getattr(%u, %u, %u) %u", at, size, f, how == 2 || how == 3 ? how : 0) == 0)
        printf("%u:   size %u policy %u flags %llx nice %d priority %u\n", twin_step, a.size,
               a.policy, (unsigned long long)a.flags, a.nice, a.priority);
}

static void of_input(void)
{
    static const int classes[] = {0, 1, 2, 3, 4, 7};
    int which = (int)draw(5), value = PICK(classes) << 13 | (draw(8) ? (int)draw(8) : 9);
    int ids[] = {0, 0, getpid(), -1, 0x3fffffff};
    unsigned at = draw(5);
    if (which == 3)
        return;
    if (draw(2))
        said(syscall(SYS_ioprio_set, which, ids[at], value), "ioprio_set(%d, %u, %x)", which, at,
             (unsigned)value);
    said(syscall(SYS_ioprio_get, which, ids[at]), "ioprio_get(%d, %u)", which, at);
}

// ---- small things ------------------------------------------------------------------------------
static void small(void)
{
    static const unsigned masks[] = {0, 022, 0777, 01777, 07777, 0xffffffff};
    static const unsigned long kinds[] = {0, 0, 0x0040000, 0x0400000, 8, 0xffffffff};
    unsigned m = PICK(masks), cpu = 7, node = 7;
    unsigned long kind = PICK(kinds);
    struct rusage u;
    bool is_bad = !draw(4);
    switch (draw(5)) {
    case 0:
        said(syscall(SYS_umask, m), "umask(%o)", m);
        break;
    case 1:
        said(syscall(SYS_personality, kind), "personality(%lx)", kind);
        break;
    case 2:
        said(syscall(SYS_getcpu, is_bad ? bad : &cpu, draw(2) ? NULL : &node, NULL), "getcpu%s",
             is_bad ? " bad" : "");
        break;
    case 3: {
        int who = (int)draw(4) - 2;
        said(syscall(SYS_getrusage, who, is_bad ? bad : &u), "getrusage(%d)%s", who,
             is_bad ? " bad" : "");
        break;
    }
    default:
        said(syscall(SYS_sysinfo, is_bad ? bad : alloca(64)), "sysinfo%s", is_bad ? " bad" : "");
    }
}

static void said_status(void)
{
    static const char *const lines[] = {"Name:",   "Uid:",    "Gid:",    "Groups:", "CapInh:",
                                        "CapPrm:", "CapEff:", "CapAmb:", "NoNew",   "Umask:"};
    char line[512];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof(line), f))
        for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
            if (!strncmp(line, lines[i], strlen(lines[i])))
                printf("%u:   %s", twin_step, line);
    if (f)
        fclose(f);
}

static const struct step acts[] = {
    {change_users, 12}, {ask_users, 3},  {many_groups, 4},  {change_caps, 8}, {asked_of_prctl, 20},
    {told_by_prctl, 4}, {named, 2},      {named_memory, 2}, {limits, 10},     {priorities, 6},
    {policy, 8},        {attributes, 6}, {of_input, 3},     {small, 4},       {said_status, 3},
};

static void life(void)
{
    int status = 0;
    uint32_t seed = draw(1u << 31) | 1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        twin_state = seed;
        setpgid(0, 0);
        unsigned total = 0;
        for (unsigned i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
            total += acts[i].weight;
        for (unsigned k = 4 + draw(10); k > 0; k--) {
            uint32_t at = draw(total);
            unsigned i = 0;
            while (at >= acts[i].weight)
                at -= acts[i++].weight;
            acts[i].run();
        }
        exit(3);
    }
    waitpid(pid, &status, 0);
    printf("%u: it ended with %x\n", twin_step, status);
}

static void begin(void)
{
    static const struct {
        int which;
        unsigned soft, hard;
    } all[] = {{RLIMIT_CORE, 0, 0},           {RLIMIT_NOFILE, 100, 200},
               {RLIMIT_NPROC, 1000, 1000},    {RLIMIT_MEMLOCK, 65536, 65536},
               {RLIMIT_SIGPENDING, 100, 200}, {RLIMIT_MSGQUEUE, 1000, 2000},
               {RLIMIT_NICE, 0, 0},           {RLIMIT_RTPRIO, 0, 0},
               {RLIMIT_RTTIME, 1000, 10000},  {RLIMIT_STACK, 1 << 20, 1 << 22}};
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2];
    parent = getpid();
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        said(setrlimit(all[i].which, &(struct rlimit){all[i].soft, all[i].hard}), "limit %d",
             all[i].which);
    syscall(SYS_capget, &h, d);
    d[0].effective &= ~(unsigned)LACKED;
    d[0].permitted &= ~(unsigned)LACKED;
    said(syscall(SYS_capset, &h, d), "capset");
    said(syscall(SYS_setgroups32, 0, NULL), "setgroups32(0)");
}

static const struct step steps[] = {{life, 1}};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), begin);
}
