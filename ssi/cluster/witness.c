// SPDX-License-Identifier: MIT
#include "ssi/cluster/witness.h"
#include "lib/string.h"

void witness_init(struct witness *w)
{
    memset(w, 0, sizeof(*w));
}

void witness_seal(struct witness *w, const uint8_t cluster_key[SEAL_KEY_BYTES])
{
    struct seal_keys k;
    seal_keys_derive(&k, cluster_key);
    memcpy(w->key, k.witness, sizeof(w->key));
    seal_wipe(&k, sizeof(k));
    w->sealed = true;
}

static bool witness_same_cluster(const struct witness_message *a, const struct witness_message *b)
{
    return a->session == b->session && a->cluster == b->cluster;
}

static bool witness_same_asker(const struct witness_message *a, const struct witness_message *b)
{
    return a->id == b->id && a->incarnation == b->incarnation && a->nonce == b->nonce;
}

// The cluster's slot, or the one to use for it: free, else used longest ago.
static struct witness_grant *witness_slot(struct witness *w, const struct witness_message *m)
{
    struct witness_grant *oldest = &w->grants[0];
    for (unsigned i = 0; i < WITNESS_CLUSTERS_MAX; i++) {
        struct witness_grant *g = &w->grants[i];
        if (g->used != 0 && witness_same_cluster(&g->to, m))
            return g;
        if (g->used < oldest->used)
            oldest = g;
    }
    memset(oldest, 0, sizeof(*oldest));
    return oldest;
}

static bool witness_grants(struct witness_grant *g, const struct witness_message *m)
{
    if (g->used != 0 && m->epoch < g->to.epoch)
        return false;
    if (g->used != 0 && m->epoch == g->to.epoch)
        return witness_same_asker(&g->to, m);
    g->to = *m;
    return true;
}

static bool witness_knows(const struct witness *w, const struct witness_sealed *s)
{
    return !w->sealed || seal_mac_fits(w->key, &s->message, sizeof(s->message), s->mac);
}

size_t witness_answer(struct witness *w, const void *request, size_t request_bytes, void *reply,
                      size_t reply_size)
{
    struct witness_sealed s = {0};
    size_t bytes = w->sealed ? sizeof(s) : sizeof(s.message);
    if (request_bytes != bytes || reply_size < bytes) {
        w->malformed++;
        return 0;
    }
    memcpy(&s, request, bytes);
    struct witness_message m = s.message;
    if (!witness_knows(w, &s) || m.magic != WITNESS_MAGIC || m.version != WITNESS_VERSION ||
        m.kind != WITNESS_ASK || m.epoch == 0 || m.id == NODE_NONE) {
        w->malformed++;
        return 0;
    }
    w->asked++;
    struct witness_grant *g = witness_slot(w, &m);
    bool yes = witness_grants(g, &m);
    if (w->stamp < UINT32_MAX)
        w->stamp++;
    g->used = w->stamp;
    w->granted += yes;
    s.message.kind = yes ? WITNESS_GRANTED : WITNESS_REFUSED;
    if (w->sealed)
        seal_mac(w->key, &s.message, sizeof(s.message), s.mac);
    memcpy(reply, &s, bytes);
    return bytes;
}
