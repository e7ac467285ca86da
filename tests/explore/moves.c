// SPDX-License-Identifier: MIT
// What happens to a process that moves: deliveries, effects, crashes, epochs.
#include "moves.h"
#include <errno.h>
#include <string.h>
#include "engine.h"
#include "lib/mutant.h"

const struct moves_config *moves_config;

static struct local {
    uint8_t node;
    struct packet p;
} local[16];
static unsigned local_head, local_tail;

void moves_start(struct moves *w)
{
    const struct moves_config *c = moves_config;

    memset(w, 0, sizeof(*w));
    handoff_birth_init(&w->birth, c->start, 1);
    for (unsigned n = 0; n < NODES; n++) {
        w->node[n].alive = 1;
        handoff_source_init(&w->node[n].source, 0, 0);
        for (unsigned t = 0; t < TARGETS; t++)
            handoff_target_init(&w->node[n].target[t], 0, 0);
    }
    w->node[c->start].here = 1;
    w->moves = c->moves;
    w->breaks = c->breaks;
    w->errors = c->errors;
    w->aborts = c->aborts;
    w->crashes = c->crashes;
}

// Who keeps the birth table, as node n sees it.
static unsigned keeper(const struct moves *w, unsigned n)
{
    unsigned k = moves_config->birth;

    if (w->crashed == k + 1 && w->node[n].epoch == EPOCH_NEW)
        do
            k = (k + 1) % NODES;
        while (!w->node[k].alive);
    return k;
}

static void send(struct moves *w, unsigned from, unsigned to, struct packet p)
{
    struct channel *c = &w->channel[from][to];

    if (!w->node[to].alive)
        return;
    if (from == to && local_tail < ARRAY_SIZE(local))
        local[local_tail++] = (struct local){(uint8_t)to, p};
    else if (from != to && c->count < QUEUE)
        c->queue[c->count++] = p;
    else
        explore_fault("channel %u->%u is full", from, to);
}

static void run(struct moves *w, unsigned n, uint8_t incarnation)
{
    struct moves_node *node = &w->node[n];

    if (!node->imported || node->here)
        explore_fault("node %u runs what it has not imported", n);
    node->imported = node->reserved = 0;
    node->here = incarnation;
}

static void source_effects(struct moves *w, unsigned n, const struct handoff_out *out)
{
    struct moves_node *node = &w->node[n];

    if (out->effects & HANDOFF_DO_FREEZE)
        node->jobs |= JOB_FREEZE;
    if (out->effects & HANDOFF_DO_BUILD)
        node->jobs |= JOB_BUILD;
    if (out->effects & HANDOFF_DO_CONTINUE) {
        node->jobs &= (uint8_t) ~(JOB_FREEZE | JOB_BUILD);
        node->frozen = 0;
    }
    if (out->effects & HANDOFF_DO_FREE) {
        node->here = node->frozen = 0;
        node->jobs |= JOB_FREE;
    }
    if (out->effects & HANDOFF_DO_ANSWER) {
        if (!node->asker)
            explore_fault("node %u answers a move twice", n);
        node->asker = 0;
    }
}

static void target_effects(struct moves *w, unsigned n, unsigned record,
                           const struct handoff_out *out)
{
    struct moves_node *node = &w->node[n];

    if (out->effects & HANDOFF_DO_CHECK)
        node->record_jobs[record] |= JOB_CHECK;
    if (out->effects & HANDOFF_DO_IMPORT)
        node->record_jobs[record] |= JOB_IMPORT;
    if (out->effects & HANDOFF_DO_UNRESERVE)
        node->reserved = 0;
    if (out->effects & HANDOFF_DO_DISCARD)
        node->imported = node->reserved = 0;
    if (out->is == HANDOFF_NONE)
        node->record_jobs[record] = 0;
    if (out->effects & HANDOFF_DO_RUN)
        run(w, n, (uint8_t)(node->target[record].incarnation + 1));
}

static void send_all(struct moves *w, unsigned n, const struct handoff_out *out)
{
    for (unsigned i = 0; i < out->sends; i++) {
        const struct handoff_send *s = &out->send[i];
        send(w, n, s->to,
             (struct packet){s->kind, s->state, (uint8_t)s->node, (uint8_t)s->incarnation,
                             (uint8_t)s->attempt, (int8_t)s->error});
    }
}

static void refused(const struct handoff_out *out, unsigned n, const char *side, unsigned kind)
{
    if (out->refused)
        explore_fault("the %s at node %u, %s, refuses %s", side, n, handoff_state_word(out->was),
                      handoff_kind_name(kind));
}

static void step_source(struct moves *w, unsigned n, const struct handoff_event *e)
{
    struct moves_node *node = &w->node[n];
    struct handoff_source fresh, *s = &node->source;
    struct handoff_out out;

    if (s->state == HANDOFF_NONE || s->incarnation != e->incarnation || s->attempt != e->attempt) {
        handoff_source_init(&fresh, e->incarnation, e->attempt);
        s = s->state == HANDOFF_NONE ? (*s = fresh, s) : &fresh;
    }
    handoff_source_step(s, e, &out);
    refused(&out, n, "source", e->kind);
    source_effects(w, n, &out);
    send_all(w, n, &out);
    if (node->source.state == HANDOFF_NONE)
        handoff_source_init(&node->source, 0, 0);
}

static void step_record(struct moves *w, unsigned n, unsigned record, const struct handoff_event *e)
{
    struct handoff_target *t = &w->node[n].target[record];
    struct handoff_out out;

    handoff_target_step(t, e, &out);
    refused(&out, n, "target", e->kind);
    target_effects(w, n, record, &out);
    send_all(w, n, &out);
    if (t->state == HANDOFF_NONE)
        handoff_target_init(t, 0, 0);
}

static void step_target(struct moves *w, unsigned n, const struct handoff_event *e)
{
    unsigned at = TARGETS, empty = TARGETS;

    for (unsigned t = 0; t < TARGETS; t++) {
        const struct handoff_target *r = &w->node[n].target[t];
        if (r->state == HANDOFF_NONE)
            empty = t;
        else if (r->incarnation == e->incarnation && r->attempt == e->attempt)
            at = t;
    }
    if (at == TARGETS && empty == TARGETS) {
        explore_fault("node %u has no record left", n);
        return;
    }
    if (at == TARGETS)
        handoff_target_init(&w->node[n].target[at = empty], e->incarnation, e->attempt);
    step_record(w, n, at, e);
}

static void birth_known(struct moves *w, unsigned n)
{
    for (unsigned i = 0; i < NODES; i++)
        if (w->node[i].alive && !(w->node[n].ended >> i & 1))
            return;
    struct handoff_event e = {.kind = HANDOFF_LISTED_K, .from = (node_id_t)n};
    struct handoff_out out;
    handoff_birth_step(&w->birth, &e, &out);
}

static void deliver(struct moves *w, unsigned from, unsigned to, struct packet p)
{
    struct handoff_event e = {.kind = p.kind,
                              .state = p.state,
                              .from = (node_id_t)from,
                              .node = p.node == 0xff ? NODE_NONE : p.node,
                              .birth = (node_id_t)keeper(w, to),
                              .error = p.error,
                              .incarnation = p.incarnation,
                              .attempt = p.attempt};
    struct handoff_out out;

    if (p.kind == MOVES_FLUSH) {
        w->node[to].flushed |= (uint8_t)(1 << from);
    } else if (p.kind == MOVES_END) {
        w->node[to].ended |= (uint8_t)(1 << from);
        birth_known(w, to);
    } else if (p.kind == MOVES_HERE || handoff_kind_side(p.kind) == HANDOFF_AT_BIRTH) {
        if (p.kind == MOVES_HERE)
            e.kind = HANDOFF_LOCATION_K;
        handoff_birth_step(&w->birth, &e, &out);
    } else if (handoff_kind_side(p.kind) == HANDOFF_AT_SOURCE) {
        step_source(w, to, &e);
    } else {
        step_target(w, to, &e);
    }
}

static void source_event(struct moves *w, unsigned n, enum handoff_kind kind, int error)
{
    const struct handoff_source *s = &w->node[n].source;
    struct handoff_event e = {.kind = (uint8_t)kind,
                              .from = (node_id_t)n,
                              .birth = (node_id_t)keeper(w, n),
                              .error = error,
                              .incarnation = s->incarnation,
                              .attempt = s->attempt};

    step_source(w, n, &e);
}

static void record_job_done(struct moves *w, unsigned n, unsigned record, unsigned job, int error)
{
    struct moves_node *node = &w->node[n];
    struct handoff_event e = {.from = (node_id_t)n, .birth = (node_id_t)keeper(w, n)};
    bool occupied =
        node->source.state != HANDOFF_NONE || node->here || node->imported || node->reserved;

    node->record_jobs[record] &= (uint8_t)~job;
    if (job == JOB_CHECK) {
        e.kind = HANDOFF_CHECKED_K;
        e.error = occupied ? -EBUSY : error;
        if (!e.error)
            node->reserved = 1;
    } else {
        e.kind = HANDOFF_IMPORTED_K;
        e.error = error;
        node->imported = !error;
    }
    step_record(w, n, record, &e);
}

static void job_done(struct moves *w, unsigned n, unsigned what, bool fails)
{
    unsigned job = what & 31, record = what >> 5;
    struct moves_node *node = &w->node[n];
    int error = fails ? -ENOMEM : 0;

    w->errors = (uint8_t)(w->errors - fails);
    if (job == JOB_CHECK || job == JOB_IMPORT) {
        record_job_done(w, n, record, job, error);
        return;
    }
    node->jobs &= (uint8_t)~job;
    if (job == JOB_FREEZE) {
        node->frozen = !error;
        source_event(w, n, HANDOFF_FROZEN_K, error);
    } else if (job == JOB_BUILD) {
        source_event(w, n, HANDOFF_BUILT_K, error);
    } else {
        source_event(w, n, HANDOFF_FREED_K, 0);
    }
}

static void begin(struct moves *w, unsigned n, unsigned target)
{
    struct handoff_event e = {.kind = HANDOFF_START_K,
                              .from = (node_id_t)n,
                              .node = (node_id_t)target,
                              .birth = (node_id_t)keeper(w, n),
                              .incarnation = w->node[n].here,
                              .attempt = ++w->node[n].attempts};

    w->moves--;
    w->node[n].asker = 1;
    step_source(w, n, &e);
}

bool moves_other_side(const struct moves *w, unsigned n, unsigned other)
{
    const struct moves_node *node = &w->node[n];
    bool is = node->source.state != HANDOFF_NONE && node->source.target == other;

    for (unsigned t = 0; t < TARGETS; t++)
        is |= node->target[t].state != HANDOFF_NONE && node->target[t].source == other;
    return is;
}

// The messages of the hand-off are lost; what else is on the link is sent again below.
static void break_link(struct moves *w, unsigned a, unsigned b)
{
    struct channel *both[2] = {&w->channel[a][b], &w->channel[b][a]};

    w->breaks--;
    for (unsigned i = 0; i < 2; i++) {
        struct channel kept = {0};
        for (unsigned k = 0; k < both[i]->count; k++) {
            enum handoff_side side = handoff_kind_side(both[i]->queue[k].kind);
            if (side != HANDOFF_AT_SOURCE && side != HANDOFF_AT_TARGET)
                kept.queue[kept.count++] = both[i]->queue[k];
        }
        *both[i] = kept;
    }
    w->node[a].repaired |= (uint8_t)(1 << b);
    w->node[b].repaired |= (uint8_t)(1 << a);
}

static void repaired(struct moves *w, unsigned n, unsigned other)
{
    struct handoff_event e = {
        .kind = HANDOFF_REPAIRED_K, .from = (node_id_t)n, .birth = (node_id_t)keeper(w, n)};
    struct moves_node *node = &w->node[n];

    node->repaired &= (uint8_t) ~(1 << other);
    if (node->source.state != HANDOFF_NONE && node->source.target == other) {
        e.incarnation = node->source.incarnation;
        e.attempt = node->source.attempt;
        step_source(w, n, &e);
    }
    for (unsigned t = 0; t < TARGETS; t++)
        if (node->target[t].state != HANDOFF_NONE && node->target[t].source == other)
            step_record(w, n, t, &e);
}

static void crash(struct moves *w, unsigned n)
{
    w->crashes--;
    w->crashed = (uint8_t)(n + 1);
    memset(&w->node[n], 0, sizeof(w->node[n]));
    handoff_source_init(&w->node[n].source, 0, 0);
    for (unsigned t = 0; t < TARGETS; t++)
        handoff_target_init(&w->node[n].target[t], 0, 0);
    if (n == moves_config->birth) { // the next keeper makes the entry anew
        memset(&w->birth, 0, sizeof(w->birth));
        handoff_birth_init_rebuild(&w->birth);
    }
    for (unsigned i = 0; i < NODES; i++) {
        memset(&w->channel[i][n], 0, sizeof(w->channel[i][n]));
        w->node[i].repaired &= (uint8_t) ~(1 << n);
    }
}

static void flush(struct moves *w, unsigned n)
{
    w->node[n].epoch = EPOCH_FLUSHING;
    if (!MUTANT(42)) // the dead are listened to until INSTALL
        memset(&w->channel[w->crashed - 1][n], 0, sizeof(w->channel[0][0]));
    for (unsigned i = 0; i < NODES; i++)
        if (i != n && w->node[i].alive)
            send(w, n, i, (struct packet){.kind = MOVES_FLUSH});
}

static void epoch_records(struct moves *w, unsigned n, struct handoff_event *e)
{
    struct moves_node *node = &w->node[n];

    if (node->source.state != HANDOFF_NONE) {
        e->incarnation = node->source.incarnation;
        e->attempt = node->source.attempt;
        step_source(w, n, e);
    }
    for (unsigned t = 0; t < TARGETS; t++)
        if (node->target[t].state != HANDOFF_NONE)
            step_record(w, n, t, e);
}

// The birth table first, then the list of what is here for a new keeper, then the hand-offs.
static void install(struct moves *w, unsigned n)
{
    unsigned dead = w->crashed - 1u;
    struct moves_node *node = &w->node[n];
    struct handoff_event e = {.kind = HANDOFF_EPOCH_K, .from = (node_id_t)n};
    struct handoff_out out;

    e.lost = node_set_of((node_id_t)dead);
    node->epoch = EPOCH_NEW;
    memset(&w->channel[dead][n], 0, sizeof(w->channel[0][0]));
    e.birth = (node_id_t)keeper(w, n);
    if (e.birth == n && moves_config->birth == n)
        handoff_birth_step(&w->birth, &e, &out);
    bool gone = node->source.state == HANDOFF_COMMIT || node->source.state == HANDOFF_RESUME;
    if (e.birth != moves_config->birth && node->here && !gone)
        send(w, n, e.birth,
             (struct packet){.kind = MOVES_HERE, .node = (uint8_t)n, .incarnation = node->here});
    epoch_records(w, n, &e);
    if (e.birth != moves_config->birth)
        send(w, n, e.birth, (struct packet){.kind = MOVES_END});
}

void moves_apply(void *state, uint32_t choice)
{
    struct moves *w = state;
    unsigned a = choice >> 8 & 0xff, b = choice & 0xff;
    struct channel *c = &w->channel[a % NODES][b % NODES];
    struct packet p = c->queue[0];

    local_head = local_tail = 0;
    switch ((enum moves_choice)(choice >> 16)) {
    case DELIVER:
        c->count--;
        memmove(c->queue, c->queue + 1, c->count * sizeof(p));
        memset(&c->queue[c->count], 0, sizeof(p));
        deliver(w, a, b, p);
        break;
    case START:
        begin(w, a, b);
        break;
    case RESULT:
    case FAILURE:
        job_done(w, a, b, choice >> 16 == FAILURE);
        break;
    case ABORT:
        w->aborts--;
        source_event(w, a, HANDOFF_ABORT_K, -ESRCH);
        break;
    case BREAK:
        break_link(w, a, b);
        break;
    case REPAIRED:
        repaired(w, a, b);
        break;
    case CRASH:
        crash(w, a);
        break;
    case FLUSH:
        flush(w, a);
        break;
    case INSTALL:
        install(w, a);
        break;
    }
    for (; local_head < local_tail; local_head++)
        deliver(w, local[local_head].node, local[local_head].node, local[local_head].p);
    moves_check(w);
}
