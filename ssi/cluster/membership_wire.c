// SPDX-License-Identifier: MIT
// Membership's messages as bytes, parsed once; names; invariants.
#include "ssi/cluster/membership.h"
#include "lib/string.h"

static size_t mb_record_bytes(const struct mb_record *r)
{
    return MB_RECORD_HEAD + r->count * sizeof(struct mb_member);
}

static const struct mb_record *mb_record_of(const struct mb *m, enum mb_with with)
{
    switch (with) {
    case MB_WITH_DECIDED:
        return &m->decided;
    case MB_WITH_ACCEPTED:
        return &m->accepted;
    case MB_WITH_PROPOSAL:
        return &m->proposal;
    case MB_WITH_NOTHING:
    case MB_WITH_SELF:
        break;
    }
    return NULL;
}

size_t mb_message_encode(const struct mb *m, const struct mb_effect *e, uint8_t *to)
{
    size_t n = sizeof(e->head);
    memcpy(to, &e->head, n);
    if (e->with == MB_WITH_SELF) {
        memcpy(to + n, &m->self, sizeof(m->self));
        return n + sizeof(m->self);
    }
    const struct mb_record *r = mb_record_of(m, e->with);
    if (r != NULL) {
        memcpy(to + n, r, mb_record_bytes(r));
        n += mb_record_bytes(r);
    }
    return n;
}

bool mb_record_valid(const struct mb_record *r)
{
    if (r->cluster == 0 || r->epoch == 0 || r->count == 0 || r->count > NODE_MAX)
        return false;
    bool home = false;
    for (unsigned i = 0; i < r->count; i++) {
        const struct mb_member *member = &r->members[i];
        if (member->id >= NODE_MAX || member->key == 0 || member->incarnation == 0 ||
            member->incarnation > r->epoch || member->leaving > 1)
            return false;
        if (i > 0 && member->id <= r->members[i - 1].id)
            return false;
        for (unsigned j = 0; j < i; j++)
            if (r->members[j].key == member->key)
                return false;
        home |= member->id == r->fs_home;
    }
    return home;
}

static bool mb_decode_record(const uint8_t *bytes, size_t n, struct mb_record *r)
{
    if (n < MB_RECORD_HEAD)
        return false;
    memcpy(r, bytes, MB_RECORD_HEAD);
    if (r->count > NODE_MAX || n != mb_record_bytes(r))
        return false;
    memcpy(r->members, bytes + MB_RECORD_HEAD, n - MB_RECORD_HEAD);
    return mb_record_valid(r);
}

static bool mb_kind_known(unsigned kind)
{
#define MB_MESSAGE(number, name)                                                                   \
    if (kind == number)                                                                            \
        return true;
#include "ssi/cluster/membership.def"
    return false;
}

bool mb_message_decode(const uint8_t *bytes, size_t n, struct mb_message *out)
{
    if (n < sizeof(out->head))
        return false;
    memcpy(&out->head, bytes, sizeof(out->head));
    bytes += sizeof(out->head);
    n -= sizeof(out->head);
    const struct mb_head *h = &out->head;
    if (!mb_kind_known(h->kind) || h->has_record > 1)
        return false;
    if (h->kind == MB_JOIN) {
        if (n != sizeof(out->who) || h->has_record)
            return false;
        memcpy(&out->who, bytes, n);
        return out->who.key != 0;
    }
    bool needs = h->kind == MB_PROPOSE || h->kind == MB_INSTALL;
    if ((needs && !h->has_record) || (h->has_record && !needs && h->kind != MB_PROMISE))
        return false;
    return h->has_record ? mb_decode_record(bytes, n, &out->record) : n == 0;
}

const char *mb_message_name(unsigned kind)
{
    static const char *const names[] = {
#define MB_MESSAGE(number, name) [number] = #name,
#include "ssi/cluster/membership.def"
    };
    return kind < ARRAY_SIZE(names) && names[kind] != NULL ? names[kind] : "?";
}

const char *mb_phase_name(enum mb_phase p)
{
    switch (p) {
#define MB_PHASE(name, what)                                                                       \
    case MB_PHASE_##name:                                                                          \
        return what;
#include "ssi/cluster/membership.def"
    }
    return "?";
}

const char *mb_refusal_text(unsigned reason)
{
#define MB_REFUSAL(number, name, sentence)                                                         \
    if (reason == number)                                                                          \
        return sentence;
#include "ssi/cluster/membership.def"
    return "a reason this node does not know";
}

unsigned mb_check(const struct mb *m)
{
    bool in = m->phase == MB_PHASE_MEMBER || m->phase == MB_PHASE_FENCED;
    if (in != (m->decided.epoch != 0 && mb_record_key(&m->decided, m->self.key) != NULL))
        return 1; // a member is in the epoch it has decided
    if (m->decided.epoch != 0 && !mb_record_valid(&m->decided))
        return 2;
    if (in && mb_record_member(&m->decided, m->id)->key != m->self.key)
        return 3; // its id is its own
    if (m->accepted_ballot.round != 0 && m->accepted.epoch != m->decided.epoch + 1)
        return 4; // what is accepted is about the next epoch
    if (m->accepted_ballot.round > m->promised.round)
        return 5; // nothing is accepted under more than was promised
    if (m->proposing == MB_PROPOSING && m->proposal.epoch != m->decided.epoch + 1)
        return 6;
    for (unsigned i = 0; i < m->vote_count; i++)
        for (unsigned j = 0; j < i; j++)
            if (m->votes[i] == m->votes[j])
                return 7; // a vote counts once
    return 0;
}
