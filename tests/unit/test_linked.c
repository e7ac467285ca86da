// SPDX-License-Identifier: MIT
// links: ssi/container/*.c mm/space.c mm/user.c lib/radix.c lib/string.c lib/fmt.c lib/log.c
// links: kernel/work.c tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/node.c
// links: tests/sim/ports/clock.c tests/sim/ports/random.c tests/sim/ports/threads.c kernel/wait.c
// links: tests/sim/ports/mesh.c
// libs: -DWEFT_SIM

// Containers over several nodes, the shipped code on a virtual clock: pages follow a process,
// drain and home move, forks after a move, shared memory, deaths; and every frame comes back.
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
static void equal_or_abort(long a, long b, int line)
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

static int give(const struct io_source *s, uint32_t index, void *page)
{
    if (s->kind == IO_file)
        (void)wait_for_ns(1000000, 0);
    memset(page, (int)(index + s->object), PAGE_SIZE);
    return 0;
}

static frame_t lend(const struct io_source *s, uint32_t index)
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

static int touch(struct space *s, uint32_t page, bool write, uint8_t *v)
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

static uint8_t peek(struct space *s, uint32_t page)
{
    uint8_t v = 0xee;
    assert_int_equal(touch(s, page, false, &v), 0);
    return v;
}

static void poke(struct space *s, uint32_t page, uint8_t v)
{
    assert_int_equal(touch(s, page, true, &v), 0);
}

static void map(struct space *s, uint32_t at, uint32_t pages, struct container *c, unsigned flags)
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
static void move(struct program *p, unsigned to)
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

static void script_run(void *arg)
{
    struct script *s = arg;
    s->fn(s->arg);
    free(s);
    running--;
}

static void start(unsigned node, void (*fn)(void *), void *arg)
{
    struct script *s = malloc(sizeof(*s));
    *s = (struct script){fn, arg};
    running++;
    mesh_enter(node);
    thread_create("script", THREAD_NORMAL, script_run, s);
}

static bool all_done(void *arg)
{
    (void)arg;
    return running == 0;
}

static void run_scripts(void)
{
    if (!sim_run(clock_now_ns() + 100 * S, all_done, NULL)) {
        fprintf(stderr, "seed %u: %d scripts wait for ever\n", seed_now, running);
        abort();
    }
}

static void run_one(unsigned node, void (*fn)(void *), void *arg)
{
    start(node, fn, arg);
    run_scripts();
}

static void check_all(void)
{
    for (unsigned i = 0; i < NODES; i++) {
        mesh_enter(i);
        if (cluster_is_member((node_id_t)i))
            containers_check();
    }
}

static int begin(void **state)
{
    (void)state;
    running = 0;
    mesh_setting_drain = NULL;
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

static uint32_t lent_count(unsigned node)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < 64; i++)
        n += lent[node][i] != FRAME_NONE;
    return n;
}

static int end(void **state)
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

static void fill(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < PAGES; i++)
        poke(p->space, i, (uint8_t)(i * 7));
}

static void read_all(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < PAGES; i++)
        assert_int_equal(peek(p->space, i), (uint8_t)(i * 7));
}

static void quit(void *arg)
{
    struct program *p = arg;
    space_put(p->space);
    p->space = NULL;
}

static void make(struct program *p, unsigned node)
{
    mesh_enter(node);
    p->node = node;
    p->space = space_new();
    map(p->space, 0, PAGES + 20, container_new_anonymous(), 0);
}

static struct container *container_at(struct program *p, uint32_t page)
{
    return space_find(p->space, BASE + page * PG)->object;
}

// ---- tests --------------------------------------------------------------------------------------

static void pages_follow(void **state)
{
    (void)state;
    struct program p;
    mesh_setting_drain = "off";
    make(&p, 0);
    run_one(0, fill, &p);
    mesh_traffic = (struct mesh_traffic){0};
    move(&p, 1);
    sim_run_for(S / 10);
    assert_in_range(mesh_traffic.bytes, 0, 1000); // linking and moving is O(1)
    run_one(1, read_all, &p);
    struct container_counts n;
    container_space_counts(p.space, &n);
    assert_int_equal(n.fetched, PAGES);
    assert_int_equal(n.drained, 0);
    // Asked for ahead: far fewer messages than pages.
    assert_in_range(mesh_traffic.messages, 0, PAGES * 3);
    // Untouched pages come without data.
    run_one(1, fill, &p);
    mesh_enter(1);
    uint64_t bytes = mesh_traffic.bytes;
    poke(p.space, 0, 0);
    assert_int_equal(mesh_traffic.bytes, bytes);
    run_one(1, quit, &p);
}

static void touch_new(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(peek(p->space, PAGES + i), 0);
}

static void drains_and_home_moves(void **state)
{
    (void)state;
    struct program p;
    bool home_here;
    make(&p, 0);
    run_one(0, fill, &p);
    struct container *old = container_at(&p, 0);
    move(&p, 1);
    sim_run_for(5 * S);
    mesh_enter(0);
    assert_int_equal(container_pages_only_here(old, &home_here), 0);
    assert_false(home_here);
    assert_int_equal(frame_free_count(), frames_at_start[0]);
    mesh_enter(1);
    assert_int_equal(container_pages_only_here(container_at(&p, 0), &home_here), PAGES);
    assert_true(home_here);
    struct container_counts n;
    container_space_counts(p.space, &n);
    assert_int_equal(n.drained, PAGES);
    // Nothing depends on node 0 any more.
    mesh_kill(0);
    sim_run_for(S);
    run_one(1, read_all, &p);
    run_one(1, touch_new, &p);
    run_one(1, quit, &p);
}

static void fill_many(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < 3000; i++)
        poke(p->space, i, (uint8_t)(i * 3));
}

static void read_many(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < 3000; i++)
        assert_int_equal(peek(p->space, i), (uint8_t)(i * 3));
}

// A directory of thousands of entries is not in the way of a home that follows.
static void drains_much(void **state)
{
    (void)state;
    struct program p = {.node = 0};
    bool home_here;
    mesh_enter(0);
    p.space = space_new();
    map(p.space, 0, 3000, container_new_anonymous(), 0);
    run_one(0, fill_many, &p);
    move(&p, 2);
    sim_run_for(10 * S);
    mesh_enter(2);
    assert_int_equal(container_pages_only_here(container_at(&p, 0), &home_here), 3000);
    assert_true(home_here);
    mesh_kill(0);
    sim_run_for(S);
    run_one(2, read_many, &p);
    run_one(2, quit, &p);
}

static void dies_with_its_pages(void **state)
{
    (void)state;
    struct program p;
    uint8_t v;
    mesh_setting_drain = "off";
    make(&p, 0);
    run_one(0, fill, &p);
    move(&p, 1);
    run_one(1, touch_new, &p);
    mesh_kill(0);
    sim_run_for(S);
    mesh_enter(1);
    assert_int_equal(peek(p.space, PAGES), 0);                  // what is here stays
    assert_int_equal(touch(p.space, 5, false, &v), -EHOSTDOWN); // without a sleep: it is lost
    run_one(1, quit, &p);
}

static void read_until_full(void *arg)
{
    struct program *p = arg;
    uint8_t v;
    int error = 0;
    for (uint32_t i = 0; i < PAGES && error == 0; i++)
        error = touch(p->space, i, false, &v);
    assert_int_equal(error, -ENOMEM);
}

// What a node has no room for stays where it is, and follows when there is room.
static void no_room(void **state)
{
    (void)state;
    struct program p;
    make(&p, 0);
    run_one(0, fill, &p);
    mesh_enter(1);
    port_frames_limit(100);
    mesh_enter(0);
    move(&p, 1);
    run_one(1, read_until_full, &p);
    sim_run_for(3 * S);
    check_all();
    mesh_enter(0);
    assert_int_equal(frame_free_count(), frames_at_start[0] - (PAGES - 100));
    mesh_enter(1);
    port_frames_limit(0);
    run_one(1, read_all, &p);
    sim_run_for(10 * S);
    mesh_enter(0);
    assert_int_equal(frame_free_count(), frames_at_start[0]);
    run_one(1, quit, &p);
}

static void read_until_lost(void *arg)
{
    struct program *p = arg;
    uint8_t v;
    int error = 0;
    for (uint32_t i = 0; i < PAGES && error == 0; i++)
        error = touch(p->space, i, false, &v);
    assert_int_equal(error, -EHOSTDOWN);
}

static void dies_while_asked(void **state)
{
    (void)state;
    struct program p;
    mesh_setting_drain = "off";
    make(&p, 0);
    run_one(0, fill, &p);
    move(&p, 1);
    start(1, read_until_lost, &p);
    sim_run_for(3000000);
    mesh_kill(0);
    run_scripts();
    run_one(1, quit, &p);
}

static uint8_t shadow[PAGES];

static void wander(void *arg)
{
    struct program *p = arg;
    for (unsigned i = 0; i < 40; i++) {
        uint32_t page = (uint32_t)(sim_random() % PAGES);
        if (sim_chance(500))
            poke(p->space, page, shadow[page] = (uint8_t)sim_random());
        else
            assert_int_equal(peek(p->space, page), shadow[page]);
    }
}

static void fork_and_check(void *arg)
{
    struct program *p = arg;
    struct space *child = container_clone_space(p->space);
    assert_non_null(child);
    poke(p->space, 1, shadow[1] = 201);
    for (uint32_t i = 2; i < PAGES; i += 3)
        assert_int_equal(peek(child, i), shadow[i]);
    poke(child, 2, (uint8_t)(shadow[2] + 1));
    assert_int_equal(peek(p->space, 2), shadow[2]);
    assert_int_equal(peek(child, 2), (uint8_t)(shadow[2] + 1));
    space_put(child);
}

// Moves that do not wait for drains, forks in between, on three nodes.
static void back_and_forth(void **state)
{
    (void)state;
    struct program p;
    for (unsigned seed = 1; seed <= 20; seed++) {
        sim_seed(seed);
        memset(shadow, 0, sizeof(shadow));
        make(&p, 0);
        for (unsigned i = 0; i < 20; i++) {
            run_one(p.node, wander, &p);
            if (sim_chance(400))
                run_one(p.node, fork_and_check, &p);
            if (sim_chance(300))
                sim_run_for(sim_random() % S);
            mesh_enter(p.node);
            move(&p, (p.node + 1 + (unsigned)(sim_random() % (NODES - 1))) % NODES);
            check_all();
            mesh_enter(p.node);
        }
        run_one(p.node, quit, &p);
        sim_run_for(3 * S);
        for (unsigned i = 0; i < NODES; i++) {
            mesh_enter(i);
            assert_int_equal(frame_free_count(), frames_at_start[i]);
        }
    }
    assert_int_equal(mesh_counter("container: page message that does not fit"), 0);
    assert_int_equal(mesh_counter("container: malformed page"), 0);
}

static bool lost_something;

static void wander_among_deaths(void *arg)
{
    struct program *p = arg;
    for (unsigned i = 0; i < 40 && !lost_something; i++) {
        uint32_t page = (uint32_t)(sim_random() % PAGES);
        bool write = sim_chance(500);
        uint8_t v = (uint8_t)sim_random();
        int error = touch(p->space, page, write, &v);
        if (error == -EHOSTDOWN)
            lost_something = true;
        else
            assert_int_equal(error, 0);
        if (write && error == 0)
            shadow[page] = v;
        else if (error == 0)
            assert_int_equal(v, shadow[page]);
        if (sim_chance(30))
            (void)wait_for_ns(sim_random() % 30000000, 0);
    }
}

static void die_once(unsigned seed)
{
    struct program p;
    unsigned victim = 1 + seed % 2, at = (unsigned)(sim_random() % 12);
    memset(shadow, 0, sizeof(shadow));
    lost_something = false;
    make(&p, 0);
    for (unsigned i = 0; i < 12 && !lost_something; i++) {
        unsigned to = (p.node + 1 + (unsigned)(sim_random() % (NODES - 1))) % NODES;
        start(p.node, wander_among_deaths, &p);
        sim_run_for(sim_random() % 20000000);
        if (i == at && p.node != victim)
            mesh_kill(victim);
        else if (i == at)
            at++;
        run_scripts();
        mesh_enter(p.node);
        // Nobody moves to the dead, nor before it is known: the hand-off would see to that.
        if (i >= at)
            sim_run_for(S / 10);
        mesh_enter(p.node);
        if (!lost_something && cluster_is_member((node_id_t)to) && (i < at || to != victim))
            move(&p, to);
        check_all();
    }
    run_one(p.node, quit, &p);
}

static void deaths_at_random(void **state)
{
    unsigned survived = 0;
    for (unsigned seed = 1; seed <= 200; seed++) {
        end(state);
        begin(state);
        sim_seed(seed_now = seed);
        die_once(seed);
        survived += !lost_something;
    }
    // Both outcomes are met, or this shows nothing.
    assert_int_equal(survived >= 20 && survived <= 180, 1);
}

// Counters in shared memory, incremented on all nodes at once: none is lost.
static struct program sharers[NODES];

static void increment(void *arg)
{
    struct program *p = arg;
    for (unsigned i = 0; i < 60; i++) {
        uint32_t page = (uint32_t)(sim_random() % 4);
        uint32_t at = BASE + page * PG;
        uint8_t v;
        // No sleep between read and write: the CPU's locked increment.
        while (!port_user_touch(&p->space->arch, at, false, &v) ||
               (v++, !port_user_touch(&p->space->arch, at, true, &v)))
            assert_int_equal(space_fault(p->space, at, PROT_W), 0);
        (void)wait_for_ns(sim_random() % 1000000, 0);
    }
}

static void shared_counters(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 10; seed++) {
        struct container_ref ref;
        sim_seed(seed);
        mesh_enter(0);
        struct container *c = container_new_anonymous();
        assert_int_equal(container_export(c, &ref), 0);
        for (unsigned i = 0; i < NODES; i++) {
            mesh_enter(i);
            sharers[i] = (struct program){.space = space_new(), .node = i};
            map(sharers[i].space, 0, 4, i ? container_import(&ref) : c, SEGMENT_SHARED);
            start(i, increment, &sharers[i]);
        }
        run_scripts();
        check_all();
        unsigned sum = 0;
        for (uint32_t page = 0; page < 4; page++) {
            uint8_t v;
            for (unsigned i = 0; i < NODES; i++) {
                mesh_enter(i);
                uint32_t frame;
                unsigned rights;
                if (arch_space_look(&sharers[i].space->arch, BASE + page * PG, &frame, &rights)) {
                    port_user_touch(&sharers[i].space->arch, BASE + page * PG, false, &v);
                    sum += v;
                    break;
                }
            }
        }
        assert_int_equal(sum, NODES * 60);
        for (unsigned i = 0; i < NODES; i++) {
            mesh_enter(i);
            run_one(i, quit, &sharers[i]);
        }
        sim_run_for(S);
    }
}

static void poke_seven(void *arg)
{
    struct program *p = arg;
    assert_int_equal(peek(p->space, 8), 11);
    poke(p->space, 7, 99);
}

static void check_image(void *arg)
{
    struct program *p = arg;
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(peek(p->space, i), i == 7 ? 99 : i + 3);
    poke(p->space, 9, 1);
}

// Clean pages do not travel: their provider gives them on every node.
static void image_and_file(void **state)
{
    (void)state;
    for (unsigned kind = IO_image; kind <= IO_file; kind++) {
        struct program p = {.node = 0};
        struct io_source source = {.kind = (uint16_t)kind, .object = 3};
        mesh_enter(0);
        p.space = space_new();
        map(p.space, 0, 64, container_new(&source), 0);
        run_one(0, poke_seven, &p);
        move(&p, 2);
        mesh_traffic = (struct mesh_traffic){0};
        run_one(2, check_image, &p);
        assert_in_range(mesh_traffic.bytes, PAGE_SIZE, 3 * PAGE_SIZE);
        sim_run_for(2 * S);
        mesh_enter(2);
        move(&p, 1);
        mesh_enter(1);
        sim_run_for(2 * S);
        if (kind == IO_file)
            mesh_kill(0); // where it began
        sim_run_for(S);
        mesh_enter(1);
        run_one(1, quit, &p);
    }
}

// ---- hostile bytes ------------------------------------------------------------------------------

static void poke_some(void *arg)
{
    struct program *p = arg;
    uint8_t v = 1;
    for (uint32_t i = 0; i < 30; i++)
        (void)touch(p->space, (uint32_t)(sim_random() % 40), sim_chance(500), &v);
}

static size_t hostile_pages(uint8_t *bytes, const struct container_head_wire *head)
{
    size_t n = sizeof(*head);
    memcpy(bytes, head, n);
    for (unsigned i = 0; i < (head->count & 7); i++) {
        struct container_page_wire w = {.index = sim_chance(950) ? (uint32_t)(sim_random() % 40)
                                                                 : (uint32_t)sim_random(),
                                        .coh = {.kind = (uint8_t)(sim_random() % 40),
                                                .right = (uint8_t)(sim_random() % 4),
                                                .held = (uint8_t)(sim_random() % 6),
                                                .flags = (uint8_t)(sim_random() % 9),
                                                .node = (uint16_t)(sim_random() % 5)},
                                        .content = (uint8_t)(sim_random() % 4)};
        memcpy(bytes + n, &w, sizeof(w));
        n += sizeof(w) + (w.content == CONTENT_BYTES ? PG : 0);
    }
    return n;
}

static void hostile_message(uint8_t *bytes, const struct container_id *id, unsigned from)
{
    struct container_head_wire head = {.id = *id,
                                       .generation = (uint32_t)(sim_random() % 4),
                                       .home = (uint16_t)(sim_random() % 5),
                                       .count = (uint16_t)(sim_random() % 40)};
    struct rpc_in in = {.from = (node_id_t)from, .bytes = bytes};
    unsigned which = (unsigned)(sim_random() % 4);
    for (unsigned i = 0; i < 600; i++)
        bytes[i] = sim_chance(300) ? (uint8_t)sim_random() : 0;
    memcpy(bytes, &head, sizeof(head));
    in.n = which == 0   ? hostile_pages(bytes, &head)
           : which == 1 ? sizeof(struct container_note_wire)
           : which == 2 ? sizeof(struct container_gate_wire) + sim_random() % 64
                        : sizeof(struct container_adopt_wire);
    if (sim_chance(100))
        in.n = sim_random() % (in.n + 1);
    (which == 0   ? container_on_pages
     : which == 1 ? container_on_note
     : which == 2 ? container_on_gate
                  : container_on_adopt)(&in);
}

// A peer that lies may spoil the containers it shares; it stops no node.
static void hostile_peer(void **state)
{
    static uint8_t bytes[64 << 10];
    struct program p;
    for (unsigned seed = 1; seed <= 60; seed++) {
        sim_seed(seed);
        make(&p, 0);
        run_one(0, poke_some, &p);
        struct container_id id = {.node = 0};
        struct container_ref ref;
        assert_int_equal(container_export(container_at(&p, 0), &ref), 0);
        id = ref.id;
        if (sim_chance(700))
            move(&p, 1);
        start(p.node, poke_some, &p);
        for (unsigned i = 0; i < 200; i++) {
            mesh_enter((unsigned)(sim_random() % 2));
            hostile_message(bytes, &id, 2);
            sim_run_for(sim_random() % 1000000);
        }
        // Threads may wait for what a liar has taken: the nodes are thrown away with them.
        mesh_stop();
        begin(state);
    }
}

// Threads of nodes that ended are left lying; what rooms leak is counted in end().
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(pages_follow),   TEST(drains_and_home_moves),
        TEST(drains_much),    TEST(dies_with_its_pages),
        TEST(no_room),        TEST(dies_while_asked),
        TEST(back_and_forth), TEST(shared_counters),
        TEST(image_and_file), TEST(deaths_at_random),
        TEST(hostile_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
