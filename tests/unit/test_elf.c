// SPDX-License-Identifier: MIT
// links: ssi/process/elf.c
// The ELF parser: a good program, each lie it must refuse, and mutations that must never make it
// say something that does not hold.
#include <errno.h>
#include <string.h>
#include "tests/unit/unit.h"
#include "ssi/process/elf.h"

#define FILE_BYTES 0x3000u

struct phdr {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

static uint8_t file[FILE_BYTES];
static const char *why;

static void put16(size_t at, uint16_t v)
{
    memcpy(file + at, &v, sizeof(v));
}

static void put32(size_t at, uint32_t v)
{
    memcpy(file + at, &v, sizeof(v));
}

static void put_phdr(unsigned i, struct phdr p)
{
    memcpy(file + 52 + i * sizeof(p), &p, sizeof(p));
}

static int make_good(void **state)
{
    static const uint8_t ident[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    (void)state;
    memset(file, 0, sizeof(file));
    memcpy(file, ident, sizeof(ident));
    put16(16, 2);          // ET_EXEC
    put16(18, 3);          // EM_386
    put32(24, 0x08048100); // entry
    put32(28, 52);
    put16(42, 32);
    put16(44, 4);
    put_phdr(0, (struct phdr){1, 0, 0x08048000, 0, 0x1234, 0x1234, 5, 0x1000});
    put_phdr(1, (struct phdr){1, 0x1234, 0x0804a234, 0, 0x100, 0x2000, 6, 0x1000});
    put_phdr(2, (struct phdr){3, 0x2000, 0, 0, 8, 8, 4, 1});
    put_phdr(3, (struct phdr){0x6474e551, 0, 0, 0, 0, 0, 6, 16});
    return 0;
}

static int parse(struct elf_image *image)
{
    struct elf_head head;
    int e = elf_parse_head(file, sizeof(file), sizeof(file), &head, &why);
    if (e < 0)
        return e;
    assert_true(head.phdr_offset + head.phdr_count * ELF_PHDR_BYTES <= sizeof(file));
    return elf_parse_segments(&head, file + head.phdr_offset, sizeof(file), image, &why);
}

static void good(void **state)
{
    struct elf_image m;
    (void)state;
    assert_int_equal(parse(&m), 0);
    assert_int_equal(m.segment_count, 2);
    assert_int_equal(m.segments[0].start, 0x08048000);
    assert_int_equal(m.segments[0].bytes, 0x2000);
    assert_int_equal(m.segments[0].file_bytes, 0x2000); // read-only: whole pages of the file
    assert_int_equal(m.segments[0].prot, 5);
    assert_int_equal(m.segments[1].start, 0x0804a000);
    assert_int_equal(m.segments[1].file_offset, 0x1000);
    assert_int_equal(m.segments[1].file_bytes, 0x334); // behind it zeros: bss
    assert_int_equal(m.segments[1].bytes, 0x3000);
    assert_int_equal(m.brk, 0x0804c234);
    assert_int_equal(m.phdr_address, 0x08048034);
    assert_int_equal(m.interp_offset, 0x2000);
    assert_int_equal(m.interp_bytes, 8);
    assert_false(m.stack_exec);
}

static void refused(size_t at, uint32_t value, int error)
{
    struct elf_image m;
    uint8_t saved[4];
    memcpy(saved, file + at, 4);
    put32(at, value);
    why = NULL;
    assert_int_equal(parse(&m), error);
    assert_non_null(why);
    memcpy(file + at, saved, 4);
}

static void lies(void **state)
{
    (void)state;
    refused(0, 0x464c457e, -ENOEXEC);               // magic
    refused(4, 0x00010102, -ENOEXEC);               // 64 bits
    refused(16, 0x00030001, -ENOEXEC);              // relocatable object
    refused(16, 0x003e0002, -ENOEXEC);              // x86-64
    refused(28, 0xffffffff, -ENOEXEC);              // headers far away
    refused(28, FILE_BYTES - 100, -ENOEXEC);        // headers beyond the end
    refused(42, 0x00040021, -ENOEXEC);              // odd header size
    refused(42, 0x00000020, -ENOEXEC);              // no headers
    refused(42, 0xffff0020, -ENOEXEC);              // too many
    refused(52 + 4, 0xfffff000, -ENOEXEC);          // segment beyond the file
    refused(52 + 4, 0x10, -EINVAL);                 // offset and address at odds
    refused(52 + 8, 0xbffff000, -EINVAL);           // reaches into the kernel
    refused(52 + 16, 0x2000, -EINVAL);              // more in the file than in memory
    refused(52 + 20, 0xffffffff, -EINVAL);          // wraps
    refused(52 + 32 + 8, 0x08048234, -EINVAL);      // overlaps
    refused(52 + 64 + 16, 5000, -ENOEXEC);          // interpreter's name too long
    refused(52 + 64 + 4, FILE_BYTES - 2, -ENOEXEC); // beyond the file
}

static void no_segments(void **state)
{
    struct elf_image m;
    (void)state;
    put32(52, 0);
    put32(52 + 32, 0);
    assert_int_equal(parse(&m), -ENOEXEC);
    make_good(NULL);
    put32(52 + 8, 0); // at page 0
    put_phdr(1, (struct phdr){0, 0, 0, 0, 0, 0, 0, 0});
    assert_int_equal(parse(&m), -EINVAL);
}

// Whatever the bytes are: what is accepted stays inside the file and user memory, in order.
static void holds(const struct elf_image *m)
{
    uint64_t before = 0;
    assert_in_range(m->segment_count, 1, ELF_SEGMENTS_MAX);
    for (unsigned i = 0; i < m->segment_count; i++) {
        const struct elf_segment *s = &m->segments[i];
        assert_true(s->start % 4096 == 0 && s->bytes % 4096 == 0 && s->bytes > 0);
        assert_true((uint64_t)s->start + s->bytes <= 0xc0000000u);
        assert_true((uint64_t)s->file_offset + s->file_bytes <= FILE_BYTES);
        assert_true(s->file_bytes <= s->bytes);
        assert_true(s->start >= before);
        before = s->start;
    }
    assert_true(m->low == m->segments[0].start && m->high <= 0xc0000000u && m->brk <= m->high);
    assert_true((uint64_t)m->interp_offset + m->interp_bytes <= FILE_BYTES);
    assert_true(m->interp_bytes <= ELF_INTERP_MAX);
}

static void mutations(void **state)
{
    static const uint32_t odd[] = {0,          1,          0xffffffff, 0x7fffffff,
                                   0x80000000, 0xfff,      0x1000,     0xbfffffff,
                                   0xc0000000, 0xfffff000, FILE_BYTES, 0x08048fff};
    uint32_t seed = 12345, accepted = 0;
    (void)state;
    for (int round = 0; round < 200000; round++) {
        make_good(NULL);
        for (int n = 1 + (int)(seed >> 13) % 4; n > 0; n--) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % (52 + 4 * 32 - 3);
            uint32_t v = seed & 1 ? odd[(seed >> 4) % 12] : seed;
            if (seed & 2)
                file[at] ^= (uint8_t)(1u << (seed >> 20 & 7));
            else
                put32(at, v);
        }
        struct elf_image m;
        why = NULL;
        if (parse(&m) == 0) {
            holds(&m);
            accepted++;
        } else {
            assert_non_null(why);
        }
    }
    assert_true(accepted > 1000); // else this tests nothing
}

static void truncations(void **state)
{
    struct elf_head head;
    (void)state;
    for (size_t n = 0; n < 52 + 4 * 32; n++)
        assert_int_equal(elf_parse_head(file, n, n, &head, &why), -ENOEXEC);
    assert_int_equal(elf_parse_head(file, 52 + 4 * 32, 52 + 4 * 32, &head, &why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good, make_good),
        cmocka_unit_test_setup(lies, make_good),
        cmocka_unit_test_setup(no_segments, make_good),
        cmocka_unit_test_setup(mutations, make_good),
        cmocka_unit_test_setup(truncations, make_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
