// SPDX-License-Identifier: MIT
// Explores the hand-off: every order of messages, results, broken links and one crash, over the
// shipped step functions. Usage: handoff_explore [NAME].
#include "moves.h"
#include "runner.h"

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
     .moves = 2,
     .crashes = 1,
     .breaks = 1,
     .errors = 1,
     .aborts = 1,
     .birth = 0},
    {.name = "crash and broken link, born at a third",
     .moves = 2,
     .crashes = 1,
     .breaks = 1,
     .errors = 1,
     .aborts = 1,
     .birth = 2},
};

static const char *select_config(unsigned i)
{
    moves_config = &configs[i];
    return configs[i].name;
}

int main(int argc, char **argv)
{
    struct explore_suite suite = {.name = "handoff",
                                  .model = {.state_bytes = sizeof(struct moves),
                                            .start = (void (*)(void *))moves_start,
                                            .choices = moves_choices,
                                            .apply = moves_apply,
                                            .label = moves_label,
                                            .show = moves_show},
                                  .count = ARRAY_SIZE(configs),
                                  .select = select_config};
    return explore_suite_run(&suite, argc, argv);
}
