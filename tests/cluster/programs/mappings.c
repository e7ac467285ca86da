// SPDX-License-Identifier: MIT
// Memory calls: mmap of each kind and its errors, mprotect, mremap, madvise, msync, mincore, brk,
// faults with their code and address.
#define _GNU_SOURCE
#include "said.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf back;
static siginfo_t seen;

static void on_fault(int s, siginfo_t *i, void *c)
{
    (void)s, (void)c;
    seen = *i;
    siglongjmp(back, 1);
}

// Touches a byte and prints the signal, its code and whether the address is right.
static void touch(const char *what, volatile char *at, int write)
{
    if (sigsetjmp(back, 1) == 0) {
        if (write)
            *at = 1;
        else
            (void)*at;
        printf("%s: fine\n", what);
        return;
    }
    printf("%s: signal %d code %d address %s\n", what, seen.si_signo, seen.si_code,
           seen.si_addr == (void *)at ? "right" : "wrong");
}

static long gives(void *p)
{
    return p == MAP_FAILED ? -1 : (long)((uintptr_t)p % PAGE);
}

static char *pages(int n)
{
    return mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void kinds(void)
{
    int fd = open("/opt/map", O_CREAT | O_RDWR | O_TRUNC, 0600), ro = open("/opt/map", O_RDONLY);
    int wo = open("/opt/map", O_WRONLY), p[2];
    pipe(p);
    ftruncate(fd, PAGE + 100);
    T(gives(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0)));
    T(gives((void *)syscall(SYS_mmap2, 100, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0)));
    T(gives(mmap(NULL, 0xfffff000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    T(gives(mmap((void *)0xbffff000, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
    char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    touch("inside", m + 10, 1);
    touch("tail of the last page", m + PAGE + 200, 0);
    truncate("/opt/map", 10);
    printf("zeroed %d\n", m[100]);
    truncate("/opt/map", 3 * PAGE);
    touch("grown", m + 2 * PAGE, 1);
    char c = 9;
    pread(ro, &c, 1, 2 * PAGE);
    printf("shared write seen %d\n", c);
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
    q[0] = 7;
    pread(ro, &c, 1, 0);
    printf("private write unseen %d\n", c);
    T(gives(mmap(m + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)));
    touch("replaced", m + PAGE, 0);
    T(gives(mmap(m, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)));
    munmap(m, PAGE);
    T(mmap(m, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == m);
    T(munmap(m + 1, PAGE));
    T(munmap(m, 0));
    T(munmap(m, 3 * PAGE));
    T(munmap(m, 3 * PAGE));
    touch("unmapped", m, 0);
    close(ro);
    close(wo);
    close(p[0]);
    close(p[1]);
}

static void protections(void)
{
    char *m = pages(4);
    T(mprotect(m + 1, PAGE, PROT_READ));
    T(mprotect(m, PAGE, PROT_READ));
    touch("read-only, read", m, 0);
    touch("read-only, write", m, 1);
    T(mprotect(m, 2 * PAGE, PROT_NONE));
    touch("none", m + PAGE, 0);
    T(mprotect(m, 2 * PAGE, PROT_READ | PROT_WRITE));
    touch("again", m, 1);
    T(mprotect(m, 0, PROT_READ));
    T(mprotect(m, PAGE, 0x100));
    munmap(m + PAGE, PAGE);
    T(mprotect(m, 3 * PAGE, PROT_READ));
    touch("null", (char *)0, 0);
    touch("null write", (char *)16, 1);
    int ro = open("/opt/map", O_RDONLY);
    char *s = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0);
    T(mprotect(s, PAGE, PROT_READ | PROT_WRITE));
    close(ro);
    munmap(s, PAGE);
    munmap(m, 4 * PAGE);
}

static void remaps(void)
{
    char *m = pages(4), *n;
    strcpy(m, "kept");
    T(mremap(m, 4 * PAGE, 2 * PAGE, 0) == m);
    T(mremap(m, 2 * PAGE, 3 * PAGE, 0) == m);
    touch("tail", m + 3 * PAGE, 0);
    n = mremap(m, 3 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    printf("%s\n", n);
    touch("grown", n + 60 * PAGE, 1);
    T(gives(mremap(n + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
    T(gives(mremap(n, PAGE, 0, MREMAP_MAYMOVE)));
    T(gives(mremap(n, PAGE, PAGE, 8)));
    T(gives(mremap(n, PAGE, PAGE, MREMAP_FIXED, n + 2 * PAGE)));
    T(gives(mremap((void *)0x1000, PAGE, 2 * PAGE, MREMAP_MAYMOVE)));
    char *to = pages(2);
    T(mremap(n, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
    printf("%s\n", to);
    touch("left", n, 0);
    munmap(n, 64 * PAGE);
    munmap(to, 2 * PAGE);
}

static void shows(const char *what, const char *at, int n)
{
    printf("%s:", what);
    for (int i = 0; i < n; i++)
        printf(" %.3s", at + i * PAGE);
    printf("\n");
}

// A private mapping of a file that was written: what is given up is the file's again, and it grows
// as the file goes on.
static void copies_of_a_file(void)
{
    int fd = open("/opt/map", O_CREAT | O_RDWR | O_TRUNC, 0600);
    for (int i = 0; i < 6; i++) {
        char text[4] = {'p', (char)('0' + i)};
        pwrite(fd, text, 3, i * PAGE);
    }
    ftruncate(fd, 6 * PAGE);
    char *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    memcpy(m, "own", 3);
    memcpy(m + PAGE, "own", 3);
    pwrite(fd, "new", 3, PAGE);
    shows("written", m, 3);
    T(madvise(m, 2 * PAGE, MADV_DONTNEED));
    shows("given up", m, 3);
    memcpy(m + PAGE, "own", 3);
    m = mremap(m, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    shows("grown", m, 5);
    memcpy(m + 3 * PAGE, "own", 3);
    T(mremap(m, 5 * PAGE, 2 * PAGE, 0) == m);
    m = mremap(m, 2 * PAGE, 6 * PAGE, MREMAP_MAYMOVE);
    shows("grown again", m, 6);
    munmap(m, 6 * PAGE);
    close(fd);
    fd = open("/opt/map", O_RDWR);
    char *s = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    shows("the file", s, 2);
    m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (fork() == 0) {
        memcpy(m, "kid", 3);
        madvise(m, PAGE, MADV_DONTNEED);
        memcpy(s, "sea", 3);
        shows("shared", s, 1);
        exit(0);
    }
    wait(NULL);
    memcpy(m + 1, "me", 2);
    T(madvise(m, PAGE, MADV_DONTNEED));
    shows("both", m, 1);
    munmap(m, PAGE);
    munmap(s, 2 * PAGE);
    close(fd);
    unlink("/opt/map");
}

static void advice(void)
{
    char *m = pages(4);
    unsigned char vec[4];
    m[0] = 1;
    m[PAGE] = 2;
    T(madvise(m, PAGE, MADV_DONTNEED));
    printf("%d %d\n", m[0], m[PAGE]);
    T(madvise(m + 1, PAGE, MADV_DONTNEED));
    T(madvise(m, PAGE, 999));
    T(madvise(m, 0, MADV_DONTNEED));
    T(madvise((void *)0x1000, PAGE, MADV_DONTNEED));
    T(madvise(m, PAGE, MADV_WILLNEED));
    T(madvise(m, PAGE, MADV_NORMAL));
    T(msync(m, PAGE, MS_SYNC));
    T(msync(m, PAGE, MS_SYNC | MS_ASYNC));
    T(msync(m + 1, PAGE, MS_SYNC));
    T(msync((void *)0x1000, PAGE, MS_SYNC));
    T(msync(m, PAGE, 64));
    T(mincore(m, 4 * PAGE, vec));
    T(mincore(m + 1, PAGE, vec));
    T(mincore((void *)0x1000, PAGE, vec));
    T(mincore(m, PAGE, (void *)8));
    T(mlock(m, PAGE));
    T(munlock(m, PAGE));
    T(mlock((void *)0x1000, PAGE));
    T(mlockall(0));
    T(mlockall(8));
    T(munlockall());
    munmap(m, 4 * PAGE);
    char *top = sbrk(0);
    T(brk(top + 10 * PAGE));
    touch("heap", top + 9 * PAGE, 1);
    T(brk(top));
    touch("below", top + 9 * PAGE, 0);
    T(syscall(SYS_brk, 0) == (long)sbrk(0));
    T(syscall(SYS_brk, 4096) == (long)sbrk(0));
}

static void limits(void)
{
    fflush(stdout);
    if (fork() == 0) {
        struct rlimit l = {64 << 20, 64 << 20};
        setrlimit(RLIMIT_AS, &l);
        T(gives(mmap(NULL, 100 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
        T(gives(mmap(NULL, 10 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
        l = (struct rlimit){1 << 20, 1 << 20};
        setrlimit(RLIMIT_DATA, &l);
        T(sbrk(8 << 20) == (void *)-1);
        exit(0);
    }
    wait(NULL);
}

int main(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
    kinds();
    protections();
    remaps();
    copies_of_a_file();
    advice();
    limits();
    return 0;
}
