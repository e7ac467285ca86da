// SPDX-License-Identifier: MIT
// A boot archive in memory that has a cluster key and nothing else; only what the cluster room
// reads of it is there.
#pragma once

#include <string.h>
#include "lib/archive.h"

struct key_archive {
    struct archive archive;
    struct archive_header header;
    struct archive_row row;
    uint8_t key[32];
};

// `text`: at most 32 bytes; NULL or "": an archive without a key.
static inline void key_archive_make(struct key_archive *k, const char *text)
{
    memset(k, 0, sizeof(*k));
    k->archive = (struct archive){.header = &k->header, .rows = &k->row};
    if (text == NULL || *text == '\0')
        return;
    k->header.parts = 1;
    k->row = (struct archive_row){.kind = ARCHIVE_KEY,
                                  .offset = (uint32_t)(offsetof(struct key_archive, key) -
                                                       offsetof(struct key_archive, header)),
                                  .bytes = sizeof(k->key)};
    memcpy(k->key, text, strnlen(text, sizeof(k->key)));
}
