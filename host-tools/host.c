// SPDX-License-Identifier: MIT
#include "host-tools/host.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *host_tool_name = "weft";

void host_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "%s: ", host_tool_name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void *host_grow(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);
    if (memory == NULL)
        host_fail("out of memory (%zu bytes)", size);
    return memory;
}

void *host_alloc(size_t size)
{
    return host_grow(NULL, size);
}

char *host_text(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        host_fail("out of memory");
    va_end(args);
    return text;
}

struct bytes host_read(const char *path, size_t max)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (f == NULL || fstat(fileno(f), &st) != 0)
        host_fail("%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        host_fail("%s: is a folder, not a file", path);
    struct bytes b = {.at = host_alloc(4096)};
    for (size_t room = 4096;;) {
        size_t n = fread(b.at + b.size, 1, room - b.size - 1, f);
        if (n == 0)
            break;
        b.size += n;
        if (b.size > max)
            host_fail("%s: larger than %zu bytes", path, max);
        if (b.size + 1 == room)
            b.at = host_grow(b.at, room *= 2);
    }
    if (ferror(f))
        host_fail("%s: %s", path, strerror(errno));
    fclose(f);
    b.at[b.size] = '\0';
    return b;
}

void host_write(const char *path, const void *bytes, size_t size)
{
    char *temporary = host_text("%s.%ld.tmp", path, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    if (f == NULL)
        host_fail("%s: %s", temporary, strerror(errno));
    bool good = fwrite(bytes, 1, size, f) == size;
    good = fclose(f) == 0 && good;
    if (!good || rename(temporary, path) != 0) {
        int error = errno;
        unlink(temporary);
        host_fail("%s: %s", path, strerror(error));
    }
    free(temporary);
}
