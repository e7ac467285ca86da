// SPDX-License-Identifier: MIT
// Messages between nodes. Each kind is a numbered row of messages.def that names its handler, its
// class and whether the handler may block. Inside an epoch messages of one ordered pair and class
// arrive exactly once and in order (PROTOCOLS 3). Data travels by value, at most RPC_BYTES_MAX.
#pragma once

#include "kernel/fault.h"
#include "lib/types.h"
#include "lib/limits.h"

enum rpc_class { // lowest first; a handler waits only for classes below its own
    RPC_REPLY,
    RPC_FORWARD,
    RPC_FLUSH,
    RPC_REQUEST,
    RPC_BACKGROUND,
    RPC_CLASSES,
};

enum rpc_kind {
#define MESSAGE(number, name, class, blocks, handler) MSG_##name = number,
#include "ssi/cluster/messages.def"
#undef MESSAGE
};

struct rpc_in { // a message that arrived
    node_id_t from;
    uint16_t kind;     // enum rpc_kind; a number without a row never gets here
    uint32_t request;  // 0: one-way, nobody waits for a reply
    const void *bytes; // valid until the handler returns
    size_t n;
};

// Handlers: those whose row says `blocks` run on a worker thread and may sleep; the others run in
// the link's receive thread, must not sleep, and must not allocate from the common pool.
typedef void (*rpc_handler_fn)(const struct rpc_in *in);

// One-way. 0, -EHOSTDOWN (not a member), -EMSGSIZE, -ENOMEM. To the node itself: the handler runs
// soon on this node, after the caller sleeps. Never sleeps.
int rpc_send(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n);

// Asks and sleeps until the reply: bytes of the reply (>= 0; cut at reply_size), the handler's
// negative errno, or -EHOSTDOWN when an epoch came without that node. On this node itself the
// handler is called like any other. RPC_INTERRUPTIBLE: -EINTR when the thread is asked; the
// request is then cancelled (a late reply is dropped).
enum {
    RPC_INTERRUPTIBLE = 1
};
long rpc_call(node_id_t to, enum rpc_kind kind, const void *bytes, size_t n, void *reply,
              size_t reply_size, unsigned flags) MUST_CHECK;

// Answers `in` (once): status 0 with bytes, or a negative errno. May be called after the handler
// returned if the caller kept from and request.
void rpc_reply(node_id_t to, uint32_t request, int status, const void *bytes, size_t n);

// The next message of this node that goes out by the link is lost with its connection; the link has
// to make it good. For fault points.
void rpc_lose_next(void);
#define FAULT_SEND(room, state, to)                                                                \
    do {                                                                                           \
        if (FAULT(room, state, to))                                                                \
            rpc_lose_next();                                                                       \
    } while (0)

// The handlers, each in the room that its row names.
#define MESSAGE(number, name, class, blocks, handler) void handler(const struct rpc_in *in);
#include "ssi/cluster/messages.def"
#undef MESSAGE
