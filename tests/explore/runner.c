// SPDX-License-Identifier: MIT
#include "runner.h"
#include <stdio.h>
#include <string.h>
#include "lib/mutant.h"

#define STATES_MAX 10000000u // PROTOCOLS 8

#ifdef WEFT_MUTANTS
// The first fault of the first configuration that has one.
static bool suite_faults(struct explore_suite *s, struct explore_result *r)
{
    for (unsigned i = 0; i < s->count; i++) {
        s->model.name = s->select(i);
        explore_run(&s->model, STATES_MAX, false, r);
        if (r->fault[0])
            return true;
    }
    return false;
}

int mutant_planted;

static const struct {
    int number;
    const char *explorer, *words;
} mutants[] = {
#define MUTANT_ROW(number, explorer, scenario, words) {number, #explorer, words},
#include "mutants.def"
#undef MUTANT_ROW
};

// Plants each bug in turn; one that is not found is a fault of the explorer.
int explore_suite_run(struct explore_suite *s, int argc, char **argv)
{
    unsigned found = 0, missed = 0;

    (void)argc;
    (void)argv;
    for (unsigned m = 0; m < ARRAY_SIZE(mutants); m++) {
        struct explore_result r;
        if (strcmp(mutants[m].explorer, s->name))
            continue;
        mutant_planted = mutants[m].number;
        if (suite_faults(s, &r)) {
            found++;
            printf("mutant %d: %s:\n    found after %u steps: %s (%s)\n", mutants[m].number,
                   mutants[m].words, r.depth, r.fault, s->model.name);
        } else {
            missed++;
            printf("mutant %d: %s:\n    NOT FOUND\n", mutants[m].number, mutants[m].words);
        }
        fflush(stdout);
    }
    printf("%s mutants: %u found, %u missed\n", s->name, found, missed);
    return missed != 0;
}
#else
int explore_suite_run(struct explore_suite *s, int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    uint64_t total = 0;

    for (unsigned i = 0; i < s->count; i++) {
        struct explore_result r;
        s->model.name = s->select(i);
        if (!strstr(s->model.name, only))
            continue;
        explore_run(&s->model, STATES_MAX, true, &r);
        printf("%s: %-56s %8llu states %9llu steps, depth %u%s\n", s->name, s->model.name,
               (unsigned long long)r.states, (unsigned long long)r.steps, r.depth,
               r.cut ? ", CUT SHORT" : "");
        fflush(stdout);
        if (r.fault[0] || r.cut)
            return 1;
        total += r.states;
    }
    printf("%s: clean, %llu states\n", s->name, (unsigned long long)total);
    return 0;
}
#endif
