// SPDX-License-Identifier: MIT
#include "engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/assert.h"

struct visit {
    uint32_t parent, choice;
};

static struct {
    const struct explore_model *model;
    struct explore_result *result;
    uint64_t *seen; // open addressing, 0 = empty
    uint64_t seen_size;
    struct visit *visits;
    uint64_t visits_size;
    unsigned char *level, *next_level; // frontier: states, and their indexes below
    uint32_t *level_id, *next_id;
    uint64_t level_count, next_count, level_size;
    const unsigned char *at; // state whose choices are being made
    uint32_t at_id;
    bool replaying;
    char fault[256];
    jmp_buf asserted;
} x;

void explore_fault(const char *format, ...)
{
    va_list args;

    if (x.fault[0])
        return;
    va_start(args, format);
    vsnprintf(x.fault, sizeof(x.fault), format, args);
    va_end(args);
}

void assert_failed(const char *expression, const char *file, int line)
{
    explore_fault("%s:%d: assertion failed: %s", file, line, expression);
    longjmp(x.asserted, 1);
}

static void *grow(void *at, size_t bytes)
{
    void *to = realloc(at, bytes);
    if (!to) {
        fprintf(stderr, "explore: out of memory\n");
        exit(2);
    }
    return to;
}

static uint64_t hash(const unsigned char *bytes, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ n, w;

    for (; n; bytes += 8, n -= MIN(n, 8)) {
        w = 0;
        memcpy(&w, bytes, MIN(n, 8));
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    h *= 0xc4ceb9fe1a85ec53u;
    return (h ^ h >> 29) | 1;
}

static bool seen_insert(uint64_t h)
{
    uint64_t at = h >> 1 & (x.seen_size - 1);

    for (; x.seen[at]; at = (at + 1) & (x.seen_size - 1))
        if (x.seen[at] == h)
            return false;
    x.seen[at] = h;
    return true;
}

static void seen_grow(void)
{
    uint64_t *old = x.seen, n = x.seen_size;

    x.seen_size = n * 2;
    x.seen = calloc(x.seen_size, sizeof(*x.seen));
    if (!x.seen)
        exit(2);
    for (uint64_t i = 0; i < n; i++)
        if (old[i])
            seen_insert(old[i]);
    free(old);
}

static void visit_add(const unsigned char *state, uint32_t choice)
{
    size_t size = x.model->state_bytes;
    uint64_t id = x.result->states;

    if (!seen_insert(hash(state, size)))
        return;
    if (id == x.visits_size) {
        x.visits_size *= 2;
        x.visits = grow(x.visits, x.visits_size * sizeof(*x.visits));
    }
    x.visits[id] = (struct visit){x.at_id, choice};
    if (++x.result->states * 2 > x.seen_size)
        seen_grow();
    if (x.next_count == x.level_size) {
        x.level_size *= 2;
        x.level = grow(x.level, x.level_size * size);
        x.next_level = grow(x.next_level, x.level_size * size);
        x.level_id = grow(x.level_id, x.level_size * sizeof(uint32_t));
        x.next_id = grow(x.next_id, x.level_size * sizeof(uint32_t));
    }
    memcpy(x.next_level + x.next_count * size, state, size);
    x.next_id[x.next_count++] = (uint32_t)id;
}

static void apply(unsigned char *state, uint32_t choice)
{
    if (!setjmp(x.asserted))
        x.model->apply(state, choice);
}

// The way from the start to `id`, told by doing it again.
static void tell(uint32_t id, uint32_t last_choice, bool has_last)
{
    static unsigned char state[EXPLORE_STATE_MAX];
    static char text[8192];
    unsigned depth = x.result->depth + 1;
    uint32_t *path = calloc(depth + 1, sizeof(*path)), n = 0;

    if (has_last)
        path[n++] = last_choice;
    for (; id; id = x.visits[id].parent)
        path[n++] = x.visits[id].choice;
    x.model->start(state);
    for (unsigned step = 1; n--; step++) {
        x.model->label(state, path[n], text, sizeof(text));
        printf("  %3u. %s\n", step, text);
        apply(state, path[n]);
    }
    x.model->show(state, text, sizeof(text));
    printf("%s", text);
    free(path);
}

static void fault_found(uint32_t choice, bool has_choice)
{
    memcpy(x.result->fault, x.fault, sizeof(x.fault));
    if (!x.replaying)
        return;
    printf("%s: FAULT: %s\n", x.model->name, x.result->fault);
    tell(x.at_id, choice, has_choice);
}

void explore_choice(uint32_t choice)
{
    static unsigned char next[EXPLORE_STATE_MAX];

    if (x.result->fault[0])
        return;
    memcpy(next, x.at, x.model->state_bytes);
    x.result->steps++;
    apply(next, choice);
    if (x.fault[0])
        fault_found(choice, true);
    else
        visit_add(next, choice);
}

static void level_swap(void)
{
    unsigned char *states = x.level;
    uint32_t *ids = x.level_id;

    x.level = x.next_level;
    x.level_id = x.next_id;
    x.level_count = x.next_count;
    x.next_level = states;
    x.next_id = ids;
    x.next_count = 0;
}

// The frontier arrays may move while a state is expanded, so it is copied out first.
static void expand(uint64_t i)
{
    static unsigned char state[EXPLORE_STATE_MAX];
    size_t size = x.model->state_bytes;

    memcpy(state, x.level + i * size, size);
    x.at = state;
    x.at_id = x.level_id[i];
    x.model->choices(state);
    if (x.fault[0] && !x.result->fault[0])
        fault_found(0, false);
}

void explore_run(const struct explore_model *m, uint64_t states_max, bool words,
                 struct explore_result *r)
{
    static unsigned char state[EXPLORE_STATE_MAX];

    memset(&x, 0, sizeof(x));
    memset(r, 0, sizeof(*r));
    x.model = m;
    x.result = r;
    x.replaying = words;
    x.seen_size = 1 << 16;
    x.seen = calloc(x.seen_size, sizeof(*x.seen));
    x.visits_size = x.level_size = 1 << 12;
    x.visits = grow(NULL, x.visits_size * sizeof(*x.visits));
    x.level = grow(NULL, x.level_size * m->state_bytes);
    x.next_level = grow(NULL, x.level_size * m->state_bytes);
    x.level_id = grow(NULL, x.level_size * sizeof(uint32_t));
    x.next_id = grow(NULL, x.level_size * sizeof(uint32_t));
    m->start(state);
    visit_add(state, 0);
    for (level_swap(); x.level_count && !r->fault[0] && !r->cut; level_swap()) {
        for (uint64_t i = 0; i < x.level_count && !r->fault[0] && !r->cut; i++) {
            expand(i);
            r->cut = r->states >= states_max;
        }
        r->depth++;
    }
    free(x.seen);
    free(x.visits);
    free(x.level);
    free(x.next_level);
    free(x.level_id);
    free(x.next_id);
}
