// SPDX-License-Identifier: MIT
// Virtio network cards through the legacy interface of a transitional device (Virtual I/O Device
// 1.0: 4.1.4.8 registers, 2.4.2 ring layout, 5.1 network device, their "Legacy Interface" parts).
// No offloads: the header before each frame says nothing and is never read. Every frame is a chain
// of two descriptors, the header and the bytes, as a device without ANY_LAYOUT demands (5.1.6.1):
// chain i is descriptors 2i and 2i+1 for ever. Receive buffers are lent to the stack; the handler
// acknowledges, hands frames up in bounded batches and leaves the rest to a timer of now.
#include "arch/x86/arch.h"
#include "arch/x86/pci.h"
#include "kernel/init.h"
#include "kernel/timer.h"
#include "lib/limits.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "net/counters.h"
#include "net/nic.h"
#include "net/wire.h"

enum { // registers behind the I/O base, 4.1.4.8; the device's own from 0x14 while MSI-X is off
    REG_DEVICE_FEATURES = 0x00,
    REG_GUEST_FEATURES = 0x04,
    REG_QUEUE_PFN = 0x08,
    REG_QUEUE_SIZE = 0x0c,
    REG_QUEUE_SELECT = 0x0e,
    REG_QUEUE_NOTIFY = 0x10,
    REG_STATUS = 0x12,
    REG_ISR = 0x13,
    REG_MAC = 0x14,
    REG_NET_STATUS = 0x1a,
};

#define VENDOR_VIRTIO    0x1af4u
#define DEVICE_NET       0x1000u
#define FEATURE_MAC      (1u << 5)
#define FEATURE_STATUS   (1u << 16)
#define STATUS_KNOWN     1u // acknowledge
#define STATUS_DRIVER    2u
#define STATUS_DRIVER_OK 4u
#define STATUS_FAILED    0x80u
#define ISR_QUEUE        1u
#define ISR_CONFIG       2u
#define NET_LINK_UP      1u

#define QUEUE_RX           0u
#define QUEUE_TX           1u
#define QUEUE_SIZE_MAX     1024u // descriptors; more is not worth its memory
#define CHAINS_MAX         128u
#define DESC_NEXT          1u
#define DESC_WRITE         2u // by the device
#define AVAIL_NO_INTERRUPT 1u

#define RX_BYTES     2048u
#define HEADER_BYTES 10u // 5.1.6, without merged receive buffers
#define FRAME_MAX    (ETH_PAYLOAD_MAX + sizeof(struct eth_wire))
STATIC_ASSERT(RX_BYTES * 2 == PAGE_SIZE && HEADER_BYTES + FRAME_MAX <= RX_BYTES, "buffers fit");

struct descriptor { // 2.4.5
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};
struct avail { // 2.4.6
    uint16_t flags, index;
    uint16_t ring[];
};
struct used { // 2.4.8
    uint16_t flags, index;
    struct {
        uint32_t id, bytes;
    } ring[];
};
STATIC_ASSERT(sizeof(struct descriptor) == 16 && sizeof(struct used) == 4, "rings");

struct queue {
    unsigned size; // descriptors, a power of two that the device chose
    unsigned chains;
    volatile struct descriptor *table;
    volatile struct avail *avail;
    volatile struct used *used;
    uint16_t used_next; // counts on behind `used->index`
};

struct virtio_net {
    struct nic nic;
    const struct pci_device *pci;
    uint16_t io;
    uint32_t features;
    struct queue rx, tx;
    uint8_t *rx_bytes[CHAINS_MAX];
    struct buf *tx_bufs[CHAINS_MAX]; // NULL: the chain is free
    uint16_t tx_free[CHAINS_MAX];
    unsigned tx_free_count;
    struct timer rest; // frames left when a batch was full
};

// The device looks into the rings at any time: the compiler must keep the order of accesses. The
// CPU itself keeps that of stores and that of loads (x86), and an I/O instruction drains them.
static void order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void chain_offer(struct queue *q, unsigned chain)
{
    uint16_t index = q->avail->index;
    q->avail->ring[index & (q->size - 1)] = (uint16_t)(2 * chain);
    order();
    q->avail->index = (uint16_t)(index + 1);
}

static bool queue_has_used(const struct queue *q)
{
    return q->used->index != q->used_next;
}

// The next chain that the device is done with; its index is at most q->chains, which means that
// the device spoke of one it was never given.
static unsigned chain_take(struct queue *q, uint32_t *bytes)
{
    order();
    unsigned slot = q->used_next++ & (q->size - 1);
    uint32_t id = q->used->ring[slot].id;
    *bytes = q->used->ring[slot].bytes;
    return id % 2 == 0 && id / 2 < q->chains ? id / 2 : q->chains;
}

static void rx_one(struct virtio_net *v)
{
    uint32_t bytes;
    unsigned chain = chain_take(&v->rx, &bytes);
    if (chain == v->rx.chains) {
        net_counter_add(COUNT_nic_rx_bad);
        return;
    }
    if (bytes > HEADER_BYTES && bytes <= HEADER_BYTES + FRAME_MAX)
        nic_receive(&v->nic, v->rx_bytes[chain] + HEADER_BYTES, bytes - HEADER_BYTES);
    else
        net_counter_add(COUNT_nic_rx_bad);
    chain_offer(&v->rx, chain);
}

static void rx_work(void *arg)
{
    struct virtio_net *v = arg;
    unsigned done = 0;
    nic_batch_begin();
    for (; done < NIC_BATCH && queue_has_used(&v->rx); done++)
        rx_one(v);
    nic_batch_end();
    if (done == 0)
        return;
    arch_out16((uint16_t)(v->io + REG_QUEUE_NOTIFY), QUEUE_RX);
    if (done == NIC_BATCH)
        timer_set(&v->rest, clock_now_ns());
}

static void interrupt(void *arg)
{
    struct virtio_net *v = arg;
    uint8_t why = arch_in8((uint16_t)(v->io + REG_ISR)); // reading acknowledges
    if (why & ISR_CONFIG)
        log_info("net", "%s: link %s", v->nic.name, v->nic.ops->link_up(&v->nic) ? "up" : "down");
    if (why & ISR_QUEUE)
        rx_work(v);
}

static void tx_reclaim(struct virtio_net *v)
{
    while (queue_has_used(&v->tx)) {
        uint32_t bytes;
        unsigned chain = chain_take(&v->tx, &bytes);
        if (chain == v->tx.chains || !v->tx_bufs[chain])
            continue;
        buf_free(v->tx_bufs[chain]);
        v->tx_bufs[chain] = NULL;
        v->tx_free[v->tx_free_count++] = (uint16_t)chain;
    }
}

static bool virtio_net_send(struct nic *nic, struct buf *b)
{
    struct virtio_net *v = container_of(nic, struct virtio_net, nic);
    tx_reclaim(v);
    if (v->tx_free_count == 0) {
        buf_free(b);
        return false;
    }
    unsigned chain = v->tx_free[--v->tx_free_count];
    volatile struct descriptor *d = &v->tx.table[2 * chain + 1];
    d->address = frame_physical_of(b->at);
    d->bytes = (uint32_t)b->n;
    v->tx_bufs[chain] = b;
    order();
    chain_offer(&v->tx, chain);
    arch_out16((uint16_t)(v->io + REG_QUEUE_NOTIFY), QUEUE_TX);
    return true;
}

static bool virtio_net_link_up(struct nic *nic)
{
    const struct virtio_net *v = container_of(nic, struct virtio_net, nic);
    if (!(v->features & FEATURE_STATUS))
        return true; // the device cannot tell
    return arch_in16((uint16_t)(v->io + REG_NET_STATUS)) & NET_LINK_UP;
}

// Lays the three parts out as 2.4.2 says: used begins at the next page behind avail.
static bool queue_make(const struct virtio_net *v, struct queue *q, unsigned number)
{
    arch_out16((uint16_t)(v->io + REG_QUEUE_SELECT), (uint16_t)number);
    q->size = arch_in16((uint16_t)(v->io + REG_QUEUE_SIZE));
    if (q->size < 2 || q->size > QUEUE_SIZE_MAX || q->size & (q->size - 1))
        return false;
    size_t before = q->size * sizeof(struct descriptor) + sizeof(struct avail) + 2 * q->size + 2;
    size_t behind = sizeof(struct used) + 8 * q->size + 2;
    size_t used_at = (before + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1);
    unsigned frames = (unsigned)((used_at + behind + PAGE_SIZE - 1) / PAGE_SIZE);
    frame_t run = frame_alloc_run(frames, 0);
    if (run == FRAME_NONE)
        return false;
    uint8_t *base = frame_low_address(run);
    memset(base, 0, frames * PAGE_SIZE);
    q->chains = MIN(q->size / 2, CHAINS_MAX);
    q->table = (volatile void *)base;
    q->avail = (volatile void *)(base + q->size * sizeof(struct descriptor));
    q->used = (volatile void *)(base + used_at);
    arch_out32((uint16_t)(v->io + REG_QUEUE_PFN), frame_physical_of(base) / PAGE_SIZE);
    return true;
}

static void chain_make(struct queue *q, unsigned chain, uint8_t *header, uint16_t flags)
{
    volatile struct descriptor *d = &q->table[2 * chain];
    d[0].address = frame_physical_of(header);
    d[0].bytes = HEADER_BYTES;
    d[0].flags = DESC_NEXT | flags;
    d[0].next = (uint16_t)(2 * chain + 1);
    d[1].flags = flags;
}

static bool rx_fill(struct virtio_net *v)
{
    uint8_t *bytes = NULL;
    for (unsigned i = 0; i < v->rx.chains; i++) {
        frame_t f = i % 2 == 0 ? frame_alloc(FRAME_LOW) : FRAME_NONE;
        if (i % 2 == 0 && f == FRAME_NONE)
            return false; // the device stays off; a node this small does not live
        bytes = i % 2 == 0 ? frame_low_address(f) : bytes + RX_BYTES;
        v->rx_bytes[i] = bytes;
        chain_make(&v->rx, i, bytes, DESC_WRITE);
        v->rx.table[2 * i + 1].address = frame_physical_of(bytes + HEADER_BYTES);
        v->rx.table[2 * i + 1].bytes = RX_BYTES - HEADER_BYTES;
        chain_offer(&v->rx, i);
    }
    return true;
}

// One header of zeroes serves all frames sent: the device only reads it.
static bool tx_prepare(struct virtio_net *v)
{
    frame_t f = frame_alloc(FRAME_LOW | FRAME_ZERO);
    if (f == FRAME_NONE)
        return false;
    for (unsigned i = 0; i < v->tx.chains; i++) {
        chain_make(&v->tx, i, frame_low_address(f), 0);
        v->tx_free[v->tx_free_count++] = (uint16_t)i;
    }
    v->tx.avail->flags = AVAIL_NO_INTERRUPT; // what was sent is taken back at the next send
    return true;
}

static void status_add(const struct virtio_net *v, uint8_t bit)
{
    uint16_t port = (uint16_t)(v->io + REG_STATUS);
    arch_out8(port, arch_in8(port) | bit);
}

static bool virtio_net_open(struct nic *nic)
{
    struct virtio_net *v = container_of(nic, struct virtio_net, nic);
    if (!queue_make(v, &v->rx, QUEUE_RX) || !queue_make(v, &v->tx, QUEUE_TX) || !rx_fill(v) ||
        !tx_prepare(v) || !arch_irq_attach(v->pci->irq_line, interrupt, v)) {
        status_add(v, STATUS_FAILED);
        return false;
    }
    status_add(v, STATUS_DRIVER_OK);
    arch_out16((uint16_t)(v->io + REG_QUEUE_NOTIFY), QUEUE_RX);
    return true;
}

// 3.1.2 without the queues, which open() makes: reset, features, address.
static bool negotiate(struct virtio_net *v)
{
    arch_out8((uint16_t)(v->io + REG_STATUS), 0);
    status_add(v, STATUS_KNOWN);
    status_add(v, STATUS_DRIVER);
    uint32_t offered = arch_in32((uint16_t)(v->io + REG_DEVICE_FEATURES));
    v->features = offered & (FEATURE_MAC | FEATURE_STATUS);
    arch_out32((uint16_t)(v->io + REG_GUEST_FEATURES), v->features);
    for (unsigned i = 0; i < sizeof(v->nic.mac); i++)
        v->nic.mac[i] = arch_in8((uint16_t)(v->io + REG_MAC + i));
    return v->features & FEATURE_MAC;
}

static const struct nic_ops ops = {virtio_net_open, virtio_net_send, virtio_net_link_up};

static void virtio_net_attach(struct pci_device *pci)
{
    struct virtio_net *v = heap_zalloc(sizeof(*v));
    if (!v) {
        log_error("net", "virtio-net: no memory for the device");
        return;
    }
    v->pci = pci;
    v->io = (uint16_t)pci->bar[0].base;
    v->nic.name = "virtio-net";
    v->nic.ops = &ops;
    v->nic.mtu = ETH_PAYLOAD_MAX;
    timer_init(&v->rest, rx_work, v);
    pci_enable_master(pci);
    if (negotiate(v)) {
        nic_register(&v->nic);
        return;
    }
    log_error("net", "virtio-net: the device has no address of its own");
    status_add(v, STATUS_FAILED);
    heap_free(v);
}

static void virtio_net_find(void)
{
    for (unsigned i = 0; i < pci_count(); i++) {
        struct pci_device *pci = pci_device_at(i);
        if (pci->vendor == VENDOR_VIRTIO && pci->device == DEVICE_NET && pci->bar[0].io)
            virtio_net_attach(pci);
    }
}
INIT_STEP(INIT_DEVICES, virtio_net_find);
