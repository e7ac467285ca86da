// SPDX-License-Identifier: MIT
#include "arch/x86/pci.h"
#include "arch/x86/x86.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define DEVICES_MAX    32

static struct pci_device devices[DEVICES_MAX];
static unsigned device_count;

static void config_select(const struct pci_device *d, unsigned offset)
{
    arch_out32(CONFIG_ADDRESS, 0x80000000u | (uint32_t)d->bus << 16 | (uint32_t)d->slot << 11 |
                                   (uint32_t)d->function << 8 | (offset & 0xfcu));
}

uint32_t pci_read32(const struct pci_device *d, unsigned offset)
{
    config_select(d, offset);
    return arch_in32(CONFIG_DATA);
}

void pci_write32(const struct pci_device *d, unsigned offset, uint32_t value)
{
    config_select(d, offset);
    arch_out32(CONFIG_DATA, value);
}

// Sizes one base address register by writing ones; returns how many registers it takes.
static unsigned bar_read(struct pci_device *d, unsigned i)
{
    unsigned offset = 0x10 + i * 4;
    uint32_t value = pci_read32(d, offset);
    pci_write32(d, offset, UINT32_MAX);
    uint32_t size = pci_read32(d, offset);
    pci_write32(d, offset, value);
    if (size == 0)
        return 1;
    bool io = value & 1;
    uint32_t mask = io ? ~3u : ~15u;
    d->bar[i].io = io;
    d->bar[i].base = value & mask;
    d->bar[i].bytes = io ? (~(size & mask) & 0xffffu) + 1 : ~(size & mask) + 1;
    if (!io && (value & 6) == 4 && i < 5) {
        d->bar[i].base |= (uint64_t)pci_read32(d, offset + 4) << 32;
        return 2;
    }
    return 1;
}

static bool function_probe(uint8_t bus, uint8_t slot, uint8_t function)
{
    struct pci_device d = {.bus = bus, .slot = slot, .function = function};
    uint32_t id = pci_read32(&d, 0);
    if ((id & 0xffff) == 0xffff || device_count == DEVICES_MAX)
        return false;
    d.vendor = (uint16_t)id;
    d.device = (uint16_t)(id >> 16);
    uint32_t class = pci_read32(&d, 8);
    d.class_code = (uint8_t)(class >> 24);
    d.subclass = (uint8_t)(class >> 16);
    d.irq_line = (uint8_t)pci_read32(&d, 0x3c);
    uint8_t header = (uint8_t)(pci_read32(&d, 12) >> 16);
    for (unsigned i = 0; (header & 0x7f) == 0 && i < 6;)
        i += bar_read(&d, i);
    devices[device_count++] = d;
    return header & 0x80; // more functions
}

static void bus_scan(uint8_t bus)
{
    unsigned first = device_count;
    for (unsigned slot = 0; slot < 32; slot++) {
        if (!function_probe(bus, (uint8_t)slot, 0))
            continue;
        for (unsigned f = 1; f < 8; f++)
            (void)function_probe(bus, (uint8_t)slot, (uint8_t)f);
    }
    for (unsigned i = first, end = device_count; i < end; i++) {
        bool bridge = devices[i].class_code == 6 && devices[i].subclass == 4;
        uint8_t secondary = (uint8_t)(pci_read32(&devices[i], 0x18) >> 8);
        if (bridge && secondary > bus)
            bus_scan(secondary);
    }
}

void pci_scan(void)
{
    bus_scan(0);
}

unsigned pci_count(void)
{
    return device_count;
}

struct pci_device *pci_device_at(unsigned i)
{
    return i < device_count ? &devices[i] : NULL;
}

void pci_enable_master(const struct pci_device *d)
{
    pci_write32(d, 4, (pci_read32(d, 4) & 0xffffu) | 7u);
}
