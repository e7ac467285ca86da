// SPDX-License-Identifier: MIT
// What this CPU is and can: features, control registers, FPU state, the ways to stop.
#include "arch/x86/uart.h"
#include "arch/x86/x86.h"
#include "lib/string.h"

#define FEATURE_TSC     (1u << 4)
#define FEATURE_APIC    (1u << 9)
#define FEATURE_SEP     (1u << 11)
#define FEATURE_PGE     (1u << 13)
#define FEATURE_PSE36   (1u << 17)
#define FEATURE_FXSR    (1u << 24)
#define FEATURE_SSE     (1u << 25)
#define FEATURE_SSE2    (1u << 26)
#define FEATURE2_RDRAND (1u << 30)
// Hidden from programs and from migration checks: XSAVE, OSXSAVE, AVX, F16C, FMA, VMX, SMX, and in
// EDX the machine's own (APIC, MTRR, MCA...), which no program can use.
#define USER_EDX_MASK 0x07808111u // FPU TSC CX8 CMOV MMX FXSR SSE SSE2
#define USER_ECX_MASK 0x40f82203u // SSE3 PCLMUL SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

struct cpu_info cpu_info;
uint32_t user_access_guarded;
static uint32_t mxcsr_mask = 0xffbf;

// The Pentium Pro says SEP and has it not (Intel SDM vol. 2, SYSENTER).
static bool has_sysenter(uint32_t signature, uint32_t edx)
{
    uint32_t family = signature >> 8 & 15, model = signature >> 4 & 15, stepping = signature & 15;
    bool pentium_pro = family == 6 && (model < 3 || (model == 3 && stepping < 3));
    return (edx & FEATURE_SEP) && !((signature >> 16 & 0xfff) == 0 && pentium_pro);
}

// Of those that do not say it, CPUs with more than 32 address lines have PSE-36.
static uint8_t physical_bits(void)
{
    uint32_t r[4];
    cpuid(0x80000000, 0, r);
    if (r[0] < 0x80000008)
        return cpu_info.edx & FEATURE_PSE36 ? 36 : 32;
    cpuid(0x80000008, 0, r);
    return (uint8_t)r[0];
}

void cpu_detect(void)
{
    uint32_t r[4];
    cpuid(1, 0, r);
    cpu_info.edx = r[3];
    cpu_info.ecx = r[2];
    cpu_info.tsc = r[3] & FEATURE_TSC;
    cpu_info.apic = r[3] & FEATURE_APIC;
    cpu_info.pge = r[3] & FEATURE_PGE;
    cpu_info.fxsr = r[3] & FEATURE_FXSR;
    cpu_info.sse = r[3] & FEATURE_SSE;
    cpu_info.sse2 = r[3] & FEATURE_SSE2;
    cpu_info.sysenter = has_sysenter(r[0], r[3]);
    cpu_info.rdrand = r[2] & FEATURE2_RDRAND;
    cpuid(0, 0, r);
    if (r[0] >= 7) {
        cpuid(7, 0, r);
        cpu_info.smep = r[1] & (1u << 7);
        cpu_info.smap = r[1] & (1u << 20);
        cpu_info.umip = r[2] & (1u << 2);
    }
    cpuid(0x80000000, 0, r);
    if (r[0] >= 0x80000001) {
        cpuid(0x80000001, 0, r);
        cpu_info.nx = r[3] & (1u << 20);
    }
    cpu_info.physical_bits = physical_bits();
}

uint64_t arch_physical_end(void)
{
    return 1ull << cpu_info.physical_bits;
}

void cpu_init(void)
{
    uint32_t cr0, cr4;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP;
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= CR4_OSFXSR | (cpu_info.sse ? CR4_OSXMMEXCPT : 0) | (cpu_info.pge ? CR4_PGE : 0) |
           (cpu_info.smep ? CR4_SMEP : 0) | (cpu_info.smap ? CR4_SMAP : 0) |
           (cpu_info.umip ? CR4_UMIP : 0);
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    user_access_guarded = cpu_info.smap;
    if (cpu_info.sysenter) { // its stack is the running thread's: arch_user_prepare
        write_msr(MSR_SYSENTER_CS, GDT_KERNEL_CS);
        write_msr(MSR_SYSENTER_EIP, (uint32_t)sysenter_entry);
    }
    struct arch_fpu f;
    __asm__ volatile("fninit\n\tfxsave %0" : "=m"(f));
    uint32_t mask;
    memcpy(&mask, f.image + 28, sizeof(mask));
    if (mask != 0)
        mxcsr_mask = mask;
}

void arch_fpu_init(struct arch_fpu *f)
{
    memset(f, 0, sizeof(*f));
    const uint16_t control = 0x37f;
    const uint32_t mxcsr = 0x1f80;
    memcpy(f->image, &control, sizeof(control));
    memcpy(f->image + 24, &mxcsr, sizeof(mxcsr));
}

void arch_fpu_save(struct arch_fpu *f)
{
    __asm__ volatile("fxsave %0" : "=m"(*f));
}

void arch_fpu_load(const struct arch_fpu *f)
{
    __asm__ volatile("fxrstor %0" : : "m"(*f));
}

void arch_fpu_sanitise(struct arch_fpu *f)
{
    uint32_t mxcsr;
    memcpy(&mxcsr, f->image + 24, sizeof(mxcsr));
    mxcsr &= mxcsr_mask;
    memcpy(f->image + 24, &mxcsr, sizeof(mxcsr));
}

struct arch_features arch_cpu_features(void)
{
    return (struct arch_features){.edx = cpu_info.edx & USER_EDX_MASK,
                                  .ecx = cpu_info.ecx & USER_ECX_MASK};
}

static uint8_t cmos_read(uint8_t index)
{
    arch_out8(CMOS_INDEX, index);
    return arch_in8(CMOS_DATA);
}

static uint32_t from_bcd(uint8_t v, bool binary)
{
    return binary ? v : (v >> 4) * 10u + (v & 15u);
}

// Days since 1970 of a date in the Gregorian calendar, years from March so that leap days end one.
static uint32_t days_since_1970(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t y = month <= 2 ? year - 1 : year;
    uint32_t m = month <= 2 ? month + 9 : month - 3;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t arch_clock_real_s(void)
{
    uint8_t a[7], b[7];
    static const uint8_t index[7] = {0, 2, 4, 7, 8, 9, 0x32};
    do { // twice the same: not in the middle of an update
        while (cmos_read(0x0a) & 0x80)
            ;
        for (unsigned i = 0; i < 7; i++)
            a[i] = cmos_read(index[i]);
        for (unsigned i = 0; i < 7; i++)
            b[i] = cmos_read(index[i]);
    } while (memcmp(a, b, sizeof(a)) != 0);
    uint8_t status = cmos_read(0x0b);
    bool binary = status & 4;
    uint32_t hour = from_bcd(a[2] & 0x7f, binary);
    if (!(status & 2) && (a[2] & 0x80)) // 12 hour clock, afternoon
        hour = hour % 12 + 12;
    uint32_t century = from_bcd(a[6], binary);
    uint32_t year = (century >= 19 && century <= 22 ? century : 20) * 100 + from_bcd(a[5], binary);
    uint64_t days = days_since_1970(year, from_bcd(a[4], binary), from_bcd(a[3], binary));
    return ((days * 24 + hour) * 60 + from_bcd(a[1], binary)) * 60 + from_bcd(a[0], binary);
}

void arch_power_off(void)
{
    uart_flush();
    arch_out16(0x604, 0x2000);  // QEMU's PIIX4 and Q35 power management
    arch_out16(0xb004, 0x2000); // Bochs and old QEMU
    for (;;)
        halt();
}

void arch_exit(uint8_t status)
{
    uart_flush();
    arch_out32(0xf4, status);
    arch_power_off();
}

void arch_reset(void)
{
    uart_flush();
    for (unsigned i = 0; i < 100000 && (arch_in8(0x64) & 2); i++)
        ;
    arch_out8(0x64, 0xfe); // keyboard controller pulls the reset line
    for (;;)
        halt();
}

unsigned arch_backtrace(uintptr_t *pcs, unsigned max)
{
    const uintptr_t *frame = __builtin_frame_address(0);
    unsigned n = 0;
    while (n < max && (uintptr_t)frame >= KERNEL_BASE && ((uintptr_t)frame & 3) == 0) {
        uintptr_t next = frame[0];
        if (frame[1] < KERNEL_BASE)
            break;
        pcs[n++] = frame[1];
        if (next <= (uintptr_t)frame || next - (uintptr_t)frame > ARCH_STACK_BYTES)
            break;
        frame = (const uintptr_t *)next;
    }
    return n;
}

uint8_t arch_in8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

uint16_t arch_in16(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

uint32_t arch_in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

void arch_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

void arch_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

void arch_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
