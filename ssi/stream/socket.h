// SPDX-License-Identifier: MIT
// Sockets of programs (socket(7), unix(7), ip(7), tcp(7), udp(7), raw(7)) as the rooms above see
// them. A socket lives on the node that made it (accepted ones: where the listener lives); every
// call below takes the open file, of this node or a proxy of another node's, and does the same for
// both. Errors are negative errno. Calls may sleep when they say so, always interruptibly (-EINTR).
#pragma once

#include "ssi/fs/file.h"

enum {
    AF_UNSPEC = 0,
    AF_UNIX = 1,
    AF_INET = 2,
    AF_NETLINK = 16
};
enum {
    SOCK_STREAM = 1,
    SOCK_DGRAM = 2,
    SOCK_RAW = 3,
    SOCK_SEQPACKET = 5
};
#define SOCK_NONBLOCK O_NONBLOCK
#define SOCK_CLOEXEC  O_CLOEXEC

enum { // flags of send and receive
    MSG_OOB = 1,
    MSG_PEEK = 2,
    MSG_DONTROUTE = 4,
    MSG_CTRUNC = 8,
    MSG_TRUNC = 0x20,
    MSG_DONTWAIT = 0x40,
    MSG_EOR = 0x80,
    MSG_WAITALL = 0x100,
    MSG_ERRQUEUE = 0x2000,
    MSG_NOSIGNAL = 0x4000,
    MSG_MORE = 0x8000,
    MSG_WAITFORONE = 0x10000,
    MSG_CMSG_CLOEXEC = 0x40000000,
};

#define SOCKET_MESSAGE_MAX  425984u // bytes of a datagram: what the largest send buffer takes
#define SOCKET_NAME_BYTES   110u    // sockaddr_un, the longest we know
#define SOCKET_FILES_MAX    253u    // SCM_RIGHTS in one message, as Linux has it
#define SOCKET_OPTION_BYTES 256u
#define SOCKET_IOCTL_BYTES  1024u // of SIOCGIFCONF's answer

// An address as programs give it. `inode`: of the path that an AF_UNIX name is, found (or made, for
// bind) by the caller, who knows whose root it is; 0 for all other names.
struct socket_name {
    uint16_t bytes; // 0: none
    uint8_t at[SOCKET_NAME_BYTES];
    uint64_t inode;
} PACKED;

struct socket_cred { // struct ucred of the ABI
    int32_t pid;
    uint32_t uid, gid;
} PACKED;

struct socket_message {
    struct xfer *data;
    uint32_t flags;          // MSG_* of the caller
    uint64_t deadline_ns;    // clock_now_ns time; WAIT_FOREVER. MSG_DONTWAIT: does not sleep
    struct socket_name name; // to (bytes 0: the peer), or from
    struct socket_cred cred; // of the sender
    bool begun;              // bytes of this call were received before, elsewhere
    // Sent: the caller's users of the files stay his. Received: the receiver's to put; room for
    // SOCKET_FILES_MAX, or NULL: files that come are dropped (and MSG_CTRUNC said).
    struct file **files;
    uint32_t file_count;
    // Received:
    uint32_t told;       // MSG_TRUNC, MSG_CTRUNC, MSG_EOR
    uint32_t full;       // bytes of the whole datagram
    bool cred_wanted;    // SO_PASSCRED is on: tell `cred`
    uint8_t ip_wanted;   // SOCKET_WANT_*: what of below is told
    uint8_t ttl, tos;    // of an AF_INET datagram
    uint32_t to_ip;      // where it was sent to
    uint16_t to_port;    //
    uint64_t time_ns;    // real time of its arrival
    uint64_t timeout_ns; // SO_RCVTIMEO or SO_SNDTIMEO in force; 0: none
    uint32_t low_water;  // SO_RCVLOWAT
};

enum { // ip_wanted
    SOCKET_WANT_TTL = 1,
    SOCKET_WANT_PKTINFO = 2,
    SOCKET_WANT_TIME = 4,
    SOCKET_WANT_TOS = 8,
    SOCKET_WANT_DESTINATION = 16,
    SOCKET_WANT_TIME_NS = 32,   // with WANT_TIME: in ns, not us
    SOCKET_WANT_TIME_WIDE = 64, // with WANT_TIME: in 64-bit words
};

// `type` with SOCK_NONBLOCK. -EAFNOSUPPORT, -EPROTONOSUPPORT, -ESOCKTNOSUPPORT, -EPERM, -ENOMEM.
int socket_open(int32_t family, uint32_t type, int32_t protocol, const struct socket_cred *by,
                struct file **f);
int socket_open_pair(int32_t family, uint32_t type, int32_t protocol, const struct socket_cred *by,
                     struct file *f[2]);

int socket_family(struct file *f);    // AF_*, or a negative errno
int socket_type(struct file *f);      // SOCK_*, or a negative errno
bool socket_is(const struct file *f); // or a proxy of one
// by->uid 0: ports below 1024 are free to take.
int socket_bind(struct file *f, const struct socket_name *n, const struct socket_cred *by);
// Begins; -EINPROGRESS: POLL_OUT says when it is over, socket_connect_wait sleeps for it. An
// AF_UNIX listener whose queue is full is waited for here, unless O_NONBLOCK.
int socket_connect(struct file *f, const struct socket_name *n, const struct socket_cred *by);
int socket_connect_wait(struct file *f, uint64_t deadline_ns); // 0, error, -EINPROGRESS late
int socket_listen(struct file *f, int32_t backlog, const struct socket_cred *by);
// The oldest connection that waits. Sleeps; -EAGAIN: O_NONBLOCK, or the deadline passed.
int socket_accept(struct file *f, uint32_t flags, uint64_t deadline_ns, struct file **accepted,
                  struct socket_name *peer);
int socket_name_of(struct file *f, bool peer, struct socket_name *n);
int socket_shutdown(struct file *f, int32_t how);
// SO_LINGER, before the last user lets go: sleeps until what was sent is acknowledged, or its time
// is over, or a signal came.
void socket_linger(struct file *f);
int socket_set_option(struct file *f, int32_t level, int32_t option, const void *value, size_t n);
// Bytes of the value, at most SOCKET_OPTION_BYTES.
long socket_get_option(struct file *f, int32_t level, int32_t option, void *value);
// SO_RCVTIMEO or SO_SNDTIMEO, in ns; 0: none.
uint64_t socket_timeout_ns(struct file *f, bool sending);

// All of the message that can be sent or received, as send(2) and recv(2) have it: bytes, or an
// error when nothing was moved. Sleeps.
long socket_send(struct file *f, struct socket_message *m);
long socket_receive(struct file *f, struct socket_message *m);
// Bytes of the kind that sendmsg must hand over in one piece: datagrams.
bool socket_is_stream(struct file *f);

// SIOC* requests: `data` holds and gets `*n` bytes (at most SOCKET_IOCTL_BYTES).
long socket_ioctl(struct file *f, uint32_t request, void *data, size_t *n);

// ---- what /proc/net shows, of this node --------------------------------------------------------
struct text;
void socket_show_tcp(struct text *t);
void socket_show_udp(struct text *t);
void socket_show_raw(struct text *t);
void socket_show_unix(struct text *t);
void socket_show_sockstat(struct text *t);
