// SPDX-License-Identifier: MIT
// Segments and gates: user selectors as on Linux i386 (code 0x73, data 0x7b, TLS entries 6-8), a
// task gate with its own stack for double faults, and what the CPU must know of a user thread.
#include "arch/x86/x86.h"
#include "lib/string.h"

#define GATE_KERNEL 0x8e00u // present, ring 0, 32-bit interrupt gate
#define GATE_USER   0xee00u // the same, callable from ring 3
#define GATE_TASK   0x8500u

#define ACCESS_CODE0 0x9bu
#define ACCESS_DATA0 0x93u
#define ACCESS_CODE3 0xfbu
#define ACCESS_DATA3 0xf3u
#define ACCESS_TSS   0x89u
#define ACCESS_LDT   0x82u
#define FLAGS_FLAT   0xcu // 4 KiB granules, 32-bit
#define FLAGS_BYTES  0x4u

static struct cpu boot_cpu __attribute__((aligned(64)));
static uint64_t idt[256] __attribute__((aligned(8)));
static uint8_t fault_stack[4096] __attribute__((aligned(16)));

struct table_pointer {
    uint16_t limit;
    uint32_t base;
} PACKED;

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t access, uint32_t flags)
{
    return (limit & 0xffffu) | (uint64_t)(base & 0xffffffu) << 16 | (uint64_t)access << 40 |
           (uint64_t)((limit >> 16) & 15u) << 48 | (uint64_t)flags << 52 |
           (uint64_t)(base >> 24) << 56;
}

static void gate_set(unsigned vector, uint32_t kind, uint32_t target, uint32_t selector)
{
    idt[vector] = (target & 0xffffu) | (uint64_t)selector << 16 |
                  (uint64_t)((target & 0xffff0000u) | kind) << 32;
}

void descriptors_fill(struct cpu *c)
{
    c->self = c;
    c->canary = 0x57454654;
    c->gdt[12] = descriptor(0, 0xfffff, ACCESS_CODE0, FLAGS_FLAT);
    c->gdt[13] = descriptor(0, 0xfffff, ACCESS_DATA0, FLAGS_FLAT);
    c->gdt[14] = descriptor(0, 0xfffff, ACCESS_CODE3, FLAGS_FLAT);
    c->gdt[15] = descriptor(0, 0xfffff, ACCESS_DATA3, FLAGS_FLAT);
    c->gdt[16] = descriptor((uint32_t)&c->tss, sizeof(c->tss) - 1, ACCESS_TSS, 0);
    c->gdt[17] = descriptor((uint32_t)&c->fault_tss, sizeof(c->fault_tss) - 1, ACCESS_TSS, 0);
    c->gdt[27] = descriptor((uint32_t)c, sizeof(*c) - 1, ACCESS_DATA0, FLAGS_BYTES);
    c->tss.ss0 = GDT_KERNEL_DS;
    c->tss.io_map = sizeof(c->tss);
    c->fault_tss = (struct tss){
        .cr3 = paging_kernel_root(),
        .eip = (uint32_t)fault_task_entry,
        .eflags = EFLAGS_FIXED,
        .esp = (uint32_t)c->fault_stack_top,
        .cs = GDT_KERNEL_CS,
        .ss = GDT_KERNEL_DS,
        .ds = GDT_KERNEL_DS,
        .es = GDT_KERNEL_DS,
        .gs = GDT_CPU,
        .io_map = sizeof(c->fault_tss),
    };
}

void descriptors_load(struct cpu *c)
{
    struct table_pointer gdt_pointer = {sizeof(c->gdt) - 1, (uint32_t)c->gdt};
    __asm__ volatile("lgdt %0\n\t"
                     "ljmp %1, $1f\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%ss\n\t"
                     "mov %3, %%gs\n\t"
                     "xor %%eax, %%eax\n\t"
                     "mov %%eax, %%fs\n\t"
                     "lldt %%ax\n\t"
                     "ltr %w4"
                     :
                     : "m"(gdt_pointer), "i"(GDT_KERNEL_CS), "r"(GDT_KERNEL_DS), "r"(GDT_CPU),
                       "r"(GDT_TSS)
                     : "eax", "memory");
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint32_t)idt};
    __asm__ volatile("lidt %0" : : "m"(idt_pointer));
}

void descriptors_init(void)
{
    for (unsigned v = 0; v < 256; v++)
        gate_set(v, v == VECTOR_SYSCALL || v == 3 || v == 4 ? GATE_USER : GATE_KERNEL,
                 (uint32_t)trap_stubs[v], GDT_KERNEL_CS);
    gate_set(8, GATE_TASK, 0, GDT_FAULT_TSS);
    boot_cpu.fault_stack_top = fault_stack + sizeof(fault_stack);
    boot_cpu.online = true;
    cpus[0] = &boot_cpu;
    descriptors_fill(&boot_cpu);
    descriptors_load(&boot_cpu);
    (void)lock_take(&boot_cpu, rdtsc());
}

void arch_user_prepare(void *stack_top, const struct arch_tls *tls)
{
    struct cpu *c = this_cpu();
    c->tss.esp0 = (uint32_t)stack_top;
    if (cpu_info.sysenter)
        write_msr(MSR_SYSENTER_ESP, (uint32_t)stack_top);
    memcpy(&c->gdt[USER_TLS_MIN], tls->desc, sizeof(tls->desc));
}

void user_enter(struct arch_regs *frame) NORETURN;

void arch_user_enter(struct arch_regs *regs)
{
    struct cpu *c = this_cpu();
    struct arch_regs *frame = (struct arch_regs *)c->tss.esp0 - 1;
    if (frame != regs)
        *frame = *regs;
    user_leave(c, 0, 0);
    user_enter(frame);
}

void arch_ldt_load(const uint32_t (*table)[2], uint32_t count)
{
    uint16_t selector = 0;
    if (table) {
        uint32_t limit = count * (uint32_t)sizeof(table[0]) - 1;
        this_cpu()->gdt[GDT_LDT / 8] = descriptor((uint32_t)table, limit, ACCESS_LDT, 0);
        selector = GDT_LDT;
    }
    __asm__ volatile("lldt %0" : : "r"(selector) : "memory");
}

bool arch_ldt_entry_good(const uint32_t desc[2])
{
    uint32_t high = desc[1];
    bool present = high & 1u << 15, conforms = (high & 0x0c00u) == 0x0c00u;
    bool user = (high & 0x7000u) == 0x7000u;   // DPL 3, code or data
    bool wide = (high & 3u << 21) == 1u << 22; // 32-bit, not 64-bit
    if (desc[0] == 0 && high == 0)
        return true;
    return user && wide && high & 1u << 8 && (!conforms || !present);
}

// Any selector of a stack or of the local table will do: one that the CPU refuses is a fault of the
// program (entry.S). Other code of the global table, which there is none of, gets such a one.
void arch_regs_sanitise(struct arch_regs *r)
{
    bool local = r->cs & 4;
    r->ss = local || (r->cs | 3) == USER_CS ? (r->ss & 0xffff) | 3 : 3;
    r->cs = local ? (r->cs & 0xffff) | 3 : USER_CS;
    r->eflags = (r->eflags & EFLAGS_USER) | EFLAGS_FIXED | EFLAGS_IF;
}

// A user data segment: present, ring 3, not system, and never conforming code.
bool arch_tls_sanitise(struct arch_tls *t)
{
    bool clean = true;
    for (unsigned i = 0; i < USER_TLS_COUNT; i++) {
        uint32_t high = t->desc[i][1];
        bool empty = t->desc[i][0] == 0 && high == 0;
        bool user = (high & 0xf000u) == 0xf000u;       // present, DPL 3, code or data
        bool conforming = (high & 0x0c00u) == 0x0c00u; // conforming code
        bool long_mode = high & (1u << 21);
        if (!empty && (!user || conforming || long_mode)) {
            t->desc[i][0] = t->desc[i][1] = 0;
            clean = false;
        }
    }
    return clean;
}
