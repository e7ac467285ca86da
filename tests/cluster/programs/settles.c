// SPDX-License-Identifier: MIT
// What a system says of itself and who may say otherwise: names, ports, PIDs, modes of terminals,
// /proc/sys.
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <asm/termbits.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

static char long_name[66];

static void names_of(const char *what)
{
    struct utsname u;
    uname(&u);
    printf("%s: %s, %s\n", what, u.nodename, u.domainname);
}

static void shows(const char *path)
{
    char text[128];
    int f = open(path, O_RDONLY);
    ssize_t n = read(f, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    printf("%s: %s", path, f < 0 ? "none\n" : text);
    close(f);
}

static void names(void)
{
    struct utsname was;
    uname(&was);
    memset(long_name, 'x', 65);
    T(sethostname("harbour", 7));
    T(setdomainname("sea.example", 11));
    names_of("set");
    shows("/proc/sys/kernel/hostname");
    shows("/proc/sys/kernel/domainname");
    T(sethostname("harbour", 4));
    names_of("a part");
    T(sethostname(long_name, 64));
    T(sethostname(long_name, 65));
    T(syscall(SYS_sethostname, "x", -1));
    T(syscall(SYS_setdomainname, long_name, 65));
    T(syscall(SYS_sethostname, 1, 5));
    T(syscall(SYS_sethostname, 1, 0));
    T(setdomainname("", 0));
    names_of("empty");
    shows("/proc/sys/kernel/hostname");
    sethostname(was.nodename, strlen(was.nodename));
    setdomainname(was.domainname, strlen(was.domainname));
}

static void nobody(void)
{
    if (setresuid(12345, 12345, 12345))
        exit(1);
    T(sethostname("harbour", 7));
    T(sethostname(long_name, 65));
    T(syscall(SYS_setdomainname, 1, 5));
}

// ---- a PID of one's choice ---------------------------------------------------------------------
struct arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

static int chosen[4];

static long make(int pid, unsigned levels, size_t bytes)
{
    struct arguments a = {.exit_signal = SIGCHLD, .set_tid_size = levels};
    a.set_tid = levels && pid != -2 ? (uintptr_t)chosen : 0;
    chosen[0] = pid;
    fflush(stdout);
    long r = syscall(SYS_clone3, &a, bytes);
    if (r == 0)
        _exit(getpid() == pid ? 7 : 8);
    return r;
}

static void chooses(void)
{
    int status;
    pid_t was = fork();
    if (was == 0)
        _exit(0);
    waitpid(was, NULL, 0);
    T(make(0, 1, 88));
    T(make(-1, 1, 88));
    T(make(0x7fffffff, 1, 88));
    T(make(was, 2, 88));
    T(make(was, 33, 88));
    T(make(-2, 1, 88));
    T(make(getpid(), 1, 88));
    T(make(1, 1, 88));
    T(make(was, 1, 63));
    int free = 20000; // or the next that nobody has
    long r;
    while ((r = make(free, 1, 88)) < 0 && errno == EEXIST)
        free++;
    printf("chosen: %d\n", r == free);
    T(make(free, 1, 80)); // it is a zombie at least
    T(waitpid(free, &status, 0) == free);
    printf("status %x\n", status);
    chosen[0] = was;
    struct arguments a = {.exit_signal = SIGCHLD, .set_tid = 1, .set_tid_size = 1};
    T(syscall(SYS_clone3, &a, sizeof(a)));
}

static void chooses_as_nobody(void)
{
    if (setresuid(12345, 12345, 12345))
        exit(1);
    T(make(getpid() + 100, 1, 88));
    T(make(0, 1, 88));
}

// ---- modes of a terminal that stay -------------------------------------------------------------
static void tells(int f, const char *what)
{
    struct termios now, kept;
    ioctl(f, TCGETS, &now);
    ioctl(f, TIOCGLCKTRMIOS, &kept);
    printf("%s: echo %d, icanon %d, erase %d; kept %x %d\n", what, (now.c_lflag & ECHO) != 0,
           (now.c_lflag & ICANON) != 0, now.c_cc[VERASE], kept.c_lflag, kept.c_cc[VERASE]);
}

static int terminal;

static void keeps_as_nobody(void)
{
    struct termios kept;
    if (setresuid(12345, 12345, 12345))
        exit(1);
    T(ioctl(terminal, TIOCGLCKTRMIOS, &kept));
    T(ioctl(terminal, TIOCSLCKTRMIOS, &kept));
}

static void keeps(void)
{
    struct termios kept, now;
    int one = 0, master = posix_openpt(O_RDWR | O_NOCTTY);
    ioctl(master, TIOCSPTLCK, &one);
    terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    tells(terminal, "new");
    memset(&kept, 0, sizeof(kept));
    kept.c_lflag = ECHO, kept.c_cc[VERASE] = 1;
    T(ioctl(terminal, TIOCSLCKTRMIOS, &kept));
    ioctl(terminal, TCGETS, &now);
    now.c_lflag &= ~(ECHO | ICANON);
    now.c_cc[VERASE] = 5;
    T(ioctl(terminal, TCSETS, &now));
    tells(terminal, "kept");
    tells(master, "from behind");
    T(ioctl(terminal, TIOCSLCKTRMIOS, 1));
    in_child(keeps_as_nobody);
    memset(&kept, 0, sizeof(kept));
    T(ioctl(terminal, TIOCSLCKTRMIOS, &kept));
    T(ioctl(terminal, TCSETS, &now));
    tells(terminal, "free");
    T(ioctl(open("/dev/null", O_RDWR), TIOCGLCKTRMIOS, &kept));
}

// Not every Linux has these calls.
static void ports(void)
{
    T(ioperm(0x80, 1, 1));
    T(ioperm(0x80, 1, 0));
    T(ioperm(0, 0, 1));
    T(ioperm(65535, 2, 1));
    T(iopl(0));
    T(iopl(3));
    T(iopl(4));
}

static void is_number(const char *path, long least)
{
    char text[64], *end = text;
    int f = open(path, O_RDONLY);
    ssize_t n = f < 0 ? 0 : read(f, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = 0;
    long v = strtol(text, &end, 10);
    printf("%s: %d %d\n", path, end > text && !strcmp(end, "\n"), v >= least);
    close(f);
}

static void is_uuid(const char *path, char *text)
{
    int f = open(path, O_RDONLY), good = f >= 0 && read(f, text, 64) == 37 && text[36] == '\n';
    for (int i = 0; good && i < 36; i++)
        good = i == 8 || i == 13 || i == 18 || i == 23 ? text[i] == '-' : isxdigit(text[i]) != 0;
    printf("%s: %d %c\n", path, good, text[14]);
    close(f);
}

static void proc_sys(void)
{
    static const char *const equal[] = {
        "/proc/sys/kernel/ostype",        "/proc/sys/kernel/overflowuid",
        "/proc/sys/kernel/overflowgid",   "/proc/sys/fs/mqueue/msg_default",
        "/proc/sys/fs/mqueue/msg_max",    "/proc/sys/fs/mqueue/msgsize_max",
        "/proc/sys/fs/mqueue/queues_max", "/proc/sys/fs/mqueue/msgsize_default",
        "/proc/sys/fs/pipe-max-size"};
    static const char *const numbers[] = {"/proc/sys/kernel/pid_max",
                                          "/proc/sys/kernel/cap_last_cap",
                                          "/proc/sys/kernel/ngroups_max",
                                          "/proc/sys/kernel/tainted",
                                          "/proc/sys/kernel/randomize_va_space",
                                          "/proc/sys/kernel/random/entropy_avail",
                                          "/proc/sys/kernel/random/poolsize",
                                          "/proc/sys/fs/file-max",
                                          "/proc/sys/fs/nr_open",
                                          "/proc/sys/fs/inotify/max_queued_events",
                                          "/proc/sys/fs/inotify/max_user_instances",
                                          "/proc/sys/fs/inotify/max_user_watches",
                                          "/proc/sys/vm/max_map_count"};
    char a[64] = "", b[64] = "";
    for (size_t i = 0; i < sizeof(equal) / sizeof(*equal); i++)
        shows(equal[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        is_number(numbers[i], 0);
    is_uuid("/proc/sys/kernel/random/uuid", a);
    is_uuid("/proc/sys/kernel/random/uuid", b);
    printf("another: %d\n", memcmp(a, b, 36) != 0);
    is_uuid("/proc/sys/kernel/random/boot_id", a);
    is_uuid("/proc/sys/kernel/random/boot_id", b);
    printf("another: %d\n", memcmp(a, b, 36) != 0);
    static const char *const folders[] = {"/proc/sys", "/proc/sys/kernel", "/proc/sys/fs"};
    for (size_t i = 0; i < 3; i++) {
        int dirs = 0;
        DIR *d = opendir(folders[i]);
        for (struct dirent *e; (e = readdir(d));)
            if (!strcmp(e->d_name, "random") || !strcmp(e->d_name, "inotify") ||
                !strcmp(e->d_name, "mqueue") || !strcmp(e->d_name, "kernel") ||
                !strcmp(e->d_name, "vm") || !strcmp(e->d_name, "fs"))
                dirs += e->d_type == DT_DIR;
        printf("%s: %d\n", folders[i], dirs);
        closedir(d);
    }
    chdir("/proc/sys/fs/inotify");
    T(access("max_user_watches", R_OK));
    T(access("../nr_open", R_OK));
    T(access("../../kernel/random/uuid", R_OK));
    T(open("/proc/sys/fs/nothing", O_RDONLY));
    T(open("/proc/sys/fs/inotify/max_user_watches/x", O_RDONLY));
    T(mkdir("/proc/sys/fs/inotify", 0700));
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        ports();
        return 0;
    }
    // Names of its own, where there is such a thing.
    if (unshare(CLONE_NEWUTS))
        errno = 0;
    names();
    in_child(nobody);
    chooses();
    in_child(chooses_as_nobody);
    keeps();
    proc_sys();
    return 0;
}
