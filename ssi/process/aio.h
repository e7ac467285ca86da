// SPDX-License-Identifier: MIT
// Contexts of native asynchronous I/O (io_setup(2)): each a list of results that nobody has taken
// yet. They belong to a process: its child has none, exec and the end do away with them. Operations
// are done while they are submitted, as Linux does what goes through its page cache.
#pragma once

#include "ssi/process/process.h"

#define AIO_RESULTS_MAX 65536u // of all contexts of a node, as /proc/sys/fs/aio-max-nr has it

struct aio_result { // struct io_event
    uint64_t data, object;
    int64_t result, result2;
} PACKED;
STATIC_ASSERT(sizeof(struct aio_result) == 32, "io_event of the ABI");

struct aio_context {
    struct aio_context *next;
    uint32_t id;      // the address of its page, which libraries look at
    uint32_t limit;   // results that may wait
    uint32_t users;   // the process, and who sleeps
    bool gone;        // io_destroy, exec, or the end
    bool taken;       // somebody takes results out
    uint32_t pending; // operations that are being done
    uint32_t count, room;
    struct aio_result *results; // the oldest first
    struct wait_queue news;
};

// 0, -EAGAIN (too many), -ENOMEM.
int aio_new(struct process *p, uint32_t id, uint32_t limit, struct aio_context **made);
struct aio_context *aio_find(const struct process *p, uint32_t id); // NULL
void aio_remove(struct process *p, struct aio_context *a);          // who sleeps is woken
void aio_remove_all(struct process *p);
void aio_put(struct aio_context *a); // who took a user gives it back

uint32_t aio_asked_for(void); // by all contexts of this node

// Room for one result more: 0, -EAGAIN, -ENOMEM. aio_done() uses it.
int aio_begin(struct aio_context *a);
void aio_done(struct aio_context *a, const struct aio_result *r); // NULL: there is none
// The oldest `max` results at most: how many. They stay until they are dropped.
uint32_t aio_look(const struct aio_context *a, struct aio_result *to, uint32_t max);
void aio_drop(struct aio_context *a, uint32_t n);
