// SPDX-License-Identifier: MIT
#include "ssi/process/pid.h"
#include "lib/errno.h"
#include "lib/string.h"

void pid_pool_init(struct pid_pool *p, uint32_t first)
{
    memset(p, 0, sizeof(*p));
    p->first = p->next = first;
}

static bool bit(const uint32_t *map, uint32_t n)
{
    return map[n / 32] >> (n % 32) & 1;
}

// Released numbers rest for at least one whole period of PID_REST_NS, at most two.
static void turn(struct pid_pool *p, uint64_t now_ns)
{
    uint64_t past = now_ns - p->turned_ns;
    if (past < PID_REST_NS)
        return;
    if (past < 2 * PID_REST_NS)
        memcpy(p->old, p->young, sizeof(p->old));
    else
        memset(p->old, 0, sizeof(p->old));
    memset(p->young, 0, sizeof(p->young));
    p->turned_ns = now_ns;
}

uint32_t pid_pool_take(struct pid_pool *p, uint64_t now_ns)
{
    turn(p, now_ns);
    for (uint32_t tried = 1; tried < PID_PER_NODE; tried++) {
        uint32_t n = p->next;
        p->next = n + 1 < PID_PER_NODE ? n + 1 : p->first;
        if (bit(p->used, n) || bit(p->young, n) || bit(p->old, n))
            continue;
        p->used[n / 32] |= 1u << (n % 32);
        return n;
    }
    return 0;
}

int pid_pool_claim(struct pid_pool *p, uint32_t n, uint64_t now_ns)
{
    turn(p, now_ns);
    if (n < p->first || n >= PID_PER_NODE)
        return -EINVAL;
    if (bit(p->used, n))
        return -EEXIST;
    if (bit(p->young, n) || bit(p->old, n))
        return -EBUSY;
    p->used[n / 32] |= 1u << (n % 32);
    return 0;
}

void pid_pool_release(struct pid_pool *p, uint32_t n, uint64_t now_ns)
{
    turn(p, now_ns);
    p->used[n / 32] &= ~(1u << (n % 32));
    p->young[n / 32] |= 1u << (n % 32);
}

bool pid_pool_used(const struct pid_pool *p, uint32_t n)
{
    return bit(p->used, n);
}
