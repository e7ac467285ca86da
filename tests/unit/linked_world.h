// SPDX-License-Identifier: MIT
// The world of the tests of linked containers: three nodes on a virtual clock, providers, programs
// that move, scripts; begin and end check that every frame and byte comes back.
#pragma once

#include "tests/unit/unit.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container.h"
#include "ssi/container/wire.h"
#include "tests/sim/ports/mesh.h"
#include "tests/sim/ports/ports.h"
#include "tests/sim/ports/sim.h"

#define BASE  0x8000000u
#define PG    PAGE_SIZE
#define S     1000000000ull
#define NODES 3

// Scripts run on stacks of their own, which cmocka's way of ending a test would leave behind.
static inline void equal_or_abort(long a, long b, int line)
{
    if (a == b)
        return;
    fprintf(stderr, "%s:%d: %ld != %ld\n", __FILE__, line, a, b);
    abort();
}
#undef assert_int_equal
#define assert_int_equal(a, b) equal_or_abort((long)(a), (long)(b), __LINE__)

static unsigned seed_now;
static uint32_t frames_at_start[NODES];
static size_t heap_at_start[NODES];

// ---- providers: page i is full of byte i; the image lends, the file sleeps ----------------------

static frame_t lent[NODES][64];

static inline int give(const struct io_source *s, uint32_t index, void *page)
{
    if (s->kind == IO_file)
        (void)wait_for_ns(1000000, 0);
    memset(page, (int)(index + s->object), PAGE_SIZE);
    return 0;
}

static inline frame_t lend(const struct io_source *s, uint32_t index)
{
    if (index >= 64 || index % 4 == 3)
        return FRAME_NONE;
    frame_t *f = &lent[cluster_self()][index];
    if (*f == FRAME_NONE) {
        *f = frame_alloc(0);
        memset(frame_low_address(*f), (int)(index + s->object), PAGE_SIZE);
    }
    return *f;
}

extern const struct io_linker io_image, io_file;
const struct io_linker io_image = {.name = "image", .first_touch = give, .shared_frame = lend};
const struct io_linker io_file = {.name = "file", .first_touch = give};

// ---- a process that moves: a space, and the node it is on ---------------------------------------

struct program {
    struct space *space;
    unsigned node;
};

static inline int touch(struct space *s, uint32_t page, bool write, uint8_t *v)
{
    for (int tries = 0; tries < 1000; tries++) {
        if (port_user_touch(&s->arch, BASE + page * PG, write, v))
            return 0;
        int error = space_fault(s, BASE + page * PG, write ? PROT_W : PROT_R);
        if (error < 0)
            return error;
    }
    return -ETIMEDOUT;
}

static inline uint8_t peek(struct space *s, uint32_t page)
{
    uint8_t v = 0xee;
    assert_int_equal(touch(s, page, false, &v), 0);
    return v;
}

static inline void poke(struct space *s, uint32_t page, uint8_t v)
{
    assert_int_equal(touch(s, page, true, &v), 0);
}

static inline void map(struct space *s, uint32_t at, uint32_t pages, struct container *c,
                       unsigned flags)
{
    assert_int_equal(space_map(s, BASE + at * PG, pages * PG, PROT_R | PROT_W, flags, c, 0,
                               &container_segment_ops, NULL),
                     0);
}

struct shipped {
    struct container_ref ref;
    uint32_t start, end, index;
    unsigned prot, flags;
};

// As a hand-off does it: references out, references in, COMMIT, drain, the old space goes.
static inline void move(struct program *p, unsigned to)
{
    struct shipped ghost[16];
    unsigned n = 0;
    struct segment *g;
    list_for_each (g, &p->space->segments, link) {
        ghost[n] = (struct shipped){.start = g->start,
                                    .end = g->end,
                                    .index = g->index,
                                    .prot = g->prot,
                                    .flags = g->flags};
        assert_int_equal(container_export(g->object, &ghost[n++].ref), 0);
    }
    mesh_enter(to);
    struct space *s = space_new();
    for (unsigned i = 0; i < n; i++) {
        struct container *c = container_import(&ghost[i].ref);
        assert_non_null(c);
        assert_int_equal(space_map(s, ghost[i].start, ghost[i].end - ghost[i].start, ghost[i].prot,
                                   ghost[i].flags, c, ghost[i].index, &container_segment_ops, NULL),
                         0);
    }
    mesh_enter(p->node);
    list_for_each (g, &p->space->segments, link)
        container_drain(g->object, (node_id_t)to);
    space_put(p->space);
    p->space = s;
    p->node = to;
    mesh_enter(to);
}

// ---- running scripts ----------------------------------------------------------------------------

static int running;

struct script {
    void (*fn)(void *);
    void *arg;
};

static inline void script_run(void *arg)
{
    struct script *s = arg;
    s->fn(s->arg);
    free(s);
    running--;
}

static inline void start(unsigned node, void (*fn)(void *), void *arg)
{
    struct script *s = malloc(sizeof(*s));
    *s = (struct script){fn, arg};
    running++;
    mesh_enter(node);
    thread_create("script", THREAD_NORMAL, script_run, s);
}

static inline bool all_done(void *arg)
{
    (void)arg;
    return running == 0;
}

static inline void run_scripts(void)
{
    if (!sim_run(clock_now_ns() + 100 * S, all_done, NULL)) {
        fprintf(stderr, "seed %u: %d scripts wait for ever\n", seed_now, running);
        abort();
    }
}

static inline void run_one(unsigned node, void (*fn)(void *), void *arg)
{
    start(node, fn, arg);
    run_scripts();
}

static inline void check_all(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        mesh_enter(i);
        if (cluster_is_member((node_id_t)i))
            containers_check();
    }
}

static inline int begin(void **state)
{
    (void)state;
    running = 0;
    mesh_off = NULL;
    sim_seed(42);
    mesh_start(NODES);
    sim_run_for(S / 100);
    memset(lent, 0, sizeof(lent));
    for (unsigned i = 0; i < NODES; i++) {
        mesh_enter(i);
        frames_at_start[i] = frame_free_count();
        heap_at_start[i] = heap_bytes_used();
    }
    return 0;
}

static inline uint32_t lent_count(unsigned node)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < 64; i++)
        n += lent[node][i] != FRAME_NONE;
    return n;
}

static inline int end(void **state)
{
    (void)state;
    sim_run_for(2 * S);
    check_all();
    for (unsigned i = 0; i < NODES; i++) {
        mesh_enter(i);
        if (!cluster_is_member((node_id_t)i))
            continue;
        uint32_t frames = frame_free_count() + lent_count(i);
        if (frames != frames_at_start[i] || heap_bytes_used() != heap_at_start[i]) {
            static char text[4096];
            struct text t;
            text_init(&t, text, sizeof(text));
            containers_show(&t);
            fprintf(stderr, "seed %u, node %u:\n%s", seed_now, i, text);
        }
        assert_int_equal(frames, frames_at_start[i]);
        assert_int_equal(heap_bytes_used(), heap_at_start[i]);
    }
    mesh_stop();
    return 0;
}

// ---- scripts ------------------------------------------------------------------------------------

enum {
    PAGES = 300
};

static inline void fill(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < PAGES; i++)
        poke(p->space, i, (uint8_t)(i * 7));
}

static inline void read_all(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < PAGES; i++)
        assert_int_equal(peek(p->space, i), (uint8_t)(i * 7));
}

static inline void quit(void *arg)
{
    struct program *p = arg;
    space_put(p->space);
    p->space = NULL;
}

static inline void make(struct program *p, unsigned node)
{
    mesh_enter(node);
    p->node = node;
    p->space = space_new();
    map(p->space, 0, PAGES + 20, container_new_anonymous(), 0);
}

static inline struct container *container_at(struct program *p, uint32_t page)
{
    return space_find(p->space, BASE + page * PG)->object;
}

// Threads of nodes that ended are left lying; what rooms leak is counted in end().
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
