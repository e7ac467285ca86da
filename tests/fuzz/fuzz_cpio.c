// SPDX-License-Identifier: MIT
// links: lib/cpio.c lib/string.c
// The newc reader: all it hands out lies in the archive, and names have the promised form.
#include <string.h>
#include "lib/cpio.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const char *name)
{
    HOLDS(name[0] != '/');
    for (const char *at = name; *at;) {
        size_t n = strcspn(at, "/");
        HOLDS(n > 0 && !(n == 1 && at[0] == '.') && !(n == 2 && at[0] == '.' && at[1] == '.'));
        at += n + (at[n] == '/');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cpio c;
    struct cpio_entry e;
    int more;
    cpio_open(&c, data, size);
    while ((more = cpio_next(&c, &e)) > 0) {
        check_name(e.name);
        HOLDS((const uint8_t *)e.name >= data &&
              (const uint8_t *)e.name + strlen(e.name) < data + size);
        HOLDS(e.bytes == 0 || (e.data >= data && e.data + e.bytes <= data + size));
    }
    HOLDS(more == 0 || c.why != NULL);
    return 0;
}
