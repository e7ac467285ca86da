// SPDX-License-Identifier: MIT
#include "ssi/process/elf.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/string.h"

#define USER_END   0xc0000000u
#define USER_START 0x1000u // nothing maps page 0

struct elf32_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} PACKED;
STATIC_ASSERT(sizeof(struct elf32_header) == ELF_HEADER_BYTES, "ELF header");

struct elf32_phdr {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
} PACKED;
STATIC_ASSERT(sizeof(struct elf32_phdr) == ELF_PHDR_BYTES, "program header");

enum {
    ET_EXEC = 2,
    ET_DYN = 3,
    EM_386 = 3,
    EM_486 = 6,
    PT_LOAD = 1,
    PT_INTERP = 3,
    PT_GNU_STACK = 0x6474e551,
    PF_X = 1,
    PF_W = 2,
    PF_R = 4,
};

static int refuse(const char **why, int error, const char *text)
{
    *why = text;
    return error;
}

int elf_parse_head(const void *bytes, size_t n, uint64_t file_bytes, struct elf_head *head,
                   const char **why)
{
    static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 1, 1, 1}; // 32 bits, little-endian
    struct elf32_header h;
    if (n < sizeof(h) || file_bytes < sizeof(h))
        return refuse(why, -ENOEXEC, "shorter than an ELF header");
    memcpy(&h, bytes, sizeof(h));
    if (memcmp(h.ident, ident, 4))
        return refuse(why, -ENOEXEC, "not an ELF file");
    if (memcmp(h.ident, ident, sizeof(ident)))
        return refuse(why, -ENOEXEC, "not a 32-bit little-endian ELF file");
    if (h.machine != EM_386 && h.machine != EM_486)
        return refuse(why, -ENOEXEC, "not for i386");
    if (h.type != ET_EXEC && h.type != ET_DYN)
        return refuse(why, -ENOEXEC, "not a program");
    if (h.phentsize != sizeof(struct elf32_phdr))
        return refuse(why, -ENOEXEC, "program headers of another size");
    if (h.phnum == 0 || h.phnum > ELF_PHDRS_MAX)
        return refuse(why, -ENOEXEC, "no program headers, or too many");
    if ((uint64_t)h.phoff + (uint64_t)h.phnum * sizeof(struct elf32_phdr) > file_bytes)
        return refuse(why, -ENOEXEC, "program headers beyond the end of the file");
    *head = (struct elf_head){.entry = h.entry,
                              .phdr_offset = h.phoff,
                              .phdr_count = h.phnum,
                              .relocatable = h.type == ET_DYN};
    return 0;
}

// Segments come by address (System V ABI); two may share a page: the later one's view of it counts.
static int check_load(const struct elf32_phdr *ph, uint64_t file_bytes, uint32_t after,
                      const char **why)
{
    if (ph->filesz > ph->memsz)
        return refuse(why, -EINVAL, "a segment has more in the file than in memory");
    if ((uint64_t)ph->offset + ph->filesz > file_bytes)
        return refuse(why, -ENOEXEC, "a segment beyond the end of the file");
    if ((ph->vaddr ^ ph->offset) & PAGE_MASK)
        return refuse(why, -EINVAL, "a segment at odds with its pages");
    if ((uint64_t)ph->vaddr + ph->memsz > USER_END)
        return refuse(why, -EINVAL, "a segment beyond user memory");
    if (ph->vaddr < after)
        return refuse(why, -EINVAL, "segments that overlap or are out of order");
    return 0;
}

static uint8_t prot_of(uint32_t flags)
{
    return (uint8_t)((flags & PF_R ? 1 : 0) | (flags & PF_W ? 2 : 0) | (flags & PF_X ? 4 : 0));
}

// The page in front holds what lies before the segment in the file, as mmap would have it; behind
// the segment a writable page is zero, a read-only one shows the file (and its frame is shared).
static void add_load(struct elf_image *image, const struct elf32_phdr *ph, uint64_t file_bytes)
{
    struct elf_segment *s = &image->segments[image->segment_count++];
    uint32_t skew = ph->vaddr & PAGE_MASK;
    s->start = ph->vaddr - skew;
    s->bytes = (uint32_t)ALIGN_UP((uint64_t)skew + ph->memsz, PAGE_SIZE);
    s->file_offset = ph->offset - skew;
    s->file_bytes = ph->filesz ? skew + ph->filesz : 0;
    s->prot = prot_of(ph->flags);
    if (!(ph->flags & PF_W) && ph->filesz == ph->memsz) {
        uint64_t rest = file_bytes - s->file_offset;
        s->file_bytes = (uint32_t)MIN((uint64_t)s->bytes, rest);
    }
    if (image->segment_count == 1)
        image->low = s->start;
    image->high = s->start + s->bytes;
    image->brk = MAX(image->brk, ph->vaddr + ph->memsz);
    uint32_t headers = image->head.phdr_offset;
    uint32_t size = image->head.phdr_count * ELF_PHDR_BYTES;
    if (headers >= ph->offset && (uint64_t)headers + size <= (uint64_t)ph->offset + ph->filesz)
        image->phdr_address = ph->vaddr + (headers - ph->offset);
}

static int parse_one(struct elf_image *image, const struct elf32_phdr *ph, uint64_t file_bytes,
                     const char **why)
{
    switch (ph->type) {
    case PT_LOAD:
        if (ph->memsz == 0)
            return 0;
        if (image->segment_count == ELF_SEGMENTS_MAX)
            return refuse(why, -ENOEXEC, "too many segments");
        int e = check_load(ph, file_bytes, image->brk, why);
        if (e < 0)
            return e;
        add_load(image, ph, file_bytes);
        return 0;
    case PT_INTERP:
        if (ph->filesz < 2 || ph->filesz > ELF_INTERP_MAX ||
            (uint64_t)ph->offset + ph->filesz > file_bytes)
            return refuse(why, -ENOEXEC, "an interpreter's name that cannot be one");
        image->interp_offset = ph->offset;
        image->interp_bytes = ph->filesz;
        return 0;
    case PT_GNU_STACK:
        image->stack_exec = ph->flags & PF_X;
        return 0;
    }
    return 0;
}

int elf_parse_segments(const struct elf_head *head, const void *phdrs, uint64_t file_bytes,
                       struct elf_image *image, const char **why)
{
    memset(image, 0, sizeof(*image));
    image->head = *head;
    for (uint32_t i = 0; i < head->phdr_count; i++) {
        struct elf32_phdr ph;
        memcpy(&ph, (const uint8_t *)phdrs + i * sizeof(ph), sizeof(ph));
        int e = parse_one(image, &ph, file_bytes, why);
        if (e < 0)
            return e;
    }
    if (image->segment_count == 0)
        return refuse(why, -ENOEXEC, "nothing to load");
    if (!head->relocatable && image->low < USER_START)
        return refuse(why, -EINVAL, "a segment at page 0");
    return 0;
}
