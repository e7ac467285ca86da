// SPDX-License-Identifier: MIT
// Thread-local storage as set_thread_area(2) has it: GDT entries 6 to 8 of each thread.
#pragma once

#include "ssi/process/process.h"

struct user_desc { // asm/ldt.h
    uint32_t entry_number;
    uint32_t base, limit;
    uint32_t
        flags; // seg_32bit, contents:2, read_exec_only, limit_in_pages, seg_not_present, useable
} PACKED;
STATIC_ASSERT(sizeof(struct user_desc) == 16, "user_desc");

// Fills an entry; entry_number -1 takes the first free one when `may_choose`. 0, -EINVAL, -ESRCH.
int tls_set(struct arch_tls *tls, struct user_desc *d, bool may_choose);
// The same as an entry of a local table, which may be code, too, and not present; `old`: as the
// first version of modify_ldt(2) has it. 0, -EINVAL (also a 16-bit segment).
int tls_local(const struct user_desc *d, bool old, uint32_t desc[2]);
int tls_get(const struct arch_tls *tls, struct user_desc *d); // 0, -EINVAL
