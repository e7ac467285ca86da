# `make sim`: whole clusters of the shipped code in one process, by seed.
# make sim SEEDS=10 FIRST=1000 runs ten times as many, other ones.
# build/sim/sim -v SCENARIO SEED [KEY=VALUE...] runs one and tells everything.

SEEDS ?= 1
FIRST ?= 1

SIM_SHIPPED := kernel/fault.c kernel/init.c kernel/klog.c kernel/settings.c kernel/trace.c kernel/wait.c kernel/work.c lib/archive.c lib/bpf_classic.c lib/cpio.c lib/crc32c.c \
    lib/errno.c lib/fmt.c lib/log.c \
    lib/radix.c lib/string.c mm/space.c mm/space_tree.c mm/user.c \
    $(filter-out net/e1000.c net/rtl8139.c net/virtio_net.c,$(wildcard net/*.c net/tcp/*.c)) \
    $(filter-out ssi/process/init.c,$(wildcard ssi/*/*.c))
SIM_PORTS := $(addprefix tests/sim/ports/,clock.c frames.c machine.c node.c random.c space.c \
    threads.c wire.c)
SIM_C := $(sort $(SIM_SHIPPED) $(SIM_PORTS) $(wildcard tests/sim/*.c))
SIM_O := $(SIM_C:%.c=$(O)/sim/%.o)

$(O)/sim/ssi/cluster/rpc_rows.o: SIM_EXTRA := -include tests/sim/absent.h

# hostile.c stands in front of two functions of the kernel.
SIM_WRAPS := -Wl,--wrap=rpc_receive,--wrap=ghost_import

$(SIM_O): $(O)/sim/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(filter-out -DWEFT_HOST_TEST,$(HOSTFLAGS)) -fno-omit-frame-pointer -DWEFT_SIM -MMD -MP $(SIM_EXTRA) -c $< -o $@

$(O)/sim/sim: $(SIM_O)
	@echo '  SIM     $@'
	@$(CC) $(filter-out -DWEFT_HOST_TEST,$(HOSTFLAGS)) $^ $(SIM_WRAPS) -o $@ -lbearssl

-include $(SIM_O:.o=.d)

.PHONY: sim
sim: $(O)/sim/sim
	@$(O)/sim/sim -k tests/sim/seeds.txt -n $(SEEDS) -f $(FIRST)

.PHONY: fault-points
fault-points: $(O)/sim/sim
	@$(O)/sim/sim -p

# The same with planted bugs in the step functions of coherence and hand-off: which of them do the
# scenarios find? build/sim/mutants NUMBER SCENARIO SEED runs one.
MUTANT_C := tests/sim/run.c $(shell grep -lw MUTANT -r ssi --include='*.c')
MUTANT_O := $(MUTANT_C:%.c=$(O)/sim/mutant/%.o)

$(MUTANT_O): $(O)/sim/mutant/%.o: %.c
	@mkdir -p $(@D)
	@$(CC) $(filter-out -DWEFT_HOST_TEST,$(HOSTFLAGS)) -fno-omit-frame-pointer -DWEFT_SIM -DWEFT_MUTANTS -MMD -MP -c $< -o $@

$(O)/sim/mutants: $(MUTANT_O) $(filter-out $(MUTANT_C:%.c=$(O)/sim/%.o),$(SIM_O))
	@echo '  SIM     $@'
	@$(CC) $(filter-out -DWEFT_HOST_TEST,$(HOSTFLAGS)) $^ $(SIM_WRAPS) -o $@ -lbearssl

-include $(MUTANT_O:.o=.d)

.PHONY: sim-mutants
sim-mutants: $(O)/sim/mutants
	@$(O)/sim/mutants -f $(FIRST)
