// SPDX-License-Identifier: MIT
#include "ssi/process/credentials.h"
#include "lib/errno.h"
#include "lib/string.h"

// What goes and comes with file system user 0.
#define OF_FILES                                                                                   \
    (CAPABILITY_BIT(CAP_CHOWN) | CAPABILITY_BIT(CAP_DAC_OVERRIDE) |                                \
     CAPABILITY_BIT(CAP_DAC_READ_SEARCH) | CAPABILITY_BIT(CAP_FOWNER) |                            \
     CAPABILITY_BIT(CAP_FSETID) | CAPABILITY_BIT(CAP_LINUX_IMMUTABLE) |                            \
     CAPABILITY_BIT(CAP_MKNOD) | CAPABILITY_BIT(CAP_MAC_OVERRIDE))

static bool within(uint64_t set, uint64_t of)
{
    return (set & ~of) == 0;
}

void credentials_root(struct credentials *c)
{
    memset(c, 0, sizeof(*c));
    c->effective = c->permitted = c->bounding = CAPABILITIES_ALL;
}

bool credentials_valid(const struct credentials *c)
{
    return c->group_count <= FS_GROUPS_MAX && c->no_new_privileges <= 1 &&
           within(c->permitted | c->inheritable | c->bounding, CAPABILITIES_ALL) &&
           within(c->effective, c->permitted) && within(c->ambient, c->permitted & c->inheritable);
}

static bool any_root(const struct credentials *c)
{
    return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

void credentials_users_changed(struct credentials *c, const struct credentials *old)
{
    if (c->secure_bits & SECURE_NO_SETUID_FIXUP)
        return;
    if (any_root(old) && !any_root(c)) {
        if (!(c->secure_bits & SECURE_KEEP_CAPS))
            c->permitted = c->effective = 0;
        c->ambient = 0;
    }
    if (old->euid == 0 && c->euid != 0)
        c->effective = 0;
    if (old->euid != 0 && c->euid == 0)
        c->effective = c->permitted;
}

void credentials_fs_user_changed(struct credentials *c, const struct credentials *old)
{
    if (c->secure_bits & SECURE_NO_SETUID_FIXUP)
        return;
    if (old->fsuid == 0 && c->fsuid != 0)
        c->effective &= ~OF_FILES;
    if (old->fsuid != 0 && c->fsuid == 0)
        c->effective |= c->permitted & OF_FILES;
}

// No file has capabilities of its own here: only ids give some.
bool credentials_exec(struct credentials *c, uint32_t euid, uint32_t egid)
{
    bool root = !(c->secure_bits & SECURE_NO_ROOT), all = root && euid == 0;
    bool changed = euid != c->uid || egid != c->gid;
    uint64_t had = c->permitted;
    c->permitted = root && (euid == 0 || c->uid == 0) ? c->bounding | c->inheritable : 0;
    if (c->no_new_privileges && (changed || !within(c->permitted, had))) {
        euid = c->uid;
        egid = c->gid;
        c->permitted &= had;
    }
    if (changed)
        c->ambient = 0;
    c->permitted |= c->ambient;
    c->effective = all ? c->permitted : c->ambient;
    c->euid = c->suid = c->fsuid = euid;
    c->egid = c->sgid = c->fsgid = egid;
    c->secure_bits &= (uint8_t)~SECURE_KEEP_CAPS;
    return changed || (c->uid != 0 && (all || !within(c->permitted, c->ambient)));
}

int credentials_set_capabilities(struct credentials *c, uint64_t effective, uint64_t permitted,
                                 uint64_t inheritable)
{
    if (!credentials_can(c, CAP_SETPCAP) && !within(inheritable, c->inheritable | c->permitted))
        return -EPERM;
    if (!within(inheritable, c->inheritable | c->bounding) || !within(permitted, c->permitted) ||
        !within(effective, permitted))
        return -EPERM;
    c->effective = effective;
    c->permitted = permitted;
    c->inheritable = inheritable;
    c->ambient &= permitted & inheritable;
    return 0;
}

int credentials_drop_bounding(struct credentials *c, uint32_t which)
{
    if (!credentials_can(c, CAP_SETPCAP))
        return -EPERM;
    if (which > CAP_LAST)
        return -EINVAL;
    c->bounding &= ~CAPABILITY_BIT(which);
    return 0;
}

int credentials_set_secure_bits(struct credentials *c, uint32_t bits)
{
    uint32_t old = c->secure_bits;
    uint32_t locked = (old & SECURE_LOCKS) >> 1;
    if ((locked & (old ^ bits)) || (old & SECURE_LOCKS & ~bits) ||
        (bits & ~(uint32_t)(SECURE_BITS | SECURE_LOCKS)) || !credentials_can(c, CAP_SETPCAP))
        return -EPERM;
    c->secure_bits = (uint8_t)bits;
    return 0;
}

int credentials_keep(struct credentials *c, uint32_t on)
{
    if (on > 1)
        return -EINVAL;
    if (c->secure_bits & SECURE_KEEP_CAPS << 1)
        return -EPERM;
    c->secure_bits = (uint8_t)((c->secure_bits & ~SECURE_KEEP_CAPS) | (on ? SECURE_KEEP_CAPS : 0));
    return 0;
}

int credentials_ambient(struct credentials *c, uint32_t op, uint32_t which)
{
    enum {
        IS_SET = 1,
        RAISE = 2,
        LOWER = 3,
    };
    if (which > CAP_LAST)
        return -EINVAL;
    uint64_t bit = CAPABILITY_BIT(which);
    switch (op) {
    case IS_SET:
        return (c->ambient & bit) != 0;
    case RAISE:
        if (!(c->permitted & c->inheritable & bit) || (c->secure_bits & SECURE_NO_AMBIENT_RAISE))
            return -EPERM;
        c->ambient |= bit;
        return 0;
    case LOWER:
        c->ambient &= ~bit;
        return 0;
    }
    return -EINVAL;
}
