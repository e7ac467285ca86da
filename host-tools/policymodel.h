// SPDX-License-Identifier: MIT
// A policy on its way from XML to a blob: the rows of the blob, and where each came from.
#pragma once

#include "host-tools/xmltree.h"
#include "sched/policy/blob.h"

// A name given in one place that must be declared in another.
struct reference {
    struct element *at;
    struct policy_name name;
};

struct model {
    struct sources *s;
    unsigned probes, analyzers, managers, probe_links, analyzer_links, ranges;
    struct policy_probe probe[POLICY_PROBES_MAX];
    struct element *probe_at[POLICY_PROBES_MAX];
    struct policy_analyzer analyzer[POLICY_ANALYZERS_MAX];
    struct element *analyzer_at[POLICY_ANALYZERS_MAX];
    struct policy_manager manager[POLICY_MANAGERS_MAX];
    struct element *manager_at[POLICY_MANAGERS_MAX];
    struct policy_probe_link probe_link[POLICY_LINKS_MAX];
    struct reference probe_reference[POLICY_LINKS_MAX];
    struct policy_analyzer_link analyzer_link[POLICY_LINKS_MAX];
    struct reference analyzer_reference[POLICY_LINKS_MAX];
    struct policy_range range[POLICY_LINKS_MAX];
};

// Takes over what a document declares; what is wrong is noted in m->s. The tree must live on.
void model_add_document(struct model *m, struct element *root);

// Resolves the names once all documents are in; unknown and repeated ones are noted.
void model_resolve(struct model *m);

// The sealed blob of a model without errors.
struct bytes model_blob(const struct model *m);

// A blob back in XML that weftc takes, on stdout.
void policy_print_xml(const struct policy *p);
