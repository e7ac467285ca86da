// SPDX-License-Identifier: MIT
#include "ssi/process/names.h"
#include "lib/fmt.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "ssi/cluster/cluster.h"
#include "ssi/process/uname.h"

struct system_names {
    char host[SYSTEM_NAME_MAX + 1], domain[SYSTEM_NAME_MAX + 1];
    bool host_set, domain_set;
};
NODE_VAR(struct system_names, names);

const char *system_host_name(void)
{
    struct system_names *s = &node(names);
    if (!s->host_set) // its id may still change
        fmt_print(s->host, sizeof(s->host), "node%u", cluster_self());
    return s->host;
}

const char *system_domain_name(void)
{
    return node(names).domain_set ? node(names).domain : UNAME_DOMAIN;
}

static void set(char to[SYSTEM_NAME_MAX + 1], const char *name, size_t n)
{
    memset(to, 0, SYSTEM_NAME_MAX + 1);
    memcpy(to, name, n);
}

void system_host_name_set(const char *name, size_t n)
{
    set(node(names).host, name, n);
    node(names).host_set = true;
}

void system_domain_name_set(const char *name, size_t n)
{
    set(node(names).domain, name, n);
    node(names).domain_set = true;
}
