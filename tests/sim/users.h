// SPDX-License-Identifier: MIT
// User processes of the simulation, and the ledger of what each of them did to the outside world:
// every value once, in order, by one incarnation at a time.
#pragma once

#include "ssi/process/process.h"
#include "tests/sim/oracle.h"
#include "tests/sim/world.h"

#define USERS_MAX  64
#define USER_DATA  0x10000000u // the pages that its oracle knows
#define USER_DONE  7           // status of a program that is through
#define USER_WRONG 9           // of one that saw what cannot be

struct user {
    int32_t pid;
    int parent;                      // its slot in `users`; -1: PID 1 is
    unsigned forks;                  // children still to make
    unsigned born;                   // children made
    unsigned reaped;                 // children whose end it was told of
    uint32_t limit;                  // values to do
    uint32_t done;                   // the last one done
    uint32_t filed;                  // the last one written to its file
    unsigned node;                   // where that was
    unsigned seen;                   // where it was found last, by anybody
    unsigned moves;                  // changes of node seen in the ledger
    bool left;                       // another node has its ghost, or had
    bool gone;                       // its parent was told of its end
    bool told;                       // by wait
    int status;                      // as wait4 gives it
    unsigned lost_before[WORLD_MAX]; // reports of a process that had its pid in an earlier life
    struct oracle memory;
    char path[16];
};

extern struct user users[USERS_MAX];
extern unsigned user_count;
extern bool users_short_of_memory; // system calls may say ENOMEM, waits EFAULT

// A process of program `counter` on node i, with `pages` of private memory and a file of its own.
// Returns when it is ready to run.
struct user *user_start(unsigned i, unsigned pages, uint32_t limit);

// A slot for a child of `u`, which is about to fork.
struct user *user_child(struct user *u);
// It was not forked after all.
void user_unborn(struct user *u, struct user *child);
// A parent is told the end of its child.
void user_reaped(struct user *u, int32_t pid, int status);

// The one living node where it runs or stands still; WORLD_MAX: none. Fails if it runs twice.
unsigned user_where(struct user *u);
bool user_reported_dead(const struct user *u); // in /proc/cluster/events of a living node
bool user_is_over(const struct user *u);       // ended or reported dead, and no trace on any node
void user_note(const struct user *u);

// The effect of a program on the outside: `value` must be the next.
void user_effect(struct user *u, uint32_t value);
