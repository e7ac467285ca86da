// SPDX-License-Identifier: MIT
// links: ssi/process/elf.c lib/string.c
// Programs: what is accepted lies in the file and in user memory, in order.
#include <string.h>
#include "ssi/process/elf.h"
#include "tests/fuzz/fuzz.h"

#define USER_TOP 0xc0000000ull

static void check_image(const struct elf_image *m, size_t size)
{
    uint64_t end = 0;
    HOLDS(m->segment_count >= 1 && m->segment_count <= ELF_SEGMENTS_MAX);
    for (unsigned i = 0; i < m->segment_count; i++) {
        const struct elf_segment *s = &m->segments[i];
        HOLDS(s->start % 4096 == 0 && s->bytes % 4096 == 0 && s->bytes > 0);
        // Two may share a page: the later one's view of it counts.
        HOLDS(s->start + 4096ull >= end && (uint64_t)s->start + s->bytes <= USER_TOP);
        HOLDS(s->file_bytes == 0 || s->file_offset <= size);
        HOLDS(s->file_bytes <= s->bytes);
        end = (uint64_t)s->start + s->bytes;
    }
    HOLDS(m->low == m->segments[0].start && m->high == end && m->brk <= m->high);
    if (m->interp_bytes)
        HOLDS(m->interp_bytes <= ELF_INTERP_MAX &&
              (uint64_t)m->interp_offset + m->interp_bytes <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_head head;
    struct elf_image image;
    const char *why = NULL;
    if (elf_parse_head(data, size < 128 ? size : 128, size, &head, &why) < 0) {
        HOLDS(why != NULL);
        return 0;
    }
    HOLDS(head.phdr_count <= ELF_PHDRS_MAX);
    HOLDS((uint64_t)head.phdr_offset + head.phdr_count * ELF_PHDR_BYTES <= size);
    if (elf_parse_segments(&head, data + head.phdr_offset, size, &image, &why) < 0)
        HOLDS(why != NULL);
    else
        check_image(&image, size);
    return 0;
}
