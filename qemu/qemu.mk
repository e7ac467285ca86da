# The lab: the switch, and what a cluster of QEMUs needs to be built.

SWITCH_C := $(filter-out qemu/switch_witness.c,$(sort $(wildcard qemu/switch*.c)))
SWITCH_FLAGS :=
ifneq ($(wildcard ssi/cluster/witness.c),)
SWITCH_C += qemu/switch_witness.c ssi/cluster/witness.c
SWITCH_FLAGS += -DSWITCH_WITNESS
endif

$(O)/host/switch: $(SWITCH_C) qemu/switch.h $(wildcard ssi/cluster/witness.h) lib/types.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -I. -D_GNU_SOURCE $(WARN) $(SWITCH_FLAGS) $(SWITCH_C) -o $@
