// SPDX-License-Identifier: MIT
// Every limit of the house that more than one room must agree on.
#pragma once

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096u
#define PAGE_MASK  4095u

#ifndef NODE_MAX
#define NODE_MAX 256 // nodes of one cluster; ids are 16 bits on the wire
#endif

#define PID_PER_NODE   32768      // pid = birth node * PID_PER_NODE + n, n in 1..32767
#define PID_CLUSTER    1          // PID 1 is the cluster's; every node serves it
#define PATH_MAX_BYTES 4096       // a path with its NUL
#define NAME_MAX_BYTES 255        // one name in a directory
#define FD_MAX         1024       // descriptors of one process
#define ARG_BYTES_MAX  (2 << 20)  // argv + envp of one exec
#define RPC_BYTES_MAX  (16 << 10) // payload of one message between nodes
