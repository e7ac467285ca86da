// SPDX-License-Identifier: MIT
// Realtek RTL8139 fast Ethernet (RTL8139C(L) data sheet, section 6 registers; RTL8139 Programming
// Guide). The device writes frames one behind the other into one ring, with WRAP set: a frame that
// begins before the ring's end is whole behind it, so it can be lent to the stack as it lies.
// What is sent is copied: the device wants four-byte alignment and does not pad. It has only four
// descriptors, so frames wait in a short queue when they are taken. The handler acknowledges, hands
// frames up in bounded batches and leaves the rest to a timer of now.
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

enum { // registers behind the I/O base, section 6
    REG_IDR = 0x00,
    REG_MAR = 0x08,
    REG_TSD = 0x10,  // four
    REG_TSAD = 0x20, // four
    REG_RBSTART = 0x30,
    REG_CR = 0x37,
    REG_CAPR = 0x38,
    REG_IMR = 0x3c,
    REG_ISR = 0x3e,
    REG_TCR = 0x40,
    REG_RCR = 0x44,
    REG_MPC = 0x4c,
    REG_MSR = 0x58,
};

#define CR_RX_EMPTY   0x01u
#define CR_TX_ON      0x04u
#define CR_RX_ON      0x08u
#define CR_RESET      0x10u
#define MSR_LINK_DOWN 0x04u

#define INT_RX       (1u << 0 | 1u << 1) // good, error
#define INT_TX       (1u << 2 | 1u << 3) // good, error
#define INT_OVERFLOW (1u << 4 | 1u << 6) // ring, FIFO
#define INT_LINK     (1u << 5)           // or CAPR was written while the ring was empty
#define INT_ALWAYS   (INT_RX | INT_OVERFLOW | INT_LINK)

#define TSD_OWN       (1u << 13) // the device has read it all
#define TSD_UNDERRUN  (1u << 14)
#define TSD_OK        (1u << 15)
#define TSD_ABORTED   (1u << 30)
#define TSD_THRESHOLD (48u << 16)          // 1536 bytes in the FIFO first: no underruns
#define TCR_CLEAR     1u                   // of an abort
#define TCR_ON        (3u << 24 | 6u << 8) // standard gap between frames; bursts of 1 KiB
// frames to us and broadcasts, WRAP, bursts of 1 KiB, ring of 32 KiB, no FIFO threshold
#define RCR_ON (1u << 1 | 1u << 3 | 1u << 7 | 6u << 8 | 2u << 11 | 7u << 13)

#define RX_OK         0x0001u
#define RX_UNFINISHED 0xfff0u // the length of a frame that is still being written
#define RX_HEADER     4u      // status and length
#define CRC_BYTES     4u
#define CAPR_LAG      16u // the device takes CAPR to lie this far behind what was read

#define TX_SLOTS       4u
#define TX_BYTES       2048u
#define TX_WAITING_MAX 128u
#define FRAME_MIN      60u // without the check sequence
#define FRAME_MAX      (ETH_PAYLOAD_MAX + sizeof(struct eth_wire))
#define RING_BYTES     0x8000u
// What WRAP may write behind the ring: the rest of one frame that begins in its last bytes.
#define RING_FRAMES ((RING_BYTES + 2048u + PAGE_SIZE - 1) / PAGE_SIZE)
#define RESET_NS    (10 * NS_PER_MS)
STATIC_ASSERT(TX_BYTES * 2 == PAGE_SIZE && FRAME_MAX <= TX_BYTES, "slots fit their frames");

struct rtl8139 {
    struct nic nic;
    const struct pci_device *pci;
    uint16_t io;
    uint8_t *ring;
    unsigned rx_next; // offset in the ring
    uint8_t *tx_bytes[TX_SLOTS];
    unsigned tx_next, tx_oldest, tx_used;
    struct list tx_waiting; // struct buf
    unsigned tx_waiting_count;
    struct timer rest; // frames left when a batch was full
    bool link;         // as it was last told
};

static uint16_t port(const struct rtl8139 *r, unsigned reg)
{
    return (uint16_t)(r->io + reg);
}

// The device reads and writes memory behind the compiler's back; I/O instructions drain the CPU's
// stores, but the compiler must not move accesses over them.
static void order(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void rx_start(struct rtl8139 *r)
{
    r->rx_next = 0;
    arch_out32(port(r, REG_RBSTART), frame_physical_of(r->ring));
    arch_out8(port(r, REG_CR), CR_RX_ON | CR_TX_ON); // RCR holds only while this is set
    arch_out32(port(r, REG_RCR), RCR_ON);
}

// After a header that cannot be true nobody knows where the next frame begins.
static void rx_restart(struct rtl8139 *r)
{
    arch_out8(port(r, REG_CR), CR_TX_ON);
    rx_start(r);
}

// One frame from the ring. False: none is there, or the receiver had to start again.
static bool rx_one(struct rtl8139 *r)
{
    if (arch_in8(port(r, REG_CR)) & CR_RX_EMPTY)
        return false;
    order();
    uint16_t status, length; // little-endian
    memcpy(&status, r->ring + r->rx_next, sizeof(status));
    memcpy(&length, r->ring + r->rx_next + 2, sizeof(length));
    if (length == RX_UNFINISHED)
        return false; // its interrupt comes
    bool fits = length > CRC_BYTES && length <= FRAME_MAX + CRC_BYTES;
    if (!(status & RX_OK) || !fits) {
        net_counter_add(COUNT_nic_rx_bad);
        rx_restart(r);
        return false;
    }
    nic_receive(&r->nic, r->ring + r->rx_next + RX_HEADER, length - CRC_BYTES);
    order();
    r->rx_next = ((r->rx_next + RX_HEADER + length + 3) & ~3u) % RING_BYTES;
    arch_out16(port(r, REG_CAPR), (uint16_t)(r->rx_next - CAPR_LAG));
    return true;
}

static void rx_work(void *arg)
{
    struct rtl8139 *r = arg;
    unsigned done = 0;
    nic_batch_begin();
    while (done < NIC_BATCH && rx_one(r))
        done++;
    nic_batch_end();
    if (done == NIC_BATCH)
        timer_set(&r->rest, clock_now_ns());
}

static void tx_reclaim(struct rtl8139 *r)
{
    while (r->tx_used) {
        uint32_t status = arch_in32(port(r, REG_TSD + 4 * r->tx_oldest));
        if (!(status & (TSD_OK | TSD_UNDERRUN | TSD_ABORTED)))
            return;
        if (!(status & TSD_OK))
            net_counter_add(COUNT_nic_tx_bad);
        if (status & TSD_ABORTED)
            arch_out32(port(r, REG_TCR), TCR_ON | TCR_CLEAR);
        r->tx_oldest = (r->tx_oldest + 1) % TX_SLOTS;
        r->tx_used--;
    }
}

static void tx_start(struct rtl8139 *r, struct buf *b)
{
    uint8_t *slot = r->tx_bytes[r->tx_next];
    size_t n = MIN(b->n, (size_t)FRAME_MAX);
    memcpy(slot, b->at, n);
    if (n < FRAME_MIN)
        memset(slot + n, 0, FRAME_MIN - n);
    buf_free(b);
    order();
    // without TSD_OWN: this hands the slot over
    uint32_t bytes = (uint32_t)MAX(n, (size_t)FRAME_MIN);
    arch_out32(port(r, REG_TSD + 4 * r->tx_next), TSD_THRESHOLD | bytes);
    r->tx_next = (r->tx_next + 1) % TX_SLOTS;
    r->tx_used++;
}

// Moves what waits into free slots. The device tells of frames sent only while some still wait.
static void tx_work(struct rtl8139 *r)
{
    tx_reclaim(r);
    while (r->tx_waiting_count && r->tx_used < TX_SLOTS) {
        r->tx_waiting_count--;
        tx_start(r, list_entry(list_pop(&r->tx_waiting), struct buf, link));
        tx_reclaim(r);
    }
    uint16_t mask = INT_ALWAYS | (r->tx_waiting_count ? INT_TX : 0);
    arch_out16(port(r, REG_IMR), mask);
}

static bool rtl8139_send(struct nic *nic, struct buf *b)
{
    struct rtl8139 *r = container_of(nic, struct rtl8139, nic);
    if (r->tx_waiting_count == TX_WAITING_MAX) {
        buf_free(b);
        return false;
    }
    list_append(&r->tx_waiting, &b->link);
    r->tx_waiting_count++;
    tx_work(r);
    return true;
}

static void rx_missed(const struct rtl8139 *r)
{
    uint32_t missed = arch_in32(port(r, REG_MPC)) & 0xffffffu;
    arch_out32(port(r, REG_MPC), 0);
    for (; missed; missed--)
        net_counter_add(COUNT_nic_rx_missed);
}

static bool rtl8139_link_up(struct nic *nic)
{
    const struct rtl8139 *r = container_of(nic, struct rtl8139, nic);
    return !(arch_in8(port(r, REG_MSR)) & MSR_LINK_DOWN);
}

static void link_tell(struct rtl8139 *r)
{
    bool up = rtl8139_link_up(&r->nic);
    if (up != r->link)
        log_info("net", "%s: link %s", r->nic.name, up ? "up" : "down");
    r->link = up;
}

static void interrupt(void *arg)
{
    struct rtl8139 *r = arg;
    uint16_t why = arch_in16(port(r, REG_ISR));
    if (why == 0)
        return; // the line is shared
    arch_out16(port(r, REG_ISR), why);
    if (why & INT_LINK)
        link_tell(r);
    if (why & (INT_RX | INT_OVERFLOW))
        rx_work(r);
    if (why & INT_OVERFLOW)
        rx_missed(r);
    if (why & INT_TX)
        tx_work(r);
}

static bool memory_make(struct rtl8139 *r)
{
    frame_t ring = frame_alloc_run(RING_FRAMES, 0);
    if (ring == FRAME_NONE)
        return false;
    r->ring = frame_low_address(ring);
    for (unsigned i = 0; i < TX_SLOTS; i += 2) {
        frame_t f = frame_alloc(FRAME_LOW);
        if (f == FRAME_NONE)
            return false; // the device stays off; a node this small does not live
        r->tx_bytes[i] = frame_low_address(f);
        r->tx_bytes[i + 1] = r->tx_bytes[i] + TX_BYTES;
    }
    return true;
}

static bool rtl8139_open(struct nic *nic)
{
    struct rtl8139 *r = container_of(nic, struct rtl8139, nic);
    if (!memory_make(r) || !arch_irq_attach(r->pci->irq_line, interrupt, r))
        return false;
    rx_start(r);
    arch_out32(port(r, REG_TCR), TCR_ON);
    for (unsigned i = 0; i < TX_SLOTS; i++)
        arch_out32(port(r, REG_TSAD + 4 * i), frame_physical_of(r->tx_bytes[i]));
    arch_out32(port(r, REG_MAR), 0); // no multicasts
    arch_out32(port(r, REG_MAR + 4), 0);
    arch_out32(port(r, REG_MPC), 0);
    r->link = rtl8139_link_up(nic);
    arch_out16(port(r, REG_ISR), 0xffff);
    arch_out16(port(r, REG_IMR), INT_ALWAYS);
    return true;
}

// A reset loads the address from the EEPROM again and turns both directions off.
static bool reset(struct rtl8139 *r)
{
    arch_out16(port(r, REG_IMR), 0);
    arch_out8(port(r, REG_CR), CR_RESET);
    uint64_t start = clock_now_ns();
    while (arch_in8(port(r, REG_CR)) & CR_RESET)
        if (clock_now_ns() - start >= RESET_NS)
            return false;
    for (unsigned i = 0; i < sizeof(r->nic.mac); i++)
        r->nic.mac[i] = arch_in8(port(r, REG_IDR + i));
    return true;
}

static const struct nic_ops ops = {rtl8139_open, rtl8139_send, rtl8139_link_up};

static void rtl8139_attach(struct pci_device *pci)
{
    struct rtl8139 *r = heap_zalloc(sizeof(*r));
    if (!r) {
        log_error("net", "rtl8139: no memory for the device");
        return;
    }
    r->pci = pci;
    r->io = (uint16_t)pci->bar[0].base;
    r->nic.name = "rtl8139";
    r->nic.ops = &ops;
    r->nic.mtu = ETH_PAYLOAD_MAX;
    list_init(&r->tx_waiting);
    timer_init(&r->rest, rx_work, r);
    pci_enable_master(pci);
    if (reset(r)) {
        nic_register(&r->nic);
        return;
    }
    log_error("net", "rtl8139: the device does not come out of its reset");
    heap_free(r);
}

static void rtl8139_find(void)
{
    for (unsigned i = 0; i < pci_count(); i++) {
        struct pci_device *pci = pci_device_at(i);
        if (pci->vendor == 0x10ec && pci->device == 0x8139 && pci->bar[0].io)
            rtl8139_attach(pci);
    }
}
INIT_STEP(INIT_DEVICES, rtl8139_find);
