// SPDX-License-Identifier: MIT
// Calls for threads: TLS, futexes.
#include "ssi/linux/linux.h"
#include "kernel/timer.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/user.h"
#include "ssi/cluster/cluster.h"
#include "ssi/linux/clocks.h"
#include "ssi/process/futex.h"
#include "ssi/process/ldt.h"
#include "ssi/process/tls.h"

#define LDT_ENTRY_BYTES 8u

// ---- TLS, tid words ----------------------------------------------------------------------------
long sys_set_thread_area(struct call *c)
{
    struct user_desc d;
    struct task *t = task_current();
    int e = user_read(&d, c->args[0], sizeof(d));
    bool chose = d.entry_number == UINT32_MAX;
    if (e == 0)
        e = tls_set(&t->tls, &d, true);
    if (e < 0)
        return e;
    arch_user_prepare(t->thread->stack_top, &t->tls);
    return chose ? user_write(c->args[0], &d.entry_number, sizeof(d.entry_number)) : 0;
}

long sys_get_thread_area(struct call *c)
{
    struct user_desc d;
    int e = user_read(&d, c->args[0], sizeof(d));
    if (e == 0)
        e = tls_get(&task_current()->tls, &d);
    return e < 0 ? e : user_write(c->args[0], &d, sizeof(d));
}

long sys_set_tid_address(struct call *c)
{
    task_current()->clear_child_tid = c->args[0];
    return task_current()->tid;
}

#define ROBUST_HEAD_BYTES 12u

long sys_set_robust_list(struct call *c)
{
    if (c->args[1] != ROBUST_HEAD_BYTES)
        return -EINVAL;
    task_current()->robust_list = c->args[0];
    return 0;
}

long sys_get_robust_list(struct call *c)
{
    struct task *t = c->args[0] ? task_find((int32_t)c->args[0]) : task_current();
    uint32_t bytes = ROBUST_HEAD_BYTES;
    if (!t)
        return -ESRCH;
    uint32_t at = t->robust_list;
    int e = user_write(c->args[2], &bytes, sizeof(bytes));
    return e < 0 ? e : user_write(c->args[1], &at, sizeof(at));
}

// ---- modify_ldt --------------------------------------------------------------------------------
static long ldt_read(uint32_t to, uint32_t bytes)
{
    const struct ldt *l = process_current()->ldt;
    static const uint32_t nothing[2];
    if (l == NULL)
        return 0;
    bytes = MIN(bytes, LDT_ENTRIES * LDT_ENTRY_BYTES);
    uint32_t there = l->count * LDT_ENTRY_BYTES;
    for (uint32_t at = 0; at < bytes; at += LDT_ENTRY_BYTES) {
        l = process_current()->ldt; // none of its threads can take it away, but writing may sleep
        uint32_t n = MIN(LDT_ENTRY_BYTES, bytes - at);
        int e = user_write(to + at, at < there ? l->desc[at / LDT_ENTRY_BYTES] : nothing, n);
        if (e < 0)
            return e;
    }
    return (long)bytes;
}

// The default table of a 32-bit kernel: five entries, all empty.
static long ldt_read_default(uint32_t to, uint32_t bytes)
{
    static const uint32_t nothing[5][2];
    bytes = MIN(bytes, (uint32_t)sizeof(nothing));
    int e = user_write(to, nothing, bytes);
    return e < 0 ? e : (long)bytes;
}

static long ldt_write(uint32_t from, uint32_t bytes, bool old)
{
    struct user_desc d;
    uint32_t desc[2];
    if (bytes != sizeof(d))
        return -EINVAL;
    int e = user_read(&d, from, sizeof(d));
    if (e < 0)
        return e;
    e = d.entry_number < LDT_ENTRIES ? tls_local(&d, old, desc) : -EINVAL;
    return e < 0 ? e : ldt_set(process_current(), d.entry_number, desc);
}

long sys_modify_ldt(struct call *c)
{
    enum {
        LDT_READ = 0,
        LDT_WRITE_OLD = 1,
        LDT_READ_DEFAULT = 2,
        LDT_WRITE = 0x11
    };
    switch (c->args[0]) {
    case LDT_READ:
        return ldt_read(c->args[1], c->args[2]);
    case LDT_WRITE_OLD:
        return ldt_write(c->args[1], c->args[2], true);
    case LDT_READ_DEFAULT:
        return ldt_read_default(c->args[1], c->args[2]);
    case LDT_WRITE:
        return ldt_write(c->args[1], c->args[2], false);
    }
    return -ENOSYS;
}

// ---- futex -------------------------------------------------------------------------------------
enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_LOCK_PI2 = 13,
    FUTEX_PRIVATE = 128,
    FUTEX_CLOCK_REALTIME = 256,
};

// WAIT counts from now; WAIT_BITSET names an instant of one of the two clocks.
static int futex_deadline(struct call *c, bool wide, bool absolute, bool realtime)
{
    uint64_t ns = UINT64_MAX;
    if (c->deadline_ns)
        return 0; // entered again
    if (c->args[3]) {
        int e = linux_timespec_in(c->args[3], wide, &ns);
        if (e < 0)
            return e;
        if (absolute) {
            uint64_t now = realtime ? cluster_real_ns() : cluster_clock_ns();
            ns = ns > now ? ns - now : 0;
        }
    }
    (void)linux_deadline(c, ns);
    return 0;
}

// A wake that came while this thread was on its way to another node found nobody. A return without
// one is allowed (futex(2), spurious wake-up): the program looks at its word again.
static bool came_from_elsewhere(struct call *c)
{
    uint32_t here = 1u + cluster_self(), before;
    memcpy(&before, c->body, sizeof(before));
    memcpy(c->body, &here, sizeof(here));
    return before && before != here;
}

static long wait_op(struct call *c, bool wide, uint32_t command, uint32_t bitset)
{
    bool absolute = command == FUTEX_WAIT_BITSET;
    if (!bitset)
        return -EINVAL;
    if (came_from_elsewhere(c))
        return 0;
    int e = futex_deadline(c, wide, absolute, c->args[1] & FUTEX_CLOCK_REALTIME);
    if (e < 0)
        return e;
    return futex_wait(process_current(), c->args[0], c->args[2], bitset,
                      linux_deadline_local(c->deadline_ns));
}

static int32_t sign12(uint32_t v)
{
    return (int32_t)(v << 20) >> 20;
}

static bool compare_holds(uint32_t op, int32_t word, int32_t with)
{
    switch (op) {
    case 0:
        return word == with;
    case 1:
        return word != with;
    case 2:
        return word < with;
    case 3:
        return word <= with;
    case 4:
        return word > with;
    case 5:
        return word >= with;
    }
    return false;
}

// Linux looks at the number when it has woken one.
static uint32_t wake_count(uint32_t n)
{
    return (int32_t)n < 1 ? 1 : n;
}

// A shared word is known by its page, which must be there.
static int word_there(const struct call *c, uint32_t at)
{
    uint32_t word;
    if (at & 3)
        return -EINVAL;
    return c->args[1] & FUTEX_PRIVATE ? 0 : user_read(&word, at, sizeof(word));
}

static int two_words_there(const struct call *c)
{
    int e = word_there(c, c->args[0]);
    return e < 0 ? e : word_there(c, c->args[4]);
}

static long wake(struct call *c, uint32_t bitset)
{
    int e = bitset ? word_there(c, c->args[0]) : -EINVAL;
    return e < 0 ? e : futex_wake(process_current(), c->args[0], wake_count(c->args[2]), bitset);
}

static long requeue(struct call *c, bool compare)
{
    if ((int32_t)c->args[2] < 0 || (int32_t)c->args[3] < 0)
        return -EINVAL;
    int e = two_words_there(c);
    return e < 0 ? e
                 : futex_requeue(process_current(), c->args[0], c->args[2], c->args[4], c->args[3],
                                 compare, c->args[5]);
}

// futex(2), FUTEX_WAKE_OP: changes the second word and wakes there, too, if its old value fits.
static long wake_op(struct call *c)
{
    struct process *p = process_current();
    uint32_t code = c->args[5], op = code >> 28 & 7, cmp = code >> 24 & 15, word = 0, seen;
    int32_t argument = sign12(code >> 12);
    if (code >> 31)
        argument = (int32_t)(1u << (argument & 31));
    int e = two_words_there(c);
    if (e < 0)
        return e;
    if (op > 4)
        return -ENOSYS;
    uint32_t value = (uint32_t)argument;
    do { // until no thread on another CPU wrote between
        seen = word;
        uint32_t new[5] = {value, seen + value, seen | value, seen & ~value, seen ^ value};
        e = user_compare_exchange(c->args[4], &word, new[op]);
        if (e < 0)
            return e;
    } while (word != seen);
    if (cmp > 5)
        return -ENOSYS;
    int n = futex_wake(p, c->args[0], wake_count(c->args[2]), FUTEX_ANY);
    if (n < 0 || !compare_holds(cmp, (int32_t)word, sign12(code)))
        return n;
    int m = futex_wake(p, c->args[4], wake_count(c->args[3]), FUTEX_ANY);
    return m < 0 ? m : n + m;
}

static long lock_op(struct call *c, bool wide, uint32_t command)
{
    bool realtime = command == FUTEX_LOCK_PI || (c->args[1] & FUTEX_CLOCK_REALTIME);
    int e = futex_deadline(c, wide, true, realtime);
    if (e < 0)
        return e;
    return futex_lock(process_current(), c->args[0], linux_deadline_local(c->deadline_ns), false);
}

// body[0]: it waits for the lock already. A handler that runs then ends the call: it cannot be
// made again.
static long wait_requeue_op(struct call *c, bool wide)
{
    struct process *p = process_current();
    bool moved = c->body[0];
    if (c->args[0] == c->args[4])
        return -EINVAL;
    int e = futex_deadline(c, wide, true, c->args[1] & FUTEX_CLOCK_REALTIME);
    if (e < 0)
        return e;
    uint64_t deadline_ns = linux_deadline_local(c->deadline_ns);
    if (moved)
        e = futex_lock(p, c->args[4], deadline_ns, false);
    else
        e = futex_wait_requeue(p, c->args[0], c->args[2], c->args[4], deadline_ns, &moved);
    c->body[0] = moved;
    return e == -EINTR && moved && signal_pending(task_current()) ? -EAGAIN : e;
}

static bool has_clock(uint32_t command)
{
    return command == FUTEX_WAIT_BITSET || command == FUTEX_WAIT_REQUEUE_PI ||
           command == FUTEX_LOCK_PI2;
}

static long futex(struct call *c, bool wide)
{
    struct process *p = process_current();
    uint32_t at = c->args[0];
    uint32_t command = c->args[1] & ~(uint32_t)(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    if ((c->args[1] & FUTEX_CLOCK_REALTIME) && !has_clock(command))
        return -ENOSYS;
    switch (command) {
    case FUTEX_WAIT:
        return wait_op(c, wide, command, FUTEX_ANY);
    case FUTEX_WAIT_BITSET:
        return wait_op(c, wide, command, c->args[5]);
    case FUTEX_WAKE:
        return wake(c, FUTEX_ANY);
    case FUTEX_WAKE_BITSET:
        return wake(c, c->args[5]);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(c, command == FUTEX_CMP_REQUEUE);
    case FUTEX_WAKE_OP:
        return wake_op(c);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return lock_op(c, wide, command);
    case FUTEX_TRYLOCK_PI:
        return futex_lock(p, at, 0, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock(p, at);
    case FUTEX_WAIT_REQUEUE_PI:
        return wait_requeue_op(c, wide);
    case FUTEX_CMP_REQUEUE_PI:
        if (c->args[2] != 1 || at == c->args[4] || (int32_t)c->args[3] < 0)
            return -EINVAL;
        return futex_requeue_lock(p, at, c->args[4], c->args[3], c->args[5]);
    }
    return -ENOSYS;
}

long sys_futex(struct call *c)
{
    return futex(c, false);
}

long sys_futex_time64(struct call *c)
{
    return futex(c, true);
}

struct user_wait { // struct futex_waitv
    uint64_t value, at;
    uint32_t flags, reserved;
} PACKED;
STATIC_ASSERT(sizeof(struct user_wait) == 24, "futex_waitv of the ABI");

static int words_in(uint32_t at, uint32_t count, struct futex_word *words)
{
    enum {
        FUTEX_32 = 2
    };
    for (uint32_t k = 0; k < count; k++) {
        struct user_wait w;
        int e = user_read(&w, at + k * (uint32_t)sizeof(w), sizeof(w));
        if (e < 0)
            return e;
        if ((w.flags & ~(uint32_t)FUTEX_PRIVATE) != FUTEX_32 || w.reserved)
            return -EINVAL;
        if (w.at >= USER_TOP)
            return w.at & 3 ? -EINVAL : -EFAULT;
        words[k] = (struct futex_word){(uint32_t)w.at, (uint32_t)w.value};
    }
    return 0;
}

long sys_futex_waitv(struct call *c)
{
    uint32_t count = c->args[1], clock = c->args[4];
    if (c->args[2] || count == 0 || count > FUTEX_WORDS_MAX || c->args[0] == 0)
        return -EINVAL;
    if (c->args[3] && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
        return -EINVAL;
    if (came_from_elsewhere(c))
        return 0;
    int e = futex_deadline(c, true, true, clock == CLOCK_REALTIME);
    struct futex_word *words = e < 0 ? NULL : heap_alloc(count * sizeof(*words));
    if (words == NULL)
        return e < 0 ? e : -ENOMEM;
    e = words_in(c->args[0], count, words);
    if (e == 0)
        e = futex_wait_many(process_current(), words, count, linux_deadline_local(c->deadline_ns));
    heap_free(words);
    return e;
}
