// SPDX-License-Identifier: MIT
// Does something in a child and prints its status.
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int in_child(void (*what)(void))
{
    int status;
    fflush(stdout);
    if (fork() == 0) {
        what();
        exit(0);
    }
    wait(&status);
    printf("status %x\n", status);
    return status;
}
