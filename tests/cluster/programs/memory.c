// SPDX-License-Identifier: MIT
// Address space calls: mmap, mprotect, mremap, brk, madvise, and what fork makes of it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int got;

static void said(const char *what, long result)
{
    int error = result < 0 && result > -4096 ? errno : 0;
    printf("%s: %d errno %d\n", what, result < 0 && result > -4096 ? -1 : 0, error);
}

static void fault(int s)
{
    got = s;
    siglongjmp(back, 1);
}

static int touch(volatile char *p, int write)
{
    got = 0;
    if (sigsetjmp(back, 1) == 0) {
        if (write)
            *p = 1;
        else
            (void)*p;
    }
    return got;
}

static void maps(void)
{
    char *p = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("zero %d write %d\n", p[4096], touch(p, 1));
    said("hole", munmap(p + 4096, 4096));
    printf("hole %d beside %d %d\n", touch(p + 4096, 0), touch(p, 0), touch(p + 8192, 0));
    said("protect hole", mprotect(p, 3 * 4096, PROT_READ));
    said("protect", mprotect(p + 8192, 4096, PROT_READ));
    printf("write %d read %d\n", touch(p + 8192, 1), touch(p + 8192, 0));
    said("none", mprotect(p + 8192, 4096, PROT_NONE));
    printf("read %d\n", touch(p + 8192, 0));
    said("unaligned", mprotect(p + 1, 4096, PROT_READ));
    said("munmap unaligned", munmap(p + 1, 4096));
    said("munmap nothing", munmap(p, 0));
    said("munmap twice", munmap(p + 4096, 4096));
    said("no length", (long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    said("no type", (long)mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0));
    said("bad fd", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0));
    said("huge", (long)mmap(NULL, 0xfffff000u, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *f = mmap(p + 4096, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   -1, 0);
    printf("fixed %d\n", f == p + 4096);
    said("noreplace",
         (long)mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    said("fixed unaligned",
         (long)mmap(p + 1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static void files(void)
{
    char name[] = "/tmp/map.test";
    int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
    char text[6000];
    memset(text, 'a', sizeof(text));
    if (write(fd, text, sizeof(text)) != (long)sizeof(text))
        printf("short write\n");
    char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    printf("private %c tail %d\n", p[5999], p[6000]);
    printf("beyond %d\n", touch(p + 8192, 0) == SIGBUS);
    p[0] = 'x';
    char c;
    pread(fd, &c, 1, 0);
    printf("file keeps %c\n", c);
    munmap(p, 3 * 4096);
    char *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (s != MAP_FAILED) {
        s[1] = 'y';
        msync(s, 4096, MS_SYNC);
        pread(fd, &c, 1, 1);
        printf("file sees %c\n", c);
        pwrite(fd, "z", 1, 2);
        printf("map sees %c\n", s[2]);
        munmap(s, 4096);
    } else {
        printf("shared: %s\n", strerror(errno));
    }
    p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
    printf("offset %c %d\n", p[0], p[2000]);
    munmap(p, 4096);
    int r = open(name, O_RDONLY);
    said("shared write of read-only", (long)mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, r, 0));
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, r, 0);
    said("mprotect of it", mprotect(p, 4096, PROT_READ | PROT_WRITE));
    munmap(p, 4096);
    close(r);
    close(fd);
    unlink(name);
}

static void remaps(void)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 4; i++)
        p[i * 4096] = (char)('a' + i);
    char *q = mremap(p, 4 * 4096, 2 * 4096, 0);
    printf("shrunk %d, behind %d\n", q == p, touch(p + 2 * 4096, 0));
    q = mremap(p, 2 * 4096, 64 * 4096, MREMAP_MAYMOVE);
    printf("grown %c%c zero %d end %d\n", q[0], q[4096], q[5 * 4096], touch(q + 63 * 4096, 1));
    char *to = mmap(NULL, 64 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *r = mremap(q, 64 * 4096, 64 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, to);
    printf("moved %d %c %d\n", r == to, r[4096], touch(q, 0));
    said("bad flags", (long)mremap(r, 4096, 4096, 64));
    said("unmapped", (long)mremap(q, 4096, 8192, MREMAP_MAYMOVE));
    munmap(r, 64 * 4096);
}

static void breaks(void)
{
    char *b = sbrk(0);
    printf("grow %d\n", sbrk(100000) == b);
    b[99999] = 1;
    printf("zero %d\n", b[50000]);
    b[50000] = 7;
    sbrk(-100000);
    printf("back %d\n", sbrk(0) == b);
    sbrk(100000);
    printf("zero again %d\n", b[60000]);
    sbrk(-100000);
    said("too far", brk((void *)0xfffff000));
}

static void advice(void)
{
    char *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 5, 4 * 4096);
    said("dontneed", madvise(p + 4096, 8192, MADV_DONTNEED));
    printf("%d %d %d %d\n", p[0], p[4096], p[8192], p[3 * 4096]);
    said("bad advice", madvise(p, 4096, 7777));
    said("unaligned", madvise(p + 1, 4096, MADV_NORMAL));
    munmap(p + 4096, 4096);
    said("hole", madvise(p, 8192, MADV_DONTNEED));
    unsigned char in[4];
    p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[4096] = 1;
    said("mincore", mincore(p, 2 * 4096, in));
    printf("in %d\n", in[1] & 1);
}

static void forks(void)
{
    int status, *shared, *own;
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *own = 1;
    if (fork() == 0) {
        *shared = 11;
        *own = 22;
        if (fork() == 0) {
            *shared += 1;
            *own += 1;
            _exit(*own);
        }
        wait(&status);
        _exit(*own + WEXITSTATUS(status));
    }
    wait(&status);
    printf("shared %d own %d child %d\n", *shared, *own, WEXITSTATUS(status));
}

static int deep(int n)
{
    volatile char room[4096];
    room[0] = (char)n;
    return n ? deep(n - 1) + room[0] * 0 : 1;
}

static void stacks(void)
{
    int status;
    printf("deep %d\n", deep(1000));
    if (fork() == 0) {
        struct rlimit l = {1 << 20, 1 << 20};
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_STACK, &l);
        _exit(deep(1000) ? 1 : 2);
    }
    wait(&status);
    printf("beyond the limit %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    if (fork() == 0) {
        struct rlimit l = {64 << 20, 64 << 20};
        setrlimit(RLIMIT_AS, &l);
        void *p = mmap(NULL, 80 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        _exit(p == MAP_FAILED && errno == ENOMEM ? 7 : 8);
    }
    wait(&status);
    printf("address limit %d\n", WEXITSTATUS(status));
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    signal(SIGSEGV, fault);
    signal(SIGBUS, fault);
    maps();
    files();
    remaps();
    breaks();
    advice();
    forks();
    stacks();
    return 0;
}
