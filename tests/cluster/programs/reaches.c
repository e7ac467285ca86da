// SPDX-License-Identifier: MIT
// What reaches other processes: subreapers, process_vm_readv and writev, kcmp, ioprio; and prctl's
// slack, ambient capabilities; semaphores' undo sums and rights; listeners that share a port.
// reaches far: orphans between nodes, between moves (it stays without /proc/self/node).
#define _GNU_SOURCE
#include "child.h"
#include "said.h"
#include "move.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#endif

// ---- prctl
static void settings(void)
{
    int on = 9;
    T(prctl(PR_GET_CHILD_SUBREAPER, &on));
    printf("%d\n", on);
    T(prctl(PR_SET_CHILD_SUBREAPER, 5));
    T(prctl(PR_GET_CHILD_SUBREAPER, &on));
    printf("%d\n", on);
    T(prctl(PR_GET_CHILD_SUBREAPER, 8));
    fflush(stdout);
    if (fork() == 0) {
        T(prctl(PR_GET_CHILD_SUBREAPER, &on)); // not inherited
        printf("%d\n", on);
        exit(0);
    }
    wait(NULL);
    T(prctl(PR_SET_CHILD_SUBREAPER, 0));
    T(prctl(PR_GET_KEEPCAPS));
    T(prctl(PR_SET_KEEPCAPS, 2));
    T(prctl(PR_SET_KEEPCAPS, -1));
    T(prctl(PR_SET_KEEPCAPS, 1));
    T(prctl(PR_GET_KEEPCAPS));
    T(prctl(PR_GET_SECUREBITS));
    T(prctl(PR_SET_KEEPCAPS, 0));
    T(prctl(PR_GET_KEEPCAPS));
    T(prctl(PR_GET_TIMERSLACK));
    T(prctl(PR_SET_TIMERSLACK, 70000));
    T(prctl(PR_GET_TIMERSLACK));
    fflush(stdout);
    if (fork() == 0) {
        T(prctl(PR_GET_TIMERSLACK));
        T(prctl(PR_SET_TIMERSLACK, 1));
        T(prctl(PR_GET_TIMERSLACK));
        T(prctl(PR_SET_TIMERSLACK, 0)); // what it began with
        T(prctl(PR_GET_TIMERSLACK));
        exit(0);
    }
    wait(NULL);
    T(prctl(PR_SET_TIMERSLACK, 0));
    T(prctl(PR_GET_TIMERSLACK));
    for (int op = 0; op < 6; op++) {
        printf("ambient %d\n", op);
        T(prctl(PR_CAP_AMBIENT, op, 0, 0, 0));
        T(prctl(PR_CAP_AMBIENT, op, 1, 0, 0));
        T(prctl(PR_CAP_AMBIENT, op, 99, 0, 0));
        T(prctl(PR_CAP_AMBIENT, op, 0, 1, 0));
        T(prctl(PR_CAP_AMBIENT, op, 0, 0, 1));
    }
}

// A grandchild whose parent ends: whose is it then, and who waits for it?
static void orphan(int generations, int code)
{
    int p[2], ready[2], status, pid = 0;
    char c;
    pipe(p);
    pipe(ready);
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        for (int k = 0; k < generations; k++)
            if (fork() != 0)
                _exit(0);
        pid = getpid();
        write(ready[1], &pid, sizeof(pid));
        close(p[1]);
        read(p[0], &c, 1); // until our ancestor has seen its child end
        _exit(code + (getppid() == 1));
    }
    read(ready[0], &pid, sizeof(pid));
    T(waitpid(child, &status, 0) == child);
    for (int k = 1; k < generations; k++) // those between, which end by themselves
        T(wait(&status) > 0);
    close(p[1]);
    T(waitpid(pid, &status, 0) == pid);
    printf("%x\n", status);
    T(wait(&status));
    close(p[0]);
    close(ready[0]);
    close(ready[1]);
}

// The zombie is there before its parent ends.
static void orphaned_zombie(void)
{
    int p[2], pid = 0, status;
    siginfo_t i;
    pipe(p);
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        int own = fork();
        if (own == 0)
            _exit(9);
        waitid(P_PID, own, &i, WEXITED | WNOWAIT);
        write(p[1], &own, sizeof(own));
        _exit(0);
    }
    read(p[0], &pid, sizeof(pid));
    T(waitpid(child, &status, 0) == child);
    T(waitpid(pid, &status, 0) == pid);
    printf("%x\n", status);
    close(p[0]);
    close(p[1]);
}

static void reapers(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    orphan(1, 10);
    orphan(3, 20);
    orphaned_zombie();
    signal(SIGCHLD, SIG_IGN);
    fflush(stdout);
    if (fork() == 0) {
        if (fork() == 0)
            _exit(0);
        _exit(0);
    }
    T(wait(NULL)); // nobody is left in the end
    signal(SIGCHLD, SIG_DFL);
    // Another subreaper between.
    int p[2];
    char c;
    pipe(p);
    fflush(stdout);
    if (fork() == 0) {
        int status;
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        close(p[1]);
        if (fork() == 0) {
            if (fork() == 0) {
                read(p[0], &c, 1);
                _exit(3);
            }
            _exit(2);
        }
        T(wait(&status) > 0);
        printf("%x\n", status);
        fflush(stdout);
        exit(0); // its orphan is ours now
    }
    int status;
    T(wait(&status) > 0);
    close(p[1]);
    T(wait(&status) > 0);
    printf("%x\n", status);
    close(p[0]);
}

// ---- memory of others
static char area[3 * 4096] __attribute__((aligned(4096)));

static void vectors(void)
{
    char here[64] = "", there[64] = "0123456789abcdef";
    struct iovec l[2] = {{here, 4}, {here + 8, 4}}, r[2] = {{there + 2, 5}, {there + 10, 3}};
    int me = getpid();
    T(process_vm_readv(me, l, 2, r, 2, 0));
    printf("%.4s %.4s\n", here, here + 8);
    T(process_vm_writev(me, l, 1, r + 1, 1, 0));
    printf("%.16s\n", there);
    T(process_vm_readv(me, l, 2, r, 2, 1));
    T(process_vm_readv(me, l, 0, r, 2, 0));
    T(process_vm_readv(me, l, 2, r, 0, 0));
    T(process_vm_readv(0, l, 2, r, 2, 0));
    T(process_vm_readv(-1, l, 2, r, 2, 0));
    T(process_vm_readv(0x3ffffff, l, 2, r, 2, 0));
    T(process_vm_readv(0x3ffffff, l, 0, r, 2, 0));
    T(process_vm_readv(0x3ffffff, l, 2, r, 0, 0));
    T(process_vm_readv(me, l, 1025, r, 2, 0));
    T(process_vm_readv(me, l, 2, r, 1025, 0));
    T(process_vm_readv(me, (void *)8, 1, r, 2, 0));
    T(process_vm_readv(me, l, 1, (void *)8, 1, 0));
    r[0].iov_base = (void *)8;
    T(process_vm_readv(me, l, 2, r, 2, 0));
    r[0].iov_base = there;
    r[1].iov_base = (void *)8;
    T(process_vm_readv(me, l, 2, r, 2, 0));
    l[1].iov_len = -1;
    T(process_vm_readv(me, l, 2, r, 1, 0));
    l[1] = (struct iovec){(void *)8, 4};
    T(process_vm_readv(me, l + 1, 1, r, 1, 0));
    mprotect(area + 4096, 4096, PROT_READ);
    mprotect(area + 8192, 4096, PROT_NONE);
    struct iovec wide = {area, sizeof(area)}, big = {malloc(sizeof(area)), sizeof(area)};
    memset(big.iov_base, 'x', big.iov_len);
    T(process_vm_readv(me, &big, 1, &wide, 1, 0));
    T(process_vm_writev(me, &big, 1, &wide, 1, 0));
    printf("%c %d\n", area[4095], area[4096]);
    free(big.iov_base);
}

static void others(void)
{
    int go[2], back[2], status;
    char word[32] = "of the parent", c;
    static char own[8192];
    pipe(go);
    pipe(back);
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        strcpy(word, "of the child");
        strcpy(own, "untouched");
        write(back[1], "r", 1);
        read(go[0], &c, 1);
        printf("child has %s, %s\n", word, own);
        fflush(stdout);
        setresgid(77, 77, 77);
        setresuid(77, 77, 77);
        write(back[1], "r", 1);
        read(go[0], &c, 1);
        _exit(0);
    }
    read(back[0], &c, 1);
    char got[32] = "";
    struct iovec l = {got, sizeof(got)}, r = {word, sizeof(word)}, o = {own, 6};
    T(process_vm_readv(child, &l, 1, &r, 1, 0));
    printf("%s, mine %s\n", got, word);
    struct iovec w = {"by its parent", 14}, six = {"edited", 6};
    T(process_vm_writev(child, &w, 1, &r, 1, 0));
    T(process_vm_writev(child, &six, 1, &o, 1, 0));
    printf("mine %s, %s\n", word, own);
    write(go[1], "g", 1);
    read(back[0], &c, 1);
    T(process_vm_readv(child, &l, 1, &r, 1, 0)); // root may
    fflush(stdout);
    if (fork() == 0) {
        setresgid(88, 88, 88);
        setresuid(88, 88, 88);
        T(process_vm_readv(child, &l, 1, &r, 1, 0));
        T(process_vm_writev(child, &l, 1, &r, 1, 0));
        T(process_vm_readv(child, &l, 0, &r, 1, 0));
        T(syscall(SYS_kcmp, child, child, KCMP_VM, 0, 0));
        T(syscall(SYS_ioprio_set, 1, child, 2 << 13));
        T(syscall(SYS_ioprio_set, 1, 0, 1 << 13));
        exit(0);
    }
    wait(&status);
    kill(child, SIGKILL);
    siginfo_t i;
    waitid(P_PID, child, &i, WEXITED | WNOWAIT);
    T(process_vm_readv(child, &l, 1, &r, 1, 0));
    waitpid(child, &status, 0);
    T(process_vm_readv(child, &l, 1, &r, 1, 0));
}

// ---- kcmp
static long compare(int a, int b, int type, unsigned long x, unsigned long y)
{
    long r = syscall(SYS_kcmp, a, b, type, x, y);
    return r > 0 ? 1 : r; // which is first does not matter
}

static void comparisons(void)
{
    int me = getpid(), fd = open("/dev/null", O_RDWR), again = dup(fd), p[2];
    int other = open("/dev/null", O_RDWR), e = epoll_create1(0), status;
    struct epoll_event ev = {.events = EPOLLIN};
    struct kcmp_epoll_slot slot = {e, 0, 0};
    pipe(p);
    T(compare(me, me, KCMP_FILE, fd, again));
    T(compare(me, me, KCMP_FILE, fd, other));
    T(compare(me, me, KCMP_FILE, fd, 999));
    T(compare(me, me, KCMP_FILE, -1, fd));
    epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
    slot.tfd = p[0];
    T(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot));
    T(compare(me, me, KCMP_EPOLL_TFD, p[1], (unsigned long)&slot));
    T(compare(me, me, KCMP_EPOLL_TFD, p[0], 8));
    T(compare(me, me, KCMP_EPOLL_TFD, 999, (unsigned long)&slot));
    slot.toff = 1;
    T(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot));
    slot.toff = 0;
    slot.tfd = p[1];
    T(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot));
    slot.efd = fd;
    T(compare(me, me, KCMP_EPOLL_TFD, p[0], (unsigned long)&slot));
    for (int type = KCMP_VM; type <= KCMP_SYSVSEM; type++)
        T(compare(me, me, type, 0, 0));
    T(compare(me, me, 99, 0, 0));
    T(compare(me, me, -1, 0, 0));
    T(compare(me, 0x3ffffff, KCMP_VM, 0, 0));
    T(compare(0x3ffffff, me, KCMP_VM, 0, 0));
    T(compare(0, 0, KCMP_VM, 0, 0));
    fflush(stdout);
    int child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    T(compare(me, child, KCMP_FILE, fd, fd));
    T(compare(me, child, KCMP_FILE, fd, again));
    T(compare(me, child, KCMP_FILE, fd, other));
    T(compare(me, child, KCMP_VM, 0, 0));
    T(compare(me, child, KCMP_FILES, 0, 0));
    T(compare(me, child, KCMP_FS, 0, 0));
    T(compare(me, child, KCMP_SIGHAND, 0, 0));
    T(compare(me, child, KCMP_SYSVSEM, 0, 0));
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
}

// ---- ioprio
#define V(class, level) ((class) << 13 | (level))

static void priorities(void)
{
    T(syscall(SYS_ioprio_get, 1, 0));
    for (int class = 0; class < 9; class ++)
        for (int level = 0; level < 9; level += 4) {
            printf("class %d level %d\n", class, level);
            T(syscall(SYS_ioprio_set, 1, 0, V(class, level)));
            T(syscall(SYS_ioprio_get, 1, 0));
        }
    T(syscall(SYS_ioprio_set, 1, 0, V(2, 6)));
    T(syscall(SYS_ioprio_get, 1, getpid()));
    T(syscall(SYS_ioprio_get, 0, 0));
    T(syscall(SYS_ioprio_get, 4, 0));
    T(syscall(SYS_ioprio_set, 0, 0, V(2, 1)));
    T(syscall(SYS_ioprio_set, 4, 0, V(2, 1)));
    T(syscall(SYS_ioprio_set, 4, 0, V(7, 1)));
    T(syscall(SYS_ioprio_get, 1, 0x3ffffff));
    T(syscall(SYS_ioprio_get, 1, -1));
    T(syscall(SYS_ioprio_set, 1, 0x3ffffff, V(2, 1)));
    T(syscall(SYS_ioprio_get, 2, 0x3ffffff));
    T(syscall(SYS_ioprio_get, 3, 54321));
    setpgid(0, 0);
    fflush(stdout);
    if (fork() == 0) {
        T(syscall(SYS_ioprio_get, 1, 0)); // inherited
        T(syscall(SYS_ioprio_set, 1, 0, V(2, 2)));
        T(syscall(SYS_ioprio_get, 2, 0)); // the better of two
        T(syscall(SYS_ioprio_set, 2, 0, V(3, 0)));
        T(syscall(SYS_ioprio_get, 2, 0));
        exit(0);
    }
    wait(NULL);
    T(syscall(SYS_ioprio_get, 1, 0));
    T(syscall(SYS_ioprio_set, 1, 0, 0));
    setpriority(PRIO_PROCESS, 0, 10);
    T(syscall(SYS_ioprio_get, 1, 0));
    T(syscall(SYS_ioprio_get, 2, 0)); // by its nice value
    fflush(stdout);
    if (fork() == 0) {
        setresuid(66, 66, 66);
        T(syscall(SYS_ioprio_set, 1, 0, V(1, 0)));
        T(syscall(SYS_ioprio_set, 1, getppid(), V(2, 0)));
        T(syscall(SYS_ioprio_set, 1, 0, V(3, 0)));
        T(syscall(SYS_ioprio_get, 3, 0));
        T(syscall(SYS_ioprio_get, 3, 66));
        exit(0);
    }
    wait(NULL);
}

// ---- semaphores
static void do_undo(int id, int change, int count)
{
    struct sembuf b[4];
    for (int k = 0; k < count; k++)
        b[k] = (struct sembuf){k % 2, change, SEM_UNDO | IPC_NOWAIT};
    T(semop(id, b, count));
    T(semctl(id, 0, GETVAL));
    T(semctl(id, 1, GETVAL));
}

static void semaphores(void)
{
    int id = semget(IPC_PRIVATE, 2, 0600);
    unsigned short two[2] = {3, 4};
    do_undo(id, 32767, 1);
    T(semctl(id, 0, SETVAL, 0));
    do_undo(id, 32767, 1);
    struct sembuf down = {0, -32767, 0};
    T(semop(id, &down, 1));
    do_undo(id, 1, 1); // 32768 to undo: one more than there is room for
    do_undo(id, 1, 2); // then the other does not happen either
    T(semop(id, &(struct sembuf){1, 1, SEM_UNDO}, 1));
    T(semctl(id, 1, GETVAL));
    T(semctl(id, 0, SETVAL, 32767));
    for (int k = 0; k < 3; k++) {
        do_undo(id, -32767, 1);
        struct sembuf up = {0, 32767, 0};
        T(semop(id, &up, 1));
    }
    semctl(id, 0, SETALL, two);
    static const int modes[] = {0600, 0400, 0200, 0};
    for (int k = 0; k < 4; k++) {
        struct semid_ds d = {.sem_perm = {.uid = 55, .gid = 55, .mode = modes[k]}};
        T(semctl(id, 0, IPC_SET, &d));
        fflush(stdout);
        if (fork() == 0) {
            setresgid(55, 55, 55);
            setresuid(55, 55, 55);
            T(semctl(id, 0, SETALL, two));
            T(semctl(id, 0, GETALL, two));
            T(semctl(id, 0, SETVAL, 1));
            T(semctl(id, 0, GETVAL));
            exit(0);
        }
        wait(NULL);
    }
    T(semctl(id, 0, IPC_RMID));
}

// ---- SO_REUSEPORT
static int listener(struct sockaddr_in *at)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    socklen_t n = sizeof(*at);
    setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    T(bind(l, (void *)at, sizeof(*at)));
    T(listen(l, 50));
    getsockname(l, (void *)at, &n);
    return l;
}

static int connections(struct sockaddr_in *at, int *l, int n)
{
    int came = 0;
    for (int k = 0; k < 30; k++) {
        int c = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(c, (void *)at, sizeof(*at)) == 0)
            for (int i = 0; i < n; i++) {
                struct pollfd p = {l[i], POLLIN, 0};
                if (l[i] >= 0 && poll(&p, 1, 0) == 1) {
                    close(accept(l[i], NULL, NULL));
                    came++;
                }
            }
        close(c);
    }
    return came;
}

static void ports(void)
{
    struct sockaddr_in at = {AF_INET, 0, {htonl(INADDR_ANY)}, {0}}, to;
    int l[3];
    for (int k = 0; k < 3; k++)
        l[k] = listener(&at);
    to = at;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    printf("%d of 30\n", connections(&to, l, 3));
    for (int k = 0; k < 2; k++) {
        close(l[k]);
        l[k] = -1;
        printf("%d of 30\n", connections(&to, l, 3));
    }
    shutdown(l[2], SHUT_RD);
    printf("%d of 30\n", connections(&to, l, 3));
    close(l[2]);
}

// ---- mlockall
static void later(void)
{
    struct rlimit l = {64 << 10, 64 << 10};
    setrlimit(RLIMIT_MEMLOCK, &l);
    setresuid(55, 55, 55);
    T(mlockall(0));
    T(mlockall(4));
    T(mlockall(8));
    T(mlockall(MCL_CURRENT) == -1);
    T(mlockall(MCL_FUTURE));
    char *a = mmap(NULL, 32 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    T(a != MAP_FAILED);
    T(mmap(NULL, 128 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    T(mremap(a, 32 << 10, 128 << 10, MREMAP_MAYMOVE) != MAP_FAILED);
    T(sbrk(256 << 10) != (void *)-1);
    fflush(stdout);
    if (fork() == 0) { // not inherited
        T(mmap(NULL, 128 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
        exit(0);
    }
    wait(NULL);
    T(munlockall());
    T(mmap(NULL, 128 << 10, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void far(void)
{
    int status, go[2], at[2], pid;
    char c;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_TIMERSLACK, 12345);
    syscall(SYS_ioprio_set, 1, 0, V(2, 6));
    for (int k = 0; k < 3; k++) {
        printf("round %d\n", k);
        pipe(go);
        pipe(at);
        fflush(stdout);
        int child = fork();
        if (child == 0) {
            move_to(k == 1 ? 0 : 1);
            if (fork() == 0) {
                if (k == 2)
                    move_to(0);
                pid = getpid();
                write(at[1], &pid, sizeof(pid));
                close(go[1]);
                read(go[0], &c, 1);
                _exit(4 + (getppid() == 1));
            }
            if (fork() == 0)
                _exit(8); // never waited for by its parent
            usleep(50000);
            _exit(3);
        }
        if (k == 1)
            move_to(1);
        read(at[0], &pid, sizeof(pid));
        T(waitpid(child, &status, 0) == child);
        printf("%x\n", status);
        T(waitpid(-1, &status, 0) > 0);
        printf("%x\n", status);
        close(go[1]);
        T(waitpid(pid, &status, 0) == pid);
        printf("%x\n", status);
        T(wait(&status));
        close(go[0]);
        close(at[0]);
        close(at[1]);
        move_to(0);
    }
    T(prctl(PR_GET_TIMERSLACK));
    T(syscall(SYS_ioprio_get, 1, 0));
    int on = 0;
    T(prctl(PR_GET_CHILD_SUBREAPER, &on));
    printf("%d\n", on);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    (void)argv;
    if (argc > 1) {
        far();
        return 0;
    }
    in_child(settings);
    in_child(reapers);
    in_child(vectors);
    others();
    in_child(comparisons);
    in_child(priorities);
    in_child(semaphores);
    in_child(later);
    ports();
    return 0;
}
