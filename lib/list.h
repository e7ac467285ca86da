// SPDX-License-Identifier: MIT
// Intrusive doubly linked ring. A head and its members are the same struct; an unlinked member
// points to itself, so `list_remove` twice is harmless and `list_empty(&member)` tells.
#pragma once

#include "lib/types.h"

struct list {
    struct list *next;
    struct list *prev;
};

#define LIST_INIT(name)                                                                            \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

// Puts `item` right before `at`: at the tail when `at` is a head.
static inline void list_append(struct list *at, struct list *item)
{
    item->prev = at->prev;
    item->next = at;
    at->prev->next = item;
    at->prev = item;
}

// Puts `item` right behind `at`: at the front when `at` is a head.
static inline void list_push(struct list *at, struct list *item)
{
    list_append(at->next, item);
}

static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

// `to` becomes the head of all that `from` had; `from` is empty.
static inline void list_move(struct list *to, struct list *from)
{
    list_push(from, to);
    list_remove(from);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)

#define list_for_each(pos, head, member)                                                           \
    for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);         \
         pos = list_entry(pos->member.next, __typeof__(*pos), member))

// As list_for_each; `pos` may be unlinked or freed in the body.
#define list_for_each_safe(pos, tmp, head, member)                                                 \
    for (pos = list_entry((head)->next, __typeof__(*pos), member),                                 \
        tmp = list_entry(pos->member.next, __typeof__(*pos), member);                              \
         &pos->member != (head);                                                                   \
         pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

static inline struct list *list_pop(struct list *head)
{
    struct list *item = head->next;
    if (item == head)
        return NULL;
    list_remove(item);
    return item;
}
