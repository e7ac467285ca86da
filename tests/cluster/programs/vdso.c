// SPDX-License-Identifier: MIT
// The vDSO: found as the C libraries find it, its clocks beside the kernel's, system calls by the
// CPU's fast entry with all that can happen to them. `vdso` on one node; `vdso NODE...` moves there
// one after the other, a process that reads the clock all the while with it.
#define _GNU_SOURCE
#pragma GCC target("no-sse2") // the Pentium III has none
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define FILE_NAME "/tmp/vdso.data"

static unsigned bad;

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            printf("line %d: %s\n", __LINE__, #what);                                              \
            bad++;                                                                                 \
        }                                                                                          \
    } while (0)

// ---- finding it ---------------------------------------------------------------------------------

static const char *image;
static uint32_t linked_at;

static const void *dynamic(uint32_t tag)
{
    const Elf32_Ehdr *e = (const void *)image;
    const Elf32_Phdr *p = (const void *)(image + e->e_phoff);
    const Elf32_Dyn *d = NULL;
    for (unsigned i = 0; i < e->e_phnum; i++) {
        if (p[i].p_type == PT_LOAD)
            linked_at = p[i].p_vaddr;
        if (p[i].p_type == PT_DYNAMIC)
            d = (const void *)(image + p[i].p_offset);
    }
    for (; d && d->d_tag != DT_NULL; d++)
        if ((uint32_t)d->d_tag == tag)
            return image + (d->d_un.d_ptr - linked_at);
    return NULL;
}

static bool version_is(unsigned index, const char *version)
{
    const char *strings = dynamic(DT_STRTAB), *v = dynamic(DT_VERDEF);
    for (;;) {
        const Elf32_Verdef *d = (const void *)v;
        const Elf32_Verdaux *a = (const void *)(v + d->vd_aux);
        if ((d->vd_ndx & 0x7fff) == index && !(d->vd_flags & VER_FLG_BASE))
            return strcmp(strings + a->vda_name, version) == 0;
        if (d->vd_next == 0)
            return false;
        v += d->vd_next;
    }
}

static void *find(const char *name, const char *version)
{
    const uint32_t *hash = dynamic(DT_HASH);
    const Elf32_Sym *s = dynamic(DT_SYMTAB);
    const char *strings = dynamic(DT_STRTAB);
    const uint16_t *versions = dynamic(DT_VERSYM);
    for (unsigned i = 0; i < hash[1]; i++)
        if (strcmp(strings + s[i].st_name, name) == 0 && s[i].st_shndx != SHN_UNDEF &&
            version_is(versions[i] & 0x7fff, version))
            return (void *)(image + (s[i].st_value - linked_at));
    printf("no %s %s\n", name, version);
    exit(1);
}

struct wide {
    int64_t s, ns;
};

static int (*clock_short)(unsigned, int32_t[2]);
static int (*clock_wide)(unsigned, struct wide *);
static int (*day_time)(int32_t[2], int32_t[2]);
static int32_t (*seconds)(int32_t *);
static const char *vsyscall, *plain_return, *rt_return;

static void find_all(void)
{
    image = (const char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(memcmp(image, ELFMAG, SELFMAG) == 0);
    clock_short = find("__vdso_clock_gettime", "LINUX_2.6");
    clock_wide = find("__vdso_clock_gettime64", "LINUX_2.6");
    day_time = find("__vdso_gettimeofday", "LINUX_2.6");
    seconds = find("__vdso_time", "LINUX_2.6");
    vsyscall = find("__kernel_vsyscall", "LINUX_2.5");
    plain_return = find("__kernel_sigreturn", "LINUX_2.5");
    rt_return = find("__kernel_rt_sigreturn", "LINUX_2.5");
    CHECK((const char *)getauxval(AT_SYSINFO) == vsyscall);
    char name[100], line[200];
    bool code = false, data = false;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof(line), f)) {
        uintptr_t from = 0;
        if (sscanf(line, "%x-%*x %*s %*s %*s %*s %99s", &from, name) != 2)
            continue;
        code |= from == (uintptr_t)image && !strcmp(name, "[vdso]");
        data |= !strcmp(name, "[vvar]");
    }
    CHECK(code && data);
    fclose(f);
}

// ---- calls --------------------------------------------------------------------------------------

// long fast_call(const struct frame *): through __kernel_vsyscall, as a library does; what the
// registers held afterwards is in fast_kept.
struct frame {
    const void *entry;
    long number, argument[6];
};

long fast_call(const struct frame *f);
extern long fast_kept[5];
long fast_kept[5];

__asm__("fast_call:\n"
        "push %ebp\n push %ebx\n push %esi\n push %edi\n"
        "mov 20(%esp), %eax\n"
        "push (%eax)\n"
        "mov 8(%eax), %ebx\n mov 12(%eax), %ecx\n mov 16(%eax), %edx\n"
        "mov 20(%eax), %esi\n mov 24(%eax), %edi\n mov 28(%eax), %ebp\n"
        "mov 4(%eax), %eax\n"
        "call *(%esp)\n"
        "mov %ecx, fast_kept\n mov %edx, fast_kept + 4\n mov %esi, fast_kept + 8\n"
        "mov %edi, fast_kept + 12\n mov %ebp, fast_kept + 16\n"
        "add $4, %esp\n pop %edi\n pop %esi\n pop %ebx\n pop %ebp\n ret\n");

// The vDSO's SYSENTER itself, as a process meets it that was about to run it when it moved to a CPU
// that has none.
extern const char *sysenter_at;
const char *sysenter_at;
extern const char straight[];

__asm__("straight: push %ecx\n push %edx\n push %ebp\n mov %esp, %ebp\n jmp *sysenter_at\n");

static long fast(long number, long a, long b, long c, long d, long e, long f)
{
    const struct frame frame = {vsyscall, number, {a, b, c, d, e, f}};
    long result = fast_call(&frame);
    CHECK(memcmp(frame.argument + 1, fast_kept, sizeof(fast_kept)) == 0);
    return result;
}

static long slow(long number, long a, long b)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b) : "memory");
    return result;
}

static void straight_call(void)
{
    const char *real = vsyscall;
    sysenter_at = memmem(vsyscall, 32, "\x0f\x34", 2);
    vsyscall = straight;
    CHECK(sysenter_at && fast(SYS_getpid, 0, 2, 3, 4, 5, 6) == slow(SYS_getpid, 0, 0));
    vsyscall = real;
}

static void plain_calls(void)
{
    CHECK(fast(SYS_getpid, 0, 2, 3, 4, 5, 6) == slow(SYS_getpid, 0, 0));
    CHECK(fast(SYS_close, -1, 1, 2, 3, 4, 5) == -EBADF);
    CHECK(fast(9999, 0, 0, 0, 0, 0, 0) == -ENOSYS);
    int f = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(pwrite(f, "second", 6, 4096) == 6); // the 6th argument says which page
    long at = fast(SYS_mmap2, 0, 4096, PROT_READ, MAP_PRIVATE, f, 1);
    CHECK(strcmp((const char *)at, "second") == 0);
    CHECK(munmap((void *)at, 4096) == 0 && close(f) == 0 && unlink(FILE_NAME) == 0);
    int status;
    pid_t child = (pid_t)fast(SYS_fork, 0, 0, 0, 0, 0, 0);
    if (child == 0)
        _exit(fast(SYS_getppid, 0, 0, 0, 0, 0, 0) == getppid() ? 7 : 8);
    CHECK(waitpid(child, &status, 0) == child && status == 7 << 8);
}

// ---- clocks -------------------------------------------------------------------------------------

static int64_t kernel_ns(unsigned clock)
{
    struct wide t;
    CHECK(slow(403, clock, (long)&t) == 0);
    return t.s * 1000000000 + t.ns;
}

static int64_t vdso_ns(unsigned clock)
{
    struct wide t;
    CHECK(clock_wide(clock, &t) == 0 && t.ns >= 0 && t.ns < 1000000000);
    return t.s * 1000000000 + t.ns;
}

static void clocks_agree(unsigned rounds)
{
    static const unsigned clocks[] = {CLOCK_MONOTONIC,      CLOCK_REALTIME,         CLOCK_BOOTTIME,
                                      CLOCK_MONOTONIC_RAW,  CLOCK_MONOTONIC_COARSE, CLOCK_TAI,
                                      CLOCK_REALTIME_COARSE};
    for (unsigned i = 0; i < rounds; i++) {
        unsigned c = clocks[i % (sizeof(clocks) / sizeof(clocks[0]))];
        int32_t t[2] = {-1, -1}, d[2] = {-1, -1};
        int64_t a = kernel_ns(c), b = vdso_ns(c);
        CHECK(clock_short(c, t) == 0);
        int64_t short_ns = t[0] * 1000000000ll + t[1], e = kernel_ns(c);
        CHECK(a <= b && b <= short_ns && short_ns <= e);
        a = kernel_ns(CLOCK_REALTIME);
        CHECK(day_time(d, NULL) == 0 && d[1] >= 0 && d[1] < 1000000);
        int64_t s = seconds(t);
        CHECK(s == t[0]);
        e = kernel_ns(CLOCK_REALTIME);
        CHECK(a / 1000 <= d[0] * 1000000ll + d[1] && d[0] * 1000000ll + d[1] <= e / 1000);
        CHECK(d[0] <= s && s <= e / 1000000000);
    }
}

static void odd_clocks(void)
{
    struct wide t;
    int32_t u[2], zone[2] = {1, 1};
    CHECK(clock_wide(77, &t) == -EINVAL && clock_short(77, u) == -EINVAL);
    CHECK(clock_wide(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    CHECK(clock_short(CLOCK_THREAD_CPUTIME_ID, u) == 0);
    CHECK(day_time(NULL, zone) == 0 && zone[0] == 0 && zone[1] == 0);
    CHECK(seconds(NULL) > 1000000000);
}

// ---- signals ------------------------------------------------------------------------------------

static volatile unsigned came;
static volatile uintptr_t came_at;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)info;
    came++;
    came_at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_EIP];
}

static bool in_vdso(uintptr_t at)
{
    return at - (uintptr_t)image < 4096;
}

// Somebody interrupts a read by the fast entry, then gives it its byte.
static void interrupted(int flags)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};
    sigaction(SIGUSR1, &a, NULL);
    int p[2], status;
    char c = 0;
    CHECK(pipe(p) == 0);
    came = 0;
    came_at = 0;
    pid_t me = getpid(), child = fork();
    if (child == 0) {
        usleep(100000);
        kill(me, SIGUSR1);
        usleep(100000);
        _exit(write(p[1], "x", 1) != 1);
    }
    long n = fast(SYS_read, p[0], (long)&c, 1, 4, 5, 6);
    if (came == 1 && in_vdso(came_at)) // else this machine was too slow to be in it
        CHECK(flags & SA_RESTART ? n == 1 && c == 'x' : n == -EINTR);
    CHECK(waitpid(child, &status, 0) == child && status == 0 && came == 1);
    close(p[0]);
    close(p[1]);
}

static void on_plain(int sig)
{
    came += (unsigned)sig;
}

// Handlers that name no code to return to: they return by the vDSO's.
static void no_restorer(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint32_t mask[2];
    } a = {.handler = on_plain};
    came = 0;
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, &a, NULL, 8) == 0);
    raise(SIGUSR2);
    CHECK(came == SIGUSR2);
    came = 0;
    a.handler = on_signal;
    a.flags = SA_SIGINFO;
    CHECK(syscall(SYS_rt_sigaction, SIGUSR2, &a, NULL, 8) == 0);
    raise(SIGUSR2);
    CHECK(came == 1);
    CHECK(memcmp(plain_return, "\x58\xb8\x77\0\0\0\xcd\x80", 8) == 0);
    CHECK(memcmp(rt_return, "\xb8\xad\0\0\0\xcd\x80", 7) == 0);
}

// ---- step by step -------------------------------------------------------------------------------

static volatile unsigned steps, steps_there;
static uint8_t seen[4096]; // offsets in the vDSO

static void on_step(int sig, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)sig;
    (void)info;
    steps++;
    if (in_vdso((uintptr_t)r[REG_EIP])) {
        seen[(uintptr_t)r[REG_EIP] - (uintptr_t)image] = 1;
        steps_there++;
    }
    r[REG_EFL] |= 0x100;
    if (came) // enough
        r[REG_EFL] &= ~0x100;
}

static void stepped(void (*what)(void))
{
    struct sigaction a = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &a, NULL);
    memset(seen, 0, sizeof(seen));
    steps = steps_there = came = 0;
    __asm__ volatile("pushf; orl $0x100, (%%esp); popf" : : : "memory", "cc");
    what();
    came = 1;
    __asm__ volatile("nop; nop");
}

static bool saw(const void *at)
{
    return seen[(const char *)at - image];
}

static long step_result;

static void step_call(void)
{
    step_result = fast(SYS_getppid, 1, 2, 3, 4, 5, 6);
}

static void step_library_call(void)
{
    step_result = getppid();
}

static void step_library_clock(void)
{
    struct timespec t;
    step_result = clock_gettime(CLOCK_MONOTONIC, &t);
}

static void steps_over_calls(void)
{
    long parent = slow(SYS_getppid, 0, 0);
    stepped(step_call);
    CHECK(step_result == parent && saw(vsyscall) && steps_there >= 7);
    // The C library's own calls go this way, and its clock makes none.
    stepped(step_library_call);
    CHECK(step_result == parent && saw(vsyscall));
    stepped(step_library_clock);
    CHECK(step_result == 0 && !saw(vsyscall));
    CHECK(saw((void *)clock_wide) || saw((void *)clock_short));
}

// ---- bad neighbours -----------------------------------------------------------------------------

static char *hidden;
static char other_stack[65536];

static void on_hidden(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    (void)context;
    came++;
    if ((char *)info->si_addr != hidden + 1024 || mprotect(hidden, 4096, PROT_READ | PROT_WRITE))
        _exit(9);
}

static bool has_sysenter(void)
{
    uint32_t a = 1, b, c, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
    return d >> 11 & 1;
}

// long sysenter_hidden(page): getpid with a stack in the page, which is made unreadable before.
long sysenter_hidden(char *page);
extern long hidden_saved;
long hidden_saved;

__asm__("sysenter_hidden:\n"
        "push %ebp\n push %ebx\n"
        "mov 12(%esp), %ebx\n"
        "mov %esp, hidden_saved\n"
        "lea 1024(%ebx), %esp\n"
        "movl $1f, 12(%esp)\n" // where it returns to; ebp, edx and ecx lie before
        "mov %esp, %ebp\n"
        "mov $125, %eax\n mov $4096, %ecx\n mov $0, %edx\n int $0x80\n" // mprotect
        "mov $20, %eax\n sysenter\n"
        "1: mov hidden_saved, %esp\n pop %ebx\n pop %ebp\n ret\n");

// The kernel cannot read the stack: the program faults on it as on any memory, then the call is
// made.
static void stack_out_of_reach(void)
{
    stack_t s = {.ss_sp = other_stack, .ss_size = sizeof(other_stack)};
    struct sigaction a = {.sa_sigaction = on_hidden, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaltstack(&s, NULL);
    sigaction(SIGSEGV, &a, NULL);
    hidden = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    came = 0;
    long result = sysenter_hidden(hidden);
    CHECK(result == getpid() && came == 1);
    signal(SIGSEGV, SIG_DFL);
}

static void pages_are_the_kernels(void)
{
    char *page = (char *)image;
    CHECK(mprotect(page, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    CHECK(mprotect(page - 4096, 4096, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
    for (int i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            *(volatile char *)(page - 4096 * i + 100) = 1;
            _exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
              WTERMSIG(status) == SIGSEGV);
        CHECK(read(open("/dev/zero", O_RDONLY), page - 4096 * i + 100, 1) == -1);
    }
}

// ---- moves --------------------------------------------------------------------------------------

static int move(pid_t pid, const char *node)
{
    char path[40];
    sprintf(path, "/proc/%d/node", pid);
    int f = open(path, O_WRONLY), n = (int)write(f, node, strlen(node));
    close(f);
    return n > 0 ? 0 : -1;
}

static volatile bool enough;

static void on_end(int sig)
{
    (void)sig;
    enough = true;
}

// Reads this way and that; time must not go back. Then waits in a call until it is moved.
static int reader(void)
{
    int64_t before = 0;
    unsigned back = 0;
    while (!enough) {
        for (unsigned i = 0; i < 100; i++) {
            int64_t now = i % 10 == 9 ? kernel_ns(CLOCK_MONOTONIC) : vdso_ns(CLOCK_MONOTONIC);
            back += now < before;
            before = now;
        }
    }
    return back || bad ? 1 : 0;
}

static void moves(char **nodes)
{
    struct timespec t;
    signal(SIGTERM, on_end);
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(reader());
    for (; *nodes; nodes++) {
        int64_t before = vdso_ns(CLOCK_MONOTONIC), real = vdso_ns(CLOCK_REALTIME);
        CHECK(move(getpid(), *nodes) == 0);
        CHECK(vdso_ns(CLOCK_MONOTONIC) > before && vdso_ns(CLOCK_REALTIME) > real);
        clocks_agree(50);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
        CHECK(move(child, *nodes) == 0);
        plain_calls();
    }
    interrupted(SA_RESTART);
    steps_over_calls();
    pages_are_the_kernels();
    CHECK(kill(child, SIGTERM) == 0);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    find_all();
    plain_calls();
    straight_call();
    clocks_agree(700);
    odd_clocks();
    if (argc > 1) {
        moves(argv + 1);
    } else {
        interrupted(SA_RESTART);
        interrupted(0);
        no_restorer();
        steps_over_calls();
        if (has_sysenter())
            stack_out_of_reach();
        pages_are_the_kernels();
    }
    printf("%u bad\n", bad);
    return bad ? 1 : 0;
}
