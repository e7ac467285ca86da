// SPDX-License-Identifier: MIT
#include "ssi/process/vdso.h"
#include "kernel/init.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/node_var.h"
#include "ssi/container/container.h"
#include "ssi/process/process.h"

NODE_VAR(struct container *, vdso);

static frame_t shared_frame(const struct io_source *s UNUSED, uint32_t index)
{
    return index < VDSO_PAGES ? arch_vdso_frame(index) : FRAME_NONE;
}

// The frame is always there: what was missing is memory to note it. Behind it is nothing.
static int first_touch(const struct io_source *s UNUSED, uint32_t index, void *page UNUSED)
{
    return index < VDSO_PAGES ? -ENOMEM : -EIO;
}

static struct container *own(void)
{
    arch_vdso_arrived();
    container_get(node(vdso));
    return node(vdso);
}

extern const struct io_linker io_vdso;
const struct io_linker io_vdso = {
    .name = "vdso",
    .first_touch = first_touch,
    .shared_frame = shared_frame,
    .own = own,
};

static int map_page(struct space *s, uint32_t at, unsigned prot, uint32_t index,
                    enum maps_note note)
{
    container_get(node(vdso));
    int e = space_map(s, at, PAGE_SIZE, prot, SEGMENT_SHARED, node(vdso), index,
                      &container_segment_ops, (void *)(uintptr_t)note);
    if (e < 0)
        container_put(node(vdso));
    return e;
}

int vdso_map(struct space *s)
{
    int e = map_page(s, VDSO_DATA, PROT_R, 0, MAPS_VVAR);
    return e < 0 ? e : map_page(s, VDSO_CODE, PROT_R | PROT_X, 1, MAPS_VDSO);
}

static void vdso_start(void)
{
    const struct io_source source = {.kind = IO_vdso};
    node(vdso) = container_new(&source);
    ASSERT(node(vdso) != NULL);
}
INIT_STEP(INIT_PROCESS, vdso_start);
