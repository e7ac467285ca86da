# Tests. A unit test is tests/unit/test_X.c; its line `// links: FILES` names the sources it is
# built with, natively and under ASan + UBSan, with cmocka.

UNIT_C   := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_C:tests/unit/%.c=$(O)/unit/%)
HOSTFLAGS := -std=gnu11 -D_GNU_SOURCE -O1 -g -I. $(WARN) -Wno-missing-prototypes -fsanitize=address,undefined \
             -fno-sanitize-recover=all -DWEFT_HOST_TEST

HEADERS  := $(shell find $(FLOORS) host-tools tests/sim -name '*.h' -o -name '*.def')

.SECONDEXPANSION:
$(UNIT_BIN): $(O)/unit/%: tests/unit/%.c $(wildcard tests/unit/*.h) tests/unit/env.c lib/libc.c \
    $(HEADERS) $$(shell sed -n 's,^// links: ,,p' tests/unit/$$*.c)
	@mkdir -p $(@D)
	@echo '  UNIT    $@'
	@$(CC) $(HOSTFLAGS) $< tests/unit/env.c $(shell sed -n 's,^// links: ,,p' $<) -lcmocka -o $@ \
	    $(shell sed -n 's,^// libs: ,,p' $<)

.PHONY: unit
unit: $(UNIT_BIN) host-tools $(O)/weft.img fuzz-replay
	@for t in $(UNIT_BIN); do echo "== $$t"; $$t || exit 1; done
	WEFT_BUILD=$(abspath $(O)) /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/unit

include tests/fuzz/fuzz.mk
include tests/twin/twin.mk
include tests/lint/lint.mk
-include tests/explore/explore.mk
-include tests/sim/sim.mk
include tests/compat/compat.mk
include tests/bench/bench.mk

# All that the tests run, built before they do: in parts side by side, none builds what another reads.
.PHONY: tests-built
tests-built: all host-tools $(USER_BIN) $(UNIT_BIN) $(REPLAY_BIN) $(O)/host/switch $(O)/sim/sim \
    $(EXPLORE_BIN) $(if $(WEFT_ALL),$(O)/sim/mutants)

# Everything a change must pass, in less than 25 minutes; the last line counts. WEFT_LANES=1: one
# after the other.
.PHONY: test
test:
	@$(MAKE) --no-print-directory -j$(shell nproc) tests-built
	@tests/run $(O) lint unit fuzz explore sim lab reproducible cluster

# The same and what is too long for every change: tests marked heavy, more seeds.
.PHONY: test-all
test-all: export WEFT_ALL := 1
test-all:
	@$(MAKE) --no-print-directory -j$(shell nproc) tests-built
	@tests/run $(O) lint unit fuzz explore sim lab reproducible cluster
