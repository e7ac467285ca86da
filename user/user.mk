# Programs that run on Weft: static i386 Linux programs against Debian's glibc. user/NAME.c becomes
# $(O)/user/NAME with the further sources of `user_NAME` and the flags of `flags_NAME`.

USER_PROGRAMS := weft mgs count touch64
USER_CFLAGS   := -std=gnu11 -D_GNU_SOURCE -O2 -s -static -march=i686 -I. $(WARN) \
                 -ffile-prefix-map=$(CURDIR)=. -Wl,--build-id=none

user_weft := user/weft_proc.c user/weft_show.c
flags_mgs := -msse2 -mfpmath=sse -ffp-contract=off -fno-math-errno
libs_mgs  := -lm

USER_BIN := $(USER_PROGRAMS:%=$(O)/user/%)

$(USER_BIN): $(O)/user/%: user/%.c $(wildcard user/*.[ch]) user/user.mk
	@mkdir -p $(@D)
	@echo '  USER    $@'
	@$(CROSS)gcc $(USER_CFLAGS) $(flags_$*) $< $(user_$*) $(libs_$*) -o $@
