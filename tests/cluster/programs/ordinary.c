// SPDX-License-Identifier: MIT
// What an ordinary static program asks for: arguments, environment, memory large and small, files,
// directories, sorting, formats, a child and its status. The output is the same on any Linux.
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void memory(void)
{
    uint32_t sum = 0;
    char *small[500];
    unsigned char *large =
        mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (int i = 0; i < 500; i++) {
        small[i] = malloc(16 + 40 * i);
        sprintf(small[i], "word%d", i * 7919 % 500);
    }
    qsort(small, 500, sizeof *small, by_name);
    for (int i = 0; i < 500; i++) {
        sum = sum * 31 + (uint32_t)atoi(small[i] + 4);
        free(small[i]);
    }
    for (int i = 0; i < 8 << 20; i += 4096)
        large[i] = (unsigned char)(i >> 12);
    for (int i = 0; i < 8 << 20; i += 4096)
        sum += large[i];
    munmap(large, 8 << 20);
    printf("memory %u\n", sum);
}

static void files(const char *folder)
{
    char path[200], back[64] = "";
    struct stat s;

    snprintf(path, sizeof path, "%s/one", folder);
    int made = mkdir(folder, 0750), fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0640);
    ssize_t wrote = write(fd, "hello, file\n", 12);
    lseek(fd, 7, SEEK_SET);
    ssize_t got = read(fd, back, sizeof back);
    fstat(fd, &s);
    close(fd);
    printf("files %d %zd %zd %s", made, wrote, got, back);
    printf("stat %lld %o %d\n", (long long)s.st_size, s.st_mode, (int)s.st_nlink);
    fd = open(path, O_CREAT | O_RDWR | O_EXCL, 0640);
    printf("again %d %s\n", fd, strerror(errno));
    int unlinked = unlink(path), removed = rmdir(folder);
    fd = open(path, O_RDONLY);
    printf("unlink %d rmdir %d open %d %s\n", unlinked, removed, fd, strerror(errno));
}

static void child(void)
{
    int fds[2], status = 0;
    char said[32] = "";

    if (pipe(fds))
        return;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        close(fds[0]);
        _exit(write(fds[1], "from the child", 14) == 14 ? 33 : 1);
    }
    close(fds[1]);
    ssize_t n = read(fds[0], said, sizeof said - 1);
    pid_t waited = waitpid(pid, &status, 0);
    printf("child %zd %s %d %d %d\n", n, said, waited == pid, WIFEXITED(status),
           WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("argument %d [%s]\n", i, argv[i]);
    printf("environment [%s]\n", getenv("ORDINARY") ? getenv("ORDINARY") : "");
    printf("formats %08x %+d %e %.3f %lld %s\n", 0xbeef, 5, 12345.678, 2.0 / 3, (long long)1 << 40,
           "text");
    memory();
    files("/tmp/ordinary.d");
    child();
    fprintf(stderr, "the end\n");
    return 17;
}
