// SPDX-License-Identifier: MIT
// Network cards. A driver finds its device at INIT_DEVICES, fills a struct nic and registers it;
// the stack opens the first one. A new driver is one file: see e1000.c.
#pragma once

#include "net/buf.h"

struct nic;

struct nic_ops {
    // Starts receiving. False: the device does not work.
    bool (*open)(struct nic *nic);
    // Takes the whole frame, and the buffer in every case, until it is sent. False: dropped.
    bool (*send)(struct nic *nic, struct buf *frame);
    bool (*link_up)(struct nic *nic);
};

struct nic {
    const char *name;
    const struct nic_ops *ops;
    uint8_t mac[6];
    uint16_t mtu; // bytes behind the Ethernet header, at most ETH_PAYLOAD_MAX
    // Bytes of TCP text that `send` takes in one buffer with pieces, to cut into segments of its
    // cut_bytes with all checksums; at most BUF_PIECES - 1 pages. 0: it does not.
    uint32_t cut_max;
};

void nic_register(struct nic *nic);
struct nic *nic_first(void); // NULL: none

// A driver's receive path: a whole frame without its check sequence, borrowed for the call. Runs
// with the kernel lock held; drivers hand over NIC_BATCH frames at most in one go.
#define NIC_BATCH 32u
void nic_receive(struct nic *nic, const uint8_t *frame, size_t n);
// Around a batch: what may be put off (ACKs) goes out at its end.
void nic_batch_begin(void);
void nic_batch_end(void);
