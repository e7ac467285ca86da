// SPDX-License-Identifier: MIT
// Intel 8254x gigabit cards with legacy descriptors (PCI/PCI-X Family of Gigabit Ethernet
// Controllers Software Developer's Manual, 317453): QEMU's e1000 is an 82540EM. Receive buffers
// belong to the ring for ever and are lent to the stack; the handler acknowledges, hands frames up
// in bounded batches and leaves the rest to a timer of now, so that others come in between.
#include "arch/x86/arch.h"
#include "arch/x86/pci.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/node_var.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/counters.h"
#include "net/nic.h"
#include "net/wire.h"

enum { // registers, section 13
    REG_CTRL = 0x0000,
    REG_STATUS = 0x0008,
    REG_EERD = 0x0014,
    REG_ICR = 0x00c0,
    REG_IMS = 0x00d0,
    REG_IMC = 0x00d8,
    REG_RCTL = 0x0100,
    REG_TCTL = 0x0400,
    REG_TIPG = 0x0410,
    REG_RDBAL = 0x2800,
    REG_RDBAH = 0x2804,
    REG_RDLEN = 0x2808,
    REG_RDH = 0x2810,
    REG_RDT = 0x2818,
    REG_TDBAL = 0x3800,
    REG_TDBAH = 0x3804,
    REG_TDLEN = 0x3808,
    REG_TDH = 0x3810,
    REG_TDT = 0x3818,
    REG_MPC = 0x4010,
    REG_MTA = 0x5200, // 128 words
    REG_RAL = 0x5400,
    REG_RAH = 0x5404,
};

#define CTRL_ASDE      (1u << 5)
#define CTRL_SLU       (1u << 6)
#define CTRL_RESET     (1u << 26)
#define STATUS_LINK_UP (1u << 1)
// enable, broadcasts, strip the check sequence
#define RCTL_ON (1u << 1 | 1u << 15 | 1u << 26)
// enable, pad short frames, collision threshold and distance
#define TCTL_ON     (1u << 1 | 1u << 3 | 0x0fu << 4 | 0x40u << 12)
#define TIPG_COPPER (10u | 8u << 10 | 6u << 20) // 13.4.34
#define RAH_VALID   (1u << 31)
#define INT_LINK    (1u << 2)
#define INT_RX      (1u << 4 | 1u << 6 | 1u << 7) // low on descriptors, overrun, timer
#define INT_RX_LOST (1u << 6)

#define RX_DONE     0x01u
#define RX_END      0x02u
#define TX_DONE     0x01u
#define TX_COMMANDS 0x0bu // end of packet, insert check sequence, report status

// Segmentation: a context descriptor with the shape of the headers, then data descriptors.
#define CUT_CONTEXT   (1u << 29 | 1u << 24 | 1u << 25 | 1u << 26) // extended, TCP, IPv4, segment
#define CUT_DATA      (1u << 20 | 1u << 29 | 1u << 26 | 1u << 25) // data, extended, segment, FCS
#define CUT_END       (1u << 24)
#define CUT_REPORT    (1u << 27)
#define CUT_CHECKSUMS 0x3u // POPTS: of IPv4 and of TCP

#define RING       128u // descriptors each way; 16 bytes each, both rings in one frame
#define RX_BYTES   2048u
#define FRAME_MAX  (ETH_PAYLOAD_MAX + sizeof(struct eth_wire))
#define MMIO_BYTES 0x20000u
#define RESET_NS   (10 * NS_PER_MS)

struct rx_descriptor { // 3.2.3
    uint64_t address;
    uint16_t length, checksum;
    uint8_t status, errors;
    uint16_t special;
};
struct tx_descriptor { // 3.3.3
    uint64_t address;
    uint16_t length;
    uint8_t checksum_offset, command, status, checksum_start;
    uint16_t special;
};
struct cut_descriptor { // 3.3.6, context
    uint8_t ip_start, ip_offset;
    uint16_t ip_end;
    uint8_t tcp_start, tcp_offset;
    uint16_t tcp_end;
    uint32_t command; // and the length of the text
    uint8_t status, header_bytes;
    uint16_t segment_bytes;
};
struct text_descriptor { // 3.3.7, data
    uint64_t address;
    uint32_t command; // and length
    uint8_t status, options;
    uint16_t special;
};
STATIC_ASSERT(sizeof(struct cut_descriptor) == 16 && sizeof(struct text_descriptor) == 16, "rings");
STATIC_ASSERT(sizeof(struct rx_descriptor) == 16 && sizeof(struct tx_descriptor) == 16, "rings");
STATIC_ASSERT(RING * 2 * 16 <= PAGE_SIZE && RX_BYTES * 2 == PAGE_SIZE, "rings fit their frames");

struct e1000 {
    struct nic nic;
    const struct pci_device *pci;
    volatile uint8_t *registers;
    volatile struct rx_descriptor *rx;
    volatile struct tx_descriptor *tx;
    uint8_t *rx_bytes[RING];
    struct buf *tx_bufs[RING];
    unsigned rx_next, tx_next, tx_oldest, tx_used;
    struct timer rest; // frames left when a batch was full
};

static uint32_t reg_read(const struct e1000 *e, unsigned reg)
{
    return *(volatile uint32_t *)(e->registers + reg);
}

static void reg_write(const struct e1000 *e, unsigned reg, uint32_t value)
{
    *(volatile uint32_t *)(e->registers + reg) = value;
}

// The device reads descriptors as soon as it is told: the compiler must not delay their stores.
// The CPU itself keeps the order of stores (x86).
static void stores_before(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void rx_one(struct e1000 *e, volatile struct rx_descriptor *d)
{
    bool whole = d->status & RX_END && d->errors == 0 && d->length <= FRAME_MAX;
    if (whole)
        nic_receive(&e->nic, e->rx_bytes[e->rx_next], d->length);
    else
        net_counter_add(COUNT_nic_rx_bad);
}

// Hands up at most a batch; the descriptors go back to the device in one write.
static void rx_work(void *arg)
{
    struct e1000 *e = arg;
    unsigned done = 0, last = 0;
    nic_batch_begin();
    for (; done < NIC_BATCH && e->rx[e->rx_next].status & RX_DONE; done++) {
        stores_before(); // the frame is read behind its status
        rx_one(e, &e->rx[e->rx_next]);
        e->rx[e->rx_next].status = 0;
        last = e->rx_next;
        e->rx_next = (e->rx_next + 1) % RING;
    }
    nic_batch_end();
    if (done == 0)
        return;
    stores_before();
    reg_write(e, REG_RDT, last);
    if (done == NIC_BATCH)
        timer_set(&e->rest, clock_now_ns());
}

static void interrupt(void *arg)
{
    struct e1000 *e = arg;
    uint32_t why = reg_read(e, REG_ICR); // reading acknowledges
    if (why == 0)
        return; // the line is shared
    if (why & INT_LINK)
        log_info("net", "%s: link %s", e->nic.name, e->nic.ops->link_up(&e->nic) ? "up" : "down");
    if (why & INT_RX)
        rx_work(e);
    if (why & INT_RX_LOST) // the device clears its count when read
        net_counter_more(COUNT_nic_rx_missed, reg_read(e, REG_MPC));
}

static void tx_reclaim(struct e1000 *e)
{
    while (e->tx_used && e->tx[e->tx_oldest].status & TX_DONE) {
        buf_free(e->tx_bufs[e->tx_oldest]);
        e->tx_bufs[e->tx_oldest] = NULL;
        e->tx_oldest = (e->tx_oldest + 1) % RING;
        e->tx_used--;
    }
}

// The next descriptor; `b` is freed when the device is done with it.
static volatile void *tx_take(struct e1000 *e, struct buf *b)
{
    volatile struct tx_descriptor *d = &e->tx[e->tx_next];
    e->tx_bufs[e->tx_next] = b;
    e->tx_next = (e->tx_next + 1) % RING;
    e->tx_used++;
    return d;
}

static void tx_frame(struct e1000 *e, struct buf *b)
{
    volatile struct tx_descriptor *d = tx_take(e, b);
    d->address = frame_physical_of(b->at);
    d->length = (uint16_t)b->n;
    d->command = TX_COMMANDS;
    d->status = 0;
}

static void tx_text(struct e1000 *e, uint32_t address, uint32_t bytes, struct buf *last)
{
    volatile struct text_descriptor *d = tx_take(e, last);
    d->address = address;
    d->command = CUT_DATA | CUT_REPORT | (last ? CUT_END : 0) | bytes;
    d->status = 0;
    d->options = CUT_CHECKSUMS;
}

// Headers and text (3.5): the device repeats the headers, corrected, in front of each segment.
static void tx_cut(struct e1000 *e, struct buf *b)
{
    uint32_t ip = sizeof(struct eth_wire), tcp = ip + sizeof(struct ip_wire), text = 0;
    for (unsigned i = 0; i < b->piece_count; i++)
        text += b->pieces[i].bytes;
    volatile struct cut_descriptor *d = tx_take(e, NULL);
    d->ip_start = (uint8_t)ip;
    d->ip_offset = (uint8_t)(ip + offsetof(struct ip_wire, checksum));
    d->ip_end = (uint16_t)(tcp - 1);
    d->tcp_start = (uint8_t)tcp;
    d->tcp_offset = (uint8_t)(tcp + offsetof(struct tcp_wire, checksum));
    d->tcp_end = 0; // to the end
    d->command = CUT_CONTEXT | CUT_REPORT | text;
    d->status = 0;
    d->header_bytes = (uint8_t)b->n;
    d->segment_bytes = b->cut_bytes;
    tx_text(e, frame_physical_of(b->at), (uint32_t)b->n, NULL);
    for (unsigned i = 0; i < b->piece_count; i++) {
        const struct buf_piece *p = &b->pieces[i];
        uint32_t address = frame_physical_of(frame_low_address(p->frame)) + p->offset;
        tx_text(e, address, p->bytes, i + 1 == b->piece_count ? b : NULL);
    }
}

static bool e1000_send(struct nic *nic, struct buf *b)
{
    struct e1000 *e = container_of(nic, struct e1000, nic);
    unsigned needs = b->cut_bytes ? 2 + b->piece_count : 1;
    tx_reclaim(e);
    if (e->tx_used + needs > RING - 1) { // one stays free: a full ring looks like an empty one
        buf_free(b);
        return false;
    }
    if (b->cut_bytes)
        tx_cut(e, b);
    else
        tx_frame(e, b);
    stores_before();
    reg_write(e, REG_TDT, e->tx_next);
    tx_reclaim(e); // what is sent already shall not hold memory
    return true;
}

static bool e1000_link_up(struct nic *nic)
{
    return reg_read(container_of(nic, struct e1000, nic), REG_STATUS) & STATUS_LINK_UP;
}

static bool rings_make(struct e1000 *e)
{
    frame_t rings = frame_alloc(FRAME_LOW | FRAME_ZERO);
    if (rings == FRAME_NONE)
        return false;
    e->rx = frame_low_address(rings);
    e->tx = (volatile void *)(e->rx + RING);
    for (unsigned i = 0; i < RING; i += 2) {
        frame_t f = frame_alloc(FRAME_LOW);
        if (f == FRAME_NONE)
            return false; // the device stays off; a node this small does not live
        e->rx_bytes[i] = frame_low_address(f);
        e->rx_bytes[i + 1] = e->rx_bytes[i] + RX_BYTES;
    }
    for (unsigned i = 0; i < RING; i++)
        e->rx[i].address = frame_physical_of(e->rx_bytes[i]);
    return true;
}

static void rings_tell(const struct e1000 *e)
{
    reg_write(e, REG_RDBAL, frame_physical_of((const void *)(uintptr_t)e->rx));
    reg_write(e, REG_RDBAH, 0);
    reg_write(e, REG_RDLEN, RING * sizeof(struct rx_descriptor));
    reg_write(e, REG_RDH, 0);
    reg_write(e, REG_RDT, RING - 1);
    reg_write(e, REG_TDBAL, frame_physical_of((const void *)(uintptr_t)e->tx));
    reg_write(e, REG_TDBAH, 0);
    reg_write(e, REG_TDLEN, RING * sizeof(struct tx_descriptor));
    reg_write(e, REG_TDH, 0);
    reg_write(e, REG_TDT, 0);
}

static bool e1000_open(struct nic *nic)
{
    struct e1000 *e = container_of(nic, struct e1000, nic);
    if (!rings_make(e) || !arch_irq_attach(e->pci->irq_line, interrupt, e))
        return false;
    rings_tell(e);
    const uint8_t *m = nic->mac;
    reg_write(e, REG_RAL, (uint32_t)(m[0] | m[1] << 8 | m[2] << 16) | (uint32_t)m[3] << 24);
    reg_write(e, REG_RAH, (uint32_t)(m[4] | m[5] << 8) | RAH_VALID);
    reg_write(e, REG_TIPG, TIPG_COPPER);
    reg_write(e, REG_TCTL, TCTL_ON);
    reg_write(e, REG_RCTL, RCTL_ON);
    (void)reg_read(e, REG_ICR);
    reg_write(e, REG_IMS, INT_RX | INT_LINK);
    return true;
}

// The device's own address survives in its EEPROM, from which a reset reloads the filter.
static void reset(struct e1000 *e)
{
    reg_write(e, REG_IMC, ~0u);
    reg_write(e, REG_RCTL, 0);
    reg_write(e, REG_TCTL, 0);
    reg_write(e, REG_CTRL, reg_read(e, REG_CTRL) | CTRL_RESET);
    uint64_t start = clock_now_ns();
    while (reg_read(e, REG_CTRL) & CTRL_RESET && clock_now_ns() - start < RESET_NS)
        continue;
    reg_write(e, REG_IMC, ~0u);
    (void)reg_read(e, REG_ICR);
    reg_write(e, REG_CTRL, (reg_read(e, REG_CTRL) | CTRL_SLU | CTRL_ASDE) & ~CTRL_RESET);
    for (unsigned i = 0; i < 128; i++)
        reg_write(e, REG_MTA + 4 * i, 0);
    uint32_t low = reg_read(e, REG_RAL), high = reg_read(e, REG_RAH);
    for (unsigned i = 0; i < 4; i++)
        e->nic.mac[i] = (uint8_t)(low >> 8 * i);
    e->nic.mac[4] = (uint8_t)high;
    e->nic.mac[5] = (uint8_t)(high >> 8);
}

static const struct nic_ops ops = {e1000_open, e1000_send, e1000_link_up};

static void e1000_attach(struct pci_device *pci)
{
    struct e1000 *e = heap_zalloc(sizeof(*e));
    volatile void *registers = e ? arch_mmio_map(pci->bar[0].base, MMIO_BYTES) : NULL;
    if (!registers) {
        log_error("net", "e1000: no memory for the device");
        heap_free(e);
        return;
    }
    e->pci = pci;
    e->registers = registers;
    e->nic.name = "e1000";
    e->nic.ops = &ops;
    e->nic.mtu = ETH_PAYLOAD_MAX;
    e->nic.cut_max = (BUF_PIECES - 1) * PAGE_SIZE;
    timer_init(&e->rest, rx_work, e);
    pci_enable_master(pci);
    reset(e);
    nic_register(&e->nic);
}

static void e1000_find(void)
{
    static const uint16_t devices[] = {0x1004, 0x100e, 0x100f, 0x1015, 0x1019, 0x1026, 0x107c};
    for (unsigned i = 0; i < pci_count(); i++) {
        struct pci_device *pci = pci_device_at(i);
        for (unsigned k = 0; k < ARRAY_SIZE(devices); k++)
            if (pci->vendor == 0x8086 && pci->device == devices[k] && !pci->bar[0].io)
                e1000_attach(pci);
    }
}
INIT_STEP(INIT_DEVICES, e1000_find);
