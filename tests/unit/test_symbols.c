// SPDX-License-Identifier: MIT
// links: lib/symbols.c
// Lookup by address in a table such as host-tools/symtab writes.
#include "tests/unit/unit.h"
#include "lib/symbols.h"

// Laid out as the assembler source does: the end is the address behind the last row.
__asm__(".section .symtab_weft,\"a\"\n.balign 4\n"
        ".globl symbol_table, symbol_table_end, symbol_names\n"
        "symbol_table: .long 0x1000, 0, 0x1010, 2, 0x1800, 5\n"
        "symbol_table_end:\nsymbol_names: .asciz \"a\"\n.asciz \"bb\"\n.asciz \"last\"\n.text\n");

static void assert_found(uintptr_t address, const char *name, uintptr_t offset)
{
    uintptr_t found;
    const char *text = symbol_find(address, &found);
    assert_non_null(text);
    assert_string_equal(text, name);
    assert_int_equal(found, offset);
}

static void test_find(void **state)
{
    uintptr_t offset;
    (void)state;
    assert_found(0x1000, "a", 0);
    assert_found(0x100f, "a", 15);
    assert_found(0x1010, "bb", 0);
    assert_found(0x17ff, "bb", 0x7ef);
    assert_found(0x1800 + SYMBOL_SPAN_MAX - 1, "last", SYMBOL_SPAN_MAX - 1);
    assert_null(symbol_find(0xfff, &offset));
    assert_null(symbol_find(0, &offset));
    assert_null(symbol_find(0x1800 + SYMBOL_SPAN_MAX, &offset));
    assert_null(symbol_find(UINTPTR_MAX, &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
