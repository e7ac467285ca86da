// SPDX-License-Identifier: MIT
// Inodes and directory entries of this node's tree, in memory. Pure data structure: no names are
// walked here, nothing sleeps. On the file-system home it is the truth; on other nodes only what
// came from the boot archive is there, for reading it locally.
#pragma once

#include "lib/list.h"
#include "ssi/fs/fs.h"

struct container;

#define O_NOATIME 01000000u

#define S_IFMT   0170000u
#define S_IFSOCK 0140000u
#define S_IFLNK  0120000u
#define S_IFREG  0100000u
#define S_IFBLK  0060000u
#define S_IFDIR  0040000u
#define S_IFCHR  0020000u
#define S_IFIFO  0010000u
#define S_ISUID  04000u
#define S_ISGID  02000u
#define S_ISVTX  01000u

#define LINKS_MAX      65000u // as ext4 has it
#define FILE_BYTES_MAX (UINT64_C(1) << 43)

enum {
    MAY_X = 1,
    MAY_W = 2,
    MAY_R = 4
};

struct dirent;
struct notify_watch;
struct xattr;

struct inode {
    struct inode *hash_next;
    uint64_t number;
    uint32_t mode, uid, gid, links;
    uint32_t users;   // open files; with links it keeps the inode
    uint32_t writers; // users that may write
    uint32_t images;  // users as program image: excludes writers (ETXTBSY)
    uint16_t mount;   // number of the generated tree that covers this directory, or 0
    uint16_t covers;  // mounts over it, through any view
    uint16_t fs;      // the file system it is of: 0 the tree, else the mount that began it
    uint8_t seals;    // FS_SEAL_*, of a memfd
    char *memfd;      // name of a memfd, or NULL
    bool linkable;    // made by O_TMPFILE: may get a first name
    bool archived;    // of the boot archive: the same number on all nodes
    bool modified;    // of an archived file: the home's data is no longer the archive's
    int64_t atime_ns, mtime_ns, ctime_ns;
    uint64_t bytes;         // of a file; length of a link's target
    const uint8_t *archive; // a regular file's bytes in the archive, for good: for io_image
    uint64_t archive_bytes;
    struct notify_watch *watches; // inotify's, the oldest first
    struct xattr *xattrs;         // the oldest first
    struct dirent *named; // of what is no directory: the name it was last opened by, or any;
                          // NULL: not known
    bool written;         // by now its data is `data` (or nothing), not the archive's
    union {
        struct container *data; // of a regular file that was written, or NULL
        char *target;           // symbolic link
        uint64_t rdev;          // device
        void *fifo;             // ssi/stream's
        struct {
            struct list entries; // struct dirent, by cookie
            struct inode *parent;
            struct dirent *self; // the entry that names it; NULL: the root, or removed
            uint32_t count;
            uint32_t last_cookie;
        } dir;
    };
};

struct dirent {
    struct dirent *hash_next;
    struct list order;
    struct inode *dir;
    struct inode *inode;
    uint32_t hash;
    uint32_t cookie; // place in the order of the directory, from 3 (1 and 2 are "." and "..")
    uint8_t length;
    bool gone;    // no longer a name: its inode's `named` keeps it, and it keeps `dir`
    bool watched; // its directory was, by inotify, when it went
    char name[];  // ends with NUL
};

static inline bool inode_is(const struct inode *i, uint32_t type)
{
    return (i->mode & S_IFMT) == type;
}

// The archive's bytes when they are still the content of regular file `i`, else NULL.
static inline const uint8_t *inode_image(const struct inode *i)
{
    return i->written ? NULL : i->archive;
}

// The tables, with the root directory. False: no memory. Idempotent.
bool inodes_init(void) MUST_CHECK;
struct inode *inode_root(void);
struct inode *inode_find(uint64_t number); // NULL: none such (any more)
uint64_t inode_count(void);
// Are files of that file system open, other than its root?
bool inodes_in_use(uint64_t top, uint16_t fs);
void inodes_forget_modified(void); // a new home begins with the archive as it was

// With no name yet, links 0. `archived`: numbered like on all nodes. NULL: no memory.
struct inode *inode_new(uint32_t mode, uint32_t uid, uint32_t gid, bool archived);
void inode_get(struct inode *i);
void inode_put(struct inode *i);     // frees what has neither users nor links
void inode_strip(struct inode *i);   // written by who is not root: set-id bits go
void inode_touch(struct inode *i);   // data changed: mtime and ctime
void inode_changed(struct inode *i); // ctime
// Read, listed, followed: atime, once behind each change (relatime; its once a day is not).
void inode_accessed(struct inode *i);

struct dirent *dirent_find(const struct inode *dir, const char *name, size_t length);
// Some entry that names `i`, found by looking at all; NULL when there is none.
struct dirent *dirent_of(const struct inode *i);
// Names `i` in `dir`: links and times are kept. -ENOMEM.
int dirent_add(struct inode *dir, const char *name, size_t length, struct inode *i);
void dirent_remove(struct dirent *d); // the inode may go with it
// First entry whose cookie is above `cookie`; NULL at the end.
struct dirent *dirent_after(const struct inode *dir, uint32_t cookie);

// May `who` do `want` (MAY_*) with something of that mode and owner?
bool fs_may(const struct fs_who *who, uint32_t mode, uint32_t uid, uint32_t gid, unsigned want);
bool fs_in_group(const struct fs_who *who, uint32_t gid);
// chown(2): may who give what is owner's and of group `group` to uid, gid (UINT32_MAX: as it is)?
bool fs_may_give(const struct fs_who *who, uint32_t owner, uint32_t group, uint32_t uid,
                 uint32_t gid);
static inline bool inode_may(const struct inode *i, const struct fs_who *who, unsigned want)
{
    return fs_may(who, i->mode, i->uid, i->gid, want);
}

void inode_stat(const struct inode *i, struct fs_stat *st);

// Device numbers as Linux packs them into 64 bits, and into stat64's rdev.
static inline uint64_t fs_device_number(uint32_t major, uint32_t minor)
{
    return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12;
}
