// SPDX-License-Identifier: MIT
// The ballot by which an epoch's successor is chosen (Lamport's single-decree synod, one instance
// per epoch number). Safe because two quorums always share an elector, or the witness:
// more than half; or exactly half with the witness's grant (without a witness: with the lowest id).
#include "ssi/cluster/membership_priv.h"
#include "lib/string.h"

static int mb_ballot_compare(const struct mb_ballot *a, const struct mb_ballot *b)
{
    if (a->round != b->round)
        return a->round < b->round ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return 0;
}

// Leavers are counted out.
bool mb_is_elector(const struct mb_member *member)
{
    return !member->leaving;
}

unsigned mb_elector_count(const struct mb *m)
{
    if (m->decided.epoch == 0)
        return m->self.nodes;
    unsigned n = 0;
    for (unsigned i = 0; i < m->decided.count; i++)
        n += mb_is_elector(&m->decided.members[i]);
    return n;
}

static bool mb_has_vote(const struct mb *m, uint64_t key)
{
    for (unsigned i = 0; i < m->vote_count; i++)
        if (m->votes[i] == key)
            return true;
    return false;
}

static bool mb_lowest_elector_voted(const struct mb *m)
{
    for (unsigned i = 0; i < m->decided.count; i++)
        if (mb_is_elector(&m->decided.members[i]))
            return mb_has_vote(m, m->decided.members[i].key);
    return false;
}

static bool mb_votes_suffice(const struct mb *m)
{
    unsigned electors = mb_elector_count(m);
    if (m->vote_count * 2 > electors)
        return true;
    if (m->vote_count * 2 < electors || m->decided.epoch == 0)
        return false;
    return m->decided.witness != 0 ? m->granted : mb_lowest_elector_voted(m);
}

// An exact half, and nobody of the other half is to be heard: then the witness is asked.
static bool mb_split_evenly(const struct mb_step *s)
{
    const struct mb *m = s->m;
    if (m->decided.epoch == 0 || m->decided.witness == 0 || m->granted ||
        m->vote_count * 2 != mb_elector_count(m))
        return false;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (mb_is_elector(member) && !mb_has_vote(m, member->key) && mb_alive(m, member, s->now_ms))
            return false;
    }
    return true;
}

static void mb_ask_witness(struct mb_step *s)
{
    struct mb *m = s->m;
    if (!mb_split_evenly(s) || (m->asked_ms != 0 && s->now_ms - m->asked_ms < MB_RETRY_MS))
        return;
    m->asked_ms = s->now_ms;
    mb_emit(s, MB_EFFECT_WITNESS)->head.epoch = m->decided.epoch + 1;
}

static bool mb_may_vote(const struct mb *m, uint64_t key)
{
    if (m->decided.epoch == 0)
        return true;
    const struct mb_member *member = mb_record_key(&m->decided, key);
    return member != NULL && mb_is_elector(member);
}

static void mb_vote_add(struct mb *m, uint64_t key)
{
    if (mb_may_vote(m, key) && !mb_has_vote(m, key) && m->vote_count < NODE_MAX)
        m->votes[m->vote_count++] = key;
}

static void mb_send_to_electors(struct mb_step *s, enum mb_message_kind kind, enum mb_with with)
{
    struct mb *m = s->m;
    if (m->decided.epoch == 0) {
        for (unsigned i = 0; i < MB_PEERS_MAX; i++)
            if (mb_peer_seeks_with_me(s, &m->peers[i]) && !mb_has_vote(m, m->peers[i].key))
                mb_send(s, m->peers[i].key, kind, with);
        return;
    }
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (mb_is_elector(member) && !mb_has_vote(m, member->key))
            mb_send(s, member->key, kind, with);
    }
}

static void mb_accept(struct mb *m, const struct mb_ballot *b, const struct mb_record *r)
{
    m->promised = *b;
    m->accepted_ballot = *b;
    m->accepted = *r;
}

static void mb_propose(struct mb_step *s)
{
    struct mb *m = s->m;
    if (m->adopted.round == 0)
        mb_build_proposal(s);
    m->proposing = MB_PROPOSING;
    m->vote_count = 0;
    mb_accept(m, &m->ballot, &m->proposal);
    mb_vote_add(m, m->self.key);
    m->sent_ms = s->now_ms;
    mb_send_to_electors(s, MB_PROPOSE, MB_WITH_PROPOSAL);
}

// Founders wait a little for everybody they hear, so that one epoch takes all in.
static bool mb_founders_complete(const struct mb_step *s)
{
    const struct mb *m = s->m;
    if (m->decided.epoch != 0 || s->now_ms - m->begun_ms >= 2 * MB_RETRY_MS)
        return true;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++)
        if (mb_peer_seeks_with_me(s, &m->peers[i]) && !mb_has_vote(m, m->peers[i].key))
            return false;
    return true;
}

static void mb_vote_advance(struct mb_step *s)
{
    struct mb *m = s->m;
    if (m->proposing == MB_PREPARING && mb_votes_suffice(m) && mb_founders_complete(s))
        mb_propose(s);
    if (m->proposing == MB_PROPOSING && mb_votes_suffice(m))
        mb_decide(s, &m->proposal);
}

void mb_vote_begin(struct mb_step *s)
{
    struct mb *m = s->m;
    m->ballot.round = MAX(m->promised.round, m->ballot.round) + 1;
    m->ballot.key = m->self.key;
    m->proposing = MB_PREPARING;
    m->vote_count = 0;
    m->adopted = m->accepted_ballot;
    if (m->adopted.round != 0)
        m->proposal = m->accepted;
    m->promised = m->ballot;
    mb_vote_add(m, m->self.key);
    m->begun_ms = m->sent_ms = s->now_ms;
    mb_send_to_electors(s, MB_PREPARE, MB_WITH_NOTHING);
    mb_vote_advance(s);
}

// Repeats what may be lost; gives way after a while, so that another may try.
void mb_vote_tick(struct mb_step *s)
{
    struct mb *m = s->m;
    if (m->proposing == MB_IDLE)
        return;
    mb_ask_witness(s);
    mb_vote_advance(s);
    if (m->proposing == MB_IDLE)
        return;
    if (s->now_ms - m->begun_ms > 8 * MB_RETRY_MS + (m->self.key % 4) * MB_RETRY_MS) {
        m->proposing = MB_IDLE; // the next tick begins anew under a higher ballot, if still wanted
        return;
    }
    if (s->now_ms - m->sent_ms < MB_RETRY_MS)
        return;
    m->sent_ms = s->now_ms;
    if (m->proposing == MB_PREPARING)
        mb_send_to_electors(s, MB_PREPARE, MB_WITH_NOTHING);
    else
        mb_send_to_electors(s, MB_PROPOSE, MB_WITH_PROPOSAL);
}

void mb_vote_granted(struct mb_step *s, bool yes)
{
    if (s->m->proposing == MB_IDLE || !yes)
        return;
    s->m->granted = true;
    mb_vote_advance(s);
}

static void mb_answer(struct mb_step *s, uint64_t to, enum mb_message_kind kind,
                      const struct mb_ballot *ballot)
{
    bool tells = kind == MB_PROMISE && s->m->accepted_ballot.round != 0;
    mb_send(s, to, kind, tells ? MB_WITH_ACCEPTED : MB_WITH_NOTHING);
    struct mb_effect *e = &s->out->effects[s->out->count - 1];
    e->head.ballot = *ballot;
    if (tells)
        e->head.accepted = s->m->accepted_ballot;
}

static void mb_on_prepare(struct mb_step *s, uint64_t from, const struct mb_head *h)
{
    struct mb *m = s->m;
    if (mb_ballot_compare(&h->ballot, &m->promised) < 0) {
        mb_answer(s, from, MB_NACK, &m->promised);
        return;
    }
    if (m->proposing != MB_IDLE && h->ballot.key != m->self.key)
        m->proposing = MB_IDLE;
    m->promised = h->ballot;
    mb_answer(s, from, MB_PROMISE, &h->ballot);
}

// Who answers my ballot has heard me since I began it: it is not dead.
static void mb_answered(struct mb_step *s, uint64_t from)
{
    struct mb_peer *p = mb_peer_find(s->m, from);
    if (p != NULL && p->contact_ms < s->m->begun_ms)
        p->contact_ms = s->m->begun_ms;
}

// An epoch without me: my vote for it is given only when the proposer has no choice (somebody has
// accepted it before), or insists for longer than one that was starved would: by then it has heard
// me and made another proposal.
static bool mb_votes_itself_out(struct mb_step *s, const struct mb_message *in)
{
    struct mb *m = s->m;
    const struct mb_member *me = mb_record_key(&m->decided, m->self.key);
    if (me == NULL || me->leaving || in->head.accepted.round != 0 ||
        mb_record_key(&in->record, m->self.key) != NULL)
        return true;
    if (m->left_out_ms == 0 || s->now_ms - m->left_out_ms > MB_DEATH_MS)
        m->left_out_since_ms = s->now_ms;
    m->left_out_ms = s->now_ms;
    return s->now_ms - m->left_out_since_ms >= MB_INSIST_MS;
}

static void mb_on_promise(struct mb_step *s, uint64_t from, const struct mb_message *in)
{
    struct mb *m = s->m;
    const struct mb_head *h = &in->head;
    if (m->proposing != MB_PREPARING || mb_ballot_compare(&h->ballot, &m->ballot) != 0)
        return;
    if (h->has_record && mb_ballot_compare(&h->accepted, &m->adopted) > 0) {
        m->adopted = h->accepted;
        m->proposal = in->record;
    }
    mb_answered(s, from);
    mb_vote_add(m, from);
    mb_vote_advance(s);
}

static void mb_on_propose(struct mb_step *s, uint64_t from, const struct mb_message *in)
{
    struct mb *m = s->m;
    const struct mb_head *h = &in->head;
    if (!h->has_record || in->record.epoch != m->decided.epoch + 1)
        return;
    if (mb_ballot_compare(&h->ballot, &m->promised) < 0) {
        mb_answer(s, from, MB_NACK, &m->promised);
        return;
    }
    if (m->proposing != MB_IDLE && h->ballot.key != m->self.key)
        m->proposing = MB_IDLE;
    if (!mb_votes_itself_out(s, in))
        return;
    mb_accept(m, &h->ballot, &in->record);
    mb_answer(s, from, MB_ACCEPTED, &h->ballot);
}

static void mb_on_accepted(struct mb_step *s, uint64_t from, const struct mb_head *h)
{
    struct mb *m = s->m;
    if (m->proposing != MB_PROPOSING || mb_ballot_compare(&h->ballot, &m->ballot) != 0)
        return;
    mb_vote_add(m, from);
    mb_vote_advance(s);
}

// Somebody was promised a higher round: give way, and begin above it next time.
static void mb_on_nack(struct mb_step *s, const struct mb_head *h)
{
    struct mb *m = s->m;
    if (m->proposing == MB_IDLE || mb_ballot_compare(&h->ballot, &m->ballot) <= 0)
        return;
    m->ballot.round = h->ballot.round;
    m->proposing = MB_IDLE;
    m->begun_ms = s->now_ms;
}

void mb_vote_message(struct mb_step *s, uint64_t from, const struct mb_message *in)
{
    struct mb *m = s->m;
    const struct mb_head *h = &in->head;
    if (h->epoch <= m->decided.epoch && h->cluster == m->decided.cluster) {
        mb_tell_decided(s, from);
        return;
    }
    bool mine = h->cluster == m->decided.cluster && h->epoch == m->decided.epoch + 1;
    if (!mine || !mb_may_vote(m, from) || !mb_may_vote(m, m->self.key))
        return;
    switch ((enum mb_message_kind)h->kind) {
    case MB_PREPARE:
        mb_on_prepare(s, from, h);
        break;
    case MB_PROMISE:
        mb_on_promise(s, from, in);
        break;
    case MB_PROPOSE:
        mb_on_propose(s, from, in);
        break;
    case MB_ACCEPTED:
        mb_on_accepted(s, from, h);
        break;
    case MB_NACK:
        mb_on_nack(s, h);
        break;
    case MB_JOIN:
    case MB_REFUSED:
    case MB_INSTALL:
    case MB_COMPLAIN:
        break;
    }
}
