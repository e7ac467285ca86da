// SPDX-License-Identifier: MIT
// Threads that wait for words and are woken, moved to other words, interrupted, given locks. Each
// waits when told; what comes next is told when it sleeps or has answered, so that the order in
// which they sleep is the program's own.
#include "twin.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#define KIDS  4
#define WORDS 4 // two for each kind of use

enum {
    IDLE,
    TOLD,
    IN_CALL,
    ANSWERED
};

static uint32_t words[WORDS];
static void *volatile bad = (void *)8;

struct waitv {
    uint64_t value, at;
    uint32_t flags, reserved;
};

static struct kid {
    pthread_t thread;
    int tid, told[2];
    volatile int state, handled;
    long args[6], result, error;
    int number;
    bool brief; // it ends by itself, soon
    struct timespec timeout;
    struct waitv list[4];
} kids[KIDS];

static __thread struct kid *self;

static void handler(int signal)
{
    (void)signal;
    if (self)
        self->handled++;
}

static void *obeys(void *p)
{
    char c;
    self = p;
    self->tid = gettid();
    self->state = IDLE;
    while (read(self->told[0], &c, 1) == 1) {
        const long *a = self->args;
        self->state = IN_CALL;
        self->result = syscall(self->number, a[0], a[1], a[2], a[3], a[4], a[5]);
        self->error = errno;
        self->state = ANSWERED;
    }
    return NULL;
}

// ---- until nobody runs -------------------------------------------------------------------------
static bool waits_for_lock(const struct kid *k)
{
    return k->number == SYS_futex && (k->args[1] & FUTEX_CMD_MASK) == FUTEX_LOCK_PI;
}

static bool sleeps(const struct kid *k)
{
    if (k->brief)
        return false;
    // Linux calls a thread asleep for a moment while it takes the lock it was given.
    if (waits_for_lock(k) && ((*(uint32_t *)k->args[0] ^ (uint32_t)k->tid) & FUTEX_TID_MASK) == 0)
        return false;
    char path[64], line[256];
    sprintf(path, "/proc/self/task/%d/stat", k->tid);
    int fd = open(path, O_RDONLY);
    long n = read(fd, line, sizeof(line) - 1);
    close(fd);
    line[n < 0 ? 0 : n] = '\0';
    const char *end = strrchr(line, ')');
    return end && end[2] == 'S';
}

static void settle(void)
{
    for (int i = 0; i < KIDS; i++) {
        struct kid *k = &kids[i];
        while (k->state == TOLD || (k->state == IN_CALL && !(sleeps(k) && k->state == IN_CALL)))
            sched_yield();
        if (k->handled) {
            printf("%u:   thread %d: %d signals\n", twin_step, i, k->handled);
            k->handled = 0;
        }
        if (k->state == ANSWERED) {
            errno = (int)k->error;
            said(k->result, "  thread %d", i);
            k->state = IDLE;
        }
    }
}

static bool locked[WORDS]; // the word says who has it

static bool is_ours(uint32_t tid)
{
    for (int i = 0; i < KIDS; i++)
        if ((int)tid == kids[i].tid)
            return true;
    return (int)tid == gettid();
}

static void said_words(void)
{
    printf("%u:  ", twin_step);
    for (int i = 0; i < WORDS; i++) {
        uint32_t tid = words[i] & FUTEX_TID_MASK;
        int owner = -1;
        for (int k = 0; k < KIDS; k++)
            if (tid && (int)tid == kids[k].tid)
                owner = k;
        if (!locked[i])
            printf(" %x", words[i]);
        else if (tid == (uint32_t)gettid())
            printf(" main%s", words[i] & FUTEX_WAITERS ? "+" : "");
        else
            printf(" thread %d%s", owner, words[i] & FUTEX_WAITERS ? "+" : "");
    }
    printf("\n");
}

static struct kid *idle(void)
{
    for (int i = 0; i < KIDS; i++)
        if (kids[i].state == IDLE)
            return &kids[i];
    return NULL;
}

static void tell(struct kid *k, int number, long a, long b, long c, long d, long e, long f)
{
    k->number = number;
    k->args[0] = a;
    k->args[1] = b;
    k->args[2] = c;
    k->args[3] = d;
    k->args[4] = e;
    k->args[5] = f;
    k->state = TOLD;
    (void)!write(k->told[1], "x", 1);
    settle();
}

// ---- arguments ---------------------------------------------------------------------------------
static uint32_t *draw_word(int *which)
{
    *which = draw(25) ? (int)draw(WORDS) : (int)draw(3) - 3;
    if (*which == -3)
        return NULL;
    if (*which == -2)
        return bad;
    if (*which == -1)
        return (uint32_t *)((char *)words + 2);
    return &words[*which];
}

// A word is used either as private or as shared: Linux has another queue for each.
static int flags_of(int which)
{
    return which >= 2 ? 0 : FUTEX_PRIVATE_FLAG;
}

// Of the same kind as the first.
static uint32_t *draw_second(int first, int *which)
{
    uint32_t *w = draw_word(which);
    if (*which < 0)
        return w;
    *which = (*which & 1) | (first >= 2 ? 2 : 0);
    return &words[*which];
}

// Past, soon, or wrong; NULL: for ever.
static struct timespec *draw_timeout(struct kid *k, const char **name)
{
    static const struct {
        struct timespec t;
        const char *name;
    } all[] = {
        {{0, 1}, "past"}, {{1, 0}, "one"}, {{0, 1000000000}, "wrong"}, {{-1, 0}, "negative"}};
    unsigned i = draw(12);
    struct timespec *t = &k->timeout;
    k->brief = i < sizeof(all) / sizeof(all[0]);
    if (i >= sizeof(all) / sizeof(all[0])) {
        *name = "for ever";
        return NULL;
    }
    *t = all[i].t;
    if (i == 1) // relative: soon; absolute: past
        *t = (struct timespec){0, 1000000};
    *name = all[i].name;
    return t;
}

// ---- waiting -----------------------------------------------------------------------------------
static void waits(void)
{
    static const uint32_t bits[] = {1, 2, 3, 0x80000000, 0xffffffff, 0};
    struct kid *k = idle();
    int which;
    uint32_t *w = draw_word(&which), value = which >= 0 && draw(6) ? words[which] : 0x777;
    const char *when, *same = which >= 0 && value == words[which] ? "as it is" : "other";
    int flags = flags_of(which);
    if (!k)
        return;
    struct timespec *t = draw_timeout(k, &when);
    if (which < 0 || value != words[which])
        k->brief = true;
    if (draw(2)) {
        printf("%u: FUTEX_WAIT|%d word %d, %s, %s\n", twin_step, flags, which, same, when);
        tell(k, SYS_futex, (long)w, FUTEX_WAIT | flags, (long)value, (long)t, 0, 0);
    } else {
        uint32_t b = PICK(bits);
        flags |= draw(3) ? 0 : FUTEX_CLOCK_REALTIME;
        printf("%u: FUTEX_WAIT_BITSET|%d word %d, %s, %s, bits %x\n", twin_step, flags, which, same,
               when, b);
        tell(k, SYS_futex, (long)w, FUTEX_WAIT_BITSET | flags, (long)value, (long)t, 0, (long)b);
    }
}

static void waits_for_many(void)
{
    struct kid *k = idle();
    unsigned count = draw(12) ? 1 + draw(3) : draw(2) ? 0 : 129, spoil = draw(16);
    const char *when;
    bool fails = spoil <= 5 || count == 0 || count > 128;
    if (!k)
        return;
    printf("%u: futex_waitv", twin_step);
    for (unsigned i = 0; i < 4; i++) {
        int which = (int)draw(WORDS);
        uint32_t flags = 2u | (uint32_t)flags_of(which);
        k->list[i] =
            (struct waitv){draw(8) ? words[which] : 0x777, (uintptr_t)&words[which], flags, 0};
        fails |= i < count && k->list[i].value != words[which];
        if (i < count)
            printf(" %d|%x%s", which, flags, k->list[i].value == words[which] ? "" : " other");
    }
    struct timespec *t = draw_timeout(k, &when);
    printf(", %u, %s, spoil %u\n", count, when, spoil);
    if (spoil == 0)
        k->list[0].flags = 0;
    if (spoil == 1)
        k->list[0].reserved = 1;
    if (spoil == 2)
        k->list[0].at++;
    if (spoil == 3)
        k->list[0].at = 8;
    int64_t wide[2] = {t ? t->tv_sec : 0, t ? t->tv_nsec : 0};
    static int64_t kept[KIDS][2];
    k->brief |= fails; // while it looks at the words Linux may show it as asleep
    memcpy(kept[k - kids], wide, sizeof(wide));
    tell(k, 449, spoil == 4 ? 8 : (long)k->list, (long)count, spoil == 5,
         t ? (long)kept[k - kids] : 0,
         spoil == 6   ? 7
         : spoil == 7 ? 0
                      : 1,
         0);
}

// ---- waking ------------------------------------------------------------------------------------
static const int counts[] = {0, 1, 1, 2, 3, 100, 0x7fffffff, -1};

static void wakes(void)
{
    static const uint32_t bits[] = {1, 2, 0x80000000, 0xffffffff, 0};
    int which, n = PICK(counts);
    uint32_t *w = draw_word(&which);
    int flags = flags_of(which);
    if (draw(3)) {
        said(syscall(SYS_futex, w, FUTEX_WAKE | flags, n, NULL, NULL, 0),
             "FUTEX_WAKE|%d word %d, %d", flags, which, n);
    } else {
        uint32_t b = PICK(bits);
        said(syscall(SYS_futex, w, FUTEX_WAKE_BITSET | flags, n, NULL, NULL, b),
             "FUTEX_WAKE_BITSET|%d word %d, %d, bits %x", flags, which, n, b);
    }
    settle();
}

static void requeues(void)
{
    int from, to, n = PICK(counts), m = PICK(counts);
    uint32_t *a = draw_word(&from), *b = draw_second(from, &to);
    int flags = flags_of(from);
    uint32_t value = from >= 0 && draw(4) ? words[from] : 0x777;
    if (draw(2))
        said(syscall(SYS_futex, a, FUTEX_REQUEUE | flags, n, m, b, 0),
             "FUTEX_REQUEUE|%d word %d, %d, to word %d, %d", flags, from, n, to, m);
    else
        said(syscall(SYS_futex, a, FUTEX_CMP_REQUEUE | flags, n, m, b, value),
             "FUTEX_CMP_REQUEUE|%d word %d %s, %d, to word %d, %d", flags, from,
             value == 0x777 ? "other" : "as it is", n, to, m);
    settle();
}

static void wakes_by_operation(void)
{
    // No sum of them is the number of a thread.
    static const int arguments[] = {0, 0x40a, 0x414, 0x7ff, 0x800, 0xfff};
    int from, to, n = PICK(counts), m = PICK(counts);
    uint32_t *a = draw_word(&from), *b = draw_second(from, &to);
    int flags = flags_of(from);
    if (to >= 0 && locked[to])
        return;
    uint32_t operation = draw(6) | (draw(4) ? 0 : 8), compare = draw(7);
    uint32_t code = operation << 28 | compare << 24 | (uint32_t)PICK(arguments) << 12 |
                    (uint32_t)PICK(arguments);
    said(syscall(SYS_futex, a, FUTEX_WAKE_OP | flags, n, m, b, code),
         "FUTEX_WAKE_OP|%d word %d, %d, word %d, %d, %x", flags, from, n, to, m, code);
    settle();
    said_words();
}

static void sets(void)
{
    int which = (int)draw(WORDS);
    if (locked[which])
        return; // a lock that is held is the kernel's
    words[which] = draw(3);
    printf("%u: word %d is %x\n", twin_step, which, words[which]);
}

// ---- signals -----------------------------------------------------------------------------------
static void interrupts(void)
{
    struct kid *k = &kids[draw(KIDS)];
    int signal = draw(2) ? SIGUSR1 : SIGUSR2;
    if (k->state != IN_CALL)
        return;
    said(syscall(SYS_tgkill, getpid(), k->tid, signal), "signal %s to thread %d",
         signal == SIGUSR1 ? "that restarts" : "that interrupts", (int)(k - kids));
    while (!k->handled) // it sleeps still, says Linux now and then
        sched_yield();
    settle();
}

// ---- locks with priority inheritance ---------------------------------------------------------
static void locks(void)
{
    static const int operations[] = {FUTEX_LOCK_PI, FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI,
                                     FUTEX_UNLOCK_PI, FUTEX_UNLOCK_PI};
    int which = (int)draw(WORDS), operation = PICK(operations), flags = flags_of(which);
    struct kid *k = &kids[draw(KIDS)];
    if (words[which] & FUTEX_TID_MASK && !locked[which])
        return; // it may be the number of a thread
    if (draw(3) == 0) {
        if (operation == FUTEX_LOCK_PI)
            operation = FUTEX_TRYLOCK_PI;
        said(syscall(SYS_futex, &words[which], operation | flags, 0, NULL, NULL, 0),
             "main: operation %d|%d word %d", operation, flags, which);
        settle();
    } else if (k->state == IDLE) {
        k->brief = false;
        printf("%u: thread %d: operation %d|%d word %d\n", twin_step, (int)(k - kids), operation,
               flags, which);
        tell(k, SYS_futex, (long)&words[which], operation | flags, 0, 0, 0, 0);
    }
    locked[which] = is_ours(words[which] & FUTEX_TID_MASK);
    said_words();
}

static void odd(void)
{
    static const int operations[] = {2,
                                     14,
                                     15,
                                     99,
                                     127,
                                     FUTEX_WAKE | FUTEX_CLOCK_REALTIME,
                                     FUTEX_WAIT | 0x400,
                                     FUTEX_REQUEUE | FUTEX_CLOCK_REALTIME,
                                     -1};
    int which, operation = PICK(operations);
    uint32_t *w = draw_word(&which);
    said(syscall(SYS_futex, w, operation, 1, NULL, w, 0), "operation %d word %d", operation, which);
    settle();
}

static void lists(void)
{
    static long head[3];
    void *at = (void *)7;
    size_t bytes = 7;
    switch (draw(3)) {
    case 0:
        said(syscall(SYS_set_robust_list, draw(2) ? head : NULL, draw(3) ? 12 : 16),
             "set_robust_list");
        break;
    case 1:
        said(syscall(SYS_get_robust_list, draw(3) ? 0 : 0x3fffffff, &at, draw(4) ? &bytes : bad),
             "get_robust_list");
        printf("%u:   %s, %u bytes\n", twin_step,
               at == head   ? "ours"
               : at == NULL ? "none"
                            : "the C library's",
               (unsigned)bytes);
        break;
    }
}

static const struct step steps[] = {
    {waits, 30}, {waits_for_many, 10}, {wakes, 14}, {requeues, 10}, {wakes_by_operation, 6},
    {sets, 10},  {interrupts, 6},      {locks, 8},  {odd, 3},       {lists, 2},
};

static void begin(void)
{
    struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &a, NULL);
    a.sa_flags = 0;
    sigaction(SIGUSR2, &a, NULL);
    for (int i = 0; i < KIDS; i++) {
        kids[i].state = TOLD;
        if (pipe(kids[i].told) || pthread_create(&kids[i].thread, NULL, obeys, &kids[i]))
            exit(1);
    }
    settle();
}

int main(int argc, char **argv)
{
    twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), begin);
    fflush(stdout);
    _exit(0);
}
