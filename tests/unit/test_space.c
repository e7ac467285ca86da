// SPDX-License-Identifier: MIT
// Segment lists: split, join, map over, protect, holes, stacks; user copies over faults.
// links: mm/space*.c mm/user.c lib/radix.c lib/string.c
// links: tests/sim/ports/frames.c tests/sim/ports/space.c
#include "tests/unit/unit.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/space.h"
#include "mm/user.h"
#include "tests/sim/ports/ports.h"

// An object whose page i is a frame filled with i: it counts who refers to it.
struct thing {
    int attached, given, faults;
    frame_t frame[64];
    struct thing *meanwhile; // where the first segment of this was, another thread maps that
};

static int thing_fault(struct segment *s, uint32_t index, unsigned access,
                       struct fault_answer *answer)
{
    struct thing *t = s->object;
    t->faults++;
    if (index >= 64)
        return -EIO;
    if (t->frame[index] == FRAME_NONE) {
        t->frame[index] = frame_alloc(0);
        memset(frame_low_address(t->frame[index]), (int)index, PAGE_SIZE);
        return -EAGAIN;
    }
    *answer = (struct fault_answer){.frame = t->frame[index], .writable = access & PROT_W};
    return 0;
}

static void thing_attach(struct segment *s)
{
    struct thing *t = s->object;
    t->attached++;
    t->given += s->reference_given;
}

static void thing_detach(struct segment *s);

static const struct segment_ops thing_ops = {thing_fault, thing_attach, thing_detach};

#define BASE 0x8000000u
#define PG   PAGE_SIZE

static int map(struct space *s, struct thing *t, uint32_t page, uint32_t pages, uint32_t index)
{
    return space_map(s, BASE + page * PG, pages * PG, PROT_R | PROT_W, 0, t, index, &thing_ops,
                     NULL);
}

static void thing_detach(struct segment *s)
{
    struct thing *t = s->object, *other = t->meanwhile;
    t->attached--;
    if (other && space_hole(s->space, s->start, PG) == s->start) {
        t->meanwhile = NULL;
        assert_int_equal(map(s->space, other, (s->start - BASE) / PG, 1, 0), 0);
    }
}

static unsigned segments(struct space *s)
{
    unsigned n = 0;
    space_check(s);
    for (struct list *l = s->segments.next; l != &s->segments; l = l->next)
        n++;
    return n;
}

static void splits_and_joins(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    assert_int_equal(map(s, &t, 0, 10, 0), 0);
    assert_int_equal(t.given, 1);
    assert_int_equal(space_unmap(s, BASE + 3 * PG, 2 * PG), 0);
    assert_int_equal(segments(s), 2);
    assert_int_equal(t.attached, 2);
    assert_null(space_find(s, BASE + 3 * PG));
    assert_int_equal(space_find(s, BASE + 5 * PG)->index, 5);
    assert_int_equal(s->mapped_pages, 8);
    // What continues both neighbours makes one of the three.
    assert_int_equal(map(s, &t, 3, 2, 3), 0);
    assert_int_equal(segments(s), 1);
    assert_int_equal(t.attached, 1);
    assert_int_equal(s->mapped_pages, 10);
    // Another index does not.
    assert_int_equal(map(s, &t, 10, 1, 20), 0);
    assert_int_equal(segments(s), 2);
    space_put(s);
    assert_int_equal(t.attached, 0);
}

static void maps_over(void **state)
{
    (void)state;
    struct thing a = {0}, b = {0};
    struct space *s = space_new();
    assert_int_equal(map(s, &a, 0, 4, 0), 0);
    assert_int_equal(map(s, &a, 6, 4, 6), 0);
    assert_int_equal(map(s, &b, 2, 6, 0), 0);
    assert_int_equal(segments(s), 3);
    assert_ptr_equal(space_find(s, BASE + 4 * PG)->object, &b);
    assert_int_equal(space_find(s, BASE + 8 * PG)->index, 8);
    assert_int_equal(space_unmap(s, BASE, 10 * PG), 0);
    assert_int_equal(segments(s), 0);
    assert_int_equal(a.attached + b.attached, 0);
    assert_int_equal(map(s, &a, 0, 0, 0), -EINVAL);
    assert_int_equal(space_map(s, BASE + 1, PG, 3, 0, &a, 0, &thing_ops, NULL), -EINVAL);
    assert_int_equal(space_map(s, USER_TOP - PG, 2 * PG, 3, 0, &a, 0, &thing_ops, NULL), -EINVAL);
    space_put(s);
}

// An object may sleep when its segments go, and others map something there.
static void leaves_what_others_map_meanwhile(void **state)
{
    (void)state;
    struct thing t = {0}, u = {0}, other = {0};
    struct space *s = space_new();
    assert_int_equal(map(s, &t, 0, 4, 0), 0);
    assert_int_equal(map(s, &t, 6, 4, 20), 0);
    t.meanwhile = &other;
    assert_int_equal(space_unmap(s, BASE, 10 * PG), 0);
    assert_ptr_equal(space_find(s, BASE)->object, &other);
    assert_int_equal(segments(s), 1);
    assert_int_equal(space_unmap(s, BASE, PG), 0);

    assert_int_equal(map(s, &t, 0, 4, 0), 0);
    t.meanwhile = &other;
    assert_int_equal(map(s, &u, 0, 10, 0), 0); // the place is never free
    assert_ptr_equal(space_find(s, BASE)->object, &u);
    assert_int_equal(other.given, 1);
    assert_int_equal(t.attached, 0);
    t.meanwhile = NULL;
    space_put(s);
    assert_int_equal(u.attached, 0);
}

static void protects(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    uint8_t v = 9;
    map(s, &t, 0, 8, 0);
    assert_int_equal(space_fault(s, BASE + 2 * PG, PROT_W), 0);
    assert_true(port_user_touch(&s->arch, BASE + 2 * PG, true, &v));
    assert_int_equal(space_protect(s, BASE + PG, 3 * PG, PROT_R), 0);
    assert_int_equal(segments(s), 3);
    assert_false(port_user_touch(&s->arch, BASE + 2 * PG, true, &v));
    assert_true(port_user_touch(&s->arch, BASE + 2 * PG, false, &v));
    assert_int_equal(space_fault(s, BASE + 2 * PG, PROT_W), -EACCES);
    assert_int_equal(space_protect(s, BASE + PG, 3 * PG, 0), 0);
    assert_false(port_user_touch(&s->arch, BASE + 2 * PG, false, &v));
    assert_int_equal(space_fault(s, BASE + 2 * PG, PROT_R), -EACCES);
    assert_int_equal(space_protect(s, BASE, 8 * PG, PROT_R | PROT_W), 0);
    assert_int_equal(segments(s), 1);
    assert_int_equal(t.attached, 1);
    assert_int_equal(space_protect(s, BASE + 7 * PG, 2 * PG, PROT_R), -ENOMEM);
    space_put(s);
    frame_put(t.frame[2]);
}

static void finds_holes(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    s->mmap_top = BASE + 100 * PG;
    assert_int_equal(space_hole(s, 0, 10 * PG), BASE + 90 * PG);
    map(s, &t, 90, 10, 0);
    map(s, &t, 80, 5, 0);
    assert_int_equal(space_hole(s, 0, 5 * PG), BASE + 85 * PG);
    assert_int_equal(space_hole(s, 0, 6 * PG), BASE + 74 * PG);
    assert_int_equal(space_hole(s, BASE + 200 * PG, PG), BASE + 200 * PG);
    assert_int_equal(space_hole(s, BASE + 90 * PG, PG), BASE + 89 * PG);
    assert_int_equal(space_hole(s, 0, BASE + 81 * PG), 0);
    assert_int_equal(space_hole(s, 0, 0), 0);
    assert_int_equal(space_hole(s, 0, UINT32_MAX), 0);
    space_put(s);
}

// space_hole by looking at every segment.
static uint32_t hole_by_walk(struct space *s, uint32_t bytes)
{
    uint32_t top = s->mmap_top;
    for (struct list *l = s->segments.prev; l != &s->segments; l = l->prev) {
        struct segment *g = list_entry(l, struct segment, link);
        if (g->end <= top && top - g->end >= bytes)
            return top - bytes;
        top = top < g->start ? top : g->start;
    }
    return top >= bytes + 0x10000u ? top - bytes : 0;
}

static struct segment *find_by_walk(struct space *s, uint32_t address)
{
    struct segment *g;
    list_for_each (g, &s->segments, link)
        if (address < g->end)
            return g;
    return NULL;
}

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*seed * below >> 32);
}

#define ROOM 400u // pages

static void change_something(struct space *s, struct thing *t, uint32_t *seed, uint32_t most)
{
    uint32_t at = draw(seed, ROOM), pages = 1 + draw(seed, most);
    uint32_t start = BASE + at * PG;
    switch (draw(seed, 4)) {
    case 0:
    case 1:
        assert_int_equal(map(s, t, at, pages, at + draw(seed, 2)), 0);
        break;
    case 2:
        assert_int_equal(space_unmap(s, start, pages * PG), 0);
        break;
    case 3:
        (void)space_protect(s, start, pages * PG, draw(seed, 8));
        break;
    }
}

static void finds_as_a_walk_would(void **state)
{
    (void)state;
    struct thing t = {0};
    for (uint32_t seed = 1, round = 0; round < 20; round++) {
        struct space *s = space_new();
        for (unsigned i = 0; i < 400; i++) {
            change_something(s, &t, &seed, round % 2 ? 20 : 3); // few segments, and many
            space_check(s);
            uint32_t address = BASE + draw(&seed, (ROOM + 30) * PG);
            assert_ptr_equal(space_find_from(s, address), find_by_walk(s, address));
            s->mmap_top = BASE + draw(&seed, ROOM + 30) * PG;
            uint32_t bytes = (1 + draw(&seed, draw(&seed, 5) ? 8 : 60000)) * PG;
            assert_int_equal(space_hole(s, 0, bytes), hole_by_walk(s, bytes));
        }
        assert_int_equal(s->root != NULL, round % 2 == 0);
        space_put(s);
        assert_int_equal(t.attached, 0);
    }
}

static void grows_stacks(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    s->stack_limit_bytes = 20 * PG;
    assert_int_equal(space_map(s, BASE + 60 * PG, 4 * PG, PROT_R | PROT_W, SEGMENT_GROWS_DOWN, &t,
                               60, &thing_ops, NULL),
                     0);
    assert_int_equal(space_fault(s, BASE + 50 * PG + 5, PROT_W), 0);
    assert_int_equal(space_find(s, BASE + 50 * PG)->index, 50);
    assert_int_equal(s->mapped_pages, 14);
    assert_int_equal(space_fault(s, BASE + 43 * PG, PROT_W), -EFAULT); // limit
    // The page above the next segment stays a gap.
    map(s, &t, 46, 2, 0);
    assert_int_equal(space_fault(s, BASE + 48 * PG, PROT_W), -EFAULT);
    assert_int_equal(space_fault(s, BASE + 49 * PG, PROT_W), 0);
    space_check(s);
    space_put(s);
    frame_put(t.frame[50]);
    frame_put(t.frame[49]);
}

static void survives_no_memory(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    map(s, &t, 0, 10, 0);
    for (uint32_t n = 1; n <= 3; n++) {
        heap_fail_at(n);
        int error = map(s, &t, 4, 1, 30);
        heap_fail_at(0);
        space_check(s);
        assert_true(error == -ENOMEM || error == 0);
    }
    space_put(s);
    assert_int_equal(t.attached, 0);
    heap_fail_at(1);
    assert_null(space_new());
    heap_fail_at(0);
}

static void has_a_limit(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = space_new();
    assert_int_equal(map(s, &t, 3 * SPACE_SEGMENTS_MAX, 3, 0), 0);
    for (uint32_t n = SPACE_SEGMENTS_MAX - 1; n > 0; n--)
        assert_int_equal(map(s, &t, 2 * n, 1, 0), 0);
    assert_int_equal(map(s, &t, 1, 1, 0), -ENOMEM);
    uint32_t middle = BASE + (3 * SPACE_SEGMENTS_MAX + 1) * PG;
    assert_int_equal(space_unmap(s, middle, PG), -ENOMEM);
    assert_int_equal(space_protect(s, middle, PG, PROT_R), -ENOMEM);
    assert_int_equal(space_unmap(s, BASE + 2 * PG, PG), 0);
    assert_int_equal(space_protect(s, middle + PG, PG, PROT_R), 0);
    assert_int_equal(segments(s), SPACE_SEGMENTS_MAX);
    space_put(s);
    assert_int_equal(t.attached, 0);
}

static struct space *current_space;
static struct space *current(void)
{
    return current_space;
}

static void copies_for_users(void **state)
{
    (void)state;
    struct thing t = {0};
    struct space *s = current_space = space_new();
    char text[3 * PAGE_SIZE];
    arch_space_load(&s->arch);
    user_set_current(current);
    map(s, &t, 0, 3, 1);
    assert_int_equal(user_copy_in(text, BASE, 8), 0);
    assert_int_equal(user_read(text, BASE + PG - 4, 8), 0);
    assert_int_equal(text[3], 1);
    assert_int_equal(text[4], 2);
    assert_int_equal(user_write(BASE + 2 * PG - 3, "abcdef", 7), 0);
    assert_int_equal(user_read_string(text, BASE + 2 * PG - 3, sizeof(text)), 6);
    assert_string_equal(text, "abcdef");
    assert_int_equal(user_read_string(text, BASE + 2 * PG - 3, 6), -ENAMETOOLONG);
    assert_int_equal(user_read(text, BASE + 3 * PG - 4, 8), -EFAULT);
    assert_int_equal(user_read(text, USER_TOP - 4, 8), -EFAULT);
    assert_int_equal(user_read(text, UINT32_MAX - 4, 8), -EFAULT);
    assert_int_equal(user_read_string(text, UINT32_MAX - 4, 8), -EFAULT);
    assert_int_equal(user_read_string(text, BASE + 3 * PG - 4, 8), -EFAULT);
    assert_int_equal(user_read(text, 5, 0), 0);

    struct xfer x;
    xfer_user(&x, BASE + 3 * PG - 4, 8);
    assert_int_equal(xfer_put(&x, "12345678", 8), 4);
    assert_true(x.short_copy);
    assert_int_equal(x.left, 4);
    assert_int_equal(xfer_fault_in(&x, true), -EFAULT);
    assert_int_equal(space_protect(s, BASE, 3 * PG, PROT_R), 0);
    assert_int_equal(user_write(BASE, "x", 1), -EFAULT);
    user_set_current(NULL);
    assert_int_equal(user_read(text, BASE, 1), -EFAULT);
    space_put(s);
    for (unsigned i = 0; i < 64; i++)
        if (t.frame[i])
            frame_put(t.frame[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_joins),
        cmocka_unit_test(maps_over),
        cmocka_unit_test(leaves_what_others_map_meanwhile),
        cmocka_unit_test(protects),
        cmocka_unit_test(finds_holes),
        cmocka_unit_test(finds_as_a_walk_would),
        cmocka_unit_test(grows_stacks),
        cmocka_unit_test(survives_no_memory),
        cmocka_unit_test(has_a_limit),
        cmocka_unit_test(copies_for_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
