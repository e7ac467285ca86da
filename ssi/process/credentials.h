// SPDX-License-Identifier: MIT
// What a thread may: its ids and capabilities, and the rules by which they change (credentials(7),
// capabilities(7)). Each thread has its own; those of the leader stand for the process. Nothing
// here sleeps.
#pragma once

#include "lib/limits.h"
#include "ssi/fs/capability.h"
#include "ssi/fs/fs.h"

enum secure_bit { // prctl(PR_SET_SECUREBITS); each has a lock one bit higher
    SECURE_NO_ROOT = 1 << 0,
    SECURE_NO_SETUID_FIXUP = 1 << 2,
    SECURE_KEEP_CAPS = 1 << 4,
    SECURE_NO_AMBIENT_RAISE = 1 << 6,
    SECURE_BITS = 0x55,
    SECURE_LOCKS = 0xaa,
};

struct credentials { // goes into ghosts as it is
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    uint32_t group_count;
    uint32_t groups[FS_GROUPS_MAX];
    uint8_t secure_bits, no_new_privileges;
    uint16_t reserved;
    uint64_t effective, permitted, inheritable, bounding, ambient;
};
STATIC_ASSERT(sizeof(struct credentials) == 208, "credentials in a ghost");

void credentials_root(struct credentials *c); // all ids 0, all capabilities
// As they came with a ghost: false when they break the rules.
bool credentials_valid(const struct credentials *c);

// Is `of`, in all its ids, who `c` really is?
static inline bool credentials_own(const struct credentials *c, const struct credentials *of)
{
    return c->uid == of->uid && c->uid == of->euid && c->uid == of->suid && c->gid == of->gid &&
           c->gid == of->egid && c->gid == of->sgid;
}

static inline bool credentials_can(const struct credentials *c, enum capability what)
{
    return c->effective & CAPABILITY_BIT(what);
}

// The user ids of *c were `old`'s: what that does to its capabilities.
void credentials_users_changed(struct credentials *c, const struct credentials *old);
void credentials_fs_user_changed(struct credentials *c, const struct credentials *old);

// exec of a file that makes the effective ids `euid` and `egid`. True: the new program is to
// trust nothing that the old one left it (AT_SECURE).
bool credentials_exec(struct credentials *c, uint32_t euid, uint32_t egid);

// capset(2): 0, -EPERM.
int credentials_set_capabilities(struct credentials *c, uint64_t effective, uint64_t permitted,
                                 uint64_t inheritable);

// prctl(2): 0 or what is asked for, -EINVAL, -EPERM.
int credentials_drop_bounding(struct credentials *c, uint32_t which);
int credentials_set_secure_bits(struct credentials *c, uint32_t bits);
int credentials_keep(struct credentials *c, uint32_t on);
int credentials_ambient(struct credentials *c, uint32_t op, uint32_t which);
