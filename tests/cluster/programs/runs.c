// SPDX-License-Identifier: MIT
// Programs that have no name, lie in memory, or cannot be read by who runs them. The same on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];

static int is_run(void)
{
    char exe[128] = {0};
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    int fd = open("/proc/self/exe", O_RDONLY);
    size_t skip = strncmp(exe, base, strlen(base)) ? 0 : strlen(base);
    printf("runs: %s, readable %d, dumpable %d\n", n < 0 ? strerrorname_np(errno) : exe + skip,
           fd >= 0, prctl(PR_GET_DUMPABLE) == 1);
    return 7;
}

static void copy_to(int to)
{
    static char bytes[1 << 16];
    int from = open("/proc/self/exe", O_RDONLY);
    for (ssize_t n; (n = read(from, bytes, sizeof(bytes))) > 0;) {
        if (write(to, bytes, (size_t)n) != n)
            perror("write");
    }
    close(from);
    fchmod(to, 0755);
}

static const char *copy_as(const char *name)
{
    static char path[2][96];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof(path[turn]), "%s-%s", base, name);
    int fd = open(path[turn], O_WRONLY | O_CREAT | O_TRUNC, 0755);
    copy_to(fd);
    close(fd);
    return path[turn];
}

static void run(const char *what, int fd, const char *path, uid_t uid)
{
    char *argv[] = {(char *)"runs", base, NULL}, *none[] = {NULL};
    int status;
    fflush(stdout);
    if (fork() == 0) {
        if (uid && setresuid(uid, uid, uid))
            _exit(2);
        syscall(SYS_execveat, fd, path, argv, none, *path ? 0 : AT_EMPTY_PATH);
        printf("not run: %s\n", strerrorname_np(errno));
        fflush(stdout);
        _exit(1);
    }
    printf("%s: %x\n", what, wait(&status) > 0 ? status : -1);
}

static void nameless(void)
{
    const char *path = copy_as("gone");
    int fd = open(path, O_RDONLY), only_name = open(path, O_PATH);
    char link[40];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    run("named", fd, "", 0);
    unlink(path);
    run("unlinked", fd, "", 0);
    run("its path", only_name, "", 0);
    run("by its link", AT_FDCWD, link, 0);
    fchmod(fd, 0644);
    run("without x", fd, "", 0);
    close(fd), close(only_name);
}

static void in_memory(void)
{
    int fd = memfd_create("program", 0);
    char link[40];
    copy_to(fd);
    run("memfd", fd, "", 0);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    int writer = open(link, O_RDWR);
    run("while another may write", fd, "", 0);
    close(writer);
    run("after", fd, "", 0);
    writer = open(link, O_RDWR);
    printf("writer %d\n", writer >= 0);
    close(fd), close(writer);
}

static void unreadable(void)
{
    const char *path = copy_as("unreadable");
    chmod(path, 0711);
    run("to be run alone", AT_FDCWD, path, 12345);
    run("its owner", AT_FDCWD, path, 0);
    chmod(path, 0744);
    run("to be read alone", AT_FDCWD, path, 12345);
    chmod(path, 0700);
    run("another's", AT_FDCWD, path, 12345);
    unlink(path);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        snprintf(base, sizeof(base), "%s", argv[1]);
    else
        snprintf(base, sizeof(base), "/tmp/runs-%d", (int)getpid());
    if (argc > 1)
        return is_run();
    nameless();
    in_memory();
    unreadable();
    return 0;
}
