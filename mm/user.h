// SPDX-License-Identifier: MIT
// Copies between kernel and user memory of the current thread. user_copy_* never sleep and may be
// short; user_read/user_write fault in and may sleep: hold nothing busy. PROTOCOLS 1.
#pragma once

#include "lib/types.h"

struct space;

// Who is current is known above: set once at init. NULL from it: no user memory, all is -EFAULT.
void user_set_current(struct space *(*current)(void));
// Called when a page of the current space went down with a node: who is current must end, however
// the copy goes on (it ends with -EINTR). Set once at init.
void user_set_lost(void (*lost)(void));

size_t user_copy_in(void *to, uint32_t user, size_t n);          // bytes copied
size_t user_copy_out(uint32_t user, const void *from, size_t n); // bytes copied
// Brings pages of [user, user + n) in (at least the first); 0, -EFAULT, -ENOMEM, -EINTR.
int user_fault_in(uint32_t user, size_t n, bool write);

int user_read(void *to, uint32_t user, size_t n);          // 0, -EFAULT, -ENOMEM, -EINTR
int user_write(uint32_t user, const void *from, size_t n); // same
// One aligned word that threads on other CPUs may write at the same time: it becomes `desired` if
// it is *expected; *expected is then what it was. As user_write; -EINVAL when it is not aligned.
int user_compare_exchange(uint32_t user, uint32_t *expected, uint32_t desired);
// Bytes without the NUL, -EFAULT, -ENAMETOOLONG when there is no NUL within `size`.
long user_read_string(char *to, uint32_t user, size_t size);

// Where a transfer's bytes come from or go to: user or kernel memory, with what is done so far.
// File operations take one, so that local data is copied once and remote data by value.
struct xfer {
    bool user;
    uint32_t user_at; // next user address
    char *kernel_at;  // next kernel address
    size_t left;
    size_t done;
    bool short_copy;  // the last copy stopped at an absent user page
    uint32_t stopped; // of what was undone after that: there. 0: nothing was
};

void xfer_user(struct xfer *x, uint32_t user, size_t n);
void xfer_kernel(struct xfer *x, void *kernel, size_t n);
// Copies up to n bytes out of `from` into the transfer (a read) or out of it into `to` (a write);
// returns bytes copied and sets short_copy when fewer. Never sleeps.
size_t xfer_put(struct xfer *x, const void *from, size_t n);
size_t xfer_take(struct xfer *x, void *to, size_t n);
// What came only in part is no part: x is as `start` again, short_copy is set, and the page where
// the copy stopped is the one that is asked for.
void xfer_undo(struct xfer *x, const struct xfer *start);
// After a short copy, with nothing held busy: 0 or -EFAULT, -ENOMEM, -EINTR. May sleep.
int xfer_fault_in(struct xfer *x, bool write);
