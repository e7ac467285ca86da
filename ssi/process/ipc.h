// SPDX-License-Identifier: MIT
// System V IPC (svipc(7)): shared memory, semaphores and message queues of the whole cluster. All
// objects live on one node, the home of the file tree, and go with it; every node asks there by
// one message. A shared memory id is an interface of a container: pages go where they are used.
// The home never waits: a call that would wait is noted there, and its node hears of news.
#pragma once

#include "ssi/container/container.h"
#include "ssi/process/process.h"

enum ipc_kind {
    IPC_KIND_SEM,
    IPC_KIND_MSG,
    IPC_KIND_SHM,
    IPC_KINDS
};

enum ipc_op {
    IPC_OP_GET,           // id: key; a: size or number; flags
    IPC_OP_STAT,          // -> struct ipc_facts. flags: enum ipc_stat
    IPC_OP_SET,           // a: uid, b: gid, flags: mode, c: bytes of a queue
    IPC_OP_REMOVE,        //
    IPC_OP_INFO,          // -> struct ipc_info; result: highest index in use
    IPC_OP_SEM_DO,        // struct ipc_sembuf each
    IPC_OP_SEM_VALUE,     // a: number -> result
    IPC_OP_SEM_PID,       //
    IPC_OP_SEM_WAIT_MORE, // how many wait for more: GETNCNT
    IPC_OP_SEM_WAIT_ZERO, //
    IPC_OP_SEM_SET,       // a: number, b: value
    IPC_OP_SEM_ALL,       // -> uint16_t each
    IPC_OP_SEM_SET_ALL,   // uint16_t each
    IPC_OP_MSG_SEND,      // a: type; the bytes
    IPC_OP_MSG_TAKE,      // a: type, b: size, flags -> uint32_t type, then the bytes
    IPC_OP_SHM_ATTACH,    // flags: 0222 to write, 0111 to run -> struct ipc_shm
    IPC_OP_SHM_ADJUST,    // a: attached so many times more (or less); flags 1: as if it had never
                          // been, when b was the last, at c seconds
    IPC_OP_SHM_LOCK,      // a: 1 on, 0 off
    IPC_OP_FORGET,        // the call waits no longer
    IPC_OP_EXIT,          // the process ended: its undos
    IPC_OPS
};

enum ipc_stat {
    IPC_STAT_BY_ID,
    IPC_STAT_BY_INDEX, // `id` is an index: SEM_STAT and its like
    IPC_STAT_ANY,      // as that, whoever may read it: SEM_STAT_ANY and its like
};

struct ipc_ask {
    uint16_t kind, op;
    int32_t id;
    uint32_t a, b, c, flags;
    int32_t pid, tid;
    uint32_t uid, gid;
    uint64_t lacks;    // capabilities it has not
    uint32_t wait;     // note the call when it would wait
    uint32_t in_bytes; // behind this
} PACKED;

struct ipc_answer {
    int32_t result; // negative errno, or what the op gives
    uint32_t waits; // the call was noted: ask again when there are news
    uint32_t bytes; // behind this
} PACKED;

struct ipc_sembuf {
    uint16_t number;
    int16_t change;
    int16_t flags;
} PACKED;

struct ipc_facts {
    int32_t id, key;
    uint32_t uid, gid, cuid, cgid, mode, seq;
    uint32_t size;         // bytes of shared memory, semaphores, bytes a queue may hold
    uint32_t users, bytes; // attached, messages; bytes in a queue
    int32_t created_by, last_by, last_taker;
    int64_t times_s[3]; // attach, detach, change; semop, -, change; send, receive, change
} PACKED;

struct ipc_info {
    uint32_t objects, units; // pages, semaphores, messages
    uint32_t bytes;
} PACKED;

struct ipc_shm {
    uint32_t bytes, reserved;
    struct container_ref ref;
    uint32_t here;  // the asker is the home: no reference is needed
    int32_t was_by; // who attached or detached last before this, and when one attached
    uint32_t was_s;
} PACKED;

#define IPC_CREAT_FLAG  01000u
#define IPC_EXCL_FLAG   02000u
#define IPC_NOWAIT_FLAG 04000u
#define SEM_UNDO_FLAG   0x1000
#define MSG_NOERROR     010000u
#define MSG_EXCEPT      020000u
#define MSG_COPY        040000u // the message of that place in the queue, which stays

#define IPC_MSG_MAX   8192u  // bytes of a message
#define IPC_QUEUE_MAX 16384u // bytes of a queue, at first
#define IPC_SEMS_MAX  4096u  // of a set
#define IPC_SEMOPS    500u   // of a call
#define IPC_SEM_VALUE 32767
#define IPC_IDS_MAX   512u // objects of a kind
#define IPC_SEMS_ALL  (32000u * IPC_IDS_MAX)

// The current process asks the home. *a is filled in with who asks; result or negative errno.
// out_size bytes at most come back in `out`, *out_bytes of them (may be NULL). May sleep.
long ipc_ask(struct ipc_ask *a, const void *in, void *out, size_t out_size, size_t *out_bytes);
// As that, waits while the home says so, until the deadline (this node's clock): -EAGAIN then,
// -EINTR, -EIDRM when the object went meanwhile.
long ipc_ask_waiting(struct ipc_ask *a, const void *in, void *out, size_t out_size,
                     size_t *out_bytes, uint64_t deadline_ns);

// ---- what a process has of it
struct shm_attachment {
    struct list link; // process->shm
    int32_t id;
    uint32_t at;
};
int ipc_shm_attached(struct process *p, int32_t id, uint32_t at); // 0, -ENOMEM
void ipc_shm_detached(struct process *p, struct shm_attachment *s);
bool ipc_fork(struct process *to, struct process *from); // false: no memory
void ipc_exec(struct process *p);
void ipc_exit(struct process *p);
void ipc_forget_here(struct process *p); // it left this node, or never was
