// SPDX-License-Identifier: MIT
// links: sched/policy/blob.c lib/fmt.c lib/crc32c.c lib/string.c
// The policy blob: as it is, and with its checksum made right, so that the checks behind it run.
#include <stdlib.h>
#include <string.h>
#include "sched/policy/blob.h"
#include "tests/fuzz/fuzz.h"

static void use(const struct policy *p)
{
    const struct policy_header *h = p->header;
    for (unsigned i = 0; i < h->probes; i++)
        HOLDS(policy_name_good(&p->probes[i].name) && stage_by_id(p->probes[i].entry.stage));
    for (unsigned i = 0; i < h->analyzers; i++)
        for (unsigned k = 0; k < p->analyzers[i].links; k++)
            HOLDS(p->probe_links[p->analyzers[i].first_link + k].probe < h->probes);
    for (unsigned i = 0; i < h->managers; i++) {
        const struct policy_manager *m = &p->managers[i];
        for (unsigned k = 0; k < m->links; k++)
            HOLDS(p->analyzer_links[m->first_link + k].analyzer < h->analyzers);
        (void)policy_manager_on_node(p, m, 0);
        (void)policy_manager_on_node(p, m, 255);
    }
}

static void open_blob(const uint8_t *bytes, size_t size)
{
    char why[POLICY_WHY_BYTES] = "";
    struct policy p;
    if (policy_blob_open(bytes, size, &p, why))
        use(&p);
    else
        HOLDS(why[0] != '\0' && memchr(why, 0, sizeof(why)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_blob(data, size);
    if (size < sizeof(struct policy_header))
        return 0;
    uint8_t *copy = malloc(size);
    memcpy(copy, data, size);
    struct policy_header *h = (struct policy_header *)copy;
    memcpy(h->magic, POLICY_MAGIC, 8);
    h->bytes = (uint32_t)size;
    policy_blob_seal(copy, size);
    open_blob(copy, size);
    free(copy);
    return 0;
}
