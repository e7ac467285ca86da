// SPDX-License-Identifier: MIT
// What programs share that print what each call gives, the same on Linux and on Weft.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline const char *error_name(long r)
{
    return r < 0 ? strerrorname_np(errno) : "ok";
}

static inline long say(const char *what, long r)
{
    if (r < 0)
        printf("%s: %s\n", what, error_name(r));
    else
        printf("%s: %ld\n", what, r);
    fflush(stdout);
    return r;
}

static inline void done(const char *what, long r) // a descriptor's number does not matter
{
    printf("%s: %s\n", what, error_name(r));
}

static inline void show_poll(const char *what, int fd)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
    int r = poll(&p, 1, 0);
    printf("%s: poll %d", what, r);
    printf("%s%s%s%s%s\n", p.revents & POLLIN ? " IN" : "", p.revents & POLLOUT ? " OUT" : "",
           p.revents & POLLRDHUP ? " RDHUP" : "", p.revents & POLLHUP ? " HUP" : "",
           p.revents & POLLERR ? " ERR" : "");
}

static inline void put(int fd, const char *s)
{
    if (write(fd, s, strlen(s)) != (ssize_t)strlen(s))
        say("write", -1);
}
