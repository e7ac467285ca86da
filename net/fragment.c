// SPDX-License-Identifier: MIT
// An assembly holds the bytes in their places and one bit for each 8 of them: holes need no list,
// and thousands of tiny fragments cost no more than their bytes. Fragments that contradict each
// other (bytes twice and not the same, two ends) end the datagram: the assembly stays, without its
// memory, and refuses what else comes of it (as RFC 5722 has it for IPv6). A fragment that comes
// again as it was does no harm: networks double frames.
#include "net/fragment.h"

#include "kernel/timer.h"
#include "lib/limits.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "net/counters.h"
#include "net/icmp.h"
#include "net/wire.h"

#define PATIENCE_NS    (30 * NS_PER_S) // from the first fragment on; no other prolongs it
#define HEADER_MAX     60u             // in front of the bytes
#define UNIT           8u              // what offsets count in
#define UNITS_MAX      (IP_TOTAL_MAX / UNIT + 1)
#define WORD           32u
#define ASSEMBLIES_MAX 64u
#define BYTES_MAX      (1024u * 1024)
#define SOURCE_MAX     (BYTES_MAX / 2) // of one sender: nobody pushes out all others

struct assembly {
    struct list link;
    struct timer timer;
    uint32_t from, to;
    uint16_t id;
    uint8_t protocol;
    bool broadcast, refused;
    uint32_t header_bytes; // 0: the first fragment is not here
    uint32_t end;          // behind the last byte that is here
    uint32_t total;        // 0: the last fragment is not here
    uint32_t units;        // that are here
    uint32_t size;         // of `memory`
    uint8_t *memory;       // HEADER_MAX, then the datagram's bytes
    uint32_t have[UNITS_MAX / WORD + 1];
};

struct piece { // a fragment: bytes [at, end) of its datagram
    const struct ip_packet *p;
    uint32_t at, end;
    bool more;
};

NODE_VAR(struct list, assemblies); // the oldest first
NODE_VAR(unsigned, assembly_count);
NODE_VAR(uint32_t, bytes_held);

void fragment_init(void)
{
    list_init(&node(assemblies));
    node(assembly_count) = 0;
    node(bytes_held) = 0;
}

// ---- memory ------------------------------------------------------------------------------------
static uint32_t weight(const struct assembly *a)
{
    return (uint32_t)sizeof(*a) + a->size;
}

static void memory_drop(struct assembly *a)
{
    node(bytes_held) -= a->size;
    heap_free(a->memory);
    a->memory = NULL;
    a->size = 0;
}

void fragment_free(struct assembly *a)
{
    timer_cancel(&a->timer);
    list_remove(&a->link);
    memory_drop(a);
    node(bytes_held) -= weight(a);
    node(assembly_count)--;
    heap_free(a);
}

static uint32_t weight_of_source(uint32_t from)
{
    const struct assembly *a;
    uint32_t n = 0;
    list_for_each (a, &node(assemblies), link)
        n += a->from == from ? weight(a) : 0;
    return n;
}

// The oldest one, of one sender (0: of any), makes room for `keep`.
static bool push_out(uint32_t from, const struct assembly *keep)
{
    struct assembly *a;
    list_for_each (a, &node(assemblies), link) {
        if (a == keep || (from && a->from != from))
            continue;
        if (!a->refused)
            net_counter_add(COUNT_ip_fragment_full);
        fragment_free(a);
        return true;
    }
    return false;
}

static void room_make(uint32_t from, const struct assembly *keep, uint32_t bytes)
{
    while (weight_of_source(from) + bytes > SOURCE_MAX && push_out(from, keep))
        continue;
    while (node(bytes_held) + bytes > BYTES_MAX && push_out(0, keep))
        continue;
}

// Room for its bytes up to `end`: by doubling, until the last fragment says how many come.
static bool memory_grow(struct assembly *a, uint32_t end)
{
    uint32_t needs = ALIGN_UP(HEADER_MAX + MAX(end, a->total), PAGE_SIZE);
    if (needs <= a->size)
        return true;
    if (a->total == 0)
        needs = MAX(needs, MIN(2 * a->size, ALIGN_UP(HEADER_MAX + IP_TOTAL_MAX, PAGE_SIZE)));
    room_make(a->from, a, needs - a->size);
    uint8_t *memory = heap_alloc(needs);
    if (!memory)
        return false;
    if (a->memory)
        memcpy(memory, a->memory, HEADER_MAX + a->end);
    memory_drop(a);
    a->memory = memory;
    a->size = needs;
    node(bytes_held) += needs;
    return true;
}

// ---- life --------------------------------------------------------------------------------------
// RFC 1122, 3.3.2: told to the sender if the first fragment came, as only that names what it was.
static void too_late(void *arg)
{
    struct assembly *a = arg;
    if (!a->refused)
        net_counter_add(COUNT_ip_fragment_late);
    if (!a->refused && a->header_bytes) {
        const uint8_t *bytes = a->memory + HEADER_MAX;
        struct ip_packet first = {.from = a->from,
                                  .to = a->to,
                                  .bytes = bytes,
                                  .n = a->end,
                                  .broadcast = a->broadcast,
                                  .header = bytes - a->header_bytes};
        icmp_send_error(ICMP_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, &first);
    }
    fragment_free(a);
}

static struct assembly *assembly_find(const struct ip_packet *p, const struct ip_wire *h)
{
    struct assembly *a;
    list_for_each (a, &node(assemblies), link)
        if (a->id == be16_get(h->id) && a->from == p->from && a->to == p->to &&
            a->protocol == h->protocol)
            return a;
    return NULL;
}

static struct assembly *assembly_new(const struct ip_packet *p, const struct ip_wire *h)
{
    room_make(p->from, NULL, sizeof(struct assembly));
    if (node(assembly_count) >= ASSEMBLIES_MAX)
        (void)push_out(0, NULL);
    struct assembly *a = heap_zalloc(sizeof(*a));
    if (!a)
        return NULL;
    a->from = p->from;
    a->to = p->to;
    a->id = be16_get(h->id);
    a->protocol = h->protocol;
    timer_init(&a->timer, too_late, a);
    timer_set(&a->timer, clock_now_ns() + PATIENCE_NS);
    list_append(&node(assemblies), &a->link);
    node(assembly_count)++;
    node(bytes_held) += weight(a);
    return a;
}

static void refuse(struct assembly *a)
{
    net_counter_add(COUNT_ip_fragment_overlap);
    a->refused = true;
    memory_drop(a);
}

// ---- a fragment arrives ------------------------------------------------------------------------
static uint32_t units_of(uint32_t bytes)
{
    return (bytes + UNIT - 1) / UNIT;
}

// How many of the units in [first, end) are here.
static uint32_t units_there(const struct assembly *a, uint32_t first, uint32_t end)
{
    uint32_t n = 0;
    for (uint32_t u = first; u < end; u++)
        n += a->have[u / WORD] >> u % WORD & 1;
    return n;
}

// Does it say another end than what came before?
static bool end_contradicts(const struct assembly *a, const struct piece *f)
{
    if (f->more)
        return a->total && f->end > a->total;
    return a->total ? f->end != a->total : f->end < a->end;
}

// Bytes that are here already: the same again, or others?
static bool contradicts(const struct assembly *a, const struct piece *f, uint32_t there)
{
    if (there < units_of(f->end) - f->at / UNIT || f->end > a->end)
        return true;
    return memcmp(a->memory + HEADER_MAX + f->at, f->p->bytes, f->p->n) != 0;
}

static void store(struct assembly *a, const struct piece *f)
{
    uint8_t *bytes = a->memory + HEADER_MAX;
    memcpy(bytes + f->at, f->p->bytes, f->p->n);
    for (uint32_t u = f->at / UNIT; u < units_of(f->end); u++)
        a->have[u / WORD] |= 1u << u % WORD;
    a->units += units_of(f->end) - f->at / UNIT;
    a->end = MAX(a->end, f->end);
    a->broadcast = a->broadcast || f->p->broadcast;
    if (f->at == 0) { // its header is the datagram's (RFC 791, 3.2)
        a->header_bytes = (uint32_t)(f->p->bytes - f->p->header);
        memcpy(bytes - a->header_bytes, f->p->header, a->header_bytes);
    }
}

// True: all is there.
static bool take(struct assembly *a, const struct piece *f)
{
    uint32_t there = units_there(a, f->at / UNIT, units_of(f->end));
    if (a->refused || end_contradicts(a, f) || (there && contradicts(a, f, there))) {
        refuse(a);
        return false;
    }
    if (there) {
        net_counter_add(COUNT_ip_fragment_twice);
        return false;
    }
    if (!f->more)
        a->total = f->end;
    if (!memory_grow(a, f->end)) {
        net_counter_add(COUNT_ip_fragment_no_memory);
        return false;
    }
    store(a, f);
    return a->total && a->units == units_of(a->total);
}

static struct assembly *finish(struct assembly *a, struct ip_packet *whole)
{
    uint8_t *bytes = a->memory + HEADER_MAX;
    struct ip_wire *h = (void *)(bytes - a->header_bytes);
    if (a->header_bytes + a->total > IP_TOTAL_MAX) {
        net_counter_add(COUNT_ip_fragment_length);
        fragment_free(a);
        return NULL;
    }
    timer_cancel(&a->timer);
    list_remove(&a->link);
    h->total = be16(a->header_bytes + a->total);
    h->fragment = be16(0);
    h->checksum = be16(0);
    h->checksum = be16(wire_sum_end(wire_sum(0, h, a->header_bytes)));
    *whole = (struct ip_packet){.from = a->from,
                                .to = a->to,
                                .bytes = bytes,
                                .n = a->total,
                                .broadcast = a->broadcast,
                                .header = (const uint8_t *)h,
                                .ttl = h->ttl,
                                .tos = h->tos};
    net_counter_add(COUNT_ip_reassembled);
    return a;
}

struct assembly *fragment_receive(const struct ip_packet *p, struct ip_packet *whole)
{
    const struct ip_wire *h = (const void *)p->header;
    unsigned word = be16_get(h->fragment);
    uint32_t at = (word & IP_OFFSET_MASK) * UNIT;
    struct piece f = {p, at, at + (uint32_t)p->n, word & IP_MORE_FRAGMENTS};
    net_counter_add(COUNT_ip_fragments_in);
    if (p->n == 0 || (f.more && p->n % UNIT) ||
        (size_t)(p->bytes - p->header) + f.end > IP_TOTAL_MAX) {
        net_counter_add(COUNT_ip_fragment_length);
        return NULL;
    }
    struct assembly *a = assembly_find(p, h);
    if (!a)
        a = assembly_new(p, h);
    if (!a) {
        net_counter_add(COUNT_ip_fragment_no_memory);
        return NULL;
    }
    return take(a, &f) ? finish(a, whole) : NULL;
}
