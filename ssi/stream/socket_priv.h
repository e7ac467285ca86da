// SPDX-License-Identifier: MIT
// The inside of sockets: one struct for all kinds, and who does what to it. Kernel code is atomic
// between two sleeps: pointers between sockets are good until the next sleep and are looked up
// again behind it. A socket that ends is taken out of every other one (socket_forget).
#pragma once

#include "kernel/timer.h"
#include "lib/fmt.h"
#include "net/net.h"
#include "ssi/stream/socket.h"

struct socket;
struct tcp_conn;
struct tcp_listener;

enum socket_state {
    SOCKET_IDLE,
    SOCKET_LISTENING,
    SOCKET_CONNECTING,
    SOCKET_CONNECTED,
    SOCKET_CLOSED, // a stream that was connected once
};

enum mtu_discover { // IP_MTU_DISCOVER
    MTU_DISCOVER_DONT,
    MTU_DISCOVER_WANT,
    MTU_DISCOVER_DO,
    MTU_DISCOVER_PROBE,
    MTU_DISCOVER_INTERFACE,
    MTU_DISCOVER_OMIT,
};

enum {
    SHUT_READ = 1,
    SHUT_WRITE = 2
};

// A stretch of stream bytes or a datagram, with what travels beside it.
struct packet {
    struct list link;
    uint32_t users;
    uint32_t at, n, room; // first unread byte, bytes left from there, room of bytes[]
    struct socket_cred cred;
    struct net_address from; // AF_INET datagrams
    uint32_t to_ip;
    uint8_t ttl, tos;
    uint64_t time_ns;
    struct unix_name *name; // AF_UNIX datagrams: the sender's, or NULL
    struct file **files;    // SCM_RIGHTS
    uint32_t file_count;
    uint8_t bytes[];
};

struct unix_name { // shared by the socket, what it sent, and its connections
    uint32_t users;
    uint32_t bytes; // of the sockaddr
    uint64_t inode; // 0: abstract
    uint8_t at[SOCKET_NAME_BYTES];
};

// What TCP does to a connection that is joined instead.
struct joined_tcp {
    uint32_t segment; // bytes
    uint32_t hidden;  // of the inbox: bytes of a segment that is not full, the last ones
    bool opener;      // it connected
    bool deferred;    // its listener was not told of it
    struct timer *hold_timer, *defer_timer; // made when they are set first
    // For TCP_INFO. `sent` once the peer is gone: before, it is what the peer received.
    struct joined_count {
        uint64_t bytes, last_ns;
        uint32_t times;
    } received, sent;
};

struct socket_kind {
    const char *name;
    int (*bind)(struct socket *s, const struct socket_name *n, bool low_ports);
    int (*connect)(struct socket *s, const struct socket_name *n, const struct socket_cred *by);
    int (*listen)(struct socket *s);
    // One step: moves what can be moved now into or out of m->data; never waits for other programs.
    // 0, or an error with nothing moved; -EAGAIN: sleep. May sleep for user memory.
    int (*send)(struct socket *s, struct socket_message *m);
    int (*receive)(struct socket *s, struct socket_message *m);
    unsigned (*poll)(struct socket *s);
    void (*name_of)(const struct socket *s, bool peer, struct socket_name *n);
    int (*shutdown)(struct socket *s, unsigned how);
    uint32_t (*readable_bytes)(const struct socket *s);
    void (*accepted)(struct socket *listener); // there is room for one more
    void (*end)(struct socket *s);             // its file is gone
};

struct socket {
    struct list all_link;
    struct file *file; // NULL: waits to be accepted
    const struct socket_kind *kind;
    uint16_t family, type, protocol;
    enum socket_state state;
    bool bound;          // has its name by bind(2) (or listen), not by connecting
    bool never_accepted; // its listener ended before
    bool listened;       // ever: others may wait for it
    bool told_connected; // a connect(2) has given the outcome
    bool was_connected;
    int error; // SO_ERROR: negative errno, given once
    unsigned shut;
    uint64_t number;
    uint32_t uid, gid; // what fstat says
    uint16_t mode;
    struct wait_queue readable, writable, changed;
    struct list async; // struct file_owner of its file

    struct list inbox; // struct packet
    uint32_t inbox_bytes, inbox_count;
    struct socket *peer;      // joined streams; the default address of AF_UNIX datagrams
    struct socket *waits_for; // a full queue: woken when it has room

    struct list children; // of a listener: by child_link, not yet accepted
    struct list deferred; // and those that nothing was sent to yet
    struct list child_link;
    struct socket *listener;
    uint32_t child_count, backlog;

    struct socket_cred cred, peer_cred;
    bool reuse_address, reuse_port, keep_alive, broadcast, dont_route, pass_cred, oob_inline;
    bool debug, no_check;
    uint8_t timestamp; // SOCKET_WANT_TIME with its kind, 0: none
    bool linger, no_delay, cork, header_included, want_ttl, want_pktinfo, want_tos, receive_errors;
    bool want_destination;
    bool prompt, v4_free_bind, mtu_probe, cork_datagrams;
    bool receive_limited; // SO_RCVBUF was set
    int32_t linger_s;
    uint32_t receive_limit, send_limit;
    uint64_t receive_timeout_ns, send_timeout_ns;
    uint32_t keep_idle_s, keep_interval_s, keep_count, user_timeout_ms;
    int32_t priority, mark, low_water, max_segment, linger2_s;
    uint32_t window_max, unsent_max;
    uint32_t syn_retries;
    uint8_t defer_retries;
    uint8_t ttl, tos, multicast_ttl, mtu_discover;
    bool multicast_loop;
    uint32_t icmp_filter;

    struct unix_name *name, *peer_name; // AF_UNIX
    bool far_peer;                      // its default address is bound on another node
    bool peer_lost;                     // its default address went away

    uint32_t netlink_port;            // AF_NETLINK; 0: none yet
    struct net_address local, remote; // AF_INET
    // Urgent data (urgent.c). Of a connection of the stack the stack knows: not NONE says that
    // there may be a mark.
    uint8_t urgent;        // enum tcp_urgent
    uint8_t urgent_byte;   // joined
    uint32_t urgent_ahead; // joined: unread bytes before it
    bool reset;            // the peer went away with our bytes unread
    bool active_close;     // our end goes to TIME_WAIT
    struct list port_link;
    struct joined_tcp joined; // TCP over loopback
    bool lingering;           // close waits for what was sent
    struct packet *gathered;  // UDP: what goes as one datagram, to:
    struct net_address gathered_to;
    struct tcp_conn *conn; // a connection of the stack, when it is not joined
    struct tcp_listener *tcp_listener;
};

// ---- socket.c ----------------------------------------------------------------------------------
struct socket *socket_of(const struct file *f);                               // NULL: not here
struct socket *socket_new(const struct socket_kind *k, int family, int type); // NULL: no memory
void socket_end(struct socket *s);
bool socket_name_is_none(const struct socket_name *n); // AF_UNSPEC
struct list *sockets_all(void);
enum {
    WAKE_READ = 1,
    WAKE_WRITE = 2,
    WAKE_OWN = 4, // no news for an owner: its own program did it, or it knows
};
void socket_wake(struct socket *s, unsigned which);
void socket_wake_waiting_for(struct socket *target);
int socket_take_error(struct socket *s); // SO_ERROR, cleared
void socket_fail(struct socket *s, int error);
void socket_child_add(struct socket *listener, struct socket *child);
struct file *socket_file(struct socket *s, uint32_t flags); // NULL: no memory
struct socket *socket_child_take(struct socket *listener);  // NULL: none
void socket_children_end(struct socket *listener);          // those that nobody accepted

// ---- packet.c ----------------------------------------------------------------------------------
struct packet *packet_new(uint32_t room);
void packet_get(struct packet *p);
void packet_put(struct packet *p);
void packet_append(struct socket *to, struct packet *p); // and wakes readers
struct packet *packet_first(const struct socket *s);     // NULL: none
void packet_remove(struct socket *s, struct packet *p);  // out of the inbox; puts it
void packets_drop(struct socket *s);                     // all of them
// What waits in the inbox, in bytes of memory: empty messages have to end somewhere too.
uint32_t packets_weight(const struct socket *s);
int packet_attach_files(struct packet *p, const struct socket_message *m);
void packet_give_files(struct packet *p, struct socket_message *m, bool peek);
// The bytes of one datagram, complete: 0, -EFAULT, -ENOMEM, -EMSGSIZE. May sleep.
int packet_gather(struct socket_message *m, uint32_t limit, struct packet **p);
// The oldest datagram goes to m: 0, -EAGAIN, -EFAULT. May sleep.
int packet_deliver(struct socket *s, struct socket_message *m);

// ---- datagram.c: as struct socket_kind has them
int datagram_receive(struct socket *s, struct socket_message *m);
unsigned datagram_poll_in(const struct socket *s); // all but POLL_OUT
int datagram_shutdown(struct socket *s, unsigned how);
uint32_t datagram_readable_bytes(const struct socket *s);
int datagram_listen(struct socket *s);

// ---- joined.c: streams whose two ends are on this node -----------------------------------------
void joined_connect(struct socket *a, struct socket *b);
int joined_send(struct socket *s, struct socket_message *m);
int joined_receive(struct socket *s, struct socket_message *m);
unsigned joined_poll(struct socket *s);
int joined_shutdown(struct socket *s, unsigned how);
void joined_end(struct socket *s);
uint32_t joined_readable_bytes(const struct socket *s);
void joined_drop_byte(struct socket *s); // the oldest one, which is there

// ---- holds.c: what TCP holds back, over loopback -----------------------------------------------
void held_connect(struct socket *s, struct socket *child); // they are joined
// s has sent n bytes, of which some are to be held, or were before. True: its peer has news.
bool held_sent(struct socket *s, const struct socket_message *m, uint32_t n);
void held_end(struct socket *s);    // what s sent is a segment, full or not
void held_forget(struct socket *s); // it may connect anew
void held_drop(struct socket *s);   // it ends
int held_receive(struct socket *s, struct socket_message *m);
void defer_child(struct socket *listener, struct socket *child);
// Text or FIN came (or a reset): its listener is told, or without one it ends.
void defer_end(struct socket *child, bool reset);
void defer_orphans(struct socket *listener); // it ends
uint32_t defer_seconds(uint32_t retries);    // of a SYN+ACK
uint8_t defer_retries(int32_t seconds);

#define UNIX_DATAGRAMS_MAX 10u // that wait in one socket: net.unix.max_dgram_qlen

// ---- unix.c, unix_names.c ----------------------------------------------------------------------
extern const struct socket_kind unix_joined_kind, unix_datagram_kind;
struct unix_name *unix_name_new(const struct socket_name *n);
struct unix_name *unix_name_get(struct unix_name *n); // NULL is fine
void unix_name_put(struct unix_name *n);              // NULL is fine
void unix_name_out(const struct unix_name *n, struct socket_name *out);
// The socket of this node that is bound to it; NULL.
struct socket *unix_find(const struct socket_name *n, unsigned type);
int unix_name_check(const struct socket_name *n); // of connect and send: 0, -EINVAL
int unix_bind(struct socket *s, const struct socket_name *n, bool low_ports);
// Is the name bound on another node? That node, or NODE_NONE. May sleep.
node_id_t unix_find_node(const struct socket_name *n, unsigned type);
int unix_connect_here(struct socket *s, struct socket *listener, const struct socket_cred *by);

// ---- inet.c, inet_tcp.c, inet_datagram.c -------------------------------------------------------
extern const struct socket_kind tcp_kind, udp_kind, raw_kind;
enum inet_table {
    INET_TCP,
    INET_UDP,
    INET_RAW,
    INET_TABLES
};
int inet_name_parse(const struct socket_name *n, struct net_address *a); // -EINVAL, -EAFNOSUPPORT
void inet_name_make(struct net_address a, struct socket_name *n);
void inet_name_of(const struct socket *s, bool peer, struct socket_name *n);
bool inet_is_local(uint32_t ip); // 127/8 or our own
// The address we talk from: 0, -ENETUNREACH.
int inet_source(uint32_t to, uint32_t *from);
enum inet_table inet_table_of(const struct socket *s);
// Port 0 in `a`: an ephemeral one. 0, -EADDRINUSE, -EADDRNOTAVAIL, -EACCES.
int inet_port_bind(struct socket *s, struct net_address a);
void inet_port_share(struct socket *s, struct net_address a); // accepted: the listener's port
void inet_port_drop(struct socket *s);
struct list *inet_ports(enum inet_table t, uint16_t port); // by port_link
// A connection whose end closed first keeps its port for a while.
void inet_time_wait(struct net_address a);
int inet_bind(struct socket *s, const struct socket_name *n, bool low_ports);
void inet_datagram_push(struct socket *s); // what UDP_CORK gathered
void inet_datagrams_start(void);
long inet_ioctl(struct socket *s, uint32_t request, void *data, size_t *n);

struct inet_interface {
    const char *name;
    int32_t index;
    uint32_t ip, mask, mtu; // ip 0: none
    uint32_t flags;         // IFF_*
    uint16_t hardware;      // ARPHRD_*
    uint8_t mac[6];
};
bool inet_interface(unsigned k, struct inet_interface *i); // the k-th; false: there are no more

// ---- urgent.c: urgent data of TCP sockets ------------------------------------------------------
void urgent_tell(struct socket *s);                          // a mark came: to its owner
void urgent_joined(struct socket *s);                        // what came last is urgent
int urgent_take(struct socket *s, struct socket_message *m); // recv(2) with MSG_OOB
// What precedes the mark, or what follows it, while s->urgent: a step of receiving.
int urgent_receive(struct socket *s, struct socket_message *m,
                   int (*receive)(struct socket *s, struct socket_message *m));
unsigned urgent_poll(struct socket *s, unsigned now); // the same with what the mark changes
uint32_t urgent_readable_bytes(const struct socket *s);
bool urgent_at_mark(const struct socket *s);

// ---- netlink.c ---------------------------------------------------------------------------------
extern const struct socket_kind netlink_kind;
void netlink_name_make(uint32_t port, struct socket_name *n);

// ---- options.c ---------------------------------------------------------------------------------
void options_init(struct socket *s);
struct tcp_tuning;
struct tcp_tuning options_tuning(const struct socket *s);
void options_apply(struct socket *s); // to its connection of the stack, or its listener
void options_inherit(struct socket *child, const struct socket *listener);
int options_set(struct socket *s, int32_t level, int32_t option, const void *value, size_t n);
long options_get(struct socket *s, int32_t level, int32_t option, void *value);

// ---- tcp_info.c
long tcp_info_get(const struct socket *s, void *value); // bytes
uint32_t tcp_info_segment(const struct socket *s);      // TCP_MAXSEG

// ---- socket_show.c
unsigned socket_state_number(const struct socket *s); // as tcp_info and /proc/net/tcp number it

// ---- socket_remote.c: calls by value to the node where a socket lives --------------------------
struct socket_ask;
int64_t socket_exchange(struct file *f, node_id_t from, const void *in, size_t in_bytes, void *out,
                        size_t out_size, size_t *out_bytes);
