// SPDX-License-Identifier: MIT
#include "host-tools/policymodel.h"

#include <stdio.h>
#include <string.h>

static void put(struct bytes *b, const void *rows, size_t size)
{
    b->at = host_grow(b->at, b->size + size);
    memcpy(b->at + b->size, rows, size);
    b->size += size;
}

struct bytes model_blob(const struct model *m)
{
    struct bytes b = {0};
    struct policy_header h = {
        .version = POLICY_VERSION,
        .probes = (uint16_t)m->probes,
        .analyzers = (uint16_t)m->analyzers,
        .managers = (uint16_t)m->managers,
        .probe_links = (uint16_t)m->probe_links,
        .analyzer_links = (uint16_t)m->analyzer_links,
        .node_ranges = (uint16_t)m->ranges,
    };
    memcpy(h.magic, POLICY_MAGIC, sizeof(h.magic));
    put(&b, &h, sizeof(h));
    put(&b, m->probe, m->probes * sizeof(m->probe[0]));
    put(&b, m->analyzer, m->analyzers * sizeof(m->analyzer[0]));
    put(&b, m->manager, m->managers * sizeof(m->manager[0]));
    put(&b, m->probe_link, m->probe_links * sizeof(m->probe_link[0]));
    put(&b, m->analyzer_link, m->analyzer_links * sizeof(m->analyzer_link[0]));
    put(&b, m->range, m->ranges * sizeof(m->range[0]));
    h.bytes = (uint32_t)b.size;
    memcpy(b.at, &h, sizeof(h));
    policy_blob_seal(b.at, b.size);
    return b;
}

static const char declaration[] = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>";

static const char *stage_name(const struct policy_entry *e)
{
    return stage_by_id(e->stage)->name; // the blob was checked
}

static void print_period(uint32_t ms)
{
    char part[8];
    snprintf(part, sizeof(part), ".%03u", ms % 1000);
    for (size_t n = strlen(part); n > 0 && (part[n - 1] == '0' || part[n - 1] == '.'); n--)
        part[n - 1] = '\0';
    printf("    <time>%u%s</time>\n", ms / 1000, part);
}

static void print_probes(const struct policy *p)
{
    printf("%s\n\n<probes>\n", declaration);
    for (unsigned i = 0; i < p->header->probes; i++) {
        const struct policy_probe *probe = &p->probes[i];
        const char *kind = probe->kind == STAGE_ACTIVE_PROBE ? "active_probe" : "passive_probe";
        printf("  <%s>\n    <file>%s</file>\n    <name>%s</name>\n", kind,
               stage_name(&probe->entry), probe->name.text);
        if (probe->period_ms)
            print_period(probe->period_ms);
        printf("  </%s>\n", kind);
    }
    puts("</probes>");
}

static void print_analyzers(const struct policy *p)
{
    printf("%s\n<local_analyzers>\n", declaration);
    for (unsigned i = 0; i < p->header->analyzers; i++) {
        const struct policy_analyzer *a = &p->analyzers[i];
        printf("  <local_analyzer>\n    <file>%s</file>\n    <name>%s</name>\n    <probes>\n",
               stage_name(&a->entry), a->name.text);
        for (unsigned j = 0; j < a->links; j++)
            printf("      <probe>%s</probe>\n",
                   p->probes[p->probe_links[a->first_link + j].probe].name.text);
        puts("    </probes>\n  </local_analyzer>");
    }
    puts("</local_analyzers>");
}

static void print_nodes(const struct policy *p, const struct policy_manager *m)
{
    printf("    <nodes>%s", m->ranges ? "" : "all");
    for (unsigned i = 0; i < m->ranges; i++) {
        const struct policy_range *r = &p->node_ranges[m->first_range + i];
        printf("%s%u", i ? "," : "", r->first);
        if (r->last != r->first)
            printf("-%u", r->last);
    }
    puts("</nodes>");
}

static void print_managers(const struct policy *p)
{
    printf("%s\n<scheduling_managers>\n", declaration);
    for (unsigned i = 0; i < p->header->managers; i++) {
        const struct policy_manager *m = &p->managers[i];
        puts("  <scheduling_manager>");
        print_nodes(p, m);
        printf("    <name>%s</name>\n    <file>%s</file>\n    <local_analyzers>\n", m->name.text,
               stage_name(&m->entry));
        for (unsigned j = 0; j < m->links; j++) {
            const struct policy_analyzer_link *link = &p->analyzer_links[m->first_link + j];
            printf("      <local_analyzer>\n        <name>%s</name>\n"
                   "        <global_infos>%s</global_infos>\n      </local_analyzer>\n",
                   p->analyzers[link->analyzer].name.text, link->global_infos.text);
        }
        puts("    </local_analyzers>\n  </scheduling_manager>");
    }
    puts("</scheduling_managers>");
}

void policy_print_xml(const struct policy *p)
{
    if (p->header->probes)
        print_probes(p);
    if (p->header->analyzers)
        print_analyzers(p);
    if (p->header->managers)
        print_managers(p);
}
