# The explorer: every order of messages over the shipped step functions of coherence and hand-off.
# `make explore` walks the clean code, `make explore-mutants` shows that planted bugs are found.
EXPLORE_FLAGS := -std=gnu11 -O2 -g -I. $(WARN) -Wno-missing-prototypes -DNODE_MAX=3
EXPLORE_COMMON := tests/explore/engine.c tests/explore/runner.c lib/fmt.c
EXPLORE_COHERENCE := $(EXPLORE_COMMON) $(wildcard tests/explore/world*.c) \
    tests/explore/coherence_explore.c ssi/container/gate.c $(wildcard ssi/container/coherence*.c)
EXPLORE_HANDOFF := $(EXPLORE_COMMON) $(wildcard tests/explore/moves*.c) \
    tests/explore/handoff_explore.c ssi/migrate/handoff.c
EXPLORE_BIN := $(foreach world,coherence handoff,$(O)/explore/$(world) $(O)/explore/$(world)-mutants)
EXPLORE_H := $(wildcard tests/explore/*.h tests/explore/*.def lib/*.h ssi/container/*.h ssi/container/*.def \
    ssi/migrate/*.h ssi/migrate/*.def)

$(O)/explore/coherence $(O)/explore/coherence-mutants: $(EXPLORE_COHERENCE) $(EXPLORE_H)
	@mkdir -p $(@D)
	@echo '  EXPLORE $@'
	@$(CC) $(EXPLORE_FLAGS) $(if $(findstring mutants,$@),-DWEFT_MUTANTS) $(EXPLORE_COHERENCE) -o $@

$(O)/explore/handoff $(O)/explore/handoff-mutants: $(EXPLORE_HANDOFF) $(EXPLORE_H)
	@mkdir -p $(@D)
	@echo '  EXPLORE $@'
	@$(CC) $(EXPLORE_FLAGS) $(if $(findstring mutants,$@),-DWEFT_MUTANTS) $(EXPLORE_HANDOFF) -o $@

.PHONY: explore explore-mutants
explore: $(O)/explore/coherence $(O)/explore/handoff
	$(O)/explore/coherence
	$(O)/explore/handoff

explore-mutants: $(O)/explore/coherence-mutants $(O)/explore/handoff-mutants
	$(O)/explore/coherence-mutants
	$(O)/explore/handoff-mutants
