// SPDX-License-Identifier: MIT
// A node's half of coherence.def: what it holds of a page, and what it has asked for.
#include "ssi/container/coherence.h"
#include "ssi/container/coherence_priv.h"
#include "lib/mutant.h"

static void holder_set_held(struct coh_holder *p, struct coh_out *out, enum coh_held held)
{
    static const uint8_t next[] = {
#define COH_HELD(name, word, mask) [COH_HELD_##name] = (mask),
#include "ssi/container/coherence.def"
#undef COH_HELD
    };
    ASSERT(p->held == held || (next[p->held] >> held & 1));
    p->held = (uint8_t)held;
    out->is = (uint8_t)held;
}

void coh_holder_init(struct coh_holder *p)
{
    *p = (struct coh_holder){.held = COH_HELD_NONE, .asked = COH_RIGHT_NONE};
}

static void holder_answer(const struct coh_env *env, struct coh_out *out, node_id_t to,
                          enum coh_kind kind)
{
    coh_send_one(out, env, (struct coh_msg){.kind = (uint8_t)kind}, to);
}

static void holder_ask(struct coh_holder *p, const struct coh_env *env, struct coh_out *out)
{
    bool copy = p->held == COH_HELD_READER || p->held == COH_HELD_OWNER;
    struct coh_msg m = {.kind = p->asked == COH_RIGHT_WRITE ? COH_WRITE_REQ : COH_READ_REQ,
                        .flags = copy ? COH_HAS_COPY : 0};

    coh_send_one(out, env, m, env->home);
}

static void holder_nothing(struct coh_holder *p, const struct coh_env *env,
                           const struct coh_msg *in, struct coh_out *out)
{
    (void)p;
    (void)env;
    (void)in;
    (void)out;
}

// One request per node and page is out at a time; the threads behind it look again when it ends.
static void holder_fault(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    bool write = in->kind == COH_FAULT_WRITE;
    bool has = p->held == COH_HELD_WRITER ||
               (!write && (p->held == COH_HELD_READER || p->held == COH_HELD_OWNER));

    if (has) {
        out->effects = COH_DO_WAKE;
    } else if (p->asked == COH_RIGHT_NONE) {
        p->asked = write ? COH_RIGHT_WRITE : COH_RIGHT_READ;
        holder_ask(p, env, out);
    }
}

static void holder_refuse_grant(struct coh_holder *p, const struct coh_env *env,
                                struct coh_out *out, node_id_t home, bool push)
{
    holder_answer(env, out, home, COH_NAK);
    if (push)
        return;
    if (p->asked != COH_RIGHT_NONE)
        out->effects = COH_DO_BACK;
    p->asked = COH_RIGHT_NONE;
}

static void holder_first_touch(struct coh_holder *p, const struct coh_env *env,
                               const struct coh_msg *in, struct coh_out *out)
{
    if (!(in->flags & COH_FIRST) || p->asked == COH_RIGHT_NONE) {
        coh_refuse(out);
    } else if (!env->accept) {
        holder_refuse_grant(p, env, out, in->from, false);
    } else {
        p->asked = COH_RIGHT_NONE;
        holder_set_held(p, out, COH_HELD_WRITER);
        out->effects = COH_DO_FIRST | COH_DO_MAP_WRITE | COH_DO_WAKE;
        holder_answer(env, out, in->from, COH_INSTALLED);
    }
}

// The home knows that a copy is here: only the right changes, and a writer loses nothing.
static void holder_upgrade(struct coh_holder *p, const struct coh_env *env,
                           const struct coh_msg *in, struct coh_out *out)
{
    if ((in->flags & COH_FIRST) || p->asked == COH_RIGHT_NONE) {
        coh_refuse(out);
        return;
    }
    p->asked = COH_RIGHT_NONE;
    out->effects = COH_DO_WAKE;
    if (in->right == COH_RIGHT_WRITE) {
        holder_set_held(p, out, COH_HELD_WRITER);
        out->effects |= COH_DO_MAP_WRITE;
    }
    holder_answer(env, out, in->from, COH_INSTALLED);
}

// A push satisfies a request that crossed it but does not answer it: each request has one answer
// of its own (here a GRANT that finds the right in place), so there is never a second one out.
// Who has a copy already has a frame for it too, and may not refuse: the home would give the page
// back to its giver as the only copy.
static void holder_data(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                        struct coh_out *out)
{
    bool write = in->right == COH_RIGHT_WRITE;

    if (in->right == COH_RIGHT_NONE || in->node >= NODE_MAX) {
        coh_refuse(out);
        return;
    }
    if (!env->accept && p->held == COH_HELD_NONE) {
        holder_refuse_grant(p, env, out, in->node, in->flags & COH_PUSH);
        return;
    }
    if (!(in->flags & COH_PUSH) || MUTANT(11))
        p->asked = COH_RIGHT_NONE;
    holder_set_held(p, out, write ? COH_HELD_WRITER : COH_HELD_READER);
    out->effects = COH_DO_DATA | COH_DO_WAKE | (write ? COH_DO_MAP_WRITE : COH_DO_MAP_READ);
    if (!MUTANT(6)) // the confirmation is skipped
        holder_answer(env, out, in->node, COH_INSTALLED);
}

static void holder_forward(struct coh_holder *p, const struct coh_env *env,
                           const struct coh_msg *in, struct coh_out *out)
{
    struct coh_msg m = {
        .kind = COH_DATA, .right = in->right, .flags = in->flags & COH_PUSH, .node = in->from};

    if (in->right == COH_RIGHT_NONE || in->node >= NODE_MAX || in->node == env->self) {
        coh_refuse(out);
        return;
    }
    coh_send_one(out, env, m, in->node);
    if (in->right == COH_RIGHT_WRITE) {
        out->effects = COH_DO_UNMAP;
        holder_set_held(p, out, COH_HELD_GIVING);
        if (MUTANT(5)) { // the frame is freed when the page is sent
            out->effects |= COH_DO_DROP;
        }
    } else if (p->held == COH_HELD_WRITER && !MUTANT(12)) {
        out->effects = COH_DO_PROTECT;
        holder_set_held(p, out, COH_HELD_OWNER);
    }
}

static void holder_invalidate(struct coh_holder *p, const struct coh_env *env,
                              const struct coh_msg *in, struct coh_out *out)
{
    if (p->held != COH_HELD_NONE && !MUTANT(9)) {
        out->effects = COH_DO_UNMAP | COH_DO_DROP;
        holder_set_held(p, out, COH_HELD_NONE);
    }
    if (!MUTANT(4)) // the ack is dropped
        holder_answer(env, out, in->from, COH_INVALIDATED);
}

static void holder_release(struct coh_holder *p, const struct coh_env *env,
                           const struct coh_msg *in, struct coh_out *out)
{
    out->effects = COH_DO_DROP;
    holder_set_held(p, out, COH_HELD_NONE);
    holder_answer(env, out, in->from, COH_RELEASED);
}

// A request of ours that waits at the home stays there; its grant will find the right in place.
static void holder_keep(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                        struct coh_out *out)
{
    out->effects = COH_DO_MAP_WRITE | COH_DO_WAKE;
    holder_set_held(p, out, COH_HELD_WRITER);
    holder_answer(env, out, in->from, COH_RELEASED);
}

static void holder_own(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                       struct coh_out *out)
{
    holder_set_held(p, out, COH_HELD_OWNER);
    holder_answer(env, out, in->from, COH_OWNED);
}

static void holder_missing(struct coh_holder *p, const struct coh_env *env,
                           const struct coh_msg *in, struct coh_out *out)
{
    (void)p;
    holder_answer(env, out, in->from, COH_MISSING);
}

static void holder_lost(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                        struct coh_out *out)
{
    (void)env;
    (void)in;
    p->asked = COH_RIGHT_NONE;
    out->effects = COH_DO_FAIL;
}

static void holder_offer(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    (void)p;
    (void)in;
    holder_answer(env, out, env->home, COH_OFFER);
}

static void holder_shed(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                        struct coh_out *out)
{
    (void)p;
    (void)in;
    holder_answer(env, out, env->home, COH_LODGE);
}

// The old home has dropped our request, or (PUSH) our offer: the new one, env.home, gets it again.
static void holder_moved(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    bool owns = p->held == COH_HELD_OWNER || p->held == COH_HELD_WRITER;

    if (in->flags & COH_PUSH) {
        if (env->draining && owns)
            holder_offer(p, env, in, out);
    } else if (p->asked != COH_RIGHT_NONE) {
        holder_ask(p, env, out);
    }
}

// Between a request that says "I have a copy" and its answer the copy stays.
static void holder_evict(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    (void)env;
    (void)in;
    if (p->asked != COH_RIGHT_NONE && !MUTANT(19))
        return;
    out->effects = COH_DO_UNMAP | COH_DO_DROP;
    holder_set_held(p, out, COH_HELD_NONE);
}

static void holder_epoch(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    struct coh_msg m = {.kind = COH_REPORT, .held = p->held, .right = p->asked};

    (void)in;
    if (env->asked_elsewhere)
        m.right = COH_RIGHT_NONE;
    if (env->home_lost && (p->held != COH_HELD_NONE || m.right != COH_RIGHT_NONE))
        coh_send_one(out, env, m, env->home);
}

typedef void (*holder_cell)(struct coh_holder *p, const struct coh_env *env,
                            const struct coh_msg *in, struct coh_out *out);

static const holder_cell holder_cells[COH_HELDS][COH_KIND_MAX] = {
#define COH_HOLDER_CELL(held, kind, function) [COH_HELD_##held][COH_##kind] = function,
#include "ssi/container/coherence.def"
#undef COH_HOLDER_CELL
};

void coh_holder_step(struct coh_holder *p, const struct coh_env *env, const struct coh_msg *in,
                     struct coh_out *out)
{
    coh_out_init(out, p->held);
    holder_cell cell = in->kind < COH_KIND_MAX ? holder_cells[p->held][in->kind] : NULL;
    if (!cell || in->from >= NODE_MAX) {
        coh_refuse(out);
        return;
    }
    cell(p, env, in, out);
}

int coh_holder_check(const struct coh_holder *p)
{
    if (p->held >= COH_HELDS)
        return 1;
    if (p->asked > COH_RIGHT_WRITE)
        return 2;
    if (p->asked == COH_RIGHT_READ && (p->held == COH_HELD_READER))
        return 3; // 3: who can read does not ask to read (after KEEP an answer may be under way)
    return 0;
}
