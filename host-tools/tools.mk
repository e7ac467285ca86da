# Host tools: C programs for the machine that builds. $(O)/host/NAME from host-tools/NAME.c, the
# shared files below, and what `host_NAME` and `libs_NAME` add.

HOST_TOOLS   := mkarchive symtab weftc weft-witness
HOST_SHARED  := host-tools/host.c host-tools/assert.c lib/crc32c.c lib/string.c
HOST_CFLAGS  := -std=gnu11 -D_GNU_SOURCE -O2 -g -I. $(WARN)

host_mkarchive := host-tools/tree.c lib/archive.c lib/cpio.c sched/policy/blob.c lib/fmt.c
libs_mkarchive := -lbearssl
host_weftc := host-tools/xmlsource.c host-tools/xmltree.c host-tools/policymodel.c \
    host-tools/policyblob.c sched/policy/blob.c lib/fmt.c
libs_weftc := -I/usr/include/libxml2 -lxml2
host_weft-witness := ssi/cluster/witness.c ssi/cluster/seal.c
libs_weft-witness := -lbearssl

.PHONY: host-tools
host-tools: $(HOST_TOOLS:%=$(O)/host/%)

HOST_INPUTS := $(HOST_SHARED) $(wildcard host-tools/*.h lib/*.h sched/policy/*.h) \
    sched/policy/stages.def $(sort $(foreach t,$(HOST_TOOLS),$(host_$(t))))

$(HOST_TOOLS:%=$(O)/host/%): $(O)/host/%: host-tools/%.c $(HOST_INPUTS)
	@mkdir -p $(@D)
	@echo '  HOSTCC  $@'
	@$(CC) $(HOST_CFLAGS) $< $(HOST_SHARED) $(host_$*) $(libs_$*) -o $@

# The policies that ship: sched/policies/NAME/*.xml -> $(O)/policy/NAME.wpb
.SECONDEXPANSION:
$(O)/policy/%.wpb: $$(wildcard sched/policies/$$*/*.xml) $(O)/host/weftc
	@mkdir -p $(@D)
	@echo '  POLICY  $@'
	@$(O)/host/weftc -o $@ sched/policies/$*
