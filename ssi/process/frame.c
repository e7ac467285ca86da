// SPDX-License-Identifier: MIT
#include "ssi/process/frame.h"
#include "ssi/process/priv.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/user.h"
#include "ssi/container/container.h"
#include "ssi/process/siginfo.h"
#include "ssi/process/sigreturn.h"

#define FLAGS_TF 0x100u
#define FLAGS_DF 0x400u
#define FLAGS_RF 0x10000u

// ---- siginfo_t ---------------------------------------------------------------------------------
void signal_info_out(uint8_t to[128], const struct signal_info *info)
{
    uint32_t w[32] = {(uint32_t)info->signal, (uint32_t)info->error, (uint32_t)info->code};
    bool fault = info->signal == SIGSEGV || info->signal == SIGBUS || info->signal == SIGILL ||
                 info->signal == SIGFPE || info->signal == SIGTRAP;
    if (fault && info->code > 0 && info->code != SI_KERNEL) {
        w[3] = info->address;
        w[4] = info->uid; // of a ptrace-stop
    } else {
        w[3] = (uint32_t)info->pid;
        w[4] = info->uid;
        w[5] = (uint32_t)(info->code > 0 ? info->status : info->value); // a child's
    }
    if (info->signal == SIGSYS && info->code == SYS_SECCOMP) {
        w[3] = info->address;
        w[4] = (uint32_t)info->value;  // the call
        w[5] = (uint32_t)info->status; // the architecture
    }
    memcpy(to, w, sizeof(w));
}

// ---- floating point: FSAVE image from FXSAVE image and back ------------------------------------
struct fxsave_head {
    uint16_t cw, sw;
    uint8_t tag, reserved;
    uint16_t opcode;
    uint32_t ip, cs, dp, ds, mxcsr, mxcsr_mask;
} PACKED;

// FXSAVE keeps one bit per register (used or empty); FSAVE wants valid, zero, special, empty.
static uint32_t tag_of(const uint8_t st[10])
{
    uint16_t exponent;
    uint64_t mantissa;
    memcpy(&mantissa, st, 8);
    memcpy(&exponent, st + 8, 2);
    exponent &= 0x7fff;
    if (exponent == 0x7fff || (exponent == 0 && mantissa != 0))
        return 2;
    if (exponent == 0)
        return 1;
    return mantissa >> 63 ? 0 : 2;
}

static uint32_t tags_out(const struct frame_fpstate *to, const struct fxsave_head *h)
{
    uint32_t tags = 0xffffffffu;
    if (h->tag == 0) // all empty, as in most programs
        return tags;
    for (unsigned i = 0; i < 8; i++) {
        unsigned physical = ((h->sw >> 11 & 7) + i) & 7;
        if (h->tag >> physical & 1)
            tags ^= (3 ^ tag_of(to->st[i])) << (2 * physical);
    }
    return tags;
}

static uint8_t tags_in(uint32_t tags)
{
    uint8_t in_use = 0;
    if ((tags & 0xffff) == 0xffff)
        return 0;
    for (unsigned i = 0; i < 8; i++)
        if ((tags >> (2 * i) & 3) != 3)
            in_use |= (uint8_t)(1u << i);
    return in_use;
}

void frame_fpu_out(struct frame_fpstate *to, const struct arch_fpu *f)
{
    struct fxsave_head h;
    memcpy(&h, f->image, sizeof(h));
    to->cw = h.cw | 0xffff0000u;
    to->sw = h.sw | 0xffff0000u;
    to->ipoff = h.ip;
    to->cssel = (h.cs & 0xffff) | (uint32_t)h.opcode << 16;
    to->dataoff = h.dp;
    to->datasel = h.ds | 0xffff0000u;
    for (unsigned i = 0; i < 8; i++)
        memcpy(to->st[i], f->image + 32 + 16 * i, 10);
    to->tag = tags_out(to, &h);
    to->status = h.sw;
    to->magic = 0; // the FXSAVE image follows
}

// `f` holds the FXSAVE image of the frame. The FSAVE part counts where both have a value, as on
// Linux.
void frame_fpu_in(struct arch_fpu *f, const struct frame_fpstate *from)
{
    struct fxsave_head h;
    memcpy(&h, f->image, sizeof(h));
    h.cw = (uint16_t)from->cw;
    h.sw = (uint16_t)from->sw;
    h.tag = tags_in(from->tag);
    for (unsigned i = 0; i < 8; i++)
        memcpy(f->image + 32 + 16 * i, from->st[i], 10);
    h.ip = from->ipoff;
    h.cs = from->cssel & 0xffff;
    h.opcode = (uint16_t)(from->cssel >> 16);
    h.dp = from->dataoff;
    h.ds = from->datasel & 0xffff;
    memcpy(f->image, &h, sizeof(h));
    arch_fpu_sanitise(f);
}

static int fpstate_push(struct task *t, uint32_t at)
{
    struct frame_fpstate fp;
    arch_fpu_save(&t->fpu);
    frame_fpu_out(&fp, &t->fpu);
    int e = user_write(at, &fp, sizeof(fp));
    return e < 0 ? e : user_write(at + (uint32_t)sizeof(fp), t->fpu.image, FRAME_FXSAVE_BYTES);
}

// What the task runs with is in the CPU: the image of a frame that cannot be read is of no account.
static int fpstate_pop(struct task *t, uint32_t at)
{
    struct frame_fpstate fp;
    if (!at) {
        arch_fpu_init(&t->fpu);
        arch_fpu_load(&t->fpu);
        return 0;
    }
    int e = user_read(&fp, at, sizeof(fp));
    if (e == 0)
        e = user_read(t->fpu.image, at + (uint32_t)sizeof(fp), FRAME_FXSAVE_BYTES);
    if (e == 0) {
        frame_fpu_in(&t->fpu, &fp);
        arch_fpu_load(&t->fpu);
    }
    return e;
}

// ---- registers ---------------------------------------------------------------------------------
static void context_out(struct frame_context *c, const struct arch_regs *r, sigset64 mask,
                        const struct signal_info *info, uint32_t fpstate)
{
    *c = (struct frame_context){
        .gs = r->gs,
        .fs = r->fs,
        .es = r->es,
        .ds = r->ds,
        .edi = r->edi,
        .esi = r->esi,
        .ebp = r->ebp,
        .esp = r->esp,
        .ebx = r->ebx,
        .edx = r->edx,
        .ecx = r->ecx,
        .eax = r->eax,
        .trapno = r->vector == 0x80 ? 0 : r->vector,
        .err = r->vector == 0x80 ? 0 : r->error,
        .eip = r->eip,
        .cs = r->cs,
        .eflags = r->eflags,
        .esp_at_signal = r->esp,
        .ss = r->ss,
        .fpstate = fpstate,
        .oldmask = (uint32_t)mask,
        .cr2 = info->address,
    };
}

static void context_in(struct arch_regs *r, const struct frame_context *c)
{
    r->gs = c->gs & 0xffff;
    r->fs = c->fs & 0xffff;
    r->es = c->es & 0xffff;
    r->ds = c->ds & 0xffff;
    r->edi = c->edi;
    r->esi = c->esi;
    r->ebp = c->ebp;
    r->esp = c->esp;
    r->ebx = c->ebx;
    r->edx = c->edx;
    r->ecx = c->ecx;
    r->eax = c->eax;
    r->eip = c->eip;
    r->cs = c->cs & 0xffff;
    r->eflags = c->eflags;
    r->ss = c->ss & 0xffff;
    arch_regs_sanitise(r);
}

// ---- the code a handler returns to -------------------------------------------------------------
// Of programs without SA_RESTORER it is the vDSO's. The words in the frame itself are for
// debuggers, which know a frame by them.
static const uint8_t retcode_plain[8] = {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80}; // pop, mov, int
static const uint8_t retcode_rt[8] = {0xb8, 173, 0, 0, 0, 0xcd, 0x80, 0};       // mov, int

static uint32_t restorer_of(const struct signal_action *a)
{
    if (a->flags & SA_RESTORER)
        return a->restorer;
    return a->flags & SA_SIGINFO ? VDSO_RT_SIGRETURN : VDSO_SIGRETURN;
}

// ---- building a frame --------------------------------------------------------------------------
static bool on_altstack(const struct task *t, uint32_t esp)
{
    return t->altstack_bytes && esp > t->altstack_at && esp - t->altstack_at <= t->altstack_bytes;
}

uint32_t frame_altstack_flags(const struct task *t)
{
    if (!t->altstack_bytes)
        return SS_DISABLE;
    return on_altstack(t, t->regs->esp) && !(t->altstack_flags & SS_AUTODISARM) ? SS_ONSTACK : 0;
}

// Where the frame of `bytes` begins, with the FPU state above it at *fpstate. 0: does not fit.
static uint32_t frame_place(const struct task *t, const struct signal_action *a, uint32_t bytes,
                            uint32_t *fpstate)
{
    uint32_t esp = t->regs->esp;
    bool was_on = on_altstack(t, esp) && !(t->altstack_flags & SS_AUTODISARM);
    if (a->flags & SA_ONSTACK && t->altstack_bytes && !was_on)
        esp = t->altstack_at + t->altstack_bytes;
    uint32_t need = bytes + FRAME_FPSTATE_BYTES + FRAME_ALIGNING_BYTES;
    if (esp < need)
        return 0;
    // The FXSAVE image, 112 bytes into the state, is 64-aligned.
    *fpstate = ALIGN_DOWN(esp - 512, 64u) - 112;
    uint32_t at = ALIGN_DOWN(*fpstate - bytes + 4, 16u) - 4;
    if (on_altstack(t, esp) && at < t->altstack_at)
        return 0; // overflow of the alternate stack
    return at;
}

static int push_plain(struct task *t, const struct signal_info *info, const struct signal_action *a,
                      sigset64 mask, uint32_t restorer)
{
    struct frame_plain_head head = {.pretcode = restorer, .signal = (uint32_t)info->signal};
    struct frame_plain_tail tail = {.mask_high = (uint32_t)(mask >> 32)};
    uint32_t fpstate;
    uint32_t at = frame_place(t, a, FRAME_PLAIN_BYTES, &fpstate);
    int e = at ? fpstate_push(t, fpstate) : -EFAULT;
    if (e < 0)
        return e;
    context_out(&head.context, t->regs, mask, info, fpstate);
    memcpy(tail.retcode, retcode_plain, sizeof(tail.retcode));
    e = user_write(at, &head, sizeof(head));
    if (e == 0)
        e = user_write(at + FRAME_PLAIN_TAIL_AT, &tail, sizeof(tail));
    if (e < 0)
        return e;
    t->regs->esp = at;
    t->regs->edx = t->regs->ecx = 0;
    return 0;
}

static int push_rt(struct task *t, const struct signal_info *info, const struct signal_action *a,
                   sigset64 mask, uint32_t restorer)
{
    struct frame_rt f = {.pretcode = restorer, .signal = (uint32_t)info->signal};
    uint32_t fpstate;
    uint32_t at = frame_place(t, a, sizeof(f), &fpstate);
    int e = at ? fpstate_push(t, fpstate) : -EFAULT;
    if (e < 0)
        return e;
    f.info_at = at + (uint32_t)offsetof(struct frame_rt, info);
    f.ucontext_at = at + (uint32_t)offsetof(struct frame_rt, ucontext);
    signal_info_out(f.info, info);
    f.ucontext.stack = (struct frame_stack){t->altstack_at, t->altstack_flags, t->altstack_bytes};
    context_out(&f.ucontext.context, t->regs, mask, info, fpstate);
    memcpy(f.ucontext.mask, &mask, sizeof(mask));
    memcpy(f.retcode, retcode_rt, sizeof(f.retcode));
    e = user_write(at, &f, sizeof(f));
    if (e < 0)
        return e;
    t->regs->esp = at;
    t->regs->edx = f.info_at;
    t->regs->ecx = f.ucontext_at;
    return 0;
}

int frame_push(struct task *t, const struct signal_info *info, const struct signal_action *a,
               sigset64 mask)
{
    uint32_t restorer = restorer_of(a);
    int e = a->flags & SA_SIGINFO ? push_rt(t, info, a, mask, restorer)
                                  : push_plain(t, info, a, mask, restorer);
    if (e < 0)
        return e;
    if (t->altstack_flags & SS_AUTODISARM) { // for good if the frame is not rt: it does not keep it
        t->altstack_at = t->altstack_bytes = 0;
        t->altstack_flags = SS_DISABLE;
    }
    struct arch_regs *r = t->regs;
    r->eax = (uint32_t)info->signal;
    r->eip = a->handler;
    r->cs = USER_CS;
    r->ds = r->es = r->ss = USER_DS;
    r->eflags &= ~(FLAGS_DF | FLAGS_RF | FLAGS_TF);
    return 0;
}

// ---- and back ----------------------------------------------------------------------------------
static void bad_frame(struct task *t)
{
    signal_force(t, &(struct signal_info){.signal = SIGSEGV, .code = SI_KERNEL});
}

void frame_pop_plain(struct task *t)
{
    struct {
        struct frame_context context;
        uint32_t mask_high;
    } f;
    uint32_t at = t->regs->esp - 8; // the restorer popped pretcode and the signal number
    int e = user_read(&f.context, at + (uint32_t)offsetof(struct frame_plain_head, context),
                      sizeof(f.context));
    if (e == 0)
        e = user_read(&f.mask_high, at + FRAME_PLAIN_TAIL_AT, sizeof(f.mask_high));
    if (e == 0)
        e = fpstate_pop(t, f.context.fpstate);
    if (e < 0) {
        bad_frame(t);
        return;
    }
    signal_mask_set(t, f.context.oldmask | (sigset64)f.mask_high << 32);
    context_in(t->regs, &f.context);
}

void frame_pop_rt(struct task *t)
{
    struct frame_ucontext u;
    uint32_t at = t->regs->esp - 4; // the handler's return popped pretcode
    int e = user_read(&u, at + (uint32_t)offsetof(struct frame_rt, ucontext), sizeof(u));
    if (e == 0)
        e = fpstate_pop(t, u.context.fpstate);
    if (e < 0) {
        bad_frame(t);
        return;
    }
    sigset64 mask;
    memcpy(&mask, u.mask, sizeof(mask));
    signal_mask_set(t, mask);
    context_in(t->regs, &u.context);
    t->altstack_at = u.stack.flags & SS_DISABLE ? 0 : u.stack.at;
    t->altstack_bytes = u.stack.flags & SS_DISABLE ? 0 : u.stack.bytes;
    t->altstack_flags = u.stack.flags;
}
