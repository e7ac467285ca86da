// SPDX-License-Identifier: MIT
// Messages on their way out: made and freed, and the reserve for when there is no memory.
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/link_priv.h"

enum {
    LINK_REPLIES_SPARE = 256, // replies without bytes that find no memory use these,
    LINK_PAGES_SPARE = 8,     // messages with a page at most these: free frames lie apart then
    LINK_PAGE_BYTES = PAGE_SIZE + 256,
};

struct link_spare { // reserve for short replies: their waiters must not wait for ever
    struct link_out out;
    bool used;
};

struct link_page_spare { // reserve for what makes room where memory is short
    bool used;
    union {
        struct link_out out;
        uint8_t room[sizeof(struct link_out) + LINK_PAGE_BYTES];
    };
};

NODE_VAR(struct link_spare, link_spares[LINK_REPLIES_SPARE]);
NODE_VAR(struct link_page_spare, link_page_spares[LINK_PAGES_SPARE]);

void link_out_free(struct link_out *o)
{
    struct link_spare *replies = node(link_spares);
    struct link_spare *s = container_of(o, struct link_spare, out);
    struct link_page_spare *pages = node(link_page_spares);
    struct link_page_spare *p = container_of(o, struct link_page_spare, out);
    if (s >= replies && s < replies + LINK_REPLIES_SPARE)
        s->used = false;
    else if (p >= pages && p < pages + LINK_PAGES_SPARE)
        p->used = false;
    else
        heap_free(o);
}

void link_free_list(struct list *l)
{
    struct list *item;
    while ((item = list_pop(l)) != NULL)
        link_out_free(list_entry(item, struct link_out, link));
}

static struct link_page_spare *link_page_spare(void)
{
    for (unsigned i = 0; i < LINK_PAGES_SPARE; i++)
        if (!node(link_page_spares)[i].used)
            return &node(link_page_spares)[i];
    return NULL;
}

static struct link_out *link_out_spare(size_t n)
{
    struct link_page_spare *p = n > 0 && n <= LINK_PAGE_BYTES ? link_page_spare() : NULL;
    if (p != NULL) {
        p->used = true;
        return &p->out;
    }
    for (unsigned i = 0; n == 0 && i < LINK_REPLIES_SPARE; i++) {
        struct link_spare *s = &node(link_spares)[i];
        if (!s->used) {
            s->used = true;
            return &s->out;
        }
    }
    return NULL;
}

bool link_can_carry_page(void)
{
    if (link_page_spare() != NULL)
        return true;
    void *room = heap_alloc_critical(sizeof(struct link_out) + LINK_PAGE_BYTES);
    heap_free(room);
    return room != NULL;
}

struct link_out *link_out_new(enum link_frame_type type, const void *bytes, size_t n)
{
    struct link_out *o = heap_alloc_critical(sizeof(*o) + n);
    if (o == NULL)
        o = link_out_spare(n);
    if (o == NULL)
        return NULL;
    memset(o, 0, sizeof(*o));
    list_init(&o->link);
    o->head.magic = LINK_MAGIC;
    o->head.type = (uint8_t)type;
    o->head.n = (uint32_t)n;
    if (n > 0)
        memcpy(o->bytes, bytes, n);
    return o;
}
