// SPDX-License-Identifier: MIT
#include "tests/sim/ports/sim.h"

#include <stdlib.h>
#include <string.h>
#include "lib/assert.h"
#include "tests/sim/ports/sim_priv.h"

extern char __start_node_vars[], __stop_node_vars[];

__thread long node_var_delta;
struct list sim_nodes = LIST_INIT(sim_nodes);
static struct sim_node *current;
static char *image; // the start values, saved before the first node runs

static size_t section_bytes(void)
{
    return (size_t)(__stop_node_vars - __start_node_vars);
}

// Start values that point into the section (LIST_INIT) point into this node's copy.
static void relocate(char *vars, size_t n)
{
    uintptr_t start = (uintptr_t)__start_node_vars;
    for (size_t at = 0; at + sizeof(uintptr_t) <= n; at += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, vars + at, sizeof(word));
        if (word - start >= n)
            continue;
        word += (uintptr_t)vars - start;
        memcpy(vars + at, &word, sizeof(word));
    }
}

struct sim_node *sim_node_new(void)
{
    size_t n = section_bytes();
    if (!image) {
        image = malloc(n);
        memcpy(image, __start_node_vars, n);
    }
    struct sim_node *node = calloc(1, sizeof(*node));
    node->vars = aligned_alloc(64, ALIGN_UP(n, (size_t)64));
    ASSERT(node && node->vars);
    // Same offset within 64 bytes as the section, so that every variable keeps its alignment.
    ASSERT((uintptr_t)__start_node_vars % 16 == 0);
    memcpy(node->vars, image, n);
    relocate(node->vars, n);
    list_init(&node->timers);
    list_append(&sim_nodes, &node->link);
    sim_node_enter(node);
    return node;
}

void sim_node_free(struct sim_node *n)
{
    if (current == n)
        current = NULL;
    list_remove(&n->link);
    free(n->vars);
    free(n);
}

void sim_node_enter(struct sim_node *n)
{
    current = n;
    node_var_delta = n->vars - __start_node_vars;
}

struct sim_node *sim_node_current(void)
{
    return current;
}

void sim_node_stop(struct sim_node *n)
{
    n->stopped = true;
}

bool sim_node_is_stopped(const struct sim_node *n)
{
    return n->stopped;
}
