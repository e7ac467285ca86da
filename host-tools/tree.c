// SPDX-License-Identifier: MIT
#include "host-tools/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "lib/cpio.h"
#include "lib/limits.h"

#define FILE_BYTES_MAX ((size_t)512 << 20)
#define DEPTH_MAX      64

static struct tree_entry *append(struct tree *t, const char *path, uint32_t mode)
{
    if (strlen(path) >= PATH_MAX_BYTES)
        host_fail("%s: path is too long", path);
    if (t->count == t->room) {
        t->room = 2 * t->room + 64;
        t->entries = host_grow(t->entries, t->room * sizeof(*t->entries));
    }
    struct tree_entry *e = &t->entries[t->count];
    *e = (struct tree_entry){.path = host_text("%s", path), .mode = mode, .number = t->count};
    t->count++;
    return e;
}

static void add_host(struct tree *t, const char *host_path, const char *path, int depth);

static void add_folder(struct tree *t, const char *host_path, const char *path, int depth)
{
    DIR *d = opendir(host_path);
    if (d == NULL)
        host_fail("%s: %s", host_path, strerror(errno));
    if (depth > DEPTH_MAX)
        host_fail("%s: more than %d folders deep", host_path, DEPTH_MAX);
    for (struct dirent *entry; (entry = readdir(d)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *below_host = host_text("%s/%s", host_path, entry->d_name);
        char *below = host_text("%s%s%s", path, *path ? "/" : "", entry->d_name);
        add_host(t, below_host, below, depth + 1);
        free(below_host);
        free(below);
    }
    closedir(d);
}

static struct bytes read_link(const char *host_path)
{
    struct bytes b = {.at = host_alloc(PATH_MAX_BYTES)};
    ssize_t n = readlink(host_path, (char *)b.at, PATH_MAX_BYTES - 1);
    if (n <= 0)
        host_fail("%s: %s", host_path, strerror(errno));
    b.size = (size_t)n;
    return b;
}

static void add_host(struct tree *t, const char *host_path, const char *path, int depth)
{
    struct stat st;
    if ((depth == 0 ? stat(host_path, &st) : lstat(host_path, &st)) != 0)
        host_fail("%s: %s", host_path, strerror(errno));
    uint32_t permissions = st.st_mode & 07777;
    if (S_ISREG(st.st_mode)) {
        struct bytes data = host_read(host_path, FILE_BYTES_MAX);
        append(t, path, CPIO_FILE | permissions)->data = data;
    } else if (S_ISLNK(st.st_mode)) {
        append(t, path, CPIO_SYMLINK | 0777)->data = read_link(host_path);
    } else if (S_ISDIR(st.st_mode)) {
        append(t, path, CPIO_DIR | permissions);
        add_folder(t, host_path, path, depth);
    } else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
        uint32_t type = S_ISCHR(st.st_mode) ? CPIO_CHAR : CPIO_BLOCK;
        struct tree_entry *e = append(t, path, type | permissions);
        e->rdev_major = major(st.st_rdev);
        e->rdev_minor = minor(st.st_rdev);
    } else if (S_ISFIFO(st.st_mode)) {
        append(t, path, CPIO_FIFO | permissions);
    } else {
        host_fail("%s: is a socket or of an unknown type", host_path);
    }
}

void tree_add_host(struct tree *t, const char *host_path, const char *path)
{
    add_host(t, host_path, path, 0);
}

void tree_add_cpio(struct tree *t, const void *bytes, size_t size, const char *from)
{
    struct cpio c;
    struct cpio_entry in;
    int more;
    cpio_open(&c, bytes, size);
    while ((more = cpio_next(&c, &in)) > 0) {
        struct tree_entry *e = append(t, in.name, in.mode);
        e->rdev_major = in.rdev_major;
        e->rdev_minor = in.rdev_minor;
        e->data = (struct bytes){.at = host_alloc(in.bytes), .size = in.bytes};
        memcpy(e->data.at, in.data, in.bytes);
    }
    if (more < 0)
        host_fail("%s: %s", from, c.why);
}

void tree_list_cpio(const void *bytes, size_t size, const char *from)
{
    struct cpio c;
    struct cpio_entry e;
    int more;
    cpio_open(&c, bytes, size);
    while ((more = cpio_next(&c, &e)) > 0) {
        printf("%06o %8zu /%s", e.mode, e.bytes, e.name);
        if ((e.mode & CPIO_TYPE) == CPIO_SYMLINK)
            printf(" -> %.*s", (int)e.bytes, (const char *)e.data);
        putchar('\n');
    }
    if (more < 0)
        host_fail("%s: %s", from, c.why);
}

static int by_path(const void *a, const void *b)
{
    const struct tree_entry *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static void free_entry(struct tree_entry *e)
{
    free(e->path);
    free(e->data.at);
}

void tree_free(struct tree *t)
{
    for (size_t i = 0; i < t->count; i++)
        free_entry(&t->entries[i]);
    free(t->entries);
    *t = (struct tree){0};
}

// Sorts by path and keeps the last arrival of each.
static void settle(struct tree *t)
{
    size_t kept = 0;
    qsort(t->entries, t->count, sizeof(*t->entries), by_path);
    for (size_t i = 0; i < t->count; i++) {
        if (i + 1 < t->count && strcmp(t->entries[i].path, t->entries[i + 1].path) == 0)
            free_entry(&t->entries[i]);
        else
            t->entries[kept++] = t->entries[i];
    }
    t->count = kept;
}

static const struct tree_entry *find(const struct tree *t, size_t sorted, const char *path)
{
    struct tree_entry key = {.path = (char *)path};
    size_t low = 0, high = sorted;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(t->entries[middle].path, key.path);
        if (order == 0)
            return &t->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// Every folder on the way to every entry is there and is a folder.
static void add_parents(struct tree *t)
{
    size_t sorted = t->count;
    for (size_t i = 0; i < sorted; i++) {
        char *path = host_text("%s", t->entries[i].path);
        for (char *slash = path; (slash = strchr(slash, '/')) != NULL; *slash++ = '/') {
            *slash = '\0';
            const struct tree_entry *parent = find(t, sorted, path);
            if (parent == NULL)
                append(t, path, CPIO_DIR | 0755);
            else if ((parent->mode & CPIO_TYPE) != CPIO_DIR)
                host_fail("/%s: is no folder, but /%s lies in it", path, t->entries[i].path);
        }
        free(path);
    }
    if (sorted == 0 || *t->entries[0].path != '\0')
        append(t, "", CPIO_DIR | 0755);
    settle(t);
}

struct out {
    struct bytes b;
    size_t room;
};

static void put(struct out *o, const void *bytes, size_t n)
{
    if (o->b.size + n > o->room) {
        o->room = 2 * (o->b.size + n);
        o->b.at = host_grow(o->b.at, o->room);
    }
    if (bytes)
        memcpy(o->b.at + o->b.size, bytes, n);
    else
        memset(o->b.at + o->b.size, 0, n);
    o->b.size += n;
}

// Size of the name field that brings the data behind it to a multiple of 4096, when asked to.
static size_t name_field(size_t offset, size_t name_bytes, bool align)
{
    size_t data = ALIGN_UP(offset + 110 + name_bytes, (size_t)4);
    if (align)
        data = ALIGN_UP(data, (size_t)PAGE_SIZE);
    return align ? data - offset - 110 : name_bytes;
}

static void put_entry(struct out *o, const struct tree_entry *e, uint32_t ino, uint32_t mtime)
{
    const char *name = *e->path ? e->path : ".";
    bool align = (e->mode & CPIO_TYPE) == CPIO_FILE && e->data.size > 0;
    size_t name_bytes = strlen(name) + 1;
    size_t field = name_field(o->b.size, name_bytes, align);
    char header[111];
    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x",
             ino, e->mode, 0u, 0u, (e->mode & CPIO_TYPE) == CPIO_DIR ? 2u : 1u, mtime, e->data.size,
             0u, 0u, e->rdev_major, e->rdev_minor, field, 0u);
    put(o, header, 110);
    put(o, name, name_bytes);
    put(o, NULL, field - name_bytes);
    put(o, NULL, -o->b.size & 3);
    put(o, e->data.at, e->data.size);
    put(o, NULL, -o->b.size & 3);
}

struct bytes tree_cpio(struct tree *t, uint32_t mtime)
{
    struct out o = {0};
    struct tree_entry trailer = {.path = "TRAILER!!!"};
    settle(t);
    add_parents(t);
    for (size_t i = 0; i < t->count; i++)
        put_entry(&o, &t->entries[i], (uint32_t)i + 1, mtime);
    put_entry(&o, &trailer, 0, 0);
    return o.b;
}
