// SPDX-License-Identifier: MIT
// futex_waitv, process_madvise, process_mrelease, pkey_mprotect; far: waits in memory of two nodes.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "said.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

struct wait_v {
    uint64_t value, at;
    uint32_t flags, reserved;
};

struct timespec_64 {
    int64_t seconds, nanoseconds;
};

static uint32_t own[4];
static uint32_t *words = own;

static struct wait_v wait_of(uint32_t *at, uint32_t value)
{
    return (struct wait_v){value, (uintptr_t)at, 2 | (words == own ? FUTEX_PRIVATE_FLAG : 0), 0};
}

static long wait_many(struct wait_v *v, unsigned count, const struct timespec_64 *until)
{
    return syscall(SYS_futex_waitv, v, count, 0, until, CLOCK_MONOTONIC);
}

static struct timespec_64 in_ms(int clock, long ms)
{
    struct timespec now;
    clock_gettime(clock, &now);
    long long ns = now.tv_nsec + ms * 1000000ll;
    return (struct timespec_64){now.tv_sec + ns / 1000000000, ns % 1000000000};
}

static void wrong(void)
{
    struct wait_v v[2] = {wait_of(&words[0], 0), wait_of(&words[1], 0)};
    struct timespec_64 bad = {0, 1000000000}, past = {1, 0};
    T(syscall(SYS_futex_waitv, v, 2, 1, &past, 1));
    T(syscall(SYS_futex_waitv, v, 0, 0, &past, 1));
    T(syscall(SYS_futex_waitv, v, 129, 0, &past, 1));
    T(syscall(SYS_futex_waitv, 0, 2, 0, &past, 1));
    T(syscall(SYS_futex_waitv, 8, 2, 0, &past, 1));
    T(syscall(SYS_futex_waitv, v, 2, 0, &past, 2));
    T(syscall(SYS_futex_waitv, v, 2, 0, &bad, 1));
    T(syscall(SYS_futex_waitv, v, 2, 0, 8, 1));
    T(wait_many(v, 2, &past));
    T(syscall(SYS_futex_waitv, v, 2, 0, &past, 0));
    v[1].value = 1;
    T(wait_many(v, 2, &past));
    v[1].at += 2;
    T(wait_many(v, 2, &past));
    v[0].value = 5;
    T(wait_many(v, 2, &past));
    v[1] = wait_of((uint32_t *)8, 0);
    T(wait_many(v, 2, &past));
    v[0].value = 0;
    T(wait_many(v, 2, &past));
    v[1] = wait_of(&words[1], 0);
    v[1].flags = 0;
    T(wait_many(v, 2, &past));
    v[1].flags = 2 | 64;
    T(wait_many(v, 2, &past));
    v[1] = wait_of(&words[1], 0);
    v[1].reserved = 1;
    T(wait_many(v, 2, &past));
}

static void on_alarm(int s)
{
    (void)s;
}

static void *wakes(void *which)
{
    do
        usleep(50000); // until it waits
    while (syscall(SYS_futex, &words[(uintptr_t)which], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0) == 0);
    return NULL;
}

static void *requeues(void *unused)
{
    (void)unused;
    do
        usleep(50000);
    while (syscall(SYS_futex, &words[1], FUTEX_REQUEUE_PRIVATE, 0, 1, &words[3], 0) == 0);
    syscall(SYS_futex, &words[3], FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
    return NULL;
}

static void waits(void)
{
    struct wait_v v[128];
    pthread_t t;
    for (int k = 0; k < 128; k++)
        v[k] = wait_of(&words[k % 3], 0);
    struct timespec_64 soon = in_ms(CLOCK_MONOTONIC, 30), late = in_ms(CLOCK_MONOTONIC, 60000);
    T(wait_many(v, 128, &soon));
    for (uintptr_t k = 0; k < 3; k++) {
        pthread_create(&t, NULL, wakes, (void *)k);
        T(wait_many(v, 3, k ? &late : NULL));
        pthread_join(t, NULL);
    }
    pthread_create(&t, NULL, requeues, NULL);
    T(wait_many(v, 3, &late));
    pthread_join(t, NULL);
    struct sigaction a = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &a, NULL);
    ualarm(30000, 30000);
    T(wait_many(v, 3, &late));
    a.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &a, NULL);
    ualarm(30000, 30000);
    soon = in_ms(CLOCK_MONOTONIC, 150);
    T(wait_many(v, 3, &soon));
    ualarm(0, 0);
}

static void advice(void)
{
    char *at = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(at + 4 * 4096, 4096);
    struct iovec v[2] = {{at, 4096}, {at + 4096, 4096}}, hole = {at + 3 * 4096, 8192},
                 odd = {at + 1, 4096};
    int me = (int)syscall(SYS_pidfd_open, getpid(), 0), f = open("/dev/null", O_RDONLY);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    int other = (int)syscall(SYS_pidfd_open, child, 0);
    strcpy(at, "kept");
    T(syscall(SYS_process_madvise, me, v, 2, MADV_COLD, 1));
    T(syscall(SYS_process_madvise, me, v, 2000, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, me, 8, 2, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, -1, v, 2, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, f, v, 2, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, me, v, 2, 9999, 0));
    T(syscall(SYS_process_madvise, me, v, 2, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, me, v, 2, MADV_PAGEOUT, 0));
    T(syscall(SYS_process_madvise, me, v, 2, MADV_WILLNEED, 0));
    T(syscall(SYS_process_madvise, me, &odd, 1, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, me, &hole, 1, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, other, v, 2, MADV_COLD, 0));
    T(syscall(SYS_process_madvise, other, v, 2, MADV_DONTNEED, 0));
    printf("%s\n", at);
    T(syscall(SYS_process_mrelease, me, 1));
    T(syscall(SYS_process_mrelease, -1, 0));
    T(syscall(SYS_process_mrelease, f, 0));
    T(syscall(SYS_process_mrelease, me, 0));
    T(syscall(SYS_process_mrelease, other, 0));
    kill(child, SIGKILL);
    long r = syscall(SYS_process_mrelease, other, 0); // or it was quicker
    printf("of one that is killed: %d\n", r == 0 || errno == ESRCH);
    waitpid(child, NULL, 0);
    T(syscall(SYS_process_mrelease, other, 0));
    T(syscall(SYS_process_madvise, other, v, 2, MADV_COLD, 0));
    close(f);
    close(me);
    close(other);
    munmap(at, 8 * 4096);
}

static void not_allowed(void)
{
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec v = {at, 4096};
    int other = (int)syscall(SYS_pidfd_open, getppid(), 0);
    T(setresuid(500, 500, 500));
    T(syscall(SYS_process_madvise, other, &v, 1, MADV_COLD, 0));
}

static void keys(void)
{
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(syscall(SYS_pkey_mprotect, at, 4096, PROT_READ, -1));
    T(syscall(SYS_pkey_mprotect, at + 1, 4096, PROT_READ, -1));
    T(syscall(SYS_pkey_mprotect, at, 0, PROT_READ, 77));
    T(syscall(SYS_pkey_mprotect, at, 4096, PROT_READ, 77));
    T(syscall(SYS_pkey_mprotect, at, 4096, 64, -1));
    T(syscall(SYS_pkey_alloc, 1, 0));
    T(syscall(SYS_pkey_alloc, 0, 4));
    T(syscall(SYS_pkey_free, 77));
    T(read(open("/dev/zero", O_RDONLY), at, 1));
}

// The child waits on the other node for words that this one changes.
static void far(void)
{
    words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    for (uint32_t k = 0; k < 3; k++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            move_to(1);
            struct wait_v v[3];
            __atomic_store_n(&words[3], 1, __ATOMIC_SEQ_CST);
            for (uint32_t i = 0; words[k] == 0; i++) {
                for (uint32_t n = 0; n < 3; n++)
                    v[n] = wait_of(&words[n], 0);
                long r = wait_many(v, 3, NULL);
                if (r != (long)k && !(r < 0 && errno == EAGAIN))
                    printf("waited: %ld %s\n", r, r < 0 ? strerrorname_np(errno) : "");
            }
            _exit(3);
        }
        while (__atomic_load_n(&words[3], __ATOMIC_SEQ_CST) == 0)
            usleep(1000);
        usleep(30000);
        words[k] = 1;
        syscall(SYS_futex, &words[k], FUTEX_WAKE, 1, 0, 0, 0);
        waitpid(child, &status, 0);
        printf("%u: %x\n", k, status);
        words[k] = words[3] = 0;
    }
}

static void facts(void)
{
    char text[32] = "";
    int f = open("/proc/sys/fs/aio-max-nr", O_RDONLY);
    T(syscall(SYS_arch_prctl, 0x1011, 0));
    T(syscall(SYS_arch_prctl, 0x1002, 0));
    T(syscall(SYS_arch_prctl, 0, 0));
    T(read(f, text, sizeof(text)) > 0 && atoi(text) >= 65536);
    close(f);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        far();
        return 0;
    }
    wrong();
    waits();
    advice();
    in_child(not_allowed);
    in_child(keys);
    facts();
    return 0;
}
