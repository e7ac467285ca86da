// SPDX-License-Identifier: MIT
// capget(2), capset(2): sets of capabilities, in three versions of their layout.
#include "ssi/linux/linux.h"
#include "mm/user.h"
#include "ssi/process/remote.h"

#define CAPABILITY_V1 0x19980330u
#define CAPABILITY_V2 0x20071026u
#define CAPABILITY_V3 0x20080522u

struct capability_header {
    uint32_t version;
    int32_t pid;
} PACKED;

enum { // words of a set
    CAPABILITY_EFFECTIVE,
    CAPABILITY_PERMITTED,
    CAPABILITY_INHERITABLE,
    CAPABILITY_SETS
};

struct capability_sets {
    uint32_t words[2][CAPABILITY_SETS];
};

static struct capability_sets sets_of(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    return (struct capability_sets){
        {{(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
         {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32),
          (uint32_t)(inheritable >> 32)}}};
}

// The header of both calls: bytes of the sets that its version means, 0 for a version that is not
// known (then the one that is has been written back), -EFAULT.
static long capability_header_in(uint32_t user, struct capability_header *h)
{
    int e = user_read(&h->version, user, sizeof(h->version));
    if (e < 0)
        return e;
    if (h->version == CAPABILITY_V1)
        return (long)sizeof(struct capability_sets) / 2;
    if (h->version == CAPABILITY_V2 || h->version == CAPABILITY_V3)
        return (long)sizeof(struct capability_sets);
    h->version = CAPABILITY_V3;
    e = user_write(user, &h->version, sizeof(h->version));
    return e < 0 ? e : 0;
}

static uint64_t set_of(const struct capability_sets *s, int which)
{
    return (s->words[0][which] | (uint64_t)s->words[1][which] << 32) & CAPABILITIES_ALL;
}

// Of any thread of this node, any process of the cluster: 0, -ESRCH. May sleep.
static int capabilities_of(int32_t id, struct capability_sets *s)
{
    struct remote_facts f;
    const struct task *t = id ? task_find(id) : task_current();
    const struct process *p = t ? t->process : process_find(id);
    const struct credentials *c = t ? t->cred : p ? &p->cred : NULL;
    if (id == PID_CLUSTER) {
        *s = sets_of(CAPABILITIES_ALL, CAPABILITIES_ALL, 0);
    } else if (c && p->state != PROCESS_MOVING) {
        *s = sets_of(c->effective, c->permitted, c->inheritable);
    } else {
        int e = remote_facts(id, &f);
        if (e < 0)
            return e;
        *s = sets_of(f.effective, f.permitted, f.inheritable);
    }
    return 0;
}

long sys_capget(struct call *c)
{
    struct capability_header h;
    long bytes = capability_header_in(c->args[0], &h);
    if (bytes < 0 || c->args[1] == 0) // without room for sets it is a question about the version
        return bytes < 0 ? bytes : 0;
    if (bytes == 0)
        return -EINVAL;
    int e = user_read(&h, c->args[0], sizeof(h));
    if (e < 0)
        return e;
    if (h.pid < 0)
        return -EINVAL;
    struct capability_sets s;
    e = capabilities_of(h.pid, &s);
    return e < 0 ? e : user_write(c->args[1], &s, (size_t)bytes);
}

long sys_capset(struct call *c)
{
    struct capability_header h;
    struct capability_sets new = {{{0}}};
    struct credentials *own = task_current()->cred, old = *own;
    long bytes = capability_header_in(c->args[0], &h);
    if (bytes <= 0)
        return bytes < 0 ? bytes : -EINVAL;
    int e = user_read(&h, c->args[0], sizeof(h));
    if (e < 0)
        return e;
    if (h.pid != 0 && h.pid != task_current()->tid)
        return -EPERM;
    e = user_read(&new, c->args[1], (size_t)bytes);
    if (e == 0)
        e = credentials_set_capabilities(own, set_of(&new, CAPABILITY_EFFECTIVE),
                                         set_of(&new, CAPABILITY_PERMITTED),
                                         set_of(&new, CAPABILITY_INHERITABLE));
    if (e == 0)
        process_credentials_changed(&old);
    return e;
}
