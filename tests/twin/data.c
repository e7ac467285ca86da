// SPDX-License-Identifier: MIT
// Descriptors and what moves through them: files, pipes, memfds, eventfds; offsets, locks, splices.
// All as root: who may is asked by files.c.
#include "files.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static void step_dup(void)
{
    static const int flags[] = {0, 0, O_CLOEXEC, O_NONBLOCK};
    int fd = draw_fd(), to = draw_fd(), f = PICK(flags);
    switch (draw(4)) {
    case 0:
        said(CALL(dup, fd), "dup(%d)", fd);
        break;
    case 1:
        said(CALL(dup2, fd, to), "dup2(%d, %d)", fd, to);
        break;
    case 2:
        said(CALL(dup3, fd, to, f), "dup3(%d, %d, %o)", fd, to, f);
        break;
    default:
        said(CALL(fcntl64, fd, f ? F_DUPFD_CLOEXEC : F_DUPFD, to), "F_DUPFD%s(%d, %d)",
             f ? "_CLOEXEC" : "", fd, to);
    }
}

static void step_close_range(void)
{
    static const unsigned flags[] = {0, 0, 4, 4, 1, 2};
    unsigned first = draw(FDS), last = first + draw(3) - (draw(10) == 0), f = PICK(flags);
    if (draw(10) == 0)
        first = 2000, last = ~0u;
    said(CALL(close_range, first, last, f), "close_range(%u, %u, %u)", first, last, f);
}

static void step_pipe(void)
{
    static const int flags[] = {0, 0, 0, O_CLOEXEC, O_DIRECT, O_APPEND};
    int ends[2] = {-1, -1}, f = PICK(flags);
    said(CALL(pipe2, ends, f | O_NONBLOCK), "pipe2(%o)", f);
    printf("%u:   %d %d\n", twin_step, ends[0], ends[1]);
}

static void step_make_other(void)
{
    static const unsigned counts[] = {0, 1, 7, 0xffffffff};
    static const unsigned modes[] = {0, 0, EFD_SEMAPHORE, EFD_CLOEXEC, 4};
    // Not MFD_NOEXEC_SEAL and MFD_EXEC, which are later than 6.1, nor MFD_HUGETLB.
    static const unsigned kinds[] = {0, MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_ALLOW_SEALING, 0x100};
    unsigned count = PICK(counts), mode = PICK(modes), kind = PICK(kinds);
    if (draw(2))
        said(CALL(eventfd2, count, mode | EFD_NONBLOCK), "eventfd2(%u, %o)", count, mode);
    else
        said(CALL(memfd_create, "m", kind), "memfd_create(%x)", kind);
}

static void step_pread(void)
{
    struct range r = draw_range();
    int64_t at = draw_offset();
    int fd = draw_fd();
    said_read(said(CALL(pread64, fd, r.at, r.length, LOW(at), HIGH(at)), "pread64(%d, %s, %lld)",
                   fd, r.words, (long long)at),
              r);
}

static void step_pwrite(void)
{
    struct range r = draw_range();
    int64_t at = draw_offset();
    int fd = draw_fd();
    if (r.at == NULL && type_of(fd) == S_IFREG)
        return;
    fill();
    said(CALL(pwrite64, fd, r.at, r.length, LOW(at), HIGH(at)), "pwrite64(%d, %s, %lld)", fd,
         r.words, (long long)at);
}

// Several ranges of the buffer, one after the other; sometimes one that is none.
static int draw_vector(struct iovec *v, char *words, size_t size)
{
    static const int counts[] = {0, 1, 2, 3, 4, -1, 1025};
    int n = PICK(counts);
    unsigned long at = 0;
    words += snprintf(words, size, "%d:", n);
    for (int i = 0; i < 4; i++) {
        unsigned long length = draw_length() / 4;
        v[i] = (struct iovec){buffer + at, length};
        at += length;
        if (draw(30) == 0)
            v[i].iov_base = NULL;
        if (draw(60) == 0)
            v[i].iov_len = (size_t)-1;
        if (i < n)
            words += snprintf(words, 16, "%s%ld", v[i].iov_base ? " " : " !", (long)v[i].iov_len);
    }
    return n;
}

static void step_readv(void)
{
    // Not RWF_NOWAIT, which is about caches, nor what later ones know.
    static const int flags[] = {0, 0, 1, 2, 4, 0x1000};
    struct iovec v[4];
    char words[100];
    int fd = draw_fd(), n = draw_vector(v, words, sizeof(words)), f = PICK(flags);
    int64_t at = draw(3) ? draw_offset() : -1;
    long got;
    for (int i = 0; i < 4; i++)
        if (type_of(fd) == 0 && v[i].iov_base == NULL)
            return; // as with read
    memset(buffer, 0, BUFFER);
    switch (draw(3)) {
    case 0:
        got = said(CALL(readv, fd, v, n), "readv(%d, %s)", fd, words);
        break;
    case 1:
        got = said(CALL(preadv, fd, v, n, LOW(at), HIGH(at)), "preadv(%d, %s, %lld)", fd, words,
                   (long long)at);
        break;
    default:
        got = said(CALL(preadv2, fd, v, n, LOW(at), HIGH(at), f), "preadv2(%d, %s, %lld, %x)", fd,
                   words, (long long)at, f);
    }
    if (got > 0)
        said_bytes("read", buffer, got);
}

static void step_writev(void)
{
    static const int flags[] = {0, 0, 1, 2, 4, 0x10, 0x1000};
    struct iovec v[4];
    char words[100];
    int fd = draw_fd(), n = draw_vector(v, words, sizeof(words)), f = PICK(flags);
    int64_t at = draw(3) ? draw_offset() : -1;
    unsigned long total = 0;
    for (int i = 0; i < 4; i++)
        total = v[i].iov_base ? total + v[i].iov_len : ULONG_MAX / 2;
    if (total > BUFFER || total > room_of(fd, total))
        return;
    if (type_of(fd) == 0) // without vectors of its own a file knows no flags
        f = 0;
    fill();
    switch (draw(3)) {
    case 0:
        said(CALL(writev, fd, v, n), "writev(%d, %s)", fd, words);
        break;
    case 1:
        said(CALL(pwritev, fd, v, n, LOW(at), HIGH(at)), "pwritev(%d, %s, %lld)", fd, words,
             (long long)at);
        break;
    default:
        said(CALL(pwritev2, fd, v, n, LOW(at), HIGH(at), f), "pwritev2(%d, %s, %lld, %x)", fd,
             words, (long long)at, f);
    }
}

static void step_seek(void)
{
    static const int whences[] = {SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 5};
    int fd = draw_fd(), whence = PICK(whences);
    int64_t to = draw_offset();
    long long now = 0;
    if (draw(4) && whence != SEEK_SET)
        to = -(to % 5000);
    // Where lseek would give more than it can, 64 bits give it all the same.
    if (draw(3) || whence != SEEK_SET) {
        said(CALL(_llseek, fd, HIGH(to), LOW(to), &now, whence), "_llseek(%d, %lld, %d)", fd,
             (long long)to, whence);
        printf("%u:   %lld\n", twin_step, now);
    } else {
        said(CALL(lseek, fd, (long)to, whence), "lseek(%d, %ld, %d)", fd, (long)to, whence);
    }
}

static void step_ftruncate(void)
{
    int fd = draw_fd();
    int64_t to = draw_offset();
    if (draw(3))
        said(CALL(ftruncate64, fd, LOW(to), HIGH(to)), "ftruncate64(%d, %lld)", fd, (long long)to);
    else
        said(CALL(ftruncate, fd, (long)to), "ftruncate(%d, %ld)", fd, (long)to);
}

static void step_fallocate(void)
{
    static const int modes[] = {0,
                                0,
                                FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                FALLOC_FL_PUNCH_HOLE,
                                FALLOC_FL_ZERO_RANGE,
                                FALLOC_FL_COLLAPSE_RANGE,
                                0x1000};
    int fd = draw_fd(), mode = PICK(modes);
    int64_t at = draw_offset(), length = draw_offset();
    if (at + length > 4 << 20) // what would take memory
        length = 5000;
    said(CALL(fallocate, fd, mode, LOW(at), HIGH(at), LOW(length), HIGH(length)),
         "fallocate(%d, %x, %lld, %lld)", fd, mode, (long long)at, (long long)length);
}

static void step_fcntl(void)
{
    static const int commands[] = {
        F_GETFD,      F_SETFD,      F_GETFL,     F_SETFL,     F_GETOWN, F_GETSIG,
        F_GETPIPE_SZ, F_SETPIPE_SZ, F_GET_SEALS, F_ADD_SEALS, 1033,     1034,
        F_GETLEASE,   3000,         -1,          F_SETSIG,    17};
    static const unsigned long values[] = {
        0,    1,     2,      4,        8,        16,        31,      4096,      4097,
        8192, 65536, 100000, O_APPEND, O_DIRECT, O_NOATIME, O_ASYNC, 0xffffffff};
    int fd = draw_fd(), command = PICK(commands);
    unsigned long value = PICK(values);
    if (command == F_SETFL)
        value |= O_NONBLOCK;
    if (command == F_SETFL && (value & O_ASYNC))
        value = O_NONBLOCK; // SIGIO would come
    said(CALL(fcntl64, fd, command, value), "fcntl(%d, %d, %lu)", fd, command, value);
}

static struct flock64 draw_lock(char *words)
{
    static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK, 7};
    static const short whences[] = {SEEK_SET, SEEK_SET, SEEK_SET, SEEK_CUR, SEEK_END, 3};
    static const int starts[] = {0, 0, 10, 20, 30, 40, -10, 100};
    static const int lengths[] = {0, 10, 10, 20, 5, -10, 1};
    struct flock64 l = {.l_type = PICK(types),
                        .l_whence = PICK(whences),
                        .l_start = PICK(starts),
                        .l_len = PICK(lengths)};
    sprintf(words, "%d %d %lld %lld", l.l_type, l.l_whence, (long long)l.l_start,
            (long long)l.l_len);
    return l;
}

static void step_lock(void)
{
    static const int commands[] = {F_SETLK64,   F_SETLK64,   F_GETLK64,
                                   F_OFD_SETLK, F_OFD_SETLK, F_OFD_GETLK};
    static const int flocks[] = {LOCK_SH, LOCK_EX, LOCK_UN, LOCK_SH | LOCK_EX, 0};
    char words[64];
    struct flock64 l = draw_lock(words);
    // To Linux all that has no file is one file.
    int fd = draw_fd(), command = PICK(commands), how = PICK(flocks);
    if (type_of(fd) == 0)
        return;
    if (command == F_OFD_GETLK && l.l_type == F_UNLCK) // later ones know of it
        command = F_GETLK64;
    if (draw(3) == 0) {
        said(CALL(flock, fd, how | LOCK_NB), "flock(%d, %d)", fd, how);
        return;
    }
    if (said(CALL(fcntl64, fd, command, &l), "lock %d(%d, %s)", command, fd, words) == 0 &&
        (command == F_GETLK64 || command == F_OFD_GETLK))
        printf("%u:   %d %d %lld %lld %s\n", twin_step, l.l_type, l.l_whence, (long long)l.l_start,
               (long long)l.l_len,
               l.l_pid == -1         ? "-1"
               : l.l_pid == getpid() ? "me"
                                     : "?");
}

// What another process finds locked.
static void step_locked(void)
{
    int fd = draw_fd();
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct flock64 l = {.l_type = F_WRLCK};
        for (int i = 0; i < 6; i++) {
            long e = CALL(fcntl64, fd, F_GETLK64, &l);
            printf("%u: locked(%d) = %ld %d %lld %lld\n", twin_step, fd, e, l.l_type,
                   (long long)l.l_start, (long long)l.l_len);
            if (e || l.l_type == F_UNLCK || l.l_len == 0)
                break;
            l = (struct flock64){.l_type = F_WRLCK, .l_start = l.l_start + l.l_len};
        }
        said(CALL(flock, fd, LOCK_EX | LOCK_NB), "child's flock(%d)", fd);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

// What moved into a pipe by reference changes with its file: it is taken out at once.
static void drain(int pipe)
{
    struct stat64 st, other;
    long got;
    CALL(fstat64, pipe, &st);
    for (int fd = 0; fd < FDS; fd++)
        if (CALL(fstat64, fd, &other) == 0 && other.st_ino == st.st_ino &&
            other.st_dev == st.st_dev)
            while (S_ISFIFO(st.st_mode) && (got = CALL(read, fd, buffer, BUFFER)) > 0)
                said_bytes("drained", buffer, got);
}

// What cannot be read and what nobody will read: which is said first is no matter.
static bool is_broken(int out)
{
    struct pollfd p = {out, POLLOUT, 0};
    return type_of(out) == S_IFIFO && poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

static void step_splice(void)
{
    static const unsigned flags[] = {0, 1, 4, 8, 0x10};
    int in = draw_fd(), out = draw_fd();
    int64_t from = draw_offset(), to = draw_offset();
    bool has_from = draw(3) == 0, has_to = draw(3) == 0;
    unsigned long length = room_of(out, draw_length());
    unsigned f = PICK(flags) | 2;
    if (is_broken(out) || length == 0)
        return;
    long done = said(CALL(splice, in, has_from ? &from : NULL, out, has_to ? &to : NULL, length, f),
                     "splice(%d, %lld, %d, %lld, %lu, %x)", in, has_from ? (long long)from : -1,
                     out, has_to ? (long long)to : -1, length, f);
    if (done > 0)
        printf("%u:   %lld %lld\n", twin_step, (long long)from, (long long)to);
    if (done > 0)
        drain(out);
}

static void step_sendfile(void)
{
    int in = draw_fd(), out = draw_fd();
    int64_t from = draw_offset();
    bool has_from = draw(2);
    unsigned long length = room_of(out, draw_length());
    if (is_broken(out) || length == 0)
        return;
    long done =
        said(CALL(sendfile64, out, in, has_from ? &from : NULL, length),
             "sendfile64(%d, %d, %lld, %lu)", out, in, has_from ? (long long)from : -1, length);
    if (done > 0 && has_from)
        printf("%u:   %lld\n", twin_step, (long long)from);
    if (done > 0)
        drain(out);
}

static void step_tee(void)
{
    int in = draw_fd(), out = draw_fd();
    unsigned long length = room_of(out, draw_length());
    struct iovec v = {buffer, length = room_of(in, length)};
    fill();
    // vmsplice of nothing is no error, wherever; what it gives a pipe changes with the buffer.
    bool gives = type_of(in) == S_IFIFO && (CALL(fcntl64, in, F_GETFL, 0) & O_ACCMODE);
    if (length == 0 || gives || draw(2))
        said(CALL(tee, in, out, length, 2), "tee(%d, %d, %lu)", in, out, length);
    else
        said(CALL(vmsplice, in, &v, 1, 2), "vmsplice(%d, %lu)", in, length);
}

static void step_copy(void)
{
    int in = draw_fd(), out = draw_fd();
    int64_t from = draw_offset(), to = draw_offset();
    bool has_from = draw(2), has_to = draw(2);
    unsigned long length = draw_length();
    unsigned f = draw(15) == 0;
    struct stat64 a, b;
    // A memfd is of another file system to Linux alone.
    if (CALL(fstat64, in, &a) == 0 && CALL(fstat64, out, &b) == 0 && a.st_dev != b.st_dev)
        out = in;
    long done = said(
        CALL(copy_file_range, in, has_from ? &from : NULL, out, has_to ? &to : NULL, length, f),
        "copy_file_range(%d, %lld, %d, %lld, %lu, %u)", in, has_from ? (long long)from : -1, out,
        has_to ? (long long)to : -1, length, f);
    if (done > 0)
        printf("%u:   %lld %lld\n", twin_step, has_from ? (long long)from : -1,
               has_to ? (long long)to : -1);
}

static void step_poll(void)
{
    struct pollfd p[3];
    for (int i = 0; i < 3; i++)
        p[i] = (struct pollfd){draw_fd(), (short)(draw(2) ? -1 : (int)draw(64)), 0};
    said(CALL(poll, p, 3, 0), "poll(%d %x, %d %x, %d %x)", p[0].fd, (uint16_t)p[0].events, p[1].fd,
         (uint16_t)p[1].events, p[2].fd, (uint16_t)p[2].events);
    printf("%u:   %x %x %x\n", twin_step, (uint16_t)p[0].revents, (uint16_t)p[1].revents,
           (uint16_t)p[2].revents);
}

static void step_ioctl(void)
{
    static const unsigned long requests[] = {FIONREAD, FIONREAD,   FIOCLEX, FIONCLEX, FIONBIO,
                                             TCGETS,   TIOCGWINSZ, 0x1234,  FIGETBSZ};
    int fd = draw_fd(), value = 1;
    unsigned long request = PICK(requests);
    if (said(CALL(ioctl, fd, request, &value), "ioctl(%d, %lx)", fd, request) == 0 &&
        (request == FIONREAD || request == FIGETBSZ))
        printf("%u:   %d\n", twin_step, value);
}

static void step_sync(void)
{
    static const unsigned flags[] = {0, 1, 2, 4, 7, 8};
    static const int advices[] = {0, 1, 2, 3, 4, 5, 6, -1};
    int fd = draw_fd(), advice = PICK(advices);
    int64_t at = draw_offset(), length = draw_offset();
    unsigned f = PICK(flags);
    switch (draw(6)) {
    case 0:
        said(CALL(fsync, fd), "fsync(%d)", fd);
        break;
    case 1:
        said(CALL(fdatasync, fd), "fdatasync(%d)", fd);
        break;
    case 2:
        said(CALL(sync_file_range, fd, LOW(at), HIGH(at), LOW(length), HIGH(length), f),
             "sync_file_range(%d, %lld, %lld, %x)", fd, (long long)at, (long long)length, f);
        break;
    case 3:
        said(CALL(readahead, fd, LOW(at), HIGH(at), 4096), "readahead(%d, %lld)", fd,
             (long long)at);
        break;
    case 4:
        said(CALL(syncfs, fd), "syncfs(%d)", fd);
        break;
    default:
        said(CALL(fadvise64_64, fd, LOW(at), HIGH(at), LOW(length), HIGH(length), advice),
             "fadvise(%d, %lld, %lld, %d)", fd, (long long)at, (long long)length, advice);
    }
}

static void step_fifo(void)
{
    struct path p = draw_path();
    said(CALL(mknod, p.at, S_IFIFO | 0666, 0), "mknod(%s, FIFO)", p.words);
}

static void step_limit(void)
{
    struct rlimit limit = {draw(3) ? RLIM_INFINITY : 50000, RLIM_INFINITY};
    said(setrlimit(RLIMIT_FSIZE, &limit), "setrlimit(RLIMIT_FSIZE, %ld)", (long)limit.rlim_cur);
}

static void step_attributes(void)
{
    struct stat64 st;
    int fd = draw_fd();
    memset(&st, 0, sizeof(st));
    if (said(CALL(fstat64, fd, &st), "fstat64(%d)", fd) == 0)
        printf("%u:   %o %lld %lld\n", twin_step, st.st_mode, (long long)st.st_size,
               (long long)st.st_blksize);
}

static const struct step steps[] = {
    {step_make, 10},     {step_open, 6},       {step_close, 6},  {step_dup, 6},
    {step_write, 8},     {step_read, 8},       {step_unlink, 1}, {step_close_range, 1},
    {step_pipe, 5},      {step_make_other, 5}, {step_pread, 5},  {step_pwrite, 5},
    {step_readv, 5},     {step_writev, 5},     {step_seek, 8},   {step_ftruncate, 4},
    {step_fallocate, 4}, {step_fcntl, 8},      {step_lock, 8},   {step_locked, 2},
    {step_splice, 8},    {step_sendfile, 5},   {step_tee, 4},    {step_copy, 4},
    {step_poll, 4},      {step_ioctl, 5},      {step_sync, 4},   {step_fifo, 1},
    {step_limit, 1},     {step_attributes, 2}, {step_look, 4}};

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), files_begin);
}
