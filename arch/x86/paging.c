// SPDX-License-Identifier: MIT
// PAE page tables. Kernel: direct map of low memory (text RX, rodata R, everything else RW and NX),
// kernel stacks with guard pages, device memory, windows onto high frames. Spaces: tables made on
// demand, all sharing the kernel's directory as their fourth.
//
//   c0000000 direct map (<= 768 MiB) | f0000000 stacks | f8000000 devices | ff800000 windows
#include "arch/x86/x86.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/string.h"

#define DIRECT_BYTES_MAX 0x30000000u
#define FINE_BYTES       0x00400000u // the kernel image lies below; mapped with 4 KiB pages
#define STACKS_BASE      0xf0000000u
#define STACK_SLOT       (ARCH_STACK_BYTES + PAGE_SIZE)
#define STACK_SLOTS      10922u // 128 MiB
#define DEVICES_BASE     0xf8000000u
#define DEVICES_END      0xff800000u
#define WINDOWS_BASE     0xff800000u
#define WINDOWS_PER_CPU  4u

#define PTE_P        0x001ull
#define PTE_W        0x002ull
#define PTE_U        0x004ull
#define PTE_PWT      0x008ull
#define PTE_PCD      0x010ull
#define PTE_D        0x040ull
#define PTE_PS       0x080ull
#define PTE_G        0x100ull
#define PTE_NX       (1ull << 63)
#define PTE_FRAME(e) ((uint32_t)((e) >> PAGE_SHIFT) & 0xffffffu) // 36 bits of physical address

#define FLUSH_PAGES_MAX 32u // above it the whole TLB goes

typedef uint64_t pte_t;

uint32_t (*arch_table_alloc)(void);
void (*arch_table_free)(uint32_t frame);

extern pte_t boot_kernel_directory[512];
extern char kernel_start[], kernel_text_end[], kernel_rodata_end[], kernel_end[];

static pte_t fine_tables[2][512] __attribute__((aligned(4096)));
static pte_t window_table[512] __attribute__((aligned(4096)));
static pte_t kernel_pointers[4] __attribute__((aligned(32)));
static uint32_t devices_next = DEVICES_BASE;
static uint32_t stack_bits[(STACK_SLOTS + 31) / 32];
static uint64_t nx, global;

static void *low(uint32_t frame)
{
    return (void *)(KERNEL_BASE + (frame << PAGE_SHIFT));
}

static uint32_t physical_of(const void *address)
{
    return (uint32_t)address - KERNEL_BASE;
}

static pte_t fine_entry(uint32_t physical)
{
    uint32_t address = KERNEL_BASE + physical;
    pte_t e = physical | PTE_P | global;
    if (address >= (uint32_t)kernel_start && address < (uint32_t)kernel_text_end)
        return e;
    if (address >= (uint32_t)kernel_text_end && address < (uint32_t)kernel_rodata_end)
        return e | nx;
    return e | PTE_W | nx;
}

void paging_init(uint64_t ram_end)
{
    ASSERT((uint32_t)kernel_end <= KERNEL_BASE + FINE_BYTES);
    if (cpu_info.nx) {
        write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NX);
        nx = PTE_NX;
    }
    global = cpu_info.pge ? PTE_G : 0;
    for (uint32_t page = 0; page < FINE_BYTES / PAGE_SIZE; page++)
        fine_tables[page / 512][page % 512] = fine_entry(page << PAGE_SHIFT);
    uint32_t end = (uint32_t)MIN(ALIGN_UP(ram_end, (uint64_t)0x200000), DIRECT_BYTES_MAX);
    for (unsigned i = 0; i < 512; i++) {
        uint32_t physical = i << 21;
        pte_t e = i < DIRECT_BYTES_MAX >> 21 && physical < end
                      ? physical | PTE_P | PTE_W | PTE_PS | global | nx
                      : 0;
        if (physical < FINE_BYTES)
            e = physical_of(fine_tables[i]) | PTE_P | PTE_W;
        boot_kernel_directory[i] = e;
    }
    boot_kernel_directory[(WINDOWS_BASE - KERNEL_BASE) >> 21] =
        physical_of(window_table) | PTE_P | PTE_W;
    kernel_pointers[3] = physical_of(boot_kernel_directory) | PTE_P;
    write_cr3(physical_of(kernel_pointers));
}

uint32_t paging_kernel_root(void)
{
    return physical_of(kernel_pointers);
}

static pte_t *kernel_entry(uint32_t address)
{
    pte_t *d = &boot_kernel_directory[(address - KERNEL_BASE) >> 21];
    if (!(*d & PTE_P)) {
        uint32_t frame = arch_table_alloc();
        if (frame == 0)
            return NULL;
        *d = (pte_t)frame << PAGE_SHIFT | PTE_P | PTE_W;
    }
    pte_t *table = low(PTE_FRAME(*d));
    return &table[(address >> PAGE_SHIFT) & 511];
}

// ---- kernel stacks -----------------------------------------------------------------------------

static int stack_slot_take(void)
{
    for (unsigned w = 0; w < ARRAY_SIZE(stack_bits); w++) {
        if (stack_bits[w] != UINT32_MAX) {
            unsigned bit = (unsigned)__builtin_ctz(~stack_bits[w]);
            if (w * 32 + bit >= STACK_SLOTS)
                return -1;
            stack_bits[w] |= 1u << bit;
            return (int)(w * 32 + bit);
        }
    }
    return -1;
}

static void stack_slot_release(unsigned slot, unsigned pages)
{
    uint32_t base = STACKS_BASE + slot * STACK_SLOT + PAGE_SIZE;
    for (unsigned i = 0; i < pages; i++) {
        pte_t *e = kernel_entry(base + i * PAGE_SIZE);
        arch_table_free(PTE_FRAME(*e));
        *e = 0;
        invalidate_page(base + i * PAGE_SIZE);
    }
    flush_stack_gone(base);
    stack_bits[slot / 32] &= ~(1u << (slot % 32));
}

void *arch_stack_alloc(void)
{
    int slot = stack_slot_take();
    if (slot < 0)
        return NULL;
    uint32_t base = STACKS_BASE + (uint32_t)slot * STACK_SLOT + PAGE_SIZE;
    for (unsigned i = 0; i < ARCH_STACK_BYTES / PAGE_SIZE; i++) {
        pte_t *e = kernel_entry(base + i * PAGE_SIZE);
        uint32_t frame = e ? arch_table_alloc() : 0;
        if (frame == 0) {
            stack_slot_release((unsigned)slot, i);
            return NULL;
        }
        *e = (pte_t)frame << PAGE_SHIFT | PTE_P | PTE_W | global | nx;
    }
    return (void *)(base + ARCH_STACK_BYTES);
}

void arch_stack_free(void *stack_top)
{
    uint32_t offset = (uint32_t)stack_top - ARCH_STACK_BYTES - PAGE_SIZE - STACKS_BASE;
    stack_slot_release(offset / STACK_SLOT, ARCH_STACK_BYTES / PAGE_SIZE);
}

// ---- device memory, windows --------------------------------------------------------------------

volatile void *arch_mmio_map(uint64_t physical, size_t bytes)
{
    uint64_t first = ALIGN_DOWN(physical, (uint64_t)PAGE_SIZE);
    uint32_t pages = (uint32_t)((physical + bytes - first + PAGE_MASK) >> PAGE_SHIFT);
    if (pages > (DEVICES_END - devices_next) / PAGE_SIZE)
        return NULL;
    uint32_t at = devices_next;
    for (uint32_t i = 0; i < pages; i++) {
        pte_t *e = kernel_entry(at + i * PAGE_SIZE);
        if (e == NULL)
            return NULL;
        *e = (first + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_PCD | PTE_PWT | global | nx;
    }
    devices_next += pages * PAGE_SIZE;
    return (volatile void *)(at + (uint32_t)(physical - first));
}

void *arch_frame_map(uint32_t frame)
{
    if (frame < DIRECT_BYTES_MAX >> PAGE_SHIFT)
        return low(frame);
    struct cpu *c = this_cpu();
    ASSERT(c->windows_open < WINDOWS_PER_CPU);
    unsigned slot = c->id * WINDOWS_PER_CPU + c->windows_open++;
    window_table[slot] = (pte_t)frame << PAGE_SHIFT | PTE_P | PTE_W | nx;
    uint32_t address = WINDOWS_BASE + slot * PAGE_SIZE;
    invalidate_page(address);
    return (void *)address;
}

void arch_frame_unmap(void *mapped)
{
    if ((uint32_t)mapped < WINDOWS_BASE)
        return;
    struct cpu *c = this_cpu();
    unsigned slot = ((uint32_t)mapped - WINDOWS_BASE) >> PAGE_SHIFT;
    ASSERT(c->windows_open > 0 && slot == c->id * WINDOWS_PER_CPU + c->windows_open - 1);
    c->windows_open--;
    window_table[slot] = 0;
}

uint32_t arch_frame_of_low(const void *address)
{
    return physical_of(address) >> PAGE_SHIFT;
}

void arch_frame_zero(uint32_t frame)
{
    void *p = arch_frame_map(frame);
    if (cpu_info.sse)
        page_zero(p);
    else
        memset(p, 0, PAGE_SIZE);
    arch_frame_unmap(p);
}

void arch_frame_copy(uint32_t to, uint32_t from)
{
    void *t = arch_frame_map(to), *f = arch_frame_map(from);
    if (cpu_info.sse)
        page_copy(t, f);
    else
        memcpy(t, f, PAGE_SIZE);
    arch_frame_unmap(f);
    arch_frame_unmap(t);
}

// ---- spaces ------------------------------------------------------------------------------------

static pte_t *pointers_of(const struct arch_space *s)
{
    return s->tables;
}

bool arch_space_init(struct arch_space *s)
{
    uint32_t frame = arch_table_alloc();
    if (frame == 0)
        return false;
    *s = (struct arch_space){.root = frame << PAGE_SHIFT, .tables = low(frame), .table_frames = 1};
    pointers_of(s)[3] = kernel_pointers[3];
    return true;
}

void arch_space_load(struct arch_space *s)
{
    struct cpu *c = this_cpu();
    if (c->space == s)
        return;
    c->space = s;
    write_cr3(s ? s->root : physical_of(kernel_pointers));
}

// Most entries of a directory are empty: eight at a time.
static bool eight_absent(const pte_t e[8])
{
    return !((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) & PTE_P);
}

static void directory_free(const pte_t *directory)
{
    for (const pte_t *e = directory; e < directory + 512; e += 8) {
        if (eight_absent(e))
            continue;
        for (unsigned i = 0; i < 8; i++)
            if (e[i] & PTE_P)
                arch_table_free(PTE_FRAME(e[i]));
    }
}

void arch_space_free(struct arch_space *s)
{
    if (this_cpu()->space == s)
        arch_space_load(NULL);
    flush_space_gone(s);
    for (unsigned i = 0; i < 3; i++) {
        pte_t e = pointers_of(s)[i];
        if (!(e & PTE_P))
            continue;
        directory_free(low(PTE_FRAME(e)));
        arch_table_free(PTE_FRAME(e));
    }
    arch_table_free(s->root >> PAGE_SHIFT);
    s->tables = NULL;
}

// Other CPUs walk the tables meanwhile, and an entry is two words: present is said last and taken
// back first, and what a CPU marks in it (accessed, dirty) is not lost.
static void entry_set(pte_t *e, pte_t to)
{
    volatile uint32_t *half = (volatile uint32_t *)e;
    if (half[0] & PTE_P)
        half[0] = 0;
    half[1] = (uint32_t)(to >> 32);
    half[0] = (uint32_t)to;
}

static inline void entry_keep(pte_t *e, pte_t keep)
{
    volatile uint32_t *half = (volatile uint32_t *)e;
    __atomic_fetch_and(&half[0], (uint32_t)keep, __ATOMIC_SEQ_CST);
    if ((uint32_t)(keep >> 32) != UINT32_MAX)
        half[1] &= (uint32_t)(keep >> 32);
}

// The entry for `address`; NULL when its table is absent and `make` is false or no frame is left.
static pte_t *space_entry(struct arch_space *s, uint32_t address, bool make)
{
    pte_t *p = &pointers_of(s)[address >> 30];
    if (!(*p & PTE_P)) {
        uint32_t frame = make ? arch_table_alloc() : 0;
        if (frame == 0)
            return NULL;
        s->table_frames++;
        entry_set(p, (pte_t)frame << PAGE_SHIFT | PTE_P);
        if (this_cpu()->space == s)
            write_cr3(s->root); // a CPU keeps the four pointers in registers
        flush_others_later(s);
    }
    pte_t *d = (pte_t *)low(PTE_FRAME(*p)) + ((address >> 21) & 511);
    if (!(*d & PTE_P)) {
        uint32_t frame = make ? arch_table_alloc() : 0;
        if (frame == 0)
            return NULL;
        s->table_frames++;
        entry_set(d, (pte_t)frame << PAGE_SHIFT | PTE_P | PTE_W | PTE_U);
    }
    return (pte_t *)low(PTE_FRAME(*d)) + ((address >> PAGE_SHIFT) & 511);
}

bool arch_space_map(struct arch_space *s, uint32_t address, uint32_t frame, unsigned rights)
{
    ASSERT(address < USER_TOP);
    pte_t *e = space_entry(s, address, true);
    if (e == NULL)
        return false;
    pte_t old = *e;
    if ((rights & MAP_ABSENT) && (old & PTE_P))
        return true;
    pte_t to = (pte_t)frame << PAGE_SHIFT | PTE_P | PTE_U | (rights & MAP_WRITE ? PTE_W : 0) |
               (rights & MAP_EXEC ? 0 : nx);
    entry_set(e, to);
    if (!(old & PTE_P)) {
        s->pages++;
        return true;
    }
    if (this_cpu()->space == s)
        invalidate_page(address);
    // Who knows less than is allowed now faults and looks again: only what is wrong must go.
    bool lost = (old & ~to & PTE_W) || (to & ~old & PTE_NX);
    if (lost || PTE_FRAME(old) != PTE_FRAME(to))
        flush_others(s, address >> PAGE_SHIFT, 1);
    return true;
}

// Applies (entry & keep) to present pages of the range, table by table, and flushes. In line, for
// its loop is made for a constant `keep`.
static inline __attribute__((always_inline)) void
range_update(struct arch_space *s, uint32_t address, uint32_t pages, pte_t keep)
{
    bool loaded = this_cpu()->space == s;
    bool single = pages <= FLUSH_PAGES_MAX;
    bool changed = false;
    uint32_t page = address >> PAGE_SHIFT, first = page, end = page + pages;
    if (keep == 0)
        s->pages_before = arch_space_pages_most(s);
    while (page < end) {
        uint32_t table_end = MIN(end, (page | 511) + 1);
        pte_t *e = space_entry(s, page << PAGE_SHIFT, false);
        for (; e && page < table_end; page++, e++) {
            if (!(*e & PTE_P) || !(*e & ~keep))
                continue;
            entry_keep(e, keep);
            changed = true;
            if (keep == 0)
                s->pages--;
            if (loaded && single)
                invalidate_page(page << PAGE_SHIFT);
        }
        page = table_end;
    }
    if (!changed)
        return;
    if (loaded && !single)
        write_cr3(s->root);
    flush_others(s, first, single ? pages : FLUSH_ALL);
}

void arch_space_unmap(struct arch_space *s, uint32_t address, uint32_t pages)
{
    range_update(s, address, pages, 0);
}

void arch_space_write_protect(struct arch_space *s, uint32_t address, uint32_t pages)
{
    range_update(s, address, pages, ~PTE_W);
}

bool arch_space_look(struct arch_space *s, uint32_t address, uint32_t *frame, unsigned *rights)
{
    pte_t *e = space_entry(s, address, false);
    if (e == NULL || !(*e & PTE_P))
        return false;
    *frame = PTE_FRAME(*e);
    *rights = (*e & PTE_W ? MAP_WRITE : 0u) | (*e & PTE_NX ? 0u : MAP_EXEC);
    return true;
}

uint32_t arch_space_next(struct arch_space *s, uint32_t address, uint32_t end, uint32_t *frame,
                         unsigned *rights)
{
    while (address < end) {
        uint32_t table_end = MIN(end, (address | ((1u << 21) - 1)) + 1);
        const pte_t *e = space_entry(s, address, false);
        for (; e && address < table_end; address += PAGE_SIZE, e++) {
            if (!arch_space_look(s, address, frame, rights))
                continue;
            *rights |= *e & PTE_D ? MAP_DIRTY : 0u;
            return address;
        }
        address = table_end;
    }
    return end;
}

bool arch_space_take_dirty(struct arch_space *s, uint32_t address)
{
    pte_t *e = space_entry(s, address, false);
    if (e == NULL || !(*e & PTE_P) || !(*e & PTE_D))
        return false;
    entry_keep(e, ~PTE_D);
    if (this_cpu()->space == s)
        invalidate_page(address);
    flush_others(s, address >> PAGE_SHIFT, 1);
    return true;
}
