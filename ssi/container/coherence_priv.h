// SPDX-License-Identifier: MIT
// What the two halves of coherence share: the making of an answer.
#pragma once

#include "ssi/container/coherence.h"

void coh_out_init(struct coh_out *out, uint8_t state);
void coh_refuse(struct coh_out *out);
void coh_send_one(struct coh_out *out, const struct coh_env *env, struct coh_msg m, node_id_t to);
void coh_send_set(struct coh_out *out, const struct coh_env *env, struct coh_msg m,
                  const struct node_set *to);
