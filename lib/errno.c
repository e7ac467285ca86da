// SPDX-License-Identifier: MIT
#include "lib/errno.h"

const char *errno_text(int error)
{
    switch (error < 0 ? -error : error) {
#define ERR(number, name, sentence)                                                                \
    case number:                                                                                   \
        return sentence;
#include "lib/errno.def"
#undef ERR
    default:
        return "unknown error";
    }
}
