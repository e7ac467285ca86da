// SPDX-License-Identifier: MIT
// A small world of names, descriptors and buffers, that the programs about files share: the same
// few of each again and again, so that the steps meet.
#pragma once

#include "twin.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum {
    FDS = 12,  // descriptors 0 to 11 are the world's, there are no more
    OUT = 900, // stdout moved out of the way
    PAGE = 4096,
    BUFFER = 16 * PAGE,
    OLD = 1000000000 // earlier times were set by the program
};

// How much of a file has memory: fallocate reserves none on Weft, and a hole is made of zeros.
static bool tells_blocks;

static char *buffer; // a page that cannot be touched follows its BUFFER bytes

#define LOW(x)          (unsigned long)(uint64_t)(x)
#define HIGH(x)         (unsigned long)((uint64_t)(x) >> 32)
#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

struct path {
    const char *at;
    char words[40];
};

// Mostly short names; some that are no names, some that are no memory.
static inline struct path draw_path(void)
{
    static const char *const names[] = {"a", "b", "c", "d", "a/a", "d/a", "d/b", "d/d", "d/d/a"};
    static const char *const odd[] = {
        "",        ".",         "..",          "d/",        "a/",   "b//",
        "d/.",     "d/..",      "./a",         "d/../a",    "a/..", "d/../../twin/b",
        "/twin/a", "/twin/d/b", "/twin/",      "../twin/c", "e/.",  "a/a/",
        "/",       "d/d/../a",  "//twin//d//a"};
    static char longest[BUFFER];
    struct path p = {};
    uint32_t way = draw(40);
    if (way > 6) {
        p.at = PICK(names);
    } else if (way > 0) {
        p.at = PICK(odd);
    } else {
        static const unsigned lengths[] = {255, 256, 4095, 4096, 5000};
        switch (draw(4)) {
        case 0:
            p.at = NULL;
            break;
        case 1:
            p.at = (const char *)0xfffff000;
            break;
        case 2:
            p.at = buffer + BUFFER - 3;
            memset(buffer + BUFFER - 3, 'a', 3);
            break;
        default: {
            unsigned length = PICK(lengths);
            memset(longest, 'a', length);
            longest[length] = '\0';
            p.at = longest;
            snprintf(p.words, sizeof(p.words), "a...a (%u)", length);
            return p;
        }
        }
        snprintf(p.words, sizeof(p.words), "bad path %d", p.at == NULL ? 0 : p.at[0] == 'a');
        return p;
    }
    snprintf(p.words, sizeof(p.words), "\"%s\"", p.at);
    return p;
}

static inline int draw_fd(void)
{
    static const int odd[] = {-1, AT_FDCWD, 1000000, FDS, INT_MIN};
    return draw(24) ? (int)draw(FDS) : PICK(odd);
}

static inline int draw_at(void)
{
    return draw(3) ? AT_FDCWD : draw_fd();
}

static inline mode_t draw_mode(void)
{
    static const mode_t modes[] = {0,     0777,  0755,  0700,  0644, 0600, 0444,  0222, 0111,
                                   01777, 02755, 04711, 06777, 0070, 0007, 02745, 07777};
    return PICK(modes);
}

static inline int64_t draw_offset(void)
{
    // None between 2^44, the end of a file to a kernel of 32 bits, and 2^63, that to one of 64.
    static const int64_t offsets[] = {0,    1,     5,     100,   4095,  4096,   4097,    8192,
                                      9000, 12288, 20000, 65536, 70000, 300000, 1 << 20, 3 << 20};
    static const int64_t odd[] = {-1,      -5,        -4096,     INT64_MIN,
                                  INT_MAX, 1ll << 31, 1ll << 32, (1ll << 40) + 3};
    return draw(12) ? PICK(offsets) : PICK(odd);
}

static inline unsigned long draw_length(void)
{
    static const unsigned long lengths[] = {0,    1,    2,    7,     8,     100,   511,   4095,
                                            4096, 4097, 5000, 10000, 16384, 40000, BUFFER};
    return PICK(lengths);
}

// Where to read to or write from, and how much is there.
struct range {
    char *at;
    unsigned long length;
    char words[40];
};

static inline struct range draw_range(void)
{
    // Not the kernel's addresses: to Linux of 64 bits they are this program's, found bad later.
    struct range r = {buffer, draw_length(), ""};
    switch (draw(30)) {
    case 0:
        r.at = NULL;
        snprintf(r.words, sizeof(r.words), "NULL, %lu", r.length);
        break;
    case 1: {
        unsigned long left = 1 + draw(3) * 10;
        r.at = buffer + BUFFER - left;
        r.length = draw(2) ? left + 1 + draw(100) : left;
        snprintf(r.words, sizeof(r.words), "end - %lu, %lu", left, r.length);
        break;
    }
    case 2:
        r.length = draw(2) ? 0x80000000u : 0xffffffffu;
        snprintf(r.words, sizeof(r.words), "buffer, %ld", (long)r.length);
        break;
    default:
        snprintf(r.words, sizeof(r.words), "buffer, %lu", r.length);
    }
    return r;
}

static inline unsigned type_of(int fd)
{
    struct stat64 st;
    return CALL(fstat64, fd, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

// How many bytes a pipe takes depends on how they are spread over its pages, which is Linux's own:
// there is always room.
static inline unsigned long room_of(int fd, unsigned long length)
{
    int in = 0;
    if (type_of(fd) == S_IFIFO && CALL(ioctl, fd, FIONREAD, &in) == 0)
        return in > 20000 ? 0 : in > 0 ? length % 500 : length % 20000;
    return length;
}

static inline void fill(void)
{
    unsigned char byte = (unsigned char)draw(256);
    for (unsigned i = 0; i < BUFFER; i++)
        buffer[i] = (char)(byte + i + i / 256);
}

static inline void said_read(long got, struct range r)
{
    if (got > 0 && r.at)
        said_bytes("read", r.at, got);
}

// Pipes and their like never wait here.
static inline void hush(int fd)
{
    struct stat64 st;
    int flags = (int)CALL(fcntl64, fd, F_GETFL, 0);
    if (flags >= 0 && !(flags & O_PATH) && CALL(fstat64, fd, &st) == 0 && !S_ISREG(st.st_mode) &&
        !S_ISDIR(st.st_mode))
        CALL(fcntl64, fd, F_SETFL, flags | O_NONBLOCK);
}

static inline void said_fd(int fd)
{
    if (fd >= 0 && fd < FDS)
        hush(fd);
}

static inline const char *when(int64_t sec)
{
    static char words[2][32];
    static int turn;
    turn = !turn;
    if (sec >= OLD)
        return "now";
    snprintf(words[turn], sizeof(words[turn]), "%lld", (long long)sec);
    return words[turn];
}

static inline void said_stat(const char *what, const struct statx *st)
{
    printf("%u:   %s %o links %u uid %u gid %u", twin_step, what, st->stx_mode, st->stx_nlink,
           st->stx_uid, st->stx_gid);
    if (!S_ISDIR(st->stx_mode))
        printf(" size %llu", (unsigned long long)st->stx_size);
    if (tells_blocks && !S_ISDIR(st->stx_mode))
        printf(" blocks %llu", (unsigned long long)st->stx_blocks);
    printf(" atime %s mtime %s\n", when(st->stx_atime.tv_sec), when(st->stx_mtime.tv_sec));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

// All under a directory, in order of names, with what is in the files. As root, and not by the
// names the steps use, so that no access time changes.
static inline void said_tree(const char *at, unsigned depth)
{
    static char all[6][64][16];
    unsigned n = 0;
    struct statx st;
    DIR *d = opendir(*at ? at : "/");
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d)) && n < 64;)
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            snprintf(all[depth][n++], sizeof(all[depth][0]), "%.15s", e->d_name);
    closedir(d);
    qsort(all[depth], n, sizeof(all[depth][0]), by_name);
    for (unsigned i = 0; i < n; i++) {
        char path[256], to[256];
        snprintf(path, sizeof(path), "%s/%s", at, all[depth][i]);
        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_ALL, &st))
            continue;
        said_stat(path, &st);
        if (S_ISLNK(st.stx_mode)) {
            long length = readlink(path, to, sizeof(to));
            printf("%u:     to %.*s\n", twin_step, (int)(length < 40 ? length : 40), to);
        } else if (S_ISREG(st.stx_mode) && st.stx_size <= 4 << 20) {
            int fd = open(path, O_RDONLY | O_NOATIME);
            static char in[4 << 20];
            said_bytes("holds", in, read(fd, in, sizeof(in)));
            close(fd);
        } else if (S_ISDIR(st.stx_mode) && depth < 5) {
            said_tree(path, depth + 1);
        }
    }
}

// The whole world: descriptors, their flags and offsets, names. Seen from a child: none of its
// own descriptors or identities are the world's.
static inline void step_look(void)
{
    for (int fd = 0; fd < FDS; fd++) {
        struct statx st;
        long flags = CALL(fcntl64, fd, F_GETFD, 0);
        if (flags < 0)
            continue;
        CALL(statx, fd, "", AT_EMPTY_PATH, STATX_ALL, &st);
        // In a directory an offset is what the file system has it be.
        printf("%u: fd %d: %ld %lo %lld\n", twin_step, fd, flags,
               CALL(fcntl64, fd, F_GETFL, 0) & ~0100000,
               S_ISDIR(st.stx_mode) ? 0 : (long long)lseek64(fd, 0, SEEK_CUR));
        said_stat("of", &st);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_close_range, 0, FDS, 0);
        CALL(setresuid32, 0, 0, 0);
        said_tree("", 0);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

// Most of the world's steps as another user.
static inline void step_become(void)
{
    static const uid_t ids[] = {0, 0, 1000, 2000};
    uid_t uid = PICK(ids);
    gid_t gid = PICK(ids);
    CALL(setresuid32, -1, 0, -1);
    CALL(setresgid32, -1, gid, -1);
    said(CALL(setresuid32, -1, uid, -1), "seteuid(%u), setegid(%u)", uid, gid);
}

static inline void step_umask(void)
{
    static const mode_t masks[] = {0, 022, 077, 0777, 027};
    mode_t mask = PICK(masks);
    said(CALL(umask, mask), "umask(%o)", mask);
}

static inline void step_open(void)
{
    static const int access[] = {O_RDONLY,         O_WRONLY,         O_RDWR,   O_RDWR,
                                 O_RDWR | O_CREAT, O_RDWR | O_CREAT, O_ACCMODE};
    static const int more[] = {O_CREAT,    O_EXCL,    O_TRUNC,   O_APPEND,  O_DIRECTORY,
                               O_NOFOLLOW, O_PATH,    O_CLOEXEC, O_TMPFILE, O_SYNC,
                               O_DSYNC,    O_NOATIME, 040000000};
    struct path p = draw_path();
    int flags = PICK(access), at = draw_at();
    mode_t mode = draw_mode();
    for (unsigned n = draw(3); n; n--)
        flags |= PICK(more);
    if (at == AT_FDCWD && draw(2))
        said_fd((int)said(CALL(open, p.at, flags | O_NONBLOCK | 0100000, mode), "open(%s, %o, %o)",
                          p.words, flags, mode));
    else
        said_fd((int)said(CALL(openat, at, p.at, flags | O_NONBLOCK | 0100000, mode),
                          "openat(%d, %s, %o, %o)", at, p.words, flags, mode));
}

// What makes things to work with.
static inline void step_make(void)
{
    struct path p = draw_path();
    said_fd((int)said(CALL(open, p.at, O_RDWR | O_CREAT | O_NONBLOCK | 0100000, 0666),
                      "open(%s, O_RDWR | O_CREAT)", p.words));
}

static inline void step_close(void)
{
    int fd = draw_fd();
    said(CALL(close, fd), "close(%d)", fd);
}

static inline void step_write(void)
{
    struct range r = draw_range();
    struct stat64 st;
    int fd = draw_fd();
    // Whose writes take set-id bits away is decided when a file is opened, on Linux at the write.
    if (CALL(geteuid32) && CALL(fstat64, fd, &st) == 0 && (st.st_mode & 06000))
        return;
    // Linux of today grows a file by a write behind its end that cannot be read.
    if (r.at == NULL && type_of(fd) == S_IFREG)
        return;
    r.length = room_of(fd, r.length);
    fill();
    said(CALL(write, fd, r.at, r.length), "write(%d, %s: %lu)", fd, r.words, r.length);
}

static inline void step_read(void)
{
    struct range r = draw_range();
    int fd = draw_fd();
    // What Linux takes from an eventfd and cannot give away is lost.
    if (type_of(fd) == 0 && r.at != buffer)
        return;
    said_read(said(CALL(read, fd, r.at, r.length), "read(%d, %s)", fd, r.words), r);
}

static inline void step_unlink(void)
{
    struct path p = draw_path();
    said(CALL(unlink, p.at), "unlink(%s)", p.words);
}

static inline void step_mkdir(void)
{
    struct path p = draw_path();
    mode_t mode = draw(3) ? 0777 : draw_mode();
    said(CALL(mkdir, p.at, mode), "mkdir(%s, %o)", p.words, mode);
}

static inline void files_begin(void)
{
    struct rlimit limit = {FDS, FDS};
    fflush(stdout);
    if (dup3(1, OUT, O_CLOEXEC) != OUT)
        exit(3);
    stdout = fdopen(OUT, "w");
    setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    close_range(0, 99, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    umask(022);
    buffer = mmap(NULL, BUFFER + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(buffer + BUFFER, PAGE, PROT_NONE);
    // Nothing is done outside: its root is this world's, too.
    if (mkdir("/twin/twin", 0755) || chroot("/twin") || chdir("/twin"))
        exit(3);
    static const mode_t modes[] = {0755, 0777, 01777, 02777};
    chmod("/twin", PICK(modes));
    mkdir("d", 0777);
    chmod("d", PICK(modes));
    symlink(draw(2) ? "d" : "a", "c");
    close(open("a", O_RDWR | O_CREAT, 0666));
}
