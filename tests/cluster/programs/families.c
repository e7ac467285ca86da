// SPDX-License-Identifier: MIT
// Parents and children: fork, vfork, wait in all its forms, groups, job control, exec.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// What a call returned, and its errno.
static void said(const char *what, long result)
{
    int error = result < 0 ? errno : 0;
    printf("%s: %ld errno %d\n", what, result, error);
}

static volatile sig_atomic_t chlds;
static int chld_code, chld_status;
static void on_chld(int s, siginfo_t *i, void *c)
{
    (void)s, (void)c;
    chlds++;
    chld_code = i->si_code;
    chld_status = i->si_status;
}

static void on_usr2(int s)
{
    (void)s;
}

static void basics(void)
{
    int status;
    said("no child", wait(NULL));
    pid_t p = fork();
    if (p == 0)
        _exit(42);
    said("other", waitpid(p + 1000, &status, 0));
    pid_t r = waitpid(p, &status, 0);
    printf("exit %d %d %d\n", r == p, WIFEXITED(status), WEXITSTATUS(status));
    said("again", waitpid(p, &status, 0));
    said("options", waitpid(-1, &status, 0x4000));
    p = fork();
    if (p == 0) {
        usleep(30000);
        _exit(1);
    }
    printf("nohang %d\n", waitpid(p, &status, WNOHANG));
    struct rusage u;
    memset(&u, 0xff, sizeof(u));
    r = wait4(-1, &status, 0, &u);
    printf("wait4 %d %d rusage %d\n", r == p, WEXITSTATUS(status), u.ru_utime.tv_sec == 0);
}

static void ids(void)
{
    siginfo_t i;
    pid_t a = fork();
    if (a == 0)
        _exit(7);
    memset(&i, 0, sizeof(i));
    int r = waitid(P_PID, a, &i, WEXITED | WNOWAIT);
    printf("waitid %d %d code %d status %d\n", r, i.si_pid == a, i.si_code, i.si_status);
    memset(&i, 0, sizeof(i));
    r = waitid(P_ALL, 0, &i, WEXITED);
    printf("waitid %d %d code %d status %d\n", r, i.si_pid == a, i.si_code, i.si_status);
    r = waitid(P_ALL, 0, &i, WEXITED);
    said("waitid none", r);
    r = waitid(P_ALL, 0, &i, 0);
    said("waitid no options", r);
    a = fork();
    if (a == 0) {
        pause();
        _exit(0);
    }
    memset(&i, 0xff, sizeof(i));
    r = waitid(P_PID, a, &i, WEXITED | WNOHANG);
    printf("waitid nohang %d pid %d\n", r, i.si_pid);
    kill(a, SIGKILL);
    r = waitid(P_PID, a, &i, WEXITED);
    printf("waitid killed %d code %d status %d\n", r, i.si_code, i.si_status);
}

static void stops(void)
{
    int status;
    struct sigaction s = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &s, NULL);
    pid_t p = fork();
    if (p == 0) {
        for (;;)
            pause();
    }
    kill(p, SIGSTOP);
    pid_t r = waitpid(p, &status, WUNTRACED);
    printf("stopped %d %d by %d, chld code %d status %d\n", r == p, WIFSTOPPED(status),
           WSTOPSIG(status), chld_code, chld_status);
    printf("again %d\n", waitpid(p, &status, WUNTRACED | WNOHANG));
    kill(p, SIGCONT);
    r = waitpid(p, &status, WCONTINUED);
    printf("continued %d %d\n", r == p, WIFCONTINUED(status));
    kill(p, SIGSTOP);
    waitpid(p, &status, WUNTRACED);
    kill(p, SIGTERM);
    printf("term waits %d\n", waitpid(p, &status, WNOHANG));
    kill(p, SIGCONT);
    r = waitpid(p, &status, 0);
    printf("then dies %d by %d\n", r == p, WTERMSIG(status));
    printf("chlds %d\n", chlds >= 3);
    signal(SIGCHLD, SIG_IGN);
    p = fork();
    if (p == 0)
        _exit(3);
    r = waitpid(p, &status, 0);
    said("ignored", r);
    signal(SIGCHLD, SIG_DFL);
}

static void groups(void)
{
    int status, p[2];
    char c;
    if (pipe(p))
        return;
    pid_t a = fork();
    if (a == 0) {
        close(p[0]);
        setpgid(0, 0);
        printf("own group %d\n", getpgrp() == getpid());
        if (write(p[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    close(p[1]);
    if (read(p[0], &c, 1) != 1)
        printf("no word\n");
    printf("getpgid %d\n", getpgid(a) == a);
    pid_t b = fork();
    if (b == 0) {
        pause();
        _exit(0);
    }
    printf("setpgid %d\n", setpgid(b, a));
    printf("group wait %d\n", waitpid(-a, &status, WNOHANG));
    kill(-a, SIGTERM);
    int n = 0;
    while (waitpid(-a, &status, 0) > 0)
        n += WTERMSIG(status) == SIGTERM;
    printf("group died %d\n", n);
    said("gone", kill(-a, 0));
    said("bad pgid", setpgid(0, -5));
    said("stranger", setpgid(1, 0));
    a = fork();
    if (a == 0) {
        pid_t s = setsid();
        printf("session %d %d\n", s == getpid(), getsid(0) == getpid());
        said("again", setsid());
        said("leader", setpgid(0, 0));
        _exit(0);
    }
    waitpid(a, &status, 0);
}

static void vforks(void)
{
    static volatile int shared = 1;
    int status;
    pid_t p = vfork();
    if (p == 0) {
        shared = 2;
        _exit(5);
    }
    printf("vfork shared %d\n", shared);
    waitpid(p, &status, 0);
    printf("vfork status %d\n", WEXITSTATUS(status));
    shared = 1;
    p = fork();
    if (p == 0) {
        shared = 3;
        _exit(0);
    }
    waitpid(p, &status, 0);
    printf("fork shared %d\n", shared);
}

static void orphans(void)
{
    int p[2];
    pid_t got = 0;
    if (pipe(p))
        return;
    if (fork() == 0) {
        if (fork() == 0) {
            while (getppid() != 1)
                usleep(1000);
            pid_t pp = getppid();
            if (write(p[1], &pp, sizeof(pp)) != sizeof(pp))
                _exit(1);
            _exit(0);
        }
        _exit(0);
    }
    wait(NULL);
    if (read(p[0], &got, sizeof(got)) != sizeof(got))
        printf("no word\n");
    printf("orphan's parent %d\n", got);
    said("not ours", wait(NULL));
}

static int run(char *const argv[], char *const envp[])
{
    int status;
    fflush(stdout);
    pid_t p = fork();
    if (p == 0) {
        execve(argv[0], argv, envp);
        printf("execve: %s\n", strerror(errno));
        fflush(stdout);
        _exit(99);
    }
    waitpid(p, &status, 0);
    return status;
}

static void execs(const char *self)
{
    char *env[] = {"A=1", "B=two words", NULL};
    char *args[] = {(char *)self, "child", "", "x y", NULL};
    printf("exec %x\n", run(args, env));
    char *missing[] = {"/nowhere/at/all", NULL};
    printf("missing %x\n", run(missing, env));
    char *dir[] = {"/", NULL};
    printf("directory %x\n", run(dir, env));
    int fd = open("/tmp/script.test", O_CREAT | O_TRUNC | O_WRONLY, 0755);
    dprintf(fd, "#!%s child  \nnothing\n", self);
    close(fd);
    char *script[] = {"/tmp/script.test", "one", "two", NULL};
    printf("script %x\n", run(script, env));
    chmod("/tmp/script.test", 0644);
    printf("not executable %x\n", run(script, env));
    fd = open("/tmp/script.test", O_TRUNC | O_WRONLY);
    dprintf(fd, "#!/nowhere/x\n");
    fchmod(fd, 0755);
    close(fd);
    printf("no interpreter %x\n", run(script, env));
    fd = open("/tmp/script.test", O_TRUNC | O_WRONLY);
    dprintf(fd, "#!/tmp/script.test\n");
    close(fd);
    printf("loop %x\n", run(script, env));
    fd = open("/tmp/script.test", O_TRUNC | O_WRONLY);
    dprintf(fd, "garbage");
    close(fd);
    printf("garbage %x\n", run(script, env));
    unlink("/tmp/script.test");
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char n[8];
    snprintf(n, sizeof(n), "%d", fd);
    char *fds[] = {(char *)self, "fd", n, NULL};
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, on_usr2);
    printf("fds %x\n", run(fds, env));
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

int main(int argc, char **argv, char **envp)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1 && !strcmp(argv[1], "child")) {
        for (int i = 1; i < argc; i++)
            printf("[%s]", argv[i]);
        for (int i = 0; envp[i]; i++)
            printf("{%s}", envp[i]);
        printf("\n");
        return 3;
    }
    if (argc > 1 && !strcmp(argv[1], "fd")) {
        struct sigaction a, b;
        sigaction(SIGUSR1, NULL, &a);
        sigaction(SIGUSR2, NULL, &b);
        printf("closed %d ignored %d default %d\n", fcntl(atoi(argv[2]), F_GETFD) == -1,
               a.sa_handler == SIG_IGN, b.sa_handler == SIG_DFL);
        return 0;
    }
    basics();
    ids();
    stops();
    groups();
    vforks();
    orphans();
    execs("/proc/self/exe");
    execs(argv[0]);
    return 0;
}
