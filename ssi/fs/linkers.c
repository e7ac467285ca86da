// SPDX-License-Identifier: MIT
// I/O linkers of files. `image`: a file of the boot archive, which every node reads from its own
// memory, whole pages of it in place. `file`: a file of the tree as its home has it.
#include "ssi/container/container.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "ssi/fs/remote.h"
#include "ssi/fs/tree.h"

// Archive bytes of the source's file behind `offset`; NULL when it has none.
static const uint8_t *image_bytes(const struct io_source *s, uint64_t offset)
{
    struct inode *i = tree_ready() ? inode_find(s->object) : NULL;
    if (i == NULL || !i->archived || !inode_is(i, S_IFREG) || offset > i->archive_bytes)
        return NULL;
    return i->archive + offset;
}

// Bytes of page `index` that count, and where they begin in the file.
static size_t page_extent(const struct io_source *s, uint32_t index, uint64_t *offset)
{
    uint64_t at = (uint64_t)index << PAGE_SHIFT;
    *offset = s->offset + at;
    return at >= s->bytes ? 0 : (size_t)MIN(s->bytes - at, PAGE_SIZE);
}

static int image_first_touch(const struct io_source *s, uint32_t index, void *page)
{
    uint64_t offset;
    size_t n = page_extent(s, index, &offset);
    if (n == 0) // behind what counts, perhaps behind the file: a program's bss
        return 0;
    const uint8_t *from = image_bytes(s, offset + n);
    if (from == NULL)
        return -EIO;
    memcpy(page, from - n, n);
    return 0;
}

static frame_t image_shared_frame(const struct io_source *s, uint32_t index)
{
    uint64_t offset;

    if (page_extent(s, index, &offset) < PAGE_SIZE)
        return FRAME_NONE;
    const uint8_t *end = image_bytes(s, offset + PAGE_SIZE);
    if (end == NULL || ((uintptr_t)end & PAGE_MASK) != 0)
        return FRAME_NONE;
    return frame_of_low(end - PAGE_SIZE);
}

static int file_first_touch(const struct io_source *s, uint32_t index, void *page)
{
    uint64_t offset;
    size_t n = page_extent(s, index, &offset);
    long got = n ? remote_inode_read(s->object, offset, page, n) : 0;
    return got < 0 ? (int)got : 0;
}

const struct io_linker io_image = {
    .name = "image",
    .first_touch = image_first_touch,
    .shared_frame = image_shared_frame,
};

const struct io_linker io_file = {
    .name = "file",
    .first_touch = file_first_touch,
};
