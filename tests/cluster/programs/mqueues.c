// SPDX-License-Identifier: MIT
// POSIX message queues by their system calls; with a word it moves between two nodes all the while.
#define _GNU_SOURCE
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "move.h"
#include "say.h"

static int moves, at_node;

static void move_on(void)
{
    if (moves)
        move_to(at_node = !at_node);
}

static long opened(const char *name, int flags, mode_t mode, struct mq_attr *a)
{
    return syscall(SYS_mq_open, name, flags, mode, a);
}

static long sent(int q, const char *text, unsigned priority, const struct timespec *until)
{
    return syscall(SYS_mq_timedsend, q, text, strlen(text), priority, until);
}

static void got(const char *what, int q, size_t size, const struct timespec *until)
{
    char text[256] = "";
    unsigned priority = 0;
    long n = syscall(SYS_mq_timedreceive, q, text, size, &priority, until);
    printf("%s: %s %ld '%s' %u\n", what, error_name(n), n, text, priority);
    fflush(stdout);
}

static void attributes(const char *what, int q)
{
    struct mq_attr a;
    long r = syscall(SYS_mq_getsetattr, q, NULL, &a);
    printf("%s: %s %lx %ld %ld %ld\n", what, error_name(r), a.mq_flags, a.mq_maxmsg, a.mq_msgsize,
           a.mq_curmsgs);
}

static void errors(void)
{
    static char name[300];
    struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 64}, zero = {.mq_maxmsg = 0, .mq_msgsize = 1};
    struct mq_attr many = {.mq_maxmsg = 70000, .mq_msgsize = 1};
    memset(name, 'n', 299);
    say("none", opened("weft-none", O_RDWR, 0, NULL));
    say("empty", opened("", O_RDWR | O_CREAT, 0600, NULL));
    say("slash", opened("/a", O_RDWR | O_CREAT, 0600, NULL));
    say("dot", opened(".", O_RDWR | O_CREAT, 0600, NULL));
    say("long", opened(name, O_RDWR | O_CREAT, 0600, NULL));
    say("bad name", opened((void *)1, O_RDWR | O_CREAT, 0600, NULL));
    say("bad attr", opened("weft-q", O_RDWR | O_CREAT, 0600, (void *)1));
    say("zero", opened("weft-q", O_RDWR | O_CREAT, 0600, &zero));
    say("many", opened("weft-q", O_RDWR | O_CREAT, 0600, &many));
    say("no unlink", syscall(SYS_mq_unlink, "weft-none"));
    say("bad unlink", syscall(SYS_mq_unlink, (void *)1));
    int q = (int)opened("weft-q", O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640, &a);
    done("made", q);
    say("exclusive", opened("weft-q", O_RDWR | O_CREAT | O_EXCL, 0600, &zero));
    done("again", opened("weft-q", O_RDONLY, 0, &zero));
    say("no access", opened("weft-q", O_RDWR | O_WRONLY, 0, NULL));
    printf("cloexec %d flags %x\n", fcntl(q, F_GETFD),
           fcntl(q, F_GETFL) & ~(O_LARGEFILE | O_CLOEXEC));
    struct stat st;
    say("fstat", fstat(q, &st));
    printf("mode %o size %ld links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
    close(q);
}

static void order(void)
{
    int q = (int)opened("weft-q", O_RDWR | O_NONBLOCK, 0, NULL);
    struct timespec wrong = {0, 1000000000};
    move_on();
    attributes("new", q);
    show_poll("empty", q);
    got("nothing", q, 64, NULL);
    got("too little", q, 63, NULL);
    say("low", sent(q, "low", 0, NULL));
    say("high", sent(q, "high", 9, NULL));
    say("middle", sent(q, "middle", 5, NULL));
    move_on();
    say("high too", sent(q, "high too", 9, NULL));
    attributes("full", q);
    show_poll("full", q);
    say("one too many", sent(q, "x", 0, NULL));
    say("wrong time", sent(q, "x", 0, &wrong));
    say("wrong priority", sent(q, "x", 32768, NULL));
    say("too long", syscall(SYS_mq_timedsend, q, (void *)1, 65, 0, NULL));
    got("1", q, 64, NULL);
    got("2", q, 100, NULL);
    move_on();
    got("3", q, 64, NULL);
    got("4", q, 64, NULL);
    say("bad bytes", syscall(SYS_mq_timedsend, q, (void *)1, 3, 0, NULL));
    say("nothing in it", sent(q, "", 32767, NULL));
    got("empty one", q, 64, NULL);
    int r = (int)opened("weft-q", O_RDONLY | O_NONBLOCK, 0, NULL);
    int w = (int)opened("weft-q", O_WRONLY, 0, NULL);
    say("cannot send", sent(r, "x", 0, NULL));
    got("cannot receive", w, 64, NULL);
    say("by another", sent(w, "by another", 1, NULL));
    got("here", r, 64, NULL);
    say("no queue", sent(1, "x", 0, NULL));
    got("no file", 99, 64, NULL);
    char c;
    say("write", write(q, &c, 1));
    struct mq_attr a = {.mq_flags = O_NONBLOCK | O_APPEND};
    say("bad flags", syscall(SYS_mq_getsetattr, q, &a, NULL));
    a.mq_flags = 0;
    say("block", syscall(SYS_mq_getsetattr, q, &a, NULL));
    attributes("blocks", q);
    say("bad set", syscall(SYS_mq_getsetattr, q, (void *)1, NULL));
    say("bad get", syscall(SYS_mq_getsetattr, q, NULL, (void *)1));
    say("no queue", syscall(SYS_mq_getsetattr, 1, NULL, &a));
    close(q), close(r), close(w);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void waits(void)
{
    int q = (int)opened("weft-q", O_RDWR, 0, NULL), status;
    struct timespec past = {1, 0}, soon;
    got("past", q, 64, &past);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_sec++;
    got("a second", q, 64, &soon);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        usleep(300000);
        sent(q, "late", 2, NULL);
        for (int k = 0; k < 5; k++)
            sent(q, "fill", 0, NULL); // the last waits for room
        _exit(7);
    }
    got("late", q, 64, NULL);
    move_on();
    for (int k = 0; k < 5; k++)
        got("fill", q, 64, NULL);
    waitpid(child, &status, 0);
    printf("child %d\n", WEXITSTATUS(status));
    struct sigaction s = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &s, NULL);
    ualarm(200000, 0);
    got("interrupted", q, 64, NULL);
    close(q);
}

static void notices(void)
{
    int q = (int)opened("weft-q", O_RDWR | O_NONBLOCK, 0, NULL);
    struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
    struct sigevent wrong = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    struct sigevent odd = {.sigev_notify = 17}, quiet = {.sigev_notify = SIGEV_NONE};
    struct timespec now = {0, 0}, second = {5, 0};
    siginfo_t info;
    sigset_t set;
    e.sigev_value.sival_int = 42;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    say("wrong signal", syscall(SYS_mq_notify, q, &wrong));
    say("odd", syscall(SYS_mq_notify, q, &odd));
    say("no queue", syscall(SYS_mq_notify, 1, &e));
    say("bad", syscall(SYS_mq_notify, q, (void *)1));
    say("off", syscall(SYS_mq_notify, q, NULL));
    say("on", syscall(SYS_mq_notify, q, &e));
    say("twice", syscall(SYS_mq_notify, q, &e));
    move_on();
    say("send", sent(q, "one", 0, NULL));
    say("signal", sigtimedwait(&set, &info, &second) == SIGRTMIN);
    printf("code %d value %d mine %d\n", info.si_code, info.si_value.sival_int,
           info.si_pid == getpid());
    say("on again", syscall(SYS_mq_notify, q, &e));
    say("send", sent(q, "two", 0, NULL));
    say("not empty", sigtimedwait(&set, &info, &now));
    got("one", q, 64, NULL);
    got("two", q, 64, NULL);
    move_on();
    say("off", syscall(SYS_mq_notify, q, NULL));
    say("quiet", syscall(SYS_mq_notify, q, &quiet));
    say("busy", syscall(SYS_mq_notify, q, &e));
    say("send", sent(q, "three", 0, NULL));
    say("none", sigtimedwait(&set, &info, &now));
    say("free again", syscall(SYS_mq_notify, q, &e));
    close(q);
}

int main(int argc, char **argv)
{
    moves = argc > 1;
    (void)argv;
    syscall(SYS_mq_unlink, "weft-q");
    move_on();
    errors();
    order();
    waits();
    notices();
    int q = (int)opened("weft-q", O_RDWR, 0, NULL);
    say("unlink", syscall(SYS_mq_unlink, "weft-q"));
    say("gone", opened("weft-q", O_RDWR, 0, NULL));
    attributes("still there", q);
    say("closed by exec", fcntl(q, F_GETFD));
    say("unlink twice", syscall(SYS_mq_unlink, "weft-q"));
    return 0;
}
