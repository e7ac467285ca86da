// SPDX-License-Identifier: MIT
// Pseudo-terminals, sessions and job control: every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "say.h"
#include <sys/sysmacros.h>
#include <termios.h>

// What can be read within a while, with control characters shown.
static void got(const char *what, int fd)
{
    char c[512];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    printf("%s:", what);
    if (poll(&p, 1, 3000) < 1) {
        printf(" nothing\n");
        return;
    }
    usleep(20000);
    ssize_t n = read(fd, c, sizeof(c));
    printf(" %zd \"", n);
    for (ssize_t k = 0; k < n; k++)
        if (c[k] < ' ')
            printf("\\%o", c[k]);
        else
            putchar(c[k]);
    printf("\"%s\n", n < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
}

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    poll(&p, 1, 0);
    return p.revents;
}

static int open_pair(int *slave)
{
    char name[64];
    int zero = 0, master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) || ptsname_r(master, name, sizeof(name)))
        printf("no pty: %m\n");
    *slave = open(name, O_RDWR | O_NOCTTY);
    return master;
}

static int opening(int m, char *name, size_t size)
{
    int s, n = -1, lock = -1;
    say("master", m >= 0 ? 0 : -1);
    say("TIOCGPTN", ioctl(m, TIOCGPTN, &n));
    snprintf(name, size, "/dev/pts/%d", n);
    say("locked", open(name, O_RDWR | O_NOCTTY));
    say("TIOCGPTLCK", ioctl(m, TIOCGPTLCK, &lock));
    printf("lock %d\n", lock);
    say("grantpt", grantpt(m));
    say("unlockpt", unlockpt(m));
    say("ptsname", strcmp(ptsname(m), name));
    s = open(name, O_RDWR | O_NOCTTY);
    say("slave", s >= 0 ? 0 : -1);
    struct stat a, b;
    say("fstat", fstat(s, &a));
    say("stat", stat(name, &b));
    say("chmod", chmod(name, 0604));
    say("chown", chown(name, 11, 12));
    say("stat", stat(name, &b));
    printf("%o %u %u\n", b.st_mode, b.st_uid, b.st_gid);
    say("back", chmod(name, a.st_mode & 07777) | chown(name, a.st_uid, a.st_gid));
    say("stat", stat(name, &b));
    printf("rdev %d %d same %d mode %o\n", major(a.st_rdev) == 136, (int)minor(a.st_rdev) == n,
           a.st_ino == b.st_ino && a.st_rdev == b.st_rdev, a.st_mode & ~020);
    say("isatty master", isatty(m));
    say("isatty slave", isatty(s));
    say("ttyname", ttyname(s) ? strcmp(ttyname(s), name) : -1);
    say("chmod by fd", fchmod(s, 0600));
    fstat(s, &a);
    printf("mode %o\n", a.st_mode);
    return s;
}

// The lower halves, which TCSETA sets alone.
static void system_v(int s)
{
    struct termios before, t;
    struct { // of <asm/termbits.h>
        unsigned short iflag, oflag, cflag, lflag;
        unsigned char line, cc[8];
    } old;
    tcgetattr(s, &before);
    say("TCGETA", ioctl(s, TCGETA, &old));
    printf("%d %d %d %d cc %d\n", old.iflag == (before.c_iflag & 0xffff),
           old.oflag == (before.c_oflag & 0xffff), old.cflag == (before.c_cflag & 0xffff),
           old.lflag == (before.c_lflag & 0xffff), memcmp(old.cc, before.c_cc, 8));
    old.lflag &= ~ECHO;
    old.cc[VINTR] = 5;
    say("TCSETA", ioctl(s, TCSETA, &old));
    tcgetattr(s, &t);
    printf("echo %d intr %d iexten %d\n", !!(t.c_lflag & ECHO), t.c_cc[VINTR],
           (t.c_lflag ^ before.c_lflag) == ECHO && t.c_cc[VSTART] == before.c_cc[VSTART]);
    say("TCSETAF", ioctl(s, TCSETAF, NULL));
    tcsetattr(s, TCSANOW, &before);
}

static void lines(int m, int s)
{
    struct termios t;
    say("tcgetattr", tcgetattr(s, &t));
    system_v(s);
    printf("%o %o %o %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag);
    for (int k = 0; k < 17; k++)
        printf("%d ", t.c_cc[k]);
    printf("\n");
    printf("ready %x %x\n", ready(m), ready(s));
    put(m, "hello\n");
    got("echo", m);
    printf("ready %x %x\n", ready(m), ready(s));
    got("line", s);
    put(s, "a\tb\nc");
    got("output", m);
    put(m, "abc\177\177d\025ok\n");
    got("edited", s);
    got("its echo", m);
    put(m, "half");
    printf("ready %x\n", ready(s));
    put(m, "\004");
    got("pushed", s);
    put(m, "\004");
    got("end of file", s);
    got("echo", m);
}

static void modes(int m, int s)
{
    struct termios t;
    char c[4];
    int n;
    tcgetattr(s, &t);
    t.c_lflag &= ~(ICANON | ECHO);
    t.c_cc[VMIN] = 1, t.c_cc[VTIME] = 0;
    say("raw", tcsetattr(s, TCSANOW, &t));
    put(m, "x\r");
    got("raw", s);
    t.c_cc[VMIN] = 0, t.c_cc[VTIME] = 1;
    tcsetattr(s, TCSANOW, &t);
    say("timeout", read(s, c, 4));
    put(m, "12345");
    usleep(50000);
    say("FIONREAD", ioctl(s, FIONREAD, &n));
    printf("%d\n", n);
    say("tcflush", tcflush(s, TCIFLUSH));
    ioctl(s, FIONREAD, &n);
    printf("%d\n", n);
    struct winsize w = {33, 99, 1, 2};
    say("TIOCSWINSZ", ioctl(m, TIOCSWINSZ, &w));
    memset(&w, 0, sizeof(w));
    say("TIOCGWINSZ", ioctl(s, TIOCGWINSZ, &w));
    printf("%d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
    say("pgrp of another", tcgetpgrp(s));
    say("sid of another", tcgetsid(s));
    say("bad ioctl", ioctl(s, TIOCGPTN, &n));
    say("drain", tcdrain(s));
}

// TIOCSLCKTRMIOS: what is locked stays as it is, of settings from both ends.
static void locks(void)
{
    struct termios t = {0}, l = {0};
    struct termio old;
    int s, m = open_pair(&s);
    say("TIOCGLCKTRMIOS", ioctl(s, TIOCGLCKTRMIOS, &t));
    printf("locked %x %x\n", t.c_lflag, t.c_cc[VMIN]);
    l.c_lflag = ECHO, l.c_iflag = ICRNL, l.c_cc[VEOF] = 1;
    say("TIOCSLCKTRMIOS", ioctl(s, TIOCSLCKTRMIOS, &l));
    say("of the master", ioctl(m, TIOCGLCKTRMIOS, &t));
    printf("locked %x %x %x\n", t.c_lflag, t.c_iflag, t.c_cc[VEOF]);
    tcgetattr(s, &t);
    cfmakeraw(&t);
    t.c_cc[VEOF] = 7, t.c_cc[VEOL] = 8;
    say("raw", tcsetattr(s, TCSANOW, &t));
    tcgetattr(m, &t);
    printf("now %x %x %x %x\n", t.c_lflag, t.c_iflag, t.c_cc[VEOF], t.c_cc[VEOL]);
    ioctl(s, TCGETA, &old);
    old.c_lflag = old.c_iflag = 0;
    say("TCSETA", ioctl(s, TCSETA, &old));
    tcgetattr(s, &t);
    printf("now %x %x\n", t.c_lflag, t.c_iflag);
    fflush(stdout);
    if (fork() == 0) {
        setuid(65534);
        say("by nobody", ioctl(s, TIOCSLCKTRMIOS, &l));
        say("asked by nobody", ioctl(s, TIOCGLCKTRMIOS, &l));
        _exit(0);
    }
    wait(NULL);
    memset(&l, 0, sizeof(l));
    ioctl(m, TIOCSLCKTRMIOS, &l);
    say("unlocked", ioctl(s, TCSETA, &old));
    tcgetattr(s, &t);
    printf("now %x %x\n", t.c_lflag, t.c_iflag);
    close(s), close(m);
}

static void basics(void)
{
    struct termios t;
    char name[64], c[4];
    int m = posix_openpt(O_RDWR | O_NOCTTY), s = opening(m, name, sizeof(name));
    lines(m, s);
    modes(m, s);
    put(s, "last words");
    close(s);
    printf("ready %x\n", ready(m));
    got("last words", m);
    got("after", m);
    s = open(name, O_RDWR | O_NOCTTY);
    say("open again", s >= 0 ? 0 : -1);
    put(s, "back");
    got("back", m);
    close(m);
    printf("ready %x\n", ready(s));
    say("read", read(s, c, 4));
    say("write", write(s, "x", 1));
    say("ioctl", tcgetattr(s, &t));
    say("gone", open(name, O_RDWR | O_NOCTTY));
    close(s);
}

static void packets(void)
{
    int s, m = open_pair(&s), one = 1, is = 0;
    struct termios t;
    tcgetattr(s, &t);
    t.c_lflag &= ~ECHO;
    tcsetattr(s, TCSANOW, &t);
    say("TIOCPKT", ioctl(m, TIOCPKT, &one));
    say("TIOCGPKT", ioctl(m, TIOCGPKT, &is));
    printf("%d\n", is);
    put(s, "data");
    got("packet", m);
    t.c_iflag &= ~IXON;
    tcsetattr(s, TCSANOW, &t);
    printf("ready %x\n", ready(m));
    got("no stop", m);
    t.c_iflag |= IXON;
    tcsetattr(s, TCSANOW, &t);
    got("do stop", m);
    tcflush(s, TCIFLUSH);
    got("flush", m);
    tcflow(s, TCOOFF);
    got("off", m);
    tcflow(s, TCOON);
    got("on", m);
    close(s), close(m);
}

static volatile sig_atomic_t last, count;
static void on(int sig)
{
    last = sig;
    count++;
}

static void await(const char *what)
{
    for (int k = 0; k < 100 && !count; k++)
        usleep(20000);
    printf("%s: %d\n", what, (int)last);
    fflush(stdout);
    count = last = 0;
}

// A group in the background: what it may do, and what stops it.
static int background(int m, int s)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        char c;
        setpgid(0, 0);
        signal(SIGTTIN, SIG_DFL), signal(SIGTTOU, SIG_DFL);
        say("background read", read(s, &c, 1));
        usleep(400000); // until it is in the background again
        signal(SIGTTIN, SIG_IGN);
        say("background read, deaf", read(s, &c, 1));
        say("background write", write(s, "w", 1));
        struct termios t;
        tcgetattr(s, &t);
        say("background tcsetattr", tcsetattr(s, TCSANOW, &t));
        say("background tcsetpgrp", tcsetpgrp(s, getpgrp()));
        t.c_lflag |= TOSTOP;
        say("TOSTOP", tcsetattr(s, TCSANOW, &t));
        say("now in front", tcgetpgrp(s) == getpid() ? 0 : -1);
        _exit(5);
    }
    setpgid(child, child);
    for (int stops = 0; waitpid(child, &status, WUNTRACED) > 0;) {
        if (!WIFSTOPPED(status))
            break;
        printf("stopped by %d\n", WSTOPSIG(status));
        fflush(stdout);
        if (stops++ == 0) { // in front: reads
            tcsetpgrp(s, child);
            put(m, "q\n");
            kill(-child, SIGCONT);
            usleep(150000);
            signal(SIGTTOU, SIG_IGN);
            say("take back", tcsetpgrp(s, getpgrp()));
            signal(SIGTTOU, SIG_DFL);
        } else {
            tcsetpgrp(s, child);
            kill(-child, SIGCONT);
        }
    }
    return status;
}

// A session of its own; its output goes through a pipe, for the terminal is under test.
static void session(int m, const char *name)
{
    int s;
    for (int k = 1; k < 32; k++)
        if (k != SIGKILL && k != SIGSTOP && k != SIGCHLD && k != SIGTTOU)
            signal(k, on);
    say("setsid", setsid() == getpid() ? 0 : -1);
    s = open(name, O_RDWR | O_NOCTTY);
    say("noctty", open("/dev/tty", O_RDWR));
    say("tcgetpgrp before", tcgetpgrp(s));
    say("TIOCSCTTY", ioctl(s, TIOCSCTTY, 0));
    say("again", ioctl(s, TIOCSCTTY, 0));
    int tty = open("/dev/tty", O_RDWR);
    say("tty", tty >= 0 ? 0 : -1);
    say("sid", tcgetsid(tty) == getpid() ? 0 : -1);
    say("pgrp", tcgetpgrp(tty) == getpid() ? 0 : -1);
    say("pgrp by master", tcgetpgrp(m) == getpid() ? 0 : -1);
    put(m, "\003");
    await("^C");
    put(m, "\034");
    await("^\\");
    put(m, "\032");
    await("^Z");
    struct winsize w = {10, 20, 0, 0};
    ioctl(m, TIOCSWINSZ, &w);
    await("winch");
    say("bad group", tcsetpgrp(s, 30000));
    say("group 1", tcsetpgrp(s, getppid()));
    say("group -1", tcsetpgrp(s, -1));
    int status = background(m, s);
    printf("status %x\n", status);
    fflush(stdout);
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(s, getpgrp());
    count = last = 0;
    close(s), close(tty);
    close(m);
    await("hangup");
    _exit(0);
}

static void sessions(void)
{
    int s, m = open_pair(&s);
    char name[64];
    ptsname_r(m, name, sizeof(name));
    close(s);
    pid_t child = fork();
    if (child == 0)
        session(m, name);
    close(m);
    int status;
    waitpid(child, &status, 0);
    printf("session ended %x\n", status);
}

// The leader opens without O_NOCTTY; when it ends the foreground group is hung up.
static void leader_ends(void)
{
    int s, status, m = open_pair(&s), p[2];
    char name[64];
    ptsname_r(m, name, sizeof(name));
    if (pipe(p))
        return;
    pid_t leader = fork();
    if (leader == 0) {
        close(s);
        setsid();
        s = open(name, O_RDWR);
        say("acquired", tcgetpgrp(s) == getpid() ? 0 : -1);
        pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            signal(SIGHUP, on);
            if (write(p[1], "x", 1) != 1)
                _exit(1);
            while (!count)
                usleep(10000);
            printf("the child hears %d\n", (int)last);
            fflush(stdout);
            if (write(p[1], "y", 1) != 1)
                _exit(1);
            _exit(0);
        }
        setpgid(child, child);
        signal(SIGTTOU, SIG_IGN);
        tcsetpgrp(s, child);
        char c;
        if (read(p[0], &c, 1) != 1)
            _exit(1);
        _exit(0);
    }
    waitpid(leader, &status, 0);
    char c = 0;
    say("leader", read(p[0], &c, 1));
    close(s), close(m), close(p[0]), close(p[1]);
}

static void full(void)
{
    int s, m = open_pair(&s);
    char block[4096];
    memset(block, 'x', sizeof(block));
    fcntl(s, F_SETFL, O_NONBLOCK);
    long n, all = 0;
    int out = POLLOUT;
    for (int k = 0; k < 100; k++) { // Linux takes some of it away later, by a thread of its own
        while ((n = write(s, block, sizeof(block))) > 0)
            all += n;
        out = ready(s) & POLLOUT;
        if (out == 0)
            break;
        usleep(20000);
    }
    say("full", n);
    printf("ready %x\n", out); // not asked again: that thread may have run since
    while (all > 0 && (n = read(m, block, sizeof(block))) > 0)
        all -= n;
    printf("left %ld, ready %x\n", all, ready(s) & POLLOUT);
    close(s), close(m);
}

int main(void)
{
    umask(022);
    basics();
    locks();
    packets();
    sessions();
    leader_ends();
    full();
    return 0;
}
