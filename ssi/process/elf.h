// SPDX-License-Identifier: MIT
// ELF programs for Linux i386 (ELF-32, System V ABI i386 supplement), parsed without trust: what
// comes out has been checked against the size of the file and the layout of user memory.
#pragma once

#include "lib/types.h"

#define ELF_SEGMENTS_MAX 32
#define ELF_INTERP_MAX   256
#define ELF_HEADER_BYTES 52u
#define ELF_PHDR_BYTES   32u
#define ELF_PHDRS_MAX    128u // more than any linker makes

struct elf_head { // what the first bytes say
    uint32_t entry;
    uint32_t phdr_offset; // phdr_count * ELF_PHDR_BYTES from there lie within the file
    uint32_t phdr_count;
    bool relocatable; // ET_DYN: its addresses count from a base
};

struct elf_segment { // one PT_LOAD, page arithmetic done; addresses before the base is added
    uint32_t start;  // page aligned
    uint32_t bytes;  // whole pages
    uint32_t file_offset;
    uint32_t file_bytes; // bytes of the file from file_offset that count; behind them zeros
    uint8_t prot;        // PROT_*
};

struct elf_image {
    struct elf_head head;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
    unsigned segment_count;
    uint32_t low, high;                   // [low, high) holds all segments, page aligned
    uint32_t brk;                         // first byte behind the highest segment's memory
    uint32_t phdr_address;                // where the program finds its headers; 0: in no segment
    uint32_t interp_offset, interp_bytes; // PT_INTERP in the file, NUL counted; 0: none
    bool stack_exec;                      // PT_GNU_STACK asks for an executable stack
};

// `bytes` holds the first n bytes of a file of file_bytes. 0, -ENOEXEC with *why in words.
int elf_parse_head(const void *bytes, size_t n, uint64_t file_bytes, struct elf_head *head,
                   const char **why);
// `phdrs` holds the program headers. 0; -ENOEXEC, -EINVAL with *why.
int elf_parse_segments(const struct elf_head *head, const void *phdrs, uint64_t file_bytes,
                       struct elf_image *image, const char **why);
