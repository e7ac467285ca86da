// SPDX-License-Identifier: MIT
// links: ssi/container/*.c mm/space*.c mm/user.c lib/radix.c lib/string.c lib/fmt.c lib/log.c
// links: kernel/work.c tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/node.c
// links: tests/sim/ports/clock.c tests/sim/ports/random.c tests/sim/ports/threads.c kernel/wait.c
// links: tests/sim/ports/mesh.c
// libs: -DWEFT_SIM

// Messages of an enemy to the container room: whatever the bytes say, nothing changes but counters.
#include "tests/unit/linked_world.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_peer, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
