// SPDX-License-Identifier: MIT
// symtab: turns `nm -n` of a kernel into the assembler source of its symbol table (lib/symbols.h).
// Usage: nm -n KERNEL | symtab >symbols.S
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "host-tools/host.h"

struct row {
    unsigned long address;
    char type; // of nm: T global, t local, W weak
    char *name;
};

static struct row *rows;
static size_t count, room;

static void add(unsigned long address, char type, const char *name)
{
    if (count == room) {
        room = 2 * room + 1024;
        rows = host_grow(rows, room * sizeof(*rows));
    }
    rows[count++] = (struct row){.address = address, .type = type, .name = host_text("%s", name)};
}

static void read_symbols(void)
{
    char line[1024], name[1000], type;
    unsigned long address;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "%lx %c %999s", &address, &type, name) != 3)
            continue; // undefined ones have no address
        if (strchr("tTwW", type) && strpbrk(name, "\"\\") == NULL)
            add(address, type, name);
    }
    if (count == 0)
        host_fail("there is no text symbol in the input");
}

// By address; of several names for one address the global one is kept, then the alphabet decides.
static int by_address(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if ((x->type == 'T') != (y->type == 'T'))
        return x->type == 'T' ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void keep_one_name_each(void)
{
    size_t kept = 0;
    qsort(rows, count, sizeof(*rows), by_address);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || rows[i].address != rows[kept - 1].address)
            rows[kept++] = rows[i];
    count = kept;
}

static void print_table(void)
{
    size_t name = 0;
    puts("/* Written by host-tools/symtab from nm's output. */\n"
         ".section .symtab_weft,\"a\",@progbits\n"
         ".globl symbol_table, symbol_table_end, symbol_names\n"
         ".balign 4\n"
         "symbol_table:");
    for (size_t i = 0; i < count; i++) {
        printf(".long 0x%lx, %zu\n", rows[i].address, name);
        name += strlen(rows[i].name) + 1;
    }
    puts("symbol_table_end:\nsymbol_names:");
    for (size_t i = 0; i < count; i++)
        printf(".asciz \"%s\"\n", rows[i].name);
    puts(".section .note.GNU-stack,\"\",@progbits");
}

int main(void)
{
    host_tool_name = "symtab";
    read_symbols();
    keep_one_name_each();
    print_table();
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
