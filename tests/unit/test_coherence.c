// SPDX-License-Identifier: MIT
// links: ssi/container/coherence.c ssi/container/coherence_home.c
// links: ssi/container/coherence_holder.c ssi/container/gate.c ssi/migrate/handoff.c lib/fmt.c
//
// Coherence and hand-off beside the explorer: sets of nodes at full width, the wire form, and
// hostile members: whatever is said to a step function, it refuses or answers, and never asserts.
#include "tests/unit/unit.h"
#include <string.h>
#include "ssi/container/gate.h"
#include "ssi/migrate/handoff.h"

static uint32_t seed = 1;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void sets_of_nodes(void **state)
{
    struct node_set s = {{0}}, t;
    (void)state;

    assert_true(node_set_empty(&s));
    assert_int_equal(node_set_first(&s), NODE_NONE);
    node_set_add(&s, 0);
    node_set_add(&s, 31);
    node_set_add(&s, 32);
    node_set_add(&s, NODE_MAX - 1);
    assert_int_equal(node_set_count(&s), 4);
    assert_int_equal(node_set_next(&s, 1), 31);
    assert_int_equal(node_set_next(&s, 33), NODE_MAX - 1);
    assert_int_equal(node_set_next(&s, NODE_MAX), NODE_NONE);
    assert_int_equal(node_set_cyclic(&s, NODE_MAX - 1), 0);
    assert_int_equal(node_set_cyclic(&s, NODE_NONE), 0);
    assert_false(node_set_has(&s, NODE_NONE));
    t = node_set_of(31);
    node_set_minus(&s, &t);
    assert_false(node_set_has(&s, 31));
    node_set_remove(&s, NODE_NONE);
    node_set_add(&s, 31);
    unsigned count = 0, sum = 0;
    node_set_for_each (&s, n) {
        count++;
        sum += n;
    }
    assert_int_equal(count, 4);
    assert_int_equal(sum, 31 + 32 + NODE_MAX - 1);
}

static void wire_form(void **state)
{
    struct coh_msg m = {
        .kind = COH_FORWARD, .right = COH_RIGHT_WRITE, .flags = COH_PUSH, .node = 200};
    struct coh_msg got;
    struct coh_wire w;
    (void)state;

    coh_msg_put(&m, &w);
    assert_true(coh_msg_get(&w, 7, &got));
    m.from = 7;
    assert_memory_equal(&m, &got, sizeof(m));
    assert_false(coh_msg_get(&w, NODE_MAX, &got));
    w.node = NODE_MAX;
    assert_false(coh_msg_get(&w, 7, &got));
    w.node = 1;
    w.right = 3;
    assert_false(coh_msg_get(&w, 7, &got));
    w.right = 1;
    w.flags = 8;
    assert_false(coh_msg_get(&w, 7, &got));
    w.flags = 0;
    for (unsigned kind = 0; kind < 256; kind++) {
        w.kind = (uint8_t)kind;
        bool row = kind < COH_LOCAL_FIRST && coh_kind_receiver(kind) != COH_TO_NOBODY;
        assert_int_equal(coh_msg_get(&w, 7, &got), row);
    }
}

static struct coh_msg any_message(void)
{
    return (struct coh_msg){.kind = (uint8_t)any(COH_LOCAL_FIRST),
                            .right = (uint8_t)any(3),
                            .held = (uint8_t)any(COH_HELDS),
                            .flags = (uint8_t)any(8),
                            .from = (node_id_t)any(5),
                            .node = (node_id_t)any(5)};
}

static struct coh_env any_env(void)
{
    struct coh_env env = {.self = 0,
                          .home = (node_id_t)any(5),
                          .only = any(4) ? NODE_NONE : (node_id_t)any(5),
                          .push_to = any(2) ? NODE_NONE : (node_id_t)any(5),
                          .closed = any(4) == 0,
                          .provider_keeps = any(2),
                          .accept = any(2),
                          .draining = any(2)};
    if (any(2))
        env.lost = node_set_of((node_id_t)(1 + any(4)));
    return env;
}

// The room's own events are among them, at wild moments.
static void hostile_pages(void **state)
{
    static const uint8_t at_home[] = {COH_OPEN, COH_EPOCH_HOME, COH_REBUILT};
    static const uint8_t at_holder[] = {COH_FAULT_READ, COH_FAULT_WRITE, COH_EVICT, COH_DRAIN,
                                        COH_EPOCH_HOLDER};
    struct coh_home h;
    struct coh_holder p;
    struct coh_out out;
    unsigned refused = 0, states = 0;
    (void)state;

    for (unsigned i = 0; i < 300000; i++) {
        if (i % 64 == 0) {
            coh_home_init(&h, any(2) ? NODE_NONE : (node_id_t)any(5));
            if (any(8) == 0)
                coh_home_init_rebuild(&h);
            coh_holder_init(&p);
        }
        struct coh_env env = any_env();
        struct coh_msg m = any_message();
        if (any(4) == 0)
            m.kind = at_home[any(sizeof(at_home))];
        coh_home_step(&h, &env, &m, &out);
        refused += out.refused;
        states |= 1u << h.state;
        if (any(4) == 0)
            m.kind = at_holder[any(sizeof(at_holder))];
        coh_holder_step(&p, &env, &m, &out);
        assert_true(out.sends <= COH_SENDS_MAX);
    }
    assert_true(refused > 1000);
    assert_int_equal(states, (1u << COH_HOME_STATES) - 1);
}

static void hostile_gates(void **state)
{
    struct coh_gate g;
    struct coh_gate_out out;
    (void)state;

    coh_gate_init(&g, true);
    for (unsigned i = 0; i < 100000; i++) {
        struct coh_gate_event e = {.kind = (uint8_t)(32 + any(6)),
                                   .from = (node_id_t)any(5),
                                   .node = (node_id_t)any(5),
                                   .accept = any(2)};
        if (any(3) == 0)
            e.kind = (uint8_t)(80 + any(4));
        if (any(2))
            e.set = node_set_of((node_id_t)any(5));
        if (any(4) == 0)
            e.lost = node_set_of((node_id_t)any(5));
        coh_gate_step(&g, 0, &e, &out);
        assert_int_equal(coh_gate_check(&g), 0);
    }
}

static void hostile_hand_offs(void **state)
{
    struct handoff_source s;
    struct handoff_target t;
    struct handoff_birth b;
    struct handoff_out out;
    (void)state;

    handoff_birth_init(&b, 1, 1);
    for (unsigned i = 0; i < 300000; i++) {
        if (i % 32 == 0) {
            handoff_source_init(&s, any(3), any(3));
            handoff_target_init(&t, any(3), any(3));
        }
        struct handoff_event e = {.kind = (uint8_t)any(HANDOFF_KIND_MAX + 4),
                                  .state = (uint8_t)any(256),
                                  .from = (node_id_t)any(3),
                                  .node = (node_id_t)any(3),
                                  .birth = (node_id_t)any(3),
                                  .error = any(2) ? 0 : -12,
                                  .incarnation = any(4)};
        if (any(4) == 0)
            e.lost = node_set_of((node_id_t)any(3));
        handoff_source_step(&s, &e, &out);
        assert_int_equal(handoff_source_check(&s), 0);
        handoff_target_step(&t, &e, &out);
        assert_int_equal(handoff_target_check(&t), 0);
        handoff_birth_step(&b, &e, &out);
    }
}

static void words_of_the_hand_off(void **state)
{
    (void)state;
    assert_int_equal(handoff_state_of("check"), HANDOFF_CHECK);
    assert_int_equal(handoff_state_of("resume"), HANDOFF_RESUME);
    assert_int_equal(handoff_state_of("nonsense"), HANDOFF_STATES);
    assert_string_equal(handoff_state_word(HANDOFF_COMMIT), "commit");
    assert_string_equal(handoff_state_word(99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_of_nodes),     cmocka_unit_test(wire_form),
        cmocka_unit_test(hostile_pages),     cmocka_unit_test(hostile_gates),
        cmocka_unit_test(hostile_hand_offs), cmocka_unit_test(words_of_the_hand_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
