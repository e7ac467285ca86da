// SPDX-License-Identifier: MIT
// Names of AF_UNIX sockets (unix(7)). A path is known by its inode, an abstract name by its bytes.
// The names are the cluster's: who finds none here asks the other nodes.
#include "kernel/random.h"
#include "lib/errno.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/cluster/rpc.h"
#include "ssi/stream/socket_priv.h"

#define AUTOBIND_TRIES 64

struct unix_name *unix_name_new(const struct socket_name *n)
{
    struct unix_name *u = heap_zalloc(sizeof(*u));
    if (u == NULL)
        return NULL;
    u->users = 1;
    u->bytes = n->bytes;
    u->inode = n->inode;
    memcpy(u->at, n->at, n->bytes);
    return u;
}

struct unix_name *unix_name_get(struct unix_name *u)
{
    if (u)
        u->users++;
    return u;
}

void unix_name_put(struct unix_name *u)
{
    if (u && --u->users == 0)
        heap_free(u);
}

void unix_name_out(const struct unix_name *u, struct socket_name *out)
{
    *out = (struct socket_name){.bytes = 2, .at = {AF_UNIX}};
    if (u == NULL)
        return;
    out->bytes = (uint16_t)u->bytes;
    memcpy(out->at, u->at, u->bytes);
}

int unix_name_check(const struct socket_name *n)
{
    return n->bytes <= 2 || n->at[0] != AF_UNIX || n->at[1] != 0 ? -EINVAL : 0;
}

// Abstract names of different types do not meet; a path stands for one socket.
static bool matches(const struct socket *s, const struct socket_name *n, unsigned type)
{
    const struct unix_name *u = s->name;
    if (u->inode || n->inode)
        return u->inode == n->inode;
    return s->type == type && u->bytes == n->bytes && !memcmp(u->at, n->at, n->bytes);
}

struct socket *unix_find(const struct socket_name *n, unsigned type)
{
    struct socket *s;
    list_for_each (s, sockets_all(), all_link)
        if (s->name && s->bound && s->family == AF_UNIX && matches(s, n, type))
            return s;
    return NULL;
}

// ---- other nodes -------------------------------------------------------------------------------
struct name_asked {
    struct socket_name name;
    uint32_t type;
} PACKED;

void unix_on_find(const struct rpc_in *in)
{
    struct name_asked m;
    int e = -EPROTO;
    if (in->n == sizeof(m)) {
        memcpy(&m, in->bytes, sizeof(m));
        e = m.name.bytes <= SOCKET_NAME_BYTES && unix_find(&m.name, m.type) ? 0 : -ENOENT;
    } else {
        cluster_count_add("socket: malformed question", 1);
    }
    rpc_reply(in->from, in->request, e, NULL, 0);
}

node_id_t unix_find_node(const struct socket_name *n, unsigned type)
{
    struct name_asked m = {.name = *n, .type = type};
    for (node_id_t k = cluster_next(NODE_NONE); k != NODE_NONE; k = cluster_next(k))
        if (k != cluster_self() && rpc_call(k, MSG_socket_find, &m, sizeof(m), NULL, 0, 0) >= 0)
            return k;
    return NODE_NONE;
}

// ---- bind --------------------------------------------------------------------------------------
// The name is ours before the others are asked: of two who bind at once on two nodes at most one
// gets it.
static int claim(struct socket *s, const struct socket_name *n)
{
    if (unix_find(n, s->type))
        return -EADDRINUSE;
    s->name = unix_name_new(n);
    if (s->name == NULL)
        return -ENOMEM;
    s->bound = true;
    if (n->inode || unix_find_node(n, s->type) == NODE_NONE)
        return 0;
    s->bound = false;
    unix_name_put(s->name);
    s->name = NULL;
    return -EADDRINUSE;
}

// unix(7): five hexadecimal digits behind a NUL.
static int autobind(struct socket *s)
{
    int e = -ENOSPC;
    for (int k = 0; k < AUTOBIND_TRIES; k++) {
        struct socket_name n = {.bytes = 8, .at = {AF_UNIX}};
        char digits[8];
        fmt_print(digits, sizeof(digits), "%05x", random_u32() & 0xfffff);
        memcpy(n.at + 3, digits, 5);
        if ((e = claim(s, &n)) != -EADDRINUSE)
            return e;
    }
    return e;
}

int unix_bind(struct socket *s, const struct socket_name *n, bool low_ports)
{
    (void)low_ports;
    if (n->bytes < 2 || n->at[0] != AF_UNIX || n->at[1] != 0)
        return -EINVAL;
    if (s->name)
        return n->bytes == 2 ? 0 : -EINVAL;
    return n->bytes == 2 ? autobind(s) : claim(s, n);
}
