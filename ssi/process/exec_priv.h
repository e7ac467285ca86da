// SPDX-License-Identifier: MIT
// A new program on its way to replace the old one: nothing of the process has changed yet.
#pragma once

#include "ssi/container/container.h"
#include "ssi/process/elf.h"
#include "ssi/process/priv.h"

#define EXEC_STACK_TOP   (VDSO_DATA - 0x1000u) // and a page between
#define EXEC_DYN_BASE    0x56555000u           // where Linux i386 puts relocatable programs
#define EXEC_SCRIPT_HEAD 256u                  // bytes of a #! line that count

struct exec_file { // a file that was found fit to be run
    struct file *file;
    struct fs_stat st;
};

struct exec_plan {
    struct process *p;
    struct fs_who who;
    struct exec_file program, interp; // interp.file: NULL when the program needs none
    struct elf_image image, interp_image;
    uint32_t base, interp_base; // added to the addresses of each
    struct space *space;        // the new one
    struct exec_args args;      // as the program will see them
    bool args_own;              // args.strings is the plan's
    char path[PATH_MAX_BYTES];  // what was asked for, as the program is told it: AT_EXECFN, comm
    const char *opened;         // the name that `program` has been found by: that, or
    struct fs_place opened_at;
    char interpreter[EXEC_SCRIPT_HEAD]; // a script's
    char head[PAGE_SIZE];               // first bytes of the file looked at
    size_t head_bytes;
    struct credentials cred; // of the new program
    bool secure;
    bool unreadable; // by who runs it: the program, or what its script or itself names
    uint32_t arg_start, arg_end, env_start, env_end;
    uint32_t entry, esp;
};

// exec_load.c
int exec_read(struct file *f, uint64_t at, void *to, size_t n); // 0, -EIO when short
int exec_parse(struct exec_plan *x, struct exec_file *f, struct elf_image *image);
int exec_map(struct exec_plan *x, struct exec_file *f, const struct elf_image *image, uint32_t base,
             uintptr_t note);

// exec_stack.c: maps the stack, fills it, sets esp and the arg/env addresses.
int exec_stack(struct exec_plan *x);

// The auxiliary vector of a program: it ends up to 12 bytes below this; and whether its first words
// are there.
#define EXEC_AUXV_BYTES 176u
uint32_t exec_auxv_end_max(uint32_t arg_start);
bool exec_auxv_is(const uint32_t head[4]);
