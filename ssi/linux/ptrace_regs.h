// SPDX-License-Identifier: MIT
// Registers of a stopped tracee as ptrace(2) lays them out on i386 (sys/user.h).
#pragma once

#include "ssi/process/process.h"

#define USER_REGS       17u  // words of struct user_regs_struct
#define USER_FP_BYTES   108u // struct user_fpregs_struct
#define USER_FPX_BYTES  512u // struct user_fpxregs_struct
#define USER_AREA_BYTES 284u // struct user
#define USER_DEBUG_AT   252u // its u_debugreg

uint32_t ptrace_reg_get(const struct task *t, unsigned i);
int ptrace_reg_set(struct task *t, unsigned i, uint32_t value); // 0, -EIO

// A set of registers (elf.h, NT_*), whole or its first bytes.
struct ptrace_set {
    uint32_t type, size, bytes;                 // bytes are asked for in multiples of size
    int (*get)(const struct task *t, void *to); // 0, a negative errno
    int (*set)(struct task *t, const void *from, uint32_t bytes);
};
const struct ptrace_set *ptrace_set_of(uint32_t type); // NULL: there is none
#define PTRACE_SET_BYTES_MAX 512u

enum {
    NT_PRSTATUS = 1,
    NT_PRFPREG = 2,
    NT_386_TLS = 0x200,
    NT_X86_XSTATE = 0x202,
    NT_PRXFPREG = 0x46e62b7f,
};
