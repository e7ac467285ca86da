// SPDX-License-Identifier: MIT
// Between the files of System V IPC, on its home.
#pragma once

#include "ssi/container/container.h"
#include "ssi/process/ipc.h"

struct ipc_waiter { // a call that would wait
    struct list link;
    node_id_t node;
    int32_t tid;
    uint32_t number; // of a semaphore
    bool zero, told;
};

struct ipc_sem {
    uint16_t value;
    int32_t pid;
};

struct ipc_undo {
    struct list link; // object->undos
    int32_t pid;
    int16_t change[]; // of each semaphore
};

struct ipc_message {
    struct list link;
    uint32_t type, bytes;
    uint8_t data[];
};

struct ipc_object {
    enum ipc_kind kind;
    int32_t id, key;
    uint32_t uid, gid, cuid, cgid, mode;
    bool removed; // shared memory that is still attached
    bool locked;  // SHM_LOCK: as nothing is ever swapped out, only told
    int64_t times_s[3];
    int32_t created_by, last_by, last_taker;
    struct list waiters;
    uint32_t size; // see struct ipc_facts
    uint32_t users, bytes;
    struct ipc_sem *sems;
    struct list undos;
    struct list messages;
    struct container *memory;
};

struct ipc_serving {
    const struct ipc_ask *ask;
    const void *in;
    node_id_t from;
    uint8_t *out; // RPC_BYTES_MAX bytes less the answer's head
    struct ipc_answer answer;
};

#define IPC_MAY_READ  0444u
#define IPC_MAY_WRITE 0222u

int64_t ipc_now_s(void);
bool ipc_may(const struct ipc_object *o, const struct ipc_ask *a, uint32_t bits);
bool ipc_owns(const struct ipc_object *o, const struct ipc_ask *a, enum capability or_can);
void ipc_news(struct ipc_object *o); // who waits asks again
void ipc_wait_note(struct ipc_serving *s, struct ipc_object *o, uint32_t number, bool zero);
void ipc_object_free(struct ipc_object *o);
void ipc_put(struct ipc_serving *s, const void *bytes, size_t n); // behind the answer

int ipc_sem_serve(struct ipc_serving *s, struct ipc_object *o);
int ipc_msg_serve(struct ipc_serving *s, struct ipc_object *o);
int ipc_shm_serve(struct ipc_serving *s, struct ipc_object *o);
void ipc_sem_exit(struct ipc_object *o, int32_t pid);
