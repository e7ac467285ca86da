# Host tools: C programs for the machine that builds. $(O)/host/NAME from host-tools/NAME.c, the
# shared files below, and what `host_NAME` and `libs_NAME` add.

HOST_TOOLS   := mkarchive symtab weft-witness
HOST_SHARED  := host-tools/host.c lib/crc32c.c lib/string.c
HOST_CFLAGS  := -std=gnu11 -D_GNU_SOURCE -O2 -g -I. $(WARN)

host_mkarchive := host-tools/tree.c lib/archive.c lib/cpio.c
libs_mkarchive := -lbearssl
host_weft-witness := ssi/cluster/witness.c

.PHONY: host-tools
host-tools: $(HOST_TOOLS:%=$(O)/host/%)

$(HOST_TOOLS:%=$(O)/host/%): $(O)/host/%: host-tools/%.c $(HOST_SHARED) \
    $(wildcard host-tools/*.h lib/*.h) $(foreach t,$(HOST_TOOLS),$(host_$(t))) | $(O)/.toolchain
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) $< $(HOST_SHARED) $(host_$*) $(libs_$*) -o $@
