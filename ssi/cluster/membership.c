// SPDX-License-Identifier: MIT
// The step: what each event means, what each tick does in each phase.
#include "ssi/cluster/membership.h"
#include "ssi/cluster/membership_priv.h"
#include "lib/assert.h"
#include "lib/string.h"

// ---- records ----
const struct mb_member *mb_record_member(const struct mb_record *r, node_id_t id)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->members[i].id == id)
            return &r->members[i];
    return NULL;
}

const struct mb_member *mb_record_key(const struct mb_record *r, uint64_t key)
{
    for (unsigned i = 0; i < r->count; i++)
        if (r->members[i].key == key)
            return &r->members[i];
    return NULL;
}

node_id_t mb_record_successor(const struct mb_record *r, node_id_t after)
{
    if (r->count == 0)
        return NODE_NONE;
    for (unsigned i = 0; i < r->count; i++)
        if (r->members[i].id > after)
            return r->members[i].id;
    return r->members[0].id;
}

// ---- phase, effects, peers ----
static bool mb_move_is_legal(enum mb_phase from, enum mb_phase to)
{
#define MB_MOVE(a, b)                                                                              \
    if (from == MB_PHASE_##a && to == MB_PHASE_##b)                                                \
        return true;
#include "ssi/cluster/membership.def"
    return false;
}

static void mb_set_phase(struct mb_step *s, enum mb_phase to)
{
    if (s->m->phase == to)
        return;
    ASSERT(mb_move_is_legal(s->m->phase, to));
    s->m->phase = to;
    mb_emit(s, MB_EFFECT_PHASE);
}

struct mb_effect *mb_emit(struct mb_step *s, enum mb_effect_kind kind)
{
    ASSERT(s->out->count < MB_EFFECTS_MAX);
    struct mb_effect *e = &s->out->effects[s->out->count++];
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    e->id = NODE_NONE;
    return e;
}

void mb_send(struct mb_step *s, uint64_t key, enum mb_message_kind kind, enum mb_with with)
{
    const struct mb *m = s->m;
    struct mb_effect *e = mb_emit(s, MB_EFFECT_SEND);
    e->key = key;
    e->with = with;
    e->head.kind = (uint8_t)kind;
    e->head.has_record = with != MB_WITH_NOTHING && with != MB_WITH_SELF;
    e->head.cluster = m->decided.cluster;
    e->head.epoch = with == MB_WITH_DECIDED ? m->decided.epoch : m->decided.epoch + 1;
    if (kind == MB_PREPARE || kind == MB_PROPOSE)
        e->head.ballot = m->ballot;
    if (kind == MB_PROPOSE)
        e->head.accepted = m->adopted; // round 0: this coordinator's own idea
}

struct mb_peer *mb_peer_find(struct mb *m, uint64_t key)
{
    for (unsigned i = 0; i < MB_PEERS_MAX; i++)
        if (m->peers[i].key == key)
            return &m->peers[i];
    return NULL;
}

// The peer's entry, made if need be: the stranger heard longest ago makes room.
static struct mb_peer *mb_peer_make(struct mb *m, uint64_t key)
{
    struct mb_peer *p = mb_peer_find(m, key);
    if (p != NULL)
        return p;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        struct mb_peer *q = &m->peers[i];
        if (q->key != 0 && mb_record_key(&m->decided, q->key) != NULL)
            continue;
        if (p == NULL || q->key == 0 || (p->key != 0 && q->beacon_ms < p->beacon_ms))
            p = q;
    }
    ASSERT(p != NULL); // MB_PEERS_MAX > NODE_MAX
    memset(p, 0, sizeof(*p));
    p->key = p->who.key = key;
    return p;
}

// Another boot of my session that looks for company, with the same idea of how many found.
bool mb_peer_seeks_with_me(const struct mb_step *s, const struct mb_peer *p)
{
    return p->key != 0 && p->cluster == 0 && p->beacon_ms != 0 &&
           s->now_ms - p->beacon_ms < MB_SEEN_MS && p->who.nodes == s->m->self.nodes &&
           p->who.protocol == s->m->self.protocol &&
           memcmp(p->who.root, s->m->self.root, sizeof(p->who.root)) == 0;
}

// ---- who lives ----
bool mb_alive(const struct mb *m, const struct mb_member *member, uint64_t now_ms)
{
    if (member->key == m->self.key)
        return true;
    const struct mb_peer *p = mb_peer_find((struct mb *)m, member->key);
    if (p == NULL)
        return false;
    if (p->condemned_ms != 0 && now_ms - p->condemned_ms < MB_LEASE_MS)
        return false;
    return now_ms < m->trust_until_ms ||
           (now_ms - p->heard_ms < MB_DEATH_MS && now_ms - p->contact_ms < MB_DEATH_MS);
}

node_id_t mb_coordinator(const struct mb *m, uint64_t now_ms)
{
    node_id_t leaver = NODE_NONE;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (!mb_alive(m, member, now_ms))
            continue;
        if (mb_is_elector(member))
            return member->id;
        if (leaver == NODE_NONE)
            leaver = member->id;
    }
    return leaver;
}

static bool mb_i_coordinate(const struct mb_step *s)
{
    return s->m->decided.epoch != 0 && mb_coordinator(s->m, s->now_ms) == s->m->id;
}

static bool mb_in_touch(const struct mb_step *s, const struct mb_member *member)
{
    if (member->key == s->m->self.key)
        return true;
    const struct mb_peer *p = mb_peer_find(s->m, member->key);
    return p != NULL && s->now_ms - p->contact_ms < MB_LEASE_MS;
}

// In touch with those who could decide the next epoch together with me? With a witness a half is
// not enough: the other half may be getting its grant.
static bool mb_has_quorum_contact(const struct mb_step *s)
{
    const struct mb *m = s->m;
    unsigned touched = 0, electors = 0;
    bool lowest = false;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (!mb_is_elector(member))
            continue;
        bool touch = mb_in_touch(s, member);
        if (electors++ == 0)
            lowest = touch;
        touched += touch;
    }
    if (touched * 2 != electors)
        return touched * 2 > electors;
    return m->decided.witness == 0 && lowest;
}

// ---- decided ----
void mb_tell_decided(struct mb_step *s, uint64_t key)
{
    struct mb_peer *p = mb_peer_make(s->m, key);
    if (s->m->decided.epoch == 0 || (p->told_ms != 0 && s->now_ms - p->told_ms < MB_RETRY_MS))
        return;
    p->told_ms = s->now_ms;
    mb_send(s, key, MB_INSTALL, MB_WITH_DECIDED);
}

static void mb_meet_members(struct mb_step *s, const struct mb_record *before)
{
    struct mb *m = s->m;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (member->key == m->self.key)
            continue;
        struct mb_peer *p = mb_peer_make(m, member->key);
        p->who.ip = member->ip;
        p->cluster = m->decided.cluster;
        p->join_ms = 0;
        if (mb_record_key(before, member->key) == NULL)
            p->heard_ms = p->contact_ms = s->now_ms; // a lease to say its first word
    }
}

static void mb_spread(struct mb_step *s, const struct mb_record *before)
{
    struct mb *m = s->m;
    const struct mb_record *lists[] = {&m->decided, before};
    for (unsigned l = 0; l < 2; l++)
        for (unsigned i = 0; i < lists[l]->count; i++) {
            uint64_t key = lists[l]->members[i].key;
            if (key == m->self.key || (l == 1 && mb_record_key(&m->decided, key) != NULL))
                continue;
            mb_peer_make(m, key)->told_ms = 0;
            mb_tell_decided(s, key);
        }
}

static void mb_forget_ballot(struct mb *m)
{
    static const struct mb_ballot none;
    m->promised = m->accepted_ballot = m->adopted = m->ballot = none;
    m->proposing = MB_IDLE;
    m->vote_count = 0;
    m->granted = false;
    m->asked_ms = m->begun_ms = m->join_since_ms = m->left_out_ms = 0;
}

// The one setter of `decided`. `r` may be this node's own proposal.
void mb_decide(struct mb_step *s, const struct mb_record *r)
{
    struct mb *m = s->m;
    bool mine = r == &m->proposal;
    const struct mb_member *me = mb_record_key(r, m->self.key);
    if (me == NULL && m->phase == MB_PHASE_SEEKING)
        return;
    // The accepted record has served: it keeps the epoch before for the comparison.
    m->accepted = m->decided;
    m->decided = *r;
    mb_forget_ballot(m);
    me = mb_record_key(&m->decided, m->self.key);
    mb_meet_members(s, &m->accepted);
    for (unsigned id = 0; id < NODE_MAX; id++)
        if (mb_record_member(&m->decided, (node_id_t)id) == NULL)
            m->leave[id] = MB_STAYS;
    if (mine)
        mb_spread(s, &m->accepted);
    if (me == NULL) {
        mb_set_phase(s, MB_PHASE_OUT);
        return;
    }
    m->id = me->id;
    m->incarnation = me->incarnation;
    mb_emit(s, MB_EFFECT_DECIDED);
    mb_set_phase(s, MB_PHASE_MEMBER);
}

// ---- seeking ----
static bool mb_hears_cluster(const struct mb_step *s, const struct mb_peer *p)
{
    return p->key != 0 && p->cluster != 0 && p->beacon_ms != 0 &&
           s->now_ms - p->beacon_ms < MB_SEEN_MS;
}

// The cluster to join: of several with my session the one with the lowest key; 0: none is heard.
static uint64_t mb_cluster_heard(const struct mb_step *s)
{
    uint64_t best = 0;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        const struct mb_peer *p = &s->m->peers[i];
        if (mb_hears_cluster(s, p) && (best == 0 || p->cluster < best))
            best = p->cluster;
    }
    return best;
}

static void mb_ask_to_join(struct mb_step *s, uint64_t cluster)
{
    struct mb *m = s->m;
    if (s->now_ms - m->join_sent_ms < MB_RETRY_MS)
        return;
    m->join_sent_ms = s->now_ms;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        if (!mb_hears_cluster(s, &m->peers[i]) || m->peers[i].cluster != cluster)
            continue;
        mb_send(s, m->peers[i].key, MB_JOIN, MB_WITH_SELF);
        s->out->effects[s->out->count - 1].head.cluster = cluster;
    }
}

// Lowest wish first, then lowest key: one of those who hear each other begins.
static bool mb_i_found(const struct mb_step *s, unsigned *heard)
{
    const struct mb *m = s->m;
    bool first = true;
    *heard = 1;
    for (unsigned i = 0; i < MB_PEERS_MAX; i++) {
        const struct mb_peer *p = &m->peers[i];
        if (!mb_peer_seeks_with_me(s, p))
            continue;
        ++*heard;
        if (p->who.wish < m->self.wish || (p->who.wish == m->self.wish && p->key < m->self.key))
            first = false;
    }
    return first;
}

static bool mb_may_begin(const struct mb_step *s)
{
    const struct mb *m = s->m;
    return m->proposing == MB_IDLE &&
           (m->begun_ms == 0 || s->now_ms - m->begun_ms >= MB_RETRY_MS * (1 + m->self.key % 3));
}

static void mb_tick_seeking(struct mb_step *s)
{
    struct mb *m = s->m;
    uint64_t cluster = m->alone ? 0 : mb_cluster_heard(s);
    if (cluster != 0) {
        m->proposing = MB_IDLE;
        mb_ask_to_join(s, cluster);
        return;
    }
    unsigned heard;
    bool first = mb_i_found(s, &heard);
    bool majority = heard * 2 > m->self.nodes;
    if (!majority)
        m->majority_ms = 0;
    else if (m->majority_ms == 0)
        m->majority_ms = s->now_ms;
    bool listened = m->alone || s->now_ms - m->started_ms >= MB_LISTEN_MS;
    bool waited = heard >= m->self.nodes || s->now_ms - m->majority_ms >= MB_PATIENCE_MS;
    if (first && majority && listened && (m->alone || waited) && mb_may_begin(s))
        mb_vote_begin(s);
    mb_vote_tick(s);
}

// ---- in an epoch ----
// A member that I do not hear and the coordinator may: let it choose between the two of us.
static void mb_complain(struct mb_step *s)
{
    struct mb *m = s->m;
    const struct mb_member *boss = mb_record_member(&m->decided, mb_coordinator(m, s->now_ms));
    if (boss == NULL || boss->key == m->self.key || s->now_ms - m->complained_ms < MB_RETRY_MS)
        return;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (mb_alive(m, member, s->now_ms))
            continue;
        m->complained_ms = s->now_ms;
        mb_send(s, boss->key, MB_COMPLAIN, MB_WITH_NOTHING);
        struct mb_effect *e = &s->out->effects[s->out->count - 1];
        e->head.epoch = m->decided.epoch;
        e->head.about = member->key;
        e->head.ballot.key = m->self.key;
    }
}

static void mb_tick_member(struct mb_step *s)
{
    mb_set_phase(s, mb_has_quorum_contact(s) ? MB_PHASE_MEMBER : MB_PHASE_FENCED);
    if (mb_i_coordinate(s) && mb_wants_change(s)) {
        if (mb_may_begin(s))
            mb_vote_begin(s);
    } else {
        mb_complain(s);
    }
    mb_vote_tick(s);
}

static void mb_on_tick(struct mb_step *s)
{
    struct mb *m = s->m;
    if (s->now_ms - m->tick_ms > MB_TICK_MS + MB_LATE_MS)
        m->trust_until_ms = s->now_ms + MB_LEASE_MS;
    m->tick_ms = s->now_ms;
    switch (m->phase) {
    case MB_PHASE_SEEKING:
        mb_tick_seeking(s);
        break;
    case MB_PHASE_MEMBER:
    case MB_PHASE_FENCED:
        mb_tick_member(s);
        break;
    case MB_PHASE_OUT:
        break;
    }
}

// ---- what others say ----
static void mb_on_beacon(struct mb_step *s, const struct mb_event *e)
{
    if (e->who->key == 0 || e->who->key == s->m->self.key)
        return;
    struct mb_peer *p = mb_peer_make(s->m, e->who->key);
    p->who = *e->who;
    p->cluster = e->cluster;
    p->epoch = e->epoch;
    p->beacon_ms = s->now_ms;
}

static void mb_on_heartbeat(struct mb_step *s, const struct mb_event *e)
{
    struct mb *m = s->m;
    struct mb_peer *p = mb_peer_find(m, e->key);
    if (p == NULL || m->decided.epoch == 0)
        return;
    p->heard_ms = s->now_ms;
    if (e->contact_ms > p->contact_ms && e->contact_ms <= s->now_ms)
        p->contact_ms = e->contact_ms;
    bool knows_less = e->cluster == m->decided.cluster && e->epoch < m->decided.epoch;
    bool just_let_in = e->cluster == 0 && mb_record_key(&m->decided, e->key) != NULL;
    if (knows_less || just_let_in)
        mb_tell_decided(s, e->key);
}

static unsigned mb_refusal_of(const struct mb *m, const struct mb_identity *who)
{
    if (who->protocol != m->self.protocol)
        return MB_REFUSED_VERSION;
    if (memcmp(who->root, m->self.root, sizeof(who->root)) != 0)
        return MB_REFUSED_ROOT;
    if (m->decided.count >= NODE_MAX)
        return MB_REFUSED_FULL;
    return 0;
}

static void mb_refuse(struct mb_step *s, struct mb_peer *p, unsigned reason)
{
    if (p->refused_ms != 0 && s->now_ms - p->refused_ms < 10 * MB_RETRY_MS)
        return;
    p->refused_ms = s->now_ms;
    mb_send(s, p->key, MB_REFUSED, MB_WITH_NOTHING);
    s->out->effects[s->out->count - 1].head.reason = (uint8_t)reason;
    struct mb_effect *e = mb_emit(s, MB_EFFECT_REFUSED);
    e->key = p->key;
    e->head.reason = (uint8_t)reason;
}

static void mb_on_join(struct mb_step *s, uint64_t from, const struct mb_message *in)
{
    struct mb *m = s->m;
    if (in->head.cluster != m->decided.cluster || in->who.key != from || !mb_i_coordinate(s))
        return;
    if (mb_record_key(&m->decided, from) != NULL) {
        mb_tell_decided(s, from);
        return;
    }
    struct mb_peer *p = mb_peer_make(m, from);
    p->who = in->who;
    unsigned reason = mb_refusal_of(m, &in->who);
    if (reason != 0)
        mb_refuse(s, p, reason);
    else
        p->join_ms = s->now_ms;
}

static void mb_on_install(struct mb_step *s, const struct mb_message *in)
{
    struct mb *m = s->m;
    const struct mb_record *r = &in->record;
    if (!in->head.has_record || m->phase == MB_PHASE_OUT)
        return;
    bool seeks = m->phase == MB_PHASE_SEEKING;
    if (seeks ? mb_record_key(r, m->self.key) != NULL
              : r->cluster == m->decided.cluster && r->epoch > m->decided.epoch)
        mb_decide(s, r);
}

// Two members do not hear each other: the one with the higher id goes.
static void mb_on_complaint(struct mb_step *s, uint64_t from, const struct mb_head *h)
{
    struct mb *m = s->m;
    const struct mb_member *by = mb_record_key(&m->decided, h->ballot.key);
    const struct mb_member *about = mb_record_key(&m->decided, h->about);
    if (by == NULL || about == NULL || by == about || h->epoch != m->decided.epoch ||
        mb_record_key(&m->decided, from) == NULL || !mb_alive(m, by, s->now_ms))
        return;
    if (!mb_i_coordinate(s)) {
        const struct mb_member *boss = mb_record_member(&m->decided, mb_coordinator(m, s->now_ms));
        if (boss == NULL || h->ballot.key != from)
            return;
        mb_send(s, boss->key, MB_COMPLAIN, MB_WITH_NOTHING);
        s->out->effects[s->out->count - 1].head = *h;
        return;
    }
    const struct mb_member *victim = by->id > about->id ? by : about;
    if (victim->key == m->self.key)
        victim = victim == by ? about : by;
    // A node that died is missed by the others a little earlier than here: no broken pair. The
    // complaint is repeated.
    const struct mb_peer *missed = mb_peer_find(m, about->key);
    bool here =
        about->key == m->self.key || (missed != NULL && s->now_ms - missed->heard_ms < MB_LEASE_MS);
    struct mb_peer *p = mb_peer_find(m, victim->key);
    if (p != NULL && here && mb_alive(m, about, s->now_ms))
        p->condemned_ms = s->now_ms;
}

static void mb_on_message(struct mb_step *s, const struct mb_event *e)
{
    const struct mb_message *in = e->message;
    struct mb_peer *p = mb_peer_find(s->m, e->key);
    if (p != NULL)
        p->heard_ms = s->now_ms;
    switch ((enum mb_message_kind)in->head.kind) {
    case MB_JOIN:
        if (s->m->decided.epoch != 0)
            mb_on_join(s, e->key, in);
        break;
    case MB_REFUSED:
        if (s->m->phase == MB_PHASE_SEEKING)
            mb_emit(s, MB_EFFECT_REFUSED)->head.reason = in->head.reason;
        break;
    case MB_INSTALL:
        mb_on_install(s, in);
        break;
    case MB_COMPLAIN:
        if (s->m->decided.epoch != 0)
            mb_on_complaint(s, e->key, &in->head);
        break;
    case MB_PREPARE:
    case MB_PROMISE:
    case MB_PROPOSE:
    case MB_ACCEPTED:
    case MB_NACK:
        if (s->m->decided.epoch == 0 && mb_cluster_heard(s) != 0)
            break; // there is a cluster: nobody founds another with my help
        mb_vote_message(s, e->key, in);
        break;
    }
}

static void mb_on_leave(struct mb *m, node_id_t id, enum mb_leave how)
{
    if (id < NODE_MAX && mb_record_member(&m->decided, id) != NULL && m->leave[id] < how)
        m->leave[id] = (uint8_t)how;
}

void mb_step(struct mb *m, const struct mb_event *e, struct mb_effects *out)
{
    struct mb_step s = {.m = m, .now_ms = e->now_ms, .out = out};
    out->count = 0;
    if (m->phase == MB_PHASE_OUT)
        return;
    struct mb_peer *p = NULL;
    switch (e->kind) {
    case MB_EVENT_TICK:
        mb_on_tick(&s);
        break;
    case MB_EVENT_BEACON:
        mb_on_beacon(&s, e);
        break;
    case MB_EVENT_HEARD:
        p = mb_peer_find(m, e->key);
        if (p != NULL)
            p->heard_ms = e->now_ms;
        break;
    case MB_EVENT_HEARTBEAT:
        mb_on_heartbeat(&s, e);
        break;
    case MB_EVENT_MESSAGE:
        mb_on_message(&s, e);
        break;
    case MB_EVENT_GRANT:
        if (m->decided.epoch != 0 && e->epoch == m->decided.epoch + 1)
            mb_vote_granted(&s, e->yes);
        break;
    case MB_EVENT_LEAVE:
        mb_on_leave(m, e->id, MB_LEAVES);
        break;
    case MB_EVENT_LEFT:
        mb_on_leave(m, e->id, MB_HAS_LEFT);
        break;
    }
}

void mb_init(struct mb *m, const struct mb_identity *self, bool alone, uint32_t witness,
             uint64_t now_ms)
{
    memset(m, 0, sizeof(*m));
    m->self = *self;
    if (m->self.nodes == 0 || alone)
        m->self.nodes = 1;
    m->alone = alone;
    m->witness = witness;
    m->id = NODE_NONE;
    m->started_ms = m->tick_ms = now_ms;
}
