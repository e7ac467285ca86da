// SPDX-License-Identifier: MIT
// K-processes (the paper, 4.3): a process is a set of references to shareable objects with
// cluster-wide ids. PIDs are unique in the cluster and keep for life. A process is on exactly one
// node at a time, as an incarnation; the birth node knows where.
#pragma once

#include "arch/x86/arch.h"
#include "lib/node_set.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "kernel/wait.h"
#include "mm/space.h"
#include "ssi/fs/file.h"
#include "ssi/process/credentials.h"
#include "ssi/process/usage.h"

#define SIGNAL_MAX 64
typedef uint64_t sigset64; // bit n-1 is signal n

struct signal_action { // as rt_sigaction has it
    uint32_t handler;  // 0 SIG_DFL, 1 SIG_IGN
    uint32_t flags;    // SA_*
    uint32_t restorer;
    sigset64 mask;
};

struct signal_info { // what siginfo_t needs
    int32_t signal, error, code;
    int32_t pid;
    uint32_t uid;
    uint32_t address; // fault signals
    int32_t value;    // sigqueue
    int32_t status;   // SIGCHLD
};

struct signal_queued {
    struct list link;
    struct signal_info info;
};

struct signal_set { // pending signals of a thread or of a process
    sigset64 pending;
    struct list queue; // struct signal_queued, in order; at most one per standard signal
};

// A system call in progress: all that must survive leaving and re-entering its body, also on
// another node (PROTOCOLS 6). A body keeps nothing else across an interruptible sleep.
struct call {
    uint32_t number;
    uint32_t args[6];
    uint64_t deadline_ns; // absolute cluster time; 0: not set yet
    uint64_t done;        // bytes done
    uint8_t body[32];     // the body's own
    bool active;          // entered and not finished
};

#define TASK_POLICY_FIFO 1 // SCHED_FIFO
#define TASK_POLICY_RR   2 // SCHED_RR
#define TASK_POLICY_IDLE 5 // SCHED_IDLE
#define TASK_POLICY_MAX  TASK_POLICY_IDLE

struct task { // one thread of a process
    struct process *process;
    struct list link; // process->tasks
    int32_t tid;
    struct thread *thread;
    struct arch_regs *regs; // at the top of its kernel stack
    struct arch_fpu fpu;
    struct arch_tls tls;
    struct call call;
    sigset64 blocked;
    sigset64 blocked_saved; // sigsuspend and friends: restored after delivery
    bool blocked_saved_valid;
    struct signal_set pending;
    uint32_t altstack_at, altstack_bytes, altstack_flags;
    uint32_t clear_child_tid, robust_list;
    struct credentials *cred; // the leader's: process->cred; of others: their own
    uint32_t rseq_at, rseq_bytes, rseq_signature; // rseq.h; at 0: none
    uint32_t rseq_cpu;                            // what is written there
    bool rseq_due;                                // to be looked after on the way to user mode
    uint16_t io_priority;                         // ioprio_set(2); 0: none of its own
    uint32_t slack_ns, slack_default_ns; // prctl(PR_SET_TIMERSLACK): told, timers are exact
    uint8_t memory_errors;               // prctl(PR_MCE_KILL): told
    bool io_flusher;                     // prctl(PR_SET_IO_FLUSHER): told
    uint32_t set_child_tid;         // written in the child's memory before it first runs; 0: none
    uint8_t policy;                 // sched(7): 0 SCHED_OTHER, 3 SCHED_BATCH, 5 SCHED_IDLE
    uint8_t realtime;               // priority of SCHED_FIFO and SCHED_RR; else 0
    bool policy_reset;              // SCHED_RESET_ON_FORK: a child has no nice value below 0
    bool move_asked;                // looked at on the way to user mode
    bool parked;                    // before a move: waits for the others, then for the outcome
    bool ending;                    // task_exit has begun
    bool memory_left;               // its locks were given to others
    bool step_forced;               // its trap flag is the tracer's, not its own
    bool call_left;                 // its registers say so as Linux does: see ssi/linux/traced.c
    int32_t resume_signal;          // what the tracer gave it when its last ptrace-stop ended
    struct tracee *trace;           // somebody traces it (tracee.h); NULL
    sigset64 waiting_for;           // rt_sigtimedwait: these wake it though they are blocked
    struct vfork_wait *vforking;    // sleeps until its vfork child has left its memory
    struct list hash_link;          // by tid
    void (*first)(struct task *);   // run once, in the task, before it first goes to user mode
    struct arch_regs start;         // registers of a task that never ran here yet
    uint8_t seccomp;                // enum seccomp_mode (seccomp.h)
    struct seccomp_filter *filters; // SECCOMP_FILTER: the youngest of its chain
};

struct signal_actions { // shareable (CLONE_SIGHAND)
    uint32_t users;
    struct signal_action action[SIGNAL_MAX];
};

struct fs_context { // shareable (CLONE_FS)
    uint32_t users;
    struct fs_place root, cwd;
    uint32_t umask;
};

#define RLIMITS 16
struct rlimit_pair {
    uint32_t current, maximum; // UINT32_MAX: infinity
};

// What a parent knows of a child, wherever either of them is: waits look only at this. It goes
// with the parent when the parent moves; the child's node reports to the parent's node.
enum child_state {
    CHILD_RUNNING,
    CHILD_STOPPED,   // not yet told to a wait with WUNTRACED
    CHILD_CONTINUED, // not yet told to a wait with WCONTINUED
    CHILD_EXITED,
};

struct child {
    struct list link; // process->children, in order of birth
    int32_t pid, pgrp;
    enum child_state state;
    int status;      // as wait4 gives it
    int exit_signal; // what it sends at its end: __WCLONE looks at it
    uint32_t uid;
    node_id_t node;     // where it was when it last reported: its record is reaped there
    struct usage usage; // its own and its children's
    bool tracee;        // no child, but a part of a struct tracee (tracee.h)
};

// A vfork's parent sleeps until the child has left its memory.
struct vfork_wait {
    uint32_t users;
    bool done;
    struct wait_queue wait;
};

#define SIGNALS_SEEN 8
struct signal_seen { // a request that was carried out here: a repeated one is not
    node_id_t node;
    uint32_t request;
};

enum process_state {
    PROCESS_RUNNING,
    PROCESS_STOPPED,
    PROCESS_MOVING, // frozen for a hand-off
    PROCESS_ZOMBIE, // its exit record waits for the parent
};

// A timer of a process: see timers.h.
enum timer_clock {
    TIMER_CLUSTER,     // monotonic
    TIMER_PROCESS_CPU, // user and system time of all its tasks
    TIMER_PROCESS_USER,
    TIMER_THREAD_CPU, // of one task
    TIMER_THREAD_USER,
    TIMER_CLOCKS
};

struct process_timer {
    struct list link; // process->timers, or alone
    struct process *process;
    int32_t id;
    enum timer_clock clock;
    bool real;      // its absolute times are real time
    int32_t signal; // 0: none
    int32_t tid;    // to this task, 0: to the process
    int32_t thread; // TIMER_THREAD_CPU, _USER: whose time
    int32_t code;   // SI_TIMER, or SI_KERNEL of setitimer
    uint32_t value; // sigval
    uint64_t at_ns; // 0: not set
    uint64_t interval_ns;
    uint32_t overrun;      // of the signal that is pending
    uint32_t overrun_told; // of the last one that was taken
    bool pending;          // its signal waits to be taken
    struct timer timer;
};

struct process {
    struct list all_link;
    int32_t pid, parent, pgrp, sid;
    uint32_t incarnation; // +1 at each COMMIT of a hand-off
    enum process_state state;
    struct list tasks; // the first is the leader
    struct space *space;
    struct fd_table *files;
    struct fs_context *fs;
    struct signal_actions *actions;
    struct signal_set pending;
    struct credentials cred; // the leader's, also when that has ended: those of the process
    struct rlimit_pair limits[RLIMITS];
    struct wait_queue child_wait; // its wait4 sleeps here
    struct file *executable;
    char name[16];                                   // comm
    uint32_t arg_start, arg_end, env_start, env_end; // for cmdline and environ
    uint64_t start_ns;                               // cluster time
    // Of threads that ended and memory that was left, also before moves; and all it read and wrote.
    struct usage ended;
    struct usage reaped; // of those that were waited for, and theirs
    int exit_status;     // as wait4 gives it
    int exit_signal;     // to the parent, normally SIGCHLD
    int nice;
    int oom_adjust_least; // below that only root may set
    int oom_adjust; // /proc/PID/oom_score_adj: -1000 (never) .. 1000, thousandths of the memory
    struct timer alarm;
    uint64_t alarm_interval_ns;
    struct list shm;                     // struct shm_attachment, of ipc.h
    bool ipc_undoes;                     // semaphores want to hear of its end
    struct list timers;                  // struct process_timer: POSIX timers
    int32_t timer_ids;                   // given so far
    struct process_timer cpu_timers[2];  // ITIMER_VIRTUAL and ITIMER_PROF
    uint32_t features_edx, features_ecx; // union of what it may have seen since exec
    node_id_t born;                      // node of its PID
    bool tty_attached;                   // has a controlling terminal
    node_id_t tty_node;                  // where that is
    uint32_t tty_number;                 // TTY_CONSOLE of that node, or 1 + number of a pty
    int32_t hung_up_group;               // foreground group when its terminal was hung up, or 0
    const char *cannot_move;             // NULL, or the reason in words
    uint64_t arrived_ns;                 // cluster time it came to this node: minimum stay
    node_id_t came_from;                 // NODE_NONE: it began here
    struct list hash_link;               // by pid
    unsigned task_count;                 // tasks that have not ended
    unsigned parked;                     // of them
    bool leaving;                        // it has moved: those that are parked end here
    struct list children;                // struct child
    struct wait_queue stop_wait;         // its tasks sleep here while it is stopped
    struct wait_queue signal_wait;       // woken when a signal becomes pending: signalfd
    struct wait_queue task_wait;         // for other tasks: exec, the last exit, moves; for its end
    struct vfork_wait *vfork;            // of a vfork child that still has its parent's memory
    struct task *sole;                   // exec: every other task ends
    bool exiting;                        // all tasks end, with exit_status
    bool did_exec;                       // since fork: setpgid(2) by the parent is refused
    int stop_signal;                     // why it is stopped
    bool continued;                      // SIGCONT woke it: the parent is still to be told
    int parent_death_signal;             // prctl
    bool files_shared;                   // its fd_table may have users in other processes
    uint32_t personality;
    struct signal_seen seen[SIGNALS_SEEN];
    unsigned seen_next;
    uint32_t signals_queued; // of all its tasks, against RLIMIT_SIGPENDING
    bool not_dumpable;
    struct node_set watchers; // nodes with a pidfd of it (pidfd.h)
    bool subreaper;           // prctl: orphans below it become its children
    bool no_huge_pages;       // prctl(PR_SET_THP_DISABLE): told, there are none
    struct list tracees;      // struct tracee: whom it traces
    struct tracee *traced;    // its leader's; stays when other threads are left
    struct aio_context *aio;  // io_setup (aio.h)
    struct ldt *ldt;          // modify_ldt (ldt.h); NULL: none
    char path[256];           // of the executable, for /proc/PID/exe and maps
};

static inline struct task *task_current(void) // NULL in kernel threads
{
    struct thread *t = thread_current();
    return t ? t->user : NULL;
}

static inline struct process *process_current(void) // NULL in kernel threads
{
    struct task *t = task_current();
    return t ? t->process : NULL;
}

// What somebody may who acts for `p`: the current thread of it, or the process as a whole.
static inline const struct credentials *process_acting(const struct process *p)
{
    const struct task *t = task_current();
    return t && t->process == p ? t->cred : &p->cred;
}

// May the current thread? The kernel's own threads may all.
static inline bool process_can(enum capability what)
{
    const struct task *t = task_current();
    return t == NULL || credentials_can(t->cred, what);
}

// The current thread's credentials were *old: what else follows from it (prctl(2),
// PR_SET_DUMPABLE).
void process_credentials_changed(const struct credentials *old);

// ---- what the rooms above set ------------------------------------------------------------------
// ssi/migrate: the task's move mark was seen, on the way to user mode, with an empty kernel stack
// below. Returns when the process stays or goes on here.
extern void (*process_on_move)(struct task *t);
// ssi/migrate: the process ends; its memory is still there. Must not sleep.
extern void (*process_on_end)(struct process *p);
extern void (*process_on_task_end)(struct task *t); // by itself, as it begins to end
// ssi/linux: a handler is about to run while t->call was left, or t->call_left: sets t->regs to
// what the handler's return shall find (EINTR, or the call once more), and ends the call.
extern void (*process_on_interrupted_call)(struct task *t, bool sa_restart);
// ssi/linux: from now on some task of this node is traced, or none is any more.
extern void (*process_on_tracing)(bool any);

#define OOM_NEVER (-1000)
// What speaks for ending it when memory is out, in pages; INT64_MIN: nothing ever does.
int64_t process_oom_weight(const struct process *p);

// Looks at the task's marks: move, stop, signals, exit. Called on the way to user mode when
// thread->asked was set. Runs in the task; may sleep; does not return when the process ends.
void task_attend(struct task *t);

struct process *process_find(int32_t pid); // running or zombie on this node; NULL
struct task *task_find(int32_t tid);
struct process *process_next(int32_t after_pid); // by pid, this node; NULL at the end

unsigned process_count(void);                             // on this node, zombies counted
uint32_t process_resident_pages(const struct process *p); // that this node has, shared ones too
void process_who(const struct process *p, struct fs_who *who);

// ---- made and ended ----------------------------------------------------------------------------
// Empty, with a fresh PID of this node or the one that was claimed; NULL: no memory or PID.
struct process *process_new(int32_t claimed);
// As process_new with a PID that exists already: a process that arrives. NULL: no memory.
struct process *process_new_as(int32_t pid, uint32_t incarnation);
// Takes it out of the tables and frees all it holds. No task of it may be left. Its PID stays in
// use; pid_release gives that back on the birth node.
void process_free(struct process *p);
// A task with a thread that was not started; its registers are t->start. tid 0: a fresh one.
struct task *task_new(struct process *p, int32_t tid);
// From t->start (and t->call, when it is active) to user mode. Takes the space of t->process.
void task_start(struct task *t);
// Takes the current task's thread out of its process for ever, without any effect on the cluster:
// the source of a hand-off after COMMIT. The task and the process are the caller's to free.
void task_free(struct task *t);
// Replaces the image of the current process. 0: the task's regs begin the new program, go on to
// user mode; a negative errno: nothing has changed (or SIGKILL waits: it was too late). May sleep.
struct exec_args {
    char *strings; // argv then envp, each NUL-ended, back to back
    size_t bytes;
    uint32_t argc, envc;
    const char *name; // what the program is told it was run as; NULL: the path
    bool name_ends;   // which then means nothing any more: no script can be run by it (-ENOENT)
};
int process_exec(struct process *p, const char *path, struct fs_place at,
                 const struct exec_args *args);
// `pidfd`: where the descriptor of CLONE_PIDFD is written. `chosen`: the PID or TID that it is to
// have, of this node; 0: a fresh one.
int32_t process_fork(uint64_t clone_flags, const struct arch_regs *regs, uint32_t child_stack,
                     uint32_t parent_tid, uint32_t tls, uint32_t child_tid, uint32_t pidfd,
                     int32_t chosen);
// Files (CLONE_FILES), directories (CLONE_FS), handlers (CLONE_SIGHAND) that other processes use,
// too, become this one's own. 0, -ENOMEM.
int process_unshare(struct process *p, uint32_t flags);
void process_exit_group(int status) NORETURN; // status as wait4 gives it
void task_exit(int status) NORETURN;

// ---- signals

// To a process anywhere in the cluster: 0, -ESRCH, -EPERM, -EINVAL. pid as kill(2). May sleep.
int signal_kill(const struct process *from, int32_t pid, const struct signal_info *info);
// To one thread, of the process `pid` (0: of whichever has it, on this node). As that.
int signal_thread(const struct process *from, int32_t pid, int32_t tid,
                  const struct signal_info *info);
// To a local process or task that is not PROCESS_MOVING; never sleeps. 0; -EAGAIN: no room in the
// queue (only for signals that carry a value; the others are pending all the same).
int signal_post_process(struct process *p, const struct signal_info *info);
int signal_post_task(struct task *t, const struct signal_info *info);
bool signal_pending(const struct task *t); // one that is not blocked waits
// A fault of the current task: delivered even if blocked or ignored, then by its default action.
void signal_force(struct task *t, const struct signal_info *info);
// Takes the first pending signal of `wanted`: false when there is none.
bool signal_take(struct task *t, sigset64 wanted, struct signal_info *info);
// May `from` send it to `to` (kill(2))? For SIGCONT the same session is enough.
bool signal_permitted(const struct process *from, const struct process *to, int signal);
// The program set another action: pending signals that are ignored now are forgotten.
void signal_action_changed(struct process *p, int signal);
void signal_mask_set(struct task *t, sigset64 blocked); // SIGKILL and SIGSTOP cannot be blocked

// Notes of segments (struct segment.note): what /proc/PID/maps prints.
enum maps_note {
    MAPS_NOTHING = 0,
    MAPS_PROGRAM = 1,
    MAPS_INTERPRETER = 2,
    MAPS_VDSO = 3,
    MAPS_FILE = 4,
    MAPS_READ_ONLY = 5, // shared, of a file that is open for reading only
    MAPS_VVAR = 6,
};
