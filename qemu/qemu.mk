# The lab: the switch that the nodes of a cluster in QEMU are plugged into.

SWITCH_C := $(sort $(wildcard qemu/switch*.c)) ssi/cluster/witness.c ssi/cluster/seal.c

$(O)/host/switch: $(SWITCH_C) qemu/switch.h ssi/cluster/witness.h ssi/cluster/seal.h lib/types.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -I. -D_GNU_SOURCE $(WARN) $(SWITCH_C) -o $@ -lbearssl

# Tests of the lab itself; they need no kernel.
.PHONY: test-lab
test-lab: $(O)/host/switch $(BUSYBOX)
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/cluster/test_switch.py \
	    tests/cluster/test_lab.py
	/usr/bin/python3 -m pytest -q -p no:cacheprovider tests/cluster/test_exec.py -k fake

# What the house shows: processes that start on node 0 and are spread by the paper's policy.
NODES ?= 2

.PHONY: run
run: all $(O)/host/switch
	WEFT_BUILD=$(abspath $(O)) qemu/run --nodes $(NODES) $(RUN_FLAGS)
