// SPDX-License-Identifier: MIT
// The words every room shares: sized integers, node ids, and the few macros that C lacks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t node_id_t; // 0..NODE_MAX-1, NODE_NONE
#define NODE_NONE ((node_id_t)0xffff)

#define ARRAY_SIZE(a)       (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)           ((a) < (b) ? (a) : (b))
#define MAX(a, b)           ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, to)     (((x) + (to)-1) & ~((__typeof__(x))(to)-1))
#define ALIGN_DOWN(x, to)   ((x) & ~((__typeof__(x))(to)-1))
#define PACKED              __attribute__((packed))
#define NORETURN            __attribute__((noreturn))
#define MUST_CHECK          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)   __attribute__((format(printf, f, a)))
#define UNUSED              __attribute__((unused))
#define STATIC_ASSERT(c, m) _Static_assert(c, m)

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
