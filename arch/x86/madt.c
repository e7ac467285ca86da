// SPDX-License-Identifier: MIT
// Which CPUs the machine has: the Multiple APIC Description Table (ACPI 6.5, 5.2.5 and 5.2.12).
// The firmware's tables are checked like a stranger's: bounds, signatures, checksums.
#include "arch/x86/x86.h"
#include "lib/limits.h"
#include "lib/string.h"

#define SEARCH_FROM   0xe0000u
#define SEARCH_END    0x100000u
#define EBDA_POINTER  0x40eu // segment of the extended BIOS data area
#define EBDA_BYTES    1024u
#define TABLE_MAX     0x10000u
#define MADT_LOCAL    0 // type of an entry: a processor's local APIC
#define LOCAL_ENABLED 1u

struct root_pointer {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t table;
} PACKED;

struct table_head {
    char signature[4];
    uint32_t bytes;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} PACKED;
STATIC_ASSERT(sizeof(struct table_head) == 36, "ACPI 6.5, 5.2.6");

struct local_apic {
    uint8_t type, bytes, processor, apic_id;
    uint32_t flags;
} PACKED;

static bool sums_to_zero(const volatile uint8_t *p, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

static const struct root_pointer *search(uint32_t from, uint32_t end)
{
    for (uint32_t at = from; at + sizeof(struct root_pointer) <= end; at += 16) {
        const struct root_pointer *r = (const void *)(KERNEL_BASE + at);
        if (memcmp(r->signature, "RSD PTR ", 8) == 0 &&
            sums_to_zero((const uint8_t *)r, sizeof(*r)))
            return r;
    }
    return NULL;
}

// A table wherever it lies in memory; NULL when it is not as it should be.
static const struct table_head *table_at(uint32_t physical, const char *signature)
{
    const struct table_head *h = (const void *)arch_mmio_map(physical, sizeof(*h));
    if (h == NULL || (signature && memcmp(h->signature, signature, 4) != 0))
        return NULL;
    if (h->bytes < sizeof(*h) || h->bytes > TABLE_MAX)
        return NULL;
    if ((physical & PAGE_MASK) + h->bytes > PAGE_SIZE)
        h = (const void *)arch_mmio_map(physical, h->bytes);
    return h && sums_to_zero((const uint8_t *)h, h->bytes) ? h : NULL;
}

static const struct table_head *madt_find(void)
{
    uint16_t segment;
    memcpy(&segment, (const void *)(KERNEL_BASE + EBDA_POINTER), sizeof(segment));
    uint32_t ebda = (uint32_t)segment << 4;
    const struct root_pointer *r = NULL;
    if (ebda >= 0x80000 && ebda + EBDA_BYTES <= 0xa0000)
        r = search(ebda, ebda + EBDA_BYTES);
    if (r == NULL)
        r = search(SEARCH_FROM, SEARCH_END);
    const struct table_head *root = r ? table_at(r->table, "RSDT") : NULL;
    if (root == NULL)
        return NULL;
    uint32_t count = (root->bytes - (uint32_t)sizeof(*root)) / 4;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t physical;
        memcpy(&physical, (const uint8_t *)(root + 1) + i * 4, sizeof(physical));
        const struct table_head *h = table_at(physical, "APIC");
        if (h)
            return h;
    }
    return NULL;
}

unsigned madt_cpus(uint8_t ids[], unsigned max, unsigned *more)
{
    unsigned n = 0;
    *more = 0;
    const struct table_head *h = madt_find();
    if (h == NULL)
        return 0;
    const uint8_t *p = (const uint8_t *)(h + 1) + 8, *end = (const uint8_t *)h + h->bytes;
    uint8_t self = apic_id();
    while (p + 2 <= end && p[1] >= 2 && p[1] <= end - p) {
        struct local_apic a;
        if (p[0] == MADT_LOCAL && p[1] >= sizeof(a)) {
            memcpy(&a, p, sizeof(a));
            if ((a.flags & LOCAL_ENABLED) && a.apic_id != self) {
                if (n < max)
                    ids[n++] = a.apic_id;
                else
                    ++*more;
            }
        }
        p += p[1];
    }
    return n;
}
