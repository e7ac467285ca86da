// SPDX-License-Identifier: MIT
// Numbers and structs of System V IPC on i386 (ipc(2), semctl(2), shmctl(2), msgctl(2)).
#pragma once

#include "lib/types.h"

enum { // sub-calls of ipc
    CALL_SEMOP = 1,
    CALL_SEMGET = 2,
    CALL_SEMCTL = 3,
    CALL_SEMTIMEDOP = 4,
    CALL_MSGSND = 11,
    CALL_MSGRCV = 12,
    CALL_MSGGET = 13,
    CALL_MSGCTL = 14,
    CALL_SHMAT = 21,
    CALL_SHMDT = 22,
    CALL_SHMGET = 23,
    CALL_SHMCTL = 24,
};

enum { // commands
    IPC_RMID = 0,
    IPC_SET = 1,
    IPC_STAT = 2,
    IPC_INFO = 3,
    SEM_GETPID = 11,
    SEM_GETVAL = 12,
    SEM_GETALL = 13,
    SEM_GETNCNT = 14,
    SEM_GETZCNT = 15,
    SEM_SETVAL = 16,
    SEM_SETALL = 17,
    SEM_STAT = 18,
    SEM_INFO = 19,
    SEM_STAT_ANY = 20,
    SHM_LOCK = 11,
    SHM_UNLOCK = 12,
    SHM_STAT = 13,
    SHM_INFO = 14,
    SHM_STAT_ANY = 15,
    MSG_STAT = 11,
    MSG_INFO = 12,
    MSG_STAT_ANY = 13,
};
#define IPC_64 0x100u

#define SHM_RDONLY 010000u
#define SHM_RND    020000u
#define SHM_REMAP  040000u
#define SHM_EXEC   0100000u

struct ipc64_perm {
    int32_t key;
    uint32_t uid, gid, cuid, cgid;
    uint16_t mode, pad1, seq, pad2;
    uint32_t unused[2];
} PACKED;
STATIC_ASSERT(sizeof(struct ipc64_perm) == 36, "struct ipc64_perm of the ABI");

struct shmid64_ds {
    struct ipc64_perm perm;
    uint32_t bytes;
    int64_t atime, dtime, ctime;
    int32_t cpid, lpid;
    uint32_t attached, unused[2];
} PACKED;
STATIC_ASSERT(sizeof(struct shmid64_ds) == 84, "struct shmid64_ds of the ABI");

struct semid64_ds {
    struct ipc64_perm perm;
    int64_t otime, ctime;
    uint32_t count, unused[2];
} PACKED;
STATIC_ASSERT(sizeof(struct semid64_ds) == 64, "struct semid64_ds of the ABI");

struct msqid64_ds {
    struct ipc64_perm perm;
    int64_t stime, rtime, ctime;
    uint32_t cbytes, qnum, qbytes;
    int32_t lspid, lrpid;
    uint32_t unused[2];
} PACKED;
STATIC_ASSERT(sizeof(struct msqid64_ds) == 88, "struct msqid64_ds of the ABI");

struct seminfo {
    int32_t semmap, semmni, semmns, semmnu, semmsl, semopm, semume, semusz, semvmx, semaem;
} PACKED;
struct shminfo64 {
    uint32_t shmmax, shmmin, shmmni, shmseg, shmall, unused[4];
} PACKED;
struct shm_info {
    int32_t used_ids;
    uint32_t shm_tot, shm_rss, shm_swp, attempts, successes;
} PACKED;
struct msginfo {
    int32_t msgpool, msgmap, msgmax, msgmnb, msgmni, msgssz, msgtql;
    uint16_t msgseg;
    uint16_t pad;
} PACKED;
