// SPDX-License-Identifier: MIT
#include "tests/sim/oracle.h"

#include "lib/string.h"
#include "tests/sim/world.h"

#define NOBODY UINT32_MAX

void oracle_init(struct oracle *o, const char *name, unsigned pages)
{
    memset(o, 0, sizeof(*o));
    EXPECT(pages <= ORACLE_PAGES);
    o->name = name;
    o->pages = pages;
    for (unsigned i = 0; i < pages; i++)
        o->page[i].writer = NOBODY;
}

// Others know what was there before from now on.
static void settle(struct oracle_page *p)
{
    memcpy(p->seen, p->value, sizeof(p->seen));
}

void oracle_wrote(struct oracle *o, unsigned node, unsigned page, unsigned word, uint32_t value)
{
    struct oracle_page *p = &o->page[page];
    if (p->maybe_old)
        p->seen[word] = value; // both ways
    else if (p->writer != node)
        settle(p);
    p->writer = node;
    p->readers = 1u << node;
    p->value[word] = value;
}

// A word that differs tells whether the dead node's writes are there.
static void decide(struct oracle_page *p, unsigned word, uint32_t value)
{
    if (p->value[word] == p->seen[word])
        return;
    if (value == p->seen[word])
        memcpy(p->value, p->seen, sizeof(p->value));
    p->maybe_old = false;
}

void oracle_read(struct oracle *o, unsigned node, unsigned page, unsigned word, uint32_t value)
{
    struct oracle_page *p = &o->page[page];
    if (p->maybe_old)
        decide(p, word, value);
    p->readers |= 1u << node;
    if (p->writer != node && !p->maybe_old)
        settle(p);
    if (value != p->value[word])
        fail("%s: node %u read %u from word %u of page %u; node %d wrote %u there last", o->name,
             node, value, word, page, (int)p->writer, p->value[word]);
}

void oracle_died(struct oracle *o, unsigned node)
{
    for (unsigned i = 0; i < o->pages; i++)
        if (o->page[i].writer == node && o->page[i].readers == 1u << node)
            o->page[i].maybe_old = true;
}

void oracle_grabbed(struct oracle *o, unsigned page)
{
    o->page[page].grabbed = true;
}

void oracle_lost(struct oracle *o, unsigned node, unsigned page)
{
    const struct oracle_page *p = &o->page[page];
    for (unsigned i = 0; i < world_count() && !p->grabbed; i++)
        if ((p->readers & 1u << i) && world_lives(i))
            fail("%s: node %u is told that page %u is lost, but node %u has it", o->name, node,
                 page, i);
}
