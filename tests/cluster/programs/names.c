// SPDX-License-Identifier: MIT
// Names: the *at calls, links, slashes, loops, long names, rename's flags, permissions of an
// ordinary user, special bits, times, listings.
#define _GNU_SOURCE
#include "said.h"
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/fsuid.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

static void touch(const char *name, mode_t mode)
{
    int fd = open(name, O_CREAT | O_WRONLY, 0666);
    if (fd >= 0) {
        fchmod(fd, mode);
        close(fd);
    }
}

static void show(const char *name)
{
    struct stat s;
    if (lstat(name, &s) < 0)
        printf("%s: %s\n", name, strerrorname_np(errno));
    else
        printf("%s: mode %o links %ld uid %d gid %d size %ld\n", name, s.st_mode, (long)s.st_nlink,
               s.st_uid, s.st_gid, S_ISDIR(s.st_mode) ? -1L : (long)s.st_size);
}

static void opening(void)
{
    T(open("nothere", O_RDONLY));
    T(open("", O_RDONLY));
    T(open("f", O_CREAT | O_EXCL | O_WRONLY, 0640));
    T(open("f", O_CREAT | O_EXCL | O_WRONLY, 0640));
    show("f");
    T(open("f/", O_RDONLY));
    T(open("new/", O_CREAT | O_WRONLY, 0600));
    T(open("f", O_DIRECTORY));
    T(open("f/x", O_RDONLY));
    T(open(".", O_WRONLY));
    T(open(".", O_RDWR | O_CREAT, 0600));
    T(open(".", O_DIRECTORY | O_RDONLY));
    T(open("nodir/f", O_CREAT | O_WRONLY, 0600));
    symlink("f", "l");
    symlink("nowhere", "dang");
    symlink("loop2", "loop1");
    symlink("loop1", "loop2");
    T(open("l", O_NOFOLLOW));
    T(open("l", O_NOFOLLOW | O_PATH));
    T(open("dang", O_RDONLY));
    T(open("dang", O_CREAT | O_EXCL | O_WRONLY, 0600));
    T(open("dang", O_CREAT | O_WRONLY, 0600));
    show("nowhere");
    T(open("loop1", O_RDONLY));
    T(open("loop1/x", O_RDONLY));
    T(open((char *)8, O_RDONLY));
    T(open("f", O_RDONLY | O_CREAT | O_DIRECTORY, 0600));
    T(open("f", O_RDONLY | O_TRUNC));
    T(open("f", O_WRONLY | O_RDWR)); // mode 3
    T(openat(-5, "f", O_RDONLY));
    T(openat(999, "f", O_RDONLY));
    T(openat(3, "f", O_RDONLY)); // a file, not a directory
    T(openat(999, "/dev/null", O_RDONLY));
    T(openat(AT_FDCWD, "f", O_RDONLY));
    T(creat("c", 04755));
    show("c");
    for (int fd = 3; fd < 40; fd++)
        close(fd);
}

static void paths(void)
{
    int fd;
    char b[16] = {0};
    T(fd = open("f", O_PATH));
    T(read(fd, b, 1));
    T(write(fd, b, 1));
    T(fchmod(fd, 0600));
    T(fchown(fd, 0, 0));
    T(lseek(fd, 0, SEEK_SET));
    T(fcntl(fd, F_GETFL) & O_PATH);
    T(fcntl(fd, F_GETFD));
    T(ftruncate(fd, 0));
    T(fsync(fd));
    struct stat s;
    T(fstat(fd, &s));
    T(fstatat(fd, "", &s, AT_EMPTY_PATH));
    T(fstatat(fd, "", &s, 0));
    T(linkat(fd, "", AT_FDCWD, "fl", AT_EMPTY_PATH));
    T(fchdir(fd));
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int again;
    T(again = open(name, O_RDONLY));
    close(again);
    close(fd);
    T(fd = open("l", O_PATH | O_NOFOLLOW));
    T(readlinkat(fd, "", b, sizeof(b)));
    printf("[%s]\n", b);
    close(fd);
    T(fd = open(".", O_TMPFILE | O_RDWR, 0600));
    T(write(fd, "tmp", 3));
    T(fstat(fd, &s));
    printf("tmpfile links %ld size %ld\n", (long)s.st_nlink, (long)s.st_size);
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    show("named");
    close(fd);
    T(open(".", O_TMPFILE | O_RDONLY, 0600));
    T(open("f", O_TMPFILE | O_RDWR, 0600));
    T(fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600));
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    T(linkat(AT_FDCWD, name, AT_FDCWD, "named2", AT_SYMLINK_FOLLOW));
    close(fd);
    unlink("fl");
    unlink("named");
}

static void directories(void)
{
    EACH(mkdir(name, 0755), "d", "d", "d/");
    T(mkdir("e/", 01777));
    show("e");
    EACH(mkdir(name, 0755), "x/y", "f/y", "", "/", ".", "l", "dang");
    EACH(rmdir(name), "d/.", "d/..", ".", "/", "f", "l", "nothere", "e/");
    T(mkdir("d/sub", 0755));
    T(rmdir("d"));
    EACH(unlink(name), "d", "f/", "l/", "nothere/", "");
    T(unlinkat(AT_FDCWD, "d", 0));
    T(unlinkat(AT_FDCWD, "d/sub", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
    T(unlinkat(AT_FDCWD, "f", 0x1000));
    T(mkdirat(99, "q", 0755));
    T(chdir("f"));
    T(chdir("nothere"));
    T(chdir("d/"));
    T(rmdir("../d"));
    char b[PATH_MAX];
    T(getcwd(b, sizeof(b)) == NULL ? -1 : 0);
    T(open("x", O_CREAT | O_WRONLY, 0600));
    T(mkdir("x", 0700));
    T(chdir("..") * 0);
    T(chdir("/opt/w"));
    T(getcwd(b, 3) == NULL ? -1 : 0);
    T(syscall(SYS_getcwd, b, sizeof(b)));
    for (int fd = 3; fd < 10; fd++)
        close(fd);
}

static void links(void)
{
    touch("a", 0644);
    T(link("a", "b"));
    show("a");
    T(link("a", "b"));
    T(link("nothere", "c2"));
    T(link("a", "nodir/x"));
    T(link("e", "e2"));
    T(link("a", "x/"));
    T(link("a/", "x"));
    T(link("dang", "dang2"));
    show("dang2");
    T(linkat(AT_FDCWD, "l", AT_FDCWD, "l2", AT_SYMLINK_FOLLOW));
    show("l2");
    T(linkat(AT_FDCWD, "a", AT_FDCWD, "l3", 0x80));
    T(symlink("", "s"));
    T(symlink("target", "a"));
    T(symlink("target", "s/"));
    T(symlink("target", "s"));
    char b[8];
    memset(b, '#', sizeof(b));
    T(readlink("s", b, 3));
    printf("%.5s\n", b);
    T(readlink("s", b, 0));
    T(readlink("a", b, 3));
    T(readlink("nothere", b, 3));
    T(readlink("s/", b, 3));
    unlink("b");
    show("a");
    int fd = open("a", O_RDWR);
    T(unlink("a"));
    struct stat s;
    T(fstat(fd, &s));
    printf("links %ld\n", (long)s.st_nlink);
    T(write(fd, "gone", 4));
    T(pread(fd, b, 4, 0));
    T(linkat(fd, "", AT_FDCWD, "back", AT_EMPTY_PATH));
    close(fd);
    char path[64] = "k0";
    touch("k0", 0644);
    for (int k = 1; k < 45; k++) {
        char to[16];
        snprintf(path, sizeof(path), "k%d", k);
        snprintf(to, sizeof(to), "k%d", k - 1);
        symlink(to, path);
    }
    T(open("k40", O_RDONLY));
    T(open("k41", O_RDONLY));
    for (int k = 0; k < 45; k++) {
        snprintf(path, sizeof(path), "k%d", k);
        unlink(path);
    }
    close(3);
}

static void lengths(void)
{
    char n[5000];
    memset(n, 'n', sizeof(n));
    n[255] = 0;
    T(mkdir(n, 0755));
    T(rmdir(n));
    n[255] = 'n';
    n[256] = 0;
    T(mkdir(n, 0755));
    T(open(n, O_RDONLY));
    n[256] = 'n';
    n[4999] = 0;
    T(mkdir(n, 0755));
    for (int k = 0; k < 4096; k += 2)
        memcpy(n + k, "./", 2);
    n[4094] = '.';
    n[4095] = 0;
    struct stat s;
    T(stat(n, &s));
    n[4095] = '/';
    n[4096] = 0;
    T(stat(n, &s));
    T(symlink(n, "toolong"));
}

static void renames(void)
{
    touch("r1", 0644);
    touch("r2", 0600);
    mkdir("rd", 0755);
    mkdir("re", 0755);
    touch("re/in", 0644);
    T(rename("r1", "r1"));
    T(rename("nothere", "x"));
    T(rename("r1", "rd"));
    T(rename("rd", "r1"));
    T(rename("rd", "re"));
    T(rename("re", "rd"));
    show("re");
    T(rename("rd", "rd/sub"));
    T(rename("rd", "rd/in"));
    T(rename("r1", "r3/"));
    T(rename("r1/", "r3"));
    T(rename("rd", "rx/"));
    T(rename("rx/", "rd"));
    T(rename(".", "x"));
    T(rename("rd", "."));
    T(rename("rd/..", "x"));
    T(rename("r1", "nodir/x"));
    T(rename("r1", ""));
    T(rename("r1", "r2"));
    show("r2");
    touch("r1", 0644);
    link("r1", "rl");
    T(rename("r1", "rl"));
    show("r1");
    T(renameat2(AT_FDCWD, "r1", AT_FDCWD, "r2", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "r1", AT_FDCWD, "rn", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "rn", AT_FDCWD, "rd", RENAME_EXCHANGE));
    show("rn/in");
    show("rd");
    T(renameat2(AT_FDCWD, "rn", AT_FDCWD, "zz", RENAME_EXCHANGE));
    T(renameat2(AT_FDCWD, "rn", AT_FDCWD, "zz", RENAME_EXCHANGE | RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "rn", AT_FDCWD, "zz", 64));
    T(rename("rn", "/proc/x"));
    T(rename("/proc/self/comm", "/opt/w/comm"));
    T(renameat(99, "a", AT_FDCWD, "b"));
    symlink("rd", "rs");
    T(rename("rs", "rs2"));
    show("rs2");
}

static void bits(void)
{
    T(umask(0));
    T(umask(022));
    touch("m", 0600);
    T(chmod("m", 06755));
    show("m");
    T(chown("m", 5, 6));
    show("m");
    T(chmod("m", 06745));
    T(chown("m", -1, 7));
    show("m");
    T(chmod("m", 07777));
    int fd = open("m", O_WRONLY);
    T(fchmod(fd, 02644));
    T(fchown(fd, 8, -1));
    show("m");
    close(fd);
    T(chmod("nothere", 0));
    T(chmod("dang2", 0));
    T(fchmod(99, 0));
    T(lchown("l", 3, 4));
    show("l");
    T(fchownat(AT_FDCWD, "l", 1, 2, AT_SYMLINK_NOFOLLOW));
    show("l");
    T(fchownat(AT_FDCWD, "l", 1, 2, 0x10000));
    T(fchmodat(AT_FDCWD, "m", 0601, 0));
    mkdir("g", 0755);
    chown("g", 0, 77);
    T(chmod("g", 02775));
    mkdir("g/h", 0755);
    touch("g/i", 0644);
    show("g/h");
    show("g/i");
    T(mknod("fifo", S_IFIFO | 0644, 0));
    T(mknod("reg", 0600, 0));
    T(mknod("reg", S_IFREG | 0600, 0));
    T(mknod("dir", S_IFDIR | 0600, 0));
    T(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
    T(mknod("odd", 0170000 | 0600, 0));
    show("fifo");
    T(open("fifo", O_WRONLY | O_NONBLOCK));
    T(open("fifo", O_RDONLY | O_NONBLOCK));
    T(open("null", O_RDWR));
    T(write(4, "x", 1));
    close(3);
    close(4);
    T(access("m", F_OK));
    T(access("m", 9));
    T(access("nothere", F_OK));
    T(access("f/x", F_OK));
    T(access("m", X_OK));
    T(access("r2", X_OK));
    T(faccessat(AT_FDCWD, "dang2", F_OK, AT_SYMLINK_NOFOLLOW));
}

static void user_opens(void)
{
    T(open("secret", O_RDONLY));
    T(open("group", O_RDONLY));
    T(open("group", O_RDWR));
    T(open("closed/in", O_RDONLY));
    T(open("noexec/x", O_RDONLY));
    T(open("noexec", O_RDONLY));
    T(open("noexec", O_RDONLY | O_DIRECTORY));
    T(open("x", O_CREAT | O_WRONLY, 0600));
    T(mkdir("x", 0700));
    T(unlink("mine"));
    T(unlink("sticky/root"));
    T(rename("sticky/root", "sticky/r"));
    T(open("sticky/u", O_CREAT | O_WRONLY, 0600));
    T(rename("sticky/u", "sticky/root"));
    T(unlink("sticky/u"));
}

static void user_changes(void)
{
    T(chmod("secret", 0666));
    T(chmod("mine", 0600));
    T(chown("mine", 1000, 50));
    T(chown("mine", 1000, 60));
    T(chown("mine", 0, -1));
    T(chown("secret", -1, -1));
    T(chmod("mine", 02755));
    show("mine");
    T(chown("mine", -1, 1000));
    show("mine");
    T(chmod("suid", 06755));
    int fd = open("suid", O_WRONLY);
    T(write(fd, "x", 1));
    show("suid");
    T(chmod("suid", 04755));
    T(ftruncate(fd, 0));
    show("suid");
    T(utime("secret", NULL));
    T(utime("group", &(struct utimbuf){1, 2}));
    T(utime("mine", &(struct utimbuf){1, 2}));
    T(truncate("secret", 0));
    T(mknod("own/c", S_IFCHR | 0600, makedev(1, 3)));
    T(mknod("own/p", S_IFIFO | 0600, 0));
    T(link("secret", "own/l"));
    T(chroot("own"));
    char cwd[64] = "";
    T(syscall(SYS_getcwd, cwd, 13)); // outside of the root: said so in words
    T(syscall(SYS_getcwd, cwd, sizeof(cwd)) > 0);
    printf("%.14s\n", cwd);
    T(access("secret", R_OK));
    T(access("mine", R_OK | W_OK));
    T(access("closed/in", F_OK));
    T(chdir("closed"));
    T(chdir("own"));
    T(rmdir("../sticky"));
    T(rmdir("/"));
    T(symlink("x", "/nothere"));
    T(open("/dev/full", O_RDWR));
    T(open("/proc/1/environ", O_RDONLY));
    T(readlink("/proc/1/exe", (char[9]){0}, 8));
}

static void as_user(void)
{
    mkdir("sticky", 01777);
    chmod("sticky", 01777);
    touch("sticky/root", 0666);
    mkdir("closed", 0700);
    touch("closed/in", 0666);
    mkdir("noexec", 0644);
    touch("secret", 0600);
    touch("group", 0640);
    chown("group", 0, 50);
    touch("mine", 0644);
    chown("mine", 1000, 1000);
    mkdir("own", 0755);
    chown("own", 1000, 1000);
    touch("suid", 0755);
    chown("suid", 1000, 1000);
    fflush(stdout);
    if (fork() == 0) {
        gid_t groups[] = {50};
        setgroups(1, groups);
        setgid(1000);
        setuid(1000);
        user_opens();
        user_changes();
        exit(0);
    }
    wait(NULL);
    fflush(stdout);
    if (fork() == 0) { // effective and real users differ
        setresuid(1000, 0, 0);
        T(access("secret", R_OK));
        T(faccessat(AT_FDCWD, "secret", R_OK, AT_EACCESS));
        T(open("secret", O_RDONLY));
        seteuid(1000);
        T(open("secret", O_RDONLY));
        seteuid(0);
        T(setfsuid(1000));
        T(open("secret", O_RDONLY));
        exit(0);
    }
    wait(NULL);
}

static void times_of(void)
{
    struct stat s;
    touch("t", 0644);
    T(utimensat(AT_FDCWD, "t", (struct timespec[]){{5, 6}, {7, 8}}, 0));
    stat("t", &s);
    printf("%ld.%09ld %ld.%09ld\n", (long)s.st_atim.tv_sec, s.st_atim.tv_nsec,
           (long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
    T(utimensat(AT_FDCWD, "t", (struct timespec[]){{0, UTIME_OMIT}, {9, 0}}, 0));
    stat("t", &s);
    printf("%ld %ld\n", (long)s.st_atim.tv_sec, (long)s.st_mtim.tv_sec);
    T(utimensat(AT_FDCWD, "t", (struct timespec[]){{0, UTIME_NOW}, {0, UTIME_OMIT}}, 0));
    stat("t", &s);
    printf("%d %ld\n", s.st_atim.tv_sec > 1000000, (long)s.st_mtim.tv_sec);
    T(utimensat(AT_FDCWD, "t", (struct timespec[]){{0, 1000000000}, {0, 0}}, 0));
    T(utimensat(AT_FDCWD, "t", (struct timespec[]){{0, -1}, {0, 0}}, 0));
    T(utimensat(AT_FDCWD, "t", NULL, 0x4000));
    T(utimensat(AT_FDCWD, "nothere", NULL, 0));
    T(utimensat(AT_FDCWD, "nothere", (struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}, 0));
    T(utimensat(AT_FDCWD, "l", (struct timespec[]){{1, 0}, {2, 0}}, AT_SYMLINK_NOFOLLOW));
    lstat("l", &s);
    printf("link %ld\n", (long)s.st_mtim.tv_sec);
    T(utimes("t", (struct timeval[]){{1, 1000000}, {0, 0}}));
    T(utimes("t", (struct timeval[]){{3, 4}, {5, 6}}));
    stat("t", &s);
    printf("%ld %ld\n", s.st_atim.tv_nsec, s.st_mtim.tv_nsec);
    int fd = open("t", O_RDONLY);
    T(futimens(fd, (struct timespec[]){{11, 0}, {12, 0}}));
    T(futimens(99, NULL));
    close(fd);
}

static void listings(void)
{
    mkdir("many", 0755);
    for (int k = 0; k < 200; k++) {
        char n[32];
        snprintf(n, sizeof(n), "many/%d", k);
        touch(n, 0600);
    }
    DIR *d = opendir("many");
    struct dirent *e;
    int seen = 0, dots = 0, types = 0;
    long mid = 0;
    char at[64] = "";
    while ((e = readdir(d)) != NULL) {
        seen++;
        dots += e->d_name[0] == '.';
        types += e->d_type == DT_REG;
        if (seen == 100)
            mid = telldir(d);
        if (seen == 101)
            strcpy(at, e->d_name);
    }
    seekdir(d, mid);
    e = readdir(d);
    printf("%d seen %d dots %d files, telldir %d\n", seen, dots, types, strcmp(at, e->d_name) == 0);
    rewinddir(d);
    seen = 0;
    while ((e = readdir(d)) != NULL) { // taken away while it is listed
        char n[300];
        snprintf(n, sizeof(n), "many/%s", e->d_name);
        seen += unlink(n) == 0;
    }
    printf("%d taken away\n", seen);
    closedir(d);
    T(rmdir("many"));
    char b[64];
    int fd = open(".", O_RDONLY);
    T(syscall(SYS_getdents64, fd, b, 8));
    T(syscall(SYS_getdents64, 99, b, 64));
    T(read(fd, b, 8));
    T(lseek(fd, 0, SEEK_SET));
    T(ftruncate(fd, 0));
    close(fd);
    fd = open("f", O_RDONLY);
    T(syscall(SYS_getdents64, fd, b, 64));
    close(fd);
    struct statfs v;
    T(statfs("nothere", &v));
    T(statfs(".", &v));
    printf("block %ld name %ld\n", (long)v.f_bsize, (long)v.f_namelen);
    T(statfs("/proc", &v));
    printf("proc %lx\n", (unsigned long)v.f_type);
}

static void statxs(void)
{
    struct statx x;
    touch("sx", 0640);
    T(statx(AT_FDCWD, "sx", 0, STATX_BASIC_STATS, &x));
    printf("%o %u %u %llu mask %d\n", x.stx_mode, x.stx_nlink, x.stx_blksize,
           (unsigned long long)x.stx_size, (x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    T(statx(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_MODE, &x));
    printf("%o\n", x.stx_mode & S_IFMT);
    T(statx(AT_FDCWD, "", 0, 0, &x));
    T(statx(AT_FDCWD, "", AT_EMPTY_PATH, STATX_TYPE, &x));
    T(statx(AT_FDCWD, "sx", 0x6000, 0, &x));
    T(statx(AT_FDCWD, "sx", 0, 0x80000000u, &x));
    T(statx(AT_FDCWD, "sx", 1, 0, &x));
    T(statx(99, "sx", 0, 0, &x));
    T(statx(AT_FDCWD, "sx", 0, 0, (void *)8));
    struct stat s;
    T(stat("/dev/null", &s));
    printf("%o %x\n", s.st_mode, (unsigned)s.st_rdev);
    T(stat("sx/", &s));
    T(fstatat(AT_FDCWD, "sx", &s, 0x10));
    T(fstat(-1, &s));
}

// Deeper than any path can say.
static void depth(void)
{
    char name[251], b[9000];
    memset(name, 'd', 250);
    name[250] = 0;
    int levels = 0;
    for (; levels < 20; levels++)
        if (mkdir(name, 0755) || chdir(name))
            break;
    T(levels);
    T(syscall(SYS_getcwd, b, sizeof(b)));
    T(syscall(SYS_getcwd, b, 10));
    T(readlink("/proc/self/cwd", b, sizeof(b)));
    for (; levels > 0; levels--)
        if (chdir("..") || rmdir(name))
            break;
    T(levels);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int fd = 3; fd < 40; fd++)
        close(fd);
    umask(022);
    mkdir("/opt/w", 0755);
    chdir("/opt/w");
    opening();
    paths();
    directories();
    links();
    lengths();
    depth();
    renames();
    bits();
    as_user();
    times_of();
    listings();
    statxs();
    return 0;
}
