// SPDX-License-Identifier: MIT
// The run queues, one per CPU: classes served in order, round robin with a time slice inside a
// class. A woken thread goes to an idle CPU if one may have it, best its last; a CPU with nothing
// to do takes from the others. Kernel threads run with the lock, so they stay where they were woken
// when they may run there at once: another CPU would only wait for this one.
#include "kernel/thread_priv.h"
#include "kernel/timer.h"
#include "lib/node_var.h"

#define SLICE_NS     (10 * NS_PER_MS)
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
    const struct thread *r = run_queue_here()->running;
    if (t->user == NULL && (t->class < r->class || r == run_queue_here()->idle))
        return here;
    unsigned idle = idle_for(t);
    if (idle < ARCH_CPUS_MAX)
        return idle;
    return t->user ? least_loaded(t, t->cpu) : here;
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
    const struct thread *r = q->running;
    append(t, cpu);
    if (r == NULL || r == t || q->resched)
        return;
    if (r == q->idle || t->class < r->class) {
        q->resched = true;
        kick(cpu);
    } else if (t->class == r->class && q->slice_end_ns == UINT64_MAX) {
        q->slice_end_ns = clock_now_ns() + SLICE_NS;
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
        q->resched = true;
    else if (q->slice_end_ns == UINT64_MAX)
        q->slice_end_ns = clock_now_ns() + SLICE_NS;
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

void run_queue_slice_begin(void)
{
    struct run_queue *q = run_queue_here();
    bool shared = q->running != q->idle && run_queue_waits(q->running->class);
    q->slice_end_ns = shared ? clock_now_ns() + SLICE_NS : UINT64_MAX;
}

void run_queue_slice_check(uint64_t now_ns)
{
    struct run_queue *q = run_queue_here();
    if (now_ns >= q->slice_end_ns) {
        q->resched = true;
        q->slice_end_ns = UINT64_MAX;
    }
}
