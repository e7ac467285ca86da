// SPDX-License-Identifier: MIT
#include "lib/archive.h"
#include "lib/crc32c.h"
#include "lib/string.h"

bool archive_is(const void *memory, size_t size)
{
    return size >= sizeof(struct archive_header) && memcmp(memory, ARCHIVE_MAGIC, 8) == 0;
}

uint32_t archive_header_crc(const struct archive_header *header, const struct archive_row *rows)
{
    struct archive_header copy = *header;
    copy.crc32c = 0;
    return crc32c(crc32c(0, &copy, sizeof(copy)), rows, header->parts * sizeof(*rows));
}

// NULL when the header is good.
static const char *header_fault(const struct archive_header *h, size_t size)
{
    if (h->version != ARCHIVE_VERSION)
        return "the boot archive has an unknown version";
    if (h->bytes > size)
        return "the boot archive is cut short";
    if (h->bytes > ARCHIVE_BYTES_MAX)
        return "the boot archive is larger than 1 GiB";
    if (h->parts > ARCHIVE_PARTS_MAX)
        return "the boot archive has more than 16 parts";
    if (h->bytes < sizeof(*h) + h->parts * sizeof(struct archive_row))
        return "the boot archive is too small for its table";
    if (archive_header_crc(h, (const struct archive_row *)(h + 1)) != h->crc32c)
        return "the boot archive's header or table is damaged (checksum)";
    return NULL;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
    for (; n > 0; n--)
        if (*bytes++ != 0)
            return false;
    return true;
}

// NULL when row `i` is good; `*end` is where the row before it ended, and moves on.
static const char *row_fault(const struct archive *a, unsigned i, uint32_t *end)
{
    const uint8_t *base = (const uint8_t *)a->header;
    const struct archive_row *row = &a->rows[i];
    if (row->offset % ARCHIVE_ALIGN != 0)
        return "a part of the boot archive does not begin at a multiple of 4096";
    if (row->offset < *end)
        return "parts of the boot archive overlap or are out of order";
    if (row->offset > a->header->bytes || row->bytes > a->header->bytes - row->offset)
        return "a part of the boot archive lies outside of it";
    if (!all_zero(base + *end, row->offset - *end))
        return "there are stray bytes between the parts of the boot archive";
    for (unsigned j = 0; j < i; j++)
        if (a->rows[j].kind == row->kind)
            return "the boot archive has two parts of one kind";
    if (crc32c(0, base + row->offset, row->bytes) != row->crc32c)
        return "a part of the boot archive is damaged (checksum)";
    *end = row->offset + row->bytes;
    return NULL;
}

bool archive_open(const void *memory, size_t size, struct archive *a, const char **why)
{
    *why = NULL;
    if (!archive_is(memory, size)) {
        *why = "not a boot archive (no WEFTARC1 at its start)";
        return false;
    }
    a->header = memory;
    a->rows = (const struct archive_row *)(a->header + 1);
    *why = header_fault(a->header, size);
    if (*why)
        return false;
    uint32_t end = (uint32_t)(sizeof(*a->header) + a->header->parts * sizeof(*a->rows));
    for (unsigned i = 0; *why == NULL && i < a->header->parts; i++)
        *why = row_fault(a, i, &end);
    if (*why == NULL && end != a->header->bytes)
        *why = "there are stray bytes behind the last part of the boot archive";
    return *why == NULL;
}

bool archive_part(const struct archive *a, uint32_t kind, const void **part, size_t *bytes)
{
    *bytes = 0;
    for (unsigned i = 0; i < a->header->parts; i++) {
        if (a->rows[i].kind != kind)
            continue;
        *part = (const uint8_t *)a->header + a->rows[i].offset;
        *bytes = a->rows[i].bytes;
        return true;
    }
    return false;
}
