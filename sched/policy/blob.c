// SPDX-License-Identifier: MIT
#include "sched/policy/blob.h"
#include "lib/crc32c.h"
#include "lib/fmt.h"
#include "lib/string.h"

static const struct stage stages[] = {
#define STAGE(kind, id, name, entry) {STAGE_##kind, id, name},
#include "sched/policy/stages.def"
#undef STAGE
};

const struct stage *stage_table(size_t *count)
{
    *count = ARRAY_SIZE(stages);
    return stages;
}

const struct stage *stage_by_id(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        if (stages[i].id == id)
            return &stages[i];
    return NULL;
}

const struct stage *stage_by_name(const char *name, unsigned kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
        if (strcmp(stages[i].name, name) == 0 && (kind == 0 || stages[i].kind == kind))
            return &stages[i];
    return NULL;
}

const char *stage_kind_text(enum stage_kind kind)
{
    switch (kind) {
    case STAGE_ACTIVE_PROBE:
        return "active probe";
    case STAGE_PASSIVE_PROBE:
        return "passive probe";
    case STAGE_ANALYZER:
        return "local analyzer";
    case STAGE_MANAGER:
        return "scheduling manager";
    }
    return "stage of an unknown kind";
}

static bool name_byte_good(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

bool policy_name_good(const struct policy_name *name)
{
    size_t length = strnlen(name->text, POLICY_NAME_BYTES);
    if (length == 0 || length == POLICY_NAME_BYTES)
        return false;
    for (size_t i = 0; i < POLICY_NAME_BYTES; i++)
        if (i < length ? !name_byte_good(name->text[i]) : name->text[i] != '\0')
            return false;
    return true;
}

bool policy_manager_on_node(const struct policy *p, const struct policy_manager *m, node_id_t node)
{
    for (unsigned i = 0; i < m->ranges; i++) {
        const struct policy_range *r = &p->node_ranges[m->first_range + i];
        if (node >= r->first && node <= r->last)
            return true;
    }
    return m->ranges == 0;
}

static uint32_t blob_crc(const void *blob, size_t size)
{
    struct policy_header copy;
    memcpy(&copy, blob, sizeof(copy));
    copy.crc32c = 0;
    return crc32c(crc32c(0, &copy, sizeof(copy)), (const uint8_t *)blob + sizeof(copy),
                  size - sizeof(copy));
}

void policy_blob_seal(void *blob, size_t size)
{
    uint32_t crc = blob_crc(blob, size);
    memcpy((uint8_t *)blob + offsetof(struct policy_header, crc32c), &crc, sizeof(crc));
}

// What is being checked, and where the refusal goes.
struct check {
    const struct policy *p;
    char *why;
};

// Writes the refusal; false, so that `return refuse(...)` reads well.
static bool refuse(struct check *c, const char *format, ...) PRINTF_LIKE(2, 3);
static bool refuse(struct check *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fmt_vprint(c->why, POLICY_WHY_BYTES, format, args);
    va_end(args);
    return false;
}

static bool header_good(struct check *c, const struct policy_header *h, size_t size)
{
    if (size < sizeof(*h) || memcmp(h->magic, POLICY_MAGIC, sizeof(h->magic)) != 0)
        return refuse(c, "not a policy blob (no " POLICY_MAGIC " at its start)");
    if (h->version != POLICY_VERSION)
        return refuse(c, "policy blob of version %u; this system reads version %u", h->version,
                      POLICY_VERSION);
    if (h->bytes != size || size > POLICY_BYTES_MAX)
        return refuse(c, "policy blob says %u bytes and has %zu; at most %u are read", h->bytes,
                      size, POLICY_BYTES_MAX);
    if (blob_crc(h, size) != h->crc32c)
        return refuse(c, "policy blob is damaged (checksum)");
    if (h->probes > POLICY_PROBES_MAX || h->analyzers > POLICY_ANALYZERS_MAX ||
        h->managers > POLICY_MANAGERS_MAX || h->probe_links > POLICY_LINKS_MAX ||
        h->analyzer_links > POLICY_LINKS_MAX || h->node_ranges > POLICY_LINKS_MAX)
        return refuse(c, "policy blob has too many components or links");
    if (h->code_bytes != 0)
        return refuse(c, "policy blob carries programs; this system runs built-in stages only");
    return true;
}

// Lays the tables over the blob; false when they do not fill it exactly.
static bool lay_tables(struct check *c, struct policy *p, const struct policy_header *h)
{
    p->header = h;
    p->probes = (const struct policy_probe *)(h + 1);
    p->analyzers = (const struct policy_analyzer *)(p->probes + h->probes);
    p->managers = (const struct policy_manager *)(p->analyzers + h->analyzers);
    p->probe_links = (const struct policy_probe_link *)(p->managers + h->managers);
    p->analyzer_links = (const struct policy_analyzer_link *)(p->probe_links + h->probe_links);
    p->node_ranges = (const struct policy_range *)(p->analyzer_links + h->analyzer_links);
    if ((const uint8_t *)(p->node_ranges + h->node_ranges) != (const uint8_t *)h + h->bytes)
        return refuse(c, "policy blob is not as long as its tables");
    return true;
}

// Name and stage of one component.
static bool component_good(struct check *c, unsigned kind, const struct policy_name *name,
                           const struct policy_entry *entry)
{
    const char *kind_text = stage_kind_text((enum stage_kind)kind);
    if (!policy_name_good(name))
        return refuse(c, "policy: a %s has a bad name", kind_text);
    if (entry->code_offset != 0 || entry->code_bytes != 0 || entry->stage == 0)
        return refuse(c, "policy: %s \"%s\" is a program; this system runs built-in stages only",
                      kind_text, name->text);
    const struct stage *s = stage_by_id(entry->stage);
    if (s == NULL)
        return refuse(c, "policy: %s \"%s\" names stage %u, which is not there", kind_text,
                      name->text, entry->stage);
    if (s->kind != kind)
        return refuse(c, "policy: %s \"%s\" names %s, the name of a %s", kind_text, name->text,
                      s->name, stage_kind_text(s->kind));
    return true;
}

static bool same_name(const struct policy_name *a, const struct policy_name *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool span_good(unsigned first, unsigned count, unsigned total)
{
    return first <= total && count <= total - first;
}

static bool probe_good(struct check *c, unsigned i)
{
    const struct policy_probe *probe = &c->p->probes[i];
    if (probe->kind != STAGE_ACTIVE_PROBE && probe->kind != STAGE_PASSIVE_PROBE)
        return refuse(c, "policy: probe %u is of unknown kind %u", i, probe->kind);
    if (!component_good(c, probe->kind, &probe->name, &probe->entry))
        return false;
    bool active = probe->kind == STAGE_ACTIVE_PROBE;
    if (active ? probe->period_ms == 0 || probe->period_ms > POLICY_PERIOD_MAX_MS
               : probe->period_ms != 0)
        return refuse(c, "policy: probe \"%s\" has a bad period of %u ms", probe->name.text,
                      probe->period_ms);
    for (unsigned j = 0; j < i; j++)
        if (same_name(&c->p->probes[j].name, &probe->name))
            return refuse(c, "policy: there are two probes \"%s\"", probe->name.text);
    return true;
}

static bool analyzer_good(struct check *c, unsigned i)
{
    const struct policy *p = c->p;
    const struct policy_analyzer *a = &p->analyzers[i];
    if (!component_good(c, STAGE_ANALYZER, &a->name, &a->entry))
        return false;
    for (unsigned j = 0; j < i; j++)
        if (same_name(&p->analyzers[j].name, &a->name))
            return refuse(c, "policy: there are two local analyzers \"%s\"", a->name.text);
    if (a->links == 0 || !span_good(a->first_link, a->links, p->header->probe_links))
        return refuse(c, "policy: local analyzer \"%s\" has a bad list of probes", a->name.text);
    const struct policy_probe_link *links = &p->probe_links[a->first_link];
    for (unsigned j = 0; j < a->links; j++) {
        if (links[j].probe >= p->header->probes)
            return refuse(c, "policy: local analyzer \"%s\" names probe %u, which is not there",
                          a->name.text, links[j].probe);
        for (unsigned k = 0; k < j; k++)
            if (links[k].probe == links[j].probe)
                return refuse(c, "policy: local analyzer \"%s\" names a probe twice", a->name.text);
    }
    return true;
}

static bool ranges_good(struct check *c, const struct policy_manager *m)
{
    const struct policy *p = c->p;
    if (!span_good(m->first_range, m->ranges, p->header->node_ranges))
        return refuse(c, "policy: scheduling manager \"%s\" has a bad list of nodes", m->name.text);
    for (unsigned i = 0; i < m->ranges; i++) {
        const struct policy_range *r = &p->node_ranges[m->first_range + i];
        if (r->first > r->last || r->last == NODE_NONE)
            return refuse(c, "policy: scheduling manager \"%s\" has a bad range of nodes %u-%u",
                          m->name.text, r->first, r->last);
    }
    return true;
}

static bool manager_link_good(struct check *c, const struct policy_manager *m, unsigned i)
{
    const struct policy *p = c->p;
    const struct policy_analyzer_link *links = &p->analyzer_links[m->first_link];
    if (links[i].analyzer >= p->header->analyzers)
        return refuse(c, "policy: scheduling manager \"%s\" names local analyzer %u, not there",
                      m->name.text, links[i].analyzer);
    if (!policy_name_good(&links[i].global_infos))
        return refuse(c, "policy: scheduling manager \"%s\" has a bad global_infos name",
                      m->name.text);
    for (unsigned j = 0; j < i; j++)
        if (links[j].analyzer == links[i].analyzer ||
            same_name(&links[j].global_infos, &links[i].global_infos))
            return refuse(c, "policy: scheduling manager \"%s\" names an analyzer or table twice",
                          m->name.text);
    return true;
}

static bool manager_good(struct check *c, unsigned i)
{
    const struct policy *p = c->p;
    const struct policy_manager *m = &p->managers[i];
    if (!component_good(c, STAGE_MANAGER, &m->name, &m->entry) || !ranges_good(c, m))
        return false;
    for (unsigned j = 0; j < i; j++)
        if (same_name(&p->managers[j].name, &m->name))
            return refuse(c, "policy: there are two scheduling managers \"%s\"", m->name.text);
    if (m->links == 0 || !span_good(m->first_link, m->links, p->header->analyzer_links))
        return refuse(c, "policy: scheduling manager \"%s\" has a bad list of local analyzers",
                      m->name.text);
    for (unsigned j = 0; j < m->links; j++)
        if (!manager_link_good(c, m, j))
            return false;
    return true;
}

bool policy_blob_open(const void *blob, size_t size, struct policy *p, char why[POLICY_WHY_BYTES])
{
    const struct policy_header *h = blob;
    struct check c = {.p = p, .why = why};
    why[0] = '\0';
    if (!header_good(&c, h, size) || !lay_tables(&c, p, h))
        return false;
    for (unsigned i = 0; i < h->probes; i++)
        if (!probe_good(&c, i))
            return false;
    for (unsigned i = 0; i < h->analyzers; i++)
        if (!analyzer_good(&c, i))
            return false;
    for (unsigned i = 0; i < h->managers; i++)
        if (!manager_good(&c, i))
            return false;
    return true;
}
