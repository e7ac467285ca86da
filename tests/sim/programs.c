// SPDX-License-Identifier: MIT
// What user programs there are, by number. One step is one instruction; registers hold all:
// esi the place in the program, edi the values done, ebp how many there are to do, esp who it is
// in the ledger. eax, ebx, ecx and edx serve system calls.
#include "ssi/linux/linux.h"
#include "tests/sim/ports/machine.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/run.h"
#include "tests/sim/users.h"

enum {
    FD = 3,
    FPU_WORD = 5,
    ASK_EVERY = 16,  // values between two getpid
    FILE_EVERY = 32, // and two writes
    FORK_EVERY = 24,
    SIGNAL_IGNORED = 23, // SIGURG
    SIGNAL_EVERY = 40,   // and two signals to a relative, which it ignores
    STATUS_AT = 512      // in its first page, where no value lies
};

enum place {
    LOAD,
    STORE,
    EFFECT,
    ASK,
    ASKED,
    FILE_IT,
    FILED,
    FORK,
    FORKED,
    SIGNAL,
    SIGNALLED,
    WAIT,
    WAITED,
    END,
};

static struct user *me(const struct arch_regs *r)
{
    return &users[r->esp];
}

static unsigned page_of(const struct arch_regs *r, uint32_t value)
{
    return value * 2654435761u / 65536 % me(r)->memory.pages;
}

static unsigned word_of(uint32_t value)
{
    return value % ORACLE_WORDS;
}

static uint32_t address_of(const struct arch_regs *r, uint32_t value)
{
    return USER_DATA + oracle_offset(page_of(r, value), word_of(value));
}

static void load(struct arch_regs *r)
{
    uint32_t value = r->edi + 1, found;
    if (!machine_load(r, address_of(r, value), &found))
        return;
    oracle_read(&me(r)->memory, 0, page_of(r, value), word_of(value), found);
    r->esi = STORE;
}

static void store(struct arch_regs *r)
{
    uint32_t value = r->edi + 1;
    if (!machine_store(r, address_of(r, value), value))
        return;
    oracle_wrote(&me(r)->memory, 0, page_of(r, value), word_of(value), value);
    r->esi = EFFECT;
}

static enum place next_place(const struct arch_regs *r)
{
    const struct user *u = me(r);
    if (r->edi == r->ebp)
        return u->born > 0 ? WAIT : END;
    if (u->forks > 0 && r->edi % FORK_EVERY == 0)
        return FORK;
    if (u->parent < 0 && r->edi % FILE_EVERY == 0)
        return FILE_IT;
    if (r->edi % SIGNAL_EVERY == 0 && (u->parent >= 0 || u->born > 0))
        return SIGNAL;
    return r->edi % ASK_EVERY == 0 ? ASK : LOAD;
}

static void effect(struct arch_regs *r)
{
    uint32_t *fpu = machine_fpu();
    if (fpu[FPU_WORD] != r->edi)
        fail("process %d: the FPU holds %u, not %u", me(r)->pid, fpu[FPU_WORD], r->edi);
    r->edi++;
    fpu[FPU_WORD] = r->edi;
    user_effect(me(r), r->edi);
    r->esi = next_place(r);
}

static void asked(struct arch_regs *r)
{
    if ((int32_t)r->eax != me(r)->pid)
        fail("process %d: getpid says %d", me(r)->pid, (int32_t)r->eax);
    r->esi = LOAD;
}

static void filed(struct arch_regs *r)
{
    if (option("trace", 0))
        note("process %d wrote %u to its file: %d", me(r)->pid, r->edi, (int32_t)r->eax);
    if (r->eax != 4)
        note("process %d: write of %u says %d", me(r)->pid, r->edi, (int32_t)r->eax);
    else
        me(r)->filed++;
    r->esi = LOAD;
}

// The child goes on from the same place with what its parent had, as itself.
static void fork_one(struct arch_regs *r)
{
    struct user *child = user_child(me(r));
    me(r)->forks--;
    r->esi = FORKED;
    machine_call(r, LINUX_NR_fork, (uint32_t)(child - users), 0, 0);
}

static void forked(struct arch_regs *r)
{
    struct user *child = &users[r->ebx];
    if (users_short_of_memory && ((int32_t)r->eax == -ENOMEM || (int32_t)r->eax == -EAGAIN)) {
        user_unborn(me(r), child);
        r->esi = r->edi == r->ebp ? next_place(r) : LOAD;
        return;
    }
    if ((int32_t)r->eax < 0)
        fail("process %d: fork says %d", me(r)->pid, (int32_t)r->eax);
    if (r->eax == 0) {
        child->pid = process_current()->pid;
        r->esp = r->ebx;
        r->ebp = child->limit;
    } else if (child->pid && child->pid != (int32_t)r->eax) {
        fail("process %d: fork says %u, the child is %d", me(r)->pid, r->eax, child->pid);
    } else {
        child->pid = (int32_t)r->eax;
    }
    r->esi = r->edi == r->ebp ? next_place(r) : LOAD;
}

// Its parent, or a child of it: alive, ended, elsewhere or on its way.
static int32_t relative_of(const struct arch_regs *r)
{
    const struct user *u = me(r);
    unsigned n = 0;
    int32_t pid = u->parent >= 0 ? users[u->parent].pid : 0;
    for (unsigned i = 0; i < user_count && u->parent < 0; i++)
        if (users[i].parent == (int)(u - users) && users[i].pid && sim_random() % ++n == 0)
            pid = users[i].pid;
    return pid ? pid : u->pid;
}

static void signalled(struct arch_regs *r)
{
    bool short_of_memory = users_short_of_memory && (int32_t)r->eax == -ENOMEM;
    if (r->eax != 0 && (int32_t)r->eax != -ESRCH && !short_of_memory)
        fail("process %d: kill of %d says %d", me(r)->pid, (int32_t)r->ebx, (int32_t)r->eax);
    r->esi = LOAD;
}

static void waited(struct arch_regs *r)
{
    uint32_t status;
    if ((int32_t)r->eax == -ECHILD) {
        if (me(r)->reaped != me(r)->born)
            fail("process %d: %u children, %u ends told", me(r)->pid, me(r)->born, me(r)->reaped);
        r->esi = END;
        return;
    }
    if (users_short_of_memory && (int32_t)r->eax == -EFAULT) {
        me(r)
            ->reaped++; // there was no frame for the status: wait4 has taken the child all the same
        r->esi = WAIT;
        return;
    }
    if ((int32_t)r->eax <= 0)
        fail("process %d: waitpid says %d", me(r)->pid, (int32_t)r->eax);
    if (!machine_load(r, USER_DATA + STATUS_AT, &status))
        return;
    user_reaped(me(r), (int32_t)r->eax, (int)status);
    r->esi = WAIT;
}

static void counter(struct arch_regs *r)
{
    switch ((enum place)r->esi) {
    case LOAD:
        load(r);
        break;
    case STORE:
        store(r);
        break;
    case EFFECT:
        effect(r);
        break;
    case ASK:
        r->esi = ASKED;
        machine_call(r, LINUX_NR_getpid, 0, 0, 0);
        break;
    case ASKED:
        asked(r);
        break;
    case FILE_IT: // the value lies where it was stored
        r->esi = FILED;
        machine_call(r, LINUX_NR_write, FD, address_of(r, r->edi), 4);
        break;
    case FILED:
        filed(r);
        break;
    case FORK:
        fork_one(r);
        break;
    case FORKED:
        forked(r);
        break;
    case SIGNAL:
        r->esi = SIGNALLED;
        machine_call(r, LINUX_NR_kill, (uint32_t)relative_of(r), SIGNAL_IGNORED, 0);
        break;
    case SIGNALLED:
        signalled(r);
        break;
    case WAIT:
        r->esi = WAITED;
        machine_call(r, LINUX_NR_waitpid, UINT32_MAX, USER_DATA + STATUS_AT, 0);
        break;
    case WAITED:
        waited(r);
        break;
    case END:
        machine_call(r, LINUX_NR_exit_group, USER_DONE, 0, 0);
        break;
    }
}

static const struct machine_program counter_program = {"counter", counter};

const struct machine_program *const machine_programs[] = {&counter_program};
const unsigned machine_program_count = ARRAY_SIZE(machine_programs);
