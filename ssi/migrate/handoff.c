// SPDX-License-Identifier: MIT
// The rows of handoff.def.
#include "ssi/migrate/handoff.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/mutant.h"
#include "lib/string.h"

static void set_state(uint8_t *at, struct handoff_out *out, enum handoff_state state)
{
    static const uint8_t next[] = {
#define HANDOFF_STATE(name, word, mask) [HANDOFF_##name] = (mask),
#include "ssi/migrate/handoff.def"
#undef HANDOFF_STATE
    };
    ASSERT(next[*at] >> state & 1);
    *at = (uint8_t)state;
    out->is = (uint8_t)state;
}

static struct handoff_send *send_to(struct handoff_out *out, node_id_t to, enum handoff_kind kind,
                                    uint32_t incarnation, uint32_t attempt)
{
    ASSERT(out->sends < HANDOFF_SENDS_MAX);
    struct handoff_send *s = &out->send[out->sends++];
    *s = (struct handoff_send){.kind = (uint8_t)kind,
                               .to = to,
                               .node = NODE_NONE,
                               .incarnation = incarnation,
                               .attempt = attempt};
    return s;
}

static void tell_birth(struct handoff_out *out, const struct handoff_event *in,
                       enum handoff_kind kind, node_id_t node, uint32_t incarnation)
{
    send_to(out, in->birth, kind, incarnation, 0)->node = node;
}

static void answer(struct handoff_out *out, int error)
{
    out->effects |= HANDOFF_DO_ANSWER;
    out->answer = error;
}

// ---- the source

void handoff_source_init(struct handoff_source *s, uint32_t incarnation, uint32_t attempt)
{
    *s = (struct handoff_source){
        .state = HANDOFF_NONE, .target = NODE_NONE, .incarnation = incarnation, .attempt = attempt};
}

static void source_send(const struct handoff_source *s, struct handoff_out *out,
                        enum handoff_kind kind)
{
    send_to(out, s->target, kind, s->incarnation, s->attempt);
}

static void source_nothing(struct handoff_source *s, const struct handoff_event *in,
                           struct handoff_out *out)
{
    (void)s;
    (void)in;
    (void)out;
}

static void source_start(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out)
{
    s->target = in->node;
    set_state(&s->state, out, HANDOFF_CHECK);
    source_send(s, out, HANDOFF_CHECK_REQ_K);
}

// The end of a hand-off that did not come to COMMIT: the process never left.
static void source_stays(struct handoff_source *s, struct handoff_out *out, int error)
{
    if (s->state != HANDOFF_CHECK)
        out->effects |= HANDOFF_DO_CONTINUE;
    answer(out, error);
    set_state(&s->state, out, HANDOFF_NONE);
}

static void source_gives_up(struct handoff_source *s, struct handoff_out *out, int error)
{
    if (!MUTANT(38)) // the target's reservation is forgotten
        source_send(s, out, HANDOFF_CANCEL_K);
    source_stays(s, out, error);
}

// A target that asks for a hand-off that ended here before COMMIT, its CANCEL was lost.
static void source_unknown(struct handoff_source *s, const struct handoff_event *in,
                           struct handoff_out *out)
{
    send_to(out, in->from, HANDOFF_CANCEL_K, s->incarnation, s->attempt);
}

static void source_forget(struct handoff_source *s, const struct handoff_event *in,
                          struct handoff_out *out)
{
    send_to(out, in->from, HANDOFF_FORGET_K, s->incarnation, s->attempt);
}

static void source_check_again(struct handoff_source *s, const struct handoff_event *in,
                               struct handoff_out *out)
{
    (void)in;
    source_send(s, out, HANDOFF_CHECK_REQ_K);
}

static void source_checked(struct handoff_source *s, const struct handoff_event *in,
                           struct handoff_out *out)
{
    (void)in;
    set_state(&s->state, out, HANDOFF_FREEZE);
    out->effects = HANDOFF_DO_FREEZE;
}

static void source_refused(struct handoff_source *s, const struct handoff_event *in,
                           struct handoff_out *out)
{
    source_stays(s, out, in->error < 0 ? in->error : -EBUSY);
}

static void source_abort(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out)
{
    source_gives_up(s, out, in->error < 0 ? in->error : -EBUSY);
}

static void source_frozen(struct handoff_source *s, const struct handoff_event *in,
                          struct handoff_out *out)
{
    if (in->error) {
        source_gives_up(s, out, in->error);
        return;
    }
    set_state(&s->state, out, HANDOFF_SHIP);
    out->effects = HANDOFF_DO_BUILD;
}

static void source_built(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out)
{
    if (in->error) {
        source_gives_up(s, out, in->error);
        return;
    }
    set_state(&s->state, out, HANDOFF_READY);
    source_send(s, out, HANDOFF_GHOST_K);
}

// POINT OF NO RETURN: from this state change on the process is the target's, whatever happens.
static void source_commit(struct handoff_source *s, const struct handoff_event *in,
                          struct handoff_out *out)
{
    set_state(&s->state, out, HANDOFF_COMMIT);
    source_send(s, out, HANDOFF_COMMIT_K);
    if (!MUTANT(35))
        tell_birth(out, in, HANDOFF_LOCATION_K, s->target, s->incarnation + 1);
}

// The target says where it is: it has only its reservation when the ghost was lost.
static void source_ready_asked(struct handoff_source *s, const struct handoff_event *in,
                               struct handoff_out *out)
{
    if (in->state == HANDOFF_READY)
        source_commit(s, in, out);
    else if (in->state == HANDOFF_CHECK)
        source_send(s, out, HANDOFF_GHOST_K);
}

static void source_ask(struct handoff_source *s, const struct handoff_event *in,
                       struct handoff_out *out)
{
    (void)in;
    if (MUTANT(34)) { // gives up because the link was broken
        source_stays(s, out, -EHOSTDOWN);
        return;
    }
    source_send(s, out, HANDOFF_ASK_K);
}

static void source_commit_again(struct handoff_source *s, const struct handoff_event *in,
                                struct handoff_out *out)
{
    (void)in;
    source_send(s, out, HANDOFF_COMMIT_K);
}

static void source_running(struct handoff_source *s, const struct handoff_event *in,
                           struct handoff_out *out)
{
    (void)in;
    set_state(&s->state, out, HANDOFF_RESUME);
    out->effects = HANDOFF_DO_FREE;
    answer(out, 0);
    source_send(s, out, HANDOFF_FORGET_K);
}

static void source_freed(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out)
{
    (void)in;
    set_state(&s->state, out, HANDOFF_NONE);
}

static void source_epoch_before(struct handoff_source *s, const struct handoff_event *in,
                                struct handoff_out *out)
{
    if (node_set_has(&in->lost, s->target) && !(MUTANT(39) && s->state == HANDOFF_READY))
        source_stays(s, out, -EHOSTDOWN);
}

// The target died with the process, whether it ran there or not: never replayed. A new keeper of
// the birth table has to be told where the process is.
static void source_epoch_after(struct handoff_source *s, const struct handoff_event *in,
                               struct handoff_out *out)
{
    if (!node_set_has(&in->lost, s->target)) {
        tell_birth(out, in, HANDOFF_LOCATION_K, s->target, s->incarnation + 1);
        return;
    }
    if (MUTANT(31)) { // the process comes back from the dead
        source_stays(s, out, -EHOSTDOWN);
        return;
    }
    out->effects = HANDOFF_DO_FREE;
    answer(out, -EHOSTDOWN);
    tell_birth(out, in, HANDOFF_DEAD_K, s->target, s->incarnation + 1);
    set_state(&s->state, out, HANDOFF_RESUME);
}

// ---- the target

void handoff_target_init(struct handoff_target *t, uint32_t incarnation, uint32_t attempt)
{
    *t = (struct handoff_target){
        .state = HANDOFF_NONE, .source = NODE_NONE, .incarnation = incarnation, .attempt = attempt};
}

static struct handoff_send *target_send(const struct handoff_target *t, struct handoff_out *out,
                                        enum handoff_kind kind)
{
    return send_to(out, t->source, kind, t->incarnation, t->attempt);
}

static void target_nothing(struct handoff_target *t, const struct handoff_event *in,
                           struct handoff_out *out)
{
    (void)t;
    (void)in;
    (void)out;
}

// Its REFUSED was lost with the link: said again.
static void target_unknown(struct handoff_target *t, const struct handoff_event *in,
                           struct handoff_out *out)
{
    send_to(out, in->from, HANDOFF_REFUSED_K, t->incarnation, t->attempt)->error = -ECANCELED;
}

static void target_check(struct handoff_target *t, const struct handoff_event *in,
                         struct handoff_out *out)
{
    t->source = in->from;
    t->checked = false;
    set_state(&t->state, out, HANDOFF_CHECK);
    out->effects = HANDOFF_DO_CHECK;
}

static void target_check_again(struct handoff_target *t, const struct handoff_event *in,
                               struct handoff_out *out)
{
    (void)in;
    if (t->checked)
        target_send(t, out, HANDOFF_CHECK_OK_K);
}

static void target_checked(struct handoff_target *t, const struct handoff_event *in,
                           struct handoff_out *out)
{
    if (in->error) {
        target_send(t, out, HANDOFF_REFUSED_K)->error = in->error;
        set_state(&t->state, out, HANDOFF_NONE);
        return;
    }
    t->checked = true;
    target_send(t, out, HANDOFF_CHECK_OK_K);
}

static void target_import(struct handoff_target *t, const struct handoff_event *in,
                          struct handoff_out *out)
{
    (void)in;
    if (!t->checked) {
        out->refused = true;
        return;
    }
    set_state(&t->state, out, HANDOFF_SHIP);
    out->effects = HANDOFF_DO_IMPORT;
}

static void target_cancel(struct handoff_target *t, const struct handoff_event *in,
                          struct handoff_out *out)
{
    (void)in;
    if (t->checked)
        out->effects = HANDOFF_DO_UNRESERVE;
    set_state(&t->state, out, HANDOFF_NONE);
}

static void target_ask(struct handoff_target *t, const struct handoff_event *in,
                       struct handoff_out *out)
{
    (void)in;
    target_send(t, out, HANDOFF_STILL_K)->state = t->state;
}

static void target_run(struct handoff_target *t, const struct handoff_event *in,
                       struct handoff_out *out)
{
    out->effects = HANDOFF_DO_RUN;
    set_state(&t->state, out, HANDOFF_RESUME);
    target_send(t, out, HANDOFF_RUNNING_K);
    if (!MUTANT(36))
        tell_birth(out, in, HANDOFF_LOCATION_K, NODE_NONE, t->incarnation + 1);
}

static void target_imported(struct handoff_target *t, const struct handoff_event *in,
                            struct handoff_out *out)
{
    if (in->error) {
        out->effects = HANDOFF_DO_DISCARD;
        target_send(t, out, HANDOFF_REFUSED_K)->error = in->error;
        set_state(&t->state, out, HANDOFF_NONE);
        return;
    }
    set_state(&t->state, out, HANDOFF_READY);
    target_send(t, out, HANDOFF_IS_READY_K);
    if (MUTANT(32)) // does not wait for the source's decision
        target_run(t, in, out);
}

static void target_commit(struct handoff_target *t, const struct handoff_event *in,
                          struct handoff_out *out)
{
    target_run(t, in, out);
    if (MUTANT(40)) // the record goes before the source knows
        set_state(&t->state, out, HANDOFF_NONE);
}

static void target_ready_again(struct handoff_target *t, const struct handoff_event *in,
                               struct handoff_out *out)
{
    (void)in;
    target_send(t, out, HANDOFF_IS_READY_K);
}

static void target_running_again(struct handoff_target *t, const struct handoff_event *in,
                                 struct handoff_out *out)
{
    (void)in;
    if (MUTANT(33)) // an answer that is not idempotent
        out->effects = HANDOFF_DO_RUN;
    target_send(t, out, HANDOFF_RUNNING_K);
}

static void target_forget(struct handoff_target *t, const struct handoff_event *in,
                          struct handoff_out *out)
{
    (void)in;
    set_state(&t->state, out, HANDOFF_NONE);
}

// The source died with the process: its decision, if there was one, never came. The birth node may
// have heard of it, or be dead as well, so its keeper is told. In CHECK nothing is said: this may
// be what is left of an attempt that was given up, and the process elsewhere under the same number.
static void target_epoch(struct handoff_target *t, const struct handoff_event *in,
                         struct handoff_out *out)
{
    if (!node_set_has(&in->lost, t->source))
        return;
    if (t->state != HANDOFF_CHECK) {
        out->effects = HANDOFF_DO_DISCARD;
        if (!MUTANT(37))
            tell_birth(out, in, HANDOFF_DEAD_K, t->source, t->incarnation + 1);
    } else if (t->checked) {
        out->effects = HANDOFF_DO_UNRESERVE;
    }
    set_state(&t->state, out, HANDOFF_NONE);
}

// A new keeper of the birth table hears from the list of what is here: this record may outlive the
// process's stay.
static void target_resume_epoch(struct handoff_target *t, const struct handoff_event *in,
                                struct handoff_out *out)
{
    if (node_set_has(&in->lost, t->source))
        set_state(&t->state, out, HANDOFF_NONE);
}

// ---- the birth node

void handoff_birth_init(struct handoff_birth *b, node_id_t node, uint32_t incarnation)
{
    *b = (struct handoff_birth){.node = node, .incarnation = incarnation};
}

void handoff_birth_init_rebuild(struct handoff_birth *b)
{
    *b = (struct handoff_birth){.node = NODE_NONE, .rebuilding = true};
}

// A process may have moved on since the hand-off that speaks: only the youngest word counts.
static bool birth_dies(struct handoff_birth *b, const struct handoff_event *in,
                       struct handoff_out *out)
{
    bool known = b->node != NODE_NONE;

    switch (in->kind) {
    case HANDOFF_LOCATION_K:
        if (in->incarnation > b->incarnation || MUTANT(41)) {
            b->incarnation = in->incarnation;
            b->node = in->node != NODE_NONE ? in->node : in->from;
        }
        return false;
    case HANDOFF_DEAD_K:
        b->dead_incarnation = MAX(b->dead_incarnation, in->incarnation);
        return !b->rebuilding && in->incarnation >= b->incarnation;
    case HANDOFF_EPOCH_K:
        return known && node_set_has(&in->lost, b->node);
    case HANDOFF_LISTED_K:
        b->rebuilding = false;
        return !known || b->dead_incarnation >= b->incarnation;
    }
    out->refused = true;
    return false;
}

void handoff_birth_step(struct handoff_birth *b, const struct handoff_event *in,
                        struct handoff_out *out)
{
    *out = (struct handoff_out){0};
    bool dies = birth_dies(b, in, out);
    if (dies && !b->dead)
        out->effects = HANDOFF_DO_DEATH;
    b->dead |= dies;
}

// ---- both

typedef void (*source_cell)(struct handoff_source *s, const struct handoff_event *in,
                            struct handoff_out *out);
typedef void (*target_cell)(struct handoff_target *t, const struct handoff_event *in,
                            struct handoff_out *out);

static const source_cell source_cells[HANDOFF_STATES][HANDOFF_KIND_MAX] = {
#define HANDOFF_SOURCE_CELL(state, kind, function) [HANDOFF_##state][HANDOFF_##kind##_K] = function,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_SOURCE_CELL
};

static const target_cell target_cells[HANDOFF_STATES][HANDOFF_KIND_MAX] = {
#define HANDOFF_TARGET_CELL(state, kind, function) [HANDOFF_##state][HANDOFF_##kind##_K] = function,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_TARGET_CELL
};

// Only the other side speaks in a hand-off: messages from a third node are refused.
void handoff_source_step(struct handoff_source *s, const struct handoff_event *in,
                         struct handoff_out *out)
{
    *out = (struct handoff_out){.was = s->state, .is = s->state};
    source_cell cell = in->kind < HANDOFF_KIND_MAX ? source_cells[s->state][in->kind] : NULL;
    bool stranger =
        in->kind < HANDOFF_LOCAL_FIRST && s->state != HANDOFF_NONE && in->from != s->target;
    if (!cell || in->from >= NODE_MAX || stranger)
        out->refused = true;
    else
        cell(s, in, out);
}

void handoff_target_step(struct handoff_target *t, const struct handoff_event *in,
                         struct handoff_out *out)
{
    *out = (struct handoff_out){.was = t->state, .is = t->state};
    target_cell cell = in->kind < HANDOFF_KIND_MAX ? target_cells[t->state][in->kind] : NULL;
    bool stranger =
        in->kind < HANDOFF_LOCAL_FIRST && t->state != HANDOFF_NONE && in->from != t->source;
    if (!cell || in->from >= NODE_MAX || stranger)
        out->refused = true;
    else
        cell(t, in, out);
}

int handoff_source_check(const struct handoff_source *s)
{
    if (s->state >= HANDOFF_STATES)
        return 1;
    if (s->state != HANDOFF_NONE && s->target == NODE_NONE)
        return 2; // 2: who is under way has a target
    return 0;
}

int handoff_target_check(const struct handoff_target *t)
{
    if (t->state >= HANDOFF_STATES || t->state == HANDOFF_FREEZE || t->state == HANDOFF_COMMIT)
        return 1; // 1: freezing and deciding are the source's
    if (t->state != HANDOFF_NONE && t->source == NODE_NONE)
        return 2; // 2: what comes comes from somewhere
    if (t->state > HANDOFF_CHECK && !t->checked)
        return 3; // 3: nothing is shipped without a reservation
    return 0;
}

int handoff_source_show(const struct handoff_source *s, char *text, size_t size)
{
    return fmt_print(text, size, "%s to=%u incarnation=%u", handoff_state_word(s->state), s->target,
                     s->incarnation);
}

int handoff_target_show(const struct handoff_target *t, char *text, size_t size)
{
    return fmt_print(text, size, "%s from=%u incarnation=%u", handoff_state_word(t->state),
                     t->source, t->incarnation);
}

const char *handoff_kind_name(unsigned kind)
{
    static const char *const names[HANDOFF_KIND_MAX] = {
#define HANDOFF_KIND(number, name, side, sentence) [number] = #name,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_KIND
    };
    return kind < HANDOFF_KIND_MAX && names[kind] ? names[kind] : "?";
}

enum handoff_side handoff_kind_side(unsigned kind)
{
    static const uint8_t sides[HANDOFF_KIND_MAX] = {
#define HANDOFF_KIND(number, name, side, sentence) [number] = HANDOFF_AT_##side,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_KIND
    };
    return kind < HANDOFF_KIND_MAX ? (enum handoff_side)sides[kind] : HANDOFF_AT_NOBODY;
}

static const char *const state_words[] = {
#define HANDOFF_STATE(name, word, next) word,
#include "ssi/migrate/handoff.def"
#undef HANDOFF_STATE
};

const char *handoff_state_word(unsigned state)
{
    return state < HANDOFF_STATES ? state_words[state] : "?";
}

enum handoff_state handoff_state_of(const char *word)
{
    unsigned state = 0;

    while (state < HANDOFF_STATES && strcmp(word, state_words[state]))
        state++;
    return (enum handoff_state)state;
}
