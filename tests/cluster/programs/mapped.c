// SPDX-License-Identifier: MIT
// What /proc says of a process's memory and descriptors: maps with names, long command lines,
// fdinfo; with a word (moves) also from the other node. Every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "move.h"
#include "say.h"
#include <sys/mman.h>
#include <sys/sysmacros.h>

#define PAGE 4096

static char text[400000];

static size_t whole(const char *name)
{
    size_t n = 0;
    int fd = open(name, O_RDONLY);
    for (ssize_t got; fd >= 0 && n < sizeof(text) - 1; n += (size_t)got)
        if ((got = read(fd, text + n, sizeof(text) - 1 - n)) <= 0)
            break;
    text[n] = '\0';
    close(fd);
    return n;
}

// The line of maps that begins at m, but for where it lies.
static void line_at(const char *what, const char *pid, const char *m, const struct stat *st)
{
    char name[40], rights[8] = "";
    unsigned long from, to, offset = 0, inode = 0;
    unsigned major_, minor_;
    snprintf(name, sizeof(name), "/proc/%s/maps", pid);
    whole(name);
    for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) {
        int at = 0;
        if (sscanf(l, "%lx-%lx %7s %lx %x:%x %lu %n", &from, &to, rights, &offset, &major_, &minor_,
                   &inode, &at) < 7 ||
            from != (unsigned long)m)
            continue;
        printf("%s: %lu pages %s %08lx inode %s device %s |%s| column %d\n", what,
               (to - from) / PAGE, rights, offset,
               inode == (st ? st->st_ino : 0) ? "right" : "wrong",
               st ? makedev(major_, minor_) == st->st_dev ? "right" : "wrong" : "none", l + at,
               l[at] ? at : 0);
        return;
    }
    printf("%s: no line\n", what);
}

static void maps(const char *pid)
{
    struct stat st, mst;
    int fd = open("/tmp/file.mapped", O_RDWR | O_CREAT, 0600), mem = memfd_create("thing", 0);
    if (ftruncate(fd, 8 * PAGE) || ftruncate(mem, PAGE))
        exit(1);
    fstat(fd, &st), fstat(mem, &mst);
    char *a = mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * PAGE);
    char *c = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, mem, 0);
    char *d = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(d + PAGE, PAGE, PROT_NONE);
    b[0] = 'b';
    line_at("shared", pid, a, &st);
    line_at("private", pid, b, &st);
    line_at("memfd", pid, c, &mst);
    line_at("nothing", pid, d, NULL);
    munmap(a, 3 * PAGE);
    mprotect(b + PAGE, PAGE, PROT_READ);
    line_at("the rest of it", pid, a + 3 * PAGE, &st);
    line_at("a piece", pid, b + PAGE, &st);
    line_at("behind it", pid, b + 2 * PAGE, &st);
    rename("/tmp/file.mapped", "/tmp/file.mapped2");
    line_at("renamed", pid, b, &st);
    unlink("/tmp/file.mapped2");
    line_at("unlinked", pid, b, &st);
    munmap(a + 3 * PAGE, 5 * PAGE), munmap(b, 4 * PAGE), munmap(c, PAGE), munmap(d, 2 * PAGE);
    close(fd), close(mem);
}

static void infos(const char *pid)
{
    char name[60];
    struct stat st;
    unsigned long ino = 0;
    long pos = -1;
    unsigned flags = 0;
    int fd = open("/tmp/file.mapped", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    put(fd, "some bytes");
    fstat(fd, &st);
    snprintf(name, sizeof(name), "/proc/%s/fdinfo/%d", pid, fd);
    whole(name);
    for (char *l = strtok(text, "\n"); l; l = strtok(NULL, "\n")) {
        sscanf(l, "pos:\t%ld", &pos);
        sscanf(l, "flags:\t%o", &flags);
        sscanf(l, "ino:\t%lu", &ino);
    }
    printf("pos %ld flags %o inode %s\n", pos, flags, ino == st.st_ino ? "right" : "wrong");
    close(fd);
    whole(name);
    printf("closed: %zu\n", strlen(text));
    unlink("/tmp/file.mapped");
}

static void adjust(const char *pid, const char *to)
{
    char name[60];
    snprintf(name, sizeof(name), "/proc/%s/oom_score_adj", pid);
    int fd = open(name, O_WRONLY);
    ssize_t r = write(fd, to, strlen(to));
    printf("adjust %s: %zd %s", to, r, r < 0 ? strerrorname_np(errno) : "ok");
    close(fd);
    whole(name);
    printf(", is %s", text);
}

static void when_out_of_memory(const char *pid)
{
    char name[60];
    adjust(pid, "500");
    snprintf(name, sizeof(name), "/proc/%s/oom_score", pid);
    whole(name);
    printf("score %s\n", atoi(text) >= 1000 && atoi(text) <= 1020 ? "as expected" : text);
    adjust(pid, "1001");
    adjust(pid, "many");
    fflush(stdout);
    if (fork() == 0) {
        adjust("self", "200\n");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    adjust(pid, "0");
}

// Runs itself once more with an argument that is long.
static void words(char **argv)
{
    if (argv[1] && strlen(argv[1]) > 10000) {
        size_t n = whole("/proc/self/cmdline");
        printf("cmdline %zu %d %c\n", n - strlen(argv[0]), !strcmp(text, argv[0]), text[n - 2]);
        n = whole("/proc/self/environ");
        printf("environ %zu %c\n", n, text[n - 2]);
        fflush(stdout);
        _exit(0);
    }
    fflush(stdout);
    if (fork() == 0) {
        static char arg[100001], set[60001] = "X=";
        memset(arg, 'a', 100000);
        memset(set + 2, 'e', 59998);
        arg[99999] = 'z', set[59999] = 'y';
        char *args[] = {argv[0], arg, NULL}, *env[] = {set, NULL};
        execve("/proc/self/exe", args, env);
        _exit(1);
    }
    wait(NULL);
}

int main(int argc, char **argv)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    words(argv);
    maps("self");
    infos("self");
    when_out_of_memory("self");
    if (argc > 1) {
        move_to(1);
        maps(pid);
        infos(pid);
        when_out_of_memory(pid);
        int up[2], down[2];
        char c;
        fflush(stdout);
        if (pipe(up) || pipe(down))
            exit(1);
        pid_t child = fork();
        if (child == 0) { // who stays looks at who went
            move_to(0);
            put(up[1], "x");
            if (read(down[0], &c, 1) != 1)
                exit(1);
            snprintf(text, sizeof(text), "/proc/%s/cmdline", pid);
            printf("of the other: %d\n", whole(text) > 3);
            maps("self");
            exit(0);
        }
        if (read(up[0], &c, 1) == 1)
            put(down[1], "y");
        wait(NULL);
    }
    return 0;
}
