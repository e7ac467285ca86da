// SPDX-License-Identifier: MIT
// Tasks that are traced (ptrace(2)): who traces whom, the ptrace-stops, what the tracer's waits
// see. Tracer and tracee are of one node, and neither moves. The requests themselves are in
// ssi/linux/ptrace.c; the stops at the edges of system calls are asked for by ssi/linux/traced.c.
#pragma once

#include "ssi/process/process.h"
#include "ssi/process/watch.h"

enum { // PTRACE_O_*
    TRACE_SYSGOOD = 0x01,
    TRACE_FORK = 0x02,
    TRACE_VFORK = 0x04,
    TRACE_CLONE = 0x08,
    TRACE_EXEC = 0x10,
    TRACE_VFORK_DONE = 0x20,
    TRACE_EXIT = 0x40,
    TRACE_SECCOMP = 0x80,
    TRACE_EXITKILL = 0x100000,
    TRACE_OPTIONS = 0x1000ff,
};

enum { // PTRACE_EVENT_*
    EVENT_NONE = 0,
    EVENT_FORK = 1,
    EVENT_VFORK = 2,
    EVENT_CLONE = 3,
    EVENT_EXEC = 4,
    EVENT_VFORK_DONE = 5,
    EVENT_EXIT = 6,
    EVENT_SECCOMP = 7,
    EVENT_STOP = 128,
};

enum tracee_state {
    TRACEE_RUNS,
    TRACEE_STOPPED, // in a ptrace-stop: it may be looked at and changed
    TRACEE_LISTENS, // PTRACE_LISTEN: as it is, until something happens
};

enum tracee_mode { // how it was resumed
    RESUME_CONT,
    RESUME_SYSCALL,
    RESUME_STEP,
    RESUME_EMULATE,      // to the next system call, which is not done (PTRACE_SYSEMU)
    RESUME_EMULATE_STEP, // or the next step
};

enum tracee_call { // GET_SYSCALL_INFO's op, and the message of these stops
    CALL_NONE = 0,
    CALL_ENTRY = 1,
    CALL_EXIT = 2,
    CALL_SECCOMP = 3, // in the stop of EVENT_SECCOMP
};

struct tracee {
    struct child news; // what waits of the tracer look at; its pid is the task's id
    struct process *tracer;
    int32_t tracer_tid; // of the thread that may ask; 0: the first that does
    struct task *task;  // NULL: it has ended, and the tracer is to hear of it
    uint32_t options;
    bool seized;
    bool privileged; // the tracer might trace whatever it executes
    enum tracee_state state;
    enum tracee_mode mode;
    bool interrupt;    // PTRACE_INTERRUPT, or a new one that is seized: an EVENT_STOP is due
    bool notify;       // SIGCONT came: the same
    bool group_passed; // has told this group-stop and was resumed
    bool in_call;      // a system call was entered and has not been left
    bool ends;         // in the stop of EVENT_EXIT: only SIGKILL ends it
    enum tracee_call call;
    uint32_t message;         // PTRACE_GETEVENTMSG
    struct signal_info *info; // PTRACE_GETSIGINFO: of this stop, on the tracee's stack; NULL: none
    struct call left;         // what restart_syscall goes on with; number 0: nothing
    struct watch watch;
};

// ---- the tracer --------------------------------------------------------------------------------
// The current task's parent traces it. 0, -EPERM, -ENOMEM.
int tracee_traceme(void);
// The current task traces t, which stops soon unless it is seized. 0, -EPERM, -ENOMEM.
int tracee_attach(struct task *t, bool seize, uint32_t options);
// The end of it: the task goes on with `signal` (0: none). Never sleeps.
void tracee_detach(struct tracee *e, int signal);
void tracee_resume(struct tracee *e, enum tracee_mode mode, int signal);
void tracee_listen(struct tracee *e);          // in the group-stop of one that was seized
void tracee_interrupt(struct tracee *e);       // the same
bool tracee_is_mine(const struct child *news); // of the current thread
// A wait has told its news. May sleep: an end is then told to the parent.
void tracee_told(struct child *news);
// Thread `tid` of the tracer ends, 0: all do. May sleep.
void tracer_ends(struct process *p, int32_t tid);

// ---- the tracee, in its own task; all may sleep -----------------------------------------------
// Stops that are due, before signals are looked at. True: there was one, look again.
bool tracee_attend(struct task *t);
// Signal-delivery-stop. False: the tracer took the signal away; otherwise *info may be another.
bool tracee_signal(struct task *t, struct signal_info *info);
void tracee_handler_begins(struct task *t);
// Syscall-enter-stop, if there is one. False: the call is not to be done.
bool tracee_call_begins(struct task *t);
// The stop of EVENT_SECCOMP with `data`. False: nobody wants to see it, or it is killed.
bool tracee_seccomp(struct task *t, uint32_t data);
void tracee_call_ends(struct task *t); // and syscall-exit-stop
// Something waits that a call is left for.
bool tracee_call_must_end(const struct task *t);
void tracee_execs(struct task *t, int32_t old_tid);
void tracee_forks(struct task *t, uint64_t clone_flags, int32_t child);
void tracee_vfork_done(struct task *t, int32_t child);
void tracee_exits(struct task *t, int status);

// ---- what happens to the tracee; never sleeps -------------------------------------------------
int tracee_inherit(struct task *parent, struct task *t, uint64_t clone_flags); // 0, -ENOMEM
void tracee_task_ended(struct task *t, int status);
// The last task has ended. True: the tracer hears of it first, and then the parent.
bool tracee_process_ended(struct process *p);
void tracee_task_gone(struct task *t);
void tracee_takes_pid(struct task *t);
void tracees_stop(struct process *p);     // a signal stops it
void tracees_continue(struct process *p); // SIGCONT
void tracees_let_end(struct process *p);  // SIGKILL while it ends: out of EVENT_EXIT's stops
void tracee_step_set(struct task *t);     // on the way to user mode
void tracee_step_hide(struct task *t);
bool tracee_step_left(struct task *t); // a step of a tracer that is gone

// ---- asked -------------------------------------------------------------------------------------
bool tracee_of_parent(const struct process *p);       // its parent traces its leader
bool tracee_of_unprivileged(const struct process *p); // set-user-ID bits are not for it
bool tracee_any(const struct process *p);
bool tracee_stopped(const struct task *t);
int32_t tracee_tracer(const struct task *t); // a PID; 0: none. t may be NULL
