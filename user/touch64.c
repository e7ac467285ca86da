// SPDX-License-Identifier: MIT
// Touches MIB mebibytes, says so, waits, walks them again and says a checksum:
// touch64 [MIB [SECONDS]]. With a move during the wait every page has to follow.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void fill(uint32_t *words, size_t count)
{
    uint32_t state = 2463534242u;
    for (size_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        words[i] = state;
    }
}

static uint64_t walk(const uint32_t *words, size_t count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum = (sum << 1 | sum >> 63) ^ words[i];
    return sum;
}

int main(int argc, char **argv)
{
    long mib = argc > 1 ? atol(argv[1]) : 64, pause_s = argc > 2 ? atol(argv[2]) : 0;
    size_t count = (size_t)mib << 18;
    if (mib < 1 || mib > 2048 || pause_s < 0) {
        fputs("usage: touch64 [MIB [SECONDS]]   MIB from 1 to 2048\n", stderr);
        return 2;
    }
    uint32_t *words = malloc(count * sizeof(*words));
    if (words == NULL) {
        fputs("touch64: out of memory\n", stderr);
        return 1;
    }
    fill(words, count);
    uint64_t before = walk(words, count);
    printf("touch64 %ld MiB touched\n", mib);
    fflush(stdout);
    for (unsigned left = (unsigned)pause_s; left > 0;)
        left = sleep(left);
    uint64_t after = walk(words, count);
    printf("touch64 %ld sum=%016llx %s\n", mib, (unsigned long long)after,
           before == after ? "same" : "DIFFERENT");
    free(words);
    return before != after;
}
