// SPDX-License-Identifier: MIT
// What a process is told to have used: getrusage(2), wait4(2), /proc/PID/stat, statm, status,
// smaps. usages far: the same before and after a move.
#define _GNU_SOURCE
#include "move.h"
#include "said.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    PAGES = 600,
    KIB = PAGES * PAGE / 1024
};

#define SAY(what) printf("%s: %s\n", #what, (what) ? "yes" : "no")

static struct rusage used(int who)
{
    struct rusage u;
    if (getrusage(who, &u))
        perror("getrusage");
    return u;
}

static void touch(volatile char *at, int pages)
{
    for (int i = 0; i < pages; i++)
        at[i * PAGE] = 1;
}

static char *fresh(int pages, int flags)
{
    char *at =
        mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void rest(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

static void faults(void)
{
    struct rusage a = used(RUSAGE_SELF);
    char *at = fresh(PAGES, MAP_PRIVATE);
    touch(at, PAGES);
    struct rusage b = used(RUSAGE_SELF);
    SAY(b.ru_minflt - a.ru_minflt >= PAGES / 64);
    SAY(b.ru_maxrss >= a.ru_maxrss && b.ru_maxrss >= KIB && b.ru_maxrss < 64 * 1024);
    munmap(at, PAGES * PAGE);
    struct rusage c = used(RUSAGE_SELF);
    SAY(c.ru_maxrss >= b.ru_maxrss);
    at = fresh(16 * PAGES, MAP_PRIVATE); // not touched: not resident
    SAY(used(RUSAGE_SELF).ru_maxrss < c.ru_maxrss + KIB);
    munmap(at, 16 * PAGES * PAGE);
}

static void switches(void)
{
    struct rusage a = used(RUSAGE_SELF), t = used(RUSAGE_THREAD);
    for (int i = 0; i < 5; i++)
        rest();
    struct rusage b = used(RUSAGE_SELF);
    SAY(b.ru_nvcsw - a.ru_nvcsw >= 5 && b.ru_nvcsw - a.ru_nvcsw < 100);
    SAY(used(RUSAGE_THREAD).ru_nvcsw - t.ru_nvcsw >= 5);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    pid_t other = fork();
    if (other == 0) {
        alarm(60); // also when its parent was ended
        for (;;)
            ;
    }
    while (used(RUSAGE_SELF).ru_nivcsw < b.ru_nivcsw + 3)
        ;
    SAY(used(RUSAGE_SELF).ru_nivcsw >= b.ru_nivcsw + 3);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
}

static void children(void)
{
    struct rusage a = used(RUSAGE_CHILDREN), u;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            touch(fresh(4 * PAGES, MAP_PRIVATE), 4 * PAGES);
            for (int i = 0; i < 7; i++)
                rest();
            _exit(0);
        }
        wait(NULL);
        _exit(0);
    }
    SAY(wait4(child, NULL, 0, &u) == child);
    struct rusage b = used(RUSAGE_CHILDREN);
    SAY(u.ru_maxrss >= 4 * KIB && b.ru_maxrss >= 4 * KIB);
    SAY(u.ru_nvcsw >= 8 && b.ru_nvcsw - a.ru_nvcsw >= 8);
    SAY(b.ru_minflt - a.ru_minflt >= u.ru_minflt && u.ru_minflt > 4 * PAGES / 64);
    T(syscall(SYS_getrusage, 2, &u));
    T(syscall(SYS_getrusage, RUSAGE_SELF, 8));
}

// ---- /proc --------------------------------------------------------------------------------------
static char text[1 << 16];

static const char *file(const char *name)
{
    int fd = open(name, O_RDONLY);
    size_t n = 0;
    for (ssize_t r; (r = read(fd, text + n, sizeof(text) - 1 - n)) > 0;)
        n += (size_t)r;
    text[n] = 0;
    close(fd);
    return text;
}

static long line_of(const char *from, const char *name)
{
    const char *at = strstr(from, name);
    return at ? atol(at + strlen(name)) : -1;
}

static long status(const char *name)
{
    char head[40];
    snprintf(head, sizeof(head), "\n%s:", name);
    return line_of(file("/proc/self/status"), head);
}

static void names(void)
{
    static const char *const lines[] = {"Umask",
                                        "State",
                                        "Tgid",
                                        "Ngid",
                                        "Pid",
                                        "PPid",
                                        "TracerPid",
                                        "Uid",
                                        "Gid",
                                        "FDSize",
                                        "Groups",
                                        "VmPeak",
                                        "VmSize",
                                        "VmLck",
                                        "VmPin",
                                        "VmHWM",
                                        "VmRSS",
                                        "RssAnon",
                                        "RssFile",
                                        "RssShmem",
                                        "VmData",
                                        "VmStk",
                                        "VmExe",
                                        "VmLib",
                                        "VmPTE",
                                        "VmSwap",
                                        "Threads",
                                        "SigQ",
                                        "SigPnd",
                                        "ShdPnd",
                                        "SigBlk",
                                        "SigIgn",
                                        "SigCgt",
                                        "CapInh",
                                        "CapPrm",
                                        "CapEff",
                                        "CapBnd",
                                        "CapAmb",
                                        "NoNewPrivs",
                                        "Cpus_allowed",
                                        "Cpus_allowed_list",
                                        "voluntary_ctxt_switches",
                                        "nonvoluntary_ctxt_switches"};
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        printf("%s %s\n", lines[i], status(lines[i]) < 0 ? "is missing" : "is there");
}

static void sizes(void)
{
    long size, resident, shared, program, library, data;
    long before = status("VmData"), anonymous = status("RssAnon"), peak = status("VmPeak");
    char *at = fresh(PAGES, MAP_PRIVATE);
    touch(at, PAGES / 2);
    SAY(status("VmData") - before == KIB);
    SAY(status("RssAnon") - anonymous >= KIB / 2 && status("RssAnon") - anonymous < KIB);
    SAY(status("VmPeak") >= peak && status("VmPeak") >= status("VmSize"));
    SAY(status("VmHWM") >= status("VmRSS"));
    SAY(status("VmRSS") == status("RssAnon") + status("RssFile") + status("RssShmem"));
    SAY(status("VmExe") > 0 && status("VmStk") > 0 && status("VmPTE") > 0);
    mlock(at, 8 * PAGE);
    SAY(status("VmLck") == 32);
    char *memory = fresh(100, MAP_SHARED);
    long was = status("RssShmem");
    touch(memory, 100);
    SAY(status("RssShmem") - was == 400);
    SAY(sscanf(file("/proc/self/statm"), "%ld %ld %ld %ld %ld %ld", &size, &resident, &shared,
               &program, &library, &data) == 6);
    SAY(size * 4 == status("VmSize") && resident * 4 <= status("VmHWM") && library == 0);
    SAY(program * 4 == status("VmExe") && data * 4 == status("VmData") + status("VmStk"));
    SAY(shared >= 100);
    munmap(memory, 100 * PAGE);
    munmap(at, PAGES * PAGE);
    SAY(status("VmData") == before);
    SAY(status("VmPeak") >= peak && status("VmPeak") > status("VmSize"));
}

static const char *segment(const char *maps, const void *start)
{
    char head[20];
    snprintf(head, sizeof(head), "%08lx-", (unsigned long)start);
    return strstr(maps, head);
}

static void details(void)
{
    char *at = fresh(50, MAP_PRIVATE), *memory = fresh(20, MAP_SHARED);
    touch(at, 30);
    touch(memory, 20);
    mprotect(at + 40 * PAGE, 10 * PAGE, PROT_READ);
    pid_t child = fork();
    if (child == 0) {
        touch(memory, 20);
        (void)!at[0];
        alarm(60);
        pause();
        _exit(0);
    }
    touch(at, 10); // its own again
    rest();
    const char *s = segment(file("/proc/self/smaps"), at);
    SAY(s != NULL);
    SAY(line_of(s, "\nSize:") == 160);
    SAY(line_of(s, "\nKernelPageSize:") == 4 && line_of(s, "\nMMUPageSize:") == 4);
    SAY(line_of(s, "\nRss:") == 120);
    SAY(line_of(s, "\nPrivate_Dirty:") + line_of(s, "\nPrivate_Clean:") == 40);
    SAY(line_of(s, "\nShared_Dirty:") + line_of(s, "\nShared_Clean:") == 80);
    SAY(line_of(s, "\nPss:") == 80);
    SAY(line_of(s, "\nAnonymous:") == 120);
    SAY(line_of(s, "\nSwap:") == 0);
    SAY(strstr(s, "\nVmFlags: rd wr mr mw me ") != NULL);
    s = segment(text, at + 40 * PAGE);
    SAY(s && line_of(s, "\nRss:") == 0 && line_of(s, "\nSize:") == 40);
    s = segment(text, memory);
    SAY(s && line_of(s, "\nRss:") == 80 && strstr(s, "\nVmFlags: rd wr sh mr mw me ms ") != NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    s = segment(file("/proc/self/smaps"), at);
    SAY(line_of(s, "\nShared_Dirty:") + line_of(s, "\nShared_Clean:") == 0);
    s = file("/proc/self/smaps_rollup");
    SAY(strstr(s, "[rollup]\n") && line_of(s, "\nRss:") > 200 && line_of(s, "\nPss:") > 0);
}

static void far(void)
{
    touch(fresh(PAGES, MAP_PRIVATE), PAGES);
    rest();
    if (fork() == 0)
        _exit(0);
    wait(NULL);
    struct rusage a = used(RUSAGE_SELF), c = used(RUSAGE_CHILDREN);
    move_to(1);
    struct rusage b = used(RUSAGE_SELF), d = used(RUSAGE_CHILDREN);
    SAY(b.ru_maxrss >= a.ru_maxrss && b.ru_minflt >= a.ru_minflt && b.ru_nvcsw >= a.ru_nvcsw);
    SAY(!memcmp(&c, &d, sizeof(c)) && c.ru_maxrss > 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { // its end is told to a parent on another node
        move_to(0);
        touch(fresh(4 * PAGES, MAP_PRIVATE), 4 * PAGES);
        _exit(0);
    }
    wait4(child, NULL, 0, &b);
    SAY(b.ru_maxrss >= 4 * KIB && used(RUSAGE_CHILDREN).ru_maxrss >= 4 * KIB);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "far")) {
        far();
        return 0;
    }
    faults();
    children();
    switches();
    names();
    sizes();
    details();
    return 0;
}
