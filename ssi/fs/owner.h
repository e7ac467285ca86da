// SPDX-License-Identifier: MIT
// Who is told by a signal that an open file has news (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC). It is
// kept with the open file, at its home; a process that moves asks there. What news are is said by
// who has them: file_news on the list that ops->async gives.
#pragma once

#include "ssi/fs/file.h"

enum { // file_owner_facts.type: F_OWNER_* of the ABI
    OWNER_TASK = 0,
    OWNER_PROCESS = 1,
    OWNER_GROUP = 2,
};

enum { // of news: si_code of the ABI
    NEWS_IN = 1,
    NEWS_OUT = 2,
    NEWS_ERR = 4,
    NEWS_PRI = 5,
    NEWS_HUP = 6,
    NEWS_URGENT = 7, // none of the ABI: SIGURG, whatever the owner chose
};

#define OWNER_SIGNAL_MAX 64

struct file_owner_facts { // also on the wire
    int32_t type, id;     // id 0: nobody
    int32_t process;      // of OWNER_TASK
    int32_t signal;       // F_SETSIG; 0: SIGIO, without details
    uint32_t uid, euid;   // of who said so
} PACKED;

struct file_owner {
    struct list link; // of the list of ops->async, while O_ASYNC is on
    struct file *file;
    int32_t fd; // by which O_ASYNC was switched on
    struct file_owner_facts facts;
};

enum { // struct owner_change.what
    OWNER_SET_WHO = 1,
    OWNER_SET_WHO_IF_NONE = 2,
    OWNER_SET_SIGNAL = 4,
    OWNER_ASYNC_ON = 8,
    OWNER_ASYNC_OFF = 16,
};

struct owner_change { // also on the wire
    uint32_t what;    // 0: only asked
    int32_t fd;
    struct file_owner_facts to;
} PACKED;

// Changes what `what` says, *now becomes what holds. 0; -ENOTTY: O_ASYNC on a file that never has
// news; -ENOMEM, -EIO (its home is gone). May sleep when its home is another node.
int file_owner_change(struct file *f, const struct owner_change *c, struct file_owner_facts *now);
// It has an owner or a signal that is not the default.
bool file_owner_set(const struct file *f);
void file_owner_end(struct file *f); // the last user is gone
// Forgets it; what makes it again, for an open file that becomes another one.
struct owner_change file_owner_take(struct file *f);

// There are news for those in the list of an ops->async: NEWS_IN is nothing for who only writes,
// NEWS_OUT nothing for who only reads. Never sleeps.
void file_news(struct list *async, int code);

// Urgent data of a socket: SIGURG for the owner, O_ASYNC or not (tcp(7)). Never sleeps.
void file_urgent(const struct file *f);

// ssi/process: the signal goes to the owner. Must not sleep.
extern void (*file_on_news)(const struct file_owner *o, int code);
