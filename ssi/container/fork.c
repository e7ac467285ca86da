// SPDX-License-Identifier: MIT
// Clone of a linked container (PROTOCOLS 5): the home closes its gate, every holder shares its
// frames with the child, copy on write, and the directory is copied. No page crosses the wire.
#include "kernel/timer.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/container/container_priv.h"
#include "ssi/container/wire.h"

#define GATE_POLL_NS (1 * NS_PER_MS)

struct container_fork {
    struct container_id child;
    node_id_t forker;
    int status;
    bool done;
    struct wait_queue wait;
};

const struct container_id *fork_child_of(const struct container_fork *f)
{
    return &f->child;
}

void fork_failed(struct container *c, int status)
{
    if (c->link->fork)
        c->link->fork->status = status;
}

// A record of the child on this node, without a user.
static struct container *child_make(struct container *c, const struct container_id *id,
                                    node_id_t home)
{
    struct container *child = container_new(&c->source);
    if (child == NULL)
        return NULL;
    if (!link_make(child, id, home, 1)) {
        container_put(child);
        return NULL;
    }
    child->users = 0;
    return child;
}

int fork_freeze(struct container *c, const struct container_id *id, node_id_t home)
{
    if (c->present == 0 || link_find(id))
        return 0;
    struct container *child = child_make(c, id, home);
    if (child == NULL)
        return -ENOMEM;
    return pages_share(c, child) ? 0 : -ENOMEM; // the home will say FREE
}

static bool copy_directory(struct container *c, struct container *child)
{
    void *v;
    for (uint32_t i = 0; (v = radix_next(&c->link->directory, &i)) != NULL; i++) {
        bool plain = (uintptr_t)v & 1;
        struct coh_home *h = plain ? NULL : transition_entry(child, i);
        const struct coh_home *from = v;
        if (plain) {
            if (!radix_set(&child->link->directory, i, v))
                return false;
            continue;
        }
        if (h == NULL)
            return false;
        coh_home_init(h, from->owner);
        h->state = from->state; // idle or lost: the gate is closed
        h->copies = from->copies;
    }
    return true;
}

static int copy_at_home(struct container *c, const struct container_fork *f)
{
    struct container *child = child_make(c, &f->child, cluster_self());
    if (child == NULL) {
        link_free_unmade(&f->child, &c->link->known); // the holders have made theirs
        return -ENOMEM;
    }
    struct container_link *l = child->link;
    l->known = c->link->known;
    l->orphaned = c->link->orphaned;
    node_set_clear(&l->attached);
    bool ok = pages_share(c, child) && copy_directory(c, child);
    node_set_add(&l->known, f->forker);
    if (ok && f->status == 0) {
        node_set_add(&l->attached, f->forker);
        return 0;
    }
    link_check_end(child);
    return -ENOMEM;
}

void fork_copy(struct container *c)
{
    struct container_fork *f = c->link->fork;
    if (f == NULL)
        return;
    f->status = copy_at_home(c, f);
    f->done = true;
    c->link->fork = NULL;
    wait_wake_all(&f->wait);
}

// At the home, in a thread: -ESTALE when the home has moved meanwhile.
static int fork_at_home(struct container *c, const struct container_id *child, node_id_t forker)
{
    struct container_link *l = c->link;
    while (link_is_home(c) && (l->gate.state != COH_GATE_OPEN || l->fork || l->rebuilding))
        (void)wait_for_ns(GATE_POLL_NS, 0);
    if (!link_is_home(c))
        return -ESTALE;
    struct container_fork f = {.child = *child, .forker = forker};
    struct coh_gate_event e = {.kind = COH_CLONE, .from = cluster_self(), .set = l->known};
    wait_init(&f.wait);
    l->fork = &f;
    gate_event(c, &e, NULL, 0);
    gate_look(c);
    while (!f.done)
        sleep_until_woken(&f.wait); // the gate ends with its epoch at the latest
    return f.status;
}

void container_on_clone(const struct rpc_in *in)
{
    struct container_clone_wire w;
    struct container_clone_reply reply = {.home = cluster_self()};
    if (in->n != sizeof(w)) {
        rpc_reply(in->from, in->request, -EINVAL, NULL, 0);
        return;
    }
    memcpy(&w, in->bytes, sizeof(w));
    struct container *c = link_find(&w.id);
    if (c == NULL || link_find(&w.child)) {
        rpc_reply(in->from, in->request, -ENOENT, NULL, 0);
        return;
    }
    container_get(c); // it stays while this thread sleeps
    int status = fork_at_home(c, &w.child, in->from);
    (void)FAULT("fork", "cloned", in->from);
    reply.home = c->link->home;
    reply.generation = c->link->generation;
    if (status == 0 || status == -ESTALE)
        rpc_reply(in->from, in->request, 0, &reply, sizeof(reply));
    else
        rpc_reply(in->from, in->request, status, NULL, 0);
    container_put(c);
}

// The home's word that the child is there, or where to ask again.
static int fork_by_home(struct container *c, const struct container_id *child)
{
    struct container_clone_wire w = {.id = c->id, .child = *child};
    struct container_clone_reply reply;
    node_id_t home = c->link->home;
    long n = rpc_call(home, MSG_container_clone, &w, sizeof(w), &reply, sizeof(reply), 0);
    if (n == -EHOSTDOWN)
        return -ESTALE; // its successor will know
    if (n < 0)
        return (int)n;
    if (n != (long)sizeof(reply))
        return -EIO;
    if (reply.home == home)
        return 0;
    link_learn(c, reply.home, reply.generation);
    return -ESTALE;
}

struct container *fork_linked(struct container *c)
{
    struct container_id id = link_new_id();
    int status;
    node_id_t home;
    do {
        home = c->link->home;
        status = home == cluster_self() ? fork_at_home(c, &id, home) : fork_by_home(c, &id);
        if (status == -ESTALE)
            (void)wait_for_ns(GATE_POLL_NS, 0);
        if (status == -ESTALE && !cluster_is_member(home))
            id = link_new_id(); // holders may have made theirs when the home went: that one ends
    } while (status == -ESTALE);
    if (status < 0)
        return NULL;
    struct container_ref ref = {
        .id = id, .source = c->source, .home = home, .home_generation = 1, .extent = c->extent};
    struct container *child = container_import(&ref);
    if (child == NULL)
        link_decline(&id, home); // it counts this node among the users
    return child;
}
