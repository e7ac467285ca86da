// SPDX-License-Identifier: MIT
// Messages of ssi/fs. Fixed-width, little-endian; strings and data follow the fixed part. A name's
// operation travels as the structs of name.h. Errors of the operation travel in `result`, so that
// a message that never reached a file system is told apart.
#pragma once

#include "ssi/fs/name.h"

struct name_ask { // MSG_fs_name; then path, other (when other_bytes), each with its NUL; data
    struct name_in in;
    struct fs_who who;
    uint32_t path_bytes, other_bytes; // with the NUL
    uint32_t data_bytes;
    uint32_t text_size;
} PACKED;

struct name_reply { // then text_bytes of text, or what is left of the path
    int32_t result;
    uint32_t text_bytes;
    struct name_in in; // where to go on when result is NAME_CROSSED
    struct name_out out;
} PACKED;

// ---- operations on open files, by the handle they have at their home
enum file_op {
    FILE_READ = 1,
    FILE_WRITE,
    FILE_SEEK,
    FILE_LIST,
    FILE_IOCTL,
    FILE_POLL,
    FILE_STAT,
    FILE_SET,
    FILE_SYNC,
    FILE_IMAGE_BEGIN, // counts as program image until it is released
    FILE_LOCK,
    FILE_MAP,      // data's container, for a shared mapping: a struct container_ref comes back
    FILE_EXCHANGE, // a call on a socket: see ssi/stream/socket_remote.c
    FILE_OWNER,    // struct owner_change; a struct file_owner_facts comes back
    FILE_FLAGS,    // the home's status flags become what file_ask.flags says
    FILE_OPS
};

#define FILE_FLAGS_TOLD (O_APPEND | O_NONBLOCK | O_DIRECT)

struct file_ask { // MSG_fs_file; then in_bytes of data
    uint64_t handle;
    uint8_t op;
    uint8_t at_given;
    uint16_t reserved;
    uint32_t flags;  // FILE_FLAGS_TOLD as the asker has them
    uint64_t offset; // for read and write when at_given; of seek
    int32_t whence;
    uint32_t request; // of ioctl
    uint32_t in_bytes;
    uint32_t out_size; // of the answer's data
} PACKED;
STATIC_ASSERT(sizeof(struct file_ask) == 40, "file_ask on the wire");

struct file_reply { // then bytes of data
    int64_t result;
    uint64_t offset; // of the open file now
    uint32_t bytes;
    uint32_t sole; // the asker's node is the only user: it may keep the offset
} PACKED;
STATIC_ASSERT(sizeof(struct file_reply) == 24, "file_reply on the wire");

struct file_set_wire { // data of FILE_SET
    uint8_t mode_set, owner_set, times_set, size_set;
    uint32_t mode, uid, gid;
    int64_t atime_ns, mtime_ns;
    uint64_t bytes;
} PACKED;

struct file_lock_wire { // data of FILE_LOCK, both ways
    uint64_t from, to;
    int32_t owner, kind;
    uint8_t get, whole, waits, ofd, reserved[4];
} PACKED;

struct file_ready { // MSG_fs_ready: poll may have changed
    uint64_t handle;
} PACKED;

struct file_release { // MSG_fs_release: `count` users of `node` less
    uint64_t handle;
    uint16_t node;
    uint16_t reserved;
    uint32_t count;
} PACKED;

struct file_share { // MSG_fs_share: `node` becomes a user too. MSG_fs_claim: I have what `node`
                    // gave
    uint64_t handle;
    uint16_t node;
    uint16_t reserved;
    uint32_t pad;
} PACKED;

struct file_unlock { // MSG_fs_unlock: a process lets go of its byte ranges; inode 0: on all files
    uint64_t inode;
    int32_t owner;
    uint32_t pad;
} PACKED;

struct locks_ask { // MSG_fs_locks: a text of the locks from that one on
    uint32_t from;
} PACKED;

struct inode_ask { // MSG_fs_inode: bytes of a tree file by inode
    uint64_t inode, offset;
    uint32_t bytes, pad;
} PACKED;

struct modified_tell { // MSG_fs_modified: not the archive's any more
    uint64_t inode;
} PACKED;

struct generated_ask { // MSG_fs_generated: open a node of a generated tree there
    struct fs_place place;
    uint32_t flags, pad;
} PACKED;

struct opened_reply { // what a proxy is made of; see REMOTE_* of proxy.h
    uint64_t handle;
    struct fs_place place;
    uint32_t kind, mode;
} PACKED;

// What an open file looks like from another node.
enum remote_kind {
    REMOTE_STREAM,    // pipe, terminal: may wait, no offset
    REMOTE_REGULAR,   // of the tree
    REMOTE_DIRECTORY, // listed
    REMOTE_SEEKABLE,  // generated files and devices: has an offset, at its home
    REMOTE_SOCKET,    // a stream with calls of its own
    REMOTE_KINDS
};

#define REMOTE_MODIFIED 0x100u // beside the kind of an opened file: no longer as archived

#define FILE_DATA_MAX (RPC_BYTES_MAX - 128) // of one message, behind its fixed part
