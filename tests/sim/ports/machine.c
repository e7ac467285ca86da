// SPDX-License-Identifier: MIT
#include "tests/sim/ports/machine.h"

#include "kernel/bootparts.h"
#include "kernel/console.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "tests/sim/ports/key.h"
#include "tests/sim/ports/ports.h"
#include "tests/sim/ports/sim.h"

#define SPIN_NS    NS_PER_MS
#define FLAGS_USER 0x202u

uint32_t machine_step_ns_max = 20000;

bool (*arch_on_page_fault)(const struct arch_fault *f, struct arch_regs *r);
void (*arch_on_exception)(unsigned vector, struct arch_regs *r);
void (*arch_on_syscall)(struct arch_regs *r);
void (*arch_on_user_return)(struct arch_regs *r);
void (*machine_on_end)(enum machine_end how);

NODE_VAR(struct arch_fpu, fpu);
NODE_VAR(uint64_t, clock_read_ns);

// ---- what the node is ---------------------------------------------------------------------------

NODE_VAR(struct key_archive, machine_archive);

const struct archive *boot_archive(void)
{
    return node(machine_archive).header.parts != 0 ? &node(machine_archive).archive : NULL;
}

void machine_set_key(const char *text)
{
    key_archive_make(&node(machine_archive), text);
}

uint64_t arch_interrupt_count(void)
{
    return 0;
}

unsigned arch_cpu_count(void)
{
    return 1;
}

unsigned arch_cpu_id(void)
{
    return 0;
}

struct arch_features arch_cpu_features(void)
{
    return (struct arch_features){.edx = 0x0789fbff, .ecx = 0x2001};
}

// Nobody runs code of programs: what it would read is not kept.
void arch_vdso_clock_set(const struct clock_line *line UNUSED, node_id_t self UNUSED)
{
}

void arch_vdso_arrived(void)
{
}

uint32_t arch_vdso_frame(unsigned page UNUSED)
{
    return 0;
}

uint64_t arch_clock_real_s(void)
{
    return 1000000;
}

// Who reads the clock twice without letting time pass waits for it: the whole node stands still.
uint64_t arch_clock_ns(void)
{
    if (thread_current() && node(clock_read_ns) == clock_now_ns())
        sim_thread_stand_still(SPIN_NS);
    node(clock_read_ns) = clock_now_ns();
    return clock_now_ns();
}

void arch_hold_forget(void)
{
}

void arch_hold_longest(struct arch_hold *h)
{
    *h = (struct arch_hold){.thread = "none"}; // kernel code takes no time here
}

static void NORETURN machine_end(enum machine_end how)
{
    struct sim_node *me = sim_node_current();
    sim_node_stop(me);
    if (machine_on_end)
        machine_on_end(how);
    sim_thread_vanish();
}

void arch_power_off(void)
{
    machine_end(MACHINE_OFF);
}

void arch_reset(void)
{
    machine_end(MACHINE_RESET);
}

void arch_exit(uint8_t status UNUSED)
{
    machine_end(MACHINE_DIED);
}

void arch_watch_load(const struct arch_watch *w UNUSED)
{
}

uint32_t arch_watch_causes(void)
{
    return 0;
}

// ---- consoles: nobody sits there ----------------------------------------------------------------

void console_listen(const struct console_client *c UNUSED)
{
}

void port2_listen(const struct console_client *c UNUSED)
{
}

void console_write(const char *bytes UNUSED, size_t n UNUSED)
{
}

bool port2_present(void)
{
    return false;
}

void port2_write(const uint8_t *bytes UNUSED, size_t n UNUSED)
{
}

size_t console_room(void)
{
    return SIZE_MAX;
}

size_t port2_room(void)
{
    return SIZE_MAX;
}

// ---- registers ----------------------------------------------------------------------------------

void arch_regs_sanitise(struct arch_regs *r)
{
    r->cs = USER_CS;
    r->ss = USER_DS;
    r->eflags = FLAGS_USER;
}

void arch_ldt_load(const uint32_t (*table)[2] UNUSED, uint32_t count UNUSED)
{
}

bool arch_ldt_entry_good(const uint32_t desc[2] UNUSED)
{
    return true;
}

bool arch_tls_sanitise(struct arch_tls *t UNUSED)
{
    return true;
}

void arch_fpu_init(struct arch_fpu *f)
{
    memset(f, 0, sizeof(*f));
}

void arch_fpu_save(struct arch_fpu *f)
{
    *f = node(fpu);
}

void arch_fpu_load(const struct arch_fpu *f)
{
    node(fpu) = *f;
}

void arch_fpu_sanitise(struct arch_fpu *f UNUSED)
{
}

uint32_t *machine_fpu(void)
{
    return (uint32_t *)(void *)node(fpu).image;
}

void arch_user_prepare(void *stack_top UNUSED, const struct arch_tls *tls UNUSED)
{
}

void arch_barrier(struct arch_space *s UNUSED, bool code UNUSED)
{
}

void arch_space_interrupt(const struct arch_space *s UNUSED)
{
}

// ---- user mode ----------------------------------------------------------------------------------

static bool touch(struct arch_regs *r, uint32_t address, bool write, uint32_t *value)
{
    struct arch_space *space = thread_current()->space;
    ASSERT(space && address % sizeof(*value) == 0);
    if (port_user_word(space, address, write, value))
        return true;
    struct arch_fault f = {.address = address, .write = write, .user = true};
    r->vector = 14;
    if (!arch_on_page_fault(&f, r))
        arch_on_exception(14, r);
    return false;
}

bool machine_load(struct arch_regs *r, uint32_t address, uint32_t *value)
{
    return touch(r, address, false, value);
}

bool machine_store(struct arch_regs *r, uint32_t address, uint32_t value)
{
    return touch(r, address, true, &value);
}

void machine_call(struct arch_regs *r, uint32_t number, uint32_t b, uint32_t c, uint32_t d)
{
    r->eax = r->error = number;
    r->ebx = b;
    r->ecx = c;
    r->edx = d;
    r->vector = 0x80;
    arch_on_syscall(r);
}

void arch_user_enter(struct arch_regs *from)
{
    struct arch_regs regs = *from; // where entry.S would push them
    for (;;) {
        unsigned program = (regs.eip - MACHINE_TEXT) >> 12;
        ASSERT(program < machine_program_count);
        ASSERT((regs.cs & 3) == 3);
        machine_programs[program]->step(&regs);
        arch_on_user_return(&regs);
        sim_thread_spend(1 + sim_random() % machine_step_ns_max);
        arch_on_user_return(&regs); // an interrupt found it there
    }
}
