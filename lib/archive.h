// SPDX-License-Identifier: MIT
// The boot archive: one blob with its own table and checksums, because loaders drop modules and
// cut command lines. It is known by its magic, its parts by their kind; never by name or order.
//
//     header | table of rows | zeros | part | zeros | part ...   each part at a multiple of 4 KiB
//
// Little-endian. Used by the kernel, host-tools/mkarchive and the tests; allocates nothing.
#pragma once

#include "lib/types.h"

#define ARCHIVE_MAGIC     "WEFTARC1"
#define ARCHIVE_VERSION   1u
#define ARCHIVE_PARTS_MAX 16u
#define ARCHIVE_ALIGN     4096u
#define ARCHIVE_BYTES_MAX (1u << 30)
#define ARCHIVE_DIGEST    32u
#define ARCHIVE_KIND(a, b, c, d)                                                                   \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

#define ARCHIVE_ROOT     ARCHIVE_KIND('R', 'O', 'O', 'T') // root file system (lib/cpio.h)
#define ARCHIVE_POLICY   ARCHIVE_KIND('P', 'L', 'C', 'Y') // policy blob (sched/policy/blob.h)
#define ARCHIVE_KEY      ARCHIVE_KIND('C', 'K', 'E', 'Y') // cluster key, 32 bytes
#define ARCHIVE_SETTINGS ARCHIVE_KIND('S', 'E', 'T', 'T') // words as on the command line, no NUL
#define ARCHIVE_PROGRAM                                                                            \
    ARCHIVE_KIND('A', 'P', 'P', 'L') // argv to run in place of the shell:
                                     // a path, arguments; each NUL-ended

struct archive_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t bytes;                      // of the whole archive
    uint32_t parts;                      // rows in the table behind this header
    uint32_t crc32c;                     // of header and table, this field taken as 0
    uint8_t root_sha256[ARCHIVE_DIGEST]; // of the ROOT part; zeros without one. Nodes compare it
} PACKED;
STATIC_ASSERT(sizeof(struct archive_header) == 56, "archive header is 56 bytes");

struct archive_row {
    uint32_t kind;
    uint32_t offset; // from the start of the archive, multiple of ARCHIVE_ALIGN
    uint32_t bytes;
    uint32_t crc32c; // of the part
} PACKED;
STATIC_ASSERT(sizeof(struct archive_row) == 16, "archive row is 16 bytes");

struct archive {
    const struct archive_header *header;
    const struct archive_row *rows; // header->parts of them, in order of offset
};

// True when `memory` begins with the magic: how a boot module is told to be an archive.
bool archive_is(const void *memory, size_t size);

// Checks all of it (bounds, order, zeros between parts, checksums) and fills `a`, which points into
// `memory`. False: `*why` says what is wrong in words, and nothing of it may be used. `size` may be
// larger than the archive: loaders round up.
bool archive_open(const void *memory, size_t size, struct archive *a, const char **why) MUST_CHECK;

// The part of that kind; false when there is none, and then `*bytes` is 0.
bool archive_part(const struct archive *a, uint32_t kind, const void **part, size_t *bytes);

// The checksum that `header->crc32c` must have.
uint32_t archive_header_crc(const struct archive_header *header, const struct archive_row *rows);
