// SPDX-License-Identifier: MIT
// inotify as programs see it; with a word it moves between two nodes all the while.
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include "move.h"
#include "say.h"

#define DIR "/opt/watched"

static int moves, at_node;

static void move_on(void)
{
    if (moves)
        move_to(at_node = !at_node);
}

static const char *bit_name(uint32_t bit)
{
    static const char *const names[] = {
        "ACCESS",     "MODIFY",  "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN",
        "MOVED_FROM", "TO",      "CREATE", "DELETE",      "DELETE_SELF",   "MOVE_SELF",
        "?",          "UNMOUNT", "OVER",   "IGNORED"};
    int k = __builtin_ctz(bit);
    return k < 16 ? names[k] : bit == IN_ISDIR ? "ISDIR" : "?";
}

static void show(const struct inotify_event *e)
{
    static uint32_t cookie;
    printf("  %d", e->wd);
    for (uint32_t left = e->mask; left; left &= left - 1)
        printf(" %s", bit_name(left & -left));
    if (e->cookie)
        printf(e->cookie == cookie ? " same" : " move");
    cookie = e->cookie ? e->cookie : cookie;
    printf(" %u '%.*s'\n", e->len, (int)e->len, e->name);
}

static int shown(int fd)
{
    char bytes[65536] __attribute__((aligned(8)));
    int count = 0;
    ssize_t n = read(fd, bytes, sizeof(bytes));
    for (ssize_t at = 0; at < n; count++) {
        const struct inotify_event *e = (void *)(bytes + at);
        show(e);
        at += (ssize_t)(sizeof(*e) + e->len);
    }
    return count;
}

static void step(int fd, const char *what)
{
    printf("%s\n", what);
    shown(fd);
    fflush(stdout);
}

static void make(const char *path, const char *text)
{
    int f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (text)
        put(f, text);
    close(f);
}

static void errors(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), p[2], small;
    done("init", inotify_init());
    say("init flags", inotify_init1(1));
    printf("flags %x %x\n", fcntl(fd, F_GETFL) & ~O_LARGEFILE, fcntl(fd, F_GETFD));
    say("bad fd", inotify_add_watch(-1, "/", IN_OPEN));
    say("pipe", pipe(p));
    say("no inotify", inotify_add_watch(p[0], "/", IN_OPEN));
    say("rm of none", inotify_rm_watch(p[0], 1));
    say("rm bad", inotify_rm_watch(-1, 1));
    say("rm of no watch", inotify_rm_watch(fd, 7));
    say("no mask", inotify_add_watch(fd, "/opt", 0));
    say("unknown mask", inotify_add_watch(fd, "/opt", 0x1000));
    say("add and create", inotify_add_watch(fd, "/opt", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE));
    say("no name", inotify_add_watch(fd, DIR "/no", IN_OPEN));
    say("empty", inotify_add_watch(fd, "", IN_OPEN));
    say("bad address", inotify_add_watch(fd, (void *)1, IN_OPEN));
    say("nothing to read", read(fd, &small, sizeof(small)));
    say("write", write(fd, &small, sizeof(small)));
    show_poll("empty", fd);
    say("unread", ioctl(fd, FIONREAD, &small));
    printf("%d\n", small);
    close(fd);
}

static void files(int fd)
{
    char text[64];
    say("watch", inotify_add_watch(fd, DIR, IN_ALL_EVENTS));
    make(DIR "/a", "hello");
    step(fd, "made");
    move_on();
    make(DIR "/a", NULL);
    step(fd, "cut");
    say("watch file", inotify_add_watch(fd, DIR "/a", IN_ALL_EVENTS));
    make(DIR "/a", "more");
    step(fd, "written");
    int f = open(DIR "/a", O_RDWR);
    say("read", read(f, text, sizeof(text)));
    say("read end", read(f, text, sizeof(text)));
    say("write", write(f, text, 2));
    say("truncate", ftruncate(f, 1));
    say("chmod", fchmod(f, 0600));
    move_on();
    say("times", futimens(f, NULL));
    struct timespec one[2] = {{1, 0}, {0, UTIME_OMIT}}, two[2] = {{0, UTIME_OMIT}, {1, 0}};
    say("atime", futimens(f, one));
    say("mtime", futimens(f, two));
    close(f);
    step(fd, "changed");
    say("link", link(DIR "/a", DIR "/b"));
    say("symlink", symlink("a", DIR "/c"));
    say("mkfifo", mkfifo(DIR "/d", 0600));
    say("mkdir", mkdir(DIR "/e", 0700));
    step(fd, "named");
}

static void names(int fd)
{
    say("rename", rename(DIR "/b", DIR "/f"));
    step(fd, "renamed");
    say("rename over", rename(DIR "/f", DIR "/c"));
    step(fd, "renamed over");
    say("rename dir", rename(DIR "/e", DIR "/g"));
    say("rename same", rename(DIR "/a", DIR "/c"));
    step(fd, "renamed dir");
    move_on();
    say("exchange", renameat2(AT_FDCWD, DIR "/a", AT_FDCWD, DIR "/g", RENAME_EXCHANGE));
    step(fd, "exchanged");
    say("unlink", unlink(DIR "/c"));
    say("rmdir", rmdir(DIR "/a"));
    say("unlink last", unlink(DIR "/g"));
    step(fd, "gone");
    say("rm", inotify_rm_watch(fd, 2));
    say("unlink fifo", unlink(DIR "/d"));
    step(fd, "fifo gone");
}

static void self(int fd)
{
    mkdir(DIR "/in", 0700);
    say("sub", inotify_add_watch(fd, DIR "/in", IN_ALL_EVENTS | IN_ONLYDIR));
    make(DIR "/in/x", "x");
    int f = open(DIR "/in", O_RDONLY | O_DIRECTORY);
    char list[512];
    say("list", syscall(220, f, list, sizeof(list)) > 0);
    close(f);
    step(fd, "inside");
    move_on();
    say("out", rename(DIR "/in/x", DIR "/y"));
    say("in", rename(DIR "/in", DIR "/out"));
    say("only dir", inotify_add_watch(fd, DIR "/y", IN_OPEN | IN_ONLYDIR));
    say("rmdir", rmdir(DIR "/out"));
    step(fd, "moved and gone");
}

static void masks(int fd)
{
    int wd = inotify_add_watch(fd, DIR "/y", IN_ATTRIB);
    printf("again %d\n", inotify_add_watch(fd, DIR "/y", IN_MODIFY | IN_MASK_ADD) == wd);
    say("create", inotify_add_watch(fd, DIR "/y", IN_OPEN | IN_MASK_CREATE));
    say("quiet dir", inotify_add_watch(fd, DIR, IN_DELETE));
    make(DIR "/y", "1");
    chmod(DIR "/y", 0611);
    step(fd, "attrib and modify");
    move_on();
    inotify_add_watch(fd, DIR "/y", IN_OPEN | IN_ONESHOT);
    make(DIR "/y", "1");
    make(DIR "/y", "2");
    step(fd, "once");
    inotify_add_watch(fd, DIR, IN_CLOSE | IN_EXCL_UNLINK);
    int f = open(DIR "/y", O_RDONLY), g = open(DIR "/z", O_CREAT | O_RDWR, 0600);
    unlink(DIR "/y");
    close(f);
    inotify_add_watch(fd, DIR, IN_CLOSE | IN_MODIFY);
    unlink(DIR "/z");
    put(g, "1");
    close(g);
    step(fd, "unlinked while open");
    symlink("nowhere", DIR "/s");
    printf("link itself %d\n", inotify_add_watch(fd, DIR "/s", IN_ALL_EVENTS | IN_DONT_FOLLOW) > 0);
    unlink(DIR "/s");
    step(fd, "link gone");
}

static void queue(int fd)
{
    char name[64], little[24];
    int n = 0, e = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    say("quiet", inotify_add_watch(fd, DIR, IN_CREATE | IN_MODIFY));
    say("epoll", epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev));
    say("none", epoll_wait(e, &ev, 1, 0));
    make(DIR "/one", "1");
    int f = open(DIR "/one", O_WRONLY);
    for (int k = 0; k < 3; k++)
        put(f, "equal");
    close(f);
    move_on();
    say("some", epoll_wait(e, &ev, 1, 1000));
    ioctl(fd, FIONREAD, &n);
    printf("unread %d\n", n);
    show_poll("full", fd);
    say("too little", read(fd, little, sizeof(little)));
    step(fd, "equal ones once");
    for (int k = 0; k < 3; k++) {
        snprintf(name, sizeof(name), DIR "/%.*s", 14 + k, "123456789012345678");
        make(name, NULL);
        unlink(name);
    }
    char two[64 + 8];
    say("two of three", read(fd, two, sizeof(two)));
    step(fd, "and one");
    close(e);
}

static void waits(int fd)
{
    fcntl(fd, F_SETFL, 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        usleep(200000);
        make(DIR "/late", NULL);
        _exit(0);
    }
    printf("waited for %d\n", shown(fd));
    waitpid(child, NULL, 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void mounts(int fd)
{
    if (mount("none", DIR, "tmpfs", 0, NULL) < 0)
        return;
    make(DIR "/below", NULL);
    int a = inotify_add_watch(fd, DIR, IN_ALL_EVENTS);
    printf("mounted %d\n", a > 0);
    say("umount", umount(DIR));
    step(fd, "unmounted");
}

int main(int argc, char **argv)
{
    moves = argc > 1;
    (void)argv;
    alarm(50);
    mkdir("/opt", 0755);
    mkdir(DIR, 0700);
    move_on();
    errors();
    int fd = inotify_init1(IN_NONBLOCK);
    files(fd);
    names(fd);
    self(fd);
    masks(fd);
    queue(fd);
    waits(fd);
    mounts(fd);
    close(fd);
    unlink(DIR "/one"), unlink(DIR "/late"), rmdir(DIR), rmdir("/opt");
    return 0;
}
