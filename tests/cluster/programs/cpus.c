// SPDX-License-Identifier: MIT
// What several CPUs make possible to get wrong: threads in user mode on one while another unmaps,
// protects, forks, signals, kills, replaces the program. Prints one line per part, "ok NAME"; exits
// with the number of parts that failed. `cpus NAME` runs one.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE    4096u
#define THREADS 4

static const char *self;
static atomic_bool stop;
static atomic_uint seen_cpus;

static unsigned cpu_now(void)
{
    unsigned cpu = 0;
    return syscall(SYS_getcpu, &cpu, NULL, NULL) == 0 ? cpu : 99;
}

static void *map(void *at, int extra)
{
    return mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | extra, -1, 0);
}

static void spin(unsigned n)
{
    for (volatile unsigned i = 0; i < n; i++)
        ;
}

static pthread_t thread(void *(*fn)(void *), void *arg)
{
    pthread_t t;
    if (pthread_create(&t, NULL, fn, arg) != 0)
        abort();
    return t;
}

// ---- affinity -----------------------------------------------------------------------------------

static int affinity(void)
{
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof(all), &all) != 0 ||
        CPU_COUNT(&all) != sysconf(_SC_NPROCESSORS_ONLN))
        return 1;
    for (int i = 0; i < CPU_COUNT(&all); i++) {
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        if (sched_setaffinity(0, sizeof(one), &one) != 0 || cpu_now() != (unsigned)i)
            return 2;
        pid_t child = fork(); // inherits it
        if (child == 0)
            _exit(cpu_now() != (unsigned)i);
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            return 3;
    }
    CPU_ZERO(&one);
    if (sched_setaffinity(0, sizeof(one), &one) == 0 || errno != EINVAL)
        return 4;
    return sched_setaffinity(0, sizeof(all), &all) != 0 ? 5 : 0;
}

// ---- a lock, and where threads run --------------------------------------------------------------

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long counted;

static void *counter(void *arg)
{
    for (unsigned i = 0; i < 30000; i++) {
        pthread_mutex_lock(&lock);
        counted++;
        pthread_mutex_unlock(&lock);
        if (i % 1000 == 0) {
            atomic_fetch_or(&seen_cpus, 1u << cpu_now());
            spin(20000);
        }
    }
    return arg;
}

static int mutex(void)
{
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        t[i] = thread(counter, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    if (counted != THREADS * 30000)
        return 1;
    unsigned used = (unsigned)__builtin_popcount(seen_cpus);
    return sysconf(_SC_NPROCESSORS_ONLN) > 1 && used < 2 ? 2 : 0;
}

// ---- protect: no store may land after mprotect returned -----------------------------------------

static volatile unsigned *shown;
static __thread sigjmp_buf back;
static atomic_uint faults, generation;
static atomic_bool wrong;

static void on_fault(int signal)
{
    atomic_fetch_add(&faults, 1);
    siglongjmp(back, signal);
}

static void catch_faults(void)
{
    struct sigaction a = {.sa_handler = on_fault};
    sigaction(SIGSEGV, &a, NULL);
}

static void *writer(void *arg)
{
    volatile unsigned n = 0;
    while (!stop) {
        if (sigsetjmp(back, 1))
            spin(200);
        while (!stop)
            *shown = ++n;
    }
    return arg;
}

static int protect(void)
{
    catch_faults();
    shown = map(NULL, 0);
    stop = false;
    pthread_t t = thread(writer, NULL);
    for (int i = 0; i < 150; i++) {
        unsigned before = *shown;
        for (int k = 0; k < 1000 && *shown == before; k++)
            spin(200); // it does run
        if (mprotect((void *)shown, PAGE, PROT_READ) != 0)
            return 1;
        unsigned then = *shown;
        spin(3000);
        if (*shown != then)
            return 2;
        if (mprotect((void *)shown, PAGE, PROT_READ | PROT_WRITE) != 0)
            return 3;
    }
    stop = true;
    pthread_join(t, NULL);
    return faults == 0 ? 4 : 0;
}

// ---- remap: a reader never sees a page that was replaced ----------------------------------------

static void *reader(void *arg)
{
    while (!stop) {
        if (sigsetjmp(back, 1))
            spin(200);
        while (!stop) {
            unsigned least = generation, value = *shown;
            if (value != 0 && value < least) // 0: the fresh page before its number is written
                wrong = true;
        }
    }
    return arg;
}

static int remap(void)
{
    catch_faults();
    shown = map(NULL, 0);
    stop = false;
    generation = 0;
    pthread_t t[2] = {thread(reader, NULL), thread(reader, NULL)};
    for (unsigned i = 1; i <= 300; i++) {
        if (i % 2 && munmap((void *)shown, PAGE) != 0)
            return 1;
        if (map((void *)shown, MAP_FIXED) != shown)
            return 2;
        *shown = i;
        generation = i;
        spin(500);
    }
    stop = true;
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
    return wrong;
}

// ---- fork: the child's copy stands still while the parent's thread writes on --------------------

static int copies(void)
{
    shown = map(NULL, 0);
    stop = false;
    pthread_t t = thread(writer, NULL);
    int bad = 0;
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            unsigned then = *shown;
            spin(30000);
            _exit(*shown != then);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status != 0)
            bad++;
    }
    stop = true;
    pthread_join(t, NULL);
    return bad;
}

// ---- signals to a thread that never makes a call ------------------------------------------------

static atomic_uint handled;

static void on_signal(int signal)
{
    (void)signal;
    atomic_fetch_add(&handled, 1);
}

static void *spinner(void *arg)
{
    while (!stop)
        ;
    return arg;
}

static int signals(void)
{
    struct sigaction a = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &a, NULL);
    stop = false;
    pthread_t t = thread(spinner, NULL);
    for (unsigned i = 0; i < 100; i++) {
        unsigned before = handled;
        pthread_kill(t, SIGUSR1);
        for (unsigned k = 0; handled == before; k++) {
            struct timespec ms = {0, 1000000};
            nanosleep(&ms, NULL);
            if (k == 20000)
                return 1;
        }
    }
    stop = true;
    pthread_join(t, NULL);
    return handled != 100;
}

// ---- the end of processes whose threads run -----------------------------------------------------

static int ends(void)
{
    for (int i = 0; i < 24; i++) {
        pid_t child = fork();
        if (child == 0) {
            stop = false;
            for (int k = 0; k < 3; k++)
                thread(spinner, NULL);
            spin(20000);
            if (i % 3 == 0)
                execl(self, self, "exit7", NULL);
            if (i % 3 == 1)
                exit(7);
            spinner(NULL);
        }
        struct timespec ms = {0, 3000000};
        nanosleep(&ms, NULL);
        if (i % 3 == 2)
            kill(child, SIGKILL);
        int status;
        if (waitpid(child, &status, 0) != child)
            return 1;
        if (i % 3 == 2 ? !WIFSIGNALED(status) : WEXITSTATUS(status) != 7)
            return 2;
    }
    return 0;
}

static int storm(void)
{
    for (int i = 0; i < 8; i++) {
        pid_t child = fork();
        if (child)
            continue;
        for (int k = 0; k < 12; k++) {
            pid_t grandchild = fork();
            if (grandchild == 0)
                _exit(k);
            int status;
            if (waitpid(grandchild, &status, 0) != grandchild || WEXITSTATUS(status) != k)
                _exit(1);
        }
        _exit(0);
    }
    int status, bad = 0;
    while (wait(&status) > 0)
        bad += status != 0;
    return bad;
}

// ---- robust mutexes: their holders die ----------------------------------------------------------

static pthread_mutex_t robust_lock;

static void *dies(void *arg)
{
    int e = pthread_mutex_lock(&robust_lock);
    if (e == EOWNERDEAD)
        pthread_mutex_consistent(&robust_lock);
    else if (e != 0)
        wrong = true;
    return arg; // with the lock
}

static int robust(void)
{
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust_lock, &a);
    wrong = false;
    for (int i = 0; i < 15; i++) {
        pthread_t t[THREADS];
        for (int k = 0; k < THREADS; k++)
            t[k] = thread(dies, NULL);
        for (int k = 0; k < THREADS; k++)
            pthread_join(t[k], NULL);
    }
    return wrong || pthread_mutex_lock(&robust_lock) != EOWNERDEAD;
}

// ---- floating point follows its thread ----------------------------------------------------------

static void *adds(void *arg)
{
    double x = (double)(long)arg, sum = 0;
    for (int i = 0; i < 300000; i++) {
        sum += x / (1 + i % 7);
        if (i % 10000 == 0)
            sched_yield();
    }
    double again = 0;
    for (int i = 0; i < 300000; i++)
        again += x / (1 + i % 7);
    if (sum != again)
        wrong = true;
    return arg;
}

static int floats(void)
{
    wrong = false;
    pthread_t t[8];
    for (long i = 0; i < 8; i++)
        t[i] = thread(adds, (void *)(i + 1));
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    return wrong;
}

// ---- a call that could go on for seconds lets others have the kernel ---------------------------

static void on_alarm(int signal)
{
    (void)signal;
}

static int lets(void)
{
    const size_t most = 0x7ffff000;
    struct sigaction a = {.sa_handler = on_alarm};
    struct itimerval soon = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    sigaction(SIGALRM, &a, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    ssize_t n = sendfile(null, zero, NULL, most);
    setitimer(ITIMER_REAL, &never, NULL);
    close(zero);
    close(null);
    return n <= 0 || (size_t)n == most; // the signal has ended it
}

// ---- a fork beside threads that come and go: the child's C library knows which stacks it has ----

static void *nothing(void *arg)
{
    return arg;
}

static void *comes_and_goes(void *arg)
{
    while (!stop) {
        pthread_t t[4];
        for (long i = 0; i < 4; i++)
            t[i] = thread(nothing, NULL);
        for (int i = 0; i < 4; i++)
            pthread_join(t[i], NULL);
    }
    return arg;
}

static int stacks(void)
{
    int bad = 0;
    stop = false;
    pthread_t a = thread(comes_and_goes, NULL), b = thread(comes_and_goes, NULL);
    for (int i = 0; i < 100 && !bad; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            pthread_join(thread(nothing, NULL), NULL);
            pthread_join(thread(nothing, NULL), NULL);
            _exit(0);
        }
        bad = waitpid(child, &status, 0) != child || status != 0;
    }
    stop = true;
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    return bad;
}

// ---- places: what one thread maps is nobody else's, while another maps and unmaps slowly
// ---------

enum {
    KEPT_PAGES = 16,
    LARGE_PAGES = 512
};

static void *keeps(void *arg)
{
    if (sigsetjmp(back, 1))
        wrong = true;
    for (unsigned n = 1; !stop && !wrong; n++) {
        size_t bytes = KEPT_PAGES * PAGE;
        char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        volatile unsigned *first = (void *)p, *last = (void *)(p + bytes - PAGE);
        if (*first || *last)
            wrong = true;
        *first = *last = n;
        spin(2000);
        if (*first != n || *last != n || munmap(p, bytes) != 0)
            wrong = true;
    }
    return arg;
}

static void touch_all(char *p)
{
    for (unsigned i = 0; i < LARGE_PAGES; i++)
        p[i * PAGE] = 1;
}

// A part of a mapping goes, then a library is loaded over what was set aside for it.
static bool map_slowly(int fd)
{
    size_t bytes = LARGE_PAGES * PAGE;
    char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch_all(p);
    if (munmap(p + PAGE, bytes - 2 * PAGE) != 0 || munmap(p, PAGE) != 0 ||
        munmap(p + bytes - PAGE, PAGE) != 0)
        return false;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED || p[0] != 7)
        return false;
    touch_all(p);
    char *at = mmap(p + PAGE, bytes - 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE);
    return at == p + PAGE && at[0] == 7 && p[0] == 1 && munmap(p, bytes) == 0;
}

static int places(void)
{
    catch_faults();
    stop = wrong = false;
    char page[PAGE];
    int fd = open("/tmp/cpus-places", O_CREAT | O_RDWR | O_TRUNC, 0600), bad = fd < 0;
    memset(page, 7, PAGE);
    for (unsigned i = 0; i < LARGE_PAGES; i++)
        bad |= write(fd, page, PAGE) != PAGE;
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        t[i] = thread(keeps, NULL);
    for (int i = 0; i < 12 && !bad && !wrong; i++)
        bad = !map_slowly(fd);
    stop = true;
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    close(fd);
    unlink("/tmp/cpus-places");
    return wrong ? 2 : bad;
}

static const struct {
    const char *name;
    int (*run)(void);
} parts[] = {
    {"affinity", affinity}, {"mutex", mutex},     {"protect", protect}, {"remap", remap},
    {"copies", copies},     {"signals", signals}, {"ends", ends},       {"storm", storm},
    {"robust", robust},     {"floats", floats},   {"lets", lets},       {"stacks", stacks},
    {"places", places},
};

int main(int argc, char **argv)
{
    int failed = 0;
    self = argv[0];
    if (argc > 1 && strcmp(argv[1], "exit7") == 0)
        return 7;
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (argc > 1 && strcmp(argv[1], parts[i].name) != 0)
            continue;
        int e = parts[i].run();
        if (e)
            printf("FAILED %s %d\n", parts[i].name, e);
        else
            printf("ok %s\n", parts[i].name);
        fflush(stdout);
        failed += e != 0;
    }
    return failed;
}
