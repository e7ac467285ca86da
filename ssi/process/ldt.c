// SPDX-License-Identifier: MIT
#include "ssi/process/ldt.h"
#include "kernel/wait.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/process/priv.h"
#include "ssi/process/watch.h"

void ldt_reload(const struct task *t)
{
    struct ldt *l = t->process->ldt;
    arch_ldt_load(l ? l->desc : NULL, LDT_ENTRIES);
}

static void switch_out(struct thread *thread)
{
    arch_ldt_load(NULL, 0);
    task_switch_out(thread);
}

static void switch_in(struct thread *thread)
{
    task_switch_in(thread);
    ldt_reload(thread->user);
}

thread_switch ldt_switch_out(const struct task *t)
{
    return t->process->ldt ? switch_out : task_switch_out;
}

thread_switch ldt_switch_in(const struct task *t)
{
    return t->process->ldt ? switch_in : task_switch_in;
}

void task_switches_set(struct task *t)
{
    if (watch_loaded(t->thread)) // it asks each time
        return;
    t->thread->switch_out = ldt_switch_out(t);
    t->thread->switch_in = ldt_switch_in(t);
}

static void put(struct ldt *l)
{
    ASSERT(l->users > 0);
    if (--l->users == 0)
        heap_free(l);
}

static void switches_set_all(struct process *p)
{
    struct task *t;
    list_for_each (t, &p->tasks, link)
        task_switches_set(t);
}

// Does a thread of p run on another CPU that has not loaded the table yet?
static bool not_loaded(const struct process *p)
{
    const struct task *t;
    list_for_each (t, &p->tasks, link)
        if (t != task_current() && t->move_asked && t->thread->state == THREAD_RUNNING)
            return true;
    return false;
}

// Threads that run on other CPUs come by and load it, on their way back (task_attend).
static void load_everywhere(struct process *p)
{
    struct task *t, *me = task_current();
    list_for_each (t, &p->tasks, link) {
        if (t == me)
            continue;
        t->move_asked = true;
        t->thread->asked = true;
        thread_kick(t->thread);
    }
    if (me && me->process == p)
        ldt_reload(me);
    while (not_loaded(p) && wait_sleep(&p->task_wait, WAIT_FOREVER, 0) == 0)
        continue;
}

void ldt_attend(struct task *t)
{
    if (t->process->ldt == NULL)
        return;
    ldt_reload(t);
    wait_wake_all(&t->process->task_wait);
}

int ldt_set(struct process *p, uint32_t entry, const uint32_t desc[2])
{
    struct ldt *l = p->ldt;
    ASSERT(entry < LDT_ENTRIES && arch_ldt_entry_good(desc));
    if (l == NULL) {
        l = heap_zalloc(sizeof(*l));
        if (l == NULL)
            return -ENOMEM;
        l->users = 1;
        p->ldt = l;
        switches_set_all(p);
    }
    bool fresh = l->count == 0;
    volatile uint32_t *at = l->desc[entry]; // other CPUs may load it meanwhile
    at[1] = 0;                              // never half an old one and half a new one
    at[0] = desc[0];
    at[1] = desc[1];
    l->count = MAX(l->count, entry + 1);
    if (fresh && task_current() && task_current()->process == p)
        load_everywhere(p);
    return 0;
}

int ldt_fork(struct process *to, const struct process *from, bool shared)
{
    struct ldt *l = from->ldt;
    if (shared) {
        l->users++;
        to->ldt = l;
        return 0;
    }
    struct ldt *own = heap_zalloc(sizeof(*own));
    if (own == NULL)
        return -ENOMEM;
    own->users = 1;
    own->count = l->count;
    memcpy(own->desc, l->desc, l->count * sizeof(l->desc[0]));
    to->ldt = own;
    return 0;
}

void ldt_drop(struct process *p)
{
    struct ldt *l = p->ldt;
    p->ldt = NULL;
    switches_set_all(p);
    if (process_current() == p)
        arch_ldt_load(NULL, 0);
    put(l);
}
