// SPDX-License-Identifier: MIT
#include "kernel/trace.h"
#include "kernel/init.h"
#include "kernel/settings.h"
#include "kernel/timer.h"
#include "lib/log.h"
#include "lib/node_var.h"

#define RECORDS 1024u
#define SHOWN   160u // fit into a text of /proc

struct trace_record {
    uint64_t at_ns;
    const char *what, *from, *to;
    uint32_t about, which;
};

NODE_VAR(struct trace_record, records[RECORDS]);
NODE_VAR(uint32_t, added);

static void keep(const char *what, const char *from, const char *to, uint32_t about, uint32_t which)
{
    node(records)[node(added)++ % RECORDS] = (struct trace_record){
        .at_ns = clock_now_ns(),
        .what = what,
        .from = from,
        .to = to,
        .about = about,
        .which = which,
    };
}

void trace_show_last(struct text *t, uint32_t count)
{
    uint32_t n = MIN(node(added), MIN(count, RECORDS));
    for (uint32_t i = node(added) - n; i != node(added); i++) {
        const struct trace_record *r = &node(records)[i % RECORDS];
        text_add(t, "%llu %s %u %u %s -> %s\n", (unsigned long long)(r->at_ns / 1000), r->what,
                 r->about, r->which, r->from, r->to);
    }
}

void trace_show(struct text *t)
{
    trace_show_last(t, SHOWN);
}

static void trace_start(void)
{
    if (setting_is("trace", "1"))
        trace_sink = keep;
}
INIT_STEP(INIT_CORE, trace_start);
