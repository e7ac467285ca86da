// SPDX-License-Identifier: MIT
// Between the files of the cluster room above the link.
#pragma once

#include "ssi/cluster/cluster.h"
#include "ssi/cluster/membership.h"

// cluster.c
const struct mb *cluster_membership(void);
uint64_t cluster_now_ms(void);
void cluster_wait_epoch(void); // until the first install; the clock may not be set yet
void cluster_clock_was_set(void);

// epoch.c: the installed epoch and its announcement
void cluster_epoch_install(const struct mb_record *r, node_id_t self); // thread context
uint32_t cluster_gone_incarnation(node_id_t n, uint32_t *ip);          // 0: never was a member

// witness_ask.c: what the coordinator asks of the witness
void cluster_witness_ask(const struct mb *m, uint64_t session);
void cluster_witness_start(void (*answered)(uint32_t epoch, bool yes));

// gossip.c
void cluster_gossip_start(void);

// leave.c: how a leaving node goes; called twice a second by the cluster's thread
void cluster_leave_tick(void);
void cluster_leave_event(node_id_t n, bool has_left); // cluster.c: into the step function
