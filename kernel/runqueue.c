// SPDX-License-Identifier: MIT
// The run queues, one per CPU: classes served in order, round robin inside a class, each thread for
// its own time slice: who is nice has a short one. A woken thread waits where it was woken, for its
// waker often sleeps at once: waking another CPU costs more. If it is not served soon and a CPU is
// idle, that one is told to take it; a second one that waits is sent there at once.
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/node_var.h"

#define SPREAD_NS    (NS_PER_MS / 5) // for so long a woken thread waits for its waker
#define ROTATE_TURNS 4u // so many slices, then a thread changes to a CPU that is equally busy

NODE_VAR(struct run_queue, queues[ARCH_CPUS_MAX]);

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

static void append(struct thread *t, unsigned cpu)
{
    struct run_queue *q = run_queue_of(cpu);
    t->cpu = (uint8_t)cpu;
    list_append(&q->ready[t->class], &t->run_link);
    q->ready_count++;
}

static void kick(unsigned cpu)
{
    if (cpu != arch_cpu_id())
        arch_cpu_kick(cpu);
}

void run_queue_add(struct thread *t)
{
    unsigned cpu = place(t);
    struct run_queue *q = run_queue_of(cpu);
    struct thread *r = q->running;
    append(t, cpu);
    if (r == NULL || r == t || r->resched)
        return;
    if (r == q->idle || t->class < r->class) {
        r->resched = true;
        kick(cpu);
    } else if (t->class == r->class && q->slice_end_ns == UINT64_MAX) {
        q->slice_end_ns = clock_now_ns() + patience_ns(t, r);
        if (cpu == arch_cpu_id())
            timer_rearm();
        else
            arch_cpu_kick(cpu);
    }
}

// Once in a while to another CPU with the same load, so that three threads share two CPUs fairly.
void run_queue_add_here(struct thread *t)
{
    unsigned here = arch_cpu_id(), to = here;
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

struct thread *run_queue_pick(void)
{
    unsigned here = arch_cpu_id();
    struct run_queue *q = run_queue_here();
    for (unsigned c = 0; c < THREAD_CLASSES; c++) {
        struct thread *t = take(q, c, here);
        if (t == NULL && arch_cpu_count() > 1)
            t = take_from_others(c, here);
        if (t)
            return t;
    }
    return q->idle;
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

void run_queue_slice_begin(void)
{
    struct run_queue *q = run_queue_here();
    const struct thread *t = q->running == q->idle ? NULL : first_waiting(q, q->running->class);
    q->slice_end_ns = t ? clock_now_ns() + patience_ns(t, q->running) : UINT64_MAX;
}

// An idle CPU takes who waits here; without one the running thread's slice ends when it is over.
void run_queue_slice_check(uint64_t now_ns)
{
    struct run_queue *q = run_queue_here();
    if (now_ns < q->slice_end_ns)
        return;
    q->slice_end_ns = UINT64_MAX;
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
