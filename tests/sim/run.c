// SPDX-License-Identifier: MIT
// Runs scenarios by seed, each in a process of its own, and prints `ok NAME` or `FAILED NAME` with
// the words that run it again.
#include "tests/sim/run.h"

#include <errno.h>
#include <fcntl.h>
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "lib/assert.h"
#include "tests/sim/ports/sim.h"
#include "tests/sim/strike.h"
#include "tests/sim/world.h"

enum {
    MUTANTS_LEAST = 20, // that the scenarios must find; the explorer finds all of its own
    LINES = 300,
    LINE_BYTES = 200,
    SECONDS_MAX = 120, // of one seed
    OPTIONS_MAX = 16
};

static char lines[LINES][LINE_BYTES];
static unsigned line_count;
static bool verbose;
static char **options;
static unsigned long long seed;
static const char *running;
static bool takes_census;

// ---- in a scenario ------------------------------------------------------------------------------

static void note_list(const char *format, va_list list)
{
    char *to = lines[line_count++ % LINES];
    int n = world_stamp(to, LINE_BYTES);
    vsnprintf(to + n, LINE_BYTES - (size_t)n, format, list);
    if (verbose)
        fprintf(stderr, "%s\n", to);
}

void note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    note_list(format, list);
    va_end(list);
}

static void tell_story(void)
{
    unsigned kept = line_count < LINES ? line_count : LINES;
    for (unsigned i = 0; !verbose && i < kept; i++)
        printf("    %s\n", lines[(line_count - kept + i) % LINES]);
    fflush(stdout);
}

bool fail_forgives;

void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    note_list(format, list);
    va_end(list);
    if (fail_forgives)
        _exit(0);
    if (option("story", 0)) {
        __sanitizer_print_stack_trace();
        world_story();
    }
    tell_story();
    _exit(1);
}

void assert_failed(const char *expression, const char *file, int line)
{
    note("%s:%d: assertion failed: %s", file, line, expression);
    __sanitizer_print_stack_trace();
    tell_story();
    _exit(1);
}

const char *option_text(const char *key, const char *otherwise)
{
    size_t n = strlen(key);
    for (char **o = options; *o; o++)
        if (strncmp(*o, key, n) == 0 && (*o)[n] == '=')
            return *o + n + 1;
    return otherwise;
}

unsigned option(const char *key, unsigned drawn)
{
    const char *text = option_text(key, NULL);
    return text ? (unsigned)strtoul(text, NULL, 0) : drawn;
}

unsigned option_between(const char *key, unsigned least, unsigned most)
{
    return option(key, least + (unsigned)(sim_random() % (most - least + 1)));
}

static void died(int signal_number)
{
    note("signal %d: too long, or worse", signal_number);
    __sanitizer_print_stack_trace();
    tell_story();
    _exit(3);
}

// ---- around them --------------------------------------------------------------------------------

static const struct scenario *find(const char *name)
{
    for (unsigned i = 0; i < scenario_count; i++)
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    return NULL;
}

static void hush(int fd)
{
    int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, fd);
    close(nowhere);
}

// Runs one seed; true when it went well.
static bool run_one(const struct scenario *s, unsigned long long number, char **words)
{
    running = s->name;
    seed = number;
    options = words;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        exit(2);
    }
    if (child == 0) {
#ifdef WEFT_MUTANTS
        if (!verbose)
            hush(STDOUT_FILENO), hush(STDERR_FILENO);
#endif
        signal(SIGALRM, died);
        __sanitizer_set_death_callback(tell_story);
        alarm(option("seconds", SECONDS_MAX));
        sim_seed(seed * 0x9e3779b97f4a7c15ull + 1);
        s->run();
        fflush(stdout);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status == 0)
        return true;
#ifdef WEFT_MUTANTS
    return false;
#endif
    printf("    again: build/sim/sim -v %s %llu", running, seed);
    for (char **o = options; *o; o++)
        printf(" %s", *o);
    printf("\n");
    return false;
}

static void report(bool ok, const char *name, double begun, unsigned runs)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9 - begun;
    printf("-- %s: %u seeds, %.1f s\n%s %s\n", name, runs, seconds, ok ? "ok" : "FAILED", name);
}

static bool run_seeds(const struct scenario *s, unsigned long long first, unsigned count)
{
    static char census[] = "census=1";
    static char *all[] = {census, NULL}, *none[] = {NULL};
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    unsigned bad = 0;
    for (unsigned i = 0; i < count && bad < 3; i++)
        bad += !run_one(s, first + i, takes_census ? all : none);
    report(bad == 0, s->name, (double)now.tv_sec + (double)now.tv_nsec / 1e9, count);
    return bad == 0;
}

// `scenario seed options # why`, one a line.
static bool run_kept(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512];
    bool ok = true;
    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "#\n")] = '\0';
        char name[512], *words[OPTIONS_MAX + 1] = {NULL};
        strcpy(name, line);
        unsigned n = 0;
        for (char *w = strtok(line, " "); w && n < OPTIONS_MAX; w = strtok(NULL, " "))
            words[n++] = w;
        const struct scenario *s = n >= 2 ? find(words[0]) : NULL;
        if (n == 0)
            continue;
        bool good = s && run_one(s, strtoull(words[1], NULL, 0), words + 2);
        printf("%s kept %s\n", good ? "ok" : "FAILED", name);
        ok = ok && good;
    }
    if (f)
        fclose(f);
    return ok && f;
}

// ASan says once per process that it does not know swapcontext; it is told by threads.c.
static void hush_asan(void)
{
    ucontext_t here;
    volatile bool back = false;
    int old = dup(STDERR_FILENO);
    hush(STDERR_FILENO);
    getcontext(&here);
    if (!back) {
        ucontext_t saved;
        back = true;
        swapcontext(&saved, &here);
    }
    dup2(old, STDERR_FILENO);
    close(old);
}

// ---- planted bugs -------------------------------------------------------------------------------

#ifdef WEFT_MUTANTS
int mutant_planted;

static const struct mutant {
    int number;
    const char *scenario, *what;
} mutants[] = {
#define MUTANT_ROW(number, explorer, scenario, what) {number, #scenario, what},
#include "tests/explore/mutants.def"
#undef MUTANT_ROW
};

static bool seeds_find(const struct scenario *s, unsigned long long first, unsigned times)
{
    static char *none[] = {NULL};
    for (unsigned n = 0; n < s->seeds * times; n++)
        if (!run_one(s, first + n, none))
            return true;
    return false;
}

// In the scenario that found it once, with patience, then in all others. A line for the first seed
// that does not go well; nothing else is printed.
static bool mutant_found(const struct mutant *m, unsigned long long first)
{
    const struct scenario *likely = find(m->scenario);
    mutant_planted = m->number;
    bool found = likely && seeds_find(likely, first, 10);
    for (unsigned i = 0; i < scenario_count && !found; i++)
        found = &scenarios[i] != likely && seeds_find(&scenarios[i], first, 1);
    if (found)
        printf("ok mutant %d, found by %s %llu: %s\n", m->number, running, seed, m->what);
    else
        printf("FAILED mutant %d is not found: %s\n", m->number, m->what);
    return found;
}

static int run_mutants(unsigned long long first)
{
    unsigned planted = 0, found = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(mutants); i++) {
        if (strcmp(mutants[i].scenario, "none") == 0)
            continue;
        planted++;
        found += mutant_found(&mutants[i], first);
    }
    printf("%u of %u planted bugs found, %zu more by make explore-mutants alone\n", found, planted,
           ARRAY_SIZE(mutants) - planted);
    return found < planted || planted < MUTANTS_LEAST;
}
#endif

static int usage(void)
{
    printf("usage: sim [-v] SCENARIO SEED [KEY=VALUE...]   one run\n"
           "       sim [-k FILE] [-n TIMES] [-f FIRST] [SCENARIO...]   kept seeds, then all\n"
           "       sim -p   prints the fault points; -a: how often each was struck, at the end\n"
           "scenarios:");
    for (unsigned i = 0; i < scenario_count; i++)
        printf(" %s", scenarios[i].name);
    printf("\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *kept = NULL;
    unsigned long long first = 1;
    unsigned times = 1;
    bool points = false;
    int c;
    while ((c = getopt(argc, argv, "+vpak:n:f:")) != -1) {
        if (c == 'v')
            verbose = true;
        else if (c == 'p')
            points = true;
        else if (c == 'a')
            takes_census = true;
        else if (c == 'k')
            kept = optarg;
        else if (c == 'n')
            times = (unsigned)strtoul(optarg, NULL, 0);
        else if (c == 'f')
            first = strtoull(optarg, NULL, 0);
        else
            return usage();
    }
    hush_asan();
    strikes_begin();
    if (points) {
        strikes_print();
        return 0;
    }
#ifdef WEFT_MUTANTS
    if (!argv[optind])
        return run_mutants(first);
    mutant_planted = atoi(argv[optind++]);
#endif
    setvbuf(stdout, NULL, _IOLBF, 0);
    char **word = argv + optind;
    for (char **w = word; *w && w < word + 1; w++)
        if (!find(*w))
            return usage();
    if (word[0] && word[1] && !find(word[1])) {
        bool ok = run_one(find(word[0]), strtoull(word[1], NULL, 0), word + 2);
        printf("%s %s %s\n", ok ? "ok" : "FAILED", word[0], word[1]);
        return !ok;
    }
    bool ok = !kept || run_kept(kept);
    for (unsigned i = 0; i < scenario_count; i++) {
        bool wanted = !word[0];
        for (char **w = word; *w; w++)
            wanted = wanted || strcmp(*w, scenarios[i].name) == 0;
        if (wanted)
            ok = run_seeds(&scenarios[i], first, scenarios[i].seeds * times) && ok;
    }
    strikes_report(takes_census);
    return !ok;
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0:print_legend=0"; // sleeping threads keep what they use
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
    return "print_stacktrace=1";
}
