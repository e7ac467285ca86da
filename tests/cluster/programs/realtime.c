// SPDX-License-Identifier: MIT
// Real-time policies: who may have them, in which order threads on one CPU are served, what
// children get. Every line is the same on Linux. realtime spin: a thread of the highest priority
// keeps a CPU busy until an ordinary process has run on it; realtime far: the policy goes with a
// process to the other node.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "say.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define THREADS 3

struct attr {
    unsigned size, policy;
    unsigned long long flags;
    int nice;
    unsigned priority;
    unsigned long long runtime, deadline, period;
};

static int set(pid_t pid, int policy, int priority)
{
    struct sched_param p = {priority};
    return (int)syscall(SYS_sched_setscheduler, pid, policy, &p);
}

static void show(const char *what)
{
    struct sched_param p = {-1};
    struct attr a = {.size = sizeof(a)};
    struct timespec t = {-1, -1};
    char line[1024] = "", *s = line;
    int r = (int)syscall(SYS_sched_getparam, 0, &p);
    printf("%s: policy %x param %d %d", what, (unsigned)syscall(SYS_sched_getscheduler, 0), r,
           p.sched_priority);
    r = (int)syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0);
    printf(" attr %d %u %llu %d %u", r, a.policy, a.flags, a.nice, a.priority);
    if (a.policy == SCHED_FIFO || a.policy == SCHED_RR) {
        r = sched_rr_get_interval(0, &t);
        printf(" rr %d %ld", r, t.tv_nsec / 1000000);
    }
    FILE *f = fopen("/proc/self/stat", "r");
    if (f && fgets(line, sizeof(line), f))
        s = strrchr(line, ')');
    int field = 2;
    for (s = strtok(s, " "); s; s = strtok(NULL, " "), field++) {
        if (field == 18 || field == 19 || field == 40 || field == 41)
            printf(" %s", s);
    }
    printf("\n");
    fflush(stdout);
    if (f)
        fclose(f);
}

static void policies(void)
{
    show("at first");
    done("fifo", set(0, SCHED_FIFO, 10));
    show("fifo");
    done("rr", set(0, SCHED_RR, 99));
    show("rr");
    done("rr 0", set(0, SCHED_RR, 0));
    done("rr 100", set(0, SCHED_RR, 100));
    done("other 1", set(0, SCHED_OTHER, 1));
    done("policy 4", set(0, 4, 0));
    done("policy 7", set(0, 7, 0));
    done("nobody", set(32767, SCHED_RR, 1));
    done("pid -1", set(-1, SCHED_RR, 1));
    struct sched_param p = {5};
    done("setparam", (int)syscall(SYS_sched_setparam, 0, &p));
    show("param");
    p.sched_priority = 0;
    done("setparam 0", (int)syscall(SYS_sched_setparam, 0, &p));
    done("nice", setpriority(PRIO_PROCESS, 0, 7));
    show("nice beside");
    done("batch", set(0, SCHED_BATCH, 0));
    show("batch");
    done("idle", set(0, SCHED_IDLE, 0));
    show("idle");
    for (int policy = 0; policy < 7; policy++)
        printf("%d: %ld %ld\n", policy, (long)sched_get_priority_min(policy),
               (long)sched_get_priority_max(policy));
    struct attr a = {.size = sizeof(a), .policy = SCHED_FIFO, .priority = 3};
    done("setattr", syscall(SYS_sched_setattr, 0, &a, 0));
    show("attr fifo");
    a = (struct attr){.size = sizeof(a), .flags = 0x18, .priority = 9};
    done("keep both", syscall(SYS_sched_setattr, 0, &a, 0));
    show("kept");
    a = (struct attr){.size = sizeof(a), .flags = 1, .policy = SCHED_OTHER, .nice = 3};
    done("reset on fork", syscall(SYS_sched_setattr, 0, &a, 0));
    show("reset");
}

static void child_shows(void)
{
    show("child");
}

static void forks(void)
{
    done("fifo", set(0, SCHED_FIFO, 10));
    in_child(child_shows);
    done("fifo reset", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 10));
    show("reset");
    in_child(child_shows);
    done("rr", set(0, SCHED_RR | SCHED_RESET_ON_FORK, 7));
    fflush(stdout);
    execl("/proc/self/exe", "realtime", "show", "after exec", NULL);
}

static void nobody(void)
{
    struct rlimit l;
    getrlimit(RLIMIT_RTPRIO, &l);
    printf("limit %ld\n", (long)l.rlim_cur);
    done("fifo", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 10));
    done("setuid", setuid(1234));
    done("root's", set(getppid(), SCHED_OTHER, 0));
    done("the same", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 10));
    done("more", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 11));
    done("rr", set(0, SCHED_RR | SCHED_RESET_ON_FORK, 10));
    done("no reset", set(0, SCHED_FIFO, 10));
    done("less", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 5));
    done("back", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 10));
    done("other", set(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
    done("fifo", set(0, SCHED_FIFO | SCHED_RESET_ON_FORK, 1));
    done("idle", set(0, SCHED_IDLE | SCHED_RESET_ON_FORK, 0));
    done("up from idle", set(0, SCHED_OTHER | SCHED_RESET_ON_FORK, 0));
    show("at last");
}

// ---- order on one CPU
// ----------------------------------------------------------------------------
static volatile char said[64];
static volatile int said_count;
static int policy, priorities[THREADS];

static void one_cpu(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    done("one CPU", sched_setaffinity(0, sizeof(one), &one));
    done("above all", set(0, SCHED_FIFO, 60));
}

static void says(char c)
{
    if (said_count < (int)sizeof(said) - 1)
        said[said_count++] = c;
}

static void *yields(void *arg)
{
    int i = (int)(size_t)arg;
    set(0, policy, priorities[i]);
    says('a' + i);
    sched_yield();
    says('a' + i);
    sched_yield();
    says('a' + i);
    return NULL;
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static void *works(void *arg)
{
    int i = (int)(size_t)arg;
    set(0, policy, priorities[i]);
    says('a' + i);
    for (long long end = now_ms() + 30; now_ms() < end;)
        ;
    says('A' + i);
    return NULL;
}

// Nobody leaves before all have begun.
static void *shares(void *arg)
{
    int i = (int)(size_t)arg;
    set(0, policy, priorities[i]);
    says('a' + i);
    for (long long end = now_ms() + 20000; now_ms() < end && said_count < THREADS;)
        ;
    says('A' + i);
    return NULL;
}

static void serve(const char *what, void *(*each)(void *), int as, int a, int b, int c)
{
    pthread_t t[THREADS];
    priorities[0] = a, priorities[1] = b, priorities[2] = c;
    policy = as;
    said_count = 0;
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, each, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    said[said_count] = 0;
    printf("%s: %s\n", what, (const char *)said);
    fflush(stdout);
}

// Threads begin above their own priorities, so each first takes its place in the queue.
static void order(void)
{
    one_cpu();
    serve("by priority", yields, SCHED_FIFO, 10, 30, 20);
    serve("equals yield", yields, SCHED_FIFO, 10, 10, 10);
    serve("rr equals yield", yields, SCHED_RR, 10, 10, 10);
    serve("fifo equals work", works, SCHED_FIFO, 10, 10, 10);
    serve("rr equals share", shares, SCHED_RR, 10, 10, 10);
}

static int pipe_ends[2];

static void *waits(void *arg)
{
    char c;
    (void)arg;
    set(0, SCHED_FIFO, 20);
    if (read(pipe_ends[0], &c, 1) == 1)
        says('w');
    return NULL;
}

static void *wakes(void *arg)
{
    (void)arg;
    set(0, SCHED_FIFO, 10);
    says('1');
    put(pipe_ends[1], "x");
    says('2');
    return NULL;
}

static void preempts(void)
{
    pthread_t a, b;
    one_cpu();
    if (pipe(pipe_ends))
        exit(1);
    pthread_create(&a, NULL, waits, NULL);
    pthread_create(&b, NULL, wakes, NULL);
    pthread_join(a, NULL), pthread_join(b, NULL);
    printf("who is woken comes first: %s\n", (const char *)said);
}

// ---- the share of others
// -------------------------------------------------------------------------
static void spin(void)
{
    volatile long *count = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANON, -1, 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            ++*count;
    }
    done("fifo", set(0, SCHED_FIFO, 99));
    long long begun = now_ms();
    long before = *count;
    while (now_ms() < begun + 20000 && *count == before)
        ;
    printf("others run: %s\n", *count != before ? "yes" : "no");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void far(void)
{
    setpriority(PRIO_PROCESS, 0, 0);
    done("rr", set(0, SCHED_RR | SCHED_RESET_ON_FORK, 42));
    show("here");
    move_to(1);
    show("there");
    in_child(child_shows);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "spin"))
        spin();
    else if (argc > 1 && !strcmp(argv[1], "far"))
        far();
    else if (argc > 1)
        show(argv[2]);
    if (argc > 1)
        return 0;
    setpriority(PRIO_PROCESS, 0, 0);
    in_child(policies);
    in_child(forks);
    in_child(nobody);
    in_child(order);
    in_child(preempts);
    return 0;
}
