# Real programs on Weft and on Linux: build/compat.json, docs/compatibility.md.
.PHONY: compat
compat: all host-tools $(O)/host/switch
	@WEFT_BUILD=$(abspath $(O)) /usr/bin/python3 tests/compat/compat.py --docs docs/compatibility.md
