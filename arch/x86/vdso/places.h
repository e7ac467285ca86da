// SPDX-License-Identifier: MIT
// Where the vDSO lies in every process, the same on every node: a process that moves while it is in
// it goes on in it. Read by C, assembly and the linker script.
#pragma once

#define VDSO_DATA         0xbfffe000 // what the code reads, a page of this node
#define VDSO_CODE         0xbffff000 // the ELF image, a page
#define VDSO_TEXT         0xbffff800 // vsyscall.S begins here
#define VDSO_VSYSCALL     VDSO_TEXT
#define VDSO_SYSENTER     (VDSO_TEXT + 0x0e) // the instruction
#define VDSO_AGAIN        (VDSO_TEXT + 0x10) // the call by int 0x80, 6th argument from the stack
#define VDSO_RETURN       (VDSO_TEXT + 0x15) // behind that int 0x80
#define VDSO_SIGRETURN    (VDSO_TEXT + 0x20)
#define VDSO_RT_SIGRETURN (VDSO_TEXT + 0x30)

#define VDSO_DATA_SYSENTER 4 // offset of struct vdso_data.sysenter
