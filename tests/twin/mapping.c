// SPDX-License-Identifier: MIT
// Memory: a range of addresses that the steps map, change, touch and unmap, with files and nothing
// behind it, and children that look at it and write into it.
#include "twin.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    PAGE = 4096,
    PAGES = 32,
    FILES = 4 // two files, one of them open for reading alone, too; a memfd
};

static char *const base = (char *)0x50000000; // far from what a kernel would choose
static int fds[FILES], still;                 // and a file that never changes
// Either files are mapped privately or MADV_DONTNEED is asked for: on Weft it does not bring back
// what a file held that somebody wrote.
static bool copies;
static sigjmp_buf caught;
static siginfo_t fault;

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    fault = *info;
    siglongjmp(caught, 1);
}

static void said_fault(const char *what, const char *at)
{
    printf("%u: %s(%lx) = signal %d code %d at %lx\n", twin_step, what, (long)(at - base),
           fault.si_signo, fault.si_code, (long)((char *)fault.si_addr - base));
}

// A mapping's address as it is told: within the range, or the error.
static long within(long result)
{
    return result == -1 ? -1 : result - (long)base;
}

static char *draw_address(void)
{
    char *at = base + draw(PAGES) * PAGE;
    return draw(20) ? at : at + 5;
}

static unsigned long draw_length(const char *at)
{
    // None beyond 3 GiB: a kernel of 64 bits has more to give and to take away.
    static const unsigned long odd[] = {0, 1, 5000, 4095};
    unsigned left = PAGES - (unsigned)(at - base) / PAGE;
    unsigned long length = (1 + draw(6)) * PAGE;
    if (draw(20) == 0)
        return PICK(odd);
    return length > left * PAGE ? left * PAGE : length;
}

static bool stays(const char *at, unsigned long length)
{
    return (unsigned long)(at - base) + length <= PAGES * PAGE;
}

// Not PROT_WRITE alone: whether that can be read depends on who wrote before.
static void step_map(void)
{
    static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    static const int kinds[] = {MAP_PRIVATE, MAP_PRIVATE,         MAP_SHARED,
                                MAP_SHARED,  MAP_SHARED_VALIDATE, 0};
    static const int more[] = {0, 0, 0, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED};
    static const int wrong[] = {-1, 77};
    char *at = draw_address();
    unsigned long length = draw_length(at);
    int prot = PICK(prots), flags = PICK(kinds) | PICK(more), fd = -1;
    unsigned long page = 0;
    if (draw(2) || (!copies && (flags & MAP_TYPE) == MAP_PRIVATE)) {
        flags |= MAP_ANONYMOUS;
    } else {
        fd = draw(30) ? fds[draw(FILES)] : PICK(wrong);
        if ((flags & MAP_TYPE) == MAP_PRIVATE) // nobody says which changes of a file are seen
            fd = still;
        page = draw(6);
    }
    flags |= draw(6) ? MAP_FIXED : MAP_FIXED_NOREPLACE;
    said(within(CALL(mmap2, at, length, prot, flags, fd, page)), "mmap2(%lx, %lx, %x, %x, %d, %lu)",
         (long)(at - base), length, prot, flags, fd, page);
}

static void step_unmap(void)
{
    char *at = draw_address();
    unsigned long length = draw_length(at);
    if (stays(at, length))
        said(CALL(munmap, at, length), "munmap(%lx, %lx)", (long)(at - base), length);
}

static void step_protect(void)
{
    static const int prots[] = {PROT_NONE,
                                PROT_READ,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_WRITE,
                                PROT_READ | PROT_EXEC,
                                0x100,
                                PROT_READ | PROT_GROWSDOWN,
                                PROT_GROWSDOWN | PROT_GROWSUP};
    char *at = draw_address();
    unsigned long length = draw_length(at);
    int prot = PICK(prots);
    said(CALL(mprotect, at, length, prot), "mprotect(%lx, %lx, %x)", (long)(at - base), length,
         prot);
}

static void step_advise(void)
{
    // Not MADV_FREE, which may or may not; nor what asks for huge pages and for the same pages.
    static const int advices[] = {MADV_NORMAL,
                                  MADV_RANDOM,
                                  MADV_WILLNEED,
                                  MADV_DONTNEED,
                                  MADV_DONTNEED,
                                  MADV_REMOVE,
                                  MADV_DONTFORK,
                                  MADV_DOFORK,
                                  MADV_WIPEONFORK,
                                  MADV_KEEPONFORK,
                                  MADV_POPULATE_READ,
                                  MADV_POPULATE_WRITE,
                                  77,
                                  -1};
    char *at = draw_address();
    unsigned long length = draw_length(at);
    int advice = PICK(advices);
    if (copies && advice == MADV_DONTNEED)
        advice = MADV_NORMAL;
    if (!stays(at, length)) // the end of all memory is not the same to a kernel of 64 bits
        length = PAGE;
    said(CALL(madvise, at, length, advice), "madvise(%lx, %lx, %d)", (long)(at - base), length,
         advice);
}

static void step_sync(void)
{
    static const int flags[] = {MS_SYNC, MS_ASYNC, MS_INVALIDATE, MS_SYNC | MS_ASYNC, 0, 8};
    char *at = draw_address();
    unsigned long length = draw_length(at);
    int f = PICK(flags);
    said(CALL(msync, at, length, f), "msync(%lx, %lx, %x)", (long)(at - base), length, f);
}

static void step_incore(void)
{
    static unsigned char in[PAGES];
    char *at = draw_address();
    unsigned long length = draw_length(at);
    if (length < 0x10000000)
        said(CALL(mincore, at, length, in), "mincore(%lx, %lx)", (long)(at - base), length);
}

static void step_lock(void)
{
    char *at = draw_address();
    unsigned long length = draw_length(at);
    unsigned flags = draw(3);
    switch (draw(3)) {
    case 0:
        said(CALL(mlock, at, length), "mlock(%lx, %lx)", (long)(at - base), length);
        break;
    case 1:
        said(CALL(munlock, at, length), "munlock(%lx, %lx)", (long)(at - base), length);
        break;
    default:
        said(CALL(mlock2, at, length, flags), "mlock2(%lx, %lx, %u)", (long)(at - base), length,
             flags);
    }
}

// Not MREMAP_DONTUNMAP, which Weft has for anonymous and shared memory alone.
static void step_remap(void)
{
    static const int flags[] = {
        0, 0, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_MAYMOVE | MREMAP_FIXED, MREMAP_FIXED, 8};
    char *at = draw_address(), *to = draw_address();
    unsigned long from_length = draw_length(at), length = draw_length(to);
    int f = PICK(flags);
    if ((f & MREMAP_FIXED) && from_length >= length) // later ones move more than one mapping
        from_length = length = PAGE;
    if (copies && length > from_length) // on Weft the file does not go on in what is added
        length = from_length = PAGE;
    if (length > from_length) // whether neighbours are one mapping is not told
        from_length = PAGE;
    if (from_length && stays(at, from_length) && stays(at, length) && stays(to, length))
        said(within(CALL(mremap, at, from_length, length, f, to)), "mremap(%lx, %lx, %lx, %x, %lx)",
             (long)(at - base), from_length, length, f, (long)(to - base));
}

static void step_touch(void)
{
    volatile char *at = base + draw(PAGES * PAGE);
    bool writes = draw(2);
    volatile char value = (char)draw(256);
    if (sigsetjmp(caught, 1)) {
        said_fault(writes ? "store" : "load", (char *)at);
        return;
    }
    if (writes)
        *at = value;
    else
        value = *at;
    printf("%u: %s(%lx) = %d\n", twin_step, writes ? "store" : "load", (long)((char *)at - base),
           value);
}

// The kernel's own reads and writes there.
static void step_move(void)
{
    char *at = draw_address() + draw(3) * 100;
    unsigned long length = 1 + draw(3 * PAGE), offset = draw(5 * PAGE);
    int k = (int)draw(FILES);
    static char copy[3 * PAGE];
    if (draw(2)) {
        said(CALL(pread64, fds[k], at, length, offset, 0), "pread64(%d, %lx, %lx, %lx)", k,
             (long)(at - base), length, offset);
    } else { // by way of a copy: a file written with what is mapped of it is another matter
        struct {
            void *at;
            unsigned long length;
        } here = {copy, length}, there = {at, length};
        long got = said(CALL(process_vm_readv, getpid(), &here, 1, &there, 1, 0),
                        "process_vm_readv(%lx, %lx)", (long)(at - base), length);
        if (got > 0)
            said(CALL(pwrite64, fds[k], copy, got, offset, 0), "pwrite64(%d, %lx, %lx)", k, got,
                 offset);
    }
}

static void step_resize(void)
{
    static const unsigned sizes[] = {0, 1, 4096, 5000, 8192, 12288, 20000, 24576};
    unsigned k = draw(FILES), size = PICK(sizes);
    said(CALL(ftruncate, fds[k], size), "ftruncate(%u, %u)", k, size);
}

static void look(const char *who)
{
    for (volatile unsigned page = 0; page < PAGES; page++) {
        char *at = base + page * PAGE;
        unsigned char in;
        if (CALL(mincore, at, PAGE, &in))
            continue; // nothing is mapped there
        printf("%u: %s %u", twin_step, who, page);
        if (sigsetjmp(caught, 1)) {
            printf(" signal %d code %d\n", fault.si_signo, fault.si_code);
            continue;
        }
        uint32_t digest = 2166136261u;
        for (unsigned i = 0; i < PAGE; i++)
            digest = (digest ^ (unsigned char)at[i]) * 16777619u;
        printf(" %08x\n", (unsigned)digest);
    }
}

static void step_look(void)
{
    static char in[8 * PAGE];
    look("page");
    for (int k = 0; k < FILES; k++)
        said_bytes("file", in, CALL(pread64, fds[k], in, sizeof(in), 0, 0));
}

// A child sees what it should, and writes what its parent then sees, or does not.
static void step_fork(void)
{
    volatile unsigned first = draw(PAGES), seen = draw(2);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (seen)
            look("child's");
        for (volatile unsigned page = first; page < PAGES && page < first + 6; page++) {
            if (sigsetjmp(caught, 1)) {
                said_fault("child's store", base + page * PAGE);
                continue;
            }
            *(volatile char *)(base + page * PAGE + 7) = (char)page;
        }
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    look("after");
}

// The heap grows and shrinks; what comes again is empty.
static void step_heap(void)
{
    unsigned long now = (unsigned long)CALL(brk, 0), end = (now + PAGE - 1) & ~(PAGE - 1ul);
    unsigned pages = 1 + draw(4), sum = 0;
    if ((unsigned long)CALL(brk, end + pages * PAGE) != end + pages * PAGE)
        printf("%u: brk fails\n", twin_step);
    for (unsigned i = 0; i < pages * PAGE; i++)
        sum += ((unsigned char *)end)[i];
    memset((void *)end, 1, pages * PAGE);
    printf("%u: brk(+%u) sum %u, back %d, too far %d\n", twin_step, pages, sum,
           (unsigned long)CALL(brk, now) == now, (unsigned long)CALL(brk, 16) == now);
}

static void begin(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char page[PAGE];
    copies = draw(2);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    fds[0] = open("a", O_RDWR | O_CREAT, 0666);
    fds[1] = open("b", O_RDWR | O_CREAT, 0666);
    fds[2] = open("a", O_RDONLY);
    fds[3] = (int)CALL(memfd_create, "m", 0);
    for (int i = 0; i < 4; i++) {
        memset(page, 'a' + i, PAGE);
        if (write(fds[0], page, PAGE) != PAGE || write(fds[3], page, PAGE - 10) != PAGE - 10)
            exit(3);
    }
    still = open("s", O_RDWR | O_CREAT, 0666);
    for (int i = 0; i < 5; i++)
        if (write(still, memset(page, 'A' + i, PAGE), PAGE - 100) != PAGE - 100)
            exit(3);
    if (mmap(base, PAGES * PAGE, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != base)
        exit(3);
}

static const struct step steps[] = {
    {step_map, 14},   {step_unmap, 3}, {step_protect, 6}, {step_advise, 6}, {step_sync, 3},
    {step_incore, 2}, {step_lock, 3},  {step_remap, 6},   {step_touch, 16}, {step_move, 8},
    {step_resize, 3}, {step_look, 4},  {step_fork, 4},    {step_heap, 1}};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), begin);
}
