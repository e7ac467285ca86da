# `make check`: the walls of the house. Each lint prints what is wrong as file:line: text.

PY_LINT = /usr/bin/python3 tests/lint
OUR_C   = $(shell git ls-files '*.c' '*.h')

.PHONY: check
check: $(O)/weft.elf
	@clang-format --dry-run -Werror $(OUR_C) 2>$(O)/format.txt && echo 'ok format' || \
	    { head -20 $(O)/format.txt; echo 'FAILED format'; exit 1; }
	@$(PY_LINT)/layers.py && echo 'ok layers'
	@$(PY_LINT)/size.py && echo 'ok size'
	@$(PY_LINT)/tables.py && echo 'ok tables'
	@$(PY_LINT)/docs.py && echo 'ok docs'
	@$(PY_LINT)/faults.py && echo 'ok faults'
	@$(PY_LINT)/nodevars.py $(O) && echo 'ok nodevars'
	@$(PY_LINT)/footprint.py $(O) && echo 'ok footprint'
	@cppcheck -q --std=c11 --error-exitcode=1 --inline-suppr -I. --enable=warning,portability \
	    --suppress=missingIncludeSystem --suppressions-list=tests/lint/cppcheck.txt \
	    $(FLOORS) host-tools qemu user 2>$(O)/cppcheck.txt && \
	    echo 'ok cppcheck' || { head -30 $(O)/cppcheck.txt; echo 'FAILED cppcheck'; exit 1; }
