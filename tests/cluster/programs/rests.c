// SPDX-License-Identifier: MIT
// What calls leave behind in their arguments, and what must arrive in one piece: the rest of a
// timeout, times before 1970, large messages of sockets, raw packets, copies within one file. Every
// line it prints is the same on Linux.
#define _GNU_SOURCE
#include "say.h"
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

// ---- timeouts
static const char *rest(long s)
{
    return s < 100 && s > 50 ? "less" : s == 100 ? "all" : s == 0 ? "nothing" : "odd";
}

static void timeouts(void)
{
    int p[2];
    fd_set r;
    printf("pipe %d\n", pipe(p));
    struct pollfd f = {p[0], POLLIN, 0};
    for (int full = 0; full < 2; full++) {
        struct timeval v = {full ? 100 : 0, full ? 0 : 20000}, zero = {0, 0};
        int32_t t[2] = {full ? 100 : 0, full ? 0 : 20000000}, u[2] = {t[0], t[1]};
        FD_ZERO(&r);
        FD_SET(p[0], &r);
        say("select", select(p[0] + 1, &r, NULL, NULL, &v));
        printf("left: %s %ld\n", rest(v.tv_sec), full ? 0 : v.tv_usec);
        FD_ZERO(&r);
        FD_SET(p[0], &r);
        say("select now", select(p[0] + 1, &r, NULL, NULL, &zero));
        FD_ZERO(&r);
        FD_SET(p[0], &r);
        say("pselect6", syscall(SYS_pselect6, p[0] + 1, &r, NULL, NULL, t, NULL));
        printf("left: %s %d\n", rest(t[0]), full ? 0 : t[1]);
        say("ppoll", syscall(SYS_ppoll, &f, 1, u, NULL, 8));
        printf("left: %s %d\n", rest(u[0]), full ? 0 : u[1]);
        put(p[1], "x");
    }
    int32_t *fixed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fixed[0] = 100;
    mprotect(fixed, 4096, PROT_READ);
    say("a rest that cannot be told", syscall(SYS_ppoll, &f, 1, fixed, NULL, 8));
    close(p[0]), close(p[1]);
}

// ---- times
static void times(void)
{
    static const struct timespec early[] = {{-2, 500000000}, {-1, 999999999}, {-5, 0}, {0, 1}};
    int fd = memfd_create("times", 0);
    struct stat st;
    struct statx sx;
    for (int k = 0; k < 4; k++) {
        struct timespec two[2] = {early[k], early[k]};
        say("futimens", futimens(fd, two));
        fstat(fd, &st);
        statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx);
        printf("%ld %ld, %lld %u\n", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
               (long long)sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec);
    }
    close(fd);
}

// ---- messages
static char out[2][80000], in[2][80000];

static void message(int type)
{
    int s[2];
    struct iovec o[] = {{out[0], 60000}, {out[1], 50000}}, i[] = {{in[0], 70000}, {in[1], 70000}};
    struct msghdr to = {.msg_iov = o, .msg_iovlen = 2}, from = {.msg_iov = i, .msg_iovlen = 2};
    done("pair", socketpair(AF_UNIX, type, 0, s));
    memset(out[0], 'a', 60000), memset(out[1], 'b', 50000), memset(in, 0, sizeof(in));
    say("writev", writev(s[0], o, 2));
    say("sendmsg", sendmsg(s[0], &to, MSG_DONTWAIT));
    say("readv", readv(s[1], i, 2));
    printf("%c %c %c %d\n", in[0][59999], in[0][60000], in[1][39999], in[1][40000]);
    say("recvmsg", recvmsg(s[1], &from, MSG_DONTWAIT));
    printf("%c %c %c %d\n", in[0][59999], in[0][60000], in[1][39999], in[1][40000]);
    say("no more", recv(s[1], in, 1, MSG_DONTWAIT));
    close(s[0]), close(s[1]);
}

static void too_large(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct iovec o[] = {{out[0], 60000}, {out[1], 6000}};
    socklen_t n = sizeof(a);
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    done("bind", bind(s, (struct sockaddr *)&a, n));
    done("name", getsockname(s, (struct sockaddr *)&a, &n));
    done("connect", connect(s, (struct sockaddr *)&a, n));
    say("writev", writev(s, o, 2));
    say("nothing came", recv(s, in, 1, MSG_DONTWAIT));
    o[1].iov_len = 5507;
    say("writev", writev(s, o, 2));
    say("recv", recv(s, in, sizeof(in), MSG_DONTWAIT));
    close(s);
}

// ---- copies
static void copies(void)
{
    int fd = memfd_create("copies", 0);
    char c[32] = {0};
    loff_t from = 0, to = 10, far = 100;
    put(fd, "0123456789");
    say("behind its own end", copy_file_range(fd, &from, fd, &to, 1000, 0));
    say("overlapping", copy_file_range(fd, (loff_t[]){0}, fd, (loff_t[]){5}, 1000, 0));
    say("from behind the end", copy_file_range(fd, &far, fd, (loff_t[]){5}, 1000, 0));
    printf("%ld %s %lld %lld\n", (long)pread(fd, c, 31, 0), c, (long long)from, (long long)to);
    close(fd);
}

// ---- arguments of a program
static void run_with(const char *what, int count, int bytes)
{
    char **argv = calloc((size_t)count + 3, sizeof(*argv)), *word = malloc((size_t)bytes + 1);
    int status;
    memset(word, 'x', (size_t)bytes), word[bytes] = 0;
    argv[0] = (char *)"rests", argv[1] = (char *)"count";
    for (int k = 0; k < count; k++)
        argv[k + 2] = word;
    fflush(stdout);
    if (fork() == 0) {
        execv("/proc/self/exe", argv);
        say(what, -1);
        _exit(1);
    }
    long ended = wait(&status);
    printf("%s: %d %x\n", what, ended > 0, status);
    free(argv), free(word);
}

static void arguments(void)
{
    setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY});
    run_with("few", 3, 10);
    run_with("many", 5000, 30);
    run_with("long", 10, 50000);
    run_with("one of 128 KiB less one", 1, 131071);
    run_with("one of 128 KiB", 1, 131072);
    run_with("nearly 2 MiB", 19, 100000);
    run_with("more than 2 MiB", 22, 100000);
    setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, RLIM_INFINITY});
    run_with("a quarter of a small stack", 20, 10000);
    run_with("more than a quarter", 30, 10000);
}

static void by_descriptor(void)
{
    static char *const argv[] = {(char *)"rests", (char *)"count", NULL}, *const none[] = {NULL};
    int fd = open("/proc/self/exe", O_RDONLY), p[2], status;
    say("no path", syscall(SYS_execveat, fd, "", argv, none, 0));
    say("closed", syscall(SYS_execveat, 99, "", argv, none, AT_EMPTY_PATH));
    say("bad flag", syscall(SYS_execveat, AT_FDCWD, "/x", argv, none, 1));
    say("a link",
        syscall(SYS_execveat, AT_FDCWD, "/proc/self/exe", argv, none, AT_SYMLINK_NOFOLLOW));
    say("a pipe", pipe(p) < 0 ? -1 : syscall(SYS_execveat, p[0], "", argv, none, AT_EMPTY_PATH));
    fflush(stdout);
    if (fork() == 0) {
        syscall(SYS_execveat, fd, "", argv, none, AT_EMPTY_PATH);
        _exit(1);
    }
    say("ended", wait(&status) > 0 ? status : -1);
    close(fd), close(p[0]), close(p[1]);
}

static int count(int argc, char **argv)
{
    size_t all = 0;
    for (int k = 0; k < argc; k++)
        all += strlen(argv[k]) + 1;
    printf("%d words, %zu bytes\n", argc, all);
    return 0;
}

// ---- raw ones
// ------------------------------------------------------------------------------------
static void raw_got(const char *what, int fd)
{
    unsigned char b[200] = {0};
    struct sockaddr_in from = {0};
    socklen_t n = sizeof(from);
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 2000);
    long r = recvfrom(fd, b, sizeof(b), MSG_DONTWAIT, (void *)&from, &n);
    printf("%s: %ld", what, r);
    if (r > 20)
        printf(" version %x ttl %d protocol %d \"%.*s\" from %x %d", b[0], b[8], b[9], (int)r - 20,
               b + 20, ntohl(from.sin_addr.s_addr), ntohs(from.sin_port));
    puts("");
}

// 253 and 254 are for experiments (RFC 3692).
static void raw(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned char whole[26] = {0x45, 0, 0, 26,  0, 0, 0, 0,   9,   253, 0,   0,   127,
                               0,    0, 1, 127, 0, 0, 1, 'w', 'h', 'o', 'l', 'e', '!'};
    int a = socket(AF_INET, SOCK_RAW, 253), b = socket(AF_INET, SOCK_RAW, 254), yes = 1, on = -1;
    int h = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), u = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
    socklen_t n = sizeof(on);
    say("sendto", sendto(a, "hello", 5, 0, (void *)&to, sizeof(to)));
    raw_got("of its protocol", a);
    raw_got("of another", b);
    say("headers", getsockopt(h, IPPROTO_IP, IP_HDRINCL, &on, &n));
    printf("on %d\n", on);
    say("whole packet", sendto(h, whole, sizeof(whole), 0, (void *)&to, sizeof(to)));
    raw_got("of its protocol", a);
    say("short", sendto(h, whole, 10, 0, (void *)&to, sizeof(to)));
    setsockopt(b, IPPROTO_IP, IP_HDRINCL, &yes, sizeof(yes));
    say("another's protocol", sendto(b, whole, sizeof(whole), 0, (void *)&to, sizeof(to)));
    raw_got("of its protocol", a);
    int d = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in at = to;
    n = sizeof(at);
    bind(d, (void *)&at, sizeof(at));
    getsockname(d, (void *)&at, &n);
    unsigned char datagram[12] = {0, 7, 0, 0, 0, 12, 0, 0, 'd', 'a', 't', 'a'};
    memcpy(datagram + 2, &at.sin_port, 2);
    say("datagram", sendto(u, datagram, sizeof(datagram), 0, (void *)&to, sizeof(to)));
    n = sizeof(at);
    char text[20] = "";
    struct pollfd p = {d, POLLIN, 0};
    poll(&p, 1, 2000);
    printf("%zd", recvfrom(d, text, sizeof(text), MSG_DONTWAIT, (void *)&at, &n));
    printf(" %s from port %d\n", text, ntohs(at.sin_port));
    close(a), close(b), close(h), close(u), close(d);
}

// Into a buffer whose second half is not in memory yet.
static void into_new_page(void)
{
    int s[2];
    char *new = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    done("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    say("write", write(s[0], out[0], 3000));
    new[4000] = 1;
    say("read", read(s[1], new + 3000, 3000));
    close(s[0]), close(s[1]);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return count(argc, argv);
    timeouts();
    times();
    message(SOCK_DGRAM);
    message(SOCK_SEQPACKET);
    too_large();
    copies();
    arguments();
    by_descriptor();
    raw();
    into_new_page();
    return 0;
}
