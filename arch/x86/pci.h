// SPDX-License-Identifier: MIT
// PCI by configuration mechanism 1. Found once at boot; drivers claim by vendor and device.
#pragma once

#include "lib/types.h"

struct pci_device {
    uint8_t bus, slot, function;
    uint16_t vendor, device;
    uint8_t class_code, subclass;
    uint8_t irq_line; // for arch_irq_attach
    struct {
        uint64_t base; // physical address or port
        uint32_t bytes;
        bool io;
    } bar[6];
};

unsigned pci_count(void);
struct pci_device *pci_device_at(unsigned i);
uint32_t pci_read32(const struct pci_device *d, unsigned offset);
void pci_write32(const struct pci_device *d, unsigned offset, uint32_t value);
void pci_enable_master(const struct pci_device *d); // memory, I/O and bus mastering on
