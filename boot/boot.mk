# The boot archive: what a node needs beside the kernel, in one file; and the link of the kernel.

DEBS    ?= $(O)/debs
BUSYBOX := $(DEBS)/busybox-static/bin/busybox

# BearSSL for the kernel: the archive and the headers of Debian's i386 package.
BEARSSL     := $(DEBS)/libbearssl-dev
BEARSSL_LIB := $(BEARSSL)/usr/lib/i386-linux-gnu/libbearssl.a
BEARSSL_INC := $(BEARSSL)/usr/include
KFLAGS      += -isystem $(BEARSSL_INC)
$(KERNEL_O): | $(BEARSSL_LIB)

$(BUSYBOX) $(BEARSSL_LIB):
	@boot/fetch-deb -d $(DEBS) $(firstword $(subst /, ,$(@:$(DEBS)/%=%)))

ROOT_FILES    := boot/make-root $(wildcard boot/root/etc/*)
ROOT_PROGRAMS := $(USER_BIN)

$(O)/root/.made: $(ROOT_FILES) $(BUSYBOX) $(ROOT_PROGRAMS)
	@echo '  ROOT    $(@D)/tree'
	@boot/make-root $(@D)/tree $(BUSYBOX) $(ROOT_PROGRAMS)
	@touch $@

$(O)/weft.img: $(O)/root/.made $(O)/policy/paper.wpb $(O)/host/mkarchive
	@echo '  ARCHIVE $@'
	@$(O)/host/mkarchive -o $@ --root $(<D)/tree --policy $(O)/policy/paper.wpb

# The kernel is linked twice: the second link holds the symbol table of the first. The table lies
# behind the text, so no address of a function may differ between the two; that is checked.
KERNEL_LINK := $(CROSS)gcc -nostdlib -static -no-pie -Wl,--build-id=none \
    -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -T boot/kernel.ld
KERNEL_LIBS := $(BEARSSL_LIB) -lgcc

$(O)/weft.pass1.elf: $(KERNEL_O) boot/kernel.ld $(BEARSSL_LIB)
	@echo '  LD      $@'
	@$(KERNEL_LINK) $(KERNEL_O) $(KERNEL_LIBS) -o $@

$(O)/kernel/symbols.S: $(O)/weft.pass1.elf $(O)/host/symtab
	@$(CROSS)nm -n $< | $(O)/host/symtab >$@.tmp
	@mv $@.tmp $@

$(O)/weft.elf: $(O)/weft.pass1.elf $(O)/kernel/symbols.S
	@echo '  LD      $@'
	@$(CROSS)gcc -c $(O)/kernel/symbols.S -o $(O)/kernel/symbols.o
	@$(KERNEL_LINK) $(KERNEL_O) $(O)/kernel/symbols.o $(KERNEL_LIBS) -o $@.tmp
	@$(CROSS)nm -n $@.tmp | $(O)/host/symtab | cmp - $(O)/kernel/symbols.S || \
	    { echo 'weft.elf: the two links differ; .symtab_weft must lie behind the text' >&2; exit 1; }
	@mv $@.tmp $@

# An ISO for CD and USB stick. Debug information stays behind: the symbol table is all a node needs.
.PHONY: iso
iso: $(O)/weft.iso

$(O)/weft.iso: $(O)/weft.elf $(O)/weft.img boot/make-iso boot/grub/early.cfg boot/grub/grub.cfg
	@$(CROSS)objcopy --strip-debug $(O)/weft.elf $(O)/weft.iso.elf
	@echo '  ISO     $@'
	@boot/make-iso $@ $(O)/weft.iso.elf $(O)/weft.img
	@rm -f $(O)/weft.iso.elf

# A directory to boot from by PXE. make pxe SETTINGS='session=7 nodes=3'
.PHONY: pxe
pxe: $(O)/weft.elf $(O)/weft.img
	@$(CROSS)objcopy --strip-debug $(O)/weft.elf $(O)/weft.pxe.elf
	@echo '  PXE     $(O)/pxe'
	@boot/make-pxe $(O)/pxe $(O)/weft.pxe.elf $(O)/weft.img '$(SETTINGS)'
	@rm -f $(O)/weft.pxe.elf
	@echo 'serve it: dnsmasq --no-daemon --conf-file=$(O)/pxe/dnsmasq.conf --interface=eth1'

# One file that boots straight into a program: kernel and boot archive in one ELF, for -kernel, GRUB
# and iPXE. make image APP=FILE [ARGS='WORDS'] [POLICY=FILE] [SETTINGS='WORDS'] [NAME=NAME]
NAME  ?= $(basename $(notdir $(APP)))
IMAGE := $(O)/image/$(NAME)

.PHONY: image
image: $(O)/weft.elf $(O)/weft.img $(O)/host/mkarchive $(O)/host/weftc
	@[ -n '$(APP)' ] || { echo "usage: make image APP=FILE [ARGS='WORDS'] [POLICY=FILE]" >&2; exit 1; }
	@[ '$(NAME)' != weft ] || { echo 'make image: build/weft.elf is the kernel; give NAME=' >&2; exit 1; }
	@mkdir -p $(O)/image
	@echo '  IMAGE   $(O)/$(NAME).elf'
	@boot/make-image $(O) $(IMAGE) '$(APP)' '$(POLICY)' '$(SETTINGS)' $(ARGS)
	@$(CROSS)gcc -c $(IMAGE).S -o $(IMAGE).o
	@$(KERNEL_LINK) $(KERNEL_O) $(O)/kernel/symbols.o $(IMAGE).o $(KERNEL_LIBS) -o $(IMAGE).elf
	@$(CROSS)nm -n $(IMAGE).elf | $(O)/host/symtab | cmp - $(O)/kernel/symbols.S || \
	    { echo 'make image: the archive has moved the kernel' >&2; exit 1; }
	@$(CROSS)objcopy --strip-debug $(IMAGE).elf $(O)/$(NAME).elf
	@rm -f $(IMAGE).elf $(IMAGE).o $(IMAGE).S $(IMAGE).wpb
