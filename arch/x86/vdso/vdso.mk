# The vDSO: a shared object of its own that the kernel carries (arch/x86/vdso_image.S).

VDSO_O := $(O)/vdso/vsyscall.o $(O)/vdso/clock.o
VDSO_FLAGS := $(filter-out -g -fno-asynchronous-unwind-tables -fno-omit-frame-pointer,$(KFLAGS)) \
    -fasynchronous-unwind-tables -fomit-frame-pointer -fno-jump-tables

$(O)/vdso/%.o: arch/x86/vdso/%.c
	@mkdir -p $(@D)
	@echo '  CC      $<'
	@$(CROSS)gcc $(VDSO_FLAGS) -c $< -o $@

$(O)/vdso/%.o: arch/x86/vdso/%.S
	@mkdir -p $(@D)
	@echo '  AS      $<'
	@$(CROSS)gcc $(VDSO_FLAGS) -D__ASSEMBLY__ -c $< -o $@

$(O)/vdso/vdso.ld: arch/x86/vdso/vdso.ld arch/x86/vdso/places.h
	@mkdir -p $(@D)
	@$(CROSS)gcc -E -P -undef -x c -I. $< -o $@

$(O)/vdso.so: $(VDSO_O) $(O)/vdso/vdso.ld
	@echo '  LD      $@'
	@$(CROSS)gcc -shared -nostdlib -Wl,-T,$(O)/vdso/vdso.ld -Wl,-soname,linux-gate.so.1 \
	    -Wl,--hash-style=both -Wl,--eh-frame-hdr -Wl,--build-id=none -Wl,-z,text -Wl,-z,noexecstack \
	    -Wl,-Bsymbolic -Wl,--no-warn-rwx-segments $(VDSO_O) -o $@.full
	@$(CROSS)objcopy -S $@.full $@
	@rm -f $@.full

$(O)/kernel/arch/x86/vdso_image.o: $(O)/vdso.so
$(O)/kernel/arch/x86/vdso_image.o: KFLAGS += -DVDSO_IMAGE='"$(O)/vdso.so"'

-include $(VDSO_O:.o=.d)
