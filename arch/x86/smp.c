// SPDX-License-Identifier: MIT
// The other CPUs: started one after the other through a page below 1 MiB (Intel SDM vol. 3, 8.4.4),
// kicked, and stopped when the node ends.
#include "arch/x86/x86.h"
#include "lib/limits.h"
#include "lib/assert.h"
#include "lib/string.h"

#define START_PAGE    0x8000u // firmware memory that nobody uses once the kernel runs
#define INIT_WAIT_NS  10000000ull
#define AGAIN_WAIT_NS 50000000ull
#define START_WAIT_NS 2000000000ull

// At the end of the start page; start_cpu.S knows the layout.
struct start_words {
    uint32_t root;  // physical address of page tables that map the page as it is
    uint32_t stack; // top
    uint32_t use_nx;
    uint32_t cpu; // struct cpu
};

extern const char cpu_start_begin[], cpu_start_end[];
extern struct start_words cpu_start_words;
extern uint64_t boot_directory_pointers[4];

struct cpu *cpus[ARCH_CPUS_MAX];
unsigned cpu_count = 1;
static volatile bool stopping, poked;
static void (*start_entry)(unsigned cpu);

void (*arch_on_kick)(void);

void cpu_begin(struct cpu *c) NORETURN;

unsigned arch_cpu_count(void)
{
    return cpu_count;
}

STATIC_ASSERT(offsetof(struct cpu, id) == 4 && offsetof(struct cpu, current) == 12, "arch.h");

void arch_current_set(void *current)
{
    this_cpu()->current = current;
}

// The first C of a CPU that was started, on its own stack.
void cpu_begin(struct cpu *c)
{
    descriptors_load(c);
    cpu_init();
    write_cr3(paging_kernel_root());
    (void)apic_init();
    clock_cpu_init();
    c->online = true;
    c->stamp = lock_take(c, rdtsc());
    start_entry(c->id);
    ASSERT(false);
    for (;;)
        halt();
}

static void wait_ns(uint64_t ns, const volatile bool *until)
{
    uint64_t end = arch_clock_ns() + ns;
    while (arch_clock_ns() < end && !*until)
        relax();
}

static struct cpu *cpu_new(unsigned id, uint8_t apic)
{
    uint32_t frame = arch_table_alloc(), stack = arch_table_alloc();
    struct cpu *c = (struct cpu *)(KERNEL_BASE + (frame << PAGE_SHIFT));
    STATIC_ASSERT(sizeof(*c) <= PAGE_SIZE, "a frame holds what belongs to a CPU");
    if (frame == 0 || stack == 0)
        return NULL;
    c->id = id;
    c->apic_id = apic;
    c->fault_stack_top = (uint8_t *)(KERNEL_BASE + (stack << PAGE_SHIFT)) + PAGE_SIZE;
    descriptors_fill(c);
    return c;
}

static void words_place(const struct cpu *c, void *stack_top)
{
    uint8_t *page = (uint8_t *)(KERNEL_BASE + START_PAGE);
    const struct start_words w = {
        .root = (uint32_t)boot_directory_pointers - KERNEL_BASE,
        .stack = (uint32_t)stack_top,
        .use_nx = cpu_info.nx,
        .cpu = (uint32_t)c,
    };
    memcpy(page, cpu_start_begin, (size_t)(cpu_start_end - cpu_start_begin));
    memcpy(page + ((const char *)&cpu_start_words - cpu_start_begin), &w, sizeof(w));
}

static bool cpu_start(unsigned id, uint8_t apic)
{
    struct cpu *c = cpu_new(id, apic);
    void *stack = c ? arch_stack_alloc() : NULL;
    if (stack == NULL)
        return false;
    words_place(c, stack);
    apic_send(apic, APIC_INIT);
    wait_ns(INIT_WAIT_NS, &c->online);
    apic_send(apic, APIC_STARTUP | START_PAGE >> PAGE_SHIFT);
    wait_ns(AGAIN_WAIT_NS, &c->online);
    if (!c->online) // the second one that old CPUs want; the others ignore it
        apic_send(apic, APIC_STARTUP | START_PAGE >> PAGE_SHIFT);
    wait_ns(START_WAIT_NS, &c->online);
    if (!c->online) {
        apic_send(apic, APIC_INIT); // it shall not come late
        return false;
    }
    cpus[id] = c;
    return true;
}

void arch_cpus_start(void (*entry)(unsigned cpu), unsigned *left)
{
    uint8_t ids[ARCH_CPUS_MAX - 1];
    *left = 0;
    cpus[0]->apic_id = apic_present() ? apic_id() : 0;
    unsigned n = apic_present() ? madt_cpus(ids, ARRAY_SIZE(ids), left) : 0;
    start_entry = entry;
    for (unsigned i = 0; i < n; i++) {
        if (cpu_start(cpu_count, ids[i]))
            cpu_count++; // it waits for the lock, which the caller has
        else
            ++*left;
    }
}

void arch_cpu_kick(unsigned cpu)
{
    apic_send(cpus[cpu]->apic_id, APIC_FIXED | VECTOR_KICK);
}

void arch_cpus_stop(void)
{
    stopping = true;
    if (cpu_count > 1)
        apic_send_others(APIC_NMI);
}

void cpu_poke(struct cpu *c)
{
    poked = true;
    apic_send(c->apic_id, APIC_NMI);
}

// Two that come close together may be one or two interrupts: once this node pokes at all, an NMI
// that nobody needs is taken for such a one.
bool cpu_poked(struct arch_regs *r)
{
    while (stopping)
        halt(); // interrupts are off: for good
    if (r->eip >= (uint32_t)lock_park_begin && r->eip < (uint32_t)lock_park_end)
        r->eip = (uint32_t)lock_park_end;
    return poked;
}
