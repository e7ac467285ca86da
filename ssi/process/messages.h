// SPDX-License-Identifier: MIT
// Messages about processes (rows 60 to 89 of messages.def), as they are on the wire. A request
// about one process begins with `message_about` and is answered with `answer`: by the node that
// has it, or with where to ask.
#pragma once

#include "ssi/cluster/rpc.h"
#include "ssi/process/priv.h"
#include "ssi/process/remote.h"

struct message_about {
    int32_t pid;
    uint32_t incarnation; // news of an older one are refused; 0: of any
} PACKED;

enum answer_kind {
    ANSWER_DONE = 1,  // `result` is the outcome
    ANSWER_MOVED = 2, // to `node`, as `incarnation`
    ANSWER_ASK = 3,   // not here; the birth node knows
    ANSWER_WAIT = 4,  // it is on its way: ask again
};

struct answer {
    uint16_t what; // enum answer_kind
    uint16_t node;
    uint32_t incarnation;
    int32_t result;
} PACKED;

struct message_gone {
    struct message_about about;
    int32_t status; // how it ended
} PACKED;

// Who sends a signal: what the permission check needs.
struct wire_sender {
    int32_t pid, sid;
    uint32_t uid, euid;
    uint64_t permitted, effective; // capabilities
} PACKED;

struct wire_sender remote_sender(const struct process *p); // who acts for p now

struct wire_info { // struct signal_info
    int32_t signal, error, code, pid;
    uint32_t uid, address;
    int32_t value, status;
} PACKED;

struct message_signal {
    struct message_about about;
    uint32_t request; // with the node it comes from: carried out once
    int32_t tid;      // to this task of it; 0: to the process
    struct wire_sender sender;
    struct wire_info info;
} PACKED;

struct message_group {
    int32_t pgrp; // GROUP_EVERYBODY
    uint32_t request;
    uint16_t from_kernel; // the terminal's signals: nobody's permission is asked
    uint16_t reserved;
    struct wire_sender sender;
    struct wire_info info;
} PACKED;

struct group_answer {
    uint32_t reached, refused, moving;
} PACKED;

struct message_set_group {
    struct message_about about;
    int32_t pgrp, sid;
} PACKED;

struct message_orphan {
    struct message_about about;
    int32_t parent; // from now on
} PACKED;

struct message_adopt {          // fields of struct child
    struct message_about about; // the new parent
    int32_t child, pgrp, status;
    uint32_t uid;
    uint16_t node, state;
    struct usage usage;
} PACKED;

struct message_child {
    struct message_about about; // the parent
    struct child_report report;
} PACKED;

// A handler's beginning: the process when it is here and stays; else it has answered.
struct process *answer_find(const struct rpc_in *in, size_t expected_bytes);
struct process *answer_find_thread(const struct rpc_in *in, size_t expected_bytes); // or a TID's
void answer_done(const struct rpc_in *in, uint32_t incarnation, int result, const void *more,
                 size_t more_bytes);

// Asks the node that has the process (the message begins with message_about, filled in by the
// caller), follows MOVED and ASK, waits on WAIT. >= 0 or negative errno: the outcome; -ESRCH: no
// such process. `reply` (answer and what follows) may be NULL. Sleeps.
int routed_call(int32_t pid, enum rpc_kind kind, const void *message, size_t n, void *reply,
                size_t reply_size);

// The same, with the size of the reply.
int routed_call_bytes(int32_t pid, enum rpc_kind kind, const void *message, size_t n, void *reply,
                      size_t reply_size, size_t *bytes);

#define MESSAGE(number, name, class, blocks, handler) void handler(const struct rpc_in *in);
#include "ssi/cluster/messages.def"
#undef MESSAGE

bool signal_seen_before(struct process *p, node_id_t node, uint32_t request);
