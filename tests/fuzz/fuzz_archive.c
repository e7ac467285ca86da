// SPDX-License-Identifier: MIT
// links: lib/archive.c lib/crc32c.c lib/string.c
// The boot archive: as it is, and with all checksums made right.
#include <stdlib.h>
#include <string.h>
#include "lib/archive.h"
#include "lib/crc32c.h"
#include "tests/fuzz/fuzz.h"

static uint32_t sum_of(const uint8_t *bytes, size_t n)
{
    return crc32c(0, bytes, n);
}

static void open_archive(const uint8_t *bytes, size_t size)
{
    struct archive a;
    const char *why = NULL;
    (void)archive_is(bytes, size);
    if (!archive_open(bytes, size, &a, &why)) {
        HOLDS(why != NULL);
        return;
    }
    for (uint32_t i = 0; i < a.header->parts; i++) {
        const void *part;
        size_t n;
        HOLDS(archive_part(&a, a.rows[i].kind, &part, &n));
        HOLDS((const uint8_t *)part >= bytes && (const uint8_t *)part + n <= bytes + size);
        HOLDS(sum_of(part, n) == a.rows[i].crc32c);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_archive(data, size);
    if (size < sizeof(struct archive_header))
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    struct archive_header *h = (struct archive_header *)copy;
    struct archive_row *rows = (struct archive_row *)(h + 1);
    for (uint32_t i = 0; i < h->parts && i < ARCHIVE_PARTS_MAX; i++) {
        if ((uint8_t *)(rows + i + 1) > copy + size)
            break;
        if (rows[i].offset <= size && rows[i].bytes <= size - rows[i].offset)
            rows[i].crc32c = sum_of(copy + rows[i].offset, rows[i].bytes);
    }
    if (h->parts <= ARCHIVE_PARTS_MAX && (uint8_t *)(rows + h->parts) <= copy + size)
        h->crc32c = archive_header_crc(h, rows);
    open_archive(copy, size);
    free(copy);
    return 0;
}
