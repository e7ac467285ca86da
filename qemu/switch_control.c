// SPDX-License-Identifier: MIT
// Commands of the control socket, one per line:
//   port NAME PATH | cut A [B] | heal | stat | quit
//   loss|dup|reorder|corrupt PERCENT | delay MS [JITTER] | seed N | rate MBIT
#include "qemu/switch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WORDS_MAX 4

struct command {
    const char *name;
    int words_min, words_max; // without the name
    // 0, or -errno; -EINVAL: a wrong argument. Lines of an answer go to `out`.
    int (*run)(char **words, int count, FILE *out);
};

static int number(const char *text, double min, double max, double *value)
{
    char *end;

    *value = strtod(text, &end);
    return end == text || *end || !(*value >= min && *value <= max) ? -EINVAL : 0;
}

static int set_chance(const char *text, uint64_t *chance)
{
    double percent;
    int error = number(text, 0, 100, &percent);

    if (!error)
        *chance = (uint64_t)(percent / 100 * 4294967296.0);
    return error;
}

static int run_loss(char **words, int count UNUSED, FILE *out UNUSED)
{
    return set_chance(words[0], &switch_faults.loss);
}

static int run_dup(char **words, int count UNUSED, FILE *out UNUSED)
{
    return set_chance(words[0], &switch_faults.duplicate);
}

static int run_reorder(char **words, int count UNUSED, FILE *out UNUSED)
{
    return set_chance(words[0], &switch_faults.reorder);
}

static int run_corrupt(char **words, int count UNUSED, FILE *out UNUSED)
{
    return set_chance(words[0], &switch_faults.corrupt);
}

static int run_delay(char **words, int count, FILE *out UNUSED)
{
    double delay_ms, jitter_ms = 0;

    if (number(words[0], 0, 60000, &delay_ms) ||
        (count > 1 && number(words[1], 0, delay_ms, &jitter_ms)))
        return -EINVAL;
    switch_faults.delay_ns = (uint64_t)(delay_ms * 1e6);
    switch_faults.jitter_ns = (uint64_t)(jitter_ms * 1e6);
    return 0;
}

static int run_seed(char **words, int count UNUSED, FILE *out UNUSED)
{
    char *end;

    errno = 0;
    uint64_t seed = strtoull(words[0], &end, 0);
    if (errno || *end || words[0][0] == '-')
        return -EINVAL;
    switch_faults.seed = seed;
    forward_reset_random();
    return 0;
}

static int run_rate(char **words, int count UNUSED, FILE *out UNUSED)
{
    double mbit;
    int error = number(words[0], 0, 1e6, &mbit);

    if (!error)
        switch_faults.link_bits_per_second = (uint64_t)(mbit * 1e6);
    return error;
}

static int run_port(char **words, int count UNUSED, FILE *out UNUSED)
{
    int slot = port_listen(words[0], words[1]);

    return slot < 0 ? slot : 0;
}

static int run_cut(char **words, int count, FILE *out UNUSED)
{
    int a = port_find(words[0]), b = count > 1 ? port_find(words[1]) : -1;

    if (a < 0 || (count > 1 && b < 0))
        return -ENOENT;
    for (int other = 0; other < SWITCH_PORT_MAX; other++)
        if (count == 1 || other == b)
            switch_pairs[a][other].is_cut = switch_pairs[other][a].is_cut = true;
    return 0;
}

static int run_heal(char **words UNUSED, int count UNUSED, FILE *out UNUSED)
{
    for (int a = 0; a < SWITCH_PORT_MAX; a++)
        for (int b = 0; b < SWITCH_PORT_MAX; b++)
            switch_pairs[a][b].is_cut = false;
    return 0;
}

static int run_stat(char **words UNUSED, int count UNUSED, FILE *out)
{
    fprintf(out, "from to frames bytes lost dup reordered corrupted cut full\n");
    for (int a = 0; a < SWITCH_PORT_MAX; a++)
        for (int b = 0; b < SWITCH_PORT_MAX; b++) {
            const struct pair *p = &switch_pairs[a][b];
            if (!p->frames && !p->lost && !p->cut && !p->full)
                continue;
            fprintf(out, "%s %s %llu %llu %llu %llu %llu %llu %llu %llu\n", switch_ports[a].name,
                    switch_ports[b].name, (unsigned long long)p->frames,
                    (unsigned long long)p->bytes, (unsigned long long)p->lost,
                    (unsigned long long)p->duplicated, (unsigned long long)p->reordered,
                    (unsigned long long)p->corrupted, (unsigned long long)p->cut,
                    (unsigned long long)p->full);
        }
    return 0;
}

static const struct command commands[] = {
    {"port", 2, 2, run_port},       {"cut", 1, 2, run_cut},         {"heal", 0, 0, run_heal},
    {"stat", 0, 0, run_stat},       {"loss", 1, 1, run_loss},       {"dup", 1, 1, run_dup},
    {"reorder", 1, 1, run_reorder}, {"corrupt", 1, 1, run_corrupt}, {"delay", 1, 2, run_delay},
    {"seed", 1, 1, run_seed},       {"rate", 1, 1, run_rate},
};

static void command_run(char **words, int count, FILE *out)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct command *c = &commands[i];
        if (strcmp(c->name, words[0]))
            continue;
        if (count < c->words_min || count > c->words_max) {
            fprintf(out, "error: %s: wrong number of words\n", c->name);
            return;
        }
        int error = c->run(words + 1, count, out);
        if (error == -EINVAL)
            fprintf(out, "error: %s: %s is not a value it takes\n", c->name, words[1]);
        else if (error == -ENOENT)
            fprintf(out, "error: %s: no such port\n", c->name);
        else if (error)
            fprintf(out, "error: %s: %s\n", c->name, strerror(-error));
        else
            fprintf(out, "ok\n");
        return;
    }
    fprintf(out, "error: %s: no such command\n", words[0]);
}

void control_command(char *line, int answer_fd)
{
    char *words[WORDS_MAX + 1], *text = NULL, *rest = NULL;
    size_t bytes = 0, sent = 0;
    int count = 0;

    for (char *w = strtok_r(line, " \t\r\n", &rest); w && count <= WORDS_MAX;
         w = strtok_r(NULL, " \t\r\n", &rest))
        words[count++] = w;
    if (!count)
        return;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return;
    command_run(words, count - 1, out);
    fclose(out);
    while (sent < bytes) {
        ssize_t n = send(answer_fd, text + sent, bytes - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break; // it left, or did not read for a second
        sent += (size_t)n;
    }
    free(text);
}
