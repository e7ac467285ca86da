// SPDX-License-Identifier: MIT
// Ranges of memory: edges and errors of mmap, mremap, madvise, mincore, msync, mlock, munmap,
// mprotect. (Only addresses that are
// out of reach for Linux i386 and for i386 programs of a 64-bit Linux.)
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
#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define TOP  ((char *)0xffffe000) // nowhere a program has anything

static sigjmp_buf back;
static int code;

static void on_fault(int s, siginfo_t *i, void *c)
{
    (void)s, (void)c;
    code = i->si_signo * 10 + i->si_code;
    siglongjmp(back, 1);
}

static int byte(volatile char *at) // its value, or -(signal * 10 + code)
{
    return sigsetjmp(back, 1) == 0 ? *at : -code;
}

static int put(volatile char *at, char v)
{
    return sigsetjmp(back, 1) == 0 ? (*at = v) : -code;
}

static char *pages(int n)
{
    return mmap(NULL, n * PAGE, RW, ANON, -1, 0);
}

static long gives(void *p)
{
    return p == MAP_FAILED ? -1 : (long)((uintptr_t)p % PAGE);
}

static void maps(void)
{
    int fd = open("/opt/spans-file", O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
    int dir = open("/opt", O_RDONLY), path = open("/opt/spans-file", O_PATH);
    ftruncate(fd, 2 * PAGE);
    pipe(p);
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 0x200000, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED | 0x200000, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, 4, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, 0, fd, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_PRIVATE, dir, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, path, 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, p[1], 0)));
    T(gives(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0)));
    T(gives(mmap(NULL, 0, PROT_READ, MAP_SHARED, -1, 0)));
    T(gives(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0)));
    T(gives(mmap(NULL, -1, PROT_READ, ANON, -1, 0)));
    T(gives(mmap(NULL, PAGE, 0x80, ANON, -1, 0)));
    T(gives(mmap(TOP, PAGE, RW, ANON | MAP_FIXED, -1, 0)));
    T(gives(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED, -1, 0)));
    T(gives(mmap((void *)1, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
    char *m = pages(6);
    T(mmap(m, PAGE, RW, ANON, -1, 0) != m);
    munmap(m + 2 * PAGE, PAGE);
    T(mmap(m + 2 * PAGE + 100, 10, RW, ANON, -1, 0) == m + 2 * PAGE);
    T(mmap(m + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED);
    munmap(m + 2 * PAGE, PAGE);
    T(gives(mmap(m + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
    T(gives(mmap(m + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
    T(gives(mmap(m + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)));
    T(gives(mmap(m + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE | MAP_FIXED, -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, ANON | MAP_HUGETLB | (63 << 26), -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN | MAP_ANONYMOUS, -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, ANON | MAP_NORESERVE | MAP_POPULATE | MAP_LOCKED, -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, ANON | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE, -1, 0)));
    T(gives(mmap(NULL, PAGE, RW, ANON, 77, 0)));
    char *f = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, PAGE);
    T(put(f, 'p'));
    T(pwrite(fd, "gone", 4, PAGE));
    T(byte(f));
    T(gives(mmap(m, 2 * PAGE, RW, MAP_FIXED | MAP_SHARED, fd, 0)));
    T(byte(m + PAGE));
    close(fd), close(dir), close(path), close(p[0]), close(p[1]);
    unlink("/opt/spans-file");
    munmap(m, 6 * PAGE);
}

static void remaps(void)
{
    int fd = open("/opt/spans-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 8 * PAGE);
    char *m = pages(8), *to = pages(8), *s, *n;
    strcpy(m, "first");
    strcpy(m + PAGE, "second");
    T(gives(mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m + PAGE)));
    T(gives(mremap(m + PAGE, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m)));
    T(gives(mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, m)));
    T(gives(mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + 1)));
    T(gives(mremap(m, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TOP)));
    T(gives(mremap(m, 0, PAGE, MREMAP_MAYMOVE)));
    T(gives(mremap(m, PAGE, 0, MREMAP_MAYMOVE)));
    T(gives(mremap(m, 0, 0, MREMAP_MAYMOVE)));
    T(gives(mremap(m, PAGE, 0xffffffff, MREMAP_MAYMOVE)));
    T(gives(mremap(m, 0xffffffff, PAGE, MREMAP_MAYMOVE)));
    T(gives(mremap(TOP, PAGE, PAGE, MREMAP_MAYMOVE)));
    T(mremap(m, PAGE, PAGE, 0) == m);
    T(mremap(m, 100, 200, 0) == m);
    munmap(m + 4 * PAGE, PAGE);
    T(gives(mremap(m, 3 * PAGE, 8 * PAGE, 0)));
    T(gives(mremap(m + 3 * PAGE, PAGE, 2 * PAGE, 0)));
    T(mremap(m + 3 * PAGE, PAGE, 2 * PAGE, 0) == m + 3 * PAGE);
    T(gives(mremap(m + 3 * PAGE, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE)));
    mprotect(m + PAGE, PAGE, PROT_READ);
    T(gives(mremap(m, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE)));
    T(gives(mremap(m, 2 * PAGE, PAGE, 0)));
    T(byte(m + PAGE));
    n = mremap(m, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
    T(n != m && n != MAP_FAILED);
    if (n != MAP_FAILED)
        printf("moved %s, left %d\n", n, byte(m));
    T(gives(mremap(to, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP)));
    T(gives(mremap(to, PAGE, PAGE, MREMAP_DONTUNMAP)));
    strcpy(to + PAGE, "third");
    T(mremap(to + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED,
             to + 4 * PAGE) == to + 4 * PAGE);
    printf("%s, %d\n", to + 4 * PAGE, byte(to + PAGE));
    s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
    strcpy(s, "shared");
    n = mremap(s, 0, 2 * PAGE, MREMAP_MAYMOVE);
    T(n != s && n != MAP_FAILED);
    if (n != MAP_FAILED) {
        printf("second view %s\n", n);
        strcpy(n, "both");
        printf("first view %s\n", s);
    }
    T(gives(mremap(s, 0, 2 * PAGE, 0)));
    n = mremap(s, 4 * PAGE, 10 * PAGE, MREMAP_MAYMOVE);
    T(gives(n));
    printf("%d %d %d\n", byte(n), byte(n + 7 * PAGE), byte(n + 8 * PAGE));
    s = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(s, "anonymous");
    n = mremap(s, 0, 2 * PAGE, MREMAP_MAYMOVE);
    T(n != s && n != MAP_FAILED);
    if (n != MAP_FAILED)
        printf("second view %s\n", n);
    n = mremap(s, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
    T(gives(n));
    if (n != MAP_FAILED)
        printf("behind a shared anonymous one %d\n", byte(n + 2 * PAGE));
    close(fd);
    unlink("/opt/spans-file");
}

static void advice(void)
{
    int fd = open("/opt/spans-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 4 * PAGE);
    char *m = pages(4), *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
    for (int a = 0; a <= 26; a++)
        if (a != 5 && a != 7 && a != 9 && !(a >= 12 && a <= 15))
            T(madvise(m, PAGE, a));
    memset(m, 'x', 4 * PAGE);
    memset(s, 'y', 4 * PAGE);
    T(madvise(m, 2 * PAGE, MADV_DONTNEED));
    printf("%d %d %d\n", m[0], m[PAGE], m[2 * PAGE]);
    T(madvise(m + 2 * PAGE, 100, MADV_DONTNEED));
    printf("%d %d\n", m[2 * PAGE + 200], m[3 * PAGE]);
    T(madvise(s, PAGE, MADV_DONTNEED));
    printf("%d\n", s[0]);
    T(madvise(s, PAGE, MADV_FREE));
    T(madvise(s, PAGE, MADV_REMOVE));
    printf("%d\n", s[0]);
    T(madvise(m, PAGE, MADV_REMOVE));
    T(madvise(m, -1, MADV_DONTNEED));
    T(madvise(m + 5, 0, MADV_NORMAL));
    T(madvise(TOP, PAGE, MADV_NORMAL));
    munmap(m + PAGE, PAGE);
    memset(m + 2 * PAGE, 'z', PAGE);
    T(madvise(m, 3 * PAGE, MADV_DONTNEED));
    printf("%d\n", m[2 * PAGE]);
    T(madvise(m, PAGE, MADV_POPULATE_WRITE));
    T(madvise(m, 3 * PAGE, MADV_POPULATE_READ));
    mprotect(m, PAGE, PROT_READ);
    T(madvise(m, PAGE, MADV_POPULATE_WRITE));
    T(madvise(m, PAGE, MADV_DONTFORK));
    T(madvise(m + 2 * PAGE, PAGE, MADV_WIPEONFORK));
    memset(m + 2 * PAGE, 'w', PAGE);
    fflush(stdout);
    if (fork() == 0) {
        printf("in the child %d %d\n", byte(m), byte(m + 2 * PAGE));
        exit(0);
    }
    wait(NULL);
    T(madvise(m, PAGE, MADV_DOFORK));
    T(madvise(m + 2 * PAGE, PAGE, MADV_KEEPONFORK));
    T(madvise(s, PAGE, MADV_WIPEONFORK));
    close(fd);
    unlink("/opt/spans-file");
}

static void syncs(void)
{
    int fd = open("/opt/spans-file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 4 * PAGE);
    unsigned char vec[8];
    char *m = pages(4), *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
    T(msync(s, PAGE, 0));
    T(msync(s, 0, MS_SYNC));
    T(msync(s + 1, 0, MS_SYNC));
    T(msync(s, PAGE, MS_ASYNC | MS_INVALIDATE));
    T(msync(s, PAGE, 8));
    T(msync(s, 0xfffff000, MS_SYNC));
    T(msync(TOP, PAGE, MS_SYNC));
    munmap(m + PAGE, PAGE);
    T(msync(m, 4 * PAGE, MS_SYNC));
    T(msync(m, 4 * PAGE, MS_ASYNC));
    T(mincore(m, 4 * PAGE, vec));
    T(mincore(m, 0, vec));
    T(mincore(m, 0xfffff000, vec));
    T(mincore(TOP, PAGE, vec));
    m[0] = 1;
    memset(vec, 0xff, sizeof(vec));
    T(mincore(m, 1, vec));
    printf("%x %x\n", vec[0], vec[1]);
    T(mincore(m + 2 * PAGE, 2 * PAGE, vec));
    printf("%x %x\n", vec[0], vec[1]);
    close(fd);
    unlink("/opt/spans-file");
}

static void locks(void)
{
    char *m = pages(4);
    munmap(m + PAGE, PAGE);
    T(mlock(m, PAGE));
    T(mlock(m + 100, 100));
    T(mlock(m, 0));
    T(mlock(m + 5, 0));
    T(mlock(m, 4 * PAGE));
    T(mlock(TOP, PAGE));
    T(munlock(m, 4 * PAGE));
    T(munlock(m, PAGE));
    T(syscall(SYS_mlock2, m, PAGE, 0));
    T(syscall(SYS_mlock2, m, PAGE, 1));
    T(syscall(SYS_mlock2, m, PAGE, 2));
    T(madvise(m, PAGE, MADV_DONTNEED));
    T(munlock(m, PAGE));
    T(madvise(m, PAGE, MADV_DONTNEED));
    T(mlockall(MCL_CURRENT));
    T(mlockall(MCL_ONFAULT));
    T(mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT));
    T(munlockall());
    fflush(stdout);
    if (fork() == 0) {
        struct rlimit l = {2 * PAGE, 2 * PAGE};
        char *big = pages(8);
        setrlimit(RLIMIT_MEMLOCK, &l);
        T(mlock(big, 4 * PAGE));
        T(munlock(big, 4 * PAGE));
        setuid(1000);
        T(mlock(big, PAGE));
        T(mlock(big, 2 * PAGE));
        T(mlock(big + 2 * PAGE, PAGE));
        T(munlock(big, PAGE));
        T(mlock(big + 2 * PAGE, PAGE));
        T(mlock(big, 4 * PAGE));
        T(mlockall(MCL_CURRENT));
        T(gives(mmap(NULL, 4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0)));
        T(munlockall());
        l = (struct rlimit){0, 0};
        setrlimit(RLIMIT_MEMLOCK, &l);
        T(mlock(big, PAGE));
        T(mlockall(MCL_CURRENT));
        T(gives(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0)));
        exit(0);
    }
    wait(NULL);
}

static void edges(void)
{
    char *m = pages(4), *g;
    T(munmap(TOP, PAGE));
    T(munmap(m, 0xffffffff));
    T(munmap(m, -PAGE));
    T(munmap(m + PAGE, 1));
    T(byte(m + PAGE + 5));
    T(mprotect(m, 4 * PAGE, PROT_READ));
    T(put(m, 1)); // what lay before the hole has changed
    T(put(m + 2 * PAGE, 1));
    T(mprotect(TOP, PAGE, PROT_READ));
    T(mprotect(m, 0xffffffff, PROT_READ));
    T(mprotect(m, PAGE, PROT_GROWSDOWN | PROT_GROWSUP));
    T(mprotect(m, PAGE, PROT_GROWSUP | PROT_READ));
    T(mprotect(m, PAGE, PROT_GROWSDOWN | PROT_READ));
    T(mprotect(m, PAGE, 8 | PROT_READ));
    T(mprotect(m + 1, 0, PROT_READ));
    T(mprotect(m + PAGE, 0, PROT_READ));
    g = mmap(NULL, 2 * PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0);
    T(mprotect(g + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
    T(put(g, 1));
}

int main(void)
{
    struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGSEGV, &a, NULL);
    sigaction(SIGBUS, &a, NULL);
    maps();
    remaps();
    advice();
    syncs();
    locks();
    edges();
    return 0;
}
