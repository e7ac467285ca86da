// SPDX-License-Identifier: MIT
// Semaphores, message queues and shared memory of System V, and message queues of POSIX: made,
// used, changed, removed, by three users. Nothing waits: what would is told not to.
#include "twin.h"

#include <fcntl.h>
#include <linux/mqueue.h>
#include <linux/msg.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define OBJECTS 4
#define VIEWS   5
#define REGION  0x60000000u // where nothing else is

enum kind {
    SETS,
    QUEUES,
    SEGMENTS,
    KINDS
};

static const char *const kind_names[] = {"set", "queue", "segment"};
static const int keys[] = {IPC_PRIVATE, 0x5701, 0x5702, 0x5703};
static int ids[KINDS][OBJECTS]; // -1: none yet; of what is removed it stays
static uint32_t views[VIEWS];   // where a segment is seen, 0: nowhere
static int data = -1;           // a file that carries bytes to and from views
static char buffer[1 << 16];
static bool child_ended; // what it undid, or did not, counts as a use of the set

// ---- who ---------------------------------------------------------------------------------------
static void step_become(void)
{
    static const int users[] = {0, 0, 0, 1000, 2000};
    int user = PICK(users), group = PICK(users);
    if (syscall(SYS_setresuid32, -1, 0, -1) || syscall(SYS_setresgid32, -1, group, -1) ||
        syscall(SYS_setresuid32, -1, user, -1))
        printf("become failed\n");
    printf("%u: user %d group %d\n", twin_step, user, group);
}

// ---- names of objects --------------------------------------------------------------------------
static int index_of(enum kind kind, int id)
{
    for (int i = 0; i < OBJECTS; i++)
        if (ids[kind][i] == id)
            return i;
    return -1;
}

static int some_id(enum kind kind)
{
    static const int others[] = {-1, 0x7fffffff, -0x7fffffff - 1};
    return draw(15) ? ids[kind][draw(OBJECTS)] : PICK(others);
}

static const char *name_of(enum kind kind, int id)
{
    static char names[2][24];
    static unsigned next;
    char *name = names[next++ % 2];
    sprintf(name, "%s %d", kind_names[kind], id == -1 ? -1 : index_of(kind, id));
    return name;
}

static void keep(enum kind kind, long id)
{
    if (id < 0 || index_of(kind, (int)id) >= 0)
        return;
    int at = (int)draw(OBJECTS);
    for (int i = 0; i < OBJECTS; i++)
        if (ids[kind][i] == -1)
            at = i;
    if (ids[kind][at] != -1) { // the one before it is forgotten: not before it is removed
        static const long remove[] = {SYS_semctl, SYS_msgctl, SYS_shmctl};
        if (kind == SETS)
            syscall(remove[kind], ids[kind][at], 0, IPC_RMID, 0);
        else
            syscall(remove[kind], ids[kind][at], IPC_RMID, 0);
    }
    ids[kind][at] = (int)id;
}

static void step_get(void)
{
    static const int modes[] = {0, 0600, 0600, 0666, 0666, 0060, 0006, 0400, 0200, 0777};
    static const long amounts[] = {0, 1, 2, 3, 5, 250, 4096, 5000, 40000, -1};
    enum kind kind = (enum kind)draw(KINDS);
    int key = PICK(keys),
        flags = PICK(modes) | (draw(3) ? IPC_CREAT : 0) | (draw(5) ? 0 : IPC_EXCL);
    long amount = PICK(amounts), r;
    if (kind == SETS && amount >= 4096 && amount < 40000) // how many are too many is the kernel's
        amount = 4;
    if (kind == SEGMENTS && amount == -1) // too much on 32 bits alone
        amount = 0;
    if (kind == SETS)
        r = syscall(SYS_semget, key, amount, flags);
    else if (kind == QUEUES)
        r = syscall(SYS_msgget, key, flags);
    else
        r = syscall(SYS_shmget, key, amount, flags);
    int error = errno;
    keep(kind, r);
    errno = error;
    said(r < 0 ? r : index_of(kind, (int)r), "get %s %x, %ld, %o", kind_names[kind], key,
         kind == QUEUES ? 0 : amount, flags);
}

static const char *self(long pid)
{
    return pid == 0 ? "none" : pid == getpid() ? "self" : "another";
}

static void said_perm(const struct ipc64_perm *p)
{
    printf("%u:   key %x owner %d %d maker %d %d mode %o\n", twin_step, (unsigned)p->key, p->uid,
           p->gid, p->cuid, p->cgid, p->mode);
}

static void draw_perm(struct ipc64_perm *p)
{
    static const unsigned users[] = {0, 1000, 2000, 0xffffffff};
    static const unsigned modes[] = {0600, 0666, 0060, 0006, 0, 0177777};
    memset(p, 0, sizeof(*p));
    p->uid = PICK(users);
    p->gid = PICK(users);
    p->mode = (unsigned short)PICK(modes);
}

// ---- semaphores --------------------------------------------------------------------------------
static void said_values(int id)
{
    unsigned short all[8] = {0};
    struct semid64_ds s;
    if (syscall(SYS_semctl, id, 0, IPC_STAT, &s) || s.sem_nsems > 8 ||
        syscall(SYS_semctl, id, 0, GETALL, all))
        return;
    printf("%u:  ", twin_step);
    for (unsigned i = 0; i < s.sem_nsems; i++)
        printf(" %u by %s", all[i], self(syscall(SYS_semctl, id, i, GETPID, 0)));
    printf("\n");
}

static unsigned draw_operations(struct sembuf *o)
{
    static const short by[] = {-3, -2, -1, -1, 0, 0, 1, 1, 2, 3, 32767, -32768, 30000};
    unsigned n = draw(30) ? draw(4) : 501;
    for (unsigned i = 0; i < n && i < 4; i++)
        o[i] = (struct sembuf){.sem_num = (unsigned short)(draw(20) ? draw(5) : 0xffff),
                               .sem_op = PICK(by),
                               .sem_flg = (short)(IPC_NOWAIT | (draw(4) ? 0 : SEM_UNDO))};
    return n;
}

static void said_operations(const struct sembuf *o, unsigned n)
{
    printf("%u:  ", twin_step);
    for (unsigned i = 0; i < n && i < 4; i++)
        printf(" [%u] %d%s", o[i].sem_num, o[i].sem_op, o[i].sem_flg & SEM_UNDO ? " undo" : "");
    printf("\n");
}

static void step_operate(void)
{
    static struct sembuf o[512];
    static const struct timespec times[] = {{0, 0}, {0, 0}, {-1, 0}, {0, 1000000000}, {0, -1}};
    int id = some_id(SETS), bad = !draw(40);
    unsigned n = draw_operations(o), k = draw(2 * sizeof(times) / sizeof(times[0]));
    said_operations(o, n);
    if (k < sizeof(times) / sizeof(times[0])) {
        for (unsigned i = 0; i < n && i < 4; i++)
            if (draw(2))
                o[i].sem_flg &= ~IPC_NOWAIT;
        said(syscall(SYS_ipc, 4, id, n, 0, bad ? (void *)8 : o, &times[k]), "semtimedop(%s, %u)",
             name_of(SETS, id), n);
    } else {
        said(syscall(SYS_ipc, 1, id, n, 0, bad ? (void *)8 : o), "semop(%s, %u)", name_of(SETS, id),
             n);
    }
    said_values(id);
}

// What a child did with SEM_UNDO is undone with it.
static void step_child_operates(void)
{
    struct sembuf o[4];
    int id = some_id(SETS), status = 0;
    unsigned n = draw_operations(o) & 3;
    for (unsigned i = 0; i < n; i++)
        o[i].sem_flg |= SEM_UNDO;
    said_operations(o, n);
    pid_t pid = fork();
    if (pid == 0) {
        errno = 0;
        syscall(SYS_ipc, 1, id, n, 0, o);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    child_ended = true;
    printf("%u: a child on %s: %s\n", twin_step, name_of(SETS, id),
           status ? strerrorname_np(WEXITSTATUS(status)) : "done");
    said_values(id);
}

static void step_control_set(void)
{
    static const int commands[] = {IPC_STAT, IPC_STAT, IPC_SET, IPC_SET, GETVAL,  GETVAL,
                                   SETVAL,   SETVAL,   GETALL,  SETALL,  SETALL,  GETPID,
                                   GETNCNT,  GETZCNT,  99,      -1,      IPC_RMID};
    static const long values[] = {0, 1, 2, 32767, 32768, -1, 65536};
    int id = some_id(SETS), command = PICK(commands), num = (int)draw(6) - 1;
    struct semid64_ds s;
    unsigned short all[5000];
    long arg = PICK(values);
    if (command == IPC_RMID && draw(3))
        return;
    memset(&s, 0, sizeof(s));
    draw_perm(&s.sem_perm);
    for (int i = 0; i < 5000; i++)
        all[i] = (unsigned short)(i < 8 ? draw(4) : 0);
    if (!draw(20))
        all[1] = 32768;
    if (command == IPC_STAT || command == IPC_SET)
        arg = draw(20) ? (long)&s : 8;
    if (command == GETALL || command == SETALL)
        arg = draw(20) ? (long)all : 8;
    if (command == IPC_SET && arg != 8)
        said_perm(&s.sem_perm);
    long r = syscall(SYS_semctl, id, num, command, arg);
    if (command == GETPID && r > 0)
        r = 0; // said_values tells whose it is
    said(r, "semctl(%s, %d, %d, %ld)", name_of(SETS, id), num, command,
         command == SETVAL ? arg : 0);
    if (command == IPC_STAT && r == 0) {
        said_perm(&s.sem_perm);
        printf("%u:   %lu semaphores, used %d, changed %d\n", twin_step, (long)s.sem_nsems,
               s.sem_otime != 0 || child_ended, s.sem_ctime != 0);
    }
    said_values(id);
}

// ---- message queues ----------------------------------------------------------------------------
struct message {
    long type;
    char text[8200];
};

static void step_send(void)
{
    static const long types[] = {1, 1, 2, 3, 4, 0, -1, 0x7fffffff};
    static const long sizes[] = {0, 1, 10, 10, 100, 100, 1000, 8191, 8192, 8193, -1, 0x7fffffff};
    static struct message m;
    int id = some_id(QUEUES), bad = !draw(40);
    long n = PICK(sizes);
    m.type = PICK(types);
    memset(m.text, (int)('a' + draw(26)), sizeof(m.text));
    said(syscall(SYS_msgsnd, id, bad ? (void *)8 : &m, n, IPC_NOWAIT), "msgsnd(%s, type %ld, %ld)",
         name_of(QUEUES, id), m.type, n);
}

static void step_receive(void)
{
    static const long types[] = {0, 0, 0, 1, 2, 3, -1, -2, -3, 99, (long)0x80000000};
    static const long sizes[] = {0, 5, 100, 8192, 8192, 8192, -1};
    static const int flags[] = {0, 0, 0, MSG_NOERROR, MSG_NOERROR, MSG_EXCEPT};
    static struct message m;
    int id = some_id(QUEUES), f = PICK(flags), bad = !draw(40);
    long n = PICK(sizes), type = PICK(types);
    m.type = 0;
    long r = said(syscall(SYS_msgrcv, id, bad ? (void *)8 : &m, n, type, IPC_NOWAIT | f),
                  "msgrcv(%s, %ld, type %ld, %x)", name_of(QUEUES, id), n, type, f);
    if (r >= 0) {
        printf("%u:   type %ld\n", twin_step, m.type);
        said_bytes("text", m.text, r);
    }
}

static void step_control_queue(void)
{
    static const int commands[] = {IPC_STAT, IPC_STAT, IPC_STAT, IPC_SET, IPC_SET, 99, IPC_RMID};
    static const unsigned long limits[] = {0, 100, 1000, 16384};
    int id = some_id(QUEUES), command = PICK(commands), bad = !draw(20);
    struct msqid64_ds q;
    if (command == IPC_RMID && draw(3))
        return;
    memset(&q, 0, sizeof(q));
    draw_perm(&q.msg_perm);
    q.msg_qbytes = PICK(limits);
    if (command == IPC_SET && !bad) {
        said_perm(&q.msg_perm);
        printf("%u:   limit %lu\n", twin_step, (unsigned long)q.msg_qbytes);
    }
    long r = said(syscall(SYS_msgctl, id, command, bad ? (void *)8 : &q), "msgctl(%s, %d)",
                  name_of(QUEUES, id), command);
    if (command == IPC_STAT && r == 0) {
        said_perm(&q.msg_perm);
        printf(
            "%u:   %lu messages, %lu of %lu bytes, sent %d by %s, received %d by %s, changed %d\n",
            twin_step, (unsigned long)q.msg_qnum, (unsigned long)q.msg_cbytes,
            (unsigned long)q.msg_qbytes, q.msg_stime != 0, self(q.msg_lspid), q.msg_rtime != 0,
            self(q.msg_lrpid), q.msg_ctime != 0);
    }
}

// ---- shared memory -----------------------------------------------------------------------------
static void step_attach(void)
{
    static const int flags[] = {0,         0,       0, SHM_RDONLY, SHM_RND, SHM_RND | SHM_RDONLY,
                                SHM_REMAP, SHM_EXEC};
    static const uint32_t skews[] = {0, 0, 0, 1, 100, 4095};
    int id = some_id(SEGMENTS), f = PICK(flags), v = (int)draw(VIEWS);
    uint32_t at = draw(4) ? REGION + draw(8) * 8192 + PICK(skews) : 0;
    if (views[v] && draw(3))
        return;
    long r = syscall(SYS_shmat, id, at, f);
    bool ok = (unsigned long)r < 0xfffff000u;
    if (ok && at && !(f & SHM_REMAP))
        said(r - (long)REGION, "shmat(%s, +%x, %o)", name_of(SEGMENTS, id), at - REGION, f);
    else
        said(ok ? 0 : -1, "shmat(%s, %s%x, %o)", name_of(SEGMENTS, id), at ? "+" : "",
             at ? at - REGION : 0, f);
    if (ok)
        views[v] = (uint32_t)r;
}

static void step_detach(void)
{
    unsigned v = draw(VIEWS);
    uint32_t at = draw(10) ? views[v] : REGION + 4096 * draw(16) + draw(2);
    said(syscall(SYS_shmdt, at), "shmdt(view %u%s)", v, at == views[v] ? "" : " or somewhere");
    if (at == views[v])
        views[v] = 0;
}

static void step_touch(void)
{
    static const long sizes[] = {1, 100, 4096, 4096, 5000, 40000};
    unsigned v = draw(VIEWS);
    long n = PICK(sizes), at = (long)draw(6000);
    if (views[v] == 0)
        return;
    if (views[v] >= REGION + (1u << 20)) // who knows what lies behind it
        n = 1, at = 0;
    if (draw(2)) {
        memset(buffer, (int)('a' + draw(26)), sizeof(buffer));
        pwrite(data, buffer, (size_t)n, 0);
        said(pread(data, (char *)views[v] + at, (size_t)n, 0), "write view %u at %ld, %ld", v, at,
             n);
    } else {
        long r = said(pwrite(data, (char *)views[v] + at, (size_t)n, 0), "read view %u at %ld, %ld",
                      v, at, n);
        if (r > 0 && pread(data, buffer, (size_t)r, 0) == r)
            said_bytes("seen", buffer, r);
    }
}

static void step_child_touches(void)
{
    unsigned v = draw(VIEWS);
    int status = 0;
    if (views[v] == 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        memset(buffer, 'C', 10);
        pwrite(data, buffer, 10, 0);
        errno = 0;
        pread(data, (char *)views[v], 10, 0);
        _exit(errno);
    }
    waitpid(pid, &status, 0);
    printf("%u: a child writes view %u: %s\n", twin_step, v,
           status ? strerrorname_np(WEXITSTATUS(status)) : "done");
}

static void step_control_segment(void)
{
    static const int commands[] = {IPC_STAT, IPC_STAT,   IPC_STAT, IPC_SET,
                                   SHM_LOCK, SHM_UNLOCK, 99,       IPC_RMID};
    int id = some_id(SEGMENTS), command = PICK(commands), bad = !draw(20);
    struct shmid64_ds s;
    if (command == IPC_RMID && draw(3))
        return;
    memset(&s, 0, sizeof(s));
    draw_perm(&s.shm_perm);
    if (command == IPC_SET && !bad)
        said_perm(&s.shm_perm);
    long r = said(syscall(SYS_shmctl, id, command, bad ? (void *)8 : &s), "shmctl(%s, %d)",
                  name_of(SEGMENTS, id), command);
    if (command == IPC_STAT && r == 0) {
        said_perm(&s.shm_perm);
        printf("%u:   %lu bytes, %lu attached, by %s and %s, times %d %d %d\n", twin_step,
               (unsigned long)s.shm_segsz, (unsigned long)s.shm_nattch, self(s.shm_cpid),
               self(s.shm_lpid), s.shm_atime != 0, s.shm_dtime != 0, s.shm_ctime != 0);
    }
}

// ---- POSIX message queues ----------------------------------------------------------------------
static const char *const names[] = {"twin-a", "twin-b", "twin-c"};
static int opened[4] = {-1, -1, -1, -1};
static bool notified;

static void step_mq_open(void)
{
    static const char *const bad[] = {"", "/x", "x/y", ".", ".."};
    static const int flags[] = {O_RDWR, O_RDWR, O_RDWR, O_RDONLY, O_WRONLY, 3};
    static const int modes[] = {0600, 0600, 0666, 0666, 0, 0060, 0006};
    static const long counts[] = {1, 2, 3, 10, 0, -1, 65537}; // more than 10 is for who may more
    static const long sizes[] = {1, 10, 100, 8192, 0, -1, (1 << 24) + 1};
    struct mq_attr a = {.mq_maxmsg = PICK(counts), .mq_msgsize = PICK(sizes)};
    int f = PICK(flags) | O_NONBLOCK | (draw(3) ? O_CREAT : 0) | (draw(5) ? 0 : O_EXCL);
    int mode = PICK(modes);
    const char *name = draw(20) ? PICK(names) : PICK(bad);
    unsigned i = draw(4);
    bool plain = draw(3);
    if (opened[i] >= 0 && notified) // Linux forgets who is to be told with any descriptor of theirs
        return;
    if (opened[i] >= 0)
        close(opened[i]);
    opened[i] = (int)syscall(SYS_mq_open, name, f, mode, plain ? NULL : &a);
    int error = errno;
    if (plain)
        a.mq_maxmsg = a.mq_msgsize = 0;
    errno = error;
    said(opened[i] < 0 ? -1 : 0, "mq_open(\"%s\", %o, %o, %ld %ld) %u", name, f, mode, a.mq_maxmsg,
         a.mq_msgsize, i);
}

static void step_mq_move(void)
{
    static const unsigned priorities[] = {0, 0, 1, 2, 5, 32767, 32768};
    static const size_t sizes[] = {0, 1, 10, 10, 100, 8192, 8192, 8193};
    static const struct timespec times[] = {{0, 0}, {1, 0}, {-1, 0}, {0, 1000000000}};
    unsigned i = draw(4), p = PICK(priorities), got = 77;
    size_t n = PICK(sizes);
    const struct timespec *t = draw(3) ? NULL : &PICK(times);
    if (draw(2)) {
        memset(buffer, (int)('a' + draw(26)), n);
        said(syscall(SYS_mq_timedsend, opened[i], buffer, n, p, t), "mq_send(%u, %u, %u)", i,
             (unsigned)n, p);
        return;
    }
    long r = said(syscall(SYS_mq_timedreceive, opened[i], buffer, n, &got, t), "mq_receive(%u, %u)",
                  i, (unsigned)n);
    if (r >= 0) {
        printf("%u:   priority %u\n", twin_step, got);
        said_bytes("text", buffer, r);
    }
}

static void step_mq_look(void)
{
    unsigned i = draw(4);
    struct mq_attr a = {.mq_flags = draw(5) ? O_NONBLOCK : 0xff00}, old = {0};
    bool sets = !draw(4);
    long r = said(syscall(SYS_mq_getsetattr, opened[i], sets ? &a : NULL, &old),
                  "mq_getsetattr(%u, %s)", i, sets ? "new" : "-");
    if (r == 0)
        printf("%u:   flags %lo, %ld of %ld, of %ld bytes\n", twin_step, (long)old.mq_flags,
               (long)old.mq_curmsgs, (long)old.mq_maxmsg, (long)old.mq_msgsize);
    struct pollfd p = {.fd = opened[i], .events = POLLIN | POLLOUT};
    r = said(poll(&p, 1, 0), "poll(%u)", i);
    if (r > 0)
        printf("%u:   %x\n", twin_step, p.revents);
    struct stat st;
    if (fstat(opened[i], &st) == 0)
        printf("%u:   mode %o owner %u %u size %ld\n", twin_step, st.st_mode, st.st_uid, st.st_gid,
               (long)st.st_size);
}

static void step_mq_notify(void)
{
    static const int kinds[] = {SIGEV_NONE, SIGEV_SIGNAL, SIGEV_SIGNAL, 99};
    static const int signals[] = {SIGUSR1, SIGUSR2, 0, 65, -1};
    unsigned i = draw(4);
    struct sigevent e;
    memset(&e, 0, sizeof(e));
    e.sigev_notify = PICK(kinds);
    e.sigev_signo = draw(4) ? SIGUSR1 : PICK(signals);
    e.sigev_value.sival_int = (int)draw(100);
    bool gives_up = !draw(3);
    long r = said(syscall(SYS_mq_notify, opened[i], gives_up ? NULL : &e), "mq_notify(%u, %d, %d)",
                  i, gives_up ? -1 : e.sigev_notify, gives_up ? 0 : e.sigev_signo);
    notified |= r == 0 && !gives_up;
}

static void step_news(void)
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    memset(&info, 0, sizeof(info));
    long r = said(sigtimedwait(&set, &info, &(struct timespec){0, 0}), "sigtimedwait");
    if (r > 0)
        printf("%u:   code %d from %s user %u value %d\n", twin_step, info.si_code,
               self(info.si_pid), info.si_uid, info.si_value.sival_int);
}

static void step_mq_unlink(void)
{
    const char *name = draw(20) ? PICK(names) : "twin-none";
    said(syscall(SYS_mq_unlink, name), "mq_unlink(%s)", name);
}

// ---- the program -------------------------------------------------------------------------------
static const struct step steps[] = {
    {step_become, 4},          {step_get, 14},    {step_operate, 14},  {step_child_operates, 3},
    {step_control_set, 12},    {step_send, 10},   {step_receive, 10},  {step_control_queue, 8},
    {step_attach, 10},         {step_detach, 4},  {step_touch, 8},     {step_child_touches, 2},
    {step_control_segment, 8}, {step_mq_open, 8}, {step_mq_move, 14},  {step_mq_look, 6},
    {step_mq_notify, 4},       {step_news, 3},    {step_mq_unlink, 2},
};

// What an earlier run left would be seen.
static void remove_all(void)
{
    syscall(SYS_setresuid32, -1, 0, -1);
    for (int i = 0; i < 4; i++) {
        int key = keys[i];
        for (int k = 0; k < OBJECTS; k++) {
            int set = key ? (int)syscall(SYS_semget, key, 0, 0) : ids[SETS][k];
            int queue = key ? (int)syscall(SYS_msgget, key, 0) : ids[QUEUES][k];
            int segment = key ? (int)syscall(SYS_shmget, key, 0, 0) : ids[SEGMENTS][k];
            syscall(SYS_semctl, set, 0, IPC_RMID, 0);
            syscall(SYS_msgctl, queue, IPC_RMID, 0);
            syscall(SYS_shmctl, segment, IPC_RMID, 0);
        }
    }
    for (int i = 0; i < 3; i++)
        syscall(SYS_mq_unlink, names[i]);
}

static void begin(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    umask(0);
    memset(ids, -1, sizeof(ids));
    data = open("data", O_RDWR | O_CREAT, 0600);
    remove_all();
    atexit(remove_all);
    ids[SETS][0] = (int)syscall(SYS_semget, keys[1], 3, IPC_CREAT | 0666);
    ids[QUEUES][0] = (int)syscall(SYS_msgget, keys[1], IPC_CREAT | 0666);
    ids[SEGMENTS][0] = (int)syscall(SYS_shmget, keys[1], 20000, IPC_CREAT | 0666);
    struct mq_attr a = {.mq_maxmsg = 5, .mq_msgsize = 100};
    opened[0] = (int)syscall(SYS_mq_open, names[0], O_RDWR | O_CREAT | O_NONBLOCK, 0666, &a);
}

int main(int argc, char **argv)
{
    return twin_main(argc, argv, steps, sizeof(steps) / sizeof(steps[0]), begin);
}
