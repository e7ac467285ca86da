// SPDX-License-Identifier: MIT
// The gate rows of coherence.def.
#include "ssi/container/gate.h"
#include "lib/fmt.h"
#include "lib/mutant.h"

static void gate_set_state(struct coh_gate *g, struct coh_gate_out *out, enum coh_gate_state state)
{
    static const uint8_t next[] = {
#define COH_GATE_STATE(name, word, mask) [COH_GATE_##name] = (mask),
#include "ssi/container/coherence.def"
#undef COH_GATE_STATE
    };
    ASSERT(next[g->state] >> state & 1);
    g->state = (uint8_t)state;
    out->is = (uint8_t)state;
}

void coh_gate_init(struct coh_gate *g, bool home)
{
    *g = (struct coh_gate){.state = home ? COH_GATE_OPEN : COH_GATE_AWAY, .target = NODE_NONE};
}

static void gate_open(struct coh_gate *g, struct coh_gate_out *out)
{
    if (g->missed_epoch)
        out->effects |= COH_GATE_DO_EPOCH;
    g->missed_epoch = false;
    g->target = NODE_NONE;
    g->moving = false;
    node_set_clear(&g->pending);
    gate_set_state(g, out, COH_GATE_OPEN);
    out->effects |= COH_GATE_DO_OPEN;
}

static void gate_copy(struct coh_gate *g, struct coh_gate_out *out)
{
    out->effects |= COH_GATE_DO_COPY;
    gate_open(g, out);
}

static void gate_nothing(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                         struct coh_gate_out *out)
{
    (void)g;
    (void)self;
    (void)in;
    (void)out;
}

static void gate_close(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                       struct coh_gate_out *out)
{
    bool move = in->kind == COH_MOVE;

    if (move && (in->node >= NODE_MAX || in->node == self)) {
        out->refused = true;
        return;
    }
    g->moving = move;
    g->target = move ? in->node : NODE_NONE;
    if (!move) {
        g->pending = in->set;
        node_set_remove(&g->pending, self); // the home freezes itself when it copies
    }
    gate_set_state(g, out, COH_GATE_CLOSING);
}

static void gate_quiet(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                       struct coh_gate_out *out)
{
    (void)self;
    (void)in;
    if (g->moving) {
        out->send = COH_DIRECTORY;
        out->to = node_set_of(g->target);
        out->effects = COH_GATE_DO_ENTRIES;
        gate_set_state(g, out, COH_GATE_MOVING);
        return;
    }
    gate_set_state(g, out, COH_GATE_FREEZING);
    if (node_set_empty(&g->pending)) {
        gate_copy(g, out);
        return;
    }
    out->send = COH_FREEZE;
    out->to = g->pending;
}

static void gate_frozen(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                        struct coh_gate_out *out)
{
    (void)self;
    if (!node_set_has(&g->pending, in->from)) {
        out->refused = true;
        return;
    }
    node_set_remove(&g->pending, in->from);
    if (node_set_empty(&g->pending) || MUTANT(14)) // 14: one holder's word is enough
        gate_copy(g, out);
}

static void gate_freeze(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                        struct coh_gate_out *out)
{
    (void)g;
    (void)self;
    out->effects = COH_GATE_DO_FREEZE;
    out->send = COH_FROZEN;
    out->to = node_set_of(in->from);
}

static void gate_directory(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                           struct coh_gate_out *out)
{
    (void)self;
    out->to = node_set_of(in->from);
    if (!in->accept) {
        out->send = COH_DECLINED;
        return;
    }
    g->target = in->from;
    out->send = COH_TAKEN;
    out->effects = COH_GATE_DO_TAKE;
    gate_set_state(g, out, COH_GATE_TAKING);
    if (MUTANT(22)) { // begins before the old home has ended
        out->effects |= COH_GATE_DO_TELL;
        gate_open(g, out);
    }
}

static void gate_yours(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                       struct coh_gate_out *out)
{
    (void)self;
    if (in->from != g->target) {
        out->refused = true;
        return;
    }
    out->effects = COH_GATE_DO_TELL;
    gate_open(g, out);
}

// The old home died after it sent the directory: nobody else has it.
static void gate_taking_epoch(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                              struct coh_gate_out *out)
{
    (void)self;
    if (!node_set_has(&in->lost, g->target))
        return;
    out->effects = COH_GATE_DO_TELL;
    gate_open(g, out);
}

static void gate_taken(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                       struct coh_gate_out *out)
{
    (void)self;
    if (in->from != g->target) {
        out->refused = true;
        return;
    }
    g->moving = g->missed_epoch = false;
    out->effects = COH_GATE_DO_GONE; // g->target stays: the room's hint
    out->send = COH_YOURS;
    out->to = node_set_of(g->target);
    gate_set_state(g, out, COH_GATE_AWAY);
}

static void gate_declined(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                          struct coh_gate_out *out)
{
    (void)self;
    if (in->from != g->target)
        out->refused = true;
    else
        gate_open(g, out);
}

static void gate_closing_epoch(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                               struct coh_gate_out *out)
{
    (void)self;
    node_set_minus(&g->pending, &in->lost);
    if (g->moving && node_set_has(&in->lost, g->target))
        gate_open(g, out);
}

static void gate_freezing_epoch(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                                struct coh_gate_out *out)
{
    (void)self;
    node_set_minus(&g->pending, &in->lost);
    if (node_set_empty(&g->pending))
        gate_copy(g, out);
}

static void gate_moving_epoch(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                              struct coh_gate_out *out)
{
    (void)self;
    g->missed_epoch = true;
    if (node_set_has(&in->lost, g->target))
        gate_open(g, out); // it never acted: this directory is still the one
}

typedef void (*gate_cell)(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                          struct coh_gate_out *out);

static const gate_cell gate_cells[COH_GATE_STATES][COH_KIND_MAX] = {
#define COH_GATE_CELL(state, kind, function) [COH_GATE_##state][COH_##kind] = function,
#include "ssi/container/coherence.def"
#undef COH_GATE_CELL
};

void coh_gate_step(struct coh_gate *g, node_id_t self, const struct coh_gate_event *in,
                   struct coh_gate_out *out)
{
    *out = (struct coh_gate_out){.was = g->state, .is = g->state};
    gate_cell cell = in->kind < COH_KIND_MAX ? gate_cells[g->state][in->kind] : NULL;
    if (!cell || in->from >= NODE_MAX)
        out->refused = true;
    else
        cell(g, self, in, out);
}

const char *coh_gate_state_name(unsigned state)
{
    static const char *const names[] = {
#define COH_GATE_STATE(name, word, next) word,
#include "ssi/container/coherence.def"
#undef COH_GATE_STATE
    };
    return state < COH_GATE_STATES ? names[state] : "?";
}

int coh_gate_check(const struct coh_gate *g)
{
    if (g->state >= COH_GATE_STATES)
        return 1;
    if (g->state == COH_GATE_OPEN && (g->moving || !node_set_empty(&g->pending)))
        return 2; // 2: an open gate waits for nobody
    if ((g->state == COH_GATE_MOVING || g->state == COH_GATE_TAKING) && g->target == NODE_NONE)
        return 3; // 3: who moves goes somewhere, what is taken came from somewhere
    if (g->state == COH_GATE_FREEZING && node_set_empty(&g->pending))
        return 4; // 4: a freeze waits for somebody
    return 0;
}

int coh_gate_show(const struct coh_gate *g, char *text, size_t size)
{
    return fmt_print(text, size, "%s target=%u pending=%u", coh_gate_state_name(g->state),
                     g->target, node_set_count(&g->pending));
}
