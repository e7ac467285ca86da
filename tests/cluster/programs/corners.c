// SPDX-License-Identifier: MIT
// Corners of the interface, each of its own kind: unshare, names under /proc, facts of memory, what
// cannot be run, timers on CPU clocks, a stack in a segment of its own, single steps.
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include <asm/ldt.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// ---- unshare -----------------------------------------------------------------------------------
static void *waits_for_end(void *p)
{
    char c;
    read(*(int *)p, &c, 1);
    return NULL;
}

static int pair(unsigned flags, int (*child)(void *))
{
    static char stack[65536];
    int status = -1;
    fflush(stdout);
    waitpid(clone(child, stack + sizeof(stack), flags | SIGCHLD, NULL), &status, 0);
    return status;
}

static int parts_from_directory(void *p)
{
    (void)p;
    umask(022);
    T(unshare(CLONE_FS));
    T(chdir("/proc"));
    umask(077);
    fflush(stdout);
    return 0;
}

static int parts_from_files(void *p)
{
    (void)p;
    T(unshare(CLONE_FILES));
    T(close(20));
    T(dup2(1, 21));
    fflush(stdout);
    return 0;
}

static int keeps(void *p)
{
    (void)p;
    T(unshare(0));
    T(chdir("/dev"));
    T(dup2(1, 22));
    T(unshare(CLONE_SIGHAND));
    fflush(stdout);
    return 0;
}

static void parted(void)
{
    char at[100];
    umask(0);
    chdir("/");
    dup2(1, 20);
    T(pair(CLONE_FS, parts_from_directory));
    printf("%s %o\n", getcwd(at, sizeof(at)), umask(0));
    T(pair(CLONE_FILES, parts_from_files));
    T(fcntl(20, F_GETFD));
    T(fcntl(21, F_GETFD));
    T(pair(CLONE_FS | CLONE_FILES | CLONE_VM | CLONE_SIGHAND, keeps));
    printf("%s\n", getcwd(at, sizeof(at)));
    T(fcntl(22, F_GETFD));
    T(unshare(CLONE_FS | CLONE_FILES));
    T(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
    T(unshare(CLONE_VFORK));
    T(unshare(CLONE_SETTLS));
}

static void semaphore_undone(void)
{
    struct sembuf up = {0, 3, SEM_UNDO};
    int id = semget(IPC_PRIVATE, 1, 0600);
    T(unshare(CLONE_SYSVSEM));
    T(semop(id, &up, 1));
    T(semctl(id, 0, GETVAL));
    T(unshare(CLONE_SYSVSEM));
    T(semctl(id, 0, GETVAL));
    T(semop(id, &up, 1));
    fflush(stdout);
    if (fork() == 0) {
        semop(id, &up, 1);
        printf("%d\n", semctl(id, 0, GETVAL));
        exit(0);
    }
    wait(NULL);
    T(semctl(id, 0, GETVAL));
    T(semctl(id, 0, IPC_RMID));
}

static void with_threads(void)
{
    int p[2];
    pthread_t t;
    pipe(p);
    pthread_create(&t, NULL, waits_for_end, p);
    T(unshare(CLONE_THREAD));
    T(unshare(CLONE_SIGHAND));
    T(unshare(CLONE_VM));
    close(p[1]);
    pthread_join(t, NULL);
}

// ---- names under /proc -------------------------------------------------------------------------
static void *names_itself(void *p)
{
    char text[64], should[64];
    ssize_t n = readlink("/proc/thread-self", text, sizeof(text) - 1);
    (void)p;
    text[n < 0 ? 0 : n] = 0;
    sprintf(should, "%d/task/%d", getpid(), (int)syscall(SYS_gettid));
    printf("thread-self %s\n", strcmp(text, should) ? text : "is right");
    T(access("/proc/thread-self/comm", R_OK));
    T(access("/proc/thread-self/nothing", R_OK));
    return NULL;
}

static void numbers(void)
{
    struct stat st;
    pthread_t t;
    EACH(lstat(name, &st), "/proc/self/fd/1", "/proc/self/fd/01", "/proc/self/fd/1 ",
         "/proc/self/fd/+1", "/proc/self/fd/0x1", "/proc/self/fd/4294967297", "/proc/01",
         "/proc/self/fd/-1", "/proc/self/fd/", "/proc/self/task/0", "/proc/thread-self/task",
         "/proc/thread-self/fd/1", "/proc/thread-self/../../task", "/proc/thread-self/../task");
    names_itself(NULL);
    pthread_create(&t, NULL, names_itself, NULL);
    pthread_join(t, NULL);
}

// ---- facts of memory ----------------------------------------------------------------------------
static long figure(const char *path, const char *before)
{
    char line[200];
    long value = -1;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, before, strlen(before)))
            value = atol(line + strlen(before));
    }
    if (f)
        fclose(f);
    return value;
}

static void locked(void)
{
    char *m = mmap(NULL, 8 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(figure("/proc/self/status", "VmLck:"));
    T(mlock(m, 3 * 4096));
    T(mlock(m + 5 * 4096, 1));
    T(figure("/proc/self/status", "VmLck:"));
    T(munlock(m + 4096, 4096));
    T(figure("/proc/self/status", "VmLck:"));
    T(figure("/proc/sys/vm/mmap_min_addr", "") >= 4096);
    T(figure("/proc/sys/vm/max_map_count", "") >= 65530);
}

static volatile int handled;

static void counts(int s)
{
    handled += s;
}

// What the kernel says that a handler needs is enough for one.
static void small_stack(void)
{
    size_t needs = getauxval(AT_MINSIGSTKSZ), bytes = needs < 2048 ? 2048 : needs;
    struct sigaction a = {.sa_handler = counts, .sa_flags = SA_ONSTACK};
    stack_t s = {.ss_sp = malloc(bytes + 256), .ss_size = bytes + 256};
    T(needs > 1000 && needs < 65536);
    T(sigaltstack(&s, NULL));
    T(sigaction(SIGUSR1, &a, NULL));
    T(raise(SIGUSR1));
    a.sa_flags |= SA_SIGINFO;
    T(sigaction(SIGUSR1, &a, NULL));
    T(raise(SIGUSR1));
    printf("%d\n", handled);
}

// ---- what cannot be run, what is too long -------------------------------------------------------
static void refused(void)
{
    char name[] = "/tmp/corners.fifo", *args[] = {name, NULL};
    unsigned char in;
    char *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(mkfifo(name, 0755));
    T(execv(name, args));
    T(unlink(name));
    T(mknod(name, S_IFBLK | 0755, makedev(7, 200)));
    T(execv(name, args));
    T(unlink(name));
    T(mknod(name, S_IFSOCK | 0755, 0));
    T(execv(name, args));
    T(unlink(name));
    T(mincore(m, -1, &in));
    T(mincore(m, 0, &in));
}

// ---- names that are not there, files without ----------------------------------------------------
static void nameless(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_EXCL, 0600), memory = memfd_create("corners", 0);
    T((fcntl(fd, F_GETFL) & (O_TMPFILE | O_ACCMODE | O_EXCL)) == (O_TMPFILE | O_RDWR));
    T(fcntl(memory, F_GETFL) & (O_TMPFILE | O_ACCMODE));
    T(link("/proc/self/nothing", "/tmp/corners.link"));
    T(link("/proc/self/comm", "/tmp/corners.link"));
    T(link("/tmp/corners.nothing", "/tmp/corners.link"));
}

// ---- timers on CPU clocks ----------------------------------------------------------------------
static void cpu_timer(clockid_t clock)
{
    struct itimerspec in = {.it_value = {0, 20000000}};
    struct timespec began, now;
    timer_t id;
    handled = 0;
    signal(SIGALRM, counts);
    T(timer_create(clock, NULL, &id));
    T(timer_settime(id, 0, &in, NULL));
    clock_gettime(CLOCK_MONOTONIC, &began);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while (!handled && now.tv_sec < began.tv_sec + 20);
    printf("%d\n", handled);
    T(timer_delete(id));
}

static void cpu_timers(void)
{
    clockid_t clock;
    cpu_timer(CLOCK_PROCESS_CPUTIME_ID);
    cpu_timer(CLOCK_THREAD_CPUTIME_ID);
    pthread_getcpuclockid(pthread_self(), &clock);
    cpu_timer(clock);
    clock_getcpuclockid(getpid(), &clock);
    cpu_timer(clock);
    T(syscall(SYS_timer_create, -1, NULL, &clock));
    T(syscall(SYS_timer_create, ~99999u << 3 | 6, NULL, &clock));
}

// ---- a stack in a segment of its own ------------------------------------------------------------
static unsigned stack_segment(struct user_desc *d)
{
    *d = (struct user_desc){
        .entry_number = -1, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
    T(syscall(SYS_set_thread_area, d));
    return d->entry_number << 3 | 3;
}

static long call_on(unsigned selector, long number, void *argument)
{
    unsigned was;
    long result;
    __asm__ volatile("mov %%ss, %1; mov %w3, %%ss; int $0x80; mov %1, %%ss"
                     : "=a"(result), "=&r"(was)
                     : "0"(number), "r"(selector), "b"(argument)
                     : "memory");
    return result;
}

static void stack_kept(void)
{
    struct user_desc d;
    unsigned selector = stack_segment(&d);
    T(call_on(selector, SYS_getpid, NULL) == getpid());
}

static void stack_gone(void)
{
    struct user_desc d;
    unsigned selector = stack_segment(&d);
    d = (struct user_desc){
        .entry_number = selector >> 3, .read_exec_only = 1, .seg_not_present = 1};
    T(call_on(selector, SYS_set_thread_area, &d));
}

static void stack_unwritable(void)
{
    struct user_desc d;
    unsigned selector = stack_segment(&d);
    d.read_exec_only = 1;
    T(call_on(selector, SYS_set_thread_area, &d));
}

// What the other segment registers had in it is null afterwards.
static void segments_gone(void)
{
    struct user_desc d, none = {.read_exec_only = 1, .seg_not_present = 1};
    unsigned selector = stack_segment(&d), found, was;
    long result;
    none.entry_number = d.entry_number;
    __asm__ volatile("mov %w3, %%fs; int $0x80; mov %%fs, %1"
                     : "=a"(result), "=&r"(found)
                     : "0"(SYS_set_thread_area), "r"(selector), "b"(&none)
                     : "memory");
    printf("fs %lx %x\n", result, found);
    T(syscall(SYS_set_thread_area, &d));
    __asm__ volatile("mov %%es, %2; mov %w4, %%es; int $0x80; mov %%es, %1; mov %2, %%es"
                     : "=a"(result), "=&r"(found), "=&r"(was)
                     : "0"(SYS_set_thread_area), "r"(selector), "b"(&none)
                     : "memory");
    printf("es %lx %x\n", result, found);
}

// ---- single steps ------------------------------------------------------------------------------
static volatile int steps, stepping_inside;

static void on_step(int s, siginfo_t *i, void *c)
{
    unsigned flags;
    (void)s, (void)i, (void)c;
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    stepping_inside |= flags & 0x100;
    steps++;
}

#define STEP(more, code)                                                                           \
    "pushf; orl $" #more ", (%%esp); popf; " code "; pushf; andl $0xffffbeff, (%%esp); popf"

static void stepped(void)
{
    struct sigaction a = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    long pid;
    sigaction(SIGTRAP, &a, NULL);
    __asm__ volatile(STEP(0x100, "nop; nop; nop") : : : "cc", "memory");
    printf("nops: %d steps, %d\n", steps, stepping_inside);
    __asm__ volatile(STEP(0x100, "int $0x80") : "=a"(pid) : "0"(SYS_getpid) : "cc", "memory");
    printf("call: %d steps, %d\n", steps, pid == getpid());
    __asm__ volatile(STEP(0x4100, "nop") : : : "cc", "memory");
    printf("NT: %d steps\n", steps);
}

static void on_fault(int s, siginfo_t *i, void *c)
{
    printf("signal %d code %d\n", s, i->si_code);
    (void)c;
    _exit(3);
}

static void stack_gone_told(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
    stack_gone();
}

// ---- calls of old
// --------------------------------------------------------------------------------
#define SGETMASK 68
#define SSETMASK 69
#define SYSFS    135

static void old_masks(void)
{
    sigset_t set, was;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    T(syscall(SGETMASK));
    T(syscall(SSETMASK, -1));
    T(syscall(SGETMASK));
    sigprocmask(SIG_BLOCK, NULL, &was);
    T(sigismember(&was, SIGKILL));
    T(syscall(SSETMASK, 0));
}

static void old_types(void)
{
    char name[64];
    T(syscall(SYSFS, 3) > 3);
    T(syscall(SYSFS, 2, 1, name));
    T(syscall(SYSFS, 1, name));
    T(syscall(SYSFS, 1, "proc") > 0);
    T(syscall(SYSFS, 1, "nothere"));
    T(syscall(SYSFS, 1, 0));
    T(syscall(SYSFS, 2, 1000, name));
    T(syscall(SYSFS, 2, 0, 0));
    T(syscall(SYSFS, 4));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    in_child(parted);
    in_child(semaphore_undone);
    in_child(with_threads);
    in_child(numbers);
    in_child(locked);
    in_child(small_stack);
    in_child(refused);
    in_child(nameless);
    in_child(cpu_timers);
    in_child(stack_kept);
    in_child(stack_gone);
    in_child(stack_unwritable);
    in_child(stack_gone_told);
    in_child(segments_gone);
    in_child(stepped);
    in_child(old_masks);
    in_child(old_types);
    return 0;
}
