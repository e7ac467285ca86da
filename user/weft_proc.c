// SPDX-License-Identifier: MIT
// The `weft` command's view of /proc.
#include "user/weft.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 512

const char *const node_columns[NODE_WORDS] = {"id",   "incarnation", "state",     "address",
                                              "cpus", "free_kib",    "processes", "load"};

static void proc_path(char path[PATH_BYTES], const char *format, va_list args)
{
    const char *root = getenv("WEFT_PROC");
    int n = snprintf(path, PATH_BYTES / 2, "%s/", root ? root : "/proc");
    vsnprintf(path + n, PATH_BYTES - (size_t)n, format, args);
}

bool proc_read(char *to, size_t size, const char *format, ...)
{
    char path[PATH_BYTES];
    va_list args;
    va_start(args, format);
    proc_path(path, format, args);
    va_end(args);
    int fd = open(path, O_RDONLY);
    size_t length = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && length < size - 1) {
        n = read(fd, to + length, size - 1 - length);
        length += n > 0 ? (size_t)n : 0;
    }
    to[length] = '\0';
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return n >= 0;
}

bool proc_write(const char *words, const char *format, ...)
{
    char path[PATH_BYTES];
    va_list args;
    va_start(args, format);
    proc_path(path, format, args);
    va_end(args);
    int fd = open(path, O_WRONLY | O_TRUNC);
    if (fd < 0)
        return false;
    bool good = write(fd, words, strlen(words)) == (ssize_t)strlen(words);
    int error = errno;
    close(fd);
    errno = error;
    return good;
}

// proc(5): pid (name) state ppid ... utime stime are fields 14 and 15, rss in pages is 24.
static bool parse_stat(char *text, struct proc *p)
{
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long field[25] = {0};
    if (open == NULL || close == NULL || close < open || close[1] == '\0')
        return false;
    *close = '\0';
    snprintf(p->name, sizeof(p->name), "%s", open + 1);
    p->pid = atoi(text);
    p->state = close[2];
    char *at = close + 3;
    for (int i = 4; i < 25; i++)
        field[i] = strtoul(at, &at, 10);
    p->ppid = (int)field[4];
    p->ticks = field[14] + field[15];
    p->rss_kib = field[24] * 4;
    return p->pid > 0;
}

static bool read_proc(int pid, struct proc *p)
{
    char text[1024], node[32];
    *p = (struct proc){.node = -1};
    if (!proc_read(text, sizeof(text), "%d/stat", pid) || !parse_stat(text, p))
        return false;
    if (proc_read(node, sizeof(node), "%d/node", pid) && isdigit((unsigned char)node[0]))
        p->node = atoi(node);
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct proc *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

struct proc *proc_list(size_t *count)
{
    const char *root = getenv("WEFT_PROC");
    DIR *d = opendir(root ? root : "/proc");
    struct proc *list = NULL;
    size_t room = 0;
    *count = 0;
    if (d == NULL)
        return NULL;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        if (*count == room) {
            room = 2 * room + 64;
            list = realloc(list, room * sizeof(*list));
            if (list == NULL)
                abort();
        }
        if (read_proc(atoi(e->d_name), &list[*count])) // it may be gone by now
            ++*count;
    }
    closedir(d);
    if (*count > 0)
        qsort(list, *count, sizeof(*list), by_pid);
    return list ? list : calloc(1, sizeof(*list));
}

size_t node_lines(char *text, struct node_line *lines, size_t max)
{
    size_t count = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL && count < max;) {
        unsigned n = 0;
        for (char *word; n < NODE_WORDS && (word = strsep(&line, " \t")) != NULL;)
            if (*word != '\0')
                lines[count].word[n++] = word;
        if (n == NODE_WORDS)
            count++;
    }
    return count;
}
