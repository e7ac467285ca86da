// SPDX-License-Identifier: MIT
// links: ssi/container/*.c mm/space*.c mm/user.c lib/radix.c lib/string.c lib/fmt.c lib/log.c
// links: kernel/work.c tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/node.c
// links: tests/sim/ports/clock.c tests/sim/ports/random.c tests/sim/ports/threads.c kernel/wait.c
// links: tests/sim/ports/mesh.c
// libs: -DWEFT_SIM

// Containers over several nodes, the shipped code on a virtual clock: pages follow a process,
// drain and home move, forks after a move, shared memory, deaths; and every frame comes back.
#include "tests/unit/linked_world.h"

static void pages_follow(void **state)
{
    (void)state;
    struct program p;
    mesh_off = "drain";
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
    mesh_off = "drain";
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

// `reads` on a node that has frames for 100 pages only, then on one that has enough: what there is
// no room for stays where it is, and follows when there is. How many had stayed.
static uint32_t stayed(void (*reads)(void *program))
{
    struct program p;
    make(&p, 0);
    run_one(0, fill, &p);
    mesh_enter(1);
    port_frames_limit(100);
    mesh_enter(0);
    move(&p, 1);
    run_one(1, reads, &p);
    sim_run_for(3 * S);
    check_all();
    mesh_enter(0);
    uint32_t left = frames_at_start[0] - frame_free_count();
    mesh_enter(1);
    port_frames_limit(0);
    run_one(1, read_all, &p);
    sim_run_for(10 * S);
    mesh_enter(0);
    assert_int_equal(frame_free_count(), frames_at_start[0]);
    run_one(1, quit, &p);
    return left;
}

static void no_room(void **state)
{
    (void)state;
    mesh_off = "lodge";
    assert_int_equal(stayed(read_until_full), PAGES - 100);
}

// With lodging what is read makes other pages go back.
static void no_room_for_all_at_once(void **state)
{
    (void)state;
    assert_true(stayed(read_all) >= PAGES - 100);
}

static void others_take(bool all)
{
    for (unsigned n = 1; n < NODES; n++) {
        mesh_enter(n);
        port_frames_take(all ? frame_free_count() : 0);
    }
    mesh_enter(0);
}

// Nobody can lodge anything at first: what had the memory there has only just ended.
static void room_comes_late(void **state)
{
    (void)state;
    struct program p;
    make(&p, 0);
    others_take(true);
    port_frames_limit(200);
    start(0, fill, &p);
    sim_run_for(S);
    others_take(false);
    run_scripts();
    run_one(0, read_all, &p);
    mesh_enter(0);
    port_frames_limit(0);
    run_one(0, quit, &p);
}

static void fill_until_full(void *arg)
{
    struct program *p = arg;
    uint8_t v = 1;
    int error = 0;
    for (uint32_t i = 0; i < PAGES && error == 0; i++)
        error = touch(p->space, i, true, &v);
    assert_int_equal(error, -ENOMEM);
}

// That a shortage was without hope says nothing of the next one, however soon it comes.
static void hope_comes_back(void **state)
{
    (void)state;
    struct program p;
    make(&p, 0);
    others_take(true);
    port_frames_limit(200);
    run_one(0, fill_until_full, &p);
    run_one(0, quit, &p);
    sim_run_for(S / 10);
    others_take(false);
    make(&p, 0);
    run_one(0, fill, &p);
    run_one(0, read_all, &p);
    mesh_enter(0);
    port_frames_limit(0);
    run_one(0, quit, &p);
}

// What has ended is on its way to be free: that nothing else can go is not without hope.
static void one_after_another(void **state)
{
    (void)state;
    struct program p;
    mesh_enter(0);
    port_frames_limit(200);
    for (unsigned i = 0; i < 6; i++) {
        make(&p, 0);
        run_one(0, fill, &p);
        run_one(0, read_all, &p);
        run_one(0, quit, &p);
    }
    mesh_enter(0);
    port_frames_limit(0);
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
    mesh_off = "drain";
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

#define SECOND 2000u
#define THIRD  3000u

static struct space *twin;

static void clones(void *arg)
{
    const struct program *p = arg;
    twin = container_clone_space(p->space);
}

static void writes_and_unmaps(void *arg)
{
    const struct program *p = arg;
    poke(p->space, 0, 1);
    poke(p->space, SECOND, 2);
    container_space_settle(p->space);
    assert_int_equal(space_unmap(p->space, BASE + THIRD * PG, PG), 0);
}

// What another thread does while a space is cloned is in the clone up to some moment, in its order:
// so a child's lists of stacks name stacks that it has.
static void clone_of_one_moment(void **state)
{
    (void)state;
    struct program p = {.node = 0};
    mesh_enter(0);
    p.space = space_new();
    map(p.space, 0, 1000, container_new_anonymous(), 0);
    map(p.space, SECOND, 1, container_new_anonymous(), 0);
    map(p.space, THIRD, 1, container_new_anonymous(), 0);
    for (uint32_t i = 0; i < 1000; i++)
        poke(p.space, i, 0);
    start(0, clones, &p);
    start(0, writes_and_unmaps, &p);
    run_scripts();
    mesh_enter(0);
    assert_non_null(twin);
    uint8_t first = peek(twin, 0), second = peek(twin, SECOND);
    bool third = space_find(twin, BASE + THIRD * PG) != NULL;
    assert_int_equal(first, 0); // it was shared before the other thread ran
    assert_int_equal(second, 0);
    assert_true(third);
    assert_int_equal(peek(p.space, 0), 1);
    assert_int_equal(peek(p.space, SECOND), 2);
    assert_null(space_find(p.space, BASE + THIRD * PG));
    space_put(twin);
    run_one(0, quit, &p);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(deaths_at_random),
        TEST(dies_with_its_pages),
        TEST(dies_while_asked),
        TEST(drains_much),
        TEST(no_room),
        TEST(no_room_for_all_at_once),
        TEST(room_comes_late),
        TEST(hope_comes_back),
        TEST(one_after_another),
        TEST(drains_and_home_moves),
        TEST(back_and_forth),
        TEST(shared_counters),
        TEST(image_and_file),
        TEST(pages_follow),
        TEST(clone_of_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
