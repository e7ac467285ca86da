// SPDX-License-Identifier: MIT
// The run queues, one per CPU: classes served in order, round robin inside a class, each thread for
// its own time slice: who is nice has a short one. Real-time threads are served by priority, but
// leave the others a twentieth of each second; the kernel's workers come before them. A woken
// thread waits where it was woken, for its waker often sleeps at once: waking another CPU costs
// more. If it is not served soon and a CPU is idle, that one is told to take it; a second one that
// waits is sent there at once.
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/node_var.h"

#define SPREAD_NS    (NS_PER_MS / 5) // for so long a woken thread waits for its waker
#define ROTATE_TURNS 4u // so many slices, then a thread changes to a CPU that is equally busy

#define RT_PERIOD_NS (1u * NS_PER_S) // of which real-time threads get at most RT_BUDGET_NS
#define RT_BUDGET_NS (950u * NS_PER_MS)

NODE_VAR(struct run_queue, queues[ARCH_CPUS_MAX]);
NODE_VAR(unsigned, realtime_threads);

struct run_queue *run_queue_of(unsigned cpu)
{
    return &node(queues)[cpu];
}

struct run_queue *run_queue_here(void)
{
    return &node(queues)[arch_cpu_id()];
}

void run_queue_init(unsigned cpu, struct thread *idle)
{
    struct run_queue *q = run_queue_of(cpu);
    for (unsigned c = 0; c < THREAD_CLASSES; c++)
        list_init(&q->ready[c]);
    q->idle = q->running = idle;
    q->slice_end_ns = q->armed_ns = UINT64_MAX;
}

bool run_queue_allows(const struct thread *t, unsigned cpu)
{
    return t->affinity & 1u << cpu;
}

static bool is_idle(const struct run_queue *q)
{
    return q->running == q->idle && q->ready_count == 0;
}

static unsigned load_of(const struct run_queue *q)
{
    return q->ready_count + (q->running != q->idle);
}

// An idle CPU that may have it; ARCH_CPUS_MAX: none.
static unsigned idle_for(const struct thread *t)
{
    unsigned cpus = arch_cpu_count();
    if (run_queue_allows(t, t->cpu) && is_idle(run_queue_of(t->cpu)))
        return t->cpu;
    for (unsigned i = 0; i < cpus; i++)
        if (run_queue_allows(t, i) && is_idle(run_queue_of(i)))
            return i;
    return ARCH_CPUS_MAX;
}

static unsigned least_loaded(const struct thread *t, unsigned like)
{
    unsigned best = ARCH_CPUS_MAX;
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        if (!run_queue_allows(t, i))
            continue;
        unsigned load = load_of(run_queue_of(i));
        unsigned least = best == ARCH_CPUS_MAX ? UINT32_MAX : load_of(run_queue_of(best));
        if (load < least || (load == least && i == like))
            best = i;
    }
    return best == ARCH_CPUS_MAX ? like : best;
}

static unsigned place(const struct thread *t)
{
    if (arch_cpu_count() == 1)
        return 0;
    unsigned here = arch_cpu_id();
    if (run_queue_allows(t, here) && (t->user == NULL || run_queue_here()->ready_count == 0))
        return here;
    unsigned idle = idle_for(t);
    return idle < ARCH_CPUS_MAX ? idle : least_loaded(t, t->cpu);
}

// Until somebody who waits for `running` is looked after.
static uint64_t patience_ns(const struct thread *t, const struct thread *running)
{
    return arch_cpu_count() > 1 && idle_for(t) < ARCH_CPUS_MAX ? SPREAD_NS : running->slice_ns;
}

static enum thread_class queue_of(const struct thread *t)
{
    bool worker = node(realtime_threads) > 0 && t->class == THREAD_NORMAL && t->user == NULL;
    return worker ? THREAD_BOOSTED : t->class;
}

// Behind those of its priority, but before them when it had to leave in its turn.
static void append_realtime(struct run_queue *q, struct thread *t)
{
    struct thread *x;
    bool front = t == q->running && !t->turn_over;
    list_for_each (x, &q->ready[THREAD_REALTIME], run_link) {
        if (x->priority < t->priority || (front && x->priority == t->priority))
            break;
    }
    list_append(&x->run_link, &t->run_link);
    t->turn_over = false;
}

static void append(struct thread *t, unsigned cpu)
{
    struct run_queue *q = run_queue_of(cpu);
    t->cpu = (uint8_t)cpu;
    if (t->class == THREAD_REALTIME)
        append_realtime(q, t);
    else
        list_append(&q->ready[queue_of(t)], &t->run_link);
    q->ready_count++;
}

// ---- real-time threads -------------------------------------------------------------------------
void run_queue_realtime_count(int by)
{
    node(realtime_threads) += (unsigned)by;
    for (unsigned i = 0; i < arch_cpu_count() && node(realtime_threads) == 0; i++) {
        struct run_queue *q = run_queue_of(i);
        struct thread *t, *next;
        list_for_each_safe (t, next, &q->ready[THREAD_BOOSTED], run_link) {
            list_remove(&t->run_link);
            list_append(&q->ready[THREAD_NORMAL], &t->run_link);
        }
        q->rt_since_ns = 0;
    }
}

static void budget_account(struct run_queue *q, uint64_t now_ns)
{
    if (q->rt_since_ns) {
        q->rt_used_ns += now_ns - q->rt_since_ns;
        q->rt_since_ns = now_ns;
    }
    if (now_ns - q->rt_period_ns >= RT_PERIOD_NS) {
        q->rt_period_ns = now_ns;
        q->rt_used_ns = 0;
    }
}

static bool others_wait(const struct run_queue *q)
{
    return !list_empty(&q->ready[THREAD_NORMAL]) || !list_empty(&q->ready[THREAD_IDLE]);
}

static bool spent(const struct run_queue *q)
{
    return q->rt_used_ns >= RT_BUDGET_NS;
}

static const struct thread *next_realtime(const struct run_queue *q)
{
    const struct list *l = &q->ready[THREAD_REALTIME];
    return list_empty(l) ? NULL : list_entry(l->next, struct thread, run_link);
}

static uint64_t realtime_turn_end(const struct run_queue *q, uint64_t now_ns)
{
    const struct thread *r = q->running, *next = next_realtime(q);
    uint64_t at = UINT64_MAX;
    if (others_wait(q))
        at = now_ns + (spent(q) ? 0 : RT_BUDGET_NS - q->rt_used_ns);
    if (next && r->round_robin && next->priority == r->priority)
        at = MIN(at, q->begun_ns + r->slice_ns);
    return at;
}

// Where what runs now matters least.
static unsigned place_realtime(const struct thread *t)
{
    unsigned best = t->cpu, least = UINT32_MAX;
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        const struct run_queue *q = run_queue_of(i);
        const struct thread *r = q->running;
        if (r == NULL || !run_queue_allows(t, i))
            continue;
        unsigned matters = r == q->idle                   ? 0
                           : r->class == THREAD_IDLE      ? 1
                           : r->class == THREAD_REALTIME  ? 2u + r->priority
                           : queue_of(r) == THREAD_NORMAL ? 2
                                                          : UINT8_MAX;
        if (matters < least || (matters == least && i == t->cpu)) {
            least = matters;
            best = i;
        }
    }
    return best;
}

static bool goes_before(const struct thread *t, const struct thread *running)
{
    enum thread_class a = queue_of(t), b = queue_of(running);
    return a < b || (a == THREAD_REALTIME && b == a && t->priority > running->priority);
}

bool run_queue_displaces(struct thread *t)
{
    struct run_queue *q = run_queue_here();
    if (!run_queue_allows(t, arch_cpu_id()))
        return true;
    if (t->class != THREAD_REALTIME || q->ready_count == 0)
        return run_queue_waits(t->class);
    const struct thread *next = next_realtime(q);
    budget_account(q, clock_now_ns());
    if (next && (next->priority > t->priority || (next->priority == t->priority && t->turn_over)))
        return true;
    return run_queue_waits(THREAD_BOOSTED) || (spent(q) && others_wait(q));
}

void run_queue_stays(void)
{
    struct run_queue *q = run_queue_here();
    if (q->running->class != THREAD_REALTIME)
        return;
    uint64_t now = clock_now_ns();
    if (q->rt_since_ns == 0)
        q->rt_since_ns = q->begun_ns = now;
    q->slice_end_ns = realtime_turn_end(q, now);
    timer_rearm();
}

static void kick(unsigned cpu)
{
    if (cpu != arch_cpu_id())
        arch_cpu_kick(cpu);
}

// Until who runs there has to look who else is waiting, now that `t` is.
static uint64_t patience_end(struct run_queue *q, const struct thread *t)
{
    const struct thread *r = q->running;
    if (r->class != THREAD_REALTIME)
        return t->class == r->class && q->slice_end_ns == UINT64_MAX
                   ? clock_now_ns() + patience_ns(t, r)
                   : UINT64_MAX;
    uint64_t now = clock_now_ns();
    budget_account(q, now);
    return realtime_turn_end(q, now);
}

static inline void arrived(const struct thread *t, unsigned cpu)
{
    struct run_queue *q = run_queue_of(cpu);
    struct thread *r = q->running;
    bool plain = node(realtime_threads) == 0;
    if (r == NULL || r == t || r->resched)
        return;
    if (r == q->idle || (plain ? t->class < r->class : goes_before(t, r))) {
        r->resched = true;
        kick(cpu);
        return;
    }
    if (plain && (t->class != r->class || q->slice_end_ns != UINT64_MAX))
        return;
    uint64_t at = plain ? clock_now_ns() + patience_ns(t, r) : patience_end(q, t);
    if (at >= q->slice_end_ns)
        return;
    q->slice_end_ns = at;
    if (cpu == arch_cpu_id())
        timer_rearm();
    else
        arch_cpu_kick(cpu);
}

void run_queue_add(struct thread *t)
{
    unsigned cpu = t->class == THREAD_REALTIME ? place_realtime(t) : place(t);
    append(t, cpu);
    arrived(t, cpu);
}

static void realtime_add_here(struct thread *t)
{
    unsigned to = place_realtime(t);
    append(t, to);
    if (to != arch_cpu_id())
        arrived(t, to);
}

// Once in a while to another CPU with the same load, so that three threads share two CPUs fairly.
void run_queue_add_here(struct thread *t)
{
    unsigned here = arch_cpu_id(), to = here;
    if (t->class == THREAD_REALTIME) {
        realtime_add_here(t);
        return;
    }
    if (arch_cpu_count() > 1) {
        struct run_queue *q = run_queue_here();
        bool rotates = t->user && ++q->turns % ROTATE_TURNS == 0;
        bool shared = t->user && !list_empty(&q->ready[t->class]);
        unsigned idle = shared ? idle_for(t) : ARCH_CPUS_MAX;
        if (!run_queue_allows(t, here) || rotates)
            to = least_loaded(t, (here + 1) % arch_cpu_count());
        if (idle < ARCH_CPUS_MAX && idle != here)
            to = idle;
    }
    if (to == here) {
        append(t, here);
        return;
    }
    struct run_queue *q = run_queue_of(to);
    append(t, to);
    if (q->running == q->idle)
        q->idle->resched = true;
    else if (q->slice_end_ns == UINT64_MAX)
        q->slice_end_ns = clock_now_ns() + q->running->slice_ns;
    kick(to);
}

void run_queue_remove(struct thread *t)
{
    list_remove(&t->run_link);
    run_queue_of(t->cpu)->ready_count--;
}

static struct thread *take(struct run_queue *q, enum thread_class class, unsigned for_cpu)
{
    struct thread *t;
    list_for_each (t, &q->ready[class], run_link) {
        if (run_queue_allows(t, for_cpu)) {
            list_remove(&t->run_link);
            q->ready_count--;
            return t;
        }
    }
    return NULL;
}

static struct thread *take_from_others(enum thread_class class, unsigned here)
{
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        struct run_queue *q = run_queue_of(i);
        struct thread *t = i == here || q->ready_count == 0 ? NULL : take(q, class, here);
        if (t)
            return t;
    }
    return NULL;
}

// The first of all that wait on any CPU.
static struct thread *take_realtime(unsigned here)
{
    struct thread *t, *best = NULL;
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        list_for_each (t, &run_queue_of(i)->ready[THREAD_REALTIME], run_link) {
            if (!run_queue_allows(t, here))
                continue;
            if (best == NULL || t->priority > best->priority ||
                (i == here && t->priority == best->priority))
                best = t;
            break;
        }
    }
    if (best)
        run_queue_remove(best);
    return best;
}

static inline struct thread *take_first(struct run_queue *q, enum thread_class class)
{
    struct thread *t = list_empty(&q->ready[class]) ? NULL : take(q, class, arch_cpu_id());
    return t == NULL && arch_cpu_count() > 1 ? take_from_others(class, arch_cpu_id()) : t;
}

static struct thread *pick_before_others(struct run_queue *q, bool *passed_over)
{
    struct thread *t = take_first(q, THREAD_BOOSTED);
    budget_account(q, clock_now_ns());
    *passed_over = spent(q);
    return t || *passed_over ? t : take_realtime(arch_cpu_id());
}

struct thread *run_queue_pick(void)
{
    struct run_queue *q = run_queue_here();
    bool passed_over = false;
    struct thread *t = take_first(q, THREAD_URGENT);
    if (t == NULL && node(realtime_threads) > 0)
        t = pick_before_others(q, &passed_over);
    if (t == NULL)
        t = take_first(q, THREAD_NORMAL);
    if (t == NULL)
        t = take_first(q, THREAD_IDLE);
    if (t == NULL && passed_over)
        t = take_realtime(arch_cpu_id()); // nobody else wants the CPU
    return t ? t : q->idle;
}

bool run_queue_waits(enum thread_class upto)
{
    const struct run_queue *q = run_queue_here();
    if (q->ready_count == 0)
        return false;
    for (unsigned c = 0; c <= upto; c++)
        if (!list_empty(&q->ready[c]))
            return true;
    return false;
}

static struct thread *first_waiting(const struct run_queue *q, enum thread_class upto)
{
    for (unsigned c = 0; c <= upto && q->ready_count > 0; c++)
        if (!list_empty(&q->ready[c]))
            return list_entry(q->ready[c].next, struct thread, run_link);
    return NULL;
}

static void slice_begin_beside_realtime(struct run_queue *q)
{
    bool realtime = q->running->class == THREAD_REALTIME;
    if (realtime || q->rt_since_ns) {
        q->begun_ns = clock_now_ns();
        budget_account(q, q->begun_ns);
        q->rt_since_ns = realtime ? q->begun_ns : 0;
    }
    if (realtime)
        q->slice_end_ns = realtime_turn_end(q, q->begun_ns);
    else if (next_realtime(q)) // which had its share
        q->slice_end_ns = MIN(q->slice_end_ns, q->rt_period_ns + RT_PERIOD_NS);
}

void run_queue_slice_begin(void)
{
    struct run_queue *q = run_queue_here();
    const struct thread *r = q->running;
    const struct thread *t =
        q->ready_count == 0 || r == q->idle ? NULL : first_waiting(q, r->class);
    q->slice_end_ns = t ? clock_now_ns() + patience_ns(t, r) : UINT64_MAX;
    if (node(realtime_threads) > 0)
        slice_begin_beside_realtime(q);
}

// An idle CPU takes who waits here; without one the running thread's slice ends when it is over.
void run_queue_slice_check(uint64_t now_ns)
{
    struct run_queue *q = run_queue_here();
    if (now_ns < q->slice_end_ns)
        return;
    q->slice_end_ns = UINT64_MAX;
    struct thread *r = q->running;
    if (r->class == THREAD_REALTIME && r->round_robin && now_ns >= q->begun_ns + r->slice_ns)
        r->turn_over = true;
    const struct thread *t = first_waiting(q, THREAD_IDLE);
    unsigned idle = t && arch_cpu_count() > 1 ? idle_for(t) : ARCH_CPUS_MAX;
    if (idle < ARCH_CPUS_MAX) {
        run_queue_of(idle)->idle->resched = true;
        kick(idle);
        q->slice_end_ns = now_ns + q->running->slice_ns;
    } else {
        q->running->resched = true;
    }
}
