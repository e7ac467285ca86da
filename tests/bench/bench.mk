# Benches: each prints its table and writes build/bench/NAME.json (CONTRACT, "Bench JSON").

.PHONY: bench-linux
bench-linux: all host-tools
	@WEFT_BUILD=$(abspath $(O)) tests/bench/bench_linux $(BENCH_FLAGS)
