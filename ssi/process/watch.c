// SPDX-License-Identifier: MIT
#include "ssi/process/watch.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/process/ldt.h"
#include "ssi/process/priv.h"
#include "ssi/process/tracee.h"

#define STATUS_USUAL 0xffff0ff0u
#define RESERVED     0x0000fc00u // of the control register: never taken over
#define FLAGS_RF     0x10000u
#define SWITCH(i)    (3u << (2 * (i))) // enables an address, locally or globally
#define KIND_EXECUTE 0u
#define KIND_IN_OUT  2u
#define LENGTH_EIGHT 2u // of 64-bit CPUs

static unsigned kind_of(uint32_t control, unsigned i)
{
    return control >> (16 + 4 * i) & 3;
}

static unsigned length_of(uint32_t control, unsigned i)
{
    return control >> (18 + 4 * i) & 3;
}

uint32_t watch_get(const struct watch *w, unsigned number)
{
    if (number < ARCH_WATCHES)
        return w->set.address[number];
    if (number == WATCH_STATUS)
        return w->other_causes ^ STATUS_USUAL;
    return number == WATCH_CONTROL ? w->set.control : 0;
}

static bool address_good(uint32_t address, uint32_t bytes)
{
    return address % bytes == 0 && address <= USER_TOP - bytes;
}

// ---- loaded while the task runs -----------------------------------------------------------------
static void watched_out(struct thread *thread)
{
    arch_watch_load(NULL);
    ldt_switch_out(thread->user)(thread);
}

static void watched_in(struct thread *thread)
{
    const struct task *t = thread->user;
    ldt_switch_in(t)(thread);
    if (t->trace && t->trace->watch.set.control) {
        arch_watch_load(&t->trace->watch.set);
    } else {
        thread->switch_out = ldt_switch_out(t);
        thread->switch_in = ldt_switch_in(t);
    }
}

bool watch_loaded(const struct thread *thread)
{
    return thread->switch_in == watched_in;
}

void watch_leave(struct thread *thread)
{
    if (thread->switch_in == watched_in && thread == thread_current())
        arch_watch_load(NULL);
}

void watch_forget(struct task *t)
{
    memset(&t->trace->watch, 0, sizeof(t->trace->watch));
    watch_leave(t->thread);
}

// ---- set ----------------------------------------------------------------------------------------
static bool control_good(const struct watch *w, uint32_t control)
{
    for (unsigned i = 0; i < ARCH_WATCHES; i++) {
        unsigned length = length_of(control, i), kind = kind_of(control, i);
        if (control & SWITCH(i) &&
            (kind == KIND_IN_OUT || length == LENGTH_EIGHT || (kind == KIND_EXECUTE && length) ||
             !address_good(w->set.address[i], length + 1)))
            return false;
    }
    return true;
}

static int control_set(struct task *t, uint32_t control)
{
    struct watch *w = &t->trace->watch;
    control &= ~RESERVED;
    if (!control_good(w, control))
        return -EINVAL;
    for (unsigned i = 0; i < ARCH_WATCHES; i++) {
        if (control & SWITCH(i))
            w->bytes[i] = (uint8_t)(length_of(control, i) + 1);
    }
    w->set.control = control;
    t->thread->switch_out = watched_out;
    t->thread->switch_in = watched_in;
    return 0;
}

int watch_set(struct task *t, unsigned number, uint32_t value)
{
    struct watch *w = &t->trace->watch;
    switch (number) {
    case WATCH_STATUS:
        w->other_causes = value ^ STATUS_USUAL;
        return 0;
    case WATCH_CONTROL:
        return control_set(t, value);
    }
    if (number >= ARCH_WATCHES)
        return -EIO;
    if (!address_good(value, w->bytes[number] ? w->bytes[number] : 1))
        return -EINVAL;
    w->set.address[number] = value;
    return 0;
}

uint32_t watch_told(struct watch *w, uint32_t causes, struct arch_regs *r)
{
    uint32_t told = causes & ARCH_WATCH_STEP;
    for (unsigned i = 0; i < ARCH_WATCHES; i++) {
        if (!(causes & 1u << i) || !(w->set.control & SWITCH(i)))
            continue;
        told |= 1u << i;
        if (kind_of(w->set.control, i) == KIND_EXECUTE)
            r->eflags |= FLAGS_RF;
    }
    w->other_causes = told;
    return told;
}
