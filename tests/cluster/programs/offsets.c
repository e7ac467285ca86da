// SPDX-License-Identifier: MIT
// offsets FILE ROUNDS: two processes that share one open file (and so one offset) write
// records in turn, the turn passed by the file's own length; each sleeps between. Then checks them.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(void)
{
    struct timespec t = {0, 20000000};

    nanosleep(&t, NULL);
}

static void write_turns(int fd, int rounds, int mine)
{
    char record[16];

    for (int i = 0; i < rounds; i++) {
        while (lseek(fd, 0, SEEK_CUR) / 8 % 2 != mine)
            nap();
        snprintf(record, sizeof record, "%c%06d\n", 'a' + mine, i);
        if (write(fd, record, 8) != 8)
            exit(1);
    }
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 10, status = 1, wrong = 0;
    int fd = argc > 1 ? open(argv[1], O_CREAT | O_TRUNC | O_RDWR, 0600) : -1;
    char record[16], expected[16];

    if (fd < 0)
        return 2;
    pid_t pid = fork();
    write_turns(fd, rounds, pid == 0);
    if (!pid)
        return 0;
    waitpid(pid, &status, 0);
    lseek(fd, 0, SEEK_SET);
    for (int i = 0; i < 2 * rounds; i++) {
        snprintf(expected, sizeof expected, "%c%06d\n", 'a' + i % 2, i / 2);
        wrong += read(fd, record, 8) != 8 || memcmp(record, expected, 8);
    }
    printf("offsets %d wrong %d status %d\n", rounds, wrong, status);
    return wrong || status;
}
