// SPDX-License-Identifier: MIT
// What waits in a socket to be received: stretches of a stream, or datagrams.
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/stream/socket_priv.h"

struct packet *packet_new(uint32_t room)
{
    struct packet *p = heap_alloc(sizeof(*p) + room);
    if (p == NULL)
        return NULL;
    memset(p, 0, sizeof(*p));
    list_init(&p->link);
    p->users = 1;
    p->room = room;
    return p;
}

void packet_get(struct packet *p)
{
    p->users++;
}

static void files_drop(struct packet *p)
{
    for (uint32_t k = 0; k < p->file_count; k++)
        file_put(p->files[k]);
    heap_free(p->files);
    p->files = NULL;
    p->file_count = 0;
}

void packet_put(struct packet *p)
{
    ASSERT(p->users > 0);
    if (--p->users > 0)
        return;
    if (p->files)
        files_drop(p);
    unix_name_put(p->name);
    heap_free(p);
}

void packet_append(struct socket *to, struct packet *p)
{
    list_append(&to->inbox, &p->link);
    to->inbox_bytes += p->n;
    to->inbox_count++;
    socket_wake(to, WAKE_READ);
}

struct packet *packet_first(const struct socket *s)
{
    return list_empty(&s->inbox) ? NULL : list_entry(s->inbox.next, struct packet, link);
}

void packet_remove(struct socket *s, struct packet *p)
{
    list_remove(&p->link);
    s->inbox_bytes -= p->n;
    s->inbox_count--;
    packet_put(p);
}

void packets_drop(struct socket *s)
{
    struct packet *p;
    while ((p = packet_first(s)) != NULL)
        packet_remove(s, p);
}

uint32_t packets_weight(const struct socket *s)
{
    return s->inbox_bytes + s->inbox_count * (uint32_t)sizeof(struct packet);
}

// ---- SCM_RIGHTS --------------------------------------------------------------------------------
int packet_attach_files(struct packet *p, const struct socket_message *m)
{
    if (m->file_count == 0)
        return 0;
    p->files = heap_alloc(m->file_count * sizeof(*p->files));
    if (p->files == NULL)
        return -ENOMEM;
    p->file_count = m->file_count;
    for (uint32_t k = 0; k < m->file_count; k++) {
        p->files[k] = m->files[k];
        file_get(p->files[k]);
    }
    return 0;
}

void packet_give_files(struct packet *p, struct socket_message *m, bool peek)
{
    if (p->file_count == 0)
        return;
    if (m->files) {
        m->file_count = p->file_count;
        memcpy(m->files, p->files, p->file_count * sizeof(*p->files));
        for (uint32_t k = 0; k < p->file_count; k++)
            file_get(p->files[k]);
    } else {
        m->told |= MSG_CTRUNC;
    }
    if (!peek)
        files_drop(p);
}

// ---- datagrams ---------------------------------------------------------------------------------
int packet_gather(struct socket_message *m, uint32_t limit, struct packet **made)
{
    size_t n = m->data->left;
    if (n > limit)
        return -EMSGSIZE;
    struct xfer start = *m->data;
    struct packet *p = packet_new((uint32_t)n);
    if (p == NULL)
        return n > PAGE_SIZE ? -ENOBUFS : -ENOMEM;
    p->n = (uint32_t)n;
    p->cred = m->cred;
    int e = n ? xfer_take_all(m->data, p->bytes, n) : 0;
    if (e == 0)
        e = packet_attach_files(p, m);
    if (e < 0) {
        *m->data = start;
        packet_put(p);
        return e;
    }
    *made = p;
    return 0;
}

static void tell_about(const struct packet *p, struct socket_message *m)
{
    m->cred = p->cred;
    m->ttl = p->ttl;
    m->tos = p->tos;
    m->to_ip = p->to_ip;
    m->time_ns = p->time_ns;
    m->full = p->n;
}

int packet_deliver(struct socket *s, struct socket_message *m)
{
    struct packet *p = packet_first(s);
    bool peek = m->flags & MSG_PEEK;
    if (p == NULL)
        return -EAGAIN;
    packet_get(p);
    if (!peek)
        packet_remove(s, p);
    size_t n = MIN(m->data->left, (size_t)p->n);
    int e = n ? xfer_put_all(m->data, p->bytes, n) : 0;
    tell_about(p, m);
    if (n < p->n)
        m->told |= MSG_TRUNC;
    if (e == 0)
        packet_give_files(p, m, peek);
    if (p->name)
        unix_name_out(p->name, &m->name);
    else if (s->family == AF_INET)
        inet_name_make(p->from, &m->name);
    else if (s->family == AF_NETLINK)
        netlink_name_make(0, &m->name); // the kernel's
    packet_put(p);
    return e;
}
