// SPDX-License-Identifier: MIT
// A program tries to leave its place: kernel memory, ports, privileged instructions, selectors, all
// interrupts, flags, system calls with wild state. Each attempt is made by a child of its own,
// which must die of a fault's signal, or may go on where a processor allows it. Prints each attempt
// that got further, and a count; `isolation -v` prints all.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

enum outcome {
    DIES, // of SIGSEGV, SIGBUS, SIGILL, SIGTRAP or SIGFPE
    MAY,  // that, or goes on
};

static unsigned attempts, bad;
static int verbose;
static uint8_t *code; // a page that may be written and run

static int is_fault(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGTRAP || sig == SIGFPE;
}

static unsigned code_selector(void)
{
    unsigned cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    return cs;
}

// 0 when an outsider would say that the child is still an ordinary program.
static int still_user(void)
{
    unsigned flags;
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    return (code_selector() & 3) == 3 && (flags & 0x3000) == 0 && (flags & 0x200) ? 0 : 77;
}

static void attempt(const char *what, unsigned number, enum outcome expected, void (*fn)(unsigned))
{
    int status;
    attempts++;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        fn(number);
        _exit(still_user());
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("fork or wait: %s\n", strerror(errno));
        exit(1);
    }
    int died = WIFSIGNALED(status) && is_fault(WTERMSIG(status));
    int lived = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    int good = died || (expected == MAY && lived);
    if (!good || verbose)
        printf("%s %s %#x: status %#x\n", good ? "good" : "BAD", what, number, status);
    bad += !good;
}

static void run(const void *bytes, size_t n)
{
    memcpy(code, bytes, n);
    code[n] = 0xc3; // ret
    ((void (*)(void))(uintptr_t)code)();
}
#define RUN(...) run((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// ---- memory -------------------------------------------------------------------------------------

static const unsigned kernel_places[] = {
    0xc0000000, 0xc0000fff, 0xc0100000, 0xc0200000, 0xcfffffff, 0xd0000000, 0xe0000000, 0xf0000000,
    0xf8000000, 0xfec00000, 0xfee00000, 0xff000000, 0xffc00000, 0xfffff000, 0xfffffffc};

static void reads(unsigned at)
{
    (void)*(volatile uint32_t *)(uintptr_t)at;
}

static void writes(unsigned at)
{
    *(volatile uint32_t *)(uintptr_t)at = 0x57454654;
}

static void executes(unsigned at)
{
    ((void (*)(void))(uintptr_t)at)();
}

int main(int argc, char **argv);

static void writes_code(unsigned unused)
{
    (void)unused;
    *(volatile uint8_t *)(uintptr_t)&main = 0xc3;
}

static void copies_in(unsigned at) // by the kernel, on our behalf
{
    int e = (int)syscall(SYS_write, 1, at, 64);
    if (e != -1 || errno != EFAULT)
        _exit(78);
    raise(SIGSEGV);
}

static void copies_out(unsigned at)
{
    struct timespec *t = (struct timespec *)(uintptr_t)at;
    if (syscall(SYS_clock_gettime, 1, t) != -1 || errno != EFAULT)
        _exit(78);
    raise(SIGSEGV);
}

static void memory(void)
{
    for (unsigned i = 0; i < sizeof(kernel_places) / sizeof(kernel_places[0]); i++) {
        attempt("read of", kernel_places[i], DIES, reads);
        attempt("write to", kernel_places[i], DIES, writes);
        attempt("jump to", kernel_places[i], DIES, executes);
        attempt("write(2) from", kernel_places[i], DIES, copies_in);
        attempt("clock_gettime(2) to", kernel_places[i], DIES, copies_out);
    }
    attempt("read of", 0, DIES, reads);
    attempt("jump to", 0, DIES, executes);
    attempt("write to own code", 0, DIES, writes_code);
}

// ---- instructions -------------------------------------------------------------------------------

static const struct {
    const char *name;
    enum outcome expected;
    uint8_t n, bytes[15];
} instructions[] = {
    {"hlt", DIES, 1, {0xf4}},
    {"cli", DIES, 1, {0xfa}},
    {"sti", DIES, 1, {0xfb}},
    {"clts", DIES, 2, {0x0f, 0x06}},
    {"invd", DIES, 2, {0x0f, 0x08}},
    {"wbinvd", DIES, 2, {0x0f, 0x09}},
    {"invlpg", DIES, 3, {0x0f, 0x01, 0x38}},
    {"lgdt", DIES, 3, {0x0f, 0x01, 0x10}},
    {"lidt", DIES, 3, {0x0f, 0x01, 0x18}},
    {"lmsw", DIES, 3, {0x0f, 0x01, 0xf0}},
    {"lldt", DIES, 3, {0x0f, 0x00, 0xd0}},
    {"ltr", DIES, 3, {0x0f, 0x00, 0xd8}},
    {"mov cr0,eax", DIES, 3, {0x0f, 0x20, 0xc0}},
    {"mov eax,cr0", DIES, 3, {0x0f, 0x22, 0xc0}},
    {"mov cr3,eax", DIES, 3, {0x0f, 0x20, 0xd8}},
    {"mov eax,cr3", DIES, 3, {0x0f, 0x22, 0xd8}},
    {"mov eax,cr4", DIES, 3, {0x0f, 0x22, 0xe0}},
    {"mov eax,dr7", DIES, 3, {0x0f, 0x23, 0xf8}},
    {"mov dr7,eax", DIES, 3, {0x0f, 0x21, 0xf8}},
    {"rdmsr", DIES, 2, {0x0f, 0x32}},
    {"wrmsr", DIES, 2, {0x0f, 0x30}},
    {"rdpmc", DIES, 2, {0x0f, 0x33}},
    {"sysexit", DIES, 2, {0x0f, 0x35}},
    {"in al,dx", DIES, 1, {0xec}},
    {"out dx,al", DIES, 1, {0xee}},
    {"in al,0x64", DIES, 2, {0xe4, 0x64}},
    {"out 0xf4,al", DIES, 2, {0xe6, 0xf4}},
    {"insb", DIES, 1, {0x6c}},
    {"outsb", DIES, 1, {0x6e}},
    {"rep insd", DIES, 2, {0xf3, 0x6d}},
    {"vmcall", DIES, 3, {0x0f, 0x01, 0xc1}},
    {"rsm", DIES, 2, {0x0f, 0xaa}},
    {"ud2", DIES, 2, {0x0f, 0x0b}},
    {"int1", DIES, 1, {0xf1}},
    {"int3", DIES, 1, {0xcc}},
    {"monitor", DIES, 3, {0x0f, 0x01, 0xc8}},
    {"swapgs or ud", DIES, 3, {0x0f, 0x01, 0xf8}},
    {"xsetbv", DIES, 3, {0x0f, 0x01, 0xd1}},
    {"syscall", MAY, 2, {0x0f, 0x05}},
    {"sysret", DIES, 2, {0x0f, 0x07}},
    {"str", MAY, 3, {0x0f, 0x00, 0xc8}},
    {"smsw", MAY, 3, {0x0f, 0x01, 0xe0}},
    {"iret of nothing", DIES, 8, {0x6a, 0, 0x6a, 0, 0x6a, 0, 0xcf}},
    {"far ret to 8:0", DIES, 5, {0x6a, 8, 0x6a, 0, 0xcb}},
    {"push es of nothing", DIES, 3, {0x6a, 8, 0x07}},
    {"overlong",
     DIES,
     15,
     {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66}},
    {"lock on a register", DIES, 3, {0xf0, 0x01, 0xc0}},
    {"div by zero", DIES, 4, {0x31, 0xc9, 0xf7, 0xf1}},
};

static void instruction(unsigned i)
{
    run(instructions[i].bytes, instructions[i].n);
}

static void interrupt(unsigned n)
{
    RUN(0xb8, 20, 0, 0, 0, 0xcd, (uint8_t)n); // mov $getpid, %eax; int $n
}

static void all_instructions(void)
{
    for (unsigned i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
        attempt(instructions[i].name, i, instructions[i].expected, instruction);
    for (unsigned n = 0; n < 256; n++)
        attempt("int", n, n == 0x80 ? MAY : DIES, interrupt);
}

// ---- selectors ----------------------------------------------------------------------------------

static void far_call(unsigned selector)
{
    static struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) to;
    to.offset = (uint32_t)(uintptr_t)code;
    to.selector = (uint16_t)selector;
    code[0] = 0xcb; // far return, if it gets there
    __asm__ volatile("lcall *%0" : : "m"(to) : "memory", "eax", "ecx", "edx");
}

static void loads(unsigned x)
{
    unsigned selector = x & 0xffff;
    switch (x >> 16) {
    case 0:
        __asm__ volatile("mov %w0, %%ds; mov %%ss, %w0; mov %w0, %%ds" : "+r"(selector));
        break;
    case 1:
        __asm__ volatile("mov %w0, %%es; mov %%ss, %w0; mov %w0, %%es" : "+r"(selector));
        break;
    case 2:
        __asm__ volatile("mov %w0, %%fs" : : "r"(selector));
        break;
    case 3:
        __asm__ volatile("mov %%gs, %%ecx; mov %w0, %%gs; mov %%ecx, %%gs"
                         :
                         : "r"(selector)
                         : "ecx");
        break;
    default:
        __asm__ volatile("mov %%ss, %%ecx; mov %w0, %%ss; mov %%ecx, %%ss"
                         :
                         : "r"(selector)
                         : "ecx");
    }
}

// All of the first 16 descriptors and some beyond the table, with each privilege level asked for.
static void selectors(void)
{
    for (unsigned s = 0; s < 0x80; s += s < 0x40 ? 1 : 13) {
        attempt("far call to", s, MAY, far_call);
        for (unsigned r = 0; r < 5; r++)
            attempt("load of selector", r << 16 | s, MAY, loads);
    }
    attempt("far call to", 0xfff8, DIES, far_call);
    attempt("load of selector", 0xfff8, DIES, loads);
}

// ---- flags --------------------------------------------------------------------------------------

static void flag(unsigned bits)
{
    uint8_t b[] = {0x9c, 0x81, 0x0c, 0x24, 0,    0,    0,    0,    0x9d,        // pushf; or; popf
                   0xb8, 20,   0,    0,    0,    0xcd, 0x80,                    // getpid
                   0x9c, 0x81, 0x24, 0x24, 0xff, 0xba, 0xf8, 0xff, 0x9d, 0x90}; // and; popf; nop
    uint8_t n[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                    (uint8_t)(bits >> 24)};
    memcpy(b + 4, n, 4);
    run(b, sizeof(b));
}

static void misaligned(unsigned unused)
{
    (void)unused;
    RUN(0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0xa1, 1, 0, 0, 0); // AC, then mov 1, %eax
}

static void iret_nested(unsigned unused)
{
    (void)unused;
    RUN(0x9c, 0x81, 0x0c, 0x24, 0, 0x40, 0, 0, 0x9d, 0xcf); // NT, then iret: a task switch
}

static void flags(void)
{
    static const unsigned bits[] = {0x100,    0x400,    0x4000, 0x10000, 0x20000, 0x40000, 0x80000,
                                    0x100000, 0x200000, 0x3000, 0x4500,  0x44000, 0x3f7fd5};
    for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        attempt("flags", bits[i], bits[i] == 0x100 || bits[i] == 0x4500 ? DIES : MAY, flag);
    attempt("AC and a misaligned read of page 0", 0, DIES, misaligned);
    attempt("NT and iret", 0, DIES, iret_nested);
}

// ---- calls with wild state ----------------------------------------------------------------------

static const unsigned wild[] = {0,          4,          0x1000,     0xbfffffff,
                                0xc0000000, 0xc0000004, 0xfffffffc, 0xffffffff};

static void sysenter(unsigned at)
{
    __asm__ volatile("mov %0, %%esp; mov %0, %%ebp; mov $20, %%eax; sysenter"
                     :
                     : "r"(at)
                     : "memory");
}

static void int80(unsigned at)
{
    __asm__ volatile("mov %0, %%esp; mov $20, %%eax; int $0x80; push %%eax" : : "r"(at) : "memory");
}

static void on_signal(int sig)
{
    (void)sig;
}

static void handler_without_stack(unsigned at)
{
    signal(SIGUSR1, on_signal);
    __asm__ volatile("mov %0, %%esp; int $0x80; push %%eax"
                     :
                     : "r"(at), "a"(SYS_kill), "b"(getpid()), "c"(SIGUSR1)
                     : "memory");
}

static void sysenter_traced(unsigned unused)
{
    (void)unused;
    RUN(0x9c, 0x81, 0x0c, 0x24, 0, 1, 0, 0, 0x9d, 0x0f, 0x34);
}

static unsigned change;

static void forge(int sig, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)sig;
    (void)info;
    switch (change) {
    case 0:
        r[REG_CS] = 8;
        break;
    case 1:
        r[REG_SS] = 0x10;
        break;
    case 2:
        r[REG_EFL] |= 0x3000; // IOPL
        break;
    case 3:
        r[REG_EIP] = (greg_t)0xc0100000;
        break;
    case 4:
        r[REG_ESP] = r[REG_UESP] = (greg_t)0xc0100000;
        break;
    case 5:
        r[REG_EFL] |= 0x24000; // NT, VM
        break;
    case 6:
        r[REG_DS] = 8, r[REG_ES] = 0x10, r[REG_FS] = 0xfff8, r[REG_GS] = 8;
        break;
    case 7:
        r[REG_EFL] &= ~0x200; // interrupts off
        break;
    case 8:
        if (((ucontext_t *)context)->uc_mcontext.fpregs)
            memset(((ucontext_t *)context)->uc_mcontext.fpregs, 0xff, 112);
        break;
    case 9: // all of it
        for (unsigned i = 0; i < 19; i++)
            r[i] = (greg_t)0xffffffff;
        break;
    case 10:
        r[REG_CS] = r[REG_SS] = 0;
        break;
    default:
        ((ucontext_t *)context)->uc_mcontext.fpregs = (void *)0xc0100000;
    }
}

static void forged_return(unsigned which)
{
    struct sigaction a = {.sa_sigaction = forge, .sa_flags = SA_SIGINFO};
    change = which;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
    if (which == 2)
        RUN(0xfa); // cli, with the privilege that we gave ourselves
    for (volatile unsigned i = 0; i < 1000000; i++) // an interrupt comes in the meantime
        ;
}

static void sigreturn_of_nothing(unsigned at)
{
    __asm__ volatile("mov %0, %%esp; mov $173, %%eax; int $0x80; hlt" : : "r"(at) : "memory");
}

static void calls(void)
{
    for (unsigned i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
        attempt("sysenter with esp", wild[i], DIES, sysenter);
        attempt("int 0x80 with esp", wild[i], DIES, int80);
        attempt("a signal's handler with esp", wild[i], DIES, handler_without_stack);
        attempt("rt_sigreturn with esp", wild[i], DIES, sigreturn_of_nothing);
    }
    attempt("sysenter with TF", 0, DIES, sysenter_traced);
    for (unsigned i = 0; i <= 11; i++)
        attempt("forged sigreturn", i, i == 3 || i == 4 || i == 2 ? DIES : MAY, forged_return);
}

// ---- descriptors of our own ---------------------------------------------------------------------

struct user_desc_i386 {
    uint32_t entry, base, limit, flags;
};

static void thread_area(unsigned flags)
{
    struct user_desc_i386 d = {0xffffffff, 0xc0000000, 0xfffff, flags};
    if (syscall(SYS_set_thread_area, &d) < 0)
        raise(SIGSEGV);
    unsigned selector = d.entry << 3 | 3, value;
    __asm__ volatile("mov %w1, %%fs; mov %%fs:0x100000, %0; mov %0, %%fs:0x100000"
                     : "=&r"(value)
                     : "r"(selector));
}

static void thread_area_code(unsigned flags)
{
    struct user_desc_i386 d = {0xffffffff, 0, 0xfffff, flags};
    if (syscall(SYS_set_thread_area, &d) < 0)
        raise(SIGSEGV);
    far_call(d.entry << 3 | 3);
}

// The stack lies in a descriptor of our own, which then is no longer there, or cannot be written.
static void stack_taken_away(unsigned how)
{
    static const unsigned then[] = {0, 0x59};
    struct user_desc_i386 d = {0xffffffff, 0, 0xfffff, 0x51};
    syscall(SYS_set_thread_area, &d);
    unsigned selector = d.entry << 3 | 3;
    d.flags = then[how];
    d.limit = how ? d.limit : 0;
    __asm__ volatile("mov %w1, %%ss; int $0x80"
                     :
                     : "a"(SYS_set_thread_area), "r"(selector), "b"(&d)
                     : "memory");
}

static void descriptors(void)
{
    attempt("stack whose descriptor goes", 0, DIES, stack_taken_away);
    attempt("stack whose descriptor goes", 1, DIES, stack_taken_away);
    for (unsigned flags = 0; flags < 0x80; flags++) {
        attempt("TLS descriptor over the kernel, flags", flags, DIES, thread_area);
        if (flags % 8 == 1)
            attempt("call through a TLS descriptor, flags", flags, MAY, thread_area_code);
    }
}

// ---- descriptors of a table of our own (modify_ldt) ---------------------------------------------

static void local(unsigned entry, unsigned base, unsigned flags)
{
    struct user_desc_i386 d = {entry, base, 0xfffff, flags};
    if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) < 0)
        raise(SIGSEGV);
}

static void local_data(unsigned flags)
{
    unsigned value;
    local(0, 0xc0000000, flags);
    __asm__ volatile("mov %w1, %%fs; mov %%fs:0x100000, %0; mov %0, %%fs:0x100000"
                     : "=&r"(value)
                     : "r"(7));
}

static void local_code(unsigned flags)
{
    local(0, 0, flags);
    far_call(7);
}

static void local_kernel_code(unsigned flags)
{
    local(0, 0xc0100000 - (unsigned)(uintptr_t)code, flags);
    far_call(7);
}

// The stack, or the code, lies in a descriptor that a system call takes away.
static void local_taken_away(unsigned is_code)
{
    static const uint8_t call_system[] = {0xcd, 0x80, 0xcb};
    struct user_desc_i386 none = {0, 0, 0, 0x28};
    struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) to = {(uint32_t)(uintptr_t)code, 7};
    local(0, 0, is_code ? 0x55 : 0x51);
    memcpy(code, call_system, sizeof(call_system));
    if (is_code)
        __asm__ volatile("lcall *%0"
                         :
                         : "m"(to), "a"(SYS_modify_ldt), "b"(0x11), "c"(&none), "d"(sizeof(none))
                         : "memory");
    else
        __asm__ volatile("mov %w0, %%ss; int $0x80"
                         :
                         : "r"(7), "a"(SYS_modify_ldt), "b"(0x11), "c"(&none), "d"(sizeof(none))
                         : "memory");
}

static unsigned returned_to;

static void on_return(int sig, siginfo_t *i, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)sig, (void)i;
    g[returned_to >> 16 ? REG_SS : REG_CS] = (greg_t)(returned_to & 0xffff);
}

static void local_return(unsigned to)
{
    struct sigaction a = {.sa_sigaction = on_return, .sa_flags = SA_SIGINFO};
    returned_to = to;
    sigaction(SIGUSR1, &a, NULL);
    raise(SIGUSR1);
}

// Data, code, code that is not there, data to be read only, a stack that grows down, nothing.
static void local_selectors(void)
{
    static const unsigned kinds[] = {0x51, 0x55, 0x75, 0x59, 0x53};
    for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
        local(k, 0, kinds[k]);
    for (unsigned s = 4; s < 0x30; s += s % 8 == 7 ? 5 : 1) {
        attempt("far call by the local table to", s, MAY, far_call);
        for (unsigned r = 0; r < 5; r++)
            attempt("load of the local selector", r << 16 | s, MAY, loads);
        attempt("return to the local code", s, MAY, local_return);
        attempt("return to the local stack", 1 << 16 | s, MAY, local_return);
    }
    attempt("return to the local code", 0xffff, DIES, local_return);
}

static void local_descriptors(void)
{
    for (unsigned flags = 0; flags < 0x80; flags += 1 + (flags & 8)) {
        attempt("local descriptor over the kernel, flags", flags, DIES, local_data);
        attempt("local code over the kernel, flags", flags, DIES, local_kernel_code);
        attempt("call of local code, flags", flags, MAY, local_code);
    }
    attempt("local stack whose descriptor goes", 0, DIES, local_taken_away);
    attempt("local code whose descriptor goes", 1, DIES, local_taken_away);
    local_selectors();
}

int main(int argc, char **argv)
{
    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memory();
    all_instructions();
    selectors();
    flags();
    calls();
    descriptors();
    local_descriptors();
    printf("isolation: %u attempts, %u bad\n", attempts, bad);
    return bad != 0;
}
