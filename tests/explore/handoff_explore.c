// SPDX-License-Identifier: MIT
// Explores the hand-off: every order of messages, results, broken links and one crash, over the
// shipped step functions. Usage: handoff_explore [NAME]; exit 1 with the path on a fault.
#include <stdio.h>
#include <string.h>
#include "engine.h"
#include "moves.h"

static const struct moves_config configs[] = {
    {.name = "one move, refusals, given up", .moves = 1, .errors = 1, .aborts = 1, .birth = 2},
    {.name = "there and back, link broken twice",
     .moves = 2,
     .breaks = 2,
     .errors = 1,
     .aborts = 1},
    {.name = "one crash, born at the source", .moves = 2, .crashes = 1, .birth = 0},
    {.name = "one crash, born at the target", .moves = 2, .crashes = 1, .birth = 1},
    {.name = "one crash, born at a third", .moves = 2, .crashes = 1, .birth = 2},
    {.name = "crash and broken link, born at the source",
     .moves = 1,
     .crashes = 1,
     .breaks = 1,
     .errors = 1,
     .aborts = 1,
     .birth = 0},
    {.name = "crash and broken link, born at a third",
     .moves = 1,
     .crashes = 1,
     .breaks = 1,
     .errors = 1,
     .aborts = 1,
     .birth = 2},
};

int main(int argc, char **argv)
{
    struct explore_model model = {.state_bytes = sizeof(struct moves),
                                  .start = (void (*)(void *))moves_start,
                                  .choices = moves_choices,
                                  .apply = moves_apply,
                                  .label = moves_label,
                                  .show = moves_show};
    uint64_t total = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(configs); i++) {
        struct explore_result r;
        if (argc > 1 && !strstr(configs[i].name, argv[1]))
            continue;
        moves_config = &configs[i];
        model.name = configs[i].name;
        explore_run(&model, 10000000, true, &r);
        printf("handoff: %-54s %9llu states %10llu steps depth %u%s\n", model.name,
               (unsigned long long)r.states, (unsigned long long)r.steps, r.depth,
               r.cut ? " CUT" : "");
        fflush(stdout);
        if (r.fault[0])
            return 1;
        total += r.states;
    }
    printf("handoff: clean, %llu states\n", (unsigned long long)total);
    return 0;
}
