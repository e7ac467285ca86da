// SPDX-License-Identifier: MIT
// The tree of one node: built from good and hostile archives, and what names and files do.
// links: ssi/fs/*.c ssi/stream/pipe.c ssi/container/*.c mm/space*.c mm/user.c
// links: lib/radix.c lib/string.c lib/fmt.c lib/log.c lib/cpio.c lib/errno.c lib/archive.c
// links: lib/crc32c.c tests/sim/ports/frames.c tests/sim/ports/space.c tests/sim/ports/single.c
// links: tests/sim/ports/alone.c
#include "tests/unit/unit.h"
#include "kernel/bootparts.h"
#include "kernel/init.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "ssi/container/container.h"
#include "ssi/fs/file.h"
#include "ssi/fs/inode.h"
#include "ssi/cluster/rpc.h"
#include "ssi/fs/special.h"
#include "ssi/fs/tree.h"
#include "ssi/fs/wire.h"
#include "ssi/stream/pipe.h"

static struct fs_who root, user;
static struct fs_place top;

const struct archive *boot_archive(void)
{
    return NULL; // archives are built by hand here
}

// ---- archives ----------------------------------------------------------------------------------
struct builder {
    char bytes[65536];
    size_t n;
};

static void add(struct builder *b, const char *name, unsigned mode, const char *data)
{
    size_t name_size = strlen(name) + 1, size = strlen(data);
    b->n += (size_t)sprintf(b->bytes + b->n,
                            "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x"
                            "%08zx%08x",
                            1, mode, 0, 0, 1, 3, size, 0, 0, 1, 3, name_size, 0);
    memcpy(b->bytes + b->n, name, name_size);
    b->n = (b->n + name_size + 3) & ~(size_t)3;
    memcpy(b->bytes + b->n, data, size);
    b->n = (b->n + size + 3) & ~(size_t)3;
}

static struct builder good;

static void add_below(struct builder *b, const char *below, const char *name, unsigned mode,
                      const char *data)
{
    char path[128];
    snprintf(path, sizeof(path), "%s%s", below, name);
    add(b, path, mode, data);
}

static void build_good(struct builder *b, const char *below)
{
    memset(b, 0, sizeof(*b));
    if (below[0] == '\0')
        add(b, ".", 040755, "");
    add_below(b, below, "bin", 040755, "");
    add_below(b, below, "bin/prog", 0100755, "program text");
    add_below(b, below, "bin/link", 0120777, "prog");
    add_below(b, below, "etc/deep/file", 0100644, "deep"); // its directories are made
    add_below(b, below, "etc", 040700, "");                // and get their attributes later
    add_below(b, below, "null", 020666, "");
    add_below(b, below, "loop", 0120777, "loop");
    add(b, "TRAILER!!!", 0, "");
}

static int set_up(void **state)
{
    static const struct fs_special_ops special = {.fifo_open = fifo_open, .fifo_free = fifo_free};
    const char *why = NULL;
    (void)state;
    SET_FOREACH (init, const struct init_step, step)
        (*step)->run();
    assert_true(tree_ready());
    build_good(&good, "");
    if (!tree_build(good.bytes, good.n, &why))
        fail_msg("%s", why);
    fs_special_set(&special);
    top = place_of(0, inode_root()->number);
    root = (struct fs_who){.root = top, .cwd = top, .umask = 022};
    user = root;
    user.uid = user.gid = 1000;
    user.lacks = UINT64_MAX;
    return 0;
}

// ---- helpers -----------------------------------------------------------------------------------
static struct file *opened(const char *path, uint32_t flags)
{
    struct file *f = NULL;
    int e = fs_open(&root, top, path, flags, 0666, &f);
    if (e < 0)
        fail_msg("open %s: %s", path, errno_text(e));
    return f;
}

static int open_error(const struct fs_who *who, const char *path, uint32_t flags)
{
    struct file *f = NULL;
    int e = fs_open(who, top, path, flags, 0666, &f);
    if (e == 0)
        file_put(f);
    return e;
}

static long put_text(struct file *f, const char *text)
{
    struct xfer x;
    xfer_kernel(&x, (char *)text, strlen(text));
    return file_write(f, &x, NULL);
}

static void assert_content(const char *path, const char *want)
{
    char got[256];
    struct xfer x;
    struct file *f = opened(path, O_RDONLY);
    xfer_kernel(&x, got, sizeof(got));
    long n = file_read(f, &x, NULL);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, strlen(want));
    file_put(f);
}

static void make(const char *path, const char *text)
{
    struct file *f = opened(path, O_CREAT | O_WRONLY | O_TRUNC);
    if (text[0])
        assert_int_equal(put_text(f, text), strlen(text));
    file_put(f);
}

static struct fs_stat stat_of(const char *path)
{
    struct fs_stat st;
    assert_int_equal(fs_stat(&root, top, path, FS_NOFOLLOW, &st), 0);
    return st;
}

// ---- tests -------------------------------------------------------------------------------------
static void archive_names(void **state)
{
    (void)state;
    assert_content("/bin/prog", "program text");
    assert_content("/bin/link", "program text");
    assert_content("bin/../bin/./prog", "program text");
    assert_content("/../bin/prog", "program text");
    assert_content("/etc/deep/file", "deep");
    assert_int_equal(stat_of("/etc").mode, 040700);
    assert_int_equal(stat_of("/bin").links, 2);
    assert_int_equal(stat_of("/").links, 4); // its name, its ".", and two directories in it
    assert_int_equal(open_error(&root, "/loop", O_RDONLY), -ELOOP);
    assert_int_equal(open_error(&root, "/bin/prog/x", O_RDONLY), -ENOTDIR);
    assert_int_equal(open_error(&root, "/bin/prog/", O_RDONLY), -ENOTDIR);
    assert_int_equal(open_error(&root, "", O_RDONLY), -ENOENT);
    assert_int_equal(open_error(&user, "/etc/deep/file", O_RDONLY), -EACCES);
    assert_int_equal(open_error(&user, "/bin/prog", O_WRONLY), -EACCES);
}

static void copied_up(void **state)
{
    struct io_source s;
    struct file *f;
    (void)state;
    f = opened("/bin/prog", O_RDONLY);
    assert_int_equal(fs_image_source(f, &s), 0); // a program that runs is not written to
    assert_int_equal(s.kind, IO_image);
    assert_int_equal(open_error(&root, "/bin/prog", O_RDWR), -ETXTBSY);
    file_put(f);
    f = opened("/bin/prog", O_RDWR | O_APPEND);
    assert_int_equal(put_text(f, " and more"), 9);
    assert_content("/bin/prog", "program text and more");
    assert_int_equal(fs_truncate(&root, top, "/bin/prog", 7), 0);
    assert_int_equal(fs_truncate(&root, top, "/bin/prog", 9), 0);
    file_put(f);
    char got[16];
    struct xfer x;
    f = opened("/bin/prog", O_RDONLY);
    xfer_kernel(&x, got, sizeof(got));
    assert_int_equal(file_read(f, &x, NULL), 9);
    assert_memory_equal(got, "program\0\0", 9); // not the archive's bytes again
    file_put(f);
}

static void unlinked_but_open(void **state)
{
    struct file *f;
    struct fs_stat st;
    (void)state;
    make("/u", "abc");
    f = opened("/u", O_RDWR);
    assert_int_equal(fs_unlink(&root, top, "/u", false), 0);
    assert_int_equal(fs_unlink(&root, top, "/u", false), -ENOENT);
    assert_int_equal(file_stat(f, &st), 0);
    assert_int_equal(st.links, 0);
    assert_int_equal(put_text(f, "x"), 1);
    uint64_t number = st.inode;
    assert_non_null(inode_find(number));
    file_put(f);
    assert_null(inode_find(number));
}

static void renames(void **state)
{
    (void)state;
    assert_int_equal(fs_mkdir(&root, top, "/a", 0755), 0);
    assert_int_equal(fs_mkdir(&root, top, "/a/b", 0755), 0);
    assert_int_equal(fs_mkdir(&root, top, "/c", 0755), 0);
    make("/f", "f");
    assert_int_equal(fs_rename(&root, top, "/a", top, "/a/b/x", 0), -EINVAL);
    assert_int_equal(fs_rename(&root, top, "/c", top, "/a", 0), -ENOTEMPTY);
    assert_int_equal(fs_rename(&root, top, "/f", top, "/c", 0), -EISDIR);
    assert_int_equal(fs_rename(&root, top, "/c", top, "/f", 0), -ENOTDIR);
    uint32_t links = stat_of("/").links;
    assert_int_equal(fs_rename(&root, top, "/c", top, "/a/b", 0), 0); // an empty one is replaced
    assert_int_equal(stat_of("/").links, links - 1);
    assert_int_equal(stat_of("/a").links, 3);
    char path[64];
    struct fs_place dir;
    assert_int_equal(fs_resolve_dir(&root, top, "/a/b", &dir), 0);
    assert_int_equal(fs_path_of(&root, dir, path, sizeof(path)), 4);
    assert_string_equal(path, "/a/b");
    assert_int_equal(fs_rename(&root, top, "/a/b", top, "/moved", 0), 0);
    assert_int_equal(fs_path_of(&root, dir, path, sizeof(path)), 6);
    assert_string_equal(path, "/moved");
    assert_int_equal(fs_rename(&root, top, "/f", top, "/moved", 2), 0); // exchange
    assert_content("/moved", "f");
    assert_int_equal(fs_rename(&root, top, "/moved", top, "/a", 1), -EEXIST);
    assert_int_equal(fs_unlink(&root, top, "/moved", false), 0);
    assert_int_equal(fs_unlink(&root, top, "/f", true), 0);
    assert_int_equal(fs_path_of(&root, dir, path, sizeof(path)), -ENOENT);
    assert_int_equal(fs_unlink(&root, top, "/a", true), 0);
}

static void sticky(void **state)
{
    struct fs_who other = user;
    (void)state;
    other.uid = other.gid = 2000;
    assert_int_equal(fs_mkdir(&root, top, "/t", 0), 0);
    assert_int_equal(fs_chmod(&root, top, "/t", 01777, 0), 0);
    assert_int_equal(open_error(&user, "/t/mine", O_CREAT | O_WRONLY), 0);
    assert_int_equal(fs_unlink(&other, top, "/t/mine", false), -EPERM);
    assert_int_equal(fs_rename(&other, top, "/t/mine", top, "/t/x", 0), -EPERM);
    assert_int_equal(fs_unlink(&user, top, "/t/mine", false), 0);
    assert_int_equal(fs_chmod(&user, top, "/t", 0777, 0), -EPERM);
    assert_int_equal(fs_chown(&user, top, "/t", 1000, 1000, 0), -EPERM);
    assert_int_equal(fs_unlink(&root, top, "/t", true), 0);
}

// chroot: no way out by "..", and absolute links stay inside.
static void other_root(void **state)
{
    struct fs_who inside = root;
    struct fs_stat st;
    (void)state;
    assert_int_equal(fs_mkdir(&root, top, "/jail", 0755), 0);
    assert_int_equal(fs_symlink(&root, "/x", top, "/jail/abs"), 0);
    make("/jail/x", "in");
    assert_int_equal(fs_resolve_dir(&root, top, "/jail", &inside.root), 0);
    inside.cwd = inside.root;
    assert_int_equal(fs_stat(&inside, inside.cwd, "../../bin", 0, &st), -ENOENT);
    assert_int_equal(fs_stat(&inside, inside.cwd, "abs", 0, &st), 0);
    assert_int_equal(st.bytes, 2);
    assert_int_equal(fs_unlink(&root, top, "/jail/abs", false), 0);
    assert_int_equal(fs_unlink(&root, top, "/jail/x", false), 0);
    assert_int_equal(fs_unlink(&root, top, "/jail", true), 0);
}

static void many_names(void **state)
{
    char path[32], records[1000];
    unsigned seen = 0;
    (void)state;
    assert_int_equal(fs_mkdir(&root, top, "/m", 0755), 0);
    for (unsigned k = 0; k < 10000; k++) {
        sprintf(path, "/m/%u", k);
        make(path, "");
    }
    struct file *f = opened("/m", O_RDONLY);
    for (;;) { // removing while listing misses nothing
        struct xfer x;
        xfer_kernel(&x, records, sizeof(records));
        assert_int_equal(f->ops->list(f, &x), 0);
        if (x.done == 0)
            break;
        for (size_t at = 0; at < x.done; at += *(uint16_t *)(records + at + 16)) {
            if (records[at + 19] == '.')
                continue;
            sprintf(path, "/m/%s", records + at + 19);
            assert_int_equal(fs_unlink(&root, top, path, false), 0);
            seen++;
        }
    }
    file_put(f);
    assert_int_equal(seen, 10000);
    assert_int_equal(fs_unlink(&root, top, "/m", true), 0);
}

static void fifos(void **state)
{
    struct file *r = NULL, *w = NULL;
    (void)state;
    assert_int_equal(fs_mknod(&root, top, "/ff", S_IFIFO | 0600, 0), 0);
    assert_int_equal(open_error(&root, "/ff", O_WRONLY | O_NONBLOCK), -ENXIO);
    r = opened("/ff", O_RDONLY | O_NONBLOCK);
    w = opened("/ff", O_WRONLY);
    assert_int_equal(put_text(w, "through"), 7);
    assert_int_equal(fs_unlink(&root, top, "/ff", false), 0); // both ends go on
    char got[16];
    struct xfer x;
    xfer_kernel(&x, got, sizeof(got));
    assert_int_equal(file_read(r, &x, NULL), 7);
    xfer_kernel(&x, got, sizeof(got));
    assert_int_equal(file_read(r, &x, NULL), -EAGAIN);
    file_put(w);
    xfer_kernel(&x, got, sizeof(got));
    assert_int_equal(file_read(r, &x, NULL), 0);
    file_put(r);
}

// Any byte of an archive changed, or its end cut: it is read or refused, and nothing else.
static void hostile_archives(void **state)
{
    uint32_t r = 7, read = 0;
    (void)state;
    for (int k = 0; k < 3000; k++) {
        uint64_t last = inode_count();
        const char *why = "";
        static struct builder b;
        char below[16];
        snprintf(below, sizeof(below), "h%d/", k); // its own corner of the tree
        build_good(&b, below);
        size_t n = b.n;
        r = r * 1103515245 + 12345;
        if (r & 0x10000)
            n = r % b.n;
        char *copy = malloc(n + 1); // the sanitizer watches its end
        memcpy(copy, b.bytes, n);
        for (int flips = 0; n && flips < 3; flips++) {
            r = r * 1103515245 + 12345;
            copy[r % n] ^= (char)(1 << (r >> 20) % 8);
        }
        bool fine = tree_build(copy, n, &why);
        assert_true(fine || why != NULL);
        read += fine;
        // What came into the tree points into the copy: take it out before that goes.
        struct inode *i;
        for (uint64_t number = last; number < last + 40; number++)
            if ((i = inode_find(number)) && inode_is(i, S_IFREG) && i->archive >= (uint8_t *)copy &&
                i->archive <= (uint8_t *)copy + n)
                i->written = true;
        free(copy);
    }
    assert_in_range(read, 1, 2999); // some damage is in text, some is not
}

// A bit of everything; errors are allowed when memory fails.
static void scenario(void)
{
    struct file *f = NULL, *r = NULL, *w = NULL;
    struct fs_stat st;
    char text[64];
    struct xfer x;
    fs_mkdir(&root, top, "/s", 0755);
    if (fs_open(&root, top, "/s/f", O_CREAT | O_RDWR, 0644, &f) == 0) {
        xfer_kernel(&x, text, sizeof(text));
        memset(text, 'x', sizeof(text));
        file_write(f, &x, NULL);
        file_put(f);
    }
    fs_symlink(&root, "f", top, "/s/l");
    fs_stat(&root, top, "/s/../s/l", 0, &st);
    fs_link(&root, top, "/s/f", top, "/s/g", 0);
    fs_rename(&root, top, "/s/g", top, "/s/h", 0);
    fs_mknod(&root, top, "/s/p", S_IFIFO | 0600, 0);
    if (fs_open(&root, top, "/s/p", O_RDONLY | O_NONBLOCK, 0, &r) == 0) {
        if (fs_open(&root, top, "/s/p", O_WRONLY | O_NONBLOCK, 0, &w) == 0) {
            xfer_kernel(&x, text, sizeof(text));
            file_write(w, &x, NULL);
            file_put(w);
        }
        file_put(r);
    }
    if (pipe_new(0, &r, &w) == 0) {
        file_put(r);
        file_put(w);
    }
}

static void scenario_clean(void)
{
    static const char *const names[] = {"/s/f", "/s/l", "/s/g", "/s/h", "/s/p"};
    for (size_t k = 0; k < ARRAY_SIZE(names); k++)
        fs_unlink(&root, top, names[k], false);
    fs_unlink(&root, top, "/s", true);
}

// The n-th allocation fails, for each n: an error somewhere, and nothing lost.
static void memory_fails(void **state)
{
    (void)state;
    scenario();
    assert_int_equal(stat_of("/s/h").bytes, 64);
    scenario_clean();
    size_t before = heap_bytes_used();
    for (uint32_t n = 1; n < 60; n++) {
        heap_fail_at(n);
        scenario();
        heap_fail_at(0);
        scenario_clean();
        assert_int_equal(heap_bytes_used(), before);
    }
    scenario();
    assert_int_equal(stat_of("/s/h").bytes, 64);
    scenario_clean();
}

// Requests of a peer gone mad: refused, answered or carried out, and the node lives. Half of them
// begin with a good fixed part, so that they get past the first checks.
static void hostile_messages(void **state)
{
    static const rpc_handler_fn handlers[] = {
        fs_name_asked,  fs_file_asked,    fs_file_released, fs_file_shared, fs_generated_asked,
        fs_inode_asked, fs_modified_told, fs_ready_told,    fs_unlock_told, fs_locks_asked};
    uint32_t r = 99;
    (void)state;
    for (int k = 0; k < 60000; k++) {
        size_t n = 0;
        uint8_t *m = malloc(1024);
        for (size_t at = 0; at < 1024; at++) {
            r = r * 1103515245 + 12345;
            m[at] = r >> 24 & 1 ? 0 : (uint8_t)(r >> 16);
        }
        r = r * 1103515245 + 12345;
        n = (r >> 8) % 1024;
        if (r & 0x80000000u) {
            struct name_ask a = {.who = root};
            a.in.op = (uint8_t)(m[0] % (NAME_OPS + 1));
            a.in.at = top;
            a.in.other_at = m[1] & 1 ? top : place_of(0, m[1]);
            a.in.flags = m[2];
            a.in.mode = m[3];
            a.path_bytes = m[4] % 12 + 1u;
            a.other_bytes = m[5] & 1 ? m[6] % 12u : 0;
            a.text_size = m[7];
            memcpy(m, &a, sizeof(a));
            n = sizeof(a) + a.path_bytes + a.other_bytes;
            m[sizeof(a) + a.path_bytes - 1] = m[n - 1] = 0;
        }
        uint8_t *exact = malloc(n ? n : 1); // the sanitizer watches its end
        memcpy(exact, m, n);
        struct rpc_in in = {.from = 0, .request = 1, .bytes = exact, .n = n};
        handlers[r & 0x80000000u ? 0 : (r >> 4) % ARRAY_SIZE(handlers)](&in);
        free(exact);
        free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archive_names),
        cmocka_unit_test(copied_up),
        cmocka_unit_test(unlinked_but_open),
        cmocka_unit_test(renames),
        cmocka_unit_test(sticky),
        cmocka_unit_test(other_root),
        cmocka_unit_test(many_names),
        cmocka_unit_test(fifos),
        cmocka_unit_test(hostile_archives),
        cmocka_unit_test(memory_fails),
        cmocka_unit_test(hostile_messages),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
