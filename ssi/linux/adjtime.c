// SPDX-License-Identifier: MIT
// adjtimex(2), clock_adjtime(2): what they tell. The cluster's clock is disciplined by no program
// (PROTOCOLS 7), so the answer is that of a Linux whose clock nobody has adjusted; to adjust it is
// EPERM.
#include "ssi/linux/linux.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/clocks.h"

enum { // modes of adjtime(3)
    ADJ_OFFSET = 1,
    ADJ_ADJTIME = 0x8000,
    ADJ_ADJTIME_READ = 0xa001,
};

#define STA_UNSYNC   0x40
#define TIME_ERROR   5 // what the calls give: the clock is not synchronised
#define ERROR_US     16000000
#define TOLERANCE    (500 << 16) // ppm: how fast the clock may be slewed
#define TICK_US      10000
#define CONSTANT     2
#define PRECISION_US 1

struct timex32 {
    uint32_t modes;
    int32_t offset, frequency, max_error, estimated_error, status, constant, precision, tolerance;
    int32_t seconds, microseconds, tick, pps[2], shift, pps_more[5], tai, pad[11];
} PACKED;
STATIC_ASSERT(sizeof(struct timex32) == 128, "struct timex of i386");

struct timex64 {
    uint32_t modes, pad0;
    int64_t offset, frequency, max_error, estimated_error;
    int32_t status, pad1;
    int64_t constant, precision, tolerance, seconds, microseconds, tick, pps[2];
    int32_t shift, pad2;
    int64_t pps_more[5];
    int32_t tai, pad3[11];
} PACKED;
STATIC_ASSERT(sizeof(struct timex64) == 208, "struct __kernel_timex");

static int may(uint32_t modes)
{
    if ((modes & ADJ_ADJTIME) && !(modes & ADJ_OFFSET))
        return -EINVAL;
    return modes == 0 || (modes & ADJ_ADJTIME_READ) == ADJ_ADJTIME_READ ? 0 : -EPERM;
}

static long adjust(uint32_t at, bool wide)
{
    uint32_t modes;
    uint64_t now = cluster_real_ns();
    int e = user_read(&modes, at, sizeof(modes));
    if (e == 0)
        e = may(modes);
    if (e < 0)
        return e;
    struct timex64 w = {
        .modes = modes,
        .max_error = ERROR_US,
        .estimated_error = ERROR_US,
        .status = STA_UNSYNC,
        .constant = CONSTANT,
        .precision = PRECISION_US,
        .tolerance = TOLERANCE,
        .seconds = (int64_t)(now / NS_PER_S),
        .microseconds = (int64_t)(now % NS_PER_S / 1000),
        .tick = TICK_US,
    };
    struct timex32 n = {
        .modes = w.modes,
        .max_error = (int32_t)w.max_error,
        .estimated_error = (int32_t)w.estimated_error,
        .status = w.status,
        .constant = (int32_t)w.constant,
        .precision = (int32_t)w.precision,
        .tolerance = (int32_t)w.tolerance,
        .seconds = (int32_t)w.seconds,
        .microseconds = (int32_t)w.microseconds,
        .tick = (int32_t)w.tick,
    };
    e = wide ? user_write(at, &w, sizeof(w)) : user_write(at, &n, sizeof(n));
    return e < 0 ? e : TIME_ERROR;
}

static long adjust_clock(struct call *c, bool wide)
{
    uint32_t clock = c->args[0];
    if (clock == CLOCK_REALTIME)
        return adjust(c->args[1], wide);
    bool known = (int32_t)clock < 0 ? (clock & 7) != 3 // CPU time: not a descriptor's clock
                                    : clock <= CLOCK_TAI && clock != CLOCK_TAI - 1;
    return known ? -EOPNOTSUPP : -EINVAL;
}

long sys_adjtimex(struct call *c)
{
    return adjust(c->args[0], false);
}

long sys_clock_adjtime(struct call *c)
{
    return adjust_clock(c, false);
}

long sys_clock_adjtime64(struct call *c)
{
    return adjust_clock(c, true);
}
