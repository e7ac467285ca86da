# Benches: each prints its table and writes build/bench/NAME.json (CONTRACT, "Bench JSON").

.PHONY: bench-linux
bench-linux: all host-tools
	@WEFT_BUILD=$(abspath $(O)) tests/bench/bench_linux $(BENCH_FLAGS)

# The paper's Table 1, freeze, remote pages: BENCH_FLAGS='--reps 3 --sizes 150,300'; LONG=1: 750 and 1000.
.PHONY: bench-migration
bench-migration: all host-tools $(O)/host/switch
	@WEFT_BUILD=$(abspath $(O)) tests/bench/bench_migration $(BENCH_FLAGS)

.PHONY: bench-net
bench-net: all host-tools
	@WEFT_BUILD=$(abspath $(O)) tests/bench/bench_net $(BENCH_FLAGS)

.PHONY: bench-smp
bench-smp: all host-tools
	@WEFT_BUILD=$(abspath $(O)) tests/bench/bench_smp $(BENCH_FLAGS)
