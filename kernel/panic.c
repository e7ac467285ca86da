// SPDX-License-Identifier: MIT
#include "kernel/panic.h"
#include "arch/x86/arch.h"
#include "kernel/console.h"
#include "kernel/klog.h"
#include "kernel/settings.h"
#include "kernel/thread.h"
#include "kernel/trace.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "lib/symbols.h"

#define FRAMES_MAX   24
#define PANIC_STATUS 0x7f // QEMU's status is 255

NODE_VAR(bool, dying);

static void say(const char *format, ...) PRINTF_LIKE(1, 2);

static void say(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int n = fmt_vprint(line, sizeof(line) - 2, format, args);
    va_end(args);
    console_write(line, MIN((size_t)n, sizeof(line) - 3));
    console_write("\r\n", 2);
}

static void say_stack(void)
{
    uintptr_t pcs[FRAMES_MAX];
    unsigned n = arch_backtrace(pcs, FRAMES_MAX);
    for (unsigned i = 0; i < n; i++) {
        uintptr_t offset = 0;
        const char *name = symbol_find(pcs[i], &offset);
        say("  %08lx %s+0x%lx", (unsigned long)pcs[i], name ? name : "?", (unsigned long)offset);
    }
}

static void say_trace_tail(void)
{
    static char tail[1600];
    struct text t;
    text_init(&t, tail, sizeof(tail));
    trace_show_last(&t, 20);
    for (char *line = tail, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        say("  %.*s", (int)(end - line), line);
}

static void say_log_tail(void)
{
    static char tail[1024];
    uint64_t from = 0, at = 0;
    char skip[64];
    while (klog_read(&at, skip, sizeof(skip)) > 0)
        ;
    from = at > sizeof(tail) ? at - sizeof(tail) : 0;
    size_t n = klog_read(&from, tail, sizeof(tail) - 1);
    tail[n] = '\0';
    say("last log lines:");
    for (char *line = tail, *end; *line; line = end) {
        end = strchr(line, '\n');
        end = end ? end : line + strlen(line);
        say("  %.*s", (int)(end - line), line);
        end += *end == '\n';
    }
}

void panic(const char *format, ...)
{
    char reason[200];
    va_list args;
    va_start(args, format);
    fmt_vprint(reason, sizeof(reason), format, args);
    va_end(args);
    if (node(dying)) {
        say("panic in panic: %s", reason);
        arch_exit(PANIC_STATUS);
    }
    node(dying) = true;
    arch_cpus_stop();
    const struct thread *t = thread_current();
    const char *id = setting("node");
    say("%s", "");
    say("PANIC: %s", reason);
    say("node %s, cpu %u, thread %s, %u us after boot", id ? id : "?", arch_cpu_id(),
        t ? t->name : "none", (unsigned)(arch_clock_ns() / 1000));
    say_stack();
    say_trace_tail();
    say_log_tail();
    arch_exit(PANIC_STATUS);
}

void assert_failed(const char *expression, const char *file, int line)
{
    panic("%s:%d: assertion failed: %s", file, line, expression);
}
