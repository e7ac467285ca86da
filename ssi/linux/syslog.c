// SPDX-License-Identifier: MIT
// syslog(2): the log of the node where the caller runs.
#include "kernel/klog.h"
#include "lib/node_var.h"
#include "mm/user.h"
#include "ssi/linux/linux.h"

enum { // what is asked
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

#define LEVEL_MIN 1 // of the console: emergencies
#define LEVEL_MAX 8

NODE_VAR(uint64_t, read_to);      // what SYSLOG_READ has given
NODE_VAR(uint64_t, cleared);      // what SYSLOG_CLEAR hides from SYSLOG_READ_ALL
NODE_VAR(uint32_t, level_before); // SYSLOG_CONSOLE_OFF; 0: the console is on

// At most `size` bytes of the log from *from on; *from is behind them.
static long give(uint64_t *from, uint32_t to, uint32_t size)
{
    char part[256];
    uint32_t given = 0;
    while (given < size) {
        uint64_t at = *from;
        size_t n = klog_read(&at, part, MIN(sizeof(part), size - given));
        if (n == 0)
            break;
        int e = user_write(to + given, part, n);
        if (e < 0)
            return given > 0 ? (long)given : e;
        *from = at;
        given += (uint32_t)n;
    }
    return (long)given;
}

static long read_new(uint32_t to, uint32_t size)
{
    while (node(read_to) == klog_end()) {
        int e = wait_sleep(klog_readers(), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (e < 0)
            return e;
    }
    uint64_t from = node(read_to);
    long n = give(&from, to, size);
    node(read_to) = from;
    return n;
}

// The last lines that have room.
static long read_last(uint32_t to, uint32_t size, bool clear)
{
    uint64_t end = klog_end();
    uint64_t from = klog_line_from(MAX(node(cleared), end > size ? end - size : 0));
    long n = give(&from, to, (uint32_t)(end - from));
    if (n >= 0 && clear)
        node(cleared) = end;
    return n;
}

static void console_off(void)
{
    if (node(level_before) == 0)
        node(level_before) = klog_console_level();
    klog_set_console_level(LEVEL_MIN);
}

static void console_on(void)
{
    if (node(level_before) != 0)
        klog_set_console_level(node(level_before));
    node(level_before) = 0;
}

static long level_set(uint32_t level)
{
    if (level < LEVEL_MIN || level > LEVEL_MAX)
        return -EINVAL;
    klog_set_console_level(level);
    node(level_before) = 0;
    return 0;
}

static long reading(uint32_t what, uint32_t to, int32_t size)
{
    if (to == 0 || size < 0)
        return -EINVAL;
    if (size == 0)
        return 0;
    return what == SYSLOG_READ ? read_new(to, (uint32_t)size)
                               : read_last(to, (uint32_t)size, what == SYSLOG_READ_CLEAR);
}

long sys_syslog(struct call *c)
{
    uint32_t what = c->args[0];
    if (!process_can(CAP_SYSLOG))
        return -EPERM;
    switch (what) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
        return 0;
    case SYSLOG_READ:
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
        return reading(what, c->args[1], (int32_t)c->args[2]);
    case SYSLOG_CLEAR:
        node(cleared) = klog_end();
        return 0;
    case SYSLOG_CONSOLE_OFF:
        console_off();
        return 0;
    case SYSLOG_CONSOLE_ON:
        console_on();
        return 0;
    case SYSLOG_CONSOLE_LEVEL:
        return level_set(c->args[2]);
    case SYSLOG_SIZE_UNREAD:
        return (long)(klog_end() - klog_line_from(node(read_to)));
    case SYSLOG_SIZE_BUFFER:
        return KLOG_RING_BYTES;
    }
    return -EINVAL;
}
