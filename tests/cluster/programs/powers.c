// SPDX-License-Identifier: MIT
// What each thread may: its ids and capabilities, how setuid, capset, prctl and exec change them,
// and what the kernel asks for. Every line is the same on Linux. CAP_SYS_RESOURCE, which containers
// often lack, is given up first. powers far: they go with a process to the other node.
#define _GNU_SOURCE
#include "child.h"
#include "move.h"
#include "say.h"
#include <arpa/inet.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define SOMEBODY 1234
#define OTHER    4321
#define BIT(c)   (1ull << (c))
#define SUID     "/opt/powers.suid"

typedef unsigned long long set;

static void show_as(const char *what, int tid)
{
    char path[64], line[256];
    snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
    FILE *f = fopen(path, "r");
    printf("%s:\n", what);
    while (f && fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "Uid", 3) || !strncmp(line, "Gid", 3) || !strncmp(line, "Cap", 3) ||
            !strncmp(line, "NoNew", 5) || !strncmp(line, "Groups", 6))
            printf("  %s", line);
    }
    if (f)
        fclose(f);
    int r = prctl(PR_GET_SECUREBITS);
    printf("  secure %x keep %d dumpable %d\n", r, prctl(PR_GET_KEEPCAPS), prctl(PR_GET_DUMPABLE));
    fflush(stdout);
}

static void show(const char *what)
{
    show_as(what, (int)gettid());
}

static int get(pid_t pid, set *e, set *p, set *i)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, pid};
    struct __user_cap_data_struct d[2] = {{0}};
    int r = (int)syscall(SYS_capget, &h, d);
    *e = d[0].effective | (set)d[1].effective << 32;
    *p = d[0].permitted | (set)d[1].permitted << 32;
    *i = d[0].inheritable | (set)d[1].inheritable << 32;
    return r;
}

static int set_to(set e, set p, set i)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {
        {(unsigned)e, (unsigned)p, (unsigned)i},
        {(unsigned)(e >> 32), (unsigned)(p >> 32), (unsigned)(i >> 32)}};
    return (int)syscall(SYS_capset, &h, d);
}

static void without(set gone)
{
    set e, p, i;
    get(0, &e, &p, &i);
    done("capset without", set_to(e & ~gone, p & ~gone, i & ~gone));
}

static void only_effective(set these)
{
    set e, p, i;
    get(0, &e, &p, &i);
    done("capset effective", set_to(these, p, i));
}

static void inheritable(set these)
{
    set e, p, i;
    get(0, &e, &p, &i);
    done("capset inheritable", set_to(e, p, these));
}

static void exec_show(const char *path, const char *word)
{
    fflush(stdout);
    execl(path, "powers", "show", word, NULL);
    say("execl", -1);
}

// ---- set*id
// --------------------------------------------------------------------------------------
static void ids_setuid(void)
{
    done("setuid", setuid(SOMEBODY));
    show("after setuid");
    done("back", setuid(0));
    exec_show("/proc/self/exe", "setuid");
}

static void ids_seteuid(void)
{
    done("seteuid", seteuid(SOMEBODY));
    show("after seteuid");
    done("chown", chown("/opt", 1, 1));
    done("back", seteuid(0));
    show("after seteuid 0");
    done("setresuid", setresuid(SOMEBODY, OTHER, 0));
    show("after setresuid");
    done("setresuid", setresuid(-1, 0, -1));
    show("after euid 0");
    exec_show("/proc/self/exe", "real and effective differ");
}

static void ids_fsuid(void)
{
    printf("%d\n", setfsuid(SOMEBODY));
    show("after setfsuid");
    printf("%d\n", setfsuid(0));
    show("after setfsuid 0");
    only_effective(BIT(CAP_SETUID));
    printf("%d %d\n", setfsuid(SOMEBODY), setfsuid(0));
    show("files' capabilities come with it");
    only_effective(0);
    printf("%d %d\n", setfsuid(7), setfsuid(-1));
    printf("%d %d\n", setfsgid(7), setfsgid(-1));
}

static void ids_no_setuid(void)
{
    only_effective(BIT(CAP_SETGID));
    done("setuid", setuid(SOMEBODY));
    done("setreuid", setreuid(SOMEBODY, SOMEBODY));
    done("setresuid", setresuid(5, 5, 5));
    done("setresuid own", setresuid(0, 0, 0));
    done("setgid", setgid(SOMEBODY));
    gid_t groups[3] = {7, 8, 9};
    done("setgroups", setgroups(3, groups));
    show("groups");
    only_effective(BIT(CAP_SETUID));
    done("setgroups", setgroups(2, groups));
    done("setgid", setgid(OTHER));
    done("setgid own", setgid(SOMEBODY));
    done("setuid", setuid(SOMEBODY));
}

static void ids_keep(void)
{
    done("keep", prctl(PR_SET_KEEPCAPS, 1));
    done("keep 2", prctl(PR_SET_KEEPCAPS, 2));
    done("setuid", setuid(SOMEBODY));
    show("kept");
    only_effective(BIT(CAP_CHOWN));
    show("raised again");
    inheritable(BIT(CAP_CHOWN) | BIT(CAP_KILL));
    done("ambient", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    exec_show("/proc/self/exe", "ambient goes on");
}

// ---- capset
// --------------------------------------------------------------------------------------
static void sets_rules(void)
{
    set e, p, i;
    get(0, &e, &p, &i);
    done("all again", set_to(e, p, i));
    done("effective beyond", set_to(p, p & ~BIT(CAP_KILL), i));
    done("less", set_to(0, p & ~BIT(CAP_KILL), i));
    done("permitted again", set_to(0, p, i));
    done("effective again", set_to(BIT(CAP_CHOWN), p & ~BIT(CAP_KILL), i));
    done("inherit", set_to(BIT(CAP_CHOWN), p & ~BIT(CAP_KILL), BIT(CAP_CHOWN)));
    done("inherit what is not permitted",
         set_to(BIT(CAP_CHOWN), p & ~BIT(CAP_KILL), BIT(CAP_KILL)));
    show("now");
    done("with SETPCAP", set_to(BIT(CAP_SETPCAP), p & ~BIT(CAP_KILL), 0));
    done("inherit what is bounding", set_to(0, 0, BIT(CAP_KILL)));
    show("nothing but that");
    exec_show("/proc/self/exe", "all of root's again");
}

static void sets_versions(void)
{
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_1, 0};
    struct __user_cap_data_struct d[2] = {{1, 1, 1}, {7, 7, 7}};
    done("v1", syscall(SYS_capget, &h, d));
    printf("%x %x %x\n", d[1].effective, d[1].permitted, d[1].inheritable);
    h.version = 0;
    say("v0", syscall(SYS_capget, &h, d));
    printf("%x\n", h.version);
    h.version = 5;
    say("v5 alone", syscall(SYS_capget, &h, NULL));
    say("v3 alone", syscall(SYS_capget, &h, NULL));
    h.version = 9;
    say("v9 set", syscall(SYS_capset, &h, d));
    h.pid = -1;
    say("pid -1", syscall(SYS_capget, &h, d));
    say("set pid -1", syscall(SYS_capset, &h, d));
    h.pid = 32767;
    say("nobody", syscall(SYS_capget, &h, d));
    h.pid = getppid();
    say("parent", syscall(SYS_capget, &h, d));
    say("set parent", syscall(SYS_capset, &h, d));
    h.pid = getpid();
    say("set self", syscall(SYS_capset, &h, d));
    say("no header", syscall(SYS_capget, NULL, d));
    say("bad data", syscall(SYS_capget, &h, (void *)16));
    say("set bad data", syscall(SYS_capset, &h, (void *)16));
    h.version = _LINUX_CAPABILITY_VERSION_1;
    d[0].effective = d[0].permitted = d[0].inheritable = 1;
    say("v1 set", syscall(SYS_capset, &h, d));
    show("the upper half is gone");
}

static void sets_of_others(void)
{
    int up[2], down[2];
    char c;
    set e, p, i;
    if (pipe(up) || pipe(down))
        exit(1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        without(BIT(CAP_CHOWN) | BIT(CAP_KILL));
        put(up[1], "x");
        if (read(down[0], &c, 1) < 0)
            exit(1);
        exit(0);
    }
    if (read(up[0], &c, 1) != 1)
        exit(1);
    get(0, &e, &p, &i);
    set e2, p2, i2;
    int r = get(pid, &e2, &p2, &i2);
    printf("child: %d lacks %llx %llx %llx\n", r, e & ~e2, p & ~p2, i & ~i2);
    put(down[1], "x");
    waitpid(pid, NULL, 0);
    printf("gone: %s\n", error_name(get(pid, &e2, &p2, &i2)));
}

static void sets_bounding(void)
{
    say("read", prctl(PR_CAPBSET_READ, CAP_KILL));
    say("read 41", prctl(PR_CAPBSET_READ, 41));
    say("drop", prctl(PR_CAPBSET_DROP, CAP_KILL));
    say("drop 64", prctl(PR_CAPBSET_DROP, 64));
    say("read", prctl(PR_CAPBSET_READ, CAP_KILL));
    show("still permitted");
    inheritable(BIT(CAP_KILL));
    without(BIT(CAP_SETPCAP));
    say("drop more", prctl(PR_CAPBSET_DROP, CAP_CHOWN));
    exec_show("/proc/self/exe", "less of root");
}

static void sets_ambient(void)
{
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    inheritable(BIT(CAP_CHOWN) | BIT(CAP_FOWNER));
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_FOWNER, 0, 0));
    say("raise 41", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 41, 0, 0));
    say("raise more", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_FOWNER, 1, 0));
    say("op 9", prctl(PR_CAP_AMBIENT, 9, CAP_CHOWN, 0, 0));
    say("is", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
    say("is not", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
    inheritable(BIT(CAP_FOWNER));
    say("went with inheritable", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
    say("clear with more", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
    show("ambient");
    say("lower", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_FOWNER, 0, 0));
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_FOWNER, 0, 0));
    say("clear", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    say("is", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_FOWNER, 0, 0));
    say("secure", prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_FOWNER, 0, 0));
}

// ---- securebits
// ----------------------------------------------------------------------------------
static void secure_bits(void)
{
    say("bits", prctl(PR_SET_SECUREBITS, 0x10000));
    say("keep", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED));
    say("get", prctl(PR_GET_SECUREBITS));
    say("keep", prctl(PR_GET_KEEPCAPS));
    say("not", prctl(PR_SET_KEEPCAPS, 0));
    say("unlock", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS));
    say("more", prctl(PR_SET_SECUREBITS,
                      SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT_LOCKED));
    say("locked", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED |
                                               SECBIT_NOROOT | SECBIT_NOROOT_LOCKED));
    without(BIT(CAP_SETPCAP));
    say("no more", prctl(PR_SET_SECUREBITS, prctl(PR_GET_SECUREBITS)));
    exec_show("/proc/self/exe", "keep is gone");
}

static void secure_no_root(void)
{
    say("no root", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
    inheritable(BIT(CAP_CHOWN));
    exec_show("/proc/self/exe", "root has nothing");
}

static void secure_no_fixup(void)
{
    say("no fixup", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP));
    done("setresuid", setresuid(SOMEBODY, SOMEBODY, SOMEBODY));
    show("nothing lost");
    done("setresuid", setresuid(0, 0, 0));
    only_effective(BIT(CAP_SETUID));
    done("setresuid", setresuid(SOMEBODY, SOMEBODY, 0));
    done("setresuid", setresuid(-1, 0, -1));
    show("nothing won");
    done("access", access("/proc/1/environ", R_OK));
}

// ---- exec
// ----------------------------------------------------------------------------------------
static void copy_self(int uid, int mode)
{
    char buffer[65536];
    int from = open("/proc/self/exe", O_RDONLY),
        to = open(SUID, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    for (ssize_t n; (n = read(from, buffer, sizeof(buffer))) > 0;)
        if (write(to, buffer, (size_t)n) != n)
            exit(1);
    done("fchown", fchown(to, (uid_t)uid, (gid_t)uid));
    done("fchmod", fchmod(to, (mode_t)mode));
    close(from), close(to);
}

static void exec_to_root(void)
{
    done("setuid", setuid(SOMEBODY));
    exec_show(SUID, "set-user-ID root");
}

static void exec_no_new(void)
{
    say("0", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("1 1", prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    say("1", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    say("get", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("get 1", prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
    exec_to_root();
}

static void exec_no_new_root(void)
{
    without(BIT(CAP_CHOWN));
    say("1", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    exec_show("/proc/self/exe", "nothing gained");
}

static void exec_to_user(void)
{
    exec_show(SUID, "set-user-ID somebody by root");
}

static void exec_set_group(void)
{
    inheritable(BIT(CAP_KILL));
    say("raise", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    exec_show(SUID, "set-group-ID: ambient is gone");
}

// ---- threads
// -------------------------------------------------------------------------------------
static int tid_of_other;

static void *other(void *arg)
{
    int *step = arg;
    tid_of_other = (int)gettid();
    say("raw setresuid", syscall(SYS_setresuid32, SOMEBODY, SOMEBODY, SOMEBODY));
    gid_t group = 77;
    say("raw setgroups", syscall(SYS_setgroups32, 1, &group));
    say("raw getuid", syscall(SYS_getuid32));
    done("open of root's", open("/proc/1/environ", O_RDONLY));
    say("raw setuid back", syscall(SYS_setuid32, 0));
    show("the other thread");
    __atomic_store_n(step, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(step, __ATOMIC_SEQ_CST) == 1)
        usleep(1000);
    return NULL;
}

static void *execs(void *arg)
{
    (void)arg;
    say("raw setresuid", syscall(SYS_setresuid32, SOMEBODY, SOMEBODY, SOMEBODY));
    exec_show("/proc/self/exe", "by a thread that is not the first");
    return NULL;
}

static void *sees(void *arg)
{
    (void)arg;
    show("a thread sees setuid of another");
    return NULL;
}

static void *inherits(void *arg)
{
    (void)arg;
    show("a thread begins with its maker's");
    printf("%d %d\n", (int)syscall(SYS_getuid32), (int)syscall(SYS_geteuid32));
    return NULL;
}

static void threads_own(void)
{
    int step = 0;
    pthread_t t;
    pthread_create(&t, NULL, other, &step);
    while (__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    show("the first thread");
    set e, p, i;
    printf("capget of it: %d", get(tid_of_other, &e, &p, &i));
    printf(" %llx %llx\n", e, p);
    show_as("seen from the first", tid_of_other);
    struct stat st;
    stat("/proc/self/status", &st);
    printf("owner %d\n", st.st_uid);
    __atomic_store_n(&step, 2, __ATOMIC_SEQ_CST);
    pthread_join(t, NULL);
    say("raw seteuid", syscall(SYS_setresuid32, 0, SOMEBODY, 0));
    pthread_create(&t, NULL, inherits, NULL);
    pthread_join(t, NULL);
}

static void threads_glibc(void)
{
    pthread_t t;
    done("setuid of all", setuid(SOMEBODY));
    pthread_create(&t, NULL, sees, NULL);
    pthread_join(t, NULL);
}

static void threads_exec(void)
{
    pthread_t t;
    pthread_create(&t, NULL, execs, NULL);
    pthread_join(t, NULL);
}

// ---- what is asked for
// ---------------------------------------------------------------------------
static void try_bind(const char *what)
{
    int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(779)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    done(what, bind(s, (struct sockaddr *)&a, sizeof(a)));
    close(s);
}

static void try_all(void)
{
    struct rlimit l = {100, 100};
    int fd;
    done("  chown", chown("/opt/powers.d/file", SOMEBODY, SOMEBODY));
    done("  chown back", chown("/opt/powers.d/file", 0, 0));
    done("  chmod of other's", chmod("/opt/powers.d/others", 0640));
    done("  utime of other's", utimensat(AT_FDCWD, "/opt/powers.d/others", NULL, 0));
    done("  read closed", fd = open("/opt/powers.d/closed", O_RDONLY));
    close(fd);
    done("  write closed", fd = open("/opt/powers.d/closed", O_WRONLY));
    close(fd);
    done("  list closed", fd = open("/opt/powers.d/dir", O_RDONLY | O_DIRECTORY));
    close(fd);
    done("  make in closed", fd = open("/opt/powers.d/dir/new", O_CREAT | O_RDWR, 0600));
    close(fd);
    done("  access closed", access("/opt/powers.d/closed", R_OK | W_OK));
    done("  eaccess closed", faccessat(AT_FDCWD, "/opt/powers.d/closed", W_OK, AT_EACCESS));
    done("  mknod", mknod("/opt/powers.d/null", S_IFCHR | 0600, makedev(1, 3)));
    unlink("/opt/powers.d/null");
    done("  chroot", chroot("/"));
    done("  raw socket", fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
    close(fd);
    try_bind("  low port");
    done("  kill 1", kill(1, 0));
    done("  nice", setpriority(PRIO_PROCESS, 0, -1));
    done("  nofile", setrlimit(RLIMIT_NOFILE, &l));
    done("  mount", syscall(SYS_mount, "none", "/opt/powers.d/nowhere", "tmpfs", 0, NULL));
    done("  map at 0",
         mmap(NULL, 4096, 1, MAP_FIXED | MAP_PRIVATE | MAP_ANON, -1, 0) == MAP_FAILED ? -1 : 0);
}

static void asked(void)
{
    static const int alone[] = {
        -1,           CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH,  CAP_FOWNER,
        CAP_MKNOD,    CAP_SYS_CHROOT, CAP_NET_RAW,      CAP_NET_BIND_SERVICE, CAP_KILL,
        CAP_SYS_NICE, CAP_SYS_ADMIN,  CAP_SYS_RAWIO};
    umask(0);
    mkdir("/opt/powers.d", 0755);
    close(open("/opt/powers.d/file", O_CREAT | O_RDWR, 0644));
    close(open("/opt/powers.d/others", O_CREAT | O_RDWR, 0644));
    close(open("/opt/powers.d/closed", O_CREAT | O_RDWR, 0600));
    mkdir("/opt/powers.d/dir", 0700);
    done("chown", chown("/opt/powers.d/closed", OTHER, OTHER));
    done("chown", chown("/opt/powers.d/others", OTHER, OTHER));
    done("chown", chown("/opt/powers.d/dir", OTHER, OTHER));
    for (unsigned i = 0; i < sizeof(alone) / sizeof(alone[0]); i++) {
        printf("with %d alone\n", alone[i]);
        fflush(stdout);
        if (fork() == 0) {
            prctl(PR_SET_KEEPCAPS, 1);
            setgid(SOMEBODY), setgroups(0, NULL);
            setuid(SOMEBODY);
            set_to(alone[i] < 0 ? 0 : BIT(alone[i]), alone[i] < 0 ? 0 : BIT(alone[i]), 0);
            try_all();
            exit(0);
        }
        wait(NULL);
        unlink("/opt/powers.d/dir/new");
    }
    fflush(stdout);
    if (fork() == 0) {
        without(BIT(CAP_KILL));
        done("kill 1 as one of its own user", kill(1, 0));
        setresuid(OTHER, OTHER, 0);
        done("kill 1 as its saved user", kill(1, 0));
        exit(0);
    }
    wait(NULL);
    unlink("/opt/powers.d/file"), unlink("/opt/powers.d/others");
    unlink("/opt/powers.d/closed"), rmdir("/opt/powers.d/dir"), rmdir("/opt/powers.d");
}

static void far(void)
{
    gid_t groups[2] = {5, 6};
    setgroups(2, groups);
    prctl(PR_CAPBSET_DROP, CAP_MKNOD);
    inheritable(BIT(CAP_CHOWN) | BIT(CAP_FOWNER));
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0);
    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    done("setresuid", setresuid(SOMEBODY, OTHER, 0));
    show("here");
    pid_t pid = getpid();
    move_to(1);
    show("there");
    fflush(stdout);
    if (fork() == 0) {
        set e, p, i;
        move_to(0);
        int r = get(pid, &e, &p, &i);
        printf("capget from afar: %d %llx %llx %llx\n", r, e, p, i);
        exit(0);
    }
    wait(NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "show")) {
        show(argv[2]);
        return 0;
    }
    prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
    without(BIT(CAP_SYS_RESOURCE));
    setgroups(0, NULL);
    if (argc > 1) {
        far();
        return 0;
    }
    void (*const all[])(void) = {ids_setuid,      ids_seteuid,      ids_fsuid,     ids_no_setuid,
                                 ids_keep,        sets_rules,       sets_versions, sets_of_others,
                                 sets_bounding,   sets_ambient,     secure_bits,   secure_no_root,
                                 secure_no_fixup, exec_no_new_root, threads_own,   threads_glibc,
                                 threads_exec};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        printf("--- %u\n", i);
        in_child(all[i]);
    }
    copy_self(0, 04755);
    in_child(exec_to_root);
    in_child(exec_no_new);
    copy_self(SOMEBODY, 06755);
    in_child(exec_to_user);
    copy_self(SOMEBODY, 02755);
    in_child(exec_set_group);
    unlink(SUID);
    asked();
    return 0;
}
