// SPDX-License-Identifier: MIT
// A tracer writes wild values into each register of its child, in three ways of stopping and going
// on. What is taken and what refused is for the last line to say; the node is to live through it.
#include <asm/ldt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WORDS = sizeof(struct user_regs_struct) / sizeof(long),
    GOES_ON_US = 1000
};

enum way {
    RUN,
    STEP,
    CALL,
    WAYS
};

// Selectors of every table and level, edges of what a user may address, all flags.
static const uint32_t values[] = {
    0x0,        0x3,        0x7,    0xf,    0x17,    0x8,        0xb,        0x10,       0x13,
    0x1b,       0x23,       0x2b,   0x33,   0x3b,    0x43,       0x4b,       0x53,       0x5b,
    0x63,       0x6b,       0x73,   0x7b,   0x83,    0x8b,       0xd8,       0xdb,       0xe3,
    0xeb,       0xf3,       0xfb,   0xfff7, 0xfffb,  0xffff,     0x80000000, 0xbffffffe, 0xc0000000,
    0xc0100000, 0xffffffff, 0x4000, 0x100,  0x20000, 0x00003202,
};

// Selectors 0x7 and 0xf are of data and code of its own, 0x17 is of code that is not there.
static void have_segments(void)
{
    static const unsigned contents[] = {MODIFY_LDT_CONTENTS_DATA, MODIFY_LDT_CONTENTS_CODE,
                                        MODIFY_LDT_CONTENTS_CODE};
    for (unsigned k = 0; k < 3; k++) {
        struct user_desc d = {.entry_number = k,
                              .limit = 0xfffff,
                              .seg_32bit = 1,
                              .contents = contents[k],
                              .limit_in_pages = 1,
                              .seg_not_present = k == 2};
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)))
            _exit(3);
    }
}

static void be_traced(enum way w)
{
    have_segments();
    if (ptrace(PTRACE_TRACEME, 0, 0, 0))
        _exit(2);
    (void)raise(SIGSTOP);
    for (;;) {
        if (w == CALL)
            (void)getppid();
    }
}

// Was it taken?
static bool write_word(unsigned word, uint32_t value, enum way w)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        be_traced(w);
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        perror("child");
        exit(1);
    }
    bool taken = !ptrace(PTRACE_POKEUSER, child, word * sizeof(long), value);
    if (taken) {
        (void)ptrace(w == STEP ? PTRACE_SINGLESTEP : PTRACE_CONT, child, 0, 0);
        (void)usleep(GOES_ON_US);
    }
    (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
        (void)ptrace(PTRACE_CONT, child, 0, 0);
    return taken;
}

int main(void)
{
    unsigned taken = 0, refused = 0;
    for (unsigned word = 0; word < WORDS; word++) {
        for (unsigned v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            for (unsigned w = 0; w < WAYS; w++)
                *(write_word(word, values[v], (enum way)w) ? &taken : &refused) += 1;
        }
    }
    printf("%u taken, %u refused\n", taken, refused);
    return 0;
}
