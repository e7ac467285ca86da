# The boot archive: what a node needs beside the kernel, in one file.

DEBS    ?= $(O)/debs
BUSYBOX := $(DEBS)/busybox-static/bin/busybox

# BearSSL for the kernel; its includes are those of the host's libbearssl-dev, same version.
BEARSSL     := $(DEBS)/libbearssl-dev
BEARSSL_LIB := $(BEARSSL)/usr/lib/i386-linux-gnu/libbearssl.a
BEARSSL_INC := $(BEARSSL)/usr/include

$(BUSYBOX) $(BEARSSL_LIB): | $(O)/.toolchain
	@boot/fetch-deb -d $(DEBS) $(firstword $(subst /, ,$(@:$(DEBS)/%=%)))

ROOT_FILES    := boot/make-root $(wildcard boot/root/etc/*)
ROOT_PROGRAMS :=

$(O)/root/.made: $(ROOT_FILES) $(BUSYBOX) $(ROOT_PROGRAMS)
	boot/make-root $(@D)/tree $(BUSYBOX) $(ROOT_PROGRAMS)
	@touch $@

$(O)/weft.img: $(O)/root/.made $(O)/host/mkarchive
	$(O)/host/mkarchive -o $@ --root $(<D)/tree
