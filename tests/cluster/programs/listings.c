// SPDX-License-Identifier: MIT
// What /proc lists of locks, of System V objects, of what a process reads, writes and waits in;
// "far": asked on node 1, of children that move.
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "said.h"

#define KEY 0x57454654

static char text[1 << 16];
static bool far;

// Moves a process that waits, or this one; what it writes for that is not counted as the other's.
static void move(pid_t pid, int node)
{
    char path[64];
    if (!far)
        return;
    snprintf(path, sizeof(path), "/proc/%d/node", pid);
    int fd = open(path, O_WRONLY);
    if (fd >= 0 && write(fd, node ? "1" : "0", 1) != 1)
        printf("move to %d: %s\n", node, strerrorname_np(errno));
    close(fd);
}

static const char *text_of(const char *path)
{
    ssize_t n, all = 0;
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && (n = read(fd, text + all, sizeof(text) - 1 - all)) > 0)
        all += n;
    text[all] = '\0';
    close(fd);
    return fd < 0 ? NULL : text;
}

// ---- /proc/PID/io
// --------------------------------------------------------------------------------
static const char *const io_names[] = {"rchar: ", "wchar: ", "syscr: ", "syscw: "};

struct io {
    uint64_t of[4];
};

static struct io io_now(const char *path)
{
    struct io io = {0};
    text_of(path);
    for (int k = 0; k < 4; k++)
        io.of[k] = strtoull(strstr(text, io_names[k]) + strlen(io_names[k]), NULL, 10);
    return io;
}

// What it wrote before is counted when it waits for more.
static void wait_until_it_reads(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
    while (strncmp(text_of(path), "3 ", 2) != 0)
        usleep(1000);
}

// How far a child, which reads and writes in its way, is further when it has done so.
static void counted(const char *what, void (*work)(int fd))
{
    int go[2], done[2], fd = open("listings.data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char path[64], c = 0;
    write(fd, text, 1000);
    lseek(fd, 0, SEEK_SET);
    pipe(go);
    pipe(done);
    pid_t child = fork();
    if (child == 0) {
        write(done[1], &c, 1);
        read(go[0], &c, 1);
        work(fd);
        write(done[1], &c, 1);
        read(go[0], &c, 1);
        _exit(0);
    }
    snprintf(path, sizeof(path), "/proc/%d/io", child);
    read(done[0], &c, 1);
    wait_until_it_reads(child);
    struct io before = io_now(path);
    move(child, 0);
    write(go[1], &c, 1);
    read(done[0], &c, 1);
    wait_until_it_reads(child);
    move(child, 1);
    struct io after = io_now(path);
    write(go[1], &c, 1);
    waitpid(child, NULL, 0);
    printf("%s:", what);
    for (int k = 0; k < 4; k++)
        printf(" %s%" PRIu64, io_names[k], after.of[k] - before.of[k]);
    printf("\n");
    close(fd);
    unlink("listings.data");
}

static void reads(int fd)
{
    char bytes[100];
    for (int k = 0; k < 5; k++)
        read(fd, bytes, 70);
    pread(fd, bytes, 30, 900);
    pread(fd, bytes, 30, 5000);
    read(-1, bytes, 1);
}

static void writes(int fd)
{
    write(fd, "hello", 5);
    pwrite(fd, "hello", 5, 20);
    write(fd, NULL, 7);
}

static void vectors(int fd)
{
    char a[10], b[20];
    struct iovec v[] = {{a, sizeof(a)}, {b, sizeof(b)}};
    readv(fd, v, 2);
    writev(fd, v, 2);
}

static void between(int fd)
{
    int to = open("listings.to", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t at = 100;
    sendfile(to, fd, &at, 300);
    close(to);
    unlink("listings.to");
}

static void child_of_child(int fd)
{
    if (fork() == 0) {
        write(fd, "four", 4);
        _exit(0);
    }
    wait(NULL);
}

// ---- /proc/PID/syscall, personality
// --------------------------------------------------------------
static void waits_in(void)
{
    int p[2];
    char path[64], state = 0;
    unsigned number, a[6];
    pipe(p);
    pid_t child = fork();
    if (child == 0) {
        personality(ADDR_NO_RANDOMIZE);
        move(getpid(), 0);
        syscall(SYS_read, p[0], &state, 1);
        _exit(0);
    }
    snprintf(path, sizeof(path), "/proc/%d/syscall", child);
    while (strncmp(text_of(path), "3 0x", 4) != 0)
        usleep(1000); // it does not wait yet
    int n = sscanf(text, "%u %x %x %x", &number, &a[0], &a[1], &a[2]);
    printf("%d: call %u, descriptor %s, address %s, bytes %u\n", n, number,
           a[0] == (unsigned)p[0] ? "right" : "wrong",
           a[1] == (unsigned)(uintptr_t)&state ? "right" : "wrong", a[2]);
    snprintf(path, sizeof(path), "/proc/%d/personality", child);
    printf("personality %s", text_of(path));
    write(p[1], "", 1);
    waitpid(child, NULL, 0);
    printf("own call %s\n", strncmp(text_of("/proc/self/syscall"), "3 0x", 4) ? "wrong" : "right");
}

// ---- /proc/sysvipc
// ------------------------------------------------------------------------------- The words of the
// line of our key, but ids and times.
static void object(const char *name, int words, unsigned long shown)
{
    char path[64], key[16];
    snprintf(path, sizeof(path), "/proc/sysvipc/%s", name);
    snprintf(key, sizeof(key), "%10d ", KEY);
    const char *line = text_of(path) ? strstr(text, key) : NULL;
    printf("%s: %.30s...", name, text);
    for (int k = 0; line && k < words; k++) {
        while (*line == ' ')
            line++;
        int n = strcspn(line, " \n");
        if (shown & 1ul << k)
            printf(" %.*s", n, line);
        line += n;
    }
    printf("%s\n", line ? "" : " none");
}

static void objects(void)
{
    struct {
        long type;
        char bytes[12];
    } m = {1, "twelve bytes"};
    umask(0);
    int shm = shmget(KEY, 5000, IPC_CREAT | 0640), sem = semget(KEY, 3, IPC_CREAT | 0604);
    int msg = msgget(KEY, IPC_CREAT | 0622);
    void *at = shmat(shm, NULL, 0);
    msgsnd(msg, &m, sizeof(m.bytes), 0);
    object("shm", 11, 0x7cdul);
    object("sem", 8, 0xfdul);
    object("msg", 12, 0x79dul);
    shmctl(shm, IPC_RMID, NULL);
    object("shm", 11, 0x7cdul);
    shmdt(at);
    semctl(sem, 0, IPC_RMID);
    msgctl(msg, IPC_RMID, NULL);
    object("shm", 11, 0x7cdul);
    object("sem", 8, 0xfdul);
    object("msg", 12, 0x79dul);
}

// ---- /proc/locks
// --------------------------------------------------------------------------------- Lines of locks
// on a file: all but number, device and inode.
static void locks_of(const char *path)
{
    struct stat st;
    char inode[32];
    stat(path, &st);
    snprintf(inode, sizeof(inode), ":%llu ", (unsigned long long)st.st_ino);
    text_of("/proc/locks");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char kind[16], how[16], access[16];
        int pid, at = 0;
        if (strstr(line, inode) &&
            sscanf(line, "%*d: %15s %15s %15s %d %*s %n", kind, how, access, &pid, &at) == 4)
            printf("lock %s %s %s %s %s\n", kind, how, access,
                   pid == getpid() ? "mine"
                   : pid < 0       ? "nobody's"
                                   : "another's",
                   line + at);
    }
    printf("these\n");
}

static void set_lock(int fd, int command, int type, off_t from, off_t n)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = n};
    T(fcntl(fd, command, &l));
}

static void locks(void)
{
    int fd = open("listings.lock", O_RDWR | O_CREAT, 0600);
    int other = open("listings.lock", O_RDWR);
    set_lock(fd, F_SETLK, F_WRLCK, 10, 5);
    locks_of("listings.lock");
    set_lock(fd, F_SETLK, F_UNLCK, 0, 0);
    set_lock(fd, F_SETLK, F_RDLCK, 100, 0);
    locks_of("listings.lock");
    set_lock(fd, F_SETLK, F_UNLCK, 0, 0);
    set_lock(other, F_OFD_SETLK, F_WRLCK, 0, 1);
    locks_of("listings.lock");
    set_lock(other, F_OFD_SETLK, F_UNLCK, 0, 0);
    T(flock(other, LOCK_SH));
    locks_of("listings.lock");
    close(other);
    close(fd);
    locks_of("listings.lock");
    unlink("listings.lock");
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    far = argc > 1 && !strcmp(argv[1], "far");
    move(getpid(), 1);
    counted("reads", reads);
    counted("writes", writes);
    counted("vectors", vectors);
    counted("from file to file", between);
    counted("a child's", child_of_child);
    waits_in();
    objects();
    locks();
    text_of("/proc/swaps");
    printf("%.8s\n", text);
    text_of("/proc/devices");
    printf("%.18s %s\n", text, strstr(text, "136 pts\n") ? "with terminals" : "without");
    return 0;
}
