// SPDX-License-Identifier: MIT
// I/O linker of anonymous memory: what nobody touched is zero.
#include "ssi/container/container.h"

static int first_touch(const struct io_source *s UNUSED, uint32_t index UNUSED, void *page UNUSED)
{
    return 0;
}

extern const struct io_linker io_anonymous;
const struct io_linker io_anonymous = {.name = "anonymous", .first_touch = first_touch};
