// SPDX-License-Identifier: MIT
// What memory must say. The protocol lets a write go on only when every other copy is acknowledged
// gone, and an access of the simulator is one instant: so a read must find the newest write before
// it on the virtual clock, which is stronger than sequential consistency and checked at each read.
// After the death of a node its newest writes that nobody else has seen may be undone, or lost.
#pragma once

#include "lib/types.h"

#define ORACLE_WORDS 4u // of each page, spread over it
#define ORACLE_PAGES 64u

struct oracle_page {
    uint32_t value[ORACLE_WORDS];
    uint32_t seen[ORACLE_WORDS]; // newest value that a node besides `writer` knows
    unsigned writer;             // who wrote last; UINT32_MAX: nobody
    uint32_t readers;            // nodes that read it since, and the writer: bit i
    bool maybe_old;              // the writer died: `seen` may be what is there
    bool grabbed;                // was on its way while a node died, or that node had it alone
};

struct oracle {
    const char *name;
    unsigned pages;
    struct oracle_page page[ORACLE_PAGES];
};

void oracle_init(struct oracle *o, const char *name, unsigned pages);
static inline uint32_t oracle_offset(unsigned page, unsigned word)
{
    return page * 4096u + word * 1024u + word * 4u;
}
void oracle_wrote(struct oracle *o, unsigned node, unsigned page, unsigned word, uint32_t value);
void oracle_read(struct oracle *o, unsigned node, unsigned page, unsigned word, uint32_t value);
void oracle_died(struct oracle *o, unsigned node);
// The page may have gone down with a node whoever accessed it last: the node had it alone, or a
// write was under way, for which the copies are taken away before the owner is asked.
void oracle_grabbed(struct oracle *o, unsigned page);
// Node `n` was told that the page is lost: fails if a living node must still have it.
void oracle_lost(struct oracle *o, unsigned node, unsigned page);
