// SPDX-License-Identifier: MIT
// Runs a fuzz target over its corpus, each input as it is and with seeded changes:
// replay NAME CHANGES FOLDER. Prints `ok fuzz NAME` for the test runner; a fault ends it.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/fuzz/fuzz.h"

#define INPUT_BYTES_MAX ((size_t)1 << 20)

static uint64_t state = 0x5745465446555a5aull;

static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((state >> 33) % below);
}

// A copy of just that size: the sanitizer watches its end.
static void run(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void run_changed(const uint8_t *bytes, size_t n)
{
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff};
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    for (unsigned i = 1 + draw(4); n > 0 && i > 0; i--) {
        size_t at = draw((uint32_t)n);
        copy[at] = draw(2)   ? (uint8_t)(copy[at] ^ 1u << draw(8))
                   : draw(2) ? odd[draw(sizeof(odd))]
                             : (uint8_t)draw(256);
    }
    run(copy, draw(8) || n == 0 ? n : draw((uint32_t)n));
    free(copy);
}

static unsigned replay_file(const char *path, unsigned changes)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return 0;
    size_t n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    run(bytes, n);
    for (unsigned i = 0; i < changes; i++)
        run_changed(bytes, n);
    return 1;
}

int main(int argc, char **argv)
{
    unsigned files = 0;
    DIR *folder = argc == 4 ? opendir(argv[3]) : NULL;
    if (folder == NULL)
        return fprintf(stderr, "usage: replay NAME CHANGES FOLDER\n"), 2;
    run((const uint8_t *)"", 0);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", argv[3], e->d_name);
        if (e->d_name[0] != '.')
            files += replay_file(path, (unsigned)atoi(argv[2]));
    }
    closedir(folder);
    printf("%s fuzz %s\n-- %u inputs, each with %s changes\n", files ? "ok" : "FAILED", argv[1],
           files, argv[2]);
    return files == 0;
}
