// SPDX-License-Identifier: MIT
#include "ssi/process/owner.h"
#include "kernel/init.h"
#include "ssi/process/priv.h"

#define NEWS_MAX 6

// Signals whose positive codes are their own (siginfo.h of the ABI).
#define SIGNALS_OF_CODES                                                                           \
    (SIGBIT(SIGILL) | SIGBIT(SIGFPE) | SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGTRAP) |        \
     SIGBIT(SIGCHLD) | SIGBIT(SIGSYS))

bool owner_info_is(const struct signal_info *info)
{
    return info->code == SI_SIGIO || (info->code >= NEWS_IN && info->code <= NEWS_MAX &&
                                      !(SIGBIT(info->signal) & SIGNALS_OF_CODES));
}

static int32_t band_of(int code)
{
    switch (code) {
    case NEWS_IN:
        return POLL_IN | POLL_RDNORM;
    case NEWS_OUT:
        return POLL_OUT | POLL_WRNORM | POLL_WRBAND;
    case NEWS_PRI:
        return POLL_PRI | 0x80; // POLLRDBAND
    case NEWS_ERR:
        return POLL_ERR;
    }
    return POLL_HUP | POLL_ERR;
}

static void on_news(const struct file_owner *o, int code)
{
    struct signal_info info = {.signal = SIGIO, .code = SI_KERNEL};
    int32_t signal = o->facts.signal;
    if (code == NEWS_URGENT)
        info.signal = SIGURG;
    else if (signal)
        info = (struct signal_info){.signal = signal,
                                    .code = SIGBIT(signal) & SIGNALS_OF_CODES ? SI_SIGIO : code,
                                    .pid = band_of(code),
                                    .uid = (uint32_t)o->fd};
    owner_signal_soon(&o->facts, &info);
}

static void owner_init(void)
{
    file_on_news = on_news;
}
INIT_STEP(INIT_PROCESS, owner_init);
