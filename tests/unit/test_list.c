// SPDX-License-Identifier: MIT
// links:
// The intrusive ring: order, removal while walking, and random operations against a plain array.
#include "tests/unit/unit.h"
#include "lib/list.h"

#define ITEMS 40

struct item {
    int number;
    struct list link;
};

static void test_order(void **state)
{
    struct list head;
    struct item a = {.number = 1}, b = {.number = 2}, c = {.number = 3}, *pos;
    int seen = 0;
    (void)state;
    list_init(&head);
    list_init(&a.link);
    assert_true(list_empty(&head));
    assert_true(list_empty(&a.link));
    assert_null(list_pop(&head));
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    list_push(&head, &a.link);
    list_for_each (pos, &head, link)
        assert_int_equal(pos->number, ++seen);
    assert_int_equal(seen, 3);
    list_remove(&b.link);
    assert_true(list_empty(&b.link));
    list_remove(&b.link); // twice is harmless
    assert_ptr_equal(list_pop(&head), &a.link);
    assert_ptr_equal(list_pop(&head), &c.link);
    assert_true(list_empty(&head));
}

static void test_remove_while_walking(void **state)
{
    struct list head = LIST_INIT(head);
    struct item items[ITEMS], *pos, *next;
    (void)state;
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        list_append(&head, &items[i].link);
    }
    list_for_each_safe (pos, next, &head, link)
        if (pos->number % 2)
            list_remove(&pos->link);
    int want = 0;
    list_for_each (pos, &head, link) {
        assert_int_equal(pos->number, want);
        want += 2;
    }
    assert_int_equal(want, ITEMS);
}

struct model {
    int order[ITEMS];
    int count;
};

static void model_take(struct model *m, int at)
{
    m->count--;
    for (int i = at; i < m->count; i++)
        m->order[i] = m->order[i + 1];
}

static void model_put(struct model *m, int at, int number)
{
    for (int i = m->count++; i > at; i--)
        m->order[i] = m->order[i - 1];
    m->order[at] = number;
}

static void test_random(void **state)
{
    struct list head = LIST_INIT(head);
    struct item items[ITEMS], *pos;
    struct model m = {.count = 0};
    (void)state;
    srand(1);
    for (int i = 0; i < ITEMS; i++) {
        items[i].number = i;
        list_init(&items[i].link);
    }
    for (int step = 0; step < 20000; step++) {
        int n = rand() % ITEMS, at = 0;
        if (!list_empty(&items[n].link)) {
            while (m.order[at] != n)
                at++;
            model_take(&m, at);
            list_remove(&items[n].link);
        } else if (m.count > 0 && rand() % 2) { // before another one
            at = rand() % m.count;
            list_append(&items[m.order[at]].link, &items[n].link);
            model_put(&m, at, n);
        } else {
            bool front = rand() % 2;
            (front ? list_push : list_append)(&head, &items[n].link);
            model_put(&m, front ? 0 : m.count, n);
        }
        at = 0;
        list_for_each (pos, &head, link)
            assert_int_equal(pos->number, m.order[at++]);
        assert_int_equal(at, m.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_remove_while_walking),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
