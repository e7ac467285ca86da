// SPDX-License-Identifier: MIT
#include "host-tools/policymodel.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lib/limits.h"

// Text of the user for a message: short, and without control characters.
static const char *quoted(const char *text)
{
    static char copy[48];
    size_t n = 0;
    for (; n < 40 && text[n]; n++)
        copy[n] = (unsigned char)text[n] < ' ' || text[n] == 127 ? ' ' : text[n];
    strcpy(copy + n, text[n] ? "..." : "");
    return copy;
}

static void unknown_child(struct model *m, const struct element *parent,
                          const struct element *child, const char *want)
{
    source_error(m->s, child->at, "<%s> is not known in <%s>; want %s", quoted(child->name),
                 parent->name, want);
}

// An element that holds elements has no text of its own.
static void no_text(struct model *m, const struct element *e)
{
    if (e->text_size > 0)
        source_error(m->s, e->at, "<%s> holds stray text \"%s\"", e->name, quoted(e->text));
}

// Finds the children of those names, each of which must be there exactly once.
static void take_fields(struct model *m, const struct element *e, const char *const *names,
                        unsigned count, struct element **fields)
{
    char want[200] = "";
    memset(fields, 0, count * sizeof(*fields));
    for (unsigned i = 0; i < count; i++) {
        char *at = want + strlen(want);
        snprintf(at, sizeof(want) - (size_t)(at - want), "%s<%s>", i ? ", " : "", names[i]);
    }
    no_text(m, e);
    for (struct element *child = e->first; child; child = child->next) {
        unsigned i = 0;
        while (i < count && strcmp(names[i], child->name) != 0)
            i++;
        if (i == count)
            unknown_child(m, e, child, want);
        else if (fields[i])
            source_error(m->s, child->at, "<%s> stands twice in <%s>; the first is in line %u",
                         child->name, e->name, fields[i]->at.line);
        else
            fields[i] = child;
    }
    for (unsigned i = 0; i < count; i++)
        if (fields[i] == NULL)
            source_error(m->s, e->at, "<%s> lacks <%s>", e->name, names[i]);
}

// All children are called `name`, and there is one.
static void check_list(struct model *m, const struct element *e, const char *name)
{
    unsigned found = 0;
    char want[64];
    snprintf(want, sizeof(want), "<%s>", name);
    no_text(m, e);
    for (struct element *child = e->first; child; child = child->next) {
        if (strcmp(child->name, name) == 0)
            found++;
        else
            unknown_child(m, e, child, want);
    }
    if (found == 0)
        source_error(m->s, e->at, "<%s> holds no <%s>", e->name, name);
}

// The text of an element that holds only text; NULL when it is empty or holds elements.
static const char *leaf(struct model *m, const struct element *e)
{
    if (e == NULL)
        return NULL;
    for (struct element *child = e->first; child; child = child->next)
        unknown_child(m, e, child, "text only");
    if (e->first == NULL && e->text_size == 0)
        source_error(m->s, e->at, "<%s> is empty", e->name);
    return e->first || e->text_size == 0 ? NULL : e->text;
}

static bool take_name(struct model *m, const struct element *e, struct policy_name *name)
{
    const char *text = leaf(m, e);
    memset(name, 0, sizeof(*name));
    if (text == NULL)
        return false;
    if (strlen(text) < POLICY_NAME_BYTES) {
        strcpy(name->text, text);
        if (policy_name_good(name))
            return true;
    }
    source_error(m->s, e->at, "<%s> wants 1 to %u letters, digits, _ . or -, not \"%s\"", e->name,
                 POLICY_NAME_BYTES - 1, quoted(text));
    memset(name, 0, sizeof(*name));
    return false;
}

// Is NAME.c or NAME.o beside the XML?
static bool program_is_there(const struct element *e, const char *name)
{
    static const char *const suffixes[] = {".o", ".c"};
    const char *slash = strrchr(e->at.file, '/');
    int length = slash ? (int)(slash - e->at.file) + 1 : 0;
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_SIZE(suffixes); i++) {
        char *path = host_text("%.*s%s%s", length, e->at.file, name, suffixes[i]);
        found = access(path, F_OK) == 0;
        free(path);
    }
    return found;
}

static void say_known_stages(char *known, size_t size, enum stage_kind kind)
{
    size_t count;
    const struct stage *table = stage_table(&count);
    snprintf(known, size, "there is no built-in %s", stage_kind_text(kind));
    for (size_t i = 0, said = 0; i < count; i++) {
        if (table[i].kind != kind)
            continue;
        if (said++ == 0)
            snprintf(known, size, "built-in for a %s: %s", stage_kind_text(kind), table[i].name);
        else
            snprintf(known + strlen(known), size - strlen(known), ", %s", table[i].name);
    }
}

static void take_stage(struct model *m, const struct element *e, enum stage_kind kind,
                       struct policy_entry *entry)
{
    struct policy_name name;
    char known[400];
    *entry = (struct policy_entry){0};
    if (!take_name(m, e, &name))
        return;
    const struct stage *s = stage_by_name(name.text, kind);
    const struct stage *other = stage_by_name(name.text, 0);
    say_known_stages(known, sizeof(known), kind);
    if (s)
        entry->stage = s->id;
    else if (other)
        source_error(m->s, e->at, "%s is the name of a %s, not of a %s; %s", name.text,
                     stage_kind_text(other->kind), stage_kind_text(kind), known);
    else if (program_is_there(e, name.text))
        source_error(m->s, e->at,
                     "%s would be a program of yours (%s.c or .o); those come later; %s", name.text,
                     name.text, known);
    else
        source_error(m->s, e->at, "%s is not known; %s", name.text, known);
}

// Seconds as a decimal number to milliseconds; false when it is none or out of range.
static bool seconds_to_ms(const char *text, uint32_t *ms)
{
    uint64_t whole = 0, part = 0;
    unsigned scale = 1000, digits = 0;
    for (; isdigit((unsigned char)*text); text++, digits++) {
        whole = whole * 10 + (unsigned)(*text - '0');
        if (whole > POLICY_PERIOD_MAX_MS)
            return false;
    }
    if (digits == 0)
        return false;
    if (*text == '.') {
        if (!isdigit((unsigned char)*++text))
            return false;
        for (; isdigit((unsigned char)*text); text++) {
            if (scale == 1 && *text != '0')
                return false; // finer than a millisecond
            if (scale > 1)
                part += (unsigned)(*text - '0') * (scale /= 10);
        }
    }
    whole = whole * 1000 + part;
    *ms = (uint32_t)whole;
    return *text == '\0' && whole > 0 && whole <= POLICY_PERIOD_MAX_MS;
}

static uint32_t take_period(struct model *m, const struct element *e)
{
    uint32_t ms = 0;
    const char *text = leaf(m, e);
    if (text && !seconds_to_ms(text, &ms))
        source_error(m->s, e->at,
                     "<%s> wants seconds, a decimal number from 0.001 to 86400, not \"%s\"",
                     e->name, quoted(text));
    return ms;
}

static bool room(struct model *m, const struct element *e, unsigned used, unsigned max)
{
    if (used >= max)
        source_error(m->s, e->at, "<%s> is one too many; a policy holds at most %u", e->name, max);
    return used < max;
}

static void add_probe(struct model *m, struct element *e)
{
    static const char *const names[] = {"file", "name", "time"};
    bool active = strcmp(e->name, "active_probe") == 0;
    struct element *field[3] = {NULL};
    if (!room(m, e, m->probes, POLICY_PROBES_MAX))
        return;
    struct policy_probe *p = &m->probe[m->probes];
    m->probe_at[m->probes++] = e;
    take_fields(m, e, names, active ? 3 : 2, field);
    p->kind = active ? STAGE_ACTIVE_PROBE : STAGE_PASSIVE_PROBE;
    take_stage(m, field[0], p->kind, &p->entry);
    take_name(m, field[1], &p->name);
    p->period_ms = take_period(m, field[2]);
}

static void add_probes(struct model *m, struct element *root)
{
    no_text(m, root);
    if (root->first == NULL)
        source_error(m->s, root->at, "<probes> holds no <active_probe> and no <passive_probe>");
    for (struct element *e = root->first; e; e = e->next) {
        if (strcmp(e->name, "active_probe") == 0 || strcmp(e->name, "passive_probe") == 0)
            add_probe(m, e);
        else
            unknown_child(m, root, e, "<active_probe> or <passive_probe>");
    }
}

static void add_analyzer(struct model *m, struct element *e)
{
    static const char *const names[] = {"file", "name", "probes"};
    struct element *field[3];
    if (!room(m, e, m->analyzers, POLICY_ANALYZERS_MAX))
        return;
    struct policy_analyzer *a = &m->analyzer[m->analyzers];
    m->analyzer_at[m->analyzers++] = e;
    take_fields(m, e, names, 3, field);
    take_stage(m, field[0], STAGE_ANALYZER, &a->entry);
    take_name(m, field[1], &a->name);
    a->first_link = (uint16_t)m->probe_links;
    if (field[2] == NULL)
        return;
    check_list(m, field[2], "probe");
    for (struct element *child = field[2]->first; child; child = child->next) {
        struct reference r = {.at = child};
        if (strcmp(child->name, "probe") != 0 || !take_name(m, child, &r.name))
            continue;
        if (!room(m, child, m->probe_links, POLICY_LINKS_MAX))
            return;
        m->probe_reference[m->probe_links++] = r;
        a->links++;
    }
}

// A node id at `*text`, which moves behind it.
static bool take_node(const char **text, uint16_t *node)
{
    unsigned value = 0;
    if (!isdigit((unsigned char)**text))
        return false;
    for (; isdigit((unsigned char)**text); (*text)++)
        if ((value = value * 10 + (unsigned)(**text - '0')) >= NODE_MAX)
            return false;
    *node = (uint16_t)value;
    return true;
}

// "7" or "2-5" at `*text`, which moves behind it.
static bool take_range(const char **text, struct policy_range *r)
{
    uint16_t first, last;
    if (!take_node(text, &first))
        return false;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!take_node(text, &last))
            return false;
    }
    *r = (struct policy_range){first, last};
    return first <= last;
}

static void take_nodes(struct model *m, const struct element *e, struct policy_manager *manager)
{
    const char *text = leaf(m, e), *at = text;
    manager->first_range = (uint16_t)m->ranges;
    if (text == NULL || strcmp(text, "all") == 0)
        return;
    do {
        struct policy_range r;
        at += at > text; // the comma
        while (*at == ' ')
            at++;
        if (!take_range(&at, &r) || (*at != ',' && *at != '\0')) {
            source_error(m->s, e->at,
                         "<%s> wants all or node ids below %u such as 0,2-5, not \"%s\"", e->name,
                         NODE_MAX, quoted(text));
            return;
        }
        for (unsigned i = manager->first_range; i < m->ranges; i++)
            if (r.first <= m->range[i].last && m->range[i].first <= r.last) {
                source_error(m->s, e->at, "<%s> names node %u twice", e->name,
                             MAX(r.first, m->range[i].first));
                return;
            }
        if (!room(m, e, m->ranges, POLICY_LINKS_MAX))
            return;
        m->range[m->ranges++] = r;
        manager->ranges++;
    } while (*at == ',');
}

static void add_manager_links(struct model *m, struct element *list, struct policy_manager *manager)
{
    static const char *const names[] = {"name", "global_infos"};
    check_list(m, list, "local_analyzer");
    for (struct element *child = list->first; child; child = child->next) {
        struct element *field[2];
        struct policy_name table;
        if (strcmp(child->name, "local_analyzer") != 0)
            continue;
        if (!room(m, child, m->analyzer_links, POLICY_LINKS_MAX))
            return;
        take_fields(m, child, names, 2, field);
        struct reference r = {.at = field[0] ? field[0] : child};
        bool named = take_name(m, field[0], &r.name);
        if (!take_name(m, field[1], &table) || !named)
            continue;
        for (unsigned i = manager->first_link; i < m->analyzer_links; i++)
            if (strcmp(m->analyzer_link[i].global_infos.text, table.text) == 0)
                source_error(m->s, field[1]->at, "<global_infos> %s stands twice in this manager",
                             table.text);
        m->analyzer_link[m->analyzer_links].global_infos = table;
        m->analyzer_reference[m->analyzer_links++] = r;
        manager->links++;
    }
}

static void add_manager(struct model *m, struct element *e)
{
    static const char *const names[] = {"nodes", "name", "file", "local_analyzers"};
    struct element *field[4];
    if (!room(m, e, m->managers, POLICY_MANAGERS_MAX))
        return;
    struct policy_manager *manager = &m->manager[m->managers];
    m->manager_at[m->managers++] = e;
    take_fields(m, e, names, 4, field);
    take_nodes(m, field[0], manager);
    take_name(m, field[1], &manager->name);
    take_stage(m, field[2], STAGE_MANAGER, &manager->entry);
    manager->first_link = (uint16_t)m->analyzer_links;
    if (field[3])
        add_manager_links(m, field[3], manager);
}

void model_add_document(struct model *m, struct element *root)
{
    if (strcmp(root->name, "probes") == 0) {
        add_probes(m, root);
    } else if (strcmp(root->name, "local_analyzers") == 0) {
        check_list(m, root, "local_analyzer");
        for (struct element *e = root->first; e; e = e->next)
            if (strcmp(e->name, "local_analyzer") == 0)
                add_analyzer(m, e);
    } else if (strcmp(root->name, "scheduling_managers") == 0) {
        check_list(m, root, "scheduling_manager");
        for (struct element *e = root->first; e; e = e->next)
            if (strcmp(e->name, "scheduling_manager") == 0)
                add_manager(m, e);
    } else {
        source_error(m->s, root->at,
                     "<%s> is not known; want <probes>, <local_analyzers> or <scheduling_managers>",
                     quoted(root->name));
    }
}

// Where the element of that name is among the children, else the element itself.
static struct position name_position(const struct element *e)
{
    for (const struct element *child = e->first; child; child = child->next)
        if (strcmp(child->name, "name") == 0)
            return child->at;
    return e->at;
}

static void check_twice(struct model *m, struct element *const *at, unsigned first, unsigned i,
                        const char *what, const char *name)
{
    if (*name != '\0')
        source_error(m->s, name_position(at[i]), "there are two %s \"%s\"; the first is at %s:%u",
                     what, name, at[first]->at.file, at[first]->at.line);
}

static void check_names(struct model *m)
{
    for (unsigned i = 1; i < m->probes; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(m->probe[i].name.text, m->probe[j].name.text) == 0)
                check_twice(m, m->probe_at, j, i, "probes", m->probe[i].name.text);
    for (unsigned i = 1; i < m->analyzers; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(m->analyzer[i].name.text, m->analyzer[j].name.text) == 0)
                check_twice(m, m->analyzer_at, j, i, "local analyzers", m->analyzer[i].name.text);
    for (unsigned i = 1; i < m->managers; i++)
        for (unsigned j = 0; j < i; j++)
            if (strcmp(m->manager[i].name.text, m->manager[j].name.text) == 0)
                check_twice(m, m->manager_at, j, i, "scheduling managers", m->manager[i].name.text);
}

static void resolve_probes(struct model *m, const struct policy_analyzer *a)
{
    for (unsigned i = a->first_link; i < (unsigned)a->first_link + a->links; i++) {
        const struct reference *r = &m->probe_reference[i];
        unsigned probe = 0;
        while (probe < m->probes && strcmp(m->probe[probe].name.text, r->name.text) != 0)
            probe++;
        if (probe == m->probes)
            source_error(m->s, r->at->at, "there is no probe \"%s\"", r->name.text);
        for (unsigned j = a->first_link; j < i; j++)
            if (strcmp(m->probe_reference[j].name.text, r->name.text) == 0)
                source_error(m->s, r->at->at, "probe \"%s\" stands twice in this analyzer",
                             r->name.text);
        m->probe_link[i].probe = (uint16_t)probe;
    }
}

static void resolve_analyzers(struct model *m, const struct policy_manager *manager)
{
    for (unsigned i = manager->first_link; i < (unsigned)manager->first_link + manager->links;
         i++) {
        const struct reference *r = &m->analyzer_reference[i];
        unsigned analyzer = 0;
        while (analyzer < m->analyzers &&
               strcmp(m->analyzer[analyzer].name.text, r->name.text) != 0)
            analyzer++;
        if (analyzer == m->analyzers)
            source_error(m->s, r->at->at, "there is no local analyzer \"%s\"", r->name.text);
        for (unsigned j = manager->first_link; j < i; j++)
            if (strcmp(m->analyzer_reference[j].name.text, r->name.text) == 0)
                source_error(m->s, r->at->at, "local analyzer \"%s\" stands twice in this manager",
                             r->name.text);
        m->analyzer_link[i].analyzer = (uint16_t)analyzer;
    }
}

void model_resolve(struct model *m)
{
    check_names(m);
    for (unsigned i = 0; i < m->analyzers; i++)
        resolve_probes(m, &m->analyzer[i]);
    for (unsigned i = 0; i < m->managers; i++)
        resolve_analyzers(m, &m->manager[i]);
}
