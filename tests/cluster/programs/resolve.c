// SPDX-License-Identifier: MIT
// openat2, file handles, remap_file_pages, and edges of calls that move bytes between files.
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include "said.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define DIR "/opt/resolved"

static long open2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {flags, mode, resolve};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
    if (fd < 0)
        return fd;
    char text[64] = "";
    read(fd, text, sizeof(text) - 1);
    printf("[%s] ", text);
    return close(fd);
}

static void how_is_checked(void)
{
    struct {
        struct open_how how;
        char more[8192];
    } big = {0};
    T(syscall(SYS_openat2, AT_FDCWD, "/", &big, 0));
    T(syscall(SYS_openat2, AT_FDCWD, "/", &big, 23));
    T(syscall(SYS_openat2, AT_FDCWD, "/", &big, 5000));
    T(syscall(SYS_openat2, AT_FDCWD, "/", NULL, 24));
    T(syscall(SYS_openat2, AT_FDCWD, NULL, &big, 24));
    T(syscall(SYS_openat2, AT_FDCWD, "/", &big, 32) > 0);
    big.more[3] = 1;
    T(syscall(SYS_openat2, AT_FDCWD, "/", &big, 32));
    T(syscall(SYS_openat2, 99, "x", &big, 24));
    T(open2(AT_FDCWD, "/", UINT64_C(1) << 40, 0, 0));
    T(open2(AT_FDCWD, "/", 0x80000000, 0, 0));
    T(open2(AT_FDCWD, "/", 0, 0, 64));
    T(open2(AT_FDCWD, "/", 0, 0600, 0));
    T(open2(AT_FDCWD, "/", O_CREAT, 010000, 0));
    T(open2(AT_FDCWD, "/", 0, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
    T(open2(AT_FDCWD, "/", O_PATH | O_APPEND, 0, 0));
    T(open2(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0, 0));
    T(open2(AT_FDCWD, "/", O_TMPFILE, 0, 0));
    T(open2(AT_FDCWD, DIR, O_TMPFILE | O_RDWR, 0600, 0));
    T(open2(AT_FDCWD, DIR "/new", O_CREAT | O_RDWR, 0600, RESOLVE_CACHED));
    T(open2(AT_FDCWD, DIR "/file", O_RDONLY, 0, RESOLVE_CACHED));
}

static void make(const char *path, const char *text)
{
    int f = open(path, O_CREAT | O_WRONLY, 0644);
    write(f, text, strlen(text));
    close(f);
}

static void paths(int dir)
{
    static const char *const names[] = {"file",
                                        "/file",
                                        "/opt/resolved/file",
                                        "sub/../file",
                                        "../resolved/file",
                                        "..",
                                        "sub/up",
                                        "sub/out",
                                        "sub/root",
                                        "sub/inner",
                                        "absolute",
                                        "/sub/..",
                                        "sub/./..",
                                        "sub/../../x",
                                        "nothing",
                                        "file/x",
                                        "sub/up/file",
                                        "",
                                        "sub/top"};
    static const uint64_t how[] = {0,
                                   RESOLVE_NO_SYMLINKS,
                                   RESOLVE_BENEATH,
                                   RESOLVE_IN_ROOT,
                                   RESOLVE_NO_XDEV,
                                   RESOLVE_NO_MAGICLINKS};
    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++)
        for (size_t h = 0; h < sizeof(how) / sizeof(*how); h++) {
            bool elsewhere = names[k][0] == '/' || strstr("sub/root absolute", names[k]);
            if (how[h] == RESOLVE_NO_XDEV && elsewhere && names[k][0])
                continue; // /opt is a file system of its own on Linux
            printf("%s %d ", names[k], (int)how[h]);
            T(open2(dir, names[k], O_RDONLY, 0, how[h]));
        }
    T(open2(dir, "sub/up", O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS));
    T(open2(dir, "sub/up", O_NOFOLLOW, 0, 0));
    T(open2(99, "/file", 0, 0, RESOLVE_IN_ROOT));
    T(open2(dir, "made", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
    T(open2(dir, "sub/newlink", O_CREAT | O_RDWR, 0600, RESOLVE_NO_SYMLINKS));
    T(open2(dir, "../made", O_CREAT | O_RDWR, 0600, RESOLVE_BENEATH));
}

static void mounts(int dir)
{
    char self[64];
    snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
    T(open2(AT_FDCWD, self, O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    T(open2(AT_FDCWD, "/proc/self/cwd", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    T(open2(AT_FDCWD, "/proc/self/root/opt", O_RDONLY, 0, RESOLVE_NO_XDEV));
    T(open2(AT_FDCWD, "/proc/self/cwd", O_RDONLY, 0, RESOLVE_NO_SYMLINKS));
    T(open2(AT_FDCWD, "/proc", O_RDONLY, 0, RESOLVE_NO_XDEV));
    int proc = open("/proc", O_RDONLY);
    T(open2(proc, "self", O_RDONLY, 0, RESOLVE_NO_MAGICLINKS));
    T(open2(proc, "..", O_RDONLY, 0, RESOLVE_NO_XDEV));
    T(open2(proc, "self/exe", O_RDONLY, 0, RESOLVE_BENEATH));
    T(open2(proc, "..", O_RDONLY, 0, RESOLVE_BENEATH));
    close(proc);
    if (mount("none", DIR "/sub", "tmpfs", 0, NULL) == 0) {
        T(open2(dir, "sub", O_RDONLY, 0, RESOLVE_NO_XDEV));
        T(open2(dir, "sub/..", O_RDONLY, 0, RESOLVE_BENEATH));
        T(mkdir(DIR "/sub/one", 0755));
        T(rename(DIR "/sub/one", DIR "/sub/two"));
        T(mkdir(DIR "/sub/two/in", 0755));
        T(rename(DIR "/sub/two/in", DIR "/sub/in"));
        T(rename(DIR "/sub/two", DIR "/sub/two/in"));
        T(renameat2(AT_FDCWD, DIR "/sub/two", AT_FDCWD, DIR "/sub/in", RENAME_EXCHANGE));
        T(rename(DIR "/sub/in", DIR "/out"));
        T(umount(DIR "/sub"));
    }
}

static void handles(int dir)
{
    char room[sizeof(struct file_handle) + 128] __attribute__((aligned(8)));
    struct file_handle *h = (void *)room;
    int mount, fd;
    h->handle_bytes = 0;
    T(name_to_handle_at(dir, "file", h, &mount, 0));
    printf("bytes %u type %d\n", h->handle_bytes, h->handle_type);
    h->handle_bytes = 129;
    T(name_to_handle_at(dir, "file", h, &mount, 0));
    h->handle_bytes = 128;
    T(name_to_handle_at(dir, "nothing", h, &mount, 0));
    T(name_to_handle_at(dir, "", h, &mount, 0));
    T(name_to_handle_at(dir, "file", h, &mount, 0x4000));
    T(name_to_handle_at(99, "file", h, &mount, 0));
    T(name_to_handle_at(dir, "file", (void *)1, &mount, 0));
    T(name_to_handle_at(dir, "file", h, (void *)1, 0));
    T(name_to_handle_at(AT_FDCWD, "/proc/self/status", h, &mount, 0));
    h->handle_bytes = 128;
    T(name_to_handle_at(dir, "", h, &mount, AT_EMPTY_PATH));
    h->handle_bytes = 128;
    T(name_to_handle_at(dir, "file", h, &mount, 0));
    T(open_by_handle_at(99, h, O_RDONLY));
    T(open_by_handle_at(dir, (void *)1, O_RDONLY));
    rename(DIR "/file", DIR "/other");
    T((fd = open_by_handle_at(dir, h, O_RDONLY)) > 0);
    char text[16] = "";
    T(read(fd, text, 15));
    printf("%s\n", text);
    close(fd);
    unlink(DIR "/other");
    T(open_by_handle_at(dir, h, O_RDONLY));
    h->handle_bytes = 0;
    T(open_by_handle_at(dir, h, O_RDONLY));
    h->handle_bytes = 200;
    T(open_by_handle_at(dir, h, O_RDONLY));
    setuid(1000);
    h->handle_bytes = 12;
    T(open_by_handle_at(dir, h, O_RDONLY));
}

static void pages(void)
{
    int f = open(DIR, O_TMPFILE | O_RDWR, 0600);
    for (int k = 0; k < 4; k++)
        pwrite(f, "abcd" + k, 1, k * 4096);
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f, 0);
    char *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, f, 0);
    T(syscall(SYS_remap_file_pages, m, 4096, 0, 3, 0));
    printf("%c%c%c\n", m[0], m[4096], m[8192]);
    m[0] = 'x';
    T(syscall(SYS_remap_file_pages, m + 4096, 2 * 4096, 0, 0, 0));
    printf("%c%c%c\n", m[0], m[4096], m[8192]);
    char c = 0;
    T(pread(f, &c, 1, 3 * 4096));
    printf("%c\n", c);
    T(syscall(SYS_remap_file_pages, m, 4096, PROT_READ, 0, 0));
    T(syscall(SYS_remap_file_pages, m, 0, 0, 0, 0));
    T(syscall(SYS_remap_file_pages, p, 4096, 0, 0, 0));
    T(syscall(SYS_remap_file_pages, m, -4096, 0, 0, 0));
    T(syscall(SYS_remap_file_pages, 4096, 4096, 0, 0, 0));
    static unsigned char in[1 << 16];
    char *wide = mmap(NULL, 1 << 28, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    T(mincore(wide, 1 << 28, in));
    T(mincore(wide, 1 << 28, (void *)1));
    munmap(wide, 1 << 28);
    close(f);
}

static void between(void)
{
    int p[2], q[2], f = open(DIR, O_TMPFILE | O_RDWR, 0600), r = open("/proc/self/exe", O_RDONLY);
    int s[2], d = open("/", O_RDONLY), null = open("/dev/null", O_RDWR);
    pipe(p);
    pipe(q);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    T(splice(99, NULL, 98, NULL, 0, 0xff0));
    T(splice(99, NULL, 98, NULL, 1, 0xff0));
    T(tee(99, 98, 0, 0xff0));
    T(tee(99, 98, 1, 0));
    T(vmsplice(99, NULL, 0, 0xff0));
    T(splice(p[1], NULL, f, NULL, 1, 0));
    T(splice(f, NULL, p[0], NULL, 1, 0));
    T(splice(f, NULL, f, NULL, 1, 0));
    T(write(f, "0123456789", 10));
    off64_t at = 2, to = 0, from = 0;
    T(splice(f, &at, p[1], NULL, 4, 0));
    T(splice(p[0], NULL, p[1], NULL, 4, 0));
    T(splice(p[0], &at, q[1], NULL, 4, 0));
    T(copy_file_range(f, &from, f, &to, 10, 0));
    to = 5;
    T(copy_file_range(f, &from, f, &to, 10, 0));
    to = 20;
    T(copy_file_range(f, &from, f, &to, 100, 0));
    T(copy_file_range(f, &from, f, &to, 100, 1));
    from = 100;
    T(copy_file_range(f, &from, f, &to, 100, 0));
    from = -1;
    T(copy_file_range(f, &from, f, &to, 10, 0));
    T(sync_file_range(f, -1, 0, 0));
    T(sync_file_range(p[0], 0, 0, 0xff));
    T(sync_file_range(p[0], 0, 0, 0));
    T(sync_file_range(f, INT64_MAX, 1, 0));
    T(posix_fadvise(p[0], 0, 0, 0));
    T(posix_fadvise(s[0], 0, 0, 0));
    T(posix_fadvise(null, 0, 0, 9));
    T(posix_fadvise(f, 0, -1, 0));
    T(fallocate(f, 0, 0, 0));
    T(fallocate(r, 2, 0, 1));
    T(fallocate(r, 0x100, 0, 1));
    T(fallocate(r, 8, 0, 1));
    T(fallocate(f, 8, 0, 4096));
    T(fallocate(f, 2, 0, 1));
    T(fallocate(f, 0x13, 0, 1));
    T(fallocate(d, 0, 0, 1));
    T(fallocate(p[1], 0, 0, 1));
    T(fallocate(s[0], 0, 0, 1));
    T(fallocate(null, 0, 0, 1));
    T(fallocate(f, 0, INT64_MAX, 1));
    struct iovec v = {"abc", 3};
    T(pwritev2(f, &v, 1, 0, 0x10));
    T(lseek(f, 0, SEEK_END));
    T(pwritev2(f, &v, 1, 0, 0x30));
    T(pwritev2(f, &v, 1, 0, 0x1000));
    T(pwritev2(f, &v, 1, -2, 0));
    T(preadv2(f, &v, 0, 0, 0x10));
    fcntl(f, F_SETFL, O_APPEND);
    T(pwritev2(f, &v, 1, 1, 0x20));
    T(pwritev2(f, &v, 1, 1, 0));
    T(lseek(f, 0, SEEK_END));
}

static void times(void)
{
    struct stat st;
    struct timespec early[2] = {{-5, 250000000}, {-1, 1}}, wrong[2] = {{0, 1000000000}, {0, 0}};
    struct timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    int f = open(DIR "/file", O_RDWR);
    T(futimens(f, early));
    fstat(f, &st);
    printf("%d %ld %d %ld\n", (int)st.st_atim.tv_sec, st.st_atim.tv_nsec, (int)st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    T(futimens(f, wrong));
    T(syscall(SYS_utimensat, f, NULL, NULL, AT_SYMLINK_NOFOLLOW));
    T(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0));
    T(syscall(SYS_utimensat, 99, "/nowhere", omit, 0));
    T(syscall(SYS_utimensat, AT_FDCWD, "/nowhere", omit, 0x8000));
    T(mknod((void *)1, S_IFDIR, 0));
    T(mknod((void *)1, 0150000, 0));
    T(mknod("/nowhere/x", S_IFLNK, 0));
    T(syscall(SYS_renameat2, AT_FDCWD, (void *)1, AT_FDCWD, (void *)1, 8));
    T(syscall(SYS_renameat2, AT_FDCWD, (void *)1, AT_FDCWD, (void *)1, 3));
    close(f);
}

int main(void)
{
    mkdir(DIR, 0755);
    mkdir(DIR "/sub", 0755);
    make(DIR "/file", "content");
    symlink("../file", DIR "/sub/up");
    symlink("../../resolved/file", DIR "/sub/out");
    symlink("/file", DIR "/sub/root");
    symlink("nothing", DIR "/sub/newlink");
    symlink("..", DIR "/sub/top");
    symlink(DIR "/file", DIR "/absolute");
    make(DIR "/sub/inner", "inside");
    int dir = open(DIR, O_RDONLY | O_DIRECTORY);
    how_is_checked();
    paths(dir);
    mounts(dir);
    pages();
    between();
    times();
    handles(dir);
    return 0;
}
