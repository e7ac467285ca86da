// SPDX-License-Identifier: MIT
// The file of a cluster key on the host: at least 16 secret bytes; their SHA-256 is the key
// (host-tools/mkarchive.c puts the same into a boot archive).
#pragma once

#include <bearssl.h>
#include <stdio.h>
#include "ssi/cluster/seal.h"

// false: no such file, or it is too short.
static inline bool keyfile_read(const char *path, uint8_t key[SEAL_KEY_BYTES])
{
    char bytes[4096];
    size_t n, all = 0;
    br_sha256_context c;
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    br_sha256_init(&c);
    while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0) {
        br_sha256_update(&c, bytes, n);
        all += n;
    }
    fclose(f);
    br_sha256_out(&c, key);
    return all >= 16;
}
