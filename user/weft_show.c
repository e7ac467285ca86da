// SPDX-License-Identifier: MIT
// The listings of the `weft` command: nodes, ps, top; as text or JSON.
#include "user/weft.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define NODES_MAX   1024
#define PERIOD_MS   2000
#define TOP_ROWS    15
#define NODES_BYTES (128 << 10)

void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_json_word(const char *word)
{
    if (*word && strspn(word, "0123456789") == strlen(word))
        fputs(word, stdout);
    else
        print_json_text(word);
}

static void print_nodes(const struct node_line *lines, size_t count)
{
    printf("%4s %11s %-8s %-15s %4s %9s %9s %5s\n", "NODE", "INCARNATION", "STATE", "ADDRESS",
           "CPUS", "FREE-KIB", "PROCESSES", "LOAD");
    for (size_t i = 0; i < count; i++) {
        char *const *w = lines[i].word;
        printf("%4s %11s %-8s %-15s %4s %9s %9s %5s\n", w[0], w[1], w[2], w[3], w[4], w[5], w[6],
               w[7]);
    }
}

static void print_nodes_json(const struct node_line *lines, size_t count)
{
    putchar('[');
    for (size_t i = 0; i < count; i++) {
        printf("%s\n  {", i ? "," : "");
        for (unsigned j = 0; j < NODE_WORDS; j++) {
            printf("%s\"%s\": ", j ? ", " : "", node_columns[j]);
            print_json_word(lines[i].word[j]);
        }
        putchar('}');
    }
    puts("\n]");
}

static bool read_nodes(struct node_line lines[NODES_MAX], size_t *count)
{
    static char text[NODES_BYTES];
    if (!proc_read(text, sizeof(text), "cluster/nodes"))
        return false;
    *count = node_lines(text, lines, NODES_MAX);
    return true;
}

int verb_nodes(bool json)
{
    static struct node_line lines[NODES_MAX];
    size_t count;
    if (!read_nodes(lines, &count))
        return weft_fail("/proc/cluster/nodes: %s", strerror(errno));
    if (json)
        print_nodes_json(lines, count);
    else
        print_nodes(lines, count);
    return 0;
}

static void print_process(const struct proc *p)
{
    unsigned long seconds = p->ticks / 100;
    char node[12] = "?";
    if (p->node >= 0)
        snprintf(node, sizeof(node), "%d", p->node);
    printf("%8d %4s %8d %c %4lu:%02lu.%02lu %8lu %s\n", p->pid, node, p->ppid, p->state,
           seconds / 60, seconds % 60, p->ticks % 100, p->rss_kib, p->name);
}

static void print_process_json(const struct proc *p)
{
    printf("{\"pid\": %d, \"node\": %d, \"ppid\": %d, \"state\": \"%c\", \"cpu_ms\": %lu, "
           "\"rss_kib\": %lu, \"name\": ",
           p->pid, p->node, p->ppid, p->state, p->ticks * 10, p->rss_kib);
    print_json_text(p->name);
    putchar('}');
}

static void print_process_head(void)
{
    printf("%8s %4s %8s S %10s %8s %s\n", "PID", "NODE", "PPID", "TIME", "RSS-KIB", "NAME");
}

int verb_ps(bool json)
{
    size_t count;
    struct proc *list = proc_list(&count);
    if (list == NULL)
        return weft_fail("/proc: %s", strerror(errno));
    if (json)
        putchar('[');
    else
        print_process_head();
    for (size_t i = 0; i < count; i++) {
        if (json) {
            fputs(i ? ",\n  " : "\n  ", stdout);
            print_process_json(&list[i]);
        } else {
            print_process(&list[i]);
        }
    }
    if (json)
        puts("\n]");
    free(list);
    return 0;
}

// Ticks that a process has used since `before`, where it may be missing.
static unsigned long used(const struct proc *p, const struct proc *before, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (before[i].pid == p->pid)
            return p->ticks - before[i].ticks;
    return p->ticks;
}

static int by_ticks(const void *a, const void *b)
{
    const struct proc *x = a, *y = b;
    if (x->ticks != y->ticks)
        return x->ticks < y->ticks ? 1 : -1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

// The busiest processes of the last period first; `percent` of one CPU beside each.
static void print_busiest(const struct proc *now, size_t count, const struct proc *before,
                          size_t before_count, unsigned long period_ms)
{
    struct proc *list = calloc(count + 1, sizeof(*list));
    if (list == NULL)
        return;
    for (size_t i = 0; i < count; i++) {
        list[i] = now[i];
        list[i].ticks = used(&now[i], before, before_count);
    }
    qsort(list, count, sizeof(*list), by_ticks);
    printf("%8s %4s S %5s %8s %s\n", "PID", "NODE", "%CPU", "RSS-KIB", "NAME");
    for (size_t i = 0; i < count && i < TOP_ROWS; i++)
        printf("%8d %4d %c %5lu %8lu %s\n", list[i].pid, list[i].node, list[i].state,
               list[i].ticks * 1000 / period_ms, list[i].rss_kib, list[i].name);
    free(list);
}

// Waits a period; true when a key, Ctrl-C's or q, says to end.
static bool wait_for_key(void)
{
    char key;
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&p, 1, PERIOD_MS) <= 0)
        return false;
    return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 3;
}

static struct termios terminal_before;

static void keys_on(void)
{
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0)
        return;
    raw = terminal_before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

int verb_top(bool once)
{
    static struct node_line lines[NODES_MAX];
    size_t before_count, count, nodes;
    struct proc *before = proc_list(&before_count);
    bool end = before == NULL;
    int status = 0;
    if (!once)
        keys_on();
    for (bool first = true; !end; first = false) {
        if (once)
            usleep(PERIOD_MS / 4 * 1000);
        else if (!first)
            end = wait_for_key();
        struct proc *now = proc_list(&count);
        if (now == NULL || !read_nodes(lines, &nodes)) {
            status = weft_fail("/proc/cluster/nodes: %s", strerror(errno));
            break;
        }
        if (!once)
            fputs("\033[H\033[J", stdout);
        print_nodes(lines, nodes);
        putchar('\n');
        print_busiest(now, count, before, before_count, once ? PERIOD_MS / 4 : PERIOD_MS);
        fflush(stdout);
        free(before);
        before = now;
        before_count = count;
        end = end || once;
    }
    free(before);
    if (!once)
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
    return status;
}
