# make twin [TARGET=x] [SEEDS=n] [FIRST=n] [STEPS=n]: random programs here and on a node.
TWIN_TARGETS := $(sort $(patsubst tests/twin/%.c,%,$(wildcard tests/twin/*.c)))

.PHONY: twin
twin: all host-tools $(O)/host/switch
	WEFT_BUILD=$(abspath $(O)) tests/twin/twin --seeds $(or $(SEEDS),20) --first $(or $(FIRST),1) \
	    --steps $(or $(STEPS),300) $(or $(TARGET),$(TWIN_TARGETS))
