// SPDX-License-Identifier: MIT
// A program for an image: tells its arguments, echoes a line, ends as asked; or moves a child.
//   guest say STATUS WORD...   guest die   guest lend NODES
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int say(int argc, char **argv)
{
    char line[100] = "";
    for (int i = 0; i < argc; i++)
        printf("arg %d [%s]\n", i, argv[i]);
    printf("ready\n");
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin))
        printf("read [%.*s]\n", (int)strcspn(line, "\n"), line);
    return atoi(argv[2]);
}

static int lines_of(const char *path)
{
    int lines = 0, c;
    FILE *f = fopen(path, "r");
    while (f && (c = getc(f)) != EOF)
        lines += c == '\n';
    if (f)
        fclose(f);
    return lines;
}

static int node_of_self(void)
{
    int node = -1;
    FILE *f = fopen("/proc/self/node", "r");
    if (f && fscanf(f, "%d", &node) != 1)
        node = -1;
    if (f)
        fclose(f);
    return node;
}

static int lend(int nodes)
{
    int status = 0;
    while (lines_of("/proc/cluster/nodes") < nodes)
        usleep(100000);
    if (fork() == 0) {
        int fd = open("/proc/self/node", O_WRONLY);
        if (write(fd, "1", 1) != 1) // it may have just booted beside us: then this waits
            perror("move");
        printf("child on node %d\n", node_of_self());
        fflush(stdout);
        _exit(20 + node_of_self());
    }
    wait(&status);
    printf("parent on node %d\n", node_of_self());
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "say") == 0)
        return say(argc, argv);
    if (argc > 2 && strcmp(argv[1], "lend") == 0)
        return lend(atoi(argv[2]));
    raise(SIGTERM);
    return 1;
}
