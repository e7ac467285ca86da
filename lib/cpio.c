// SPDX-License-Identifier: MIT
#include "lib/cpio.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/string.h"

#define HEADER_BYTES   110u  // "070701" and 13 fields of 8 hexadecimal digits
#define NAME_FIELD_MAX 8191u // name and padding; busybox reads no more
#define TRAILER        "TRAILER!!!"

enum field {
    F_INO,
    F_MODE,
    F_UID,
    F_GID,
    F_NLINK,
    F_MTIME,
    F_SIZE,
    F_DEV_MAJOR,
    F_DEV_MINOR,
    F_RDEV_MAJOR,
    F_RDEV_MINOR,
    F_NAME_SIZE,
    F_CHECK,
    F_COUNT,
};

void cpio_open(struct cpio *c, const void *bytes, size_t size)
{
    *c = (struct cpio){.bytes = bytes, .size = size};
}

static int refuse(struct cpio *c, const char *why)
{
    c->why = why;
    return -EINVAL;
}

static bool hex_field(const uint8_t *digits, uint32_t *value)
{
    uint32_t v = 0;
    for (int i = 0; i < 8; i++) {
        uint8_t d = digits[i];
        if (d >= '0' && d <= '9')
            v = v << 4 | (uint32_t)(d - '0');
        else if (d >= 'a' && d <= 'f')
            v = v << 4 | (uint32_t)(d - 'a' + 10);
        else if (d >= 'A' && d <= 'F')
            v = v << 4 | (uint32_t)(d - 'A' + 10);
        else
            return false;
    }
    *value = v;
    return true;
}

static bool component_good(const char *start, size_t length)
{
    if (length == 0 || length > NAME_MAX_BYTES)
        return false;
    return !(start[0] == '.' && (length == 1 || (length == 2 && start[1] == '.')));
}

// Without a leading "/" or "./"; NULL when it is no path of a tree.
static const char *plain_name(const char *name)
{
    if (strcmp(name, ".") == 0)
        return name + 1;
    if (name[0] == '/')
        name += 1;
    else if (name[0] == '.' && name[1] == '/')
        name += 2;
    if (strlen(name) >= PATH_MAX_BYTES)
        return NULL;
    for (const char *start = name; *name != '\0';) {
        const char *end = strchr(start, '/');
        size_t length = end ? (size_t)(end - start) : strlen(start);
        if (!component_good(start, length))
            return NULL;
        if (end == NULL)
            break;
        start = end + 1;
    }
    return name;
}

static const char *entry_fault(const struct cpio_entry *e)
{
    switch (e->mode & CPIO_TYPE) {
    case CPIO_FILE:
        return NULL;
    case CPIO_SYMLINK:
        if (e->bytes == 0 || e->bytes >= PATH_MAX_BYTES)
            return "cpio: a symbolic link has an empty or overlong target";
        return strnlen((const char *)e->data, e->bytes) == e->bytes
                   ? NULL
                   : "cpio: the target of a symbolic link has a NUL in it";
    case CPIO_DIR:
    case CPIO_CHAR:
    case CPIO_BLOCK:
    case CPIO_FIFO:
        return e->bytes == 0 ? NULL : "cpio: a folder or device has data";
    default:
        return "cpio: an entry is of an unknown type";
    }
}

// Rounds up to the 4 byte grid of newc; `x` is at most the size of the archive.
static size_t grid(size_t x)
{
    return (x + 3) & ~(size_t)3;
}

int cpio_next(struct cpio *c, struct cpio_entry *e)
{
    uint32_t f[F_COUNT];
    if (c->size < c->offset || c->size - c->offset < HEADER_BYTES)
        return refuse(c, "cpio: the archive ends without its trailer");
    const uint8_t *header = c->bytes + c->offset;
    if (memcmp(header, "070701", 6) != 0)
        return refuse(c, "cpio: an entry does not begin with 070701 (newc)");
    for (unsigned i = 0; i < F_COUNT; i++)
        if (!hex_field(header + 6 + 8 * i, &f[i]))
            return refuse(c, "cpio: a header field is not hexadecimal");
    size_t at = c->offset + HEADER_BYTES;
    if (f[F_NAME_SIZE] == 0 || f[F_NAME_SIZE] > NAME_FIELD_MAX)
        return refuse(c, "cpio: a name is empty or too long");
    if (f[F_NAME_SIZE] > c->size - at)
        return refuse(c, "cpio: a name reaches beyond the end");
    const char *name = (const char *)c->bytes + at;
    if (name[f[F_NAME_SIZE] - 1] != '\0')
        return refuse(c, "cpio: a name does not end with NUL");
    if (strcmp(name, TRAILER) == 0)
        return 0;
    at = grid(at + f[F_NAME_SIZE]);
    if (at > c->size || f[F_SIZE] > c->size - at)
        return refuse(c, "cpio: the data of a file reaches beyond the end");
    *e = (struct cpio_entry){
        .name = plain_name(name),
        .mode = f[F_MODE],
        .uid = f[F_UID],
        .gid = f[F_GID],
        .mtime = f[F_MTIME],
        .nlink = f[F_NLINK],
        .ino = f[F_INO],
        .rdev_major = f[F_RDEV_MAJOR],
        .rdev_minor = f[F_RDEV_MINOR],
        .data = c->bytes + at,
        .bytes = f[F_SIZE],
    };
    if (e->name == NULL)
        return refuse(c, "cpio: a name is not a path inside the tree");
    const char *fault = entry_fault(e);
    if (fault)
        return refuse(c, fault);
    c->offset = grid(at + f[F_SIZE]);
    return 1;
}
