// SPDX-License-Identifier: MIT
// What a system says of itself and who may say otherwise: names, ports, /proc/sys.
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/io.h>
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
    proc_sys();
    return 0;
}
