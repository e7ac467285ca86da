// SPDX-License-Identifier: MIT
// Programs that have no name, lie in memory, or cannot be read by who runs them; what scripts are
// told. The same on Linux.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char base[64];

static const char *shown(const char *path)
{
    return strncmp(path, base, strlen(base)) ? path : path + strlen(base);
}

// As interpreter of a script: its first argument is the line's.
static int is_interpreter(int argc, char **argv)
{
    char comm[20] = {0};
    snprintf(base, sizeof(base), "%s", getenv("BASE"));
    prctl(PR_GET_NAME, comm);
    if (strncmp((const char *)getauxval(AT_EXECFN), "/dev/fd/", 8)) // there versions differ
        printf("comm %s, ", comm);
    printf("told %s, arguments", shown((const char *)getauxval(AT_EXECFN)));
    for (int k = 1; k < argc; k++)
        printf(" %s", shown(argv[k]));
    puts("");
    return 8;
}

static int is_run(void)
{
    char exe[128] = {0};
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    int fd = open("/proc/self/exe", O_RDONLY);
    printf("runs: %s, readable %d, dumpable %d\n", n < 0 ? strerrorname_np(errno) : shown(exe),
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
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", base, name);
    int fd = open(path[turn], O_WRONLY | O_CREAT | O_TRUNC, 0755);
    copy_to(fd);
    close(fd);
    return path[turn];
}

static void run(const char *what, int fd, const char *path, uid_t uid)
{
    char variable[80];
    char *argv[] = {(char *)"runs", base, NULL}, *some[] = {variable, NULL};
    snprintf(variable, sizeof(variable), "BASE=%s", base);
    int status;
    fflush(stdout);
    if (fork() == 0) {
        if (uid && setresuid(uid, uid, uid))
            _exit(2);
        syscall(SYS_execveat, fd, path, argv, some, *path ? 0 : AT_EMPTY_PATH);
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

static int line_of(const char *name, const char *interpreter, int flags)
{
    char path[96], line[128];
    snprintf(path, sizeof(path), "%s/%s", base, name);
    int n = snprintf(line, sizeof(line), "#!%s an argument\n", interpreter);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    if (write(fd, line, (size_t)n) != n)
        perror("write");
    close(fd);
    return open(path, O_RDONLY | flags);
}

static void scripts(void)
{
    char first[96];
    const char *program = copy_as("interpreter");
    int fd = line_of("script", program, 0), closes = line_of("closes", program, O_CLOEXEC);
    snprintf(first, sizeof(first), "%s/script", base);
    int dir = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC), nested = line_of("nested", first, 0);
    run("script", AT_FDCWD, first, 0);
    run("by descriptor", fd, "", 0);
    run("by one that closes", closes, "", 0);
    run("in a folder that closes", dir, "script", 0);
    fcntl(dir, F_SETFD, 0);
    run("in a folder", dir, "script", 0);
    run("out and in", dir, "./script", 0);
    run("absolute", dir, first, 0);
    snprintf(first, sizeof(first), "%s/nested", base);
    run("nested", AT_FDCWD, first, 0);
    run("nested by descriptor", nested, "", 0);
    chdir(base);
    run("relative", AT_FDCWD, "script", 0);
    close(fd), close(closes), close(dir), close(nested);
}

static void clear_up(void)
{
    static const char *const names[] = {"interpreter", "script", "closes", "nested"};
    for (unsigned k = 0; k < sizeof(names) / sizeof(*names); k++) {
        char path[96];
        snprintf(path, sizeof(path), "%s/%s", base, names[k]);
        unlink(path);
    }
    rmdir(base);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        snprintf(base, sizeof(base), "%s", argv[1]);
    else
        snprintf(base, sizeof(base), "/tmp/runs-%d", (int)getpid());
    if (argc > 2)
        return is_interpreter(argc, argv);
    if (argc > 1)
        return is_run();
    mkdir(base, 0755);
    nameless();
    in_memory();
    unreadable();
    scripts();
    clear_up();
    return 0;
}
