// SPDX-License-Identifier: MIT
// The names that a node goes by (sethostname(2), setdomainname(2)). Each node has its own, nodeN at
// first; uname(2) tells a process those of the node where it is.
#pragma once

#include "lib/types.h"

#define SYSTEM_NAME_MAX 64u

const char *system_host_name(void);
const char *system_domain_name(void);
void system_host_name_set(const char *name, size_t n); // at most SYSTEM_NAME_MAX bytes
void system_domain_name_set(const char *name, size_t n);
