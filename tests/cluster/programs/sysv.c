// SPDX-License-Identifier: MIT
// System V shared memory, semaphores and message queues: every line it prints is the same on Linux.
#define _GNU_SOURCE
#include "say.h"
#include <stdbool.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

static void *volatile bad_at = (void *)16;

static int some(int id)
{
    return id < 0 ? -1 : 1;
}

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static long op(int id, int number, int change, int flags)
{
    struct sembuf b = {number, change, flags};
    return semop(id, &b, 1);
}

static long timed(int id, int change, long ms)
{
    struct sembuf b = {0, change, 0};
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    return semtimedop(id, &b, 1, &t);
}

static void nothing(int s)
{
    (void)s;
}

static void memory(void)
{
    struct shmid_ds d;
    key_t key = 0x5eed0001;
    int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640), status;
    say("shmget", some(id));
    say("again", some(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640)));
    say("same", shmget(key, 5000, 0) == id);
    say("larger", shmget(key, 20000, 0));
    say("absent", shmget(key + 1, 4096, 0));
    say("size 0", shmget(IPC_PRIVATE, 0, 0600));
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
    say("attached", a != (void *)-1 && b != (void *)-1 && a != b);
    strcpy(a, "shared");
    puts(b);
    say("stat", shmctl(id, IPC_STAT, &d));
    printf("%zu %ld %o key %x pids %d %d\n", d.shm_segsz, (long)d.shm_nattch, d.shm_perm.mode,
           d.shm_perm.__key, d.shm_cpid == getpid(), d.shm_lpid == getpid());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        strcpy(a + 6, " by the child");
        shmctl(id, IPC_STAT, &d);
        printf("child sees %ld\n", (long)d.shm_nattch);
        fflush(stdout);
        b[0] = 'x';
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("child %x: %s\n", status, b);
    shmctl(id, IPC_STAT, &d);
    printf("users %ld\n", (long)d.shm_nattch);
    say("bad address", shmat(id, (void *)0x10001, 0) == (void *)-1 ? -1 : 0);
    say("taken address", shmat(id, a, 0) == (void *)-1 ? -1 : 0);
    say("rounded", shmat(id, (void *)0x20001234, SHM_RND) == (void *)0x20001000);
    say("bad id", shmat(-1, NULL, 0) == (void *)-1 ? -1 : 0);
    say("shmdt", shmdt(b));
    say("shmdt again", shmdt(b));
    d.shm_perm.mode = 0600;
    say("set", shmctl(id, IPC_SET, &d));
    say("remove", shmctl(id, IPC_RMID, NULL));
    shmctl(id, IPC_STAT, &d);
    printf("%o %ld key %x\n", d.shm_perm.mode, (long)d.shm_nattch, d.shm_perm.__key);
    say("by key", shmget(key, 0, 0));
    say("still there", strcmp(a, "shared by the child"));
    shmdt((void *)0x20001000);
    say("last", shmdt(a));
    say("gone", shmctl(id, IPC_STAT, &d));
    say("bad command", shmctl(id, 99, &d));
}

// By its index among all of its kind, also who may not read it.
static void by_index(void)
{
    struct shmid_ds m;
    struct semid_ds s;
    struct msqid_ds q;
    int status, shm = shmget(IPC_PRIVATE, 4096, 0), sem = semget(IPC_PRIVATE, 1, 0),
                msg = msgget(IPC_PRIVATE, 0), k = shm % 32768;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setuid(1000);
        say("SHM_STAT", shmctl(k, SHM_STAT, &m));
        say("SHM_STAT_ANY", shmctl(k, SHM_STAT_ANY, &m) == shm && m.shm_segsz == 4096);
        k = sem % 32768;
        say("SEM_STAT", semctl(k, 0, SEM_STAT, &s));
        say("SEM_STAT_ANY", semctl(k, 0, SEM_STAT_ANY, &s) == sem && s.sem_nsems == 1);
        k = msg % 32768;
        say("MSG_STAT", msgctl(k, MSG_STAT, &q));
        say("MSG_STAT_ANY", msgctl(k, MSG_STAT_ANY, &q) == msg && q.msg_qnum == 0);
        say("no such index", msgctl(32767, MSG_STAT_ANY, &q));
        _exit(0);
    }
    waitpid(child, &status, 0);
    shmctl(shm, IPC_RMID, NULL);
    semctl(sem, 0, IPC_RMID);
    msgctl(msg, IPC_RMID, NULL);
}

static void semaphores(void)
{
    union semun u = {.val = 2};
    unsigned short all[3] = {1, 2, 3};
    struct semid_ds d;
    int status, id = semget(IPC_PRIVATE, 3, 0600);
    say("semget", some(id));
    say("none", semget(IPC_PRIVATE, 0, 0600));
    say("SETVAL", semctl(id, 1, SETVAL, u));
    say("GETVAL", semctl(id, 1, GETVAL));
    say("GETPID", semctl(id, 1, GETPID) == getpid());
    u.val = 40000;
    say("too large", semctl(id, 1, SETVAL, u));
    say("bad number", semctl(id, 3, GETVAL));
    u.array = all;
    say("SETALL", semctl(id, 0, SETALL, u));
    memset(all, 0, sizeof(all));
    say("GETALL", semctl(id, 0, GETALL, u));
    printf("%d %d %d\n", all[0], all[1], all[2]);
    u.buf = &d;
    say("STAT", semctl(id, 0, IPC_STAT, u));
    printf("%ld %o\n", (long)d.sem_nsems, d.sem_perm.mode);
    say("down", op(id, 0, -1, 0));
    say("nowait", op(id, 0, -1, IPC_NOWAIT));
    say("bad sem", op(id, 7, 1, 0));
    say("no ops", semop(id, bad_at, 0));
    say("too many ops", semop(id, bad_at, 501));
    say("bad ops", semop(id, bad_at, 1));
    say("range", op(id, 0, 32767, 0) + op(id, 0, 1, 0));
    op(id, 0, -32767, 0);
    say("zero", op(id, 0, 0, 0));
    say("not zero", op(id, 1, 0, IPC_NOWAIT));
    struct sembuf two[2] = {{1, -1, 0}, {0, -1, IPC_NOWAIT}};
    say("both or none", semop(id, two, 2));
    say("none", semctl(id, 1, GETVAL));
    say("timed", timed(id, -1, 30));
    pid_t child = fork();
    if (child == 0) {
        for (int k = 0; k < 200 && semctl(id, 0, GETNCNT) == 0; k++)
            usleep(10000);
        printf("waiting %d %d\n", semctl(id, 0, GETNCNT), semctl(id, 0, GETZCNT));
        fflush(stdout);
        op(id, 0, 1, 0);
        op(id, 2, 1, SEM_UNDO);
        op(id, 1, -2, SEM_UNDO);
        printf("before the end %d %d\n", semctl(id, 1, GETVAL), semctl(id, 2, GETVAL));
        fflush(stdout);
        _exit(0);
    }
    long waited = op(id, 0, -1, 0);
    waitpid(child, &status, 0);
    say("waited", waited);
    printf("undone %d %d\n", semctl(id, 1, GETVAL), semctl(id, 2, GETVAL));
    signal(SIGALRM, nothing);
    alarm(1);
    say("signal", op(id, 0, -1, 0));
    printf("nobody waits %d\n", semctl(id, 0, GETNCNT));
    child = fork();
    if (child == 0) {
        for (int k = 0; k < 200 && semctl(id, 0, GETNCNT) == 0; k++)
            usleep(10000);
        _exit(semctl(id, 0, IPC_RMID) != 0);
    }
    say("removed", op(id, 0, -1, 0));
    waitpid(child, &status, 0);
    say("gone", semctl(id, 0, GETVAL));
}

struct text {
    long type;
    char text[64];
};

static bool takes(int id, int bytes, long which, int flags, int wanted)
{
    struct text m;
    int r = msgrcv(id, &m, bytes, which, flags);
    return (r < 0 ? -errno : r) == wanted;
}

// MSG_COPY leaves the message, which is named by its place. Not every Linux is built with it.
static void copies(int id)
{
    const int copy = MSG_COPY | IPC_NOWAIT;
    struct text m = {7, "first"};
    msgsnd(id, &m, 6, 0);
    m = (struct text){8, "second"};
    msgsnd(id, &m, 7, 0);
    if (!takes(id, 64, 0, copy, -ENOSYS)) {
        bool good = takes(id, 64, 0, MSG_COPY, -EINVAL) &&
                    takes(id, 64, 0, copy | MSG_EXCEPT, -EINVAL) && takes(id, 64, 1, copy, 7) &&
                    takes(id, 64, 0, copy, 6) && takes(id, 64, 2, copy, -ENOMSG) &&
                    takes(id, 64, -1, copy, -ENOMSG) && takes(id, 2, 0, copy, -E2BIG) &&
                    takes(id, 2, 0, copy | MSG_NOERROR, -EINVAL);
        if (!good)
            printf("a copy went wrong\n");
    }
    say("take 7", msgrcv(id, &m, 64, 7, IPC_NOWAIT));
    say("take 8", msgrcv(id, &m, 64, 8, IPC_NOWAIT));
}

static void queues(void)
{
    struct text m = {1, "one"};
    struct msqid_ds d;
    int status, id = msgget(IPC_PRIVATE, 0600);
    say("msgget", some(id));
    say("send", msgsnd(id, &m, 4, 0));
    m.type = 3, strcpy(m.text, "three");
    say("send", msgsnd(id, &m, 6, 0));
    m.type = 2, strcpy(m.text, "two");
    say("send", msgsnd(id, &m, 4, 0));
    m.type = 0;
    say("type 0", msgsnd(id, &m, 4, 0));
    say("too long", msgsnd(id, &m, 9000, 0));
    say("stat", msgctl(id, IPC_STAT, &d));
    printf("%ld %ld %ld %d\n", (long)d.msg_qnum, (long)d.__msg_cbytes, (long)d.msg_qbytes,
           d.msg_lspid == getpid());
    say("short", msgrcv(id, &m, 2, 0, 0));
    say("cut", msgrcv(id, &m, 2, 3, MSG_NOERROR));
    printf("%ld %.2s\n", m.type, m.text);
    say("up to 2", msgrcv(id, &m, 64, -2, 0));
    printf("%ld %s\n", m.type, m.text);
    say("but 1", msgrcv(id, &m, 64, 1, MSG_EXCEPT));
    printf("%ld %s\n", m.type, m.text);
    say("none", msgrcv(id, &m, 64, 0, IPC_NOWAIT));
    copies(id);
    pid_t child = fork();
    if (child == 0) {
        usleep(50000);
        m.type = 9, strcpy(m.text, "late");
        msgsnd(id, &m, 5, 0);
        _exit(0);
    }
    say("late", msgrcv(id, &m, 64, 9, 0));
    puts(m.text);
    waitpid(child, &status, 0);
    char block[4 + 8000];
    *(long *)block = 1;
    say("fill", msgsnd(id, block, 8000, 0) + msgsnd(id, block, 8000, 0));
    say("full", msgsnd(id, block, 8000, IPC_NOWAIT));
    child = fork();
    if (child == 0) {
        usleep(50000);
        msgrcv(id, block, 8000, 0, 0);
        _exit(0);
    }
    say("room", msgsnd(id, block, 8000, 0));
    waitpid(child, &status, 0);
    say("remove", msgctl(id, IPC_RMID, NULL));
    say("gone", msgsnd(id, block, 1, 0));
}

static bool file_says(const char *name, long wanted)
{
    char path[64], b[128] = "";
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    int fd = open(path, O_RDONLY);
    bool good = fd >= 0 && read(fd, b, sizeof(b) - 1) > 0 && strtoll(b, NULL, 10) == wanted;
    close(fd);
    return good;
}

static void limits(void)
{
    struct msginfo q;
    struct seminfo s;
    struct shminfo m;
    msgctl(0, IPC_INFO, (void *)&q);
    semctl(0, 0, IPC_INFO, &s);
    shmctl(0, IPC_INFO, (void *)&m);
    say("msgmax", file_says("msgmax", q.msgmax));
    say("msgmnb", file_says("msgmnb", q.msgmnb));
    say("msgmni", file_says("msgmni", q.msgmni));
    say("sem", file_says("sem", s.semmsl));
    say("shmmni", file_says("shmmni", m.shmmni));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    memory();
    semaphores();
    queues();
    by_index();
    limits();
    return 0;
}
