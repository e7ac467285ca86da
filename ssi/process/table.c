// SPDX-License-Identifier: MIT
// The processes and tasks of this node: made, found, freed.
#include "ssi/process/process.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/assert.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/priority.h"
#include "ssi/process/priv.h"
#include "ssi/process/rseq.h"
#include "ssi/process/timers.h"
#include "ssi/process/procfs.h"
#include "ssi/process/ipc.h"
#include "ssi/process/aio.h"
#include "ssi/process/ldt.h"
#include "ssi/process/seccomp.h"
#include "ssi/process/tracee.h"

#define HASH_SIZE 256
// The FXSAVE image wants 16-byte alignment: a power of two of the heap has it.
#define TASK_BYTES 1024
STATIC_ASSERT(sizeof(struct task) <= TASK_BYTES, "a task fits its size class");

void (*process_on_move)(struct task *t);
void (*process_on_end)(struct process *p);
void (*process_on_task_end)(struct task *t);
void (*process_on_interrupted_call)(struct task *t, bool sa_restart);
void (*process_on_tracing)(bool any);
int (*process_on_migrate)(int32_t pid, node_id_t to, const struct credentials *who);
void (*process_on_depends)(struct process *p, struct text *t);
const char *(*process_on_cantmove)(struct process *p);

NODE_VAR(struct pid_pool, pids);
NODE_VAR(struct list, processes); // by pid
NODE_VAR(struct list, process_hash[HASH_SIZE]);
NODE_VAR(struct list, task_hash[HASH_SIZE]);

static void tables_init(void)
{
    pid_pool_init(&node(pids), 2); // PID 1 is the cluster's
    list_init(&node(processes));
    for (unsigned i = 0; i < HASH_SIZE; i++) {
        list_init(&node(process_hash)[i]);
        list_init(&node(task_hash)[i]);
    }
}
INIT_STEP(INIT_CORE, tables_init);

struct process *process_find(int32_t pid)
{
    struct process *p;
    list_for_each (p, &node(process_hash)[(uint32_t)pid % HASH_SIZE], hash_link) {
        if (p->pid == pid)
            return p;
    }
    return NULL;
}

struct task *task_find(int32_t tid)
{
    struct list *head = &node(task_hash)[(uint32_t)tid % HASH_SIZE];
    // The head is no part of a task, not even for its address: tasks are aligned for their FPU
    // state.
    for (struct list *l = head->next; l != head; l = l->next) {
        struct task *t = list_entry(l, struct task, hash_link);
        if (t->tid == tid)
            return t;
    }
    return NULL;
}

struct process *process_next(int32_t after_pid)
{
    struct process *p = process_find(after_pid);
    if (p) { // walks begin anew at each step: this makes them short
        struct list *next = p->all_link.next;
        return next == &node(processes) ? NULL : list_entry(next, struct process, all_link);
    }
    list_for_each (p, &node(processes), all_link) {
        if (p->pid > after_pid)
            return p;
    }
    return NULL;
}

unsigned process_count(void)
{
    unsigned n = 0;
    struct process *p;
    list_for_each (p, &node(processes), all_link)
        n++;
    return n;
}

// ---- PIDs --------------------------------------------------------------------------------------
static bool id_in_use(int32_t id)
{
    struct process *p;
    list_for_each (p, &node(processes), all_link) {
        if (p->pgrp == id || p->sid == id)
            return true;
    }
    return false;
}

int32_t pid_take(void)
{
    uint64_t now = clock_now_ns();
    for (;;) {
        uint32_t n = pid_pool_take(&node(pids), now);
        if (!n)
            return 0;
        int32_t pid = (int32_t)(cluster_self() * PID_PER_NODE + n);
        if (!id_in_use(pid))
            return pid;
        pid_pool_release(&node(pids), n, now); // rests, so the search goes on
    }
}

#define REST_LOOK_NS (50 * NS_PER_MS)

int pid_claim(int32_t pid)
{
    int e;
    if (pid == PID_CLUSTER)
        return -EEXIST;
    if (pid <= 0 || pid_birth_node(pid) != cluster_self())
        return -EINVAL;
    do {
        uint32_t n = (uint32_t)pid % PID_PER_NODE;
        e = id_in_use(pid) ? -EEXIST : pid_pool_claim(&node(pids), n, clock_now_ns());
    } while (e == -EBUSY && (e = wait_for_ns(REST_LOOK_NS, WAIT_INTERRUPTIBLE)) != -EINTR);
    return e;
}

void pid_put(int32_t pid)
{
    if (pid_birth_node(pid) == cluster_self())
        pid_pool_release(&node(pids), (uint32_t)pid % PID_PER_NODE, clock_now_ns());
}

bool pid_in_use(int32_t pid)
{
    return pid_birth_node(pid) == cluster_self() &&
           pid_pool_used(&node(pids), (uint32_t)pid % PID_PER_NODE);
}

// ---- processes ---------------------------------------------------------------------------------
static void insert_by_pid(struct process *p)
{
    struct list *at = &node(processes);
    while (at->prev != &node(processes) &&
           list_entry(at->prev, struct process, all_link)->pid > p->pid)
        at = at->prev; // from the end: a new PID is mostly the highest
    list_append(at, &p->all_link);
    list_append(&node(process_hash)[(uint32_t)p->pid % HASH_SIZE], &p->hash_link);
    census_changed();
}

struct process *process_new_as(int32_t pid, uint32_t incarnation)
{
    struct process *p = heap_zalloc(sizeof(*p));
    if (!p)
        return NULL;
    p->pid = pid;
    p->incarnation = incarnation;
    p->born = pid_birth_node(pid);
    p->came_from = NODE_NONE;
    p->tty_node = NODE_NONE;
    p->state = PROCESS_RUNNING;
    p->exit_signal = SIGCHLD;
    credentials_root(&p->cred);
    list_init(&p->tasks);
    list_init(&p->children);
    signal_set_init(&p->pending);
    wait_init(&p->child_wait);
    wait_init(&p->stop_wait);
    wait_init(&p->task_wait);
    wait_init(&p->signal_wait);
    timer_init(&p->alarm, signal_alarm, p);
    list_init(&p->timers);
    list_init(&p->shm);
    list_init(&p->tracees);
    process_timer_init(&p->cpu_timers[0], p, TIMER_PROCESS_USER);
    process_timer_init(&p->cpu_timers[1], p, TIMER_PROCESS_CPU);
    p->cpu_timers[0].signal = SIGVTALRM;
    p->cpu_timers[1].signal = SIGPROF;
    p->cpu_timers[0].code = p->cpu_timers[1].code = SI_KERNEL;
    p->start_ns = p->arrived_ns = cluster_clock_ns();
    insert_by_pid(p);
    return p;
}

struct process *process_new(int32_t claimed)
{
    int32_t pid = claimed ? claimed : pid_take();
    if (!pid)
        return NULL;
    struct process *p = process_new_as(pid, 1);
    if (!p) {
        pid_put(pid);
        return NULL;
    }
    p->parent = PID_CLUSTER;
    p->pgrp = p->sid = pid;
    process_limits_init(p);
    return p;
}

void fs_context_put(struct fs_context *c)
{
    if (c && --c->users == 0)
        heap_free(c);
}

void signal_actions_put(struct signal_actions *a)
{
    if (a && --a->users == 0)
        heap_free(a);
}

void vfork_release(struct process *p)
{
    struct vfork_wait *v = p->vfork;
    if (!v)
        return;
    p->vfork = NULL;
    v->done = true;
    wait_wake_all(&v->wait);
    vfork_put(v);
}

void vfork_put(struct vfork_wait *v)
{
    if (--v->users == 0)
        heap_free(v);
}

// What a zombie needs no longer: memory, files, signals. May sleep: files are told to their home.
void process_release_resources(struct process *p)
{
    timer_cancel(&p->alarm);
    process_timers_stop(p);
    process_timers_delete(p);
    if (p->aio)
        aio_remove_all(p);
    if (p->ldt)
        ldt_drop(p);
    ipc_forget_here(p);
    signal_set_clear(p, &p->pending);
    struct space *space = p->space;
    struct fd_table *files = p->files;
    struct file *executable = p->executable;
    usage_leave_space(p);
    p->space = NULL;
    p->files = NULL;
    p->executable = NULL;
    vfork_release(p);
    fs_context_put(p->fs);
    p->fs = NULL;
    signal_actions_put(p->actions);
    p->actions = NULL;
    if (space)
        space_put(space);
    if (files)
        fd_table_put(files);
    if (executable)
        file_put(executable);
    wait_wake_all(&p->task_wait);
}

void process_free(struct process *p)
{
    ASSERT(list_empty(&p->tasks));
    list_remove(&p->all_link);
    list_remove(&p->hash_link);
    census_changed();
    process_release_resources(p);
    wait_end(&p->signal_wait);
    struct child *c, *next;
    list_for_each_safe (c, next, &p->children, link) {
        list_remove(&c->link);
        heap_free(c);
    }
    heap_free(p);
}

// ---- tasks -------------------------------------------------------------------------------------
void task_discard(struct task *t)
{
    struct process *p = t->process;
    struct thread *thread = t->thread;
    if (t->tid != p->pid)
        tid_put(p, t->tid);
    task_free(t);
    thread_abandon(thread);
}

void task_switch_out(struct thread *thread)
{
    struct task *t = thread->user;
    arch_fpu_save(&t->fpu);
}

void task_switch_in(struct thread *thread)
{
    struct task *t = thread->user;
    arch_fpu_load(&t->fpu);
    arch_user_prepare(thread->stack_top, &t->tls);
    rseq_switched(t);
}

static void task_main(void *arg)
{
    struct task *t = arg;
    if (t->first)
        t->first(t);
    if (t->set_child_tid) { // a failure is the program's own: clone(2) reports none
        int e = user_write(t->set_child_tid, &t->tid, sizeof(t->tid));
        t->set_child_tid = 0;
        if (e < 0)
            cluster_count_add("process: child tid not writable", 1);
    }
    arch_on_user_return(&t->start);
    arch_user_enter(&t->start);
}

struct task *task_new(struct process *p, int32_t tid)
{
    int32_t id = tid ? tid : pid_take();
    if (!id)
        return NULL;
    struct task *t = heap_zalloc(TASK_BYTES);
    struct thread *thread = t ? thread_new(p->name, THREAD_NORMAL, task_main, t) : NULL;
    struct credentials *cred = &p->cred;
    if (thread && id != p->pid)
        cred = heap_zalloc(sizeof(*cred));
    if (thread && !cred)
        thread_abandon(thread);
    if (!thread || !cred) {
        heap_free(t);
        if (!tid)
            pid_put(id);
        return NULL;
    }
    t->process = p;
    t->cred = cred;
    t->tid = id;
    t->thread = thread;
    t->regs = &t->start;
    signal_set_init(&t->pending);
    arch_fpu_init(&t->fpu);
    thread->user = t;
    if (task_current())
        thread->affinity = thread_current()->affinity;
    thread->switch_out = task_switch_out;
    thread->switch_in = task_switch_in;
    if (p->ldt)
        task_switches_set(t);
    list_append(&p->tasks, &t->link);
    list_append(&node(task_hash)[(uint32_t)id % HASH_SIZE], &t->hash_link);
    p->task_count++;
    return t;
}

void task_start(struct task *t)
{
    task_weigh(t);
    t->thread->space = t->process->space ? &t->process->space->arch : NULL;
    if (signal_pending(t) || t->move_asked || t->trace)
        t->thread->asked = true;
    thread_start(t->thread);
}

void task_free(struct task *t)
{
    struct process *p = t->process;
    tracee_task_gone(t);
    if (t->seccomp)
        seccomp_release(t);
    signal_set_clear(p, &t->pending);
    list_remove(&t->link);
    list_remove(&t->hash_link);
    watch_leave(t->thread);
    if (p->ldt && t == task_current())
        arch_ldt_load(NULL, 0);
    t->thread->user = NULL;
    t->thread->switch_out = NULL;
    t->thread->switch_in = NULL;
    struct usage used;
    usage_of_task(t, &used);
    usage_add(&p->ended, &used);
    p->task_count--;
    if (t->cred != &p->cred)
        heap_free(t->cred);
    heap_free(t);
}

void task_take_pid(struct task *t)
{
    struct process *p = t->process;
    if (t->tid == p->pid)
        return;
    list_remove(&t->hash_link);
    tid_put(p, t->tid);
    t->tid = p->pid;
    tracee_takes_pid(t);
    p->cred = *t->cred;
    heap_free(t->cred);
    t->cred = &p->cred;
    list_append(&node(task_hash)[(uint32_t)t->tid % HASH_SIZE], &t->hash_link);
}

static bool ids_changed(const struct credentials *a, const struct credentials *b)
{
    return a->euid != b->euid || a->egid != b->egid || a->fsuid != b->fsuid || a->fsgid != b->fsgid;
}

// What it can do now is not for everybody's eyes who saw what it could before.
void process_credentials_changed(const struct credentials *old)
{
    struct task *t = task_current();
    if (!ids_changed(t->cred, old) && !(t->cred->permitted & ~old->permitted))
        return;
    t->process->not_dumpable = true;
    t->process->parent_death_signal = 0;
}

void process_who(const struct process *p, struct fs_who *who)
{
    static const struct fs_context nowhere;
    const struct fs_context *fs = p->fs ? p->fs : &nowhere;
    const struct credentials *c = process_acting(p);
    who->uid = c->fsuid;
    who->gid = c->fsgid;
    who->lacks = ~c->effective;
    who->group_count = c->group_count;
    memcpy(who->groups, c->groups, sizeof(who->groups));
    who->root = fs->root;
    who->cwd = fs->cwd;
    who->umask = fs->umask;
    uint32_t limit = p->limits[RLIMIT_FSIZE].current;
    who->file_bytes_max = limit == UINT32_MAX ? UINT64_MAX : limit;
    who->pid = p->pid;
}
