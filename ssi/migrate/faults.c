// SPDX-License-Identifier: MIT
// Fault points of the hand-off, for tests: `fault=handoff:STATE:die|drop|stall` strikes the side
// that enters STATE first on this node; handoff-source and handoff-target choose the side. Each
// strikes once. die: the node is gone, as by a power cut. drop: the messages of that step are lost
// (the other side asks when its patience ends). stall: the node stands still for a while.
#include "arch/x86/arch.h"
#include "kernel/settings.h"
#include "kernel/timer.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/migrate/migrate_priv.h"

#define POINTS_MAX 8
#define STALL_NS   (1500 * NS_PER_MS)

NODE_VAR(uint8_t, struck); // bit i: the i-th setting has struck

static bool word_is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncmp(text, word, n) == 0;
}

// The action of setting `s` when its point and state are these; else NULL.
static const char *action_of(const char *s, bool source, enum handoff_state state)
{
    const char *first = strchr(s, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    if (second == NULL)
        return NULL;
    size_t point = (size_t)(first - s), word = (size_t)(second - first - 1);
    if (!word_is(s, point, "handoff") &&
        !word_is(s, point, source ? "handoff-source" : "handoff-target"))
        return NULL;
    return word_is(first + 1, word, handoff_state_word(state)) ? second + 1 : NULL;
}

static void stand_still(void)
{
    uint64_t until = arch_clock_ns() + STALL_NS;
    while (arch_clock_ns() < until)
        ;
}

bool fault_enter(bool source, enum handoff_state state)
{
    const char *s;
    for (unsigned i = 0; i < POINTS_MAX && (s = setting_nth("fault", i)) != NULL; i++) {
        const char *action = action_of(s, source, state);
        if (action == NULL || (node(struck) & 1u << i))
            continue;
        node(struck) |= (uint8_t)(1u << i);
        log_warn("fault", "%s", s);
        if (strcmp(action, "die") == 0)
            arch_exit(1);
        if (strcmp(action, "stall") == 0)
            stand_still();
        return strcmp(action, "drop") == 0;
    }
    return false;
}
