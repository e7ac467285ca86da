// SPDX-License-Identifier: MIT
#include "ssi/process/pidfd.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/container/wire.h"
#include "ssi/fs/anon.h"
#include "ssi/process/messages.h"
#include "ssi/process/procfs.h"

#define RETRY_NS    (5 * NS_PER_MS)
#define RETRIES_MAX 400

struct pidfd {
    struct list link; // of all of this node
    struct pidfd_of of;
    bool ended;
    struct wait_queue changed;
};

NODE_VAR(struct list, pidfds);

// ---- the open file -----------------------------------------------------------------------------
static unsigned pidfd_poll(struct file *f)
{
    const struct pidfd *v = f->data;
    return v->ended ? POLL_IN : 0;
}

static struct wait_queue *pidfd_poll_queue(struct file *f)
{
    struct pidfd *v = f->data;
    return &v->changed;
}

static long pidfd_ioctl(struct file *f, uint32_t request, void *data, size_t in_bytes,
                        size_t out_size)
{
    const struct pidfd *v = f->data;
    (void)in_bytes;
    if (request != PIDFD_FACTS || out_size < sizeof(v->of))
        return -ENOTTY;
    memcpy(data, &v->of, sizeof(v->of));
    return 0;
}

static void pidfd_release(struct file *f)
{
    struct pidfd *v = f->data;
    list_remove(&v->link);
    heap_free(v);
}

static const struct file_ops pidfd_ops = {
    .name = "[pidfd]",
    .ioctl = pidfd_ioctl,
    .poll = pidfd_poll,
    .poll_queue = pidfd_poll_queue,
    .stat = anon_stat,
    .release = pidfd_release,
};

static struct file *pidfd_new(int32_t pid, uint64_t start_ns, uint32_t flags)
{
    struct pidfd *v = heap_zalloc(sizeof(*v));
    struct file *f = v ? file_new(&pidfd_ops, O_RDWR | flags, v) : NULL;
    if (f == NULL) {
        heap_free(v);
        return NULL;
    }
    v->of = (struct pidfd_of){.pid = pid, .start_ns = start_ns};
    wait_init(&v->changed);
    list_append(&node(pidfds), &v->link);
    return f;
}

// ---- asking the process ------------------------------------------------------------------------
struct message_watch {
    struct message_about about;
    uint64_t start_ns; // 0: of any
    uint32_t watch;    // tell the asker of its end
    uint32_t reserved;
} PACKED;

struct watch_facts {
    uint64_t start_ns;
    uint32_t ended, reserved;
} PACKED;

// -ESTALE: another process has its PID.
static int watch_apply(struct process *p, node_id_t by, const struct message_watch *m,
                       struct watch_facts *now)
{
    if (m->start_ns && m->start_ns != p->start_ns)
        return -ESTALE;
    *now = (struct watch_facts){.start_ns = p->start_ns, .ended = p->state == PROCESS_ZOMBIE};
    if (m->watch)
        node_set_add(&p->watchers, by);
    return 0;
}

void process_on_watch(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_watch));
    if (!p)
        return;
    struct message_watch m;
    struct watch_facts now = {0};
    memcpy(&m, in->bytes, sizeof(m));
    int e = watch_apply(p, in->from, &m, &now);
    answer_done(in, p->incarnation, e, &now, sizeof(now));
}

static int ask(const struct pidfd_of *of, bool watch, struct watch_facts *now)
{
    struct message_watch m = {{of->pid, 0}, of->start_ns, watch, 0};
    struct {
        struct answer head;
        struct watch_facts now;
    } PACKED reply = {0};
    struct process *p = process_find(of->pid);
    if (p && p->state != PROCESS_MOVING)
        return watch_apply(p, cluster_self(), &m, now);
    if (of->pid == PID_CLUSTER) {
        *now = (struct watch_facts){.start_ns = 1};
        return 0;
    }
    int e = routed_call(of->pid, MSG_process_watch, &m, sizeof(m), &reply, sizeof(reply));
    *now = reply.now;
    return e;
}

int pidfd_state(const struct pidfd_of *of)
{
    struct watch_facts now;
    int e = ask(of, false, &now);
    return e < 0 ? (e == -ESTALE ? -ESRCH : e) : now.ended != 0;
}

// ---- made --------------------------------------------------------------------------------------
int pidfd_open(int32_t pid, uint32_t flags, struct file **f)
{
    const struct task *t = task_find(pid);
    if (t && t->process->pid != pid)
        return -EINVAL;
    // In the list before it asks: news of the end find it.
    *f = pidfd_new(pid, 0, flags);
    if (*f == NULL)
        return -ENOMEM;
    struct pidfd *v = (*f)->data;
    struct watch_facts now;
    int e = ask(&v->of, true, &now);
    if (e < 0) {
        file_put(*f);
        return e;
    }
    v->of.start_ns = now.start_ns;
    v->ended = v->ended || now.ended;
    return 0;
}

int pidfd_of_child(struct process *child, struct file **f)
{
    *f = pidfd_new(child->pid, child->start_ns, 0);
    if (*f == NULL)
        return -ENOMEM;
    node_set_add(&child->watchers, cluster_self());
    return 0;
}

int pidfd_names(struct file *f, bool folders, struct pidfd_of *of)
{
    *of = (struct pidfd_of){.pid = folders ? procfs_folder_of(f->place) : 0};
    if (of->pid > 0)
        return 0;
    if (f->ops->seek || f->ops->ioctl == NULL || (f->flags & O_PATH) ||
        f->ops->ioctl(f, PIDFD_FACTS, of, 0, sizeof(*of)) != 0 || of->pid <= 0)
        return -EBADF;
    return 0;
}

// ---- the end -----------------------------------------------------------------------------------
// start_ns 0: whichever had that PID.
static void told_here(int32_t pid, uint64_t start_ns)
{
    struct pidfd *v;
    list_for_each (v, &node(pidfds), link) {
        if (v->of.pid != pid || v->ended ||
            (start_ns && v->of.start_ns && v->of.start_ns != start_ns))
            continue;
        v->ended = true;
        wait_wake_all(&v->changed);
    }
}

struct message_ended {
    int32_t pid;
    uint32_t reserved;
    uint64_t start_ns;
} PACKED;

void process_on_ended(const struct rpc_in *in)
{
    struct message_ended m;
    if (in->n != sizeof(m)) {
        cluster_count_add("process: malformed message", 1);
        return;
    }
    memcpy(&m, in->bytes, sizeof(m));
    told_here(m.pid, m.start_ns);
}

struct pidfd_end pidfd_end_of(const struct process *p)
{
    return (struct pidfd_end){{.pid = p->pid, .start_ns = p->start_ns}, p->watchers};
}

void pidfd_tell_end(const struct pidfd_end *end)
{
    struct message_ended m = {.pid = end->of.pid, .start_ns = end->of.start_ns};
    node_set_for_each (&end->nodes, n) {
        if (n == cluster_self())
            told_here(m.pid, m.start_ns);
        else if (cluster_is_member(n))
            wire_send(n, MSG_process_ended, &m, sizeof(m));
    }
}

void pidfd_process_lost(int32_t pid)
{
    told_here(pid, 0);
}

// The one with the lowest PID above `after` whose end is not known; false: there is none.
static bool next_open(int32_t after, struct pidfd_of *of)
{
    const struct pidfd *v;
    of->pid = 0;
    list_for_each (v, &node(pidfds), link)
        if (!v->ended && v->of.pid > after && (of->pid == 0 || v->of.pid < of->pid))
            *of = v->of;
    return of->pid != 0;
}

// Watched anew: one that went to another node meanwhile may have lost what it knew.
void pidfd_check_all(void)
{
    struct pidfd_of of;
    for (int32_t after = PID_CLUSTER; next_open(after, &of); after = of.pid) {
        struct watch_facts now = {0};
        int e = ask(&of, true, &now);
        for (unsigned k = 0; e == -ENOMEM && k < RETRIES_MAX; k++) {
            (void)wait_for_ns(RETRY_NS, 0);
            e = ask(&of, true, &now);
        }
        if (e == -ESRCH || e == -ESTALE || (e == 0 && now.ended))
            told_here(of.pid, of.start_ns);
    }
}

// ---- its open files ----------------------------------------------------------------------------
struct message_getfd {
    struct message_about about;
    uint64_t start_ns;
    struct wire_sender sender;
    uint32_t gid, fd;
} PACKED;

static int file_at(struct process *p, const struct message_getfd *m, struct file **f)
{
    const struct credentials *c = &p->cred;
    const struct wire_sender *s = &m->sender;
    bool same = s->uid == c->uid && s->uid == c->euid && s->uid == c->suid && m->gid == c->gid &&
                m->gid == c->egid && m->gid == c->sgid && !p->not_dumpable &&
                !(c->permitted & ~s->permitted);
    if ((m->start_ns && m->start_ns != p->start_ns) || p->files == NULL)
        return -ESRCH;
    if (!(s->effective & CAPABILITY_BIT(CAP_SYS_PTRACE)) && s->pid != p->pid && !same)
        return -EPERM;
    *f = fd_file_get(p->files, (int)m->fd);
    return *f ? 0 : -EBADF;
}

void process_on_getfd(const struct rpc_in *in)
{
    struct process *p = answer_find(in, sizeof(struct message_getfd));
    if (!p)
        return;
    struct message_getfd m;
    struct file_ref ref = {0};
    struct file *f;
    const char *why;
    uint32_t incarnation = p->incarnation;
    memcpy(&m, in->bytes, sizeof(m));
    int e = file_at(p, &m, &f);
    if (e == 0) {
        e = file_export(f, in->from, &ref, &why);
        file_put(f);
    }
    answer_done(in, incarnation, e, &ref, sizeof(ref));
}

int pidfd_file(const struct process *me, const struct pidfd_of *of, uint32_t fd, struct file **f)
{
    struct message_getfd m = {.about = {of->pid, 0},
                              .start_ns = of->start_ns,
                              .sender = remote_sender(me),
                              .gid = process_acting(me)->gid,
                              .fd = fd};
    struct {
        struct answer head;
        struct file_ref ref;
    } PACKED reply;
    struct process *p = process_find(of->pid);
    if (p && p->state != PROCESS_MOVING)
        return file_at(p, &m, f);
    if (of->pid == PID_CLUSTER)
        return -ESRCH;
    int e = routed_call(of->pid, MSG_process_getfd, &m, sizeof(m), &reply, sizeof(reply));
    if (e < 0)
        return e;
    *f = file_import(&reply.ref);
    return *f ? 0 : -ENOMEM;
}

static void pidfds_start(void)
{
    list_init(&node(pidfds));
}
INIT_STEP(INIT_CORE, pidfds_start);
