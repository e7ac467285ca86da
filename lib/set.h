// SPDX-License-Identifier: MIT
// Linker sets: objects seen only inside this image (drivers, init steps, self tests) register by
// a pointer in a section. Order is link order, so nothing may depend on it.
#pragma once

#define SET_ENTRY(set, object)                                                                     \
    static const void *const set_##set##_##object __attribute__((section("set_" #set), used)) =    \
        &(object)

#define SET_FOREACH(set, type, pos)                                                                \
    extern const void *const __start_set_##set[], *const __stop_set_##set[];                       \
    for (type *const *pos = (type *const *)__start_set_##set;                                      \
         pos < (type *const *)__stop_set_##set; pos++)
