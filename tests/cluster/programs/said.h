// SPDX-License-Identifier: MIT
// What the programs of test_calls.py share: T(call) prints the call, what it gave and its errno.
#pragma once

#include <errno.h>
#include <stdio.h>
#include <string.h>

// Wrong arguments are what these programs are about.
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wunused-result"

#define T(call)                                                                                    \
    do {                                                                                           \
        errno = 0;                                                                                 \
        long said_ = (long)(call);                                                                 \
        printf("%d: %s = %ld %s\n", __LINE__, #call, said_,                                        \
               said_ == -1 ? strerrorname_np(errno) : "");                                         \
    } while (0)

// The same call on each of several names: EACH(rmdir(name), "a", "b").
#define EACH(call, ...)                                                                            \
    do {                                                                                           \
        const char *const names_[] = {__VA_ARGS__};                                                \
        for (size_t k_ = 0; k_ < sizeof(names_) / sizeof(*names_); k_++) {                         \
            const char *name = names_[k_];                                                         \
            printf("name %.20s\n", name);                                                          \
            T(call);                                                                               \
        }                                                                                          \
    } while (0)
