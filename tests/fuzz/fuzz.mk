# Fuzzing. A target is tests/fuzz/fuzz_X.c; its seeds are in tests/fuzz/corpus/X.
# make fuzz SECONDS=n [TARGET=x]: libFuzzer with ASan and UBSan, that long on each; what it finds is
# kept in build/fuzz/X.found. `make unit` and `make test` replay the corpus.

FUZZ_SECONDS = $(or $(SECONDS),60)
FUZZ_C       := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TARGETS := $(FUZZ_C:tests/fuzz/fuzz_%.c=%)
FUZZ_BIN     := $(FUZZ_TARGETS:%=$(O)/fuzz/%)
REPLAY_BIN   := $(FUZZ_TARGETS:%=$(O)/fuzz/%.replay)
FUZZ_WARN    := $(filter-out -Wmissing-prototypes,$(WARN)) -Wno-unknown-warning-option
FUZZ_FLAGS   := -std=gnu11 -D_GNU_SOURCE -O1 -g -I. $(FUZZ_WARN) -fno-sanitize-recover=all -DWEFT_HOST_TEST
FUZZ_RUNS    ?= 150

fuzz_links = $(wildcard $(shell sed -n 's,^// links: ,,p' tests/fuzz/fuzz_$(1).c))
fuzz_libs  = $(shell sed -n 's,^// libs: ,,p' tests/fuzz/fuzz_$(1).c)

.SECONDEXPANSION:
$(FUZZ_BIN): $(O)/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h tests/unit/env.c lib/libc.c $(HEADERS) \
    $$(call fuzz_links,$$*)
	@mkdir -p $(@D)
	@echo '  FUZZ    $@'
	@clang $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $< tests/unit/env.c \
	    $(call fuzz_links,$*) -o $@ $(call fuzz_libs,$*)

$(REPLAY_BIN): $(O)/fuzz/%.replay: tests/fuzz/fuzz_%.c tests/fuzz/replay.c tests/fuzz/fuzz.h tests/unit/env.c \
    lib/libc.c $(HEADERS) $$(call fuzz_links,$$*)
	@mkdir -p $(@D)
	@echo '  REPLAY  $@'
	@$(CC) $(HOSTFLAGS) $< tests/fuzz/replay.c tests/unit/env.c $(call fuzz_links,$*) -o $@ \
	    $(call fuzz_libs,$*)

.PHONY: fuzz
fuzz: $(if $(TARGET),$(filter-out messages,$(TARGET:%=$(O)/fuzz/%)),$(FUZZ_BIN)) $(O)/sim/sim
	@for t in $(or $(TARGET),$(FUZZ_TARGETS) messages); do tests/fuzz/run $(O) $$t $(FUZZ_SECONDS) || exit 1; done

# The corpus, and seeded changes of it, through every target, in seconds.
.PHONY: fuzz-replay
fuzz-replay: $(REPLAY_BIN)
	@for t in $(FUZZ_TARGETS); do $(O)/fuzz/$$t.replay $$t $(FUZZ_RUNS) tests/fuzz/corpus/$$t || \
	    { echo "FAILED fuzz $$t"; bad=1; }; done; [ -z "$$bad" ]

# Random system calls on a node: make fuzz-syscall [CALLS=100000] [SEED=n]. The seed is printed. With
# MINUTES=n [SMP=4]: that long beside ordinary programs on several CPUs (tests/fuzz/hour).
.PHONY: fuzz-syscall
fuzz-syscall: all host-tools $(O)/host/switch
ifeq ($(MINUTES),)
	@WEFT_ALL=1 WEFT_BUILD=$(abspath $(O)) FUZZ_CALLS=$(CALLS) FUZZ_SEED=$(SEED) /usr/bin/python3 -m pytest -q -s \
	    -p no:cacheprovider tests/cluster/test_bad_input.py -k many
else
	@WEFT_BUILD=$(abspath $(O)) tests/fuzz/hour --minutes $(MINUTES) $(SMP:%=--smp %) $(SEED:%=--seed %) \
	    $(CALLS:%=--calls %)
endif
