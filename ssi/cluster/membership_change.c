// SPDX-License-Identifier: MIT
// What the next epoch should be: the present one less the dead and those that have left, with
// leavers marked, and with the joiners.
#include "ssi/cluster/membership_priv.h"
#include "lib/string.h"

enum {
    MB_JOIN_FRESH_MS = 2000, // a JOIN older than that has been given up
    MB_JOIN_BATCH_MS = 200,  // joiners that come together enter together
    MB_WISH_SILENT_MS = 1000,
};

static bool mb_id_taken(const struct mb_record *r, node_id_t id)
{
    return id >= NODE_MAX || mb_record_member(r, id) != NULL;
}

// A machine that has restarted wishes the id its dead self still holds: it waits for the epoch
// that drops that one. An id held by a node of another address that is heard is simply taken.
static bool mb_wish_is_dying(const struct mb_step *s, const struct mb_identity *who)
{
    struct mb *m = s->m;
    const struct mb_member *holder = mb_record_member(&m->decided, who->wish);
    if (holder == NULL || holder->key == m->self.key)
        return false;
    if (holder->ip == who->ip)
        return true;
    const struct mb_peer *p = mb_peer_find(m, holder->key);
    return p == NULL || s->now_ms - p->heard_ms > MB_WISH_SILENT_MS;
}

// Its bytes reach me and mine reach it, or it would be dropped again at once.
static bool mb_joins(const struct mb_step *s, const struct mb_peer *p)
{
    return p->key != 0 && p->contact_ms != 0 && s->now_ms - p->contact_ms < MB_LEASE_MS &&
           p->join_ms != 0 && s->now_ms - p->join_ms < MB_JOIN_FRESH_MS &&
           mb_record_key(&s->m->decided, p->key) == NULL;
}

static bool mb_joiners_wait(const struct mb_step *s)
{
    struct mb *m = s->m;
    bool any = false;
    for (unsigned i = 0; i < MB_PEERS_MAX && !any; i++)
        any = mb_joins(s, &m->peers[i]) && !mb_wish_is_dying(s, &m->peers[i].who);
    if (!any)
        m->join_since_ms = 0;
    else if (m->join_since_ms == 0)
        m->join_since_ms = s->now_ms;
    return any && s->now_ms - m->join_since_ms >= MB_JOIN_BATCH_MS;
}

static bool mb_stays(const struct mb_step *s, const struct mb_member *member)
{
    if (member->leaving && s->m->leave[member->id] == MB_HAS_LEFT)
        return false;
    return mb_alive(s->m, member, s->now_ms);
}

bool mb_wants_change(const struct mb_step *s)
{
    const struct mb *m = s->m;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (!mb_stays(s, member) || (!member->leaving && m->leave[member->id] != MB_STAYS))
            return true;
    }
    return mb_joiners_wait(s);
}

static void mb_record_add(struct mb_record *r, node_id_t id, const struct mb_identity *who)
{
    unsigned at = r->count;
    while (at > 0 && r->members[at - 1].id > id) {
        r->members[at] = r->members[at - 1];
        at--;
    }
    r->members[at] = (struct mb_member){
        .key = who->key,
        .incarnation = r->epoch,
        .ip = who->ip,
        .features_edx = who->features_edx,
        .features_ecx = who->features_ecx,
        .id = id,
        .cpus = who->cpus,
    };
    r->count++;
}

static node_id_t mb_lowest_free_id(const struct mb_record *r)
{
    node_id_t id = 0;
    while (id < NODE_MAX && mb_id_taken(r, id))
        id++;
    return id;
}

static bool mb_founds(const struct mb *m, uint64_t key)
{
    for (unsigned i = 0; i < m->vote_count; i++)
        if (m->votes[i] == key)
            return true;
    return false;
}

static bool mb_enters(const struct mb_step *s, const struct mb_peer *p)
{
    if (p->key == 0)
        return false;
    if (s->m->decided.epoch == 0)
        return mb_founds(s->m, p->key);
    return mb_joins(s, p) && !mb_wish_is_dying(s, &p->who);
}

// Wishes first, then the lowest free ids for the others.
static void mb_add_newcomers(const struct mb_step *s, struct mb_record *r)
{
    struct mb *m = s->m;
    bool founding = m->decided.epoch == 0;
    if (founding && !mb_id_taken(r, m->self.wish))
        mb_record_add(r, m->self.wish, &m->self);
    for (unsigned i = 0; i < MB_PEERS_MAX; i++)
        if (mb_enters(s, &m->peers[i]) && !mb_id_taken(r, m->peers[i].who.wish))
            mb_record_add(r, m->peers[i].who.wish, &m->peers[i].who);
    if (founding && mb_record_key(r, m->self.key) == NULL)
        mb_record_add(r, mb_lowest_free_id(r), &m->self);
    for (unsigned i = 0; i < MB_PEERS_MAX && r->count < NODE_MAX; i++)
        if (mb_enters(s, &m->peers[i]) && mb_record_key(r, m->peers[i].key) == NULL)
            mb_record_add(r, mb_lowest_free_id(r), &m->peers[i].who);
}

static void mb_keep_members(struct mb_step *s, struct mb_record *r)
{
    const struct mb *m = s->m;
    r->count = 0;
    for (unsigned i = 0; i < m->decided.count; i++) {
        const struct mb_member *member = &m->decided.members[i];
        if (!mb_stays(s, member)) {
            struct mb_effect *e = mb_emit(s, MB_EFFECT_CONDEMN);
            e->id = member->id;
            e->key = member->key;
            continue;
        }
        r->members[r->count] = *member;
        if (m->leave[member->id] != MB_STAYS)
            r->members[r->count].leaving = 1;
        r->count++;
    }
}

void mb_build_proposal(struct mb_step *s)
{
    struct mb *m = s->m;
    struct mb_record *r = &m->proposal;
    *r = m->decided;
    r->epoch = m->decided.epoch + 1;
    if (m->decided.epoch == 0) {
        r->cluster = m->self.key;
        r->witness = m->witness;
    }
    mb_keep_members(s, r);
    mb_add_newcomers(s, r);
    if (m->decided.epoch == 0)
        r->fs_home = mb_record_key(r, m->self.key)->id;
    else if (mb_record_member(r, r->fs_home) == NULL)
        r->fs_home = mb_record_successor(r, r->fs_home);
}
