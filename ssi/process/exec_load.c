// SPDX-License-Identifier: MIT
#include "ssi/process/exec_priv.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "mm/heap.h"

int exec_read(struct file *f, uint64_t at, void *to, size_t n)
{
    size_t done = 0;
    while (done < n) {
        struct xfer x;
        xfer_kernel(&x, (char *)to + done, n - done);
        uint64_t offset = at + done;
        long got = file_read(f, &x, &offset);
        if (got < 0)
            return (int)got;
        if (got == 0)
            return -EIO;
        done += (size_t)got;
    }
    return 0;
}

// x->head holds the first bytes of the file.
int exec_parse(struct exec_plan *x, struct exec_file *f, struct elf_image *image)
{
    const char *why = "no memory";
    struct elf_head head;
    int e = elf_parse_head(x->head, x->head_bytes, f->st.bytes, &head, &why);
    if (e == 0) {
        size_t n = head.phdr_count * ELF_PHDR_BYTES;
        void *phdrs = heap_alloc(n);
        e = phdrs ? exec_read(f->file, head.phdr_offset, phdrs, n) : -ENOMEM;
        if (e == 0)
            e = elf_parse_segments(&head, phdrs, f->st.bytes, image, &why);
        heap_free(phdrs);
    }
    if (e == -ENOEXEC || e == -EINVAL)
        log_debug("process", "exec %s refused: %s", x->path, why);
    return e;
}

static int map_segment(struct exec_plan *x, const struct io_source *file,
                       const struct elf_segment *s, uint32_t base, uintptr_t note)
{
    struct container *c;
    if (s->file_bytes) {
        struct io_source source = *file;
        uint32_t there = file->bytes > s->file_offset ? file->bytes - s->file_offset : 0;
        source.offset += s->file_offset;
        source.bytes = MIN(s->file_bytes, there);
        c = container_new(&source);
    } else {
        c = container_new_anonymous();
    }
    if (!c)
        return -ENOMEM;
    int e = space_map(x->space, base + s->start, s->bytes, s->prot, 0, c, 0, &container_segment_ops,
                      (void *)note);
    if (e < 0)
        container_put(c);
    return e;
}

int exec_map(struct exec_plan *x, struct exec_file *f, const struct elf_image *image, uint32_t base,
             uintptr_t note)
{
    struct io_source source;
    int e = fs_image_source(f->file, &source);
    for (unsigned i = 0; e == 0 && i < image->segment_count; i++)
        e = map_segment(x, &source, &image->segments[i], base, note);
    return e;
}
