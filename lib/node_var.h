// SPDX-License-Identifier: MIT
// File-scope state that belongs to one node. In the kernel it is a plain variable; in the
// simulator many nodes share a process, and each has its own copy of the section.
//
//     NODE_VAR(struct list, members);          // definition, always static
//     list_append(&node(members), &m->link);   // use, always through node()
//
// Start values are honoured in both. mm/, kernel/, net/, ssi/ and sched/ have no other mutable
// file-scope variable: a lint reads their objects with nm.
#pragma once

#ifdef WEFT_SIM
extern __thread long node_var_delta; // byte offset of the current node's copy
#define NODE_VAR(type, name) static __attribute__((section("node_vars"), used)) type name
#define node_var_at(address) ((uintptr_t)(address) + (uintptr_t)node_var_delta)
#define node(name)           (*(__typeof__(name) *)node_var_at(&(name)))
#else
#define NODE_VAR(type, name) static __attribute__((section(".node_vars"))) type name
#define node(name)           (name)
#endif
