// SPDX-License-Identifier: MIT
// Between the files of membership: what the ballot needs of the rest, and the other way round.
#pragma once

#include "ssi/cluster/membership.h"

struct mb_step { // one step under way
    struct mb *m;
    uint64_t now_ms;
    struct mb_effects *out;
};

struct mb_effect *mb_emit(struct mb_step *s, enum mb_effect_kind kind);
void mb_send(struct mb_step *s, uint64_t key, enum mb_message_kind kind, enum mb_with with);
void mb_tell_decided(struct mb_step *s, uint64_t key);
void mb_decide(struct mb_step *s, const struct mb_record *r);
struct mb_peer *mb_peer_find(struct mb *m, uint64_t key);
bool mb_peer_seeks_with_me(const struct mb_step *s, const struct mb_peer *p);

// membership_vote.c
bool mb_is_elector(const struct mb_member *member);
unsigned mb_elector_count(const struct mb *m);
void mb_vote_begin(struct mb_step *s);
void mb_vote_message(struct mb_step *s, uint64_t from, const struct mb_message *in);
void mb_vote_tick(struct mb_step *s);
void mb_vote_granted(struct mb_step *s, bool yes);

// membership_change.c: what the next epoch should be
bool mb_wants_change(const struct mb_step *s);
void mb_build_proposal(struct mb_step *s);
