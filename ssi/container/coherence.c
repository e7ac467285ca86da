// SPDX-License-Identifier: MIT
// What both halves of coherence share: answers, names, text, and the wire form.
#include "ssi/container/coherence.h"
#include "ssi/container/coherence_priv.h"
#include "lib/fmt.h"

void coh_out_init(struct coh_out *out, uint8_t state)
{
    out->refused = false;
    out->was = out->is = state;
    out->sends = 0;
    out->effects = 0;
}

void coh_refuse(struct coh_out *out)
{
    out->refused = true;
}

void coh_send_set(struct coh_out *out, const struct coh_env *env, struct coh_msg m,
                  const struct node_set *to)
{
    ASSERT(out->sends < COH_SENDS_MAX);
    m.from = env->self;
    out->send[out->sends++] = (struct coh_send){.msg = m, .to = *to};
}

void coh_send_one(struct coh_out *out, const struct coh_env *env, struct coh_msg m, node_id_t to)
{
    struct node_set set = node_set_of(to);

    coh_send_set(out, env, m, &set);
}

const char *coh_kind_name(unsigned kind)
{
    static const char *const names[COH_KIND_MAX] = {
#define COH_KIND(number, name, receiver, sentence) [number] = #name,
#include "ssi/container/coherence.def"
#undef COH_KIND
    };
    return kind < COH_KIND_MAX && names[kind] ? names[kind] : "?";
}

enum coh_receiver coh_kind_receiver(unsigned kind)
{
    static const uint8_t receivers[COH_KIND_MAX] = {
#define COH_KIND(number, name, receiver, sentence) [number] = COH_TO_##receiver,
#include "ssi/container/coherence.def"
#undef COH_KIND
    };
    return kind < COH_KIND_MAX ? (enum coh_receiver)receivers[kind] : COH_TO_NOBODY;
}

const char *coh_home_state_name(unsigned state)
{
    static const char *const names[] = {
#define COH_HOME_STATE(name, word, next) word,
#include "ssi/container/coherence.def"
#undef COH_HOME_STATE
    };
    return state < COH_HOME_STATES ? names[state] : "?";
}

const char *coh_held_name(unsigned held)
{
    static const char *const names[] = {
#define COH_HELD(name, word, next) word,
#include "ssi/container/coherence.def"
#undef COH_HELD
    };
    return held < COH_HELDS ? names[held] : "?";
}

static void show_node(struct text *t, const char *what, node_id_t node)
{
    if (node != NODE_NONE)
        text_add(t, " %s=%u", what, node);
}

static void show_set(struct text *t, const char *what, const struct node_set *set)
{
    const char *before = " %s=%u";

    node_set_for_each (set, node) {
        if (before[0] == ' ')
            text_add(t, " %s=%u", what, node);
        else
            text_add(t, ",%u", node);
        before = ",";
    }
}

int coh_home_show(const struct coh_home *h, char *text, size_t size)
{
    struct text t;

    text_init(&t, text, size);
    text_add(&t, "%s", coh_home_state_name(h->state));
    show_node(&t, "owner", h->owner);
    show_set(&t, "copies", &h->copies);
    show_node(&t, "target", h->target);
    show_node(&t, "giver", h->giver);
    show_set(&t, "pending", &h->pending);
    show_set(&t, "waiting", &h->waiting);
    show_set(&t, "writers", &h->writers);
    if (h->offered)
        text_add(&t, " offered");
    return (int)t.length;
}

static const char *right_name(unsigned right)
{
    return right == COH_RIGHT_WRITE ? "write" : right == COH_RIGHT_READ ? "read" : "nothing";
}

int coh_holder_show(const struct coh_holder *p, char *text, size_t size)
{
    return fmt_print(text, size, "%s asked=%s", coh_held_name(p->held), right_name(p->asked));
}

int coh_msg_show(const struct coh_msg *m, char *text, size_t size)
{
    struct text t;

    text_init(&t, text, size);
    text_add(&t, "%s", coh_kind_name(m->kind));
    if (m->right)
        text_add(&t, " %s", right_name(m->right));
    if (m->kind == COH_REPORT)
        text_add(&t, " %s", coh_held_name(m->held));
    if (m->kind == COH_FORWARD || m->kind == COH_MOVED || m->kind == COH_DATA)
        text_add(&t, " node=%u", m->node);
    text_add(&t, "%s%s%s", m->flags & COH_HAS_COPY ? " has-copy" : "",
             m->flags & COH_PUSH ? " push" : "", m->flags & COH_FIRST ? " first" : "");
    return (int)t.length;
}

void coh_msg_put(const struct coh_msg *m, struct coh_wire *w)
{
    *w = (struct coh_wire){
        .kind = m->kind, .right = m->right, .held = m->held, .flags = m->flags, .node = m->node};
}

bool coh_msg_get(const struct coh_wire *w, node_id_t from, struct coh_msg *m)
{
    bool names_node = w->kind == COH_FORWARD || w->kind == COH_DATA || w->kind == COH_MOVED;

    if (w->kind >= COH_LOCAL_FIRST || coh_kind_receiver(w->kind) == COH_TO_NOBODY)
        return false;
    if (w->right > COH_RIGHT_WRITE || w->held >= COH_HELDS || (w->flags & ~COH_FLAGS))
        return false;
    if (from >= NODE_MAX || (names_node && w->node >= NODE_MAX))
        return false;
    *m = (struct coh_msg){.kind = w->kind,
                          .right = w->right,
                          .held = w->held,
                          .flags = w->flags,
                          .from = from,
                          .node = w->node};
    return true;
}
