// SPDX-License-Identifier: MIT
// Calls of old that no library makes any more, and those of administrators for what is not there.
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>

struct old_stat {
    uint16_t dev, inode, mode, links, uid, gid, rdev, pad;
    uint32_t bytes, atime, mtime, ctime;
};

struct old_entry {
    unsigned long inode, offset;
    unsigned short length;
    char name[257];
};

// What the old call says of it, or that it cannot, is what stat says.
static int agree(const struct old_stat *o, const struct stat *s, long r)
{
    if (s->st_ino > 65535 || s->st_nlink > 65535)
        return r == -1 && errno == EOVERFLOW;
    return r == 0 && o->inode == s->st_ino && o->mode == s->st_mode && o->links == s->st_nlink &&
           o->uid == (s->st_uid > 65535 ? 65534 : s->st_uid) &&
           o->gid == (s->st_gid > 65535 ? 65534 : s->st_gid) && o->bytes == (uint32_t)s->st_size &&
           o->mtime == (uint32_t)s->st_mtime && o->ctime == (uint32_t)s->st_ctime;
}

static void compare(const char *name)
{
    struct old_stat o;
    struct stat s;
    stat(name, &s);
    long r = syscall(SYS_oldstat, name, &o);
    printf("%s: %d", name, agree(&o, &s, r));
    int f = open(name, O_RDONLY);
    r = syscall(SYS_oldfstat, f, &o);
    printf(" %d", agree(&o, &s, r));
    close(f);
    lstat(name, &s);
    r = syscall(SYS_oldlstat, name, &o);
    printf(" %d\n", agree(&o, &s, r));
}

static void stats(void)
{
    struct old_stat s = {0};
    int f = open("file", O_RDWR | O_CREAT | O_TRUNC, 0640);
    if (f < 0 || write(f, "12345", 5) != 5 || symlink("file", "link") || symlink("/dev", "dev") ||
        chown("file", 70000, 70001) || link("file", "other"))
        printf("no file\n");
    compare("file");
    compare("link");
    compare("dev");
    compare("/dev/null");
    compare("/dev");
    compare("/");
    T(syscall(SYS_oldstat, "/dev/null", &s));
    printf("null: rdev %x mode %o\n", s.rdev, s.mode);
    T(syscall(SYS_oldstat, "none", &s));
    T(syscall(SYS_oldstat, "", &s));
    T(syscall(SYS_oldstat, (void *)1, &s));
    T(syscall(SYS_oldlstat, "file/x", &s));
    T(syscall(SYS_oldfstat, -1, &s));
    T(syscall(SYS_oldstat, "/dev/null", 1));
    close(f);
    unlink("other");
    unlink("link");
    unlink("dev");
    unlink("file");
}

static void lists(void)
{
    struct old_entry e;
    int seen = 0, f;
    mkdir("dir", 0755);
    for (int k = 0; k < 20; k++) {
        char name[40];
        snprintf(name, sizeof(name), "dir/%.*s%d", k, "nnnnnnnnnnnnnnnnnnnnnnnn", k);
        close(open(name, O_CREAT | O_WRONLY, 0600));
    }
    f = open("dir", O_RDONLY);
    long r;
    int wrong = 0;
    while ((r = syscall(SYS_readdir, f, &e, 1)) == 1) {
        seen++;
        wrong += strlen(e.name) != e.length || e.inode == 0;
    }
    printf("readdir: end %ld, entries %d, wrong %d\n", r, seen, wrong);
    T(syscall(SYS_readdir, f, &e, 1));
    lseek(f, 0, SEEK_SET);
    T(syscall(SYS_readdir, f, &e, 0));
    T(syscall(SYS_readdir, f, (void *)1, 1));
    T(syscall(SYS_readdir, -1, &e, 1));
    T(syscall(SYS_readdir, 0, &e, 1));
    close(f);
    DIR *d = opendir("dir");
    for (struct dirent *x; (x = readdir(d));)
        unlinkat(dirfd(d), x->d_name, 0);
    closedir(d);
    f = open("dir", O_RDONLY);
    rmdir("dir");
    T(syscall(SYS_readdir, f, &e, 1));
    close(f);
}

static void names(void)
{
    char old[5][9];
    struct utsname u;
    uname(&u);
    memset(old, 'x', sizeof(old));
    T(syscall(SYS_oldolduname, old));
    printf("%s, node %d, machine %d\n", old[0], strncmp(old[1], u.nodename, 8),
           strncmp(old[4], u.machine, 8));
    T(syscall(SYS_oldolduname, 0));
}

static void spaces(void)
{
    struct ustat_old {
        int free;
        unsigned inodes;
        char name[6], pack[6];
    } u;
    struct stat s;
    stat("/", &s);
    memset(&u, 'x', sizeof(u));
    T(syscall(SYS_ustat, (unsigned)s.st_dev, &u));
    printf("names %d %d, free %d\n", u.name[0], u.pack[5], u.free > 0);
    T(syscall(SYS_ustat, (unsigned)s.st_dev, 1));
    stat("/proc", &s);
    T(syscall(SYS_ustat, (unsigned)s.st_dev, &u));
    printf("free %d, files %u\n", u.free, u.inodes);
    mkdir("mounted", 0755);
    for (int k = 0; k < 100; k++) // more than a page of /proc/mounts
        if (mount("none", "mounted", "tmpfs", 0, 0) < 0)
            perror("mount");
    stat("mounted", &s);
    T(syscall(SYS_ustat, (unsigned)s.st_dev, &u));
    for (int k = 0; k < 100; k++)
        if (umount("mounted") < 0)
            perror("umount");
    T(syscall(SYS_ustat, (unsigned)s.st_dev, &u));
    rmdir("mounted");
    T(syscall(SYS_ustat, 0xffff, &u));
}

static void users(void)
{
    T(syscall(SYS_setfsuid, 1234));
    T(syscall(SYS_setfsuid, 65535));
    T(syscall(SYS_setfsuid, 0x50000));
    T(syscall(SYS_setfsuid, 0));
    T(setfsuid(70000));
    T(syscall(SYS_setfsuid, 0));
    T(syscall(SYS_setfsgid, 4321));
    T(syscall(SYS_setfsgid, 65535));
    T(syscall(SYS_setfsgid, 0));
    T(setresuid(500, 500, 500));
    T(syscall(SYS_setfsuid, 7));
    T(syscall(SYS_setfsuid, 500));
    T(syscall(SYS_setfsuid, 500));
}

static void of_administrators(void)
{
    T(syscall(SYS_swapon, "none", 0x80000));
    T(syscall(SYS_swapon, "none", 0));
    T(syscall(SYS_swapon, "/", 0));
    T(syscall(SYS_swapon, "swap", 0));
    T(syscall(SYS_swapon, "swap", 0x7fff));
    T(syscall(SYS_swapon, "/dev/null", 0));
    T(syscall(SYS_swapoff, "swap"));
    T(syscall(SYS_swapoff, "none"));
    T(syscall(SYS_swapoff, (void *)1));
    T(syscall(SYS_pivot_root, "none", "/"));
    T(syscall(SYS_pivot_root, "/", "swap"));
    T(syscall(SYS_pivot_root, "/", "/"));
    T(syscall(SYS_pivot_root, "/proc", "/"));
    T(syscall(SYS_pivot_root, 1, 1));
    T(syscall(SYS_quotactl, 0x80000103, 0, 0, 0));
    T(syscall(SYS_quotactl, 0x80000100, 0, 0, 0));
    T(syscall(SYS_quotactl, 0x80000700, 0, 0, 0));
    T(syscall(SYS_quotactl, 0x80000700, "swap", 0, 0));
    T(syscall(SYS_quotactl, 0x80000700, "none", 0, 0));
    T(syscall(SYS_quotactl, 0x80000700, 1, 0, 0));
}

static void of_users(void)
{
    T(setresuid(500, 500, 500));
    T(syscall(SYS_swapon, "none", 0x80000));
    T(syscall(SYS_swapon, "none", 0));
    T(syscall(SYS_swapoff, "none"));
    T(syscall(SYS_pivot_root, "none", "none"));
}

int main(void)
{
    char place[] = "/tmp/olds-XXXXXX";
    umask(022);
    if (mkdtemp(place) == NULL || chdir(place) || chmod(place, 0777))
        printf("no place\n");
    close(open("swap", O_CREAT | O_RDWR, 0600));
    stats();
    lists();
    names();
    spaces();
    in_child(users);
    of_administrators();
    in_child(of_users);
    unlink("swap");
    if (chdir("/") || rmdir(place))
        printf("left behind\n");
    return 0;
}
