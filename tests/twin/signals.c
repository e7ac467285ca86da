// SPDX-License-Identifier: MIT
// Signals of one process: actions, masks, queues, stacks, faults, and children that die of them.
// A signal whose default is to end the program always has a handler here or is ignored.
#include "signals.h"

static int is_harmless(int sig)
{
    for (unsigned i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        if (harmless[i] == sig)
            return 1;
    return 0;
}

static uint64_t some_mask(void)
{
    switch (draw(5)) {
    case 0:
        return 0;
    case 1:
        return ~(uint64_t)0;
    case 2:
        return (uint64_t)1 << (PICK(usual) - 1);
    default:
        // 32 and 33 are the C library's, and faults have a step of their own
        return ((uint64_t)draw_bits(0xfffffff) << 36 | draw_bits(0x3fffffff));
    }
}

static int some_signal(void)
{
    return draw(8) ? PICK(usual) : PICK(any);
}

static void said_action(const struct action *a)
{
    printf("%u:   was %s flags %lx mask %llx\n", twin_step,
           a->handler == SIG_DFL            ? "default"
           : a->handler == SIG_IGN          ? "ignored"
           : a->handler == (void *)plain    ? "plain"
           : a->handler == (void *)informed ? "informed"
                                            : "?",
           a->flags, (unsigned long long)a->mask);
}

static void set_action(void)
{
    int sig = PICK(usual);
    struct action a = {.handler = PICK(handlers), .mask = some_mask()}, was = {0};
    a.flags = draw_bits(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_ONSTACK | SA_RESTART | SA_NODEFER | 0xfff);
    // 0x02000000 tells the kernel nothing there; SA_RESTORER needs a restorer
    a.flags &= ~(unsigned long)(SA_RESETHAND | SA_SIGINFO);
    if (a.handler == (void *)informed)
        a.flags |= SA_SIGINFO;
    if (!draw(6) && !(a.flags & SA_NODEFER))
        a.flags |= SA_RESETHAND;
    if (is_harmless(sig) && !draw(4))
        a.handler = SIG_DFL;
    memset(&was, 0xee, sizeof(was));
    said(syscall(SYS_rt_sigaction, sig, &a, &was, 8), "rt_sigaction(%d, flags %lx)", sig, a.flags);
    said_action(&was);
}

static void set_action_wrong(void)
{
    static const int wrong[] = {0, -1, 65, 9, 19, 1000, 0x7fffffff};
    static const int sizes[] = {8, 4, 16, 0, -1};
    struct action a = {.handler = SIG_IGN}, was = {0};
    int sig = PICK(wrong), size = PICK(sizes), bad = (int)draw(4);
    said(syscall(SYS_rt_sigaction, sig, bad == 1 ? NULL : &a, &was, size),
         "rt_sigaction(%d, %s, size %d)", sig, bad == 1 ? "NULL" : "a", size);
    said(syscall(SYS_rt_sigaction, 23, bad == 2 ? (void *)8 : NULL, bad == 3 ? (void *)8 : &was,
                 size),
         "rt_sigaction(23, bad %d, size %d)", bad, size);
    said(syscall(SYS_signal, sig, SIG_IGN), "signal(%d)", sig);
}

static void change_mask(void)
{
    static const int hows[] = {0, 1, 2, 2, 1, 1, 3, -1};
    static const int sizes[] = {8, 8, 8, 8, 8, 4, 16, 0};
    uint64_t mask = some_mask(), was = 0;
    int how = PICK(hows), size = PICK(sizes), bad = (int)draw(12);
    said(syscall(SYS_rt_sigprocmask, how,
                 bad == 1   ? (void *)8
                 : bad == 2 ? NULL
                            : &mask,
                 bad == 3 ? (void *)8 : &was, size),
         "rt_sigprocmask(%d, %llx, size %d, bad %d)", how, (unsigned long long)mask, size, bad);
    report();
    printf("%u:   was %llx is %llx\n", twin_step, (unsigned long long)was,
           (unsigned long long)blocked());
}

static void old_calls(void)
{
    struct {
        void *handler;
        unsigned long mask, flags;
        void *restorer;
    } a = {SIG_IGN, draw_bits(0xffff), draw_bits(SA_NODEFER | SA_RESTART | SA_ONSTACK), NULL},
      was = {0};
    static const int hows[] = {0, 1, 2, 3};
    unsigned long set = (unsigned long)some_mask(), old = 0;
    int sig = some_signal(), how = PICK(hows);
    switch (draw(6)) {
    case 0:
        said(syscall(SYS_sigaction, sig, &a, &was), "sigaction(%d)", sig);
        printf("%u:   was %s flags %lx mask %lx\n", twin_step,
               was.handler == SIG_IGN ? "ignored"
               : was.handler          ? "handler"
                                      : "none",
               was.flags, was.mask);
        break;
    case 1:
        said(syscall(SYS_sigprocmask, how, draw(5) ? &set : NULL, &old), "sigprocmask(%d, %lx)",
             how, set);
        printf("%u:   was %lx\n", twin_step, old);
        break;
    case 2:
        set &= 0x7fffffff; // a 64-bit kernel extends the sign
        said(syscall(SYS_ssetmask, set), "ssetmask(%lx)", set);
        break;
    case 3:
        said(syscall(SYS_sgetmask), "sgetmask");
        break;
    case 4:
        said(syscall(SYS_sigpending, &old), "sigpending");
        printf("%u:   %lx\n", twin_step, old);
        break;
    case 5: {
        long r = syscall(SYS_signal, sig, SIG_IGN);
        said(r == -1 ? r : r > 1 ? 2 : r, "signal(%d)", sig);
        break;
    }
    }
}

static void send_one(int sig)
{
    static const int codes[] = {SI_QUEUE, SI_TKILL, SI_MESGQ, SI_ASYNCIO, SI_QUEUE, 0, -60};
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_signo = draw(3) ? sig : 5;
    info.si_code = PICK(codes);
    info.si_errno = (int)draw(3);
    info.si_pid = getpid();
    info.si_uid = draw(1000);
    if (info.si_code) // a 64-bit kernel takes no value with 0
        info.si_value.sival_int = (int)draw(1 << 30);
    int pid = getpid();
    switch (draw(8)) {
    case 0:
        said(kill(pid, sig), "kill(self, %d)", sig);
        break;
    case 1:
        said(syscall(SYS_tkill, pid, sig), "tkill(self, %d)", sig);
        break;
    case 2:
        said(syscall(SYS_tgkill, pid, pid, sig), "tgkill(self, %d)", sig);
        break;
    case 3:
    case 4:
        said(syscall(SYS_rt_sigqueueinfo, pid, sig, &info), "rt_sigqueueinfo(self, %d, %d)", sig,
             info.si_code);
        break;
    case 5:
        said(syscall(SYS_rt_tgsigqueueinfo, pid, pid, sig, &info),
             "rt_tgsigqueueinfo(self, %d, %d)", sig, info.si_code);
        break;
    case 6:
        said(kill(0, sig), "kill(group, %d)", sig);
        break;
    case 7:
        said(kill(-pid, sig), "kill(-self, %d)", sig);
        break;
    }
}

static void send_signal(void)
{
    if (!draw(4))
        plan = draw(2) ? CHANGES_MASK | (int)draw(256) : PICK(usual);
    send_one(PICK(usual));
}

static void send_wrong(void)
{
    static const int pids[] = {-1, 0, 0x3fffffff, -0x3fffffff, (int)0x80000000, 1};
    static const int signals[] = {0, 65, -1, 1000, 0};
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    int sig = PICK(signals), pid = draw(2) ? getpid() : PICK(pids), bad = (int)draw(5);
    info.si_code = SI_QUEUE;
    switch (draw(5)) {
    case 0:
        said(kill(pid, sig), "kill(%s, %d)", pid == getpid() ? "self" : "wrong", sig);
        break;
    case 1:
        said(syscall(SYS_tkill, pid, sig), "tkill(%s, %d)", pid == getpid() ? "self" : "wrong",
             sig);
        break;
    case 2:
        said(syscall(SYS_tgkill, bad ? getpid() : pid, pid, sig), "tgkill(%s, %d, %d)",
             pid == getpid() ? "self" : "wrong", sig, bad);
        break;
    case 3:
        said(syscall(SYS_rt_sigqueueinfo, pid, sig, bad ? &info : (void *)8),
             "rt_sigqueueinfo(%s, %d, %d)", pid == getpid() ? "self" : "wrong", sig, bad);
        break;
    case 4:
        said(
            syscall(SYS_rt_tgsigqueueinfo, bad ? getpid() : pid, pid, sig, bad ? &info : (void *)8),
            "rt_tgsigqueueinfo(%s, %d, %d)", pid == getpid() ? "self" : "wrong", sig, bad);
        break;
    }
}

static void see_pending(void)
{
    static const int sizes[] = {8, 8, 8, 4, 0, 9, 16};
    uint64_t set = 0;
    int size = PICK(sizes);
    said(syscall(SYS_rt_sigpending, draw(10) ? &set : (void *)8, size), "rt_sigpending(%d)", size);
    printf("%u:   %llx\n", twin_step, (unsigned long long)set);
}

static void take_pending(void)
{
    static const struct timespec times[] = {{0, 0},          {0, 0},  {0, 0}, {0, 1},
                                            {0, 1000000000}, {0, -1}, {-1, 0}};
    struct timespec t = PICK(times);
    uint64_t set = draw(2) ? ~(uint64_t)0 : some_mask();
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    int size = draw(12) ? 8 : (int)draw(17), bad = (int)draw(16);
    if (said(syscall(SYS_rt_sigtimedwait, bad == 1 ? (void *)8 : &set, bad == 2 ? NULL : &info,
                     bad == 3 ? (void *)8 : (void *)&t, size),
             "rt_sigtimedwait(%llx, {%d, %d}, size %d, bad %d)", (unsigned long long)set,
             (int)t.tv_sec, (int)t.tv_nsec, size, bad) > 0)
        printf("%u:   code %d errno %d %s uid %d value %x\n", twin_step, info.si_code,
               info.si_errno,
               info.si_pid == getpid() ? "self"
               : info.si_pid           ? "other"
                                       : "none",
               (int)info.si_uid, (unsigned)info.si_value.sival_int);
}

static void change_stack(void)
{
    static const unsigned sizes[] = {65536, 65536, 65536, 8192, 2048, 2047, 0};
    static const int flags[] = {0,
                                0,
                                0,
                                SS_DISABLE,
                                SS_ONSTACK,
                                (int)(1u << 31),
                                4,
                                3,
                                (int)(1u << 31) | SS_DISABLE,
                                (int)(1u << 31) | SS_ONSTACK};
    stack_t now = {.ss_sp = stack, .ss_size = PICK(sizes), .ss_flags = PICK(flags)}, was;
    memset(&was, 0, sizeof(was));
    int bad = (int)draw(12);
    said(syscall(SYS_sigaltstack,
                 bad == 1   ? (void *)8
                 : bad == 2 ? NULL
                            : &now,
                 bad == 3 ? (void *)8 : &was),
         "sigaltstack(%x, %x, bad %d)", (unsigned)now.ss_size, (unsigned)now.ss_flags, bad);
    printf("%u:   was %s size %x flags %x\n", twin_step,
           was.ss_sp == stack ? "stack"
           : was.ss_sp        ? "other"
                              : "NULL",
           (unsigned)was.ss_size, (unsigned)was.ss_flags);
    if (now.ss_size < 65536) { // the handlers need more
        now = (stack_t){.ss_sp = stack, .ss_size = 65536};
        sigaltstack(&now, NULL);
    }
}

static void open_signalfd(void)
{
    static const int flags[] = {O_NONBLOCK, O_NONBLOCK, 02000000 | O_NONBLOCK, 1, -1};
    static const int sizes[] = {8, 8, 8, 8, 4, 0, 16};
    uint64_t set = some_mask();
    int flag = PICK(flags), size = PICK(sizes), given = draw(3) ? sfd : draw(2) ? 99 : 0;
    int fd = (int)syscall(SYS_signalfd4, given, draw(10) ? &set : (void *)8, size, flag);
    said(fd, "signalfd4(%d, %llx, %d, %x)", given, (unsigned long long)set, size, flag);
    if (fd >= 0 && sfd < 0)
        sfd = fd;
}

static void read_signalfd(void)
{
    static const int sizes[] = {128, 128, 256, 300, 1024, 127, 1, 0, 129};
    char buffer[1024];
    int size = PICK(sizes);
    memset(buffer, 0, sizeof(buffer));
    struct pollfd p = {sfd, POLLIN | POLLOUT, 0};
    said(poll(&p, 1, 0), "poll(signalfd)");
    printf("%u:   %x\n", twin_step, (unsigned)p.revents);
    long n = said(read(sfd, buffer, (size_t)size), "read(signalfd, %d)", size);
    for (long i = 0; i + 128 <= n; i += 128) {
        uint32_t *pid = (uint32_t *)(buffer + i + 12);
        *pid = *pid == (uint32_t)getpid() ? 1 : 2;
        if (*(int *)(buffer + i) != SIGCHLD) // it has times
            said_bytes("signalfd_siginfo", buffer + i, 128);
        printf("%u:   %d errno %d code %d pid %u uid %u int %x\n", twin_step, *(int *)(buffer + i),
               *(int *)(buffer + i + 4), *(int *)(buffer + i + 8), *pid,
               *(uint32_t *)(buffer + i + 16), *(uint32_t *)(buffer + i + 44));
    }
}

static void suspend(void)
{
    static const int sizes[] = {8, 8, 8, 4, 0};
    uint64_t mask = some_mask(), one;
    int sig = PICK(usual), size = PICK(sizes);
    struct action a = {.handler = (void *)informed,
                       .flags = SA_SIGINFO | draw_bits(SA_RESTART | SA_ONSTACK)};
    one = (uint64_t)1 << (sig - 1);
    mask &= ~one;
    syscall(SYS_rt_sigaction, sig, &a, NULL, 8);
    syscall(SYS_rt_sigprocmask, 0, &one, NULL, 8);
    send_one(sig);
    if (!draw(8)) {
        said(syscall(SYS_sigsuspend, 0, 0, (unsigned long)mask), "sigsuspend(%x)", (unsigned)mask);
    } else {
        said(syscall(SYS_rt_sigsuspend, &mask, size), "rt_sigsuspend(%llx, %d)",
             (unsigned long long)mask, size);
    }
}

static void fate(void)
{
    static const int fates[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 13, 14, 15, 16, 17,
                                18, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 64, 0};
    int sig = PICK(fates), blocks = !draw(4), forced = !draw(3), status = 0;
    pid_t child = fork();
    if (!child) {
        uint64_t mask = blocks ? ~(uint64_t)0 : 0;
        struct action a = {.handler = forced ? SIG_IGN : SIG_DFL};
        syscall(SYS_rt_sigprocmask, 2, &mask, NULL, 8);
        syscall(SYS_rt_sigaction, sig, &a, NULL, 8);
        if (forced && !draw(2))
            syscall(SYS_tgkill, getpid(), getpid(), sig);
        else
            kill(getpid(), sig);
        uint64_t pending = 0;
        syscall(SYS_rt_sigpending, &pending, 8);
        mask = 0;
        printf("%u:   lives, pending %llx\n", twin_step, (unsigned long long)pending);
        syscall(SYS_rt_sigprocmask, 2, &mask, NULL, 8);
        _exit(3);
    }
    long r = wait4(child, &status, 0, NULL);
    while (r == -1 && errno == EINTR)
        r = wait4(child, &status, 0, NULL);
    said(r == child ? 0 : r, "fate of %d, blocked %d, ignored %d: %x", sig, blocks, forced,
         status & ~0x80); // whether there is a core is a matter of /proc/sys/kernel/core_pattern
}

// What a child has of its parent's signals.
static void inherit(void)
{
    int status = 0;
    pid_t child = fork();
    if (!child) {
        uint64_t pending = 0;
        stack_t now;
        syscall(SYS_rt_sigpending, &pending, 8);
        sigaltstack(NULL, &now);
        printf("%u:   child: blocked %llx pending %llx stack %x\n", twin_step,
               (unsigned long long)blocked(), (unsigned long long)pending, (unsigned)now.ss_flags);
        for (int sig = 1; sig < 65; sig += 1 + (int)draw(20)) {
            struct action was;
            if (!syscall(SYS_rt_sigaction, sig, NULL, &was, 8))
                said_action(&was);
        }
        _exit((int)draw(256));
    }
    long r = wait4(child, &status, 0, NULL);
    while (r == -1 && errno == EINTR)
        r = wait4(child, &status, 0, NULL);
    said(r == child ? 0 : r, "child: %x", status);
}

static sigjmp_buf back;
static void *expected;

static void caught(int sig, siginfo_t *info, void *more)
{
    ucontext_t *context = more;
    hear(" [%d code %d %s on %s trap %d err %x cr2 %s]", sig, info->si_code,
         info->si_addr == expected ? "there"
         : info->si_addr           ? "elsewhere"
                                   : "nowhere",
         where(&context), context->uc_mcontext.gregs[REG_TRAPNO],
         (unsigned)context->uc_mcontext.gregs[REG_ERR] & ~0x10u, // a fetch, where the CPU has NX
         context->uc_mcontext.gregs[REG_TRAPNO] != 14   ? "any"
         : (void *)context->uc_mcontext.cr2 == expected ? "there"
                                                        : "elsewhere");
    siglongjmp(back, 1);
}

__attribute__((noinline)) static void do_fault(int kind)
{
    volatile char c = 0;
    static volatile int zero;
    int selector = 0x1234;
    expected = window;
    switch (kind) {
    case 0: // no access
        *(volatile char *)window = 1;
        break;
    case 1: // unmapped
        expected = (char *)8;
        c += *(volatile char *)expected;
        break;
    case 2: // read only
        expected = readable;
        *(volatile char *)readable = 1;
        break;
    case 3: // past the end of the file
        expected = readable + 4096;
        c += *(volatile char *)expected;
        break;
    case 4:
        expected = &&undefined;
    undefined:
        __asm__ volatile("ud2");
        break;
    case 5:
        expected = &&division;
    division:
        c = (char)(1 / zero);
        break;
    case 6:
        __asm__ volatile("int3");
        break;
    case 7:
        __asm__ volatile("hlt");
        break;
    case 8:
        __asm__ volatile("movw %w0, %%gs" ::"r"(selector));
        break;
    case 9:
        __asm__ volatile("int $0x81");
        break;
    case 10:
        expected = (void *)0xc0100000; // the kernel's, and a 64-bit kernel's hole
        expected = (void *)0xffffe000;
        *(volatile char *)expected = 1;
        break;
    case 11:
        __asm__ volatile("int $4");
        break;
    case 12: // a jump to what may not be executed
        expected = window;
        ((void (*)(void))window)();
        break;
    case 13:
        __asm__ volatile("pushf; orl $0x100, (%esp); popf; nop");
        break;
    case 14:
        __asm__ volatile("movl $0, %%esp; push %%eax" ::: "memory");
        break;
    }
    (void)c;
}

static void fault(void)
{
    static const int kinds[] = {0, 1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13};
    static const int signals[] = {4, 5, 7, 8, 11};
    int kind = PICK(kinds), status = 0, blocks = !draw(5), ignores = !draw(5), stays = draw(2);
    unsigned flags = SA_SIGINFO | draw_bits(SA_ONSTACK | SA_NODEFER);
    pid_t child = fork();
    if (!child) {
        struct action a = {.handler = ignores ? SIG_IGN : (void *)caught, .flags = flags};
        stack_t alternate = {.ss_sp = stack, .ss_size = 65536};
        uint64_t mask = blocks ? 0x4d8 : 0;
        sigaltstack(&alternate, NULL);
        syscall(SYS_rt_sigprocmask, 2, &mask, NULL, 8);
        for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
            syscall(SYS_rt_sigaction, signals[i], &a, NULL, 8);
        if (!sigsetjmp(back, stays))
            do_fault(kind);
        report();
        if (stays && !sigsetjmp(back, 0))
            do_fault(PICK(kinds));
        report();
        _exit(5);
    }
    long r = wait4(child, &status, 0, NULL);
    while (r == -1 && errno == EINTR)
        r = wait4(child, &status, 0, NULL);
    said(r == child ? 0 : r, "fault %d flags %x blocked %d ignored %d: %x", kind, flags, blocks,
         ignores, status & ~0x80);
}

static void tick(int sig)
{
    (void)sig;
}

// A real timer ends a wait that has nothing else to end it, and goes on lest it is too early.
static void alarmed(void)
{
    struct action a = {.handler = (void *)tick, .flags = draw_bits(SA_RESTART)};
    struct itimerval soon = {{0, 5000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    uint64_t open = ~((uint64_t)1 << 13), was;
    int fds[2], kind = (int)draw(6);
    char c;
    if (kind == 1 && a.flags & SA_RESTART)
        kind = 0;
    syscall(SYS_rt_sigaction, SIGALRM, &a, NULL, 8);
    syscall(SYS_rt_sigprocmask, 2, &open, &was, 8);
    if (pipe(fds))
        return;
    setitimer(ITIMER_REAL, &soon, NULL);
    switch (kind) {
    case 0:
        said(pause(), "pause");
        break;
    case 1:
        said(read(fds[0], &c, 1), "read");
        break;
    case 2: {
        struct timespec t = {100, 0}, left = {0, 0};
        said(nanosleep(&t, &left), "nanosleep");
        printf("%u:   left %d\n", twin_step, (int)left.tv_sec);
        break;
    }
    case 3: {
        struct pollfd p = {fds[0], POLLIN, 0};
        said(poll(&p, 1, 100000), "poll");
        break;
    }
    case 4: {
        uint64_t nothing = 1;
        struct timespec t = {100, 0};
        said(syscall(SYS_rt_sigtimedwait, &nothing, NULL, &t, 8), "rt_sigtimedwait");
        break;
    }
    case 5: {
        struct timeval t = {100, 0};
        fd_set in;
        FD_ZERO(&in);
        FD_SET(fds[0], &in);
        said(select(fds[0] + 1, &in, NULL, NULL, &t), "select");
        printf("%u:   left %d set %d\n", twin_step, (int)t.tv_sec, FD_ISSET(fds[0], &in));
        break;
    }
    }
    setitimer(ITIMER_REAL, &never, NULL);
    a.handler = SIG_IGN;
    syscall(SYS_rt_sigaction, SIGALRM, &a, NULL, 8);
    close(fds[0]);
    close(fds[1]);
    syscall(SYS_rt_sigprocmask, 2, &was, NULL, 8);
}

static void begin(void)
{
    setpgid(0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (int sig = 1; sig < 65; sig++) {
        struct action a = {.handler = SIG_IGN};
        if (sig != 17)
            syscall(SYS_rt_sigaction, sig, &a, NULL, 8);
    }
    stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    window = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("short", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 100))
        perror("ftruncate");
    readable = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}

#define STEP(name)                                                                                 \
    static void step_##name(void)                                                                  \
    {                                                                                              \
        name();                                                                                    \
        report();                                                                                  \
    }
STEP(set_action)
STEP(set_action_wrong)
STEP(change_mask)
STEP(old_calls)
STEP(send_signal)
STEP(send_wrong)
STEP(see_pending)
STEP(take_pending)
STEP(change_stack)
STEP(open_signalfd)
STEP(read_signalfd)
STEP(suspend)
STEP(fate)
STEP(inherit)
STEP(fault)
STEP(alarmed)

static const struct step steps[] = {
    {step_set_action, 20},   {step_set_action_wrong, 2}, {step_change_mask, 12},
    {step_old_calls, 4},     {step_send_signal, 40},     {step_send_wrong, 6},
    {step_see_pending, 8},   {step_take_pending, 12},    {step_change_stack, 6},
    {step_open_signalfd, 4}, {step_read_signalfd, 6},    {step_suspend, 5},
    {step_fate, 3},          {step_inherit, 2},          {step_fault, 5},
    {step_alarmed, 3},
};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(*steps), begin);
}
