// SPDX-License-Identifier: MIT
// `fill N MIB`: N processes fill MIB MiB each, all at once, and then read them again.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_WORDS 1024u

static int fill(uint32_t seed, size_t pages, int ready, int go)
{
    uint32_t *at =
        mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char c = 0;
    if (at == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < pages; i++) {
        at[i * PAGE_WORDS] = seed + (uint32_t)i;
        at[i * PAGE_WORDS + PAGE_WORDS - 1] = ~(seed + (uint32_t)i);
    }
    if (write(ready, &c, 1) != 1 || read(go, &c, 1) != 0)
        return 1;
    for (size_t i = 0; i < pages; i++)
        if (at[i * PAGE_WORDS] != seed + (uint32_t)i ||
            at[i * PAGE_WORDS + PAGE_WORDS - 1] != ~(seed + (uint32_t)i))
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1, whole = 0;
    size_t pages = argc > 2 ? (size_t)atoi(argv[2]) * 256 : 256;
    int ready[2], go[2], status;
    char c;
    if (pipe(ready) || pipe(go))
        return 1;
    for (unsigned i = 0; i < n; i++) {
        if (fork() == 0) {
            close(go[1]);
            _exit(fill((i + 1) * 0x10000001u, pages, ready[1], go[0]));
        }
    }
    close(ready[1]);
    for (unsigned i = 0; i < n && read(ready[0], &c, 1) == 1; i++)
        ;
    close(go[1]); // all have filled theirs, or ended
    while (wait(&status) > 0)
        whole += status == 0;
    printf("%u of %u whole\n", whole, n);
    return whole == n ? 0 : 1;
}
