// SPDX-License-Identifier: MIT
// links: host-tools/xmlsource.c host-tools/xmltree.c host-tools/policymodel.c
// links: host-tools/policyblob.c host-tools/host.c sched/policy/blob.c lib/fmt.c lib/crc32c.c
// links: lib/string.c
// libs: -I/usr/include/libxml2 -lxml2

// weftc's front end: whatever the XML says, there are errors with positions, or a blob that the
// kernel's own checker takes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "host-tools/policymodel.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (64u << 10)

static void sources_read(struct sources *s, const uint8_t *data, size_t size)
{
    char path[64];
    int fd = memfd_create("policy", 0);
    HOLDS(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    source_add_file(s, path);
    close(fd);
}

static void errors_check(const struct sources *s)
{
    for (size_t i = 0; i < s->error_count && i < SOURCE_ERRORS_MAX; i++)
        HOLDS(s->errors[i].text[0] && s->errors[i].at.line >= 1 && s->errors[i].at.column >= 1);
}

static void sources_free(struct sources *s)
{
    // The file's name is shared by all positions in it, and is found in the first of either kind.
    char *name = s->count         ? (char *)s->documents[0].start.file
                 : s->error_count ? (char *)s->errors[0].at.file
                                  : NULL;
    for (size_t i = 0; i < s->error_count && i < SOURCE_ERRORS_MAX; i++)
        free(s->errors[i].text);
    for (size_t i = 0; i < s->count; i++)
        free(s->documents[i].text);
    free(s->errors);
    free(s->documents);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model m;
    struct sources s = {0};
    if (size > INPUT_MAX)
        return 0;
    memset(&m, 0, sizeof(m));
    m.s = &s;
    host_tool_name = "fuzz";
    sources_read(&s, data, size);
    struct element **roots = calloc(s.count + 1, sizeof(*roots));
    bool whole = s.error_count == 0;
    for (size_t i = 0; i < s.count; i++) {
        roots[i] = xml_tree_read(&s, &s.documents[i]);
        if (roots[i])
            model_add_document(&m, roots[i]);
        whole = whole && roots[i];
    }
    if (whole)
        model_resolve(&m);
    errors_check(&s);
    if (whole && s.error_count == 0) {
        struct policy p;
        char why[POLICY_WHY_BYTES];
        struct bytes blob = model_blob(&m);
        HOLDS(policy_blob_open(blob.at, blob.size, &p, why));
        free(blob.at);
    }
    for (size_t i = 0; i < s.count; i++)
        if (roots[i])
            xml_tree_free(roots[i]);
    free(roots);
    sources_free(&s);
    return 0;
}
