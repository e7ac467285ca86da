// SPDX-License-Identifier: MIT
// What may happen next to a process that moves, what must hold, and how it is told.
#include "moves.h"
#include "engine.h"
#include "lib/fmt.h"
#include "lib/mutant.h"

// ---- what must hold

static unsigned runners(const struct moves *w, unsigned *where)
{
    unsigned count = 0;

    for (unsigned n = 0; n < NODES; n++)
        if (w->node[n].here && !w->node[n].frozen) {
            count++;
            *where = n;
        }
    return count;
}

void moves_check(const struct moves *w)
{
    unsigned where = 0;

    if (runners(w, &where) > 1)
        explore_fault("the process runs on two nodes");
    for (unsigned n = 0; n < NODES; n++) {
        const struct moves_node *node = &w->node[n];
        int bad = handoff_source_check(&node->source);
        for (unsigned t = 0; t < TARGETS && !bad; t++)
            bad = handoff_target_check(&node->target[t]);
        if (bad)
            explore_fault("hand-off at node %u: invariant %d", n, bad);
    }
}

static void check_quiet_node(const struct moves *w, unsigned n)
{
    const struct moves_node *node = &w->node[n];

    if (node->asker)
        explore_fault("who asked node %u for a move waits for ever", n);
    if (node->source.state != HANDOFF_NONE)
        explore_fault("the source at node %u stays %s", n, handoff_state_word(node->source.state));
    for (unsigned t = 0; t < TARGETS; t++)
        if (node->target[t].state != HANDOFF_NONE)
            explore_fault("the target at node %u stays %s", n,
                          handoff_state_word(node->target[t].state));
    if (node->reserved || node->imported)
        explore_fault("node %u keeps memory of a hand-off", n);
    if (node->here && node->frozen)
        explore_fault("the process stays frozen on node %u", n);
}

void moves_check_quiet(const struct moves *w)
{
    unsigned where = 0, count = runners(w, &where);

    for (unsigned n = 0; n < NODES; n++)
        if (w->node[n].alive)
            check_quiet_node(w, n);
    if (!count && !w->birth.dead)
        explore_fault("the process is lost and nobody says so");
    if (count && w->birth.dead)
        explore_fault("the process runs on node %u and is reported dead", where);
    if (count && (w->birth.node != where || w->birth.incarnation != w->node[where].here))
        explore_fault("the birth node looks for the process on %u, it is on %u", w->birth.node,
                      where);
}

// ---- what may happen

static unsigned choose_job(const struct moves *w, unsigned n, unsigned jobs, unsigned record)
{
    for (unsigned job = JOB_CHECK; job <= JOB_FREE; job <<= 1)
        if (jobs & job) {
            explore_choice(CHOICE(RESULT, n, job | record << 5));
            if (w->errors && job != JOB_FREE)
                explore_choice(CHOICE(FAILURE, n, job | record << 5));
        }
    return jobs;
}

static unsigned choose_jobs(const struct moves *w, unsigned n)
{
    unsigned must = choose_job(w, n, w->node[n].jobs, 0);

    for (unsigned t = 0; t < TARGETS; t++)
        must |= choose_job(w, n, w->node[n].record_jobs[t], t);
    return must;
}

static unsigned choose_link(const struct moves *w, unsigned n, unsigned other)
{
    const struct channel *c = &w->channel[other][n];
    unsigned must = 0;

    if (c->count && !(w->node[n].flushed >> other & 1 && w->node[n].epoch != EPOCH_NEW)) {
        explore_choice(CHOICE(DELIVER, other, n));
        must++;
    }
    if (w->node[n].repaired >> other & 1) {
        explore_choice(CHOICE(REPAIRED, n, other));
        must++;
    }
    if (w->breaks && n < other && w->node[other].alive &&
        (moves_other_side(w, n, other) || moves_other_side(w, other, n)))
        explore_choice(CHOICE(BREAK, n, other));
    return must;
}

static void choose_node(const struct moves *w, unsigned n)
{
    const struct moves_node *node = &w->node[n];
    enum handoff_state state = (enum handoff_state)node->source.state;

    bool settled = true; // it moves on only when the last hand-off is closed
    for (unsigned t = 0; t < TARGETS; t++)
        settled &= node->target[t].state != HANDOFF_RESUME || MUTANT(43);
    if (w->moves && node->here && !node->frozen && state == HANDOFF_NONE && settled)
        for (unsigned to = 0; to < NODES; to++)
            if (to != n && w->node[to].alive)
                explore_choice(CHOICE(START, n, to));
    if (w->aborts && (state == HANDOFF_CHECK || state == HANDOFF_FREEZE || state == HANDOFF_SHIP))
        explore_choice(CHOICE(ABORT, n, 0));
    if (w->crashes)
        explore_choice(CHOICE(CRASH, n, 0));
}

static unsigned choose_epoch(const struct moves *w, unsigned n)
{
    unsigned others = 0;

    if (!w->crashed || w->node[n].epoch == EPOCH_NEW)
        return 0;
    if (w->node[n].epoch == EPOCH_OLD) {
        explore_choice(CHOICE(FLUSH, n, 0));
        return 1;
    }
    for (unsigned i = 0; i < NODES; i++)
        if (i != n && w->node[i].alive)
            others |= 1u << i;
    if ((w->node[n].flushed & others) != others)
        return 0;
    explore_choice(CHOICE(INSTALL, n, 0));
    return 1;
}

void moves_choices(const void *state)
{
    const struct moves *w = state;
    unsigned must = 0;

    for (unsigned n = 0; n < NODES; n++) {
        if (!w->node[n].alive)
            continue;
        for (unsigned other = 0; other < NODES; other++)
            if (other != n)
                must += choose_link(w, n, other);
        must += choose_jobs(w, n) != 0;
        must += choose_epoch(w, n);
        choose_node(w, n);
    }
    if (!must)
        moves_check_quiet(w);
}

// ---- how it is told

static void packet_text(struct text *t, const struct packet *p)
{
    if (p->kind == MOVES_FLUSH)
        text_add(t, "FLUSH");
    else if (p->kind == MOVES_HERE)
        text_add(t, "incarnation %u is here", p->incarnation);
    else if (p->kind == MOVES_END)
        text_add(t, "end of list");
    else
        text_add(t, "%s (incarnation %u, attempt %u)", handoff_kind_name(p->kind), p->incarnation,
                 p->attempt);
}

static const char *job_name(unsigned job)
{
    return job == JOB_CHECK    ? "check"
           : job == JOB_FREEZE ? "freeze"
           : job == JOB_BUILD  ? "ghost"
           : job == JOB_IMPORT ? "import"
                               : "freeing";
}

void moves_label(const void *state, uint32_t choice, char *buffer, size_t size)
{
    const struct moves *w = state;
    unsigned a = choice >> 8 & 0xff, b = choice & 0xff;
    struct text t;

    text_init(&t, buffer, size);
    switch ((enum moves_choice)(choice >> 16)) {
    case DELIVER:
        text_add(&t, "node %u gets from %u: ", b, a);
        packet_text(&t, &w->channel[a][b].queue[0]);
        break;
    case START:
        text_add(&t, "the process on node %u shall move to %u", a, b);
        break;
    case RESULT:
        text_add(&t, "node %u: %s done", a, job_name(b & 31));
        break;
    case FAILURE:
        text_add(&t, "node %u: %s fails", a, job_name(b & 31));
        break;
    case ABORT:
        text_add(&t, "node %u gives the move up", a);
        break;
    case BREAK:
        text_add(&t, "the link between %u and %u breaks", a, b);
        break;
    case REPAIRED:
        text_add(&t, "node %u finds its link to %u repaired", a, b);
        break;
    case CRASH:
        text_add(&t, "node %u dies", a);
        break;
    case FLUSH:
        text_add(&t, "node %u agrees to the new epoch and sends FLUSH", a);
        break;
    case INSTALL:
        text_add(&t, "node %u installs the new epoch", a);
        break;
    }
}

void moves_show(const void *state, char *buffer, size_t size)
{
    const struct moves *w = state;
    char words[96];
    struct text t;

    text_init(&t, buffer, size);
    for (unsigned n = 0; n < NODES; n++) {
        const struct moves_node *node = &w->node[n];
        handoff_source_show(&node->source, words, sizeof(words));
        text_add(&t, "  node %u%s: here %u%s; source %s", n, node->alive ? "" : " (dead)",
                 node->here, node->frozen ? " frozen" : "", words);
        for (unsigned i = 0; i < TARGETS; i++)
            if (node->target[i].state != HANDOFF_NONE) {
                handoff_target_show(&node->target[i], words, sizeof(words));
                text_add(&t, "; target %s", words);
            }
        text_add(&t, "\n");
        for (unsigned to = 0; to < NODES; to++)
            for (unsigned k = 0; k < w->channel[n][to].count; k++) {
                text_add(&t, "    to %u: ", to);
                packet_text(&t, &w->channel[n][to].queue[k]);
                text_add(&t, "\n");
            }
    }
    text_add(&t, "  birth table: %snode %u incarnation %u\n", w->birth.dead ? "dead, " : "",
             w->birth.node, w->birth.incarnation);
}
