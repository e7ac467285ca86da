// SPDX-License-Identifier: MIT
#include "kernel/klog.h"
#include "kernel/console.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"

NODE_VAR(char, ring[KLOG_RING_BYTES]);
NODE_VAR(uint64_t, ring_end); // bytes ever written
NODE_VAR(uint32_t, console_level);
NODE_VAR(struct wait_queue, readers);
NODE_VAR(bool, may_read); // `readers` is ready

static void ring_add(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        node(ring)[node(ring_end)++ % KLOG_RING_BYTES] = bytes[i];
}

void klog_add(uint32_t priority, const char *text, size_t n)
{
    char head[48];
    uint64_t us = clock_now_ns() / 1000;
    int mark = fmt_print(head, sizeof(head), "<%u>", priority);
    int bytes = mark + fmt_print(head + mark, sizeof(head) - (size_t)mark, "[%5u.%06u] ",
                                 (unsigned)(us / 1000000), (unsigned)(us % 1000000));
    ring_add(head, (size_t)bytes);
    ring_add(text, n);
    ring_add("\n", 1);
    if ((priority & KLOG_LEVEL) < node(console_level)) {
        console_write(head + mark, (size_t)(bytes - mark));
        console_write(text, n);
        console_write("\r\n", 2);
    }
    if (node(may_read))
        wait_wake_all(&node(readers));
}

static void line_of_node(enum log_level level, const char *line)
{
    static const uint8_t levels[] = {
        [LOG_ERROR] = KLOG_ERROR,
        [LOG_WARN] = KLOG_WARN,
        [LOG_INFO] = KLOG_INFO,
        [LOG_DEBUG] = KLOG_DEBUG,
    };
    klog_add(levels[level], line, strlen(line));
}

void klog_start(uint32_t level)
{
    node(console_level) = level;
    log_sink = line_of_node;
}

uint32_t klog_console_level(void)
{
    return node(console_level);
}

void klog_set_console_level(uint32_t level)
{
    node(console_level) = level;
}

uint64_t klog_end(void)
{
    return node(ring_end);
}

uint64_t klog_line_from(uint64_t at)
{
    uint64_t end = node(ring_end);
    uint64_t oldest = end > KLOG_RING_BYTES ? end - KLOG_RING_BYTES + 1 : 0;
    if (at > end)
        return end;
    at = MAX(at, oldest);
    while (at > 0 && at < end && node(ring)[(at - 1) % KLOG_RING_BYTES] != '\n')
        at++;
    return at;
}

struct wait_queue *klog_readers(void)
{
    return &node(readers);
}

size_t klog_read(uint64_t *from, char *to, size_t size)
{
    uint64_t end = node(ring_end);
    if (end - *from > KLOG_RING_BYTES)
        *from = end - KLOG_RING_BYTES;
    size_t n = (size_t)MIN(end - *from, (uint64_t)size);
    for (size_t i = 0; i < n; i++)
        to[i] = node(ring)[(*from)++ % KLOG_RING_BYTES];
    return n;
}

static void readers_start(void)
{
    wait_init(&node(readers));
    node(may_read) = true;
}
INIT_STEP(INIT_CORE, readers_start);
