// SPDX-License-Identifier: MIT
// The lab's Ethernet switch, as its own files see it: ports, pairs of ports with their faults and
// counters, frames under way. One process, one thread, one poll loop; the time is looked at once
// per round (`now_ns`).
#pragma once

#include "lib/types.h"

#define SWITCH_PORT_MAX        72
#define SWITCH_FRAME_BYTES_MAX 16384
#define SWITCH_QUEUE_BYTES_MAX (4u << 20) // per receiving port; beyond it frames are dropped

enum port_kind {
    PORT_FREE,
    PORT_NODE,
    PORT_HOST,
    PORT_WITNESS
};

struct frame {
    struct frame *next;
    uint64_t due_ns;
    uint64_t order; // of arrival: breaks ties of due_ns
    unsigned from, to;
    bool serialised; // has paid for its time on the receiver's cable
    size_t bytes;
    uint8_t wire[]; // 4 bytes big-endian length, then the frame
};

struct port {
    enum port_kind kind;
    char name[8];
    int listener, fd; // -1: none
    uint8_t *in;      // bytes of a stream port that are not yet a whole frame
    size_t in_bytes;
    struct frame *out_first, *out_last;
    size_t out_sent;         // bytes of out_first that are written
    size_t under_way_bytes;  // queued here or waiting for their time
    uint64_t in_busy_until;  // ns, when the cable is limited
    uint64_t out_busy_until; // likewise
};

struct pair { // ordered: frames from one port to another
    uint64_t random;
    uint64_t frames, bytes; // handed to the receiving port
    uint64_t lost, duplicated, reordered, corrupted, cut, full;
    uint64_t last_due_ns;
    struct frame *held; // waits for its successor to overtake it
    uint64_t held_until_ns;
    bool is_cut;
};

struct faults { // of all links; chances in units of 2^-32
    uint64_t loss, duplicate, reorder, corrupt;
    uint64_t delay_ns, jitter_ns;
    uint64_t link_bits_per_second; // 0: unlimited
    uint64_t seed;
};

extern struct port switch_ports[SWITCH_PORT_MAX];
extern struct pair switch_pairs[SWITCH_PORT_MAX][SWITCH_PORT_MAX];
extern struct faults switch_faults;
extern uint64_t switch_now_ns;

// switch_port.c
// Makes a port called `name` that one QEMU may connect to at `path` (again after it left).
// -EEXIST, -ENOSPC, -errno of the socket.
int port_listen(const char *name, const char *path);
int port_open_tap(const char *interface); // the port "h": 10.77.0.1/24 on a tap. -errno
int port_open_witness(void);              // the port "w"
int port_find(const char *name);          // slot, or -ENOENT
void port_accept(unsigned slot);
void port_read(unsigned slot);      // takes bytes from the wire; whole frames are forwarded
void port_write(unsigned slot);     // the wire takes bytes again
void port_deliver(struct frame *f); // takes the frame over
bool port_throttled(unsigned slot); // its cable is busy: read later
bool port_connected(unsigned slot);

// switch_forward.c
void forward_reset_random(void); // from switch_faults.seed
// Learns, picks the receivers, applies the faults of each pair, delivers or schedules.
void forward_frame(unsigned from, const uint8_t *data, size_t bytes);
void forward_forget(unsigned slot); // the addresses learned at this port
// Delivers what is due. Returns the time of the next one, or UINT64_MAX.
uint64_t forward_run(void);

// switch_witness.c: answers ARP for 10.77.0.2 and UDP 7702 there.
void witness_port_init(const uint8_t *cluster_key); // NULL: none
void witness_port_input(unsigned slot, const uint8_t *data, size_t bytes);

// switch_control.c: one command per line; the answer ends with a line "ok" or "error: TEXT".
void control_command(char *line, int answer_fd);

// switch_pcap.c
int pcap_open(const char *path); // -errno
void pcap_frame(const uint8_t *data, size_t bytes);
void pcap_flush(void);
