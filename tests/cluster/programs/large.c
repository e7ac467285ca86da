// SPDX-License-Identifier: MIT
// large MIB ROUNDS: fills that much memory, goes over it again and again, changes it, and says
// whether each page was what it had been.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
    PAGE_WORDS = 1024
};

static uint32_t expected(size_t page, unsigned round)
{
    return (uint32_t)(page * 2654435761u) ^ round * 40503u;
}

static unsigned check(uint32_t *words, size_t pages, unsigned round)
{
    unsigned wrong = 0;
    for (size_t i = 0; i < pages; i++) {
        uint32_t *page = words + i * PAGE_WORDS;
        wrong += page[0] != expected(i, round) || page[PAGE_WORDS - 1] != expected(i, round);
        page[0] = page[PAGE_WORDS - 1] = expected(i, round + 1);
    }
    return wrong;
}

int main(int argc, char **argv)
{
    size_t pages = (size_t)atoi(argc > 1 ? argv[1] : "16") * 256;
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    uint32_t *words =
        mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED) {
        perror("large: mmap");
        return 1;
    }
    for (size_t i = 0; i < pages; i++)
        words[i * PAGE_WORDS] = words[i * PAGE_WORDS + PAGE_WORDS - 1] = expected(i, 0);
    unsigned wrong = 0;
    for (unsigned round = 0; round < rounds; round++)
        wrong += check(words, pages, round);
    printf("%zu pages, %u rounds, %u wrong\n", pages, rounds, wrong);
    return wrong != 0;
}
