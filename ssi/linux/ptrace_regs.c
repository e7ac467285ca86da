// SPDX-License-Identifier: MIT
#include "ssi/linux/ptrace_regs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/process/frame.h"
#include "ssi/process/tls.h"
#include "ssi/process/tracee.h"

#define VECTOR_CALL   0x80u
#define FLAGS_OPEN    0x00050dd5u // what a tracer may set: CF PF AF ZF SF TF DF OF RF AC
#define SELECTOR_MASK 0xffffu

enum { // words of struct user_regs_struct
    REG_DS = 7,
    REG_GS = 10,
    REG_ORIG_EAX = 11,
    REG_EIP = 12,
    REG_CS = 13,
    REG_EFLAGS = 14,
    REG_ESP = 15,
    REG_SS = 16,
};

// The first eleven are in the order of struct arch_regs.
STATIC_ASSERT(offsetof(struct arch_regs, gs) == 4 * REG_GS, "user_regs_struct");

uint32_t ptrace_reg_get(const struct task *t, unsigned i)
{
    const struct arch_regs *r = t->regs;
    switch (i) {
    case REG_ORIG_EAX:
        return r->vector == VECTOR_CALL ? r->error : UINT32_MAX;
    case REG_EIP:
        return r->eip;
    case REG_CS:
        return r->cs & SELECTOR_MASK;
    case REG_EFLAGS:
        return r->eflags;
    case REG_ESP:
        return r->esp;
    case REG_SS:
        return r->ss & SELECTOR_MASK;
    }
    uint32_t v = (&r->ebx)[i];
    return i >= REG_DS ? v & SELECTOR_MASK : v;
}

static bool selector_good(uint32_t v, bool null_good)
{
    return (v & SELECTOR_MASK) == 0 ? null_good : (v & 3) == 3;
}

// The number of the call: at its entry the one to be done, at other stops, if not negative, the one
// to be run again when eax says so.
static void number_set(struct task *t, uint32_t value)
{
    t->regs->vector = VECTOR_CALL;
    t->regs->error = value;
    if (t->trace == NULL || !t->trace->in_call)
        t->call_left = true;
}

int ptrace_reg_set(struct task *t, unsigned i, uint32_t value)
{
    struct arch_regs *r = t->regs;
    switch (i) {
    case REG_ORIG_EAX:
        number_set(t, value);
        return 0;
    case REG_EIP:
        r->eip = value;
        return 0;
    case REG_EFLAGS:
        r->eflags = (r->eflags & ~FLAGS_OPEN) | (value & FLAGS_OPEN);
        return 0;
    case REG_ESP:
        r->esp = value;
        return 0;
    case REG_CS:
    case REG_SS:
        if (!selector_good(value, false))
            return -EIO;
        *(i == REG_CS ? &r->cs : &r->ss) = value & SELECTOR_MASK;
        arch_regs_sanitise(r);
        return 0;
    }
    if (i >= REG_DS && !selector_good(value, true))
        return -EIO;
    (&r->ebx)[i] = i >= REG_DS ? value & SELECTOR_MASK : value;
    return 0;
}

// ---- sets --------------------------------------------------------------------------------------
static int general_get(const struct task *t, void *to)
{
    uint32_t *w = to;
    for (unsigned i = 0; i < USER_REGS; i++)
        w[i] = ptrace_reg_get(t, i);
    return 0;
}

static int general_set(struct task *t, const void *from, uint32_t bytes)
{
    const uint32_t *w = from;
    int e = 0;
    for (unsigned i = 0; i < bytes / sizeof(*w) && e == 0; i++)
        e = ptrace_reg_set(t, i, w[i]);
    return e;
}

static int fp_get(const struct task *t, void *to)
{
    struct frame_fpstate fp;
    frame_fpu_out(&fp, &t->fpu);
    memcpy(to, &fp, USER_FP_BYTES);
    return 0;
}

static int fp_set(struct task *t, const void *from, uint32_t bytes)
{
    struct frame_fpstate fp;
    frame_fpu_out(&fp, &t->fpu);
    memcpy(&fp, from, bytes);
    frame_fpu_in(&t->fpu, &fp);
    return 0;
}

static int fpx_get(const struct task *t, void *to)
{
    memcpy(to, t->fpu.image, USER_FPX_BYTES);
    return 0;
}

static int fpx_set(struct task *t, const void *from, uint32_t bytes)
{
    memcpy(t->fpu.image, from, bytes);
    arch_fpu_sanitise(&t->fpu);
    return 0;
}

static int tls_sets_get(const struct task *t, void *to)
{
    struct user_desc *d = to;
    for (unsigned i = 0; i < USER_TLS_COUNT; i++) {
        d[i] = (struct user_desc){.entry_number = USER_TLS_MIN + i};
        (void)tls_get(&t->tls, &d[i]); // the number is good
    }
    return 0;
}

static int tls_sets_set(struct task *t, const void *from, uint32_t bytes)
{
    const struct user_desc *given = from;
    int e = 0;
    for (unsigned i = 0; i < bytes / sizeof(*given) && e == 0; i++) {
        struct user_desc d = given[i];
        d.entry_number = USER_TLS_MIN + i;
        e = tls_set(&t->tls, &d, false);
    }
    return e;
}

// XSAVE is not for programs here: OSXSAVE stays off.
static int xstate_get(const struct task *t, void *to)
{
    (void)t;
    (void)to;
    return -ENODEV;
}

static int xstate_set(struct task *t, const void *from, uint32_t bytes)
{
    (void)t;
    (void)from;
    (void)bytes;
    return -ENODEV;
}

static const struct ptrace_set sets[] = {
    {NT_PRSTATUS, 4, 4 * USER_REGS, general_get, general_set},
    {NT_PRFPREG, 4, USER_FP_BYTES, fp_get, fp_set},
    {NT_PRXFPREG, 4, USER_FPX_BYTES, fpx_get, fpx_set},
    {NT_386_TLS, sizeof(struct user_desc), USER_TLS_COUNT * sizeof(struct user_desc), tls_sets_get,
     tls_sets_set},
    {NT_X86_XSTATE, 8, PTRACE_SET_BYTES_MAX, xstate_get, xstate_set},
};

const struct ptrace_set *ptrace_set_of(uint32_t type)
{
    for (unsigned i = 0; i < sizeof(sets) / sizeof(*sets); i++) {
        if (sets[i].type == type)
            return &sets[i];
    }
    return NULL;
}
