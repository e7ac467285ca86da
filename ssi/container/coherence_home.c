// SPDX-License-Identifier: MIT
// The home's half of coherence.def: who owns a page, who has copies, and the one transition.
#include "ssi/container/coherence.h"
#include "ssi/container/coherence_priv.h"
#include "lib/mutant.h"

static void home_set_state(struct coh_home *h, struct coh_out *out, enum coh_home_state state)
{
    static const uint16_t next[] = {
#define COH_HOME_STATE(name, word, mask) [COH_HOME_##name] = (mask),
#include "ssi/container/coherence.def"
#undef COH_HOME_STATE
    };
    ASSERT(next[h->state] >> state & 1);
    h->state = (uint8_t)state;
    out->is = (uint8_t)state;
}

void coh_home_init(struct coh_home *h, node_id_t owner)
{
    *h = (struct coh_home){.state = COH_HOME_IDLE,
                           .owner = owner,
                           .target = NODE_NONE,
                           .giver = NODE_NONE,
                           .last = NODE_NONE};
    if (owner != NODE_NONE)
        node_set_add(&h->copies, owner);
}

void coh_home_init_rebuild(struct coh_home *h)
{
    coh_home_init(h, NODE_NONE);
    h->state = COH_HOME_REBUILDING;
}

static void home_wait(struct coh_home *h, node_id_t node, bool write)
{
    node_set_add(&h->waiting, node);
    if (write)
        node_set_add(&h->writers, node);
}

static void home_unwait(struct coh_home *h, node_id_t node)
{
    node_set_remove(&h->waiting, node);
    node_set_remove(&h->writers, node);
}

static void home_own(struct coh_home *h, node_id_t node)
{
    h->owner = node;
    h->offered = false;
}

// The grant itself, once no other copy stands in its way: without data for the first touch and
// for who has a copy, else the owner sends it.
static void home_grant(struct coh_home *h, const struct coh_env *env, struct coh_out *out)
{
    struct coh_msg m = {.kind = COH_GRANT, .right = h->right, .flags = h->flags};

    home_set_state(h, out, COH_HOME_GRANTING);
    if ((h->flags & COH_FIRST) || (node_set_has(&h->copies, h->target) && !(h->flags & COH_PUSH))) {
        coh_send_one(out, env, m, h->target);
        return;
    }
    h->giver = h->owner;
    m.kind = COH_FORWARD;
    m.node = h->target;
    coh_send_one(out, env, m, h->owner);
    if (MUTANT(3)) { // the page is free again as soon as it is forwarded
        if (h->right == COH_RIGHT_WRITE)
            node_set_clear(&h->copies);
        node_set_add(&h->copies, h->target);
        h->owner = h->right == COH_RIGHT_WRITE ? h->target : h->owner;
        h->target = h->giver = NODE_NONE;
        home_set_state(h, out, COH_HOME_IDLE);
    }
}

static void home_begin(struct coh_home *h, const struct coh_env *env, struct coh_out *out,
                       node_id_t target, enum coh_right right, uint8_t flags)
{
    h->target = target;
    h->right = (uint8_t)right;
    h->flags = flags;
    if (h->owner == NODE_NONE) {
        h->right = COH_RIGHT_WRITE;
        h->flags |= COH_FIRST;
    } else if (right == COH_RIGHT_WRITE) {
        h->pending = h->copies;
        node_set_remove(&h->pending, target);
        if (!node_set_has(&h->copies, target) || (flags & COH_PUSH))
            node_set_remove(&h->pending, h->owner);
        if (MUTANT(1)) // one copy is not told
            node_set_remove(&h->pending, node_set_first(&h->pending));
        if (!node_set_empty(&h->pending)) {
            home_set_state(h, out, COH_HOME_REVOKING);
            coh_send_set(out, env, (struct coh_msg){.kind = COH_INVALIDATE}, &h->pending);
            return;
        }
    }
    home_grant(h, env, out);
}

// Serves the next in turn, if the page is free and the gate open.
static void home_next(struct coh_home *h, const struct coh_env *env, struct coh_out *out)
{
    if (h->state != COH_HOME_IDLE || (env->closed && !MUTANT(15)))
        return;
    node_id_t node = node_set_cyclic(&h->waiting, h->last);
    if (node != NODE_NONE) {
        bool write = node_set_has(&h->writers, node) || env->only == node;
        home_unwait(h, node);
        h->last = node;
        home_begin(h, env, out, node, write ? COH_RIGHT_WRITE : COH_RIGHT_READ, 0);
    } else if (h->offered && env->push_to != NODE_NONE) {
        h->offered = false;
        if (env->push_to != h->owner)
            home_begin(h, env, out, env->push_to, COH_RIGHT_WRITE, COH_PUSH);
    }
}

static void home_idle(struct coh_home *h, const struct coh_env *env, struct coh_out *out)
{
    h->target = h->giver = NODE_NONE;
    h->flags = 0;
    h->right = COH_RIGHT_NONE;
    if (h->state != COH_HOME_IDLE)
        home_set_state(h, out, COH_HOME_IDLE);
    home_next(h, env, out);
}

// After a transition that may have lost the owner: a reader adopts the page, else the provider has
// it, else it is lost and everybody who waits is told.
static void home_settle(struct coh_home *h, const struct coh_env *env, struct coh_out *out)
{
    h->target = h->giver = NODE_NONE;
    if (h->owner != NODE_NONE) {
        home_idle(h, env, out);
    } else if (!node_set_empty(&h->copies)) {
        h->target = node_set_first(&h->copies);
        home_set_state(h, out, COH_HOME_ADOPTING);
        coh_send_one(out, env, (struct coh_msg){.kind = COH_OWN}, h->target);
    } else if (env->provider_keeps) {
        home_idle(h, env, out);
    } else {
        home_set_state(h, out, COH_HOME_LOST);
        h->offered = false;
        if (!node_set_empty(&h->waiting))
            coh_send_set(out, env, (struct coh_msg){.kind = COH_LOST}, &h->waiting);
        node_set_clear(&h->waiting);
        node_set_clear(&h->writers);
    }
}

// The giver's old frame must be gone, or be its own again, before anybody else is served: else,
// should this home die, a successor could take it for the latest.
static void home_dismiss_giver(struct coh_home *h, const struct coh_env *env, struct coh_out *out,
                               enum coh_kind kind)
{
    coh_send_one(out, env, (struct coh_msg){.kind = (uint8_t)kind}, h->giver);
    h->target = NODE_NONE;
    home_set_state(h, out, COH_HOME_RELEASING);
    if (MUTANT(13)) // not waited for
        home_idle(h, env, out);
}

static void home_request(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    // Readers drop their copies without a word; the next request of such a node says so.
    if (!(in->flags & COH_HAS_COPY) && in->from != h->owner && !MUTANT(7))
        node_set_remove(&h->copies, in->from);
    home_wait(h, in->from, in->kind == COH_WRITE_REQ);
    home_next(h, env, out);
}

// From others than the owner the offer is stale: the page left while it was on its way.
static void home_offer(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                       struct coh_out *out)
{
    if (in->from != h->owner)
        return;
    h->offered = true;
    home_next(h, env, out);
}

// Only what nobody else has or wants: who waits is served first, and frees a frame as well. The
// home takes pages of others itself; it knows somebody else for its own.
static void home_lodge(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                       struct coh_out *out)
{
    node_id_t to = in->from == env->self ? env->lodge_to : env->self;

    if (env->closed || h->owner != in->from || to == NODE_NONE || to == in->from ||
        node_set_count(&h->copies) != 1 || !node_set_empty(&h->waiting))
        return;
    home_begin(h, env, out, to, COH_RIGHT_WRITE, COH_PUSH);
}

static void home_open(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                      struct coh_out *out)
{
    (void)in;
    home_next(h, env, out);
}

// All other copies are gone. Did the one who wanted to write, and the content, live to see it?
static void home_revoked(struct coh_home *h, const struct coh_env *env, struct coh_out *out)
{
    bool upgrade = node_set_has(&h->copies, h->target) && !(h->flags & COH_PUSH);

    if (h->target != NODE_NONE && (upgrade || h->owner != NODE_NONE)) {
        home_grant(h, env, out);
        return;
    }
    if (h->target != NODE_NONE && !(h->flags & COH_PUSH))
        home_wait(h, h->target, true);
    home_settle(h, env, out);
}

static void home_invalidated(struct coh_home *h, const struct coh_env *env,
                             const struct coh_msg *in, struct coh_out *out)
{
    if (!node_set_has(&h->pending, in->from)) {
        coh_refuse(out);
        return;
    }
    node_set_remove(&h->pending, in->from);
    node_set_remove(&h->copies, in->from);
    if (h->owner == in->from) // only for an upgrade, whose target has the same content
        home_own(h, h->target);
    if (MUTANT(2)) // one ack is enough
        node_set_clear(&h->pending);
    if (node_set_empty(&h->pending))
        home_revoked(h, env, out);
}

static void home_installed(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                           struct coh_out *out)
{
    if (in->from != h->target) {
        coh_refuse(out);
        return;
    }
    if (h->right == COH_RIGHT_READ) {
        node_set_add(&h->copies, in->from);
        home_idle(h, env, out);
        return;
    }
    h->copies = node_set_of(in->from);
    home_own(h, in->from);
    if (h->giver != NODE_NONE)
        home_dismiss_giver(h, env, out, COH_RELEASE);
    else
        home_idle(h, env, out);
}

// The target cannot take it. Who upgrades has a frame and cannot refuse.
static void home_nak(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                     struct coh_out *out)
{
    if (in->from != h->target || (h->giver == NODE_NONE && !(h->flags & COH_FIRST))) {
        coh_refuse(out);
        return;
    }
    node_set_remove(&h->copies, in->from);
    if (h->giver != NODE_NONE && h->right == COH_RIGHT_WRITE && !MUTANT(10))
        home_dismiss_giver(h, env, out, COH_KEEP);
    else
        home_idle(h, env, out);
}

static void home_released(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                          struct coh_out *out)
{
    if (in->from == h->giver)
        home_settle(h, env, out);
    else
        coh_refuse(out);
}

static void home_owned(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                       struct coh_out *out)
{
    if (in->from != h->target) {
        coh_refuse(out);
        return;
    }
    node_set_add(&h->copies, in->from);
    home_own(h, in->from);
    home_idle(h, env, out);
}

static void home_missing(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    if (in->from != h->target) {
        coh_refuse(out);
        return;
    }
    node_set_remove(&h->copies, in->from);
    home_settle(h, env, out);
}

static void home_lost_request(struct coh_home *h, const struct coh_env *env,
                              const struct coh_msg *in, struct coh_out *out)
{
    (void)h;
    coh_send_one(out, env, (struct coh_msg){.kind = COH_LOST}, in->from);
}

static void home_gone(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                      struct coh_out *out)
{
    struct coh_msg m = {.kind = COH_MOVED, .node = env->home};

    (void)in;
    if (!node_set_empty(&h->waiting) && !MUTANT(16))
        coh_send_set(out, env, m, &h->waiting);
    m.flags = COH_PUSH;
    if (h->offered)
        coh_send_one(out, env, m, h->owner);
    node_set_clear(&h->waiting);
    node_set_clear(&h->writers);
    h->offered = false;
}

// ---- a new epoch: no message of the lost, and none between survivors from before it, is still
// ---- on its way that bears on what is decided here (coherence.h, rule 4)

static void home_forget(struct coh_home *h, const struct node_set *lost)
{
    node_set_minus(&h->copies, lost);
    node_set_minus(&h->waiting, lost);
    node_set_minus(&h->writers, lost);
    if (!MUTANT(8))
        node_set_minus(&h->pending, lost);
    if (node_set_has(lost, h->owner))
        home_own(h, NODE_NONE);
}

static void home_idle_epoch(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                            struct coh_out *out)
{
    bool touched = h->owner != NODE_NONE;

    (void)in;
    if (MUTANT(17)) // the entry is not checked against the new epoch
        return;
    home_forget(h, &env->lost);
    if (touched)
        home_settle(h, env, out);
}

static void home_revoking_epoch(struct coh_home *h, const struct coh_env *env,
                                const struct coh_msg *in, struct coh_out *out)
{
    (void)in;
    home_forget(h, &env->lost);
    if (node_set_has(&env->lost, h->target))
        h->target = NODE_NONE; // the revocation runs to its end, then nobody is granted
    if (node_set_empty(&h->pending))
        home_revoked(h, env, out);
}

static void home_granting_epoch(struct coh_home *h, const struct coh_env *env,
                                const struct coh_msg *in, struct coh_out *out)
{
    bool target_lost = node_set_has(&env->lost, h->target);
    bool giver_lost = h->giver != NODE_NONE && node_set_has(&env->lost, h->giver);

    (void)in;
    home_forget(h, &env->lost);
    if (target_lost && (h->flags & COH_FIRST)) {
        home_idle(h, env, out);
    } else if (target_lost && h->giver != NODE_NONE && !giver_lost && h->right == COH_RIGHT_WRITE) {
        home_dismiss_giver(h, env, out, COH_KEEP);
    } else if (target_lost || giver_lost) {
        if (!target_lost && !(h->flags & COH_PUSH))
            home_wait(h, h->target, h->right == COH_RIGHT_WRITE);
        home_settle(h, env, out);
    }
}

static void home_releasing_epoch(struct coh_home *h, const struct coh_env *env,
                                 const struct coh_msg *in, struct coh_out *out)
{
    (void)in;
    home_forget(h, &env->lost);
    if (node_set_has(&env->lost, h->giver))
        home_settle(h, env, out);
}

static void home_adopting_epoch(struct coh_home *h, const struct coh_env *env,
                                const struct coh_msg *in, struct coh_out *out)
{
    (void)in;
    home_forget(h, &env->lost);
    if (node_set_has(&env->lost, h->target))
        home_settle(h, env, out);
}

static void home_rebuilding_epoch(struct coh_home *h, const struct coh_env *env,
                                  const struct coh_msg *in, struct coh_out *out)
{
    (void)in;
    (void)out;
    home_forget(h, &env->lost);
    if (node_set_has(&env->lost, h->giver))
        h->giver = NODE_NONE;
}

static void home_report(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                        struct coh_out *out)
{
    bool owns = in->held == COH_HELD_OWNER || in->held == COH_HELD_WRITER;

    (void)env;
    if ((owns && h->owner != NODE_NONE) || (in->held == COH_HELD_GIVING && h->giver != NODE_NONE)) {
        coh_refuse(out);
        return;
    }
    if (owns)
        home_own(h, in->from);
    if (owns || in->held == COH_HELD_READER)
        node_set_add(&h->copies, in->from);
    if (in->held == COH_HELD_GIVING)
        h->giver = in->from;
    if (in->right != COH_RIGHT_NONE)
        home_wait(h, in->from, in->right == COH_RIGHT_WRITE);
}

// The home is not dead after all (it moved in time): what the survivor wants counts all the same.
static void home_late_report(struct coh_home *h, const struct coh_env *env,
                             const struct coh_msg *in, struct coh_out *out)
{
    bool copy = in->held == COH_HELD_READER || in->held == COH_HELD_OWNER;
    struct coh_msg request = {.kind = in->right == COH_RIGHT_WRITE ? COH_WRITE_REQ : COH_READ_REQ,
                              .flags = copy ? COH_HAS_COPY : 0,
                              .from = in->from};

    if (in->right == COH_RIGHT_NONE)
        return;
    if (h->state == COH_HOME_LOST)
        home_lost_request(h, env, &request, out);
    else
        home_request(h, env, &request, out);
}

// A copy anywhere is younger than what a giver keeps: it gave only after all copies were gone.
static void home_rebuilt(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                         struct coh_out *out)
{
    (void)in;
    if (h->giver == NODE_NONE) {
        home_settle(h, env, out);
    } else if (!node_set_empty(&h->copies) && !MUTANT(18)) {
        home_dismiss_giver(h, env, out, COH_RELEASE);
    } else {
        home_own(h, h->giver);
        node_set_add(&h->copies, h->giver);
        home_dismiss_giver(h, env, out, COH_KEEP);
    }
}

typedef void (*home_cell)(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                          struct coh_out *out);

static const home_cell home_cells[COH_HOME_STATES][COH_KIND_MAX] = {
#define COH_HOME_CELL(state, kind, function) [COH_HOME_##state][COH_##kind] = function,
#include "ssi/container/coherence.def"
#undef COH_HOME_CELL
};

void coh_home_step(struct coh_home *h, const struct coh_env *env, const struct coh_msg *in,
                   struct coh_out *out)
{
    coh_out_init(out, h->state);
    home_cell cell = in->kind < COH_KIND_MAX ? home_cells[h->state][in->kind] : NULL;
    if (!cell || in->from >= NODE_MAX) {
        coh_refuse(out);
        return;
    }
    cell(h, env, in, out);
}

bool coh_home_is_plain(const struct coh_home *h)
{
    return h->state == COH_HOME_IDLE && node_set_empty(&h->waiting) && !h->offered &&
           node_set_count(&h->copies) == (h->owner != NODE_NONE);
}

bool coh_home_is_busy(const struct coh_home *h)
{
    return h->state != COH_HOME_IDLE && h->state != COH_HOME_LOST;
}

int coh_home_check(const struct coh_home *h)
{
    struct node_set odd = h->writers;
    bool idle = h->state == COH_HOME_IDLE;

    node_set_minus(&odd, &h->waiting);
    if (h->state >= COH_HOME_STATES)
        return 1;
    if (!node_set_empty(&odd)) // 2: who waits to write waits
        return 2;
    if (idle && (h->target != NODE_NONE || h->giver != NODE_NONE || h->flags))
        return 3; // 3: nothing is left of the last transition
    if (node_set_empty(&h->pending) != (h->state != COH_HOME_REVOKING))
        return 4; // 4: acks are awaited in REVOKING and nowhere else
    if (h->owner != NODE_NONE && !node_set_has(&h->copies, h->owner))
        return 5; // 5: the owner has a copy
    if (idle && h->owner == NODE_NONE && !node_set_empty(&h->copies))
        return 6; // 6: an untouched page has no copies
    if (h->state == COH_HOME_GRANTING && h->target == NODE_NONE)
        return 7; // 7: a grant has a target
    if (h->state == COH_HOME_RELEASING && h->giver == NODE_NONE)
        return 8; // 8: a release has a giver
    if (h->state == COH_HOME_LOST && (h->owner != NODE_NONE || !node_set_empty(&h->waiting)))
        return 9; // 9: nobody owns a lost page, nobody waits for it
    return 0;
}
