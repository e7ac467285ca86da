// SPDX-License-Identifier: MIT
// Between the files of ssi/process.
#pragma once

#include "ssi/process/linux_abi.h"
#include "ssi/process/pid.h"
#include "ssi/process/process.h"

// ---- table.c
int32_t pid_take(void); // a fresh PID or TID of this node; 0: none free
// This one: 0, -EEXIST, -EINVAL not of this node, -EINTR. Sleeps while it rests from its last use.
int pid_claim(int32_t pid);
void pid_put(int32_t pid);
// Of a thread of p beside the first, which has ended: its birth node is told.
void tid_put(const struct process *p, int32_t tid);
bool pid_in_use(int32_t pid);
void task_discard(struct task *t);           // one that was not started; its thread ends by itself
void task_take_pid(struct task *t);          // the only task of its process becomes the leader
void task_switch_out(struct thread *thread); // another is to have the CPU, and gives it back
void task_switch_in(struct thread *thread);

void process_release_resources(struct process *p);
void fs_context_put(struct fs_context *c);
void signal_actions_put(struct signal_actions *a);
void actions_clear(struct signal_actions *actions); // handlers become SIG_DFL
void vfork_release(struct process *p);
void vfork_put(struct vfork_wait *v);

// ---- limits.c
void process_limits_init(struct process *p);

// ---- signal.c
void signal_set_init(struct signal_set *s);
void signal_set_clear(struct process *p, struct signal_set *s);
void signal_alarm(void *process);
bool signal_is_fatal_default(int signal);   // its default action ends the process
bool task_killed(const struct task *t);     // SIGKILL waits for it
void process_wake_tasks(struct process *p); // all of them look at their marks

// ---- frame.c
// Makes the task's next return to user mode run the handler. 0; -EFAULT: no stack for it.
int frame_push(struct task *t, const struct signal_info *info, const struct signal_action *a,
               sigset64 mask);

// ---- children.c: what a child's node tells the parent's
enum child_news {
    NEWS_EXITED,
    NEWS_STOPPED,
    NEWS_CONTINUED,
    NEWS_GROUP, // its process group changed
};

struct child_report {
    int32_t parent, child;
    uint32_t child_incarnation;
    uint16_t news; // enum child_news
    uint16_t node; // where the child is
    int32_t status, pgrp;
    uint32_t uid;
    struct usage usage; // the child's and its children's
} PACKED;

// On the parent's node: 0; 1: the parent does not want the zombie, reap it; -ESRCH: no such parent
// or child; -EAGAIN: the parent is moving, ask again. Never sleeps.
int child_report_apply(const struct child_report *r);
// Tells the parent wherever it is. As child_report_apply without -EAGAIN. May sleep.
int child_report(struct process *p, enum child_news news);
void parent_told_stopped(struct process *p);
void parent_told_continued(struct process *p);
struct child *child_find(struct process *p, int32_t pid);
// The current process ends: its children get the nearest subreaper or PID 1 as parent. May sleep.
void children_orphan(struct process *p);
// The child's own node learns who its parent is now. Never sleeps.
void process_orphaned(struct process *child, int32_t parent);
// A subreaper's node: the record of one more child. 0; 1: it does not want a zombie, reap it;
// -ESRCH, -ENOMEM. Never sleeps.
int child_adopt(struct process *parent, const struct child *given);
// A zombie that nobody will wait for (any more) goes, and its PID is free again. May sleep.
void process_reap(struct process *p);
// The record of a child that was waited for: its zombie goes, wherever it is. May sleep.
void child_reap(struct process *parent, struct child *c);

// ---- exit.c: a zombie's parent hears of its end, then may have reaped it. May sleep.
void process_end_tell(struct process *p);

// ---- group.c
// Has it a parent in another group of the same session, who may continue the group?
bool group_is_tied_by(const struct process *p);
bool group_is_orphaned(int32_t pgrp); // tied by no member
// After a member that tied it ended or lost its parent: if it was the last of these, and some of
// the group are stopped, all get SIGHUP and SIGCONT (POSIX, exit()).
void group_untied(int32_t pgrp);
void session_leader_ends(struct process *p);

// ---- remote.c: the same on another node
int remote_child_report(const struct child_report *r);
void remote_child_reap(node_id_t node, int32_t pid);
int remote_orphan(int32_t pid, int32_t parent);                // may sleep
int remote_child_adopt(int32_t parent, const struct child *c); // as child_adopt; may sleep
// A node died: parents and children on it are looked for. Never sleeps: a worker does it.
void relatives_check(void);
// A process ended without a word: its parent and children hear of it, wherever. Never sleeps.
void relatives_lost(int32_t pid, node_id_t with);
void remote_pid_free(int32_t pid, uint32_t incarnation, int status);

// ---- init.c
bool init_child_ended(int32_t pid, int status);
int kill_init(const struct process *from);

// ---- census.c: a process came or went
void census_changed(void);
