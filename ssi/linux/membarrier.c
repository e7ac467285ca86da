// SPDX-License-Identifier: MIT
// membarrier(2) and rseq(2). The threads of a process are on one node, so its expedited barriers
// are among that node's CPUs. Memory that processes on several nodes share needs none between
// nodes: a page is taken from a CPU's program by an interrupt, after which all of what that program
// did before is done.
#include "ssi/linux/linux.h"
#include "ssi/process/rseq.h"

enum {
    BARRIER_QUERY = 0,
    BARRIER_GLOBAL = 1,
    BARRIER_GLOBAL_EXPEDITED = 2,
    BARRIER_REGISTER_GLOBAL = 4,
    BARRIER_PRIVATE = 8,
    BARRIER_REGISTER_PRIVATE = 16,
    BARRIER_CORE = 32,
    BARRIER_REGISTER_CORE = 64,
    BARRIER_RSEQ = 128,
    BARRIER_REGISTER_RSEQ = 256,
    BARRIER_GET_REGISTRATIONS = 512,
    BARRIER_ALL = 1023,
    BARRIER_FLAG_CPU = 1,
};

// One that is of use only to who said before that it will be asked for.
static long barrier_private(struct space *s, uint32_t command)
{
    if (!(s->barriers & command << 1))
        return -EPERM;
    if (command == BARRIER_RSEQ)
        rseq_restart_all(s);
    else
        arch_barrier(&s->arch, command == BARRIER_CORE);
    return 0;
}

long sys_membarrier(struct call *c)
{
    struct space *s = process_current()->space;
    uint32_t command = c->args[0], flags = c->args[1], narrow;
    if (flags && !(command == BARRIER_RSEQ && flags == BARRIER_FLAG_CPU))
        return -EINVAL;
    switch (command) {
    case BARRIER_QUERY:
        return BARRIER_ALL;
    case BARRIER_GLOBAL:
    case BARRIER_GLOBAL_EXPEDITED:
        arch_barrier(NULL, false);
        return 0;
    case BARRIER_REGISTER_GLOBAL:
    case BARRIER_REGISTER_PRIVATE:
    case BARRIER_REGISTER_CORE:
    case BARRIER_REGISTER_RSEQ:
        s->barriers |= (uint16_t)command;
        return 0;
    case BARRIER_PRIVATE:
    case BARRIER_CORE:
    case BARRIER_RSEQ:
        return barrier_private(s, command);
    case BARRIER_GET_REGISTRATIONS:
        // The narrower kinds count as the plain one here, though they do not permit it.
        narrow = s->barriers & (BARRIER_REGISTER_CORE | BARRIER_REGISTER_RSEQ);
        return s->barriers | (narrow ? BARRIER_REGISTER_PRIVATE : 0);
    }
    return -EINVAL;
}

#define RSEQ_UNREGISTER 1u

long sys_rseq(struct call *c)
{
    struct task *t = task_current();
    switch (c->args[2]) {
    case 0:
        return rseq_register(t, c->args[0], c->args[1], c->args[3]);
    case RSEQ_UNREGISTER:
        return rseq_unregister(t, c->args[0], c->args[1], c->args[3]);
    }
    return -EINVAL;
}
