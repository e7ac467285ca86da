# The cross toolchain: CROSS_COMPILE if given, else the first of i686-linux-gnu- and i686-elf- that
# is there; boot/setup installs gcc-i686-linux-gnu when none is.
CROSS := $(or $(CROSS_COMPILE),$(firstword $(foreach p,i686-linux-gnu- i686-elf-,\
           $(if $(shell command -v $(p)gcc),$(p)))),i686-linux-gnu-)

$(O)/.toolchain:
	@mkdir -p $(O)
	@boot/setup
	@touch $@
