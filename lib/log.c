// SPDX-License-Identifier: MIT
#include "lib/log.h"
#include "lib/fmt.h"

void (*log_sink)(enum log_level level, const char *line);
void (*trace_sink)(const char *what, const char *from, const char *to, uint32_t about,
                   uint32_t which);

void log_line(enum log_level level, const char *room, const char *format, ...)
{
    if (log_sink == NULL)
        return;
    char line[256];
    int n = fmt_print(line, sizeof(line), "%s: ", room);
    va_list args;
    va_start(args, format);
    fmt_vprint(line + n, sizeof(line) - (size_t)n, format, args);
    va_end(args);
    log_sink(level, line);
}
