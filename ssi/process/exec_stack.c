// SPDX-License-Identifier: MIT
// The first stack of a program, as the System V ABI (i386 supplement, "process initialization")
// and Linux lay it out: argc, argv, envp, auxiliary vector, then the strings.
#include "ssi/process/exec_priv.h"
#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "ssi/process/frame.h"

enum { // auxiliary vector, getauxval(3)
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO = 32,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51,
};
#define AUXV_PAIRS 22u
STATIC_ASSERT(EXEC_AUXV_BYTES == AUXV_PAIRS * 8, "auxiliary vector");

static const char platform[] = "i686";
#define RANDOM_BYTES 16u

// Words and strings go into the stack's container in ascending order, buffered.
struct writer {
    struct container *stack;
    uint32_t at; // user address of buffer[0]
    uint32_t buffer[64];
    unsigned used;
    int error;
};

// The stack's page index is its page number, so the offset in the container is the address.
static int put_bytes(struct container *stack, uint32_t at, const void *bytes, size_t n)
{
    struct xfer x;
    xfer_kernel(&x, (void *)(uintptr_t)bytes, n);
    return container_write(stack, at, &x);
}

static void flush(struct writer *w)
{
    size_t n = w->used * sizeof(w->buffer[0]);
    if (n && w->error == 0)
        w->error = put_bytes(w->stack, w->at, w->buffer, n);
    w->at += (uint32_t)n;
    w->used = 0;
}

static void put_word(struct writer *w, uint32_t value)
{
    w->buffer[w->used++] = value;
    if (w->used == ARRAY_SIZE(w->buffer))
        flush(w);
}

static void put_pair(struct writer *w, uint32_t key, uint32_t value)
{
    put_word(w, key);
    put_word(w, value);
}

// Addresses of `count` strings that begin at *user; ends with NULL. `s` walks along.
static void put_pointers(struct writer *w, const char **s, uint32_t *user, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strlen(*s) + 1;
        put_word(w, *user);
        *user += (uint32_t)n;
        *s += n;
    }
    put_word(w, 0);
}

struct places {
    uint32_t random, platform, filename;
};

static void put_auxv(struct writer *w, const struct exec_plan *x, const struct places *at)
{
    const struct credentials *c = &x->cred;
    const struct elf_image *m = &x->image;
    put_pair(w, AT_SYSINFO, VDSO_VSYSCALL);
    put_pair(w, AT_SYSINFO_EHDR, VDSO_CODE);
    put_pair(w, AT_MINSIGSTKSZ, FRAME_BYTES_MAX);
    put_pair(w, AT_HWCAP, arch_cpu_features().edx);
    put_pair(w, AT_PAGESZ, PAGE_SIZE);
    put_pair(w, AT_CLKTCK, 100);
    put_pair(w, AT_PHDR, m->phdr_address ? m->phdr_address + x->base : 0);
    put_pair(w, AT_PHENT, ELF_PHDR_BYTES);
    put_pair(w, AT_PHNUM, m->head.phdr_count);
    put_pair(w, AT_BASE, x->interp_base);
    put_pair(w, AT_FLAGS, 0);
    put_pair(w, AT_ENTRY, m->head.entry + x->base);
    put_pair(w, AT_UID, c->uid);
    put_pair(w, AT_EUID, c->euid);
    put_pair(w, AT_GID, c->gid);
    put_pair(w, AT_EGID, c->egid);
    put_pair(w, AT_SECURE, x->secure);
    put_pair(w, AT_RANDOM, at->random);
    put_pair(w, AT_HWCAP2, 0);
    put_pair(w, AT_EXECFN, at->filename);
    put_pair(w, AT_PLATFORM, at->platform);
    put_pair(w, AT_NULL, 0);
}

uint32_t exec_auxv_end_max(uint32_t arg_start)
{
    return ALIGN_DOWN(arg_start - (uint32_t)sizeof(platform), 16u) - RANDOM_BYTES;
}

bool exec_auxv_is(const uint32_t head[4])
{
    return head[0] == AT_SYSINFO && head[2] == AT_SYSINFO_EHDR;
}

static int fill(struct exec_plan *x, struct container *stack)
{
    const struct exec_args *a = &x->args;
    uint8_t random[RANDOM_BYTES];
    struct places at;
    at.filename = EXEC_STACK_TOP - 4 - (uint32_t)strlen(x->path) - 1;
    uint32_t strings = at.filename - (uint32_t)a->bytes;
    at.platform = ALIGN_DOWN(strings - (uint32_t)sizeof(platform), 16u);
    at.random = at.platform - (uint32_t)sizeof(random);
    uint32_t words = 1 + a->argc + 1 + a->envc + 1 + 2 * AUXV_PAIRS;
    x->esp = ALIGN_DOWN(at.random - words * 4, 16u);
    random_bytes(random, sizeof(random));

    struct writer w = {.stack = stack, .at = x->esp};
    const char *s = a->strings;
    uint32_t user = strings;
    put_word(&w, a->argc);
    x->arg_start = user;
    put_pointers(&w, &s, &user, a->argc);
    x->arg_end = x->env_start = user;
    put_pointers(&w, &s, &user, a->envc);
    x->env_end = user;
    put_auxv(&w, x, &at);
    flush(&w);

    int e = w.error;
    if (e == 0)
        e = put_bytes(stack, at.random, random, sizeof(random));
    if (e == 0)
        e = put_bytes(stack, at.platform, platform, sizeof(platform));
    if (e == 0)
        e = put_bytes(stack, strings, a->strings, a->bytes);
    if (e == 0)
        e = put_bytes(stack, at.filename, x->path, strlen(x->path) + 1);
    return e;
}

int exec_stack(struct exec_plan *x)
{
    struct container *stack = container_new_anonymous();
    if (!stack)
        return -ENOMEM;
    // Arguments, their pointers, and a first page below.
    uint32_t pointers = (x->args.argc + x->args.envc) * 4;
    uint32_t bytes =
        (uint32_t)ALIGN_UP(x->args.bytes + pointers + 2 * PAGE_SIZE + strlen(x->path), PAGE_SIZE);
    uint32_t limit = x->p->limits[RLIMIT_STACK].current;
    x->space->stack_limit_bytes = MAX(MIN(limit, 1u << 30), bytes);
    if (limit != RLIM_INFINITY && limit > STACK_BYTES_DEFAULT)
        x->space->mmap_top = EXEC_STACK_TOP - MIN(limit, 1u << 30) - (1u << 20);
    uint32_t start = EXEC_STACK_TOP - bytes;
    unsigned prot = PROT_R | PROT_W | (x->image.stack_exec ? PROT_X : 0);
    int e = space_map(x->space, start, bytes, prot, SEGMENT_GROWS_DOWN | SEGMENT_STACK, stack,
                      start >> PAGE_SHIFT, &container_segment_ops, NULL);
    if (e < 0) {
        container_put(stack);
        return e;
    }
    return fill(x, stack); // the segment holds the reference; the space is nobody else's yet
}
