# What a build needs: boot/setup installs what is missing. Make reads the file that says so, and so
# makes it before anything else and begins again: no rule can run before its tools are there.
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),$(.DEFAULT_GOAL))),)
include $(O)/installed.mk
endif

$(O)/installed.mk: boot/setup
	@mkdir -p $(@D)
	@boot/setup
	@echo '# boot/setup has been here' >$@

# The cross toolchain: CROSS_COMPILE if given, else the first of these that is there.
CROSS := $(or $(CROSS_COMPILE),$(firstword $(foreach p,i686-linux-gnu- i686-elf-,\
           $(if $(shell command -v $(p)gcc),$(p)))))
