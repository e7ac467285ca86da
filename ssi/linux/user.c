// SPDX-License-Identifier: MIT
// Values that many calls take from and give to user memory: paths, times.
#include "ssi/linux/linux.h"
#include "ssi/linux/dispatch.h"
#include "kernel/timer.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"

#define PATH_USUAL_BYTES 256u // most paths fit, and a block of this size costs no page

static int path_in(uint32_t user, size_t size, char **path)
{
    char *p = heap_alloc(size);
    if (!p)
        return -ENOMEM;
    long n = user_read_string(p, user, size);
    if (n < 0) {
        heap_free(p);
        return (int)n;
    }
    *path = p;
    return 0;
}

int linux_path_in(uint32_t user, char **path)
{
    int e = path_in(user, PATH_USUAL_BYTES, path);
    return e == -ENAMETOOLONG ? path_in(user, PATH_MAX_BYTES, path) : e;
}

int linux_timespec_in(uint32_t user, bool wide, uint64_t *ns)
{
    struct linux_timespec64 t = {0};
    if (wide) {
        int e = user_read(&t, user, sizeof(t));
        if (e < 0)
            return e;
    } else {
        struct linux_timespec32 narrow;
        int e = user_read(&narrow, user, sizeof(narrow));
        if (e < 0)
            return e;
        t.seconds = narrow.seconds;
        t.nanoseconds = narrow.nanoseconds;
    }
    if (t.seconds < 0 || t.nanoseconds < 0 || t.nanoseconds >= (int32_t)NS_PER_S)
        return -EINVAL;
    // Beyond three centuries is for ever, and sums of two such times do not overflow.
    uint64_t seconds = MIN((uint64_t)t.seconds, UINT64_MAX / 2 / NS_PER_S);
    *ns = seconds * NS_PER_S + (uint32_t)t.nanoseconds;
    return 0;
}

int linux_timespec_out(uint32_t user, bool wide, uint64_t ns)
{
    if (wide) {
        struct linux_timespec64 t = {.seconds = (int64_t)(ns / NS_PER_S),
                                     .nanoseconds = (int32_t)(ns % NS_PER_S)};
        return user_write(user, &t, sizeof(t));
    }
    struct linux_timespec32 t = {(int32_t)(ns / NS_PER_S), (int32_t)(ns % NS_PER_S)};
    return user_write(user, &t, sizeof(t));
}

uint64_t linux_deadline(struct call *c, uint64_t relative_ns)
{
    if (relative_ns == UINT64_MAX && !c->deadline_ns) {
        c->deadline_ns = UINT64_MAX;
    } else if (!c->deadline_ns) {
        uint64_t now = cluster_clock_ns();
        c->deadline_ns = relative_ns > UINT64_MAX - now ? UINT64_MAX : now + relative_ns;
    }
    return c->deadline_ns;
}

uint64_t linux_deadline_local(uint64_t cluster_ns)
{
    if (cluster_ns == UINT64_MAX)
        return WAIT_FOREVER;
    uint64_t now = cluster_clock_ns();
    return clock_now_ns() + (cluster_ns > now ? cluster_ns - now : 0);
}
