// SPDX-License-Identifier: MIT
// Extended attributes: the twelve calls of xattr(7), what they refuse and in which order.
// attributes far: through another node, and of a file that a moved process holds.
#define _GNU_SOURCE
#include "move.h"
#include "said.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SOMEBODY = 1000
};

static char value[70000], answer[70000];

static int by_length(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

// The names of a file, sorted: their order is the file system's own.
static void names(const char *path)
{
    const char *sorted[32];
    size_t count = 0;
    long n = llistxattr(path, answer, sizeof(answer));
    for (long at = 0; at < n && count < 32; at += (long)strlen(answer + at) + 1)
        sorted[count++] = answer + at;
    qsort(sorted, count, sizeof(sorted[0]), by_length);
    printf("%s has %ld:", path, n);
    for (size_t i = 0; i < count; i++)
        printf(" %s", sorted[i]);
    puts("");
}

static void got(const char *path, const char *name)
{
    memset(answer, '.', 32);
    long n = getxattr(path, name, answer, sizeof(answer));
    printf("%s of %s: %ld %.*s %s\n", name, path, n, n > 0 ? (int)n : 0, answer,
           n < 0 ? strerrorname_np(errno) : "");
}

static void basics(void)
{
    T(setxattr("f", "user.a", "one", 3, 0));
    got("f", "user.a");
    T(setxattr("f", "user.a", "other", 5, XATTR_CREATE));
    T(setxattr("f", "user.a", "three", 5, XATTR_REPLACE));
    got("f", "user.a");
    T(setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
    T(setxattr("f", "user.b", "", 0, XATTR_CREATE));
    got("f", "user.b");
    T(setxattr("f", "user.b", NULL, 0, 0));
    names("f");
    T(getxattr("f", "user.a", NULL, 0));
    T(getxattr("f", "user.a", answer, 4));
    T(getxattr("f", "user.a", (void *)8, 100));
    T(listxattr("f", NULL, 0));
    T(listxattr("f", answer, 3));
    T(listxattr("f", (char *)8, 100));
    T(removexattr("f", "user.a"));
    T(removexattr("f", "user.a"));
    got("f", "user.a");
    names("f");
    T(setxattr("d", "user.of a directory", "1", 1, 0));
    names("d");
    T(link("f", "f2"));
    names("f2");
    T(rename("f2", "f3"));
    names("f3");
    T(unlink("f3"));
}

static void refused(void)
{
    T(setxattr("nothere", "user.a", "1", 1, 0));
    T(setxattr("f", "user.a", "1", 1, 8));
    T(setxattr("f", "user.a", "1", 1, XATTR_CREATE | XATTR_REPLACE));
    T(setxattr("f", "", "1", 1, 0));
    T(setxattr("f", "user.", "1", 1, 0));
    T(getxattr("f", "user.", answer, 1));
    T(setxattr("f", "plain", "1", 1, 0));
    T(setxattr("f", "system.unknown", "1", 1, 0));
    T(getxattr("f", "plain", answer, 1));
    T(removexattr("f", "plain"));
    T(setxattr("f", (char *)8, "1", 1, 0));
    T(setxattr("f", "user.a", (char *)8, 1, 0));
    T(setxattr("f", "user.a", value, 65537, 0));
    T(setxattr((char *)8, "user.a", "1", 1, 0));
    T(setxattr("", "user.a", "1", 1, 0));
    T(setxattr("f/x", "user.a", "1", 1, 0));
    memset(value, 'n', 300);
    memcpy(value, "user.", 5);
    value[256] = 0;
    T(setxattr("f", value, "1", 1, 0));
    T(getxattr("f", value, answer, 1));
    value[255] = 0;
    T(setxattr("f", value, "1", 1, 0));
    T(removexattr("f", value));
    T(listxattr("nothere", answer, 1));
    T(getxattr("/proc/self/stat", "user.a", answer, 1));
    T(listxattr("/proc/self/stat", answer, 1));
}

static void kinds(void)
{
    T(symlink("f", "l"));
    T(lsetxattr("l", "user.a", "1", 1, 0));
    T(lgetxattr("l", "user.a", answer, 10));
    T(lsetxattr("l", "trusted.t", "1", 1, 0));
    names("l");
    T(lremovexattr("l", "trusted.t"));
    T(setxattr("l", "user.through", "1", 1, 0));
    names("f");
    T(mkfifo("p", 0666));
    T(setxattr("p", "user.a", "1", 1, 0));
    T(getxattr("p", "user.a", answer, 10));
    T(setxattr("p", "trusted.a", "1", 1, 0));
    int fd = open("f", O_RDONLY), path = open("f", O_PATH), pair[2];
    T(fsetxattr(fd, "user.fd", "12", 2, 0));
    T(fgetxattr(fd, "user.fd", answer, 10));
    T(flistxattr(fd, NULL, 0));
    T(fremovexattr(fd, "user.through"));
    T(fsetxattr(path, "user.fd", "12", 2, 0));
    T(fgetxattr(path, "user.fd", answer, 10));
    T(flistxattr(path, NULL, 0));
    T(fremovexattr(path, "user.fd"));
    T(fsetxattr(-1, "user.fd", "12", 2, 0));
    T(flistxattr(99, NULL, 0));
    T(unlink("f"));
    T(fsetxattr(fd, "user.nameless", "12", 2, 0));
    T(flistxattr(fd, NULL, 0));
    close(fd), close(path);
    T(pipe(pair));
    T(fgetxattr(pair[0], "user.a", answer, 10));
    T(fsetxattr(pair[0], "user.a", answer, 10, 0));
    T(fremovexattr(pair[0], "user.a"));
    T(fgetxattr(pair[0], "security.a", answer, 10));
    close(pair[0]), close(pair[1]);
    T(close(open("f", O_CREAT | O_RDWR, 0644)));
}

static void who(void)
{
    T(setxattr("f", "trusted.t", "1", 1, 0));
    T(setxattr("f", "security.s", "1", 1, 0));
    T(setxattr("f", "user.u", "1", 1, 0));
    T(mkdir("sticky", 01777));
    T(chmod("sticky", 01777));
    T(close(open("closed", O_CREAT | O_RDWR, 0600)));
    T(setxattr("closed", "user.u", "1", 1, 0));
    fflush(stdout);
    if (fork() == 0) {
        T(setgid(SOMEBODY));
        T(setuid(SOMEBODY));
        names("f");
        got("f", "trusted.t");
        got("f", "security.s");
        got("f", "user.u");
        T(setxattr("f", "user.u", "2", 1, 0));
        T(setxattr("f", "user.v", "2", 1, XATTR_REPLACE));
        T(setxattr("f", "trusted.t", "2", 1, 0));
        T(setxattr("f", "security.s", "2", 1, 0));
        T(removexattr("f", "security.s"));
        T(removexattr("f", "user.u"));
        T(setxattr("f", "plain", "1", 1, 0));
        T(setxattr("closed", "user.u", "1", 1, 0));
        got("closed", "user.u");
        names("closed");
        T(setxattr("sticky", "user.u", "1", 1, 0));
        got("sticky", "user.u");
        exit(0);
    }
    wait(NULL);
    T(setxattr("sticky", "user.u", "1", 1, 0));
}

static void changes(void)
{
    struct stat a, b;
    struct inotify_event e = {0};
    int watch = inotify_init1(IN_NONBLOCK);
    T(inotify_add_watch(watch, "f", IN_ATTRIB));
    stat("f", &a);
    usleep(20000);
    T(setxattr("f", "user.c", "1", 1, 0));
    T(read(watch, &e, sizeof(e)));
    stat("f", &b);
    printf("event %x, ctime %s, mtime %s\n", e.mask,
           memcmp(&a.st_ctim, &b.st_ctim, 8) ? "new" : "old",
           memcmp(&a.st_mtim, &b.st_mtim, 8) ? "new" : "old");
    T(getxattr("f", "user.c", answer, 9));
    T(read(watch, &e, sizeof(e)));
    T(setxattr("f", "user.c", "1", 1, XATTR_CREATE));
    T(read(watch, &e, sizeof(e)));
    close(watch);
    int fd = memfd_create("m", 0);
    T(fsetxattr(fd, "user.m", "1", 1, 0));
    T(flistxattr(fd, answer, 100));
    close(fd);
}

static void far(void)
{
    memset(value, 'v', 3000);
    move_to(1);
    T(close(open("/tmp/f", O_CREAT | O_RDWR, 0644)));
    T(setxattr("/tmp/f", "user.large", value, 3000, 0));
    T(setxattr("/tmp/f", "user.large", value, 3000, XATTR_CREATE));
    T(setxattr("/tmp/f", "user.too large", value, 3000, 0)); // of all together
    int fd = open("/tmp/f", O_RDWR);
    move_to(0);
    T(fsetxattr(fd, "user.b", "there and back", 14, 0));
    move_to(1);
    got("/tmp/f", "user.b");
    T(fgetxattr(fd, "user.large", answer, sizeof(answer)));
    printf("%s\n", memcmp(value, answer, 3000) ? "different" : "the same");
    names("/tmp/f");
    T(fremovexattr(fd, "user.large"));
    move_to(0);
    names("/tmp/f");
    T(unlink("/tmp/f"));
}

// A folder whose file system has attributes of users: the tmpfs of older Linuxes has none.
static int found_room(const char *folder)
{
    if (mkdir(folder, 0777) || chmod(folder, 0777) || chdir(folder))
        return 0;
    close(open("f", O_CREAT | O_RDWR, 0644));
    return setxattr("f", "user.a", "1", 1, 0) == 0 && removexattr("f", "user.a") == 0;
}

static void leave(const char *folder)
{
    static const char *const left[] = {"f", "l", "p", "closed"};
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        unlink(left[i]);
    rmdir("d"), rmdir("sticky");
    (void)!chdir("/");
    rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "far")) {
        far();
        return 0;
    }
    const char *folder = "/opt/attributes.d";
    if (!found_room(folder)) {
        leave(folder);
        folder = "/var/tmp/attributes.d";
        T(found_room(folder));
    }
    T(mkdir("d", 0755));
    basics();
    refused();
    kinds();
    who();
    changes();
    leave(folder);
    return 0;
}
