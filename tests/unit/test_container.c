// SPDX-License-Identifier: MIT
// Containers of one node: first touch, copy on write, clones, content, and that all frames return.
// links: ssi/container/*.c mm/space*.c mm/user.c lib/radix.c lib/string.c lib/fmt.c lib/log.c
// links: tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/single.c
// links: tests/sim/ports/alone.c
#include "tests/unit/unit.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "tests/sim/ports/ports.h"

#define BASE 0x8000000u
#define PG   PAGE_SIZE

// Providers: page i is full of byte i. The image lends its even pages; both fail beyond page 40.
static frame_t lent[64];
static int touches;

static int give(const struct io_source *s, uint32_t index, void *page)
{
    touches++;
    if (index >= 40)
        return -EIO;
    memset(page, (int)(index + s->object), PAGE_SIZE);
    return 0;
}

static frame_t lend(const struct io_source *s, uint32_t index)
{
    if (index >= 40 || index % 2)
        return FRAME_NONE;
    if (lent[index] == FRAME_NONE) {
        lent[index] = frame_alloc(0);
        memset(frame_low_address(lent[index]), (int)(index + s->object), PAGE_SIZE);
    }
    return lent[index];
}

const struct io_linker io_image = {.name = "image", .first_touch = give, .shared_frame = lend};
const struct io_linker io_file = {.name = "file", .first_touch = give};

static struct space *space_with(struct container *c, uint32_t pages, unsigned flags)
{
    struct space *s = space_new();
    assert_int_equal(
        space_map(s, BASE, pages * PG, PROT_R | PROT_W, flags, c, 0, &container_segment_ops, NULL),
        0);
    return s;
}

static void poke(struct space *s, uint32_t page, uint8_t v)
{
    for (int tries = 0; !port_user_touch(&s->arch, BASE + page * PG, true, &v); tries++) {
        assert_in_range(tries, 0, 2);
        assert_int_equal(space_fault(s, BASE + page * PG, PROT_W), 0);
    }
}

static uint8_t peek(struct space *s, uint32_t page)
{
    uint8_t v;
    for (int tries = 0; !port_user_touch(&s->arch, BASE + page * PG, false, &v); tries++) {
        assert_in_range(tries, 0, 2);
        assert_int_equal(space_fault(s, BASE + page * PG, PROT_R), 0);
    }
    return v;
}

static uint32_t frames_at_start;

static int begin(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        if (lent[i])
            frame_put(lent[i]);
        lent[i] = FRAME_NONE;
    }
    touches = 0;
    frames_at_start = frame_free_count();
    return 0;
}

static int end(void **state)
{
    (void)state;
    containers_check();
    for (unsigned i = 0; i < 64; i++) {
        if (lent[i])
            frame_put(lent[i]);
        lent[i] = FRAME_NONE;
    }
    assert_int_equal(frame_free_count(), frames_at_start);
    assert_int_equal(heap_bytes_used(), 0);
    return 0;
}

// Of many segments, as mprotect(2) makes them, a page is found in its own, and goes with it; shown
// at another place as well it stays until that one goes, too.
static void pages_of_many_segments(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous();
    struct space *s = space_with(c, 200, 0);
    for (uint32_t i = 0; i < 200; i++)
        poke(s, i, (uint8_t)i);
    for (uint32_t i = 0; i < 200; i += 2)
        assert_int_equal(space_protect(s, BASE + i * PG, PG, PROT_R), 0);
    assert_int_equal(container_segment_count(c), 200);
    assert_int_equal(space_unmap(s, BASE + 50 * PG, 20 * PG), 0);
    assert_int_equal(container_pages_present(c), 180);
    assert_int_equal(container_discard(c, 80, 20), 0);
    assert_int_equal(peek(s, 79), 79);
    assert_int_equal(peek(s, 80), 0);
    assert_int_equal(peek(s, 99), 0);
    assert_int_equal(peek(s, 100), 100);
    containers_check();

    container_get(c);
    assert_int_equal(space_map(s, BASE + 300 * PG, 20 * PG, PROT_R | PROT_W, 0, c, 100,
                               &container_segment_ops, NULL),
                     0);
    assert_int_equal(space_unmap(s, BASE + 90 * PG, 20 * PG), 0);
    assert_int_equal(peek(s, 300), 100);
    assert_int_equal(peek(s, 309), 109);
    assert_int_equal(container_discard(c, 110, 10), 0);
    assert_int_equal(peek(s, 110), 0);
    assert_int_equal(peek(s, 310), 0);
    poke(s, 311, 7);
    assert_int_equal(peek(s, 111), 7);
    uint32_t before = container_pages_present(c);
    assert_int_equal(space_unmap(s, BASE + 300 * PG, 5 * PG), 0);
    assert_int_equal(container_pages_present(c), before - 5);
    containers_check();
    space_put(s);
}

static void anonymous_pages(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous();
    struct space *s = space_with(c, 100, 0);
    assert_int_equal(peek(s, 7), 0);
    poke(s, 7, 5);
    poke(s, 99, 6);
    assert_int_equal(peek(s, 7), 5);
    assert_int_equal(container_pages_present(c), 2);
    assert_int_equal(s->minor_faults, 2); // what was read first needs no second fault to write
    containers_check();
    space_put(s);
}

static void part_unmapped_is_forgotten(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous();
    struct space *s = space_with(c, 10, 0);
    for (uint32_t i = 0; i < 10; i++)
        poke(s, i, 1);
    assert_int_equal(space_unmap(s, BASE + 6 * PG, 4 * PG), 0);
    assert_int_equal(container_pages_present(c), 6);
    // The break grows again into the same container: zeros.
    assert_true(container_extends(c, 6));
    assert_false(container_extends(c, 5));
    container_get(c);
    assert_int_equal(
        space_map(s, BASE + 6 * PG, PG, PROT_R | PROT_W, 0, c, 6, &container_segment_ops, NULL), 0);
    assert_int_equal(peek(s, 6), 0);
    assert_int_equal(peek(s, 5), 1);
    containers_check();
    space_put(s);
}

static void forks(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous(), *shared = container_new_anonymous();
    struct space *a = space_with(c, 200, 0);
    assert_int_equal(space_map(a, BASE + 300 * PG, 4 * PG, PROT_R | PROT_W, SEGMENT_SHARED, shared,
                               0, &container_segment_ops, NULL),
                     0);
    for (uint32_t i = 0; i < 200; i++)
        poke(a, i, (uint8_t)i);
    poke(a, 300, 1);
    // A hole makes two segments of one container: the clone has one container, too.
    assert_int_equal(space_unmap(a, BASE + 100 * PG, PG), 0);
    uint32_t before = frame_free_count();
    struct space *b = container_clone_space(a);
    assert_non_null(b);
    assert_int_equal(frame_free_count(), before);
    assert_ptr_equal(space_find(b, BASE)->object, space_find(b, BASE + 150 * PG)->object);
    assert_ptr_not_equal(space_find(b, BASE)->object, c);
    assert_ptr_equal(space_find(b, BASE + 300 * PG)->object, shared);
    space_check(b);

    poke(a, 3, 77);
    poke(b, 4, 88);
    poke(b, 300, 99);
    assert_int_equal(peek(b, 3), 3);
    assert_int_equal(peek(a, 4), 4);
    assert_int_equal(peek(a, 3), 77);
    assert_int_equal(peek(b, 4), 88);
    assert_int_equal(peek(a, 300), 99);
    // The other side is the only user now: it writes without a copy.
    uint32_t copied = frame_free_count();
    poke(b, 3, 1);
    assert_int_equal(frame_free_count(), copied);
    assert_int_equal(peek(a, 3), 77);
    containers_check();
    space_put(a);
    assert_int_equal(peek(b, 199), 199);
    space_put(b);
}

static void two_segments_see_a_copy(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous();
    struct space *s = space_with(c, 4, SEGMENT_SHARED);
    container_get(c);
    assert_int_equal(space_map(s, BASE + 10 * PG, 4 * PG, PROT_R | PROT_W, SEGMENT_SHARED, c, 0,
                               &container_segment_ops, NULL),
                     0);
    poke(s, 1, 4);
    assert_int_equal(peek(s, 11), 4);
    struct container *snapshot = container_clone(c);
    poke(s, 11, 5);
    assert_int_equal(peek(s, 1), 5);
    struct xfer x;
    uint8_t byte;
    xfer_kernel(&x, &byte, 1);
    assert_int_equal(container_read(snapshot, PG, &x), 0);
    assert_int_equal(byte, 4);
    container_put(snapshot);
    space_put(s);
}

static void images(void **state)
{
    (void)state;
    struct io_source source = {.kind = IO_image, .object = 3};
    struct container *c = container_new(&source);
    struct space *s = space_with(c, 64, 0);
    assert_int_equal(peek(s, 16), 19);
    assert_int_equal(touches, 0);
    uint8_t v;
    assert_true(port_user_touch(&s->arch, BASE + 18 * PG, false, &v)); // fault-around
    assert_int_equal(v, 21);
    assert_false(port_user_touch(&s->arch, BASE + 18 * PG, true, &v));
    assert_false(port_user_touch(&s->arch, BASE + 32 * PG, false, &v)); // another block
    assert_int_equal(peek(s, 17), 20);
    assert_int_equal(touches, 1);
    poke(s, 16, 1);
    poke(s, 17, 2);
    assert_int_equal(*(uint8_t *)frame_low_address(lent[16]), 19);
    struct space *b = container_clone_space(s);
    assert_int_equal(peek(b, 16), 1);
    assert_int_equal(peek(b, 17), 2);
    assert_int_equal(peek(b, 18), 21);
    poke(b, 18, 9);
    assert_int_equal(peek(s, 18), 21);
    assert_int_equal(space_fault(s, BASE + 41 * PG, PROT_R), -EIO);
    containers_check();
    space_put(b);
    space_put(s);
}

static void content(void **state)
{
    (void)state;
    struct container *c = container_new_anonymous();
    char text[2 * PAGE_SIZE], back[2 * PAGE_SIZE];
    memset(text, 'x', sizeof(text));
    struct xfer x;
    xfer_kernel(&x, text, sizeof(text));
    assert_int_equal(container_write(c, 5 * PG + 100, &x), 0);
    assert_int_equal(x.done, sizeof(text));
    assert_int_equal(container_pages_present(c), 3);
    memset(back, 'y', sizeof(back));
    xfer_kernel(&x, back, 200);
    assert_int_equal(container_read(c, 5 * PG, &x), 0);
    assert_int_equal(back[99], 0);
    assert_int_equal(back[100], 'x');
    xfer_kernel(&x, back, 10);
    assert_int_equal(container_read(c, 100 * PG, &x), 0); // a hole
    assert_int_equal(back[0], 0);
    assert_int_equal(container_pages_present(c), 3);
    container_truncate(c, 6 * PG + 10);
    assert_int_equal(container_pages_present(c), 2);
    xfer_kernel(&x, back, 20);
    assert_int_equal(container_read(c, 6 * PG, &x), 0);
    assert_int_equal(back[9], 'x');
    assert_int_equal(back[10], 0);
    // Shared mappings see writes, and lose what is truncated.
    container_get(c);
    struct space *s = space_with(c, 10, SEGMENT_SHARED);
    assert_int_equal(peek(s, 6), 'x');
    xfer_kernel(&x, "z", 1);
    assert_int_equal(container_write(c, 6 * PG, &x), 0);
    assert_int_equal(peek(s, 6), 'z');
    container_truncate(c, 0);
    uint8_t v;
    assert_false(port_user_touch(&s->arch, BASE + 6 * PG, false, &v));
    space_put(s);
    assert_int_equal(container_discard(c, 0, UINT32_MAX), 0);
    container_put(c);
}

static void runs_out_of_memory(void **state)
{
    (void)state;
    port_frames_limit(10);
    struct container *c = container_new_anonymous();
    struct space *s = space_with(c, 100, 0);
    for (uint32_t i = 0; i < 10; i++)
        poke(s, i, 1);
    assert_int_equal(space_fault(s, BASE + 10 * PG, PROT_W), -ENOMEM);
    struct space *b = container_clone_space(s);
    assert_int_equal(space_fault(s, BASE, PROT_W), -ENOMEM);
    assert_int_equal(peek(s, 0), 1);
    space_put(b);
    poke(s, 0, 2);
    for (uint32_t n = 1; n < 40; n++) {
        heap_fail_at(n);
        b = container_clone_space(s);
        heap_fail_at(0);
        containers_check();
        space_check(s);
        if (b)
            space_put(b);
    }
    assert_int_equal(peek(s, 9), 1);
    space_put(s);
    port_frames_limit(0);
}

int main(void)
{
    SET_FOREACH (init, const struct init_step, step) {
        (*step)->run();
    }
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(anonymous_pages), TEST(pages_of_many_segments),  TEST(part_unmapped_is_forgotten),
        TEST(forks),           TEST(two_segments_see_a_copy), TEST(images),
        TEST(content),         TEST(runs_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
