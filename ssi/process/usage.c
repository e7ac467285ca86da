// SPDX-License-Identifier: MIT
#include "ssi/process/usage.h"
#include "ssi/process/process.h"

// A thread's time is booked when another one takes its CPU: what runs now is booked here.
static void times_settle(void)
{
    uint64_t user, system, idle;
    thread_cpu_times(&user, &system, &idle);
}

void usage_add(struct usage *sum, const struct usage *more)
{
    sum->user_ns += more->user_ns;
    sum->system_ns += more->system_ns;
    sum->read_bytes += more->read_bytes;
    sum->written_bytes += more->written_bytes;
    sum->reads += more->reads;
    sum->writes += more->writes;
    sum->minor_faults += more->minor_faults;
    sum->major_faults += more->major_faults;
    sum->sleeps += more->sleeps;
    sum->preemptions += more->preemptions;
    sum->pages_most = MAX(sum->pages_most, more->pages_most);
}

static struct usage of_space(const struct space *s)
{
    return (struct usage){.minor_faults = (uint32_t)s->minor_faults,
                          .major_faults = (uint32_t)s->major_faults,
                          .pages_most = arch_space_pages_most(&s->arch)};
}

void usage_of_task(const struct task *t, struct usage *u)
{
    const struct thread *h = t->thread;
    times_settle();
    *u = (struct usage){.user_ns = h->user_ns,
                        .system_ns = h->system_ns,
                        .sleeps = h->sleeps,
                        .preemptions = h->preemptions};
}

void usage_of_process(const struct process *p, struct usage *u)
{
    const struct task *t;
    struct usage more;
    *u = p->ended;
    list_for_each (t, &p->tasks, link) {
        usage_of_task(t, &more);
        usage_add(u, &more);
    }
    if (p->space) {
        more = of_space(p->space);
        usage_add(u, &more);
    }
}

// Memory that others go on with is counted as theirs.
void usage_leave_space(struct process *p)
{
    if (p->space == NULL || p->space->users > 1)
        return;
    struct usage u = of_space(p->space);
    usage_add(&p->ended, &u);
}

void task_times(const struct task *t, uint64_t *user_ns, uint64_t *system_ns)
{
    struct usage u;
    usage_of_task(t, &u);
    *user_ns = u.user_ns;
    *system_ns = u.system_ns;
}

void process_times(const struct process *p, uint64_t *user_ns, uint64_t *system_ns)
{
    struct usage u;
    usage_of_process(p, &u);
    *user_ns = u.user_ns;
    *system_ns = u.system_ns;
}
