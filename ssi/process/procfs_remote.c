// SPDX-License-Identifier: MIT
// /proc of what is on other nodes: listed and read by rpc.
#include "lib/errno.h"
#include "lib/string.h"
#include "lib/node_var.h"
#include "kernel/timer.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/fs/generated.h"
#include "ssi/process/location.h"
#include "ssi/process/messages.h"
#include "ssi/process/procfs_priv.h"

#define LIST_PIDS 256u
#define FRESH_NS  (50 * NS_PER_MS) // a list from another node is good for that long
#define SHOW_MAX  (RPC_BYTES_MAX - (uint32_t)sizeof(struct answer))

struct message_show {
    struct message_about about;
    uint32_t kind, offset; // the piece of the text that begins there
} PACKED;

struct message_migrate {
    struct message_about about;
    uint16_t to, any; // any: whosever process it is
    uint32_t uid;
    int32_t asker;
} PACKED;

struct message_list {
    int32_t after;
} PACKED;

// ---- listing -----------------------------------------------------------------------------------
struct pid_list {
    uint32_t count;
    int32_t pid[LIST_PIDS];
} PACKED;

static void list_here(int32_t after, struct pid_list *l)
{
    l->count = 0;
    for (struct process *p = process_next(after); p && l->count < LIST_PIDS;
         p = process_next(p->pid))
        l->pid[l->count++] = p->pid;
}

void process_on_list(const struct rpc_in *in)
{
    struct message_list m;
    struct pid_list *l = in->n == sizeof(m) ? heap_alloc(sizeof(*l)) : NULL;
    if (!l) {
        rpc_reply(in->from, in->request, in->n == sizeof(m) ? -ENOMEM : -EPROTO, NULL, 0);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    list_here(m.after, l);
    rpc_reply(in->from, in->request, 0, l, sizeof(l->count) + l->count * sizeof(l->pid[0]));
    heap_free(l);
}

struct list_cache {
    struct pid_list list;
    int32_t after;
    node_id_t node;
    uint64_t at_ns;
};

NODE_VAR(struct list_cache, cache);

static bool cached(node_id_t n, int32_t after)
{
    const struct list_cache *c = &node(cache);
    return c->at_ns && c->node == n && c->after <= after && clock_now_ns() - c->at_ns < FRESH_NS &&
           (c->list.count < LIST_PIDS || after < c->list.pid[LIST_PIDS - 1]);
}

static bool fetch(node_id_t n, int32_t after)
{
    struct message_list m = {after};
    struct pid_list *l = heap_zalloc(sizeof(*l));
    if (!l)
        return false;
    long got = rpc_call(n, MSG_process_list, &m, sizeof(m), l, sizeof(*l), 0);
    bool good = got >= (long)sizeof(l->count) && l->count <= LIST_PIDS &&
                got == (long)(sizeof(l->count) + l->count * sizeof(l->pid[0]));
    if (good) {
        struct list_cache *c = &node(cache);
        c->list = *l;
        c->after = after;
        c->node = n;
        c->at_ns = clock_now_ns();
    }
    heap_free(l);
    return good;
}

int32_t proc_next(node_id_t n, int32_t pid)
{
    if (n == cluster_self()) {
        const struct process *p = process_next(pid);
        return p ? p->pid : 0;
    }
    if ((pid == 0 || !cached(n, pid)) && !fetch(n, pid)) // a listing that begins is a fresh one
        return 0;
    const struct pid_list *l = &node(cache).list;
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->pid[i] > pid)
            return l->pid[i];
    }
    return 0;
}

// ---- content -----------------------------------------------------------------------------------
static int show_asked(void *arg, struct text *t)
{
    const struct message_show *m = arg;
    return proc_local_text(m->about.pid, m->kind, t);
}

void process_on_show(const struct rpc_in *in)
{
    struct process *p = answer_find_thread(in, sizeof(struct message_show));
    if (!p)
        return;
    struct message_show m;
    memcpy(&m, in->bytes, sizeof(m));
    uint32_t incarnation = p->incarnation;
    struct text t;
    int e = generated_text(&t, SHOW_MAX, show_asked, &m);
    size_t from = e == 0 ? MIN((size_t)m.offset, t.length) : 0;
    size_t n = e == 0 ? MIN(t.length - from, (size_t)SHOW_MAX) : 0;
    answer_done(in, incarnation, e, n ? t.at + from : NULL, n);
    if (e == 0)
        heap_free(t.at);
}

// Piece by piece: each that fills a message has another behind it. cmdline has NULs: by length.
static int remote_text(int32_t pid, uint32_t kind, struct text *t)
{
    struct message_show m = {{pid, 0}, kind, 0};
    char *reply = heap_zalloc(RPC_BYTES_MAX + 1);
    int e = reply ? 0 : -ENOMEM;
    for (size_t n = SHOW_MAX; e == 0 && n == SHOW_MAX && !t->cut; m.offset += (uint32_t)n) {
        size_t got, room = t->size - t->length - 1;
        e = routed_call_bytes(pid, MSG_process_show, &m, sizeof(m), reply, RPC_BYTES_MAX, &got);
        n = e == 0 && got > sizeof(struct answer) ? got - sizeof(struct answer) : 0;
        t->cut = n > room;
        memcpy(t->at + t->length, reply + sizeof(struct answer), MIN(n, room));
        t->length += MIN(n, room);
        t->at[t->length] = 0;
    }
    heap_free(reply);
    return e;
}

int proc_process_text(int32_t pid, uint32_t kind, struct text *t)
{
    if (pid == PID_CLUSTER)
        return proc_init_text(kind, t);
    if (proc_find(pid))
        return proc_local_text(pid, kind, t);
    return remote_text(pid, kind, t);
}

int proc_owner(int32_t pid, uint32_t *uid)
{
    const struct process *p = proc_find(pid);
    if (pid == PID_CLUSTER) {
        *uid = 0;
        return 0;
    }
    if (p) {
        *uid = p->cred.euid;
        return 0;
    }
    struct remote_facts f;
    int e = remote_facts(pid, &f);
    if (e == 0)
        *uid = f.euid;
    return e;
}

// ---- moving ------------------------------------------------------------------------------------
// A process that has moved since it opened its own file here waits in another node's call, and so
// cannot leave: but it may ask to be where it is, as it does when it comes again with that call.
static int migrate_here(int32_t pid, node_id_t to, uint32_t uid, bool any, int32_t asker)
{
    if (asker == pid && process_current() == NULL && to != cluster_self())
        return -EBUSY;
    struct credentials who = {.uid = uid, .euid = uid, .suid = uid, .fsuid = uid};
    who.effective = any ? CAPABILITY_BIT(CAP_KILL) : 0;
    return process_on_migrate ? process_on_migrate(pid, to, &who) : -EBUSY;
}

void process_on_migrate_asked(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_migrate));
    if (!p)
        return;
    struct message_migrate m;
    memcpy(&m, in->bytes, sizeof(m));
    uint32_t incarnation = p->incarnation;
    answer_done(in, incarnation, migrate_here(m.about.pid, m.to, m.uid, m.any, m.asker), NULL, 0);
}

int proc_migrate(int32_t pid, node_id_t to, const struct fs_who *who)
{
    if (pid == PID_CLUSTER)
        return -EBUSY; // it is everywhere
    struct process *p = process_find(pid);
    bool any = fs_can(who, CAP_KILL);
    if (p && p->state != PROCESS_MOVING)
        return migrate_here(pid, to, who->uid, any, who->pid);
    struct message_migrate m = {{pid, 0}, to, any, who->uid, who->pid};
    return routed_call(pid, MSG_process_migrate, &m, sizeof(m), NULL, 0);
}

// ---- out of memory -----------------------------------------------------------------------------
struct message_oom {
    struct message_about about;
    int32_t value;
    uint32_t privileged; // CAP_SYS_RESOURCE
} PACKED;

static int adjust_here(struct process *p, int value, bool privileged)
{
    if (value < p->oom_adjust_least && !privileged)
        return -EACCES;
    p->oom_adjust = value;
    p->oom_adjust_least = privileged ? value : p->oom_adjust_least;
    return 0;
}

void process_on_oom(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_oom));
    if (!p)
        return;
    struct message_oom m;
    memcpy(&m, in->bytes, sizeof(m));
    bool good = m.value >= -1000 && m.value <= 1000;
    answer_done(in, p->incarnation, good ? adjust_here(p, m.value, m.privileged) : -EPROTO, NULL,
                0);
}

int proc_oom_adjust(int32_t pid, int value, const struct fs_who *who)
{
    if (pid == PID_CLUSTER)
        return -EACCES;
    struct process *p = proc_find(pid);
    bool privileged = fs_can(who, CAP_SYS_RESOURCE);
    if (p && p->state != PROCESS_MOVING)
        return adjust_here(p, value, privileged);
    struct message_oom m = {{pid, 0}, value, privileged};
    return routed_call(pid, MSG_process_oom, &m, sizeof(m), NULL, 0);
}

// ---- facts of a node ---------------------------------------------------------------------------
static void facts_here(struct node_facts *f)
{
    uint64_t user, system, idle;
    thread_cpu_times(&user, &system, &idle);
    *f = (struct node_facts){
        .free_frames = frame_free_count(),
        .total_frames = frame_total_count(),
        .processes = process_count(),
        .tasks = thread_ready_count(),
        .user_ns = user,
        .system_ns = system,
        .idle_ns = idle,
        .heap_bytes = heap_bytes_used(),
    };
}

void process_on_node_facts(const struct rpc_in *in)
{
    struct node_facts f;
    facts_here(&f);
    rpc_reply(in->from, in->request, 0, &f, sizeof(f));
}

int node_facts_of(node_id_t n, struct node_facts *f)
{
    if (n == cluster_self()) {
        facts_here(f);
        return 0;
    }
    long got = rpc_call(n, MSG_process_node_facts, NULL, 0, f, sizeof(*f), 0);
    if (got < 0)
        return (int)got;
    return got == (long)sizeof(*f) ? 0 : -EPROTO;
}
