// SPDX-License-Identifier: MIT
// Of signals.c: handlers that write down what they see.
#pragma once

#include "twin.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

struct action { // as the kernel has it
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

#define CHANGES_MASK 0x100000 // a bit of a plan: the handler changes what is blocked afterwards

static const int usual[] = {1,  2,  3,  10, 12, 13, 14, 15, 17, 18, 20,
                            21, 22, 23, 28, 29, 30, 34, 35, 36, 50, 64};
static const int any[] = {0, -1, 65, 9,  19, 32, 33, 4,  5,  6, 7,
                          8, 11, 16, 24, 25, 26, 27, 31, 37, 63};
static const int harmless[] = {17, 18, 23, 28};

static char heard[8192];
static unsigned heard_length;
static volatile int depth, plan;
static char *stack, *window, *readable;
static int sfd = -1;

__attribute__((format(printf, 1, 2))) static void hear(const char *words, ...)
{
    va_list list;
    va_start(list, words);
    if (heard_length < sizeof(heard) - 256)
        heard_length += (unsigned)vsnprintf(heard + heard_length, 256, words, list);
    va_end(list);
}

static void report(void)
{
    if (heard_length)
        printf("%u:  %s\n", twin_step, heard);
    heard_length = 0;
    heard[0] = 0;
}

static uint64_t blocked(void)
{
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
    return mask;
}

static const char *where(const void *address)
{
    const char *a = address;
    return a >= stack && a < stack + 65536 ? "alt" : "main";
}

static void again(int sig)
{
    struct action now;
    syscall(SYS_rt_sigaction, sig, NULL, &now, 8);
    if (now.handler != SIG_DFL)
        return;
    hear(" reset %lx", now.flags);
    now.handler = SIG_IGN;
    syscall(SYS_rt_sigaction, sig, &now, NULL, 8);
}

static void follow_plan(ucontext_t *context)
{
    int now = plan;
    plan = 0;
    if (now & CHANGES_MASK && context)
        memset(&context->uc_sigmask, now & 0xff, 8);
    if (now && !(now & CHANGES_MASK)) {
        hear(" raise %d", now);
        syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), now);
    }
}

static void plain(int sig)
{
    int error = errno;
    hear(" [%d on %s mask %llx", sig, where(&error), (unsigned long long)blocked());
    again(sig);
    depth++;
    follow_plan(NULL);
    depth--;
    hear(" %d]", sig);
    errno = error;
}

static void informed(int sig, siginfo_t *info, void *more)
{
    int error = errno;
    ucontext_t *context = more;
    uint64_t before;
    memcpy(&before, &context->uc_sigmask, 8);
    hear(" [%d code %d", info->si_signo, info->si_code);
    if (info->si_code <= 0 || info->si_code == SI_KERNEL)
        hear(" errno %d", info->si_errno);
    if (info->si_code <= 0 && info->si_code != SI_TIMER)
        hear(" %s uid %d",
             info->si_pid == getpid() ? "self"
             : info->si_pid           ? "other"
                                      : "none",
             (int)info->si_uid);
    if (info->si_code < 0 && info->si_code != SI_TKILL)
        hear(" value %x", (unsigned)info->si_value.sival_int);
    // the flags of no stack at all depend on how the process began
    hear(" on %s mask %llx from %llx stack %x", where(&error), (unsigned long long)blocked(),
         (unsigned long long)before,
         context->uc_stack.ss_sp ? (unsigned)context->uc_stack.ss_flags : 0);
    again(sig);
    depth++;
    follow_plan(context);
    depth--;
    hear(" %d]", sig);
    errno = error;
}

static void *const handlers[] = {(void *)plain, (void *)informed, (void *)informed, SIG_IGN};
