// SPDX-License-Identifier: MIT
// From a frame that came in to the frames that go out: learning, the faults of each ordered pair
// of ports, and the waiting room of frames whose time has not come.
//
// Each pair has its own random stream, and each frame draws the same number of values from it,
// whatever faults are on: the same seed and the same frames between two ports meet the same fate.
#include "qemu/switch.h"

#include <stdlib.h>
#include <string.h>

#define HOLD_NS     20000000u // a reordered frame waits this long for a successor
#define LEARNED_MAX 256

struct pair switch_pairs[SWITCH_PORT_MAX][SWITCH_PORT_MAX];
struct faults switch_faults = {.seed = 1};
uint64_t switch_now_ns;

static struct learned {
    uint8_t mac[6];
    unsigned slot;
} learned[LEARNED_MAX];
static unsigned learned_count;

static struct frame **waiting; // a binary heap by (due_ns, order)
static size_t waiting_count, waiting_room;
static uint64_t frames_ordered;
static unsigned held_count;

// splitmix64 (Steele, Lea, Flood 2014)
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void forward_reset_random(void)
{
    for (unsigned a = 0; a < SWITCH_PORT_MAX; a++)
        for (unsigned b = 0; b < SWITCH_PORT_MAX; b++) {
            uint64_t mix = switch_faults.seed ^ ((uint64_t)(a * SWITCH_PORT_MAX + b) << 32);
            switch_pairs[a][b].random = random_next(&mix);
        }
}

static bool frame_before(const struct frame *a, const struct frame *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void waiting_push(struct frame *f)
{
    if (waiting_count == waiting_room) {
        waiting_room = waiting_room ? 2 * waiting_room : 256;
        waiting = realloc(waiting, waiting_room * sizeof *waiting);
        if (!waiting)
            abort();
    }
    size_t i = waiting_count++;
    for (; i && frame_before(f, waiting[(i - 1) / 2]); i = (i - 1) / 2)
        waiting[i] = waiting[(i - 1) / 2];
    waiting[i] = f;
}

static struct frame *waiting_pop(void)
{
    struct frame *first = waiting[0], *last = waiting[--waiting_count];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < waiting_count) {
        if (child + 1 < waiting_count && frame_before(waiting[child + 1], waiting[child]))
            child++;
        if (!frame_before(waiting[child], last))
            break;
        waiting[i] = waiting[child];
        i = child;
    }
    waiting[i] = last;
    return first;
}

static uint64_t cable_ns(size_t bytes) // preamble, check sequence and gap included
{
    uint64_t rate = switch_faults.link_bits_per_second;

    return rate ? (MAX(bytes, 60) + 24) * 8 * 1000000000ull / rate : 0;
}

static void frame_drop(struct frame *f, uint64_t *reason)
{
    ++*reason;
    switch_ports[f->to].under_way_bytes -= f->bytes;
    free(f);
}

// A frame whose delay is over: it pays for the receiver's cable once, then it is there.
static void frame_arrive(struct frame *f)
{
    struct port *to = &switch_ports[f->to];
    struct pair *p = &switch_pairs[f->from][f->to];

    if (p->is_cut) {
        frame_drop(f, &p->cut);
        return;
    }
    uint64_t cost = f->serialised ? 0 : cable_ns(f->bytes);
    if (cost) {
        to->out_busy_until = MAX(to->out_busy_until, switch_now_ns) + cost;
        f->due_ns = to->out_busy_until;
        f->serialised = true;
        waiting_push(f);
        return;
    }
    p->frames++;
    p->bytes += f->bytes;
    port_deliver(f);
}

static void frame_schedule(struct frame *f)
{
    struct pair *p = &switch_pairs[f->from][f->to];

    if (switch_ports[f->to].under_way_bytes + f->bytes > SWITCH_QUEUE_BYTES_MAX) {
        p->full++;
        free(f);
        return;
    }
    switch_ports[f->to].under_way_bytes += f->bytes;
    f->order = frames_ordered++;
    f->due_ns = p->last_due_ns = MAX(f->due_ns, p->last_due_ns);
    if (f->due_ns <= switch_now_ns)
        frame_arrive(f);
    else
        waiting_push(f);
}

static struct frame *frame_new(unsigned from, unsigned to, const uint8_t *data, size_t bytes)
{
    struct frame *f = calloc(1, sizeof *f + 4 + bytes);

    if (!f)
        abort();
    f->from = from;
    f->to = to;
    f->bytes = bytes;
    for (int i = 0; i < 4; i++)
        f->wire[i] = (uint8_t)(bytes >> (24 - 8 * i));
    memcpy(f->wire + 4, data, bytes);
    return f;
}

static bool chance(uint64_t drawn, uint64_t of)
{
    return (drawn >> 32) < of;
}

static void held_release(struct pair *p, uint64_t due_ns)
{
    struct frame *f = p->held;

    p->held = NULL;
    held_count--;
    f->due_ns = due_ns;
    frame_schedule(f);
}

static void pair_send(unsigned from, unsigned to, const uint8_t *data, size_t bytes, uint64_t at)
{
    struct pair *p = &switch_pairs[from][to];
    uint64_t draw[6];

    for (unsigned i = 0; i < ARRAY_SIZE(draw); i++)
        draw[i] = random_next(&p->random);
    if (p->is_cut) {
        p->cut++;
        return;
    }
    if (chance(draw[0], switch_faults.loss)) {
        p->lost++;
        return;
    }
    struct frame *f = frame_new(from, to, data, bytes);
    if (chance(draw[1], switch_faults.corrupt)) {
        p->corrupted++;
        f->wire[4 + draw[2] / 8 % bytes] ^= (uint8_t)(1u << (draw[2] % 8));
    }
    f->due_ns = at + switch_faults.delay_ns;
    if (switch_faults.jitter_ns) // delay - jitter .. delay + jitter, in order within the pair
        f->due_ns += draw[3] % (2 * switch_faults.jitter_ns + 1) - switch_faults.jitter_ns;
    struct frame *twin = NULL;
    if (chance(draw[4], switch_faults.duplicate)) {
        p->duplicated++;
        twin = frame_new(from, to, f->wire + 4, bytes);
        twin->due_ns = f->due_ns;
    }
    if (!p->held && chance(draw[5], switch_faults.reorder)) {
        p->held = f;
        p->held_until_ns = f->due_ns + HOLD_NS;
        held_count++;
    } else {
        uint64_t due_ns = f->due_ns;
        frame_schedule(f);
        if (p->held) {
            p->reordered++;
            held_release(p, due_ns);
        }
    }
    if (twin)
        frame_schedule(twin);
}

static int learned_find(const uint8_t *mac)
{
    for (unsigned i = 0; i < learned_count; i++)
        if (!memcmp(learned[i].mac, mac, 6))
            return (int)i;
    return -1;
}

static void learn(const uint8_t *mac, unsigned slot)
{
    int i = learned_find(mac);

    if (mac[0] & 1)
        return;
    if (i < 0 && learned_count < LEARNED_MAX)
        i = (int)learned_count++;
    if (i < 0)
        return;
    memcpy(learned[i].mac, mac, 6);
    learned[i].slot = slot;
}

void forward_frame(unsigned from, const uint8_t *data, size_t bytes)
{
    struct port *source = &switch_ports[from];
    uint64_t at = switch_now_ns;

    if (bytes < 14)
        return;
    pcap_frame(data, bytes);
    learn(data + 6, from);
    if (switch_faults.link_bits_per_second)
        at = source->in_busy_until = MAX(source->in_busy_until, at) + cable_ns(bytes);
    int known = data[0] & 1 ? -1 : learned_find(data);
    for (unsigned to = 0; to < SWITCH_PORT_MAX; to++)
        if (to != from && port_connected(to) && (known < 0 || learned[known].slot == to))
            pair_send(from, to, data, bytes, at);
}

void forward_forget(unsigned slot)
{
    for (unsigned i = learned_count; i-- > 0;)
        if (learned[i].slot == slot)
            learned[i] = learned[--learned_count];
}

// Frames held back for a successor that does not come. Returns when to look again.
static uint64_t held_run(void)
{
    uint64_t next = UINT64_MAX;

    for (unsigned a = 0; held_count && a < SWITCH_PORT_MAX; a++)
        for (unsigned b = 0; b < SWITCH_PORT_MAX; b++) {
            struct pair *p = &switch_pairs[a][b];
            if (p->held && p->held_until_ns <= switch_now_ns)
                held_release(p, switch_now_ns);
            else if (p->held)
                next = MIN(next, p->held_until_ns);
        }
    return next;
}

uint64_t forward_run(void)
{
    uint64_t next = held_run();

    while (waiting_count && waiting[0]->due_ns <= switch_now_ns)
        frame_arrive(waiting_pop());
    return waiting_count ? MIN(next, waiting[0]->due_ns) : next;
}
