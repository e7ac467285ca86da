# Weft: `make run` shows it, `make test` proves it, `make help` lists the rest.
# Every target works from a clean clone on Debian 12; what is missing is installed by boot/setup.

O ?= build
# One name for one folder: the dependencies that the compiler wrote name the objects by it.
override O := $(patsubst $(CURDIR)/%,%,$(abspath $(O)))
MAKEFLAGS += --jobs=$(shell nproc) --no-print-directory
.DEFAULT_GOAL := all
include boot/toolchain.mk

FLOORS := lib arch/x86 mm kernel net ssi sched
KERNEL_C := $(sort $(filter-out arch/x86/vdso/%,$(shell find $(FLOORS) -name '*.c')))
KERNEL_S := $(sort $(filter-out arch/x86/vdso/%,$(shell find arch/x86 boot -name '*.S')))
KERNEL_O := $(KERNEL_C:%.c=$(O)/kernel/%.o) $(KERNEL_S:%.S=$(O)/kernel/%.o)

WARN   := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wshadow
# Backtraces follow the frame pointers; a function that calls nothing is never passed by one.
KFLAGS := -std=gnu11 -O2 -g -I. -march=i686 -ffreestanding -fno-pic -no-pie -mgeneral-regs-only \
          -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
          -momit-leaf-frame-pointer -fno-strict-aliasing -mpreferred-stack-boundary=2 \
          -ffile-prefix-map=$(CURDIR)=. \
          -mmemcpy-strategy=unrolled_loop:64:noalign,libcall:-1:noalign \
          -mmemset-strategy=unrolled_loop:64:noalign,libcall:-1:noalign \
          -MMD -MP $(WARN) $(EXTRA_KFLAGS)

.PHONY: all
all: $(O)/weft.elf $(O)/weft.img

$(O)/kernel/%.o: %.c
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CROSS)gcc $(KFLAGS) -c $< -o $@

$(O)/kernel/%.o: %.S
	@mkdir -p $(@D)
	@echo '  AS      $<'
	@$(CROSS)gcc $(KFLAGS) -D__ASSEMBLY__ -c $< -o $@

-include $(KERNEL_O:.o=.d)
include arch/x86/vdso/vdso.mk
include user/user.mk
include boot/boot.mk
include host-tools/tools.mk
include tests/tests.mk
include qemu/qemu.mk

.PHONY: clean
clean:
	rm -rf $(O)

.PHONY: help
help:
	@echo 'make             kernel and boot archive: build/weft.elf, build/weft.img'
	@echo 'make run         a cluster in QEMU spreads processes by the policy (NODES=2 RUN_FLAGS=--help)'
	@echo 'make test        everything a change must pass; ends with N passed, N failed'
	@echo 'make test-all    the same, the tests marked heavy, eight times the seeds: hours'
	@echo 'make check       format and lints'
	@echo 'make unit        unit tests, native, under sanitizers'
	@echo 'make explore     all orders of messages over coherence and hand-off'
	@echo 'make explore-mutants  planted bugs: each must be found'
	@echo 'make sim         whole clusters in one process, by seed (SEEDS=n FIRST=s)'
	@echo 'make sim-mutants planted bugs: each must be found'
	@echo 'make fault-points lists what fault=ROOM:STATE:die|drop|stall|tell can strike'
	@echo 'make fuzz        SECONDS=60 [TARGET=x]: libFuzzer on every parser; hostile messages, ghosts'
	@echo 'make fuzz-replay the corpus and changes of it, in seconds'
	@echo 'make twin        SEEDS=20 [TARGET=files]: random sequences of system calls, here and on a node'
	@echo 'make fuzz-syscall CALLS=100000 [SEED=n]: random system calls on a node'
	@echo 'make test-lab    tests of qemu/cluster itself, without a kernel'
	@echo 'make compat      real programs here and on Linux: docs/compatibility.md (COMPAT_EXTRA=DIR)'
	@echo 'make bench-linux what operations of the kernel cost beside Linux (BENCH_FLAGS=--help)'
	@echo 'make bench-migration  the paper Table 1: build/bench/migration.json (LONG=1 BENCH_FLAGS=--help)'
	@echo 'make bench-net   TCP between two machines, Weft and Linux: build/bench/net.json (BENCH_FLAGS=--help)'
	@echo 'make iso         build/weft.iso, boots by GRUB from CD or stick'
	@echo 'make pxe         build/pxe/, a directory to serve by DHCP and TFTP or HTTP (SETTINGS=..)'
	@echo 'make image       APP=FILE [ARGS=..] [POLICY=FILE] [SETTINGS=..] [NAME=..]: a bootable program'
	@echo 'make host-tools  build/host/: weftc, mkarchive, symtab, weft-witness'
	@echo 'make clean       takes build/ away'
	@echo 'WEFT_SMP=4 in the environment: nodes in QEMU have four CPUs where nothing else is asked for'
