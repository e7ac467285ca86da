// SPDX-License-Identifier: MIT
// Linux i386 error numbers, as negative returns: `return -ENOMEM`. Rows live in errno.def.
#pragma once

#if __STDC_HOSTED__
#include <errno.h>
#else
enum {
#define ERR(number, name, sentence) name = number,
#include "lib/errno.def"
#undef ERR
};
#endif

// The sentence for an error number (positive or negative); never NULL.
const char *errno_text(int error);
