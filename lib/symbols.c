// SPDX-License-Identifier: MIT
#include "lib/symbols.h"

const char *symbol_find(uintptr_t address, uintptr_t *offset)
{
    if (symbol_table == NULL)
        return NULL;
    const struct symbol *low = symbol_table, *high = symbol_table_end;
    while (low < high) { // all below `low` are <= address, all from `high` on are above it
        const struct symbol *middle = low + (high - low) / 2;
        if (middle->address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == symbol_table || address - low[-1].address >= SYMBOL_SPAN_MAX)
        return NULL;
    *offset = address - low[-1].address;
    return symbol_names + low[-1].name;
}
