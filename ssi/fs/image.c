// SPDX-License-Identifier: MIT
// The program file of an exec, as an I/O source.
#include "ssi/fs/fs.h"
#include "lib/errno.h"
#include "ssi/container/container.h"
#include "ssi/fs/proxy.h"
#include "ssi/fs/tree.h"

// An archived file that nobody has written is the same on every node; another one stays unwritten
// as long as it is open as an image (ETXTBSY).
int fs_image_source(struct file *f, struct io_source *source)
{
    if (proxy_is(f))
        return proxy_image_source(f, source);
    if (!tree_file_is(f))
        return -EACCES;
    struct inode *i = tree_file_inode(f);
    if (!inode_is(i, S_IFREG))
        return -EACCES;
    if (i->bytes > UINT32_MAX)
        return -EFBIG;
    if (!(f->flags & FILE_IMAGE)) {
        int e = tree_image_begin(i);
        if (e < 0)
            return e;
        f->flags |= FILE_IMAGE;
    }
    *source = (struct io_source){
        .kind = inode_image(i) ? IO_image : IO_file,
        .bytes = (uint32_t)i->bytes,
        .object = i->number,
    };
    return 0;
}
