// SPDX-License-Identifier: MIT
// Touches so many MiB, says so in /tmp/resident.PID, and sleeps in short naps until it is killed.
// Usage: resident MIB.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    size_t bytes = (size_t)(argc > 1 ? atoi(argv[1]) : 1) << 20;
    char name[64];
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < bytes; i += 4096)
        memory[i] = 1;
    snprintf(name, sizeof(name), "/tmp/resident.%d", (int)getpid());
    FILE *f = fopen(name, "w");
    if (f == NULL || fputs("ready\n", f) < 0 || fclose(f) != 0)
        return 1;
    for (;;)
        usleep(1000);
}
