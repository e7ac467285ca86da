// SPDX-License-Identifier: MIT
// The policy blob: a compiled policy, as host-tools/weftc writes it and the kernel loads it. Words
// are those of the paper, section 4.2: probes feed local analyzers, these feed scheduling managers.
//
//     header | probes | analyzers | managers | probe links | analyzer links | node ranges | code
//
// Little-endian, no padding between the tables. The kernel trusts no blob: policy_blob_open()
// checks all of it. Allocates nothing; shared by the kernel, weftc and the tests.
#pragma once

#include "lib/types.h"

#define POLICY_MAGIC         "WEFTPOL1"
#define POLICY_VERSION       1u
#define POLICY_BYTES_MAX     (1u << 20)
#define POLICY_NAME_BYTES    32u // with at least one NUL
#define POLICY_PROBES_MAX    64u
#define POLICY_ANALYZERS_MAX 64u
#define POLICY_MANAGERS_MAX  16u
#define POLICY_LINKS_MAX     256u      // of either kind, and node ranges
#define POLICY_PERIOD_MAX_MS 86400000u // one day
#define POLICY_WHY_BYTES     160u      // room for the longest refusal

// Kinds of stages, with their numbers in blobs.
enum stage_kind {
    STAGE_ACTIVE_PROBE = 1,  // woken by a timer, each period
    STAGE_PASSIVE_PROBE = 2, // woken by an event of the kernel or the scheduler
    STAGE_ANALYZER = 3,
    STAGE_MANAGER = 4,
};

// A row of stages.def.
struct stage {
    enum stage_kind kind;
    uint32_t id;
    const char *name;
};

// A name of 1 to 31 letters, digits and _ . -, padded with NULs.
struct policy_name {
    char text[POLICY_NAME_BYTES];
} PACKED;

struct policy_header {
    uint8_t magic[8];
    uint32_t version;
    uint32_t bytes;  // of the whole blob
    uint32_t crc32c; // of the whole blob, this field taken as 0
    uint16_t probes;
    uint16_t analyzers;
    uint16_t managers;
    uint16_t probe_links;
    uint16_t analyzer_links;
    uint16_t node_ranges;
    uint32_t code_bytes; // 0: programs in the blob come with a later version
} PACKED;
STATIC_ASSERT(sizeof(struct policy_header) == 36, "policy header is 36 bytes");

// What runs: a built-in of stages.def, or later a program carried in the blob.
struct policy_entry {
    uint32_t stage;       // id in stages.def; 0: the program below
    uint32_t code_offset; // within the code area; 0
    uint32_t code_bytes;  // 0
} PACKED;

struct policy_probe {
    uint32_t kind;      // STAGE_ACTIVE_PROBE or STAGE_PASSIVE_PROBE
    uint32_t period_ms; // 1..POLICY_PERIOD_MAX_MS; passive: 0
    struct policy_entry entry;
    struct policy_name name;
} PACKED;
STATIC_ASSERT(sizeof(struct policy_probe) == 52, "policy probe is 52 bytes");

struct policy_analyzer {
    struct policy_entry entry;
    uint16_t first_link; // in probe_links
    uint16_t links;      // at least 1
    struct policy_name name;
} PACKED;
STATIC_ASSERT(sizeof(struct policy_analyzer) == 48, "policy analyzer is 48 bytes");

struct policy_manager {
    struct policy_entry entry;
    uint16_t first_link; // in analyzer_links
    uint16_t links;      // at least 1
    uint16_t first_range;
    uint16_t ranges; // 0: all nodes
    struct policy_name name;
} PACKED;
STATIC_ASSERT(sizeof(struct policy_manager) == 52, "policy manager is 52 bytes");

struct policy_probe_link {
    uint16_t probe; // index in the table of probes
} PACKED;

struct policy_analyzer_link {
    uint16_t analyzer; // index in the table of analyzers
    struct policy_name global_infos;
} PACKED;
STATIC_ASSERT(sizeof(struct policy_analyzer_link) == 34, "policy analyzer link is 34 bytes");

struct policy_range {
    uint16_t first;
    uint16_t last; // inclusive
} PACKED;

struct policy {
    const struct policy_header *header;
    const struct policy_probe *probes;
    const struct policy_analyzer *analyzers;
    const struct policy_manager *managers;
    const struct policy_probe_link *probe_links;
    const struct policy_analyzer_link *analyzer_links;
    const struct policy_range *node_ranges;
};

// Checks all of it and fills `p`, which points into `blob`. False: `why` says which component is
// wrong and how, in words, and nothing of the blob may be used.
bool policy_blob_open(const void *blob, size_t size, struct policy *p,
                      char why[POLICY_WHY_BYTES]) MUST_CHECK;

// Sets the checksum of a finished blob.
void policy_blob_seal(void *blob, size_t size);

// True when the manager works on that node.
bool policy_manager_on_node(const struct policy *p, const struct policy_manager *m, node_id_t node);

// True for a name that a component may have.
bool policy_name_good(const struct policy_name *name);

// Rows of stages.def; NULL when there is none. `kind` 0 finds the name under any kind.
const struct stage *stage_by_id(uint32_t id);
const struct stage *stage_by_name(const char *name, unsigned kind);

// In words: "active probe", "analyzer" and so on.
const char *stage_kind_text(enum stage_kind kind);

// All of stages.def, `*count` rows.
const struct stage *stage_table(size_t *count);
