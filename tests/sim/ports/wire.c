// SPDX-License-Identifier: MIT
#include "tests/sim/ports/wire.h"

#include <stdlib.h>
#include "kernel/timer.h"
#include "lib/assert.h"
#include "lib/string.h"

#define LATE_NS (3 * NS_PER_MS) // how much later a reordered frame comes, at most

struct sim_nic {
    struct nic nic;
    struct list link;
    struct sim_wire *wire;
    struct sim_node *owner;
    unsigned index;
    uint64_t free_ns; // the transmitter is busy until then
    struct list flights;
};

struct flight {
    struct timer timer;
    struct list link;
    struct sim_nic *to;
    size_t n;
    uint8_t frame[];
};

static void flight_end(struct flight *f)
{
    f->to->wire->in_flight--;
    timer_cancel(&f->timer);
    list_remove(&f->link);
    free(f);
}

static void flight_lands(void *arg)
{
    struct flight *f = arg;
    nic_receive(&f->to->nic, f->frame, f->n);
    flight_end(f);
}

static void fly(struct sim_nic *to, const uint8_t *frame, size_t n, uint64_t at_ns)
{
    struct flight *f = malloc(sizeof(*f) + n); // exact: ASan guards its end
    ASSERT(f);
    f->to = to;
    f->n = n;
    memcpy(f->frame, frame, n);
    if (sim_chance(to->wire->corrupt))
        f->frame[sim_random() % n] ^= (uint8_t)(1u << sim_random() % 8);
    if (sim_chance(to->wire->reorder))
        at_ns += sim_random() % LATE_NS;
    list_append(&to->flights, &f->link);
    to->wire->in_flight++;
    struct sim_node *here = sim_node_current();
    sim_node_enter(to->owner);
    timer_init(&f->timer, flight_lands, f);
    timer_set(&f->timer, at_ns);
    sim_node_enter(here);
}

static bool wire_send(struct nic *nic, struct buf *b)
{
    struct sim_nic *from = container_of(nic, struct sim_nic, nic), *to;
    struct sim_wire *w = from->wire;
    from->free_ns = MAX(from->free_ns, clock_now_ns()) + b->n * w->byte_ns;
    uint64_t at_ns = from->free_ns + w->delay_ns;
    w->sent++;
    bool passes = !w->filter || w->filter(w, from->index, b->at, b->n);
    list_for_each (to, &w->nics, link) {
        if (to == from || sim_node_is_stopped(to->owner))
            continue;
        if (!passes || (w->reaches && !w->reaches(w, to->index)) || sim_chance(w->loss)) {
            w->lost++;
            continue;
        }
        fly(to, b->at, b->n, at_ns);
        if (sim_chance(w->dup))
            fly(to, b->at, b->n, at_ns + sim_random() % LATE_NS);
    }
    buf_free(b);
    return true;
}

static bool wire_open(struct nic *nic)
{
    (void)nic;
    return true;
}

static const struct nic_ops ops = {wire_open, wire_send, wire_open};

void sim_wire_init(struct sim_wire *w)
{
    memset(w, 0, sizeof(*w));
    list_init(&w->nics);
    w->delay_ns = NS_PER_MS / 2;
    w->byte_ns = 80; // 100 Mbit/s
}

void sim_wire_attach(struct sim_wire *w, unsigned index)
{
    struct sim_nic *n = calloc(1, sizeof(*n));
    ASSERT(n);
    n->wire = w;
    n->owner = sim_node_current();
    n->index = index;
    list_init(&n->flights);
    n->nic = (struct nic){.name = "sim",
                          .ops = &ops,
                          .mac = {0x52, 0x54, 0, 0x77, 0, (uint8_t)(0x10 + index)},
                          .mtu = 1500};
    list_append(&w->nics, &n->link);
    nic_register(&n->nic);
}

void sim_wire_free(struct sim_wire *w)
{
    struct list *item;
    while ((item = list_pop(&w->nics))) {
        struct sim_nic *n = list_entry(item, struct sim_nic, link);
        while (!list_empty(&n->flights))
            flight_end(list_entry(n->flights.next, struct flight, link));
        free(n);
    }
}

void sim_wire_inject(struct sim_wire *w, const uint8_t *frame, size_t n)
{
    struct sim_nic *to;
    struct sim_node *here = sim_node_current();
    list_for_each (to, &w->nics, link) {
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, frame, n);
        sim_node_enter(to->owner);
        nic_receive(&to->nic, exact, n);
        free(exact);
    }
    sim_node_enter(here);
}
