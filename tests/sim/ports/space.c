// SPDX-License-Identifier: MIT
// Page tables as a table: page number to frame and rights, of one space.
#include <stdlib.h>
#include "arch/x86/arch.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/radix.h"
#include "lib/string.h"
#include "tests/sim/ports/ports.h"

static const struct radix_memory host_memory = {.alloc = malloc, .free = free};

NODE_VAR(struct arch_space *, loaded);

bool arch_space_init(struct arch_space *s)
{
    struct radix *r = malloc(sizeof(*r));
    radix_init(r, &host_memory);
    *s = (struct arch_space){.tables = r};
    return true;
}

void arch_space_free(struct arch_space *s)
{
    for (uint32_t page = 0; radix_next(s->tables, &page); page++)
        radix_remove(s->tables, page);
    free(s->tables);
    if (node(loaded) == s)
        node(loaded) = NULL;
    s->tables = NULL;
}

void arch_space_load(struct arch_space *s)
{
    node(loaded) = s;
}

bool arch_space_map(struct arch_space *s, uint32_t address, uint32_t frame, unsigned rights)
{
    if ((rights & MAP_ABSENT) && radix_get(s->tables, address >> PAGE_SHIFT))
        return true;
    return radix_set(s->tables, address >> PAGE_SHIFT,
                     (void *)((uintptr_t)frame << 8 | (rights & ~MAP_ABSENT) | 0x80));
}

void arch_space_unmap(struct arch_space *s, uint32_t address, uint32_t pages)
{
    uint32_t page = address >> PAGE_SHIFT, end = page + pages;
    for (; radix_next(s->tables, &page) && page < end; page++)
        radix_remove(s->tables, page);
}

bool arch_space_look(struct arch_space *s, uint32_t address, uint32_t *frame, unsigned *rights)
{
    uintptr_t entry = (uintptr_t)radix_get(s->tables, address >> PAGE_SHIFT);
    *frame = (uint32_t)(entry >> 8);
    *rights = entry & 0x7f;
    return entry != 0;
}

uint32_t arch_space_next(struct arch_space *s, uint32_t address, uint32_t end, uint32_t *frame,
                         unsigned *rights)
{
    uint32_t page = address >> PAGE_SHIFT;
    if (!radix_next(s->tables, &page) || page >= end >> PAGE_SHIFT)
        return end;
    arch_space_look(s, page << PAGE_SHIFT, frame, rights);
    return page << PAGE_SHIFT;
}

void arch_space_write_protect(struct arch_space *s, uint32_t address, uint32_t pages)
{
    uint32_t page = address >> PAGE_SHIFT, end = page + pages, frame;
    unsigned rights;
    for (; radix_next(s->tables, &page) && page < end; page++) {
        arch_space_look(s, page << PAGE_SHIFT, &frame, &rights);
        bool ok = arch_space_map(s, page << PAGE_SHIFT, frame, rights & ~(unsigned)MAP_WRITE);
        ASSERT(ok);
    }
}

bool port_user_touch(struct arch_space *s, uint32_t address, bool write, uint8_t *value)
{
    uint32_t frame;
    unsigned rights;
    if (!arch_space_look(s, address, &frame, &rights) || (write && !(rights & MAP_WRITE)))
        return false;
    uint8_t *at = (uint8_t *)arch_frame_map(frame) + (address & PAGE_MASK);
    if (write)
        *at = *value;
    else
        *value = *at;
    return true;
}

// One aligned word, all at once, as the CPU does it.
bool port_user_word(struct arch_space *s, uint32_t address, bool write, uint32_t *value)
{
    uint8_t bytes[sizeof(*value)];
    memcpy(bytes, value, sizeof(bytes));
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        if (!port_user_touch(s, address + i, write, &bytes[i]))
            return false;
    }
    memcpy(value, bytes, sizeof(bytes));
    return true;
}

size_t arch_copy_from_user(void *to, uint32_t user, size_t bytes)
{
    size_t n = 0;
    for (; n < bytes; n++) {
        if (!port_user_touch(node(loaded), user + (uint32_t)n, false, (uint8_t *)to + n))
            break;
    }
    return n;
}

bool arch_compare_exchange_user(uint32_t user, uint32_t expected, uint32_t desired, uint32_t *found)
{
    uint32_t word = 0;
    if (!port_user_word(node(loaded), user, false, &word))
        return false;
    if (word == expected && !port_user_word(node(loaded), user, true, &desired))
        return false;
    *found = word;
    return true;
}

size_t arch_copy_to_user(uint32_t user, const void *from, size_t bytes)
{
    size_t n = 0;
    for (; n < bytes; n++) {
        uint8_t byte = ((const uint8_t *)from)[n];
        if (!port_user_touch(node(loaded), user + (uint32_t)n, true, &byte))
            break;
    }
    return n;
}
