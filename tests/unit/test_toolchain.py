# SPDX-License-Identifier: MIT
"""What a build needs (boot/toolchain.mk, boot/setup): installed before anything is compiled, and
the cross compiler: the user's, else Debian's, else another one that is there."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILERS = ("cc", "gcc", "clang", "i686-linux-gnu-gcc", "i686-elf-gcc")

# A machine's dpkg-query and apt-get as boot/setup calls them; what "apt-get install" brings are the
# compilers of the machine that runs this test.
DPKG_QUERY = """#!/bin/sh
[ -e {bin}/cc ] && echo ii
"""
APT_GET = """#!/bin/sh
[ "$1" = update ] || ln -s /usr/bin/cc /usr/bin/gcc /usr/bin/i686-linux-gnu-gcc {bin}/
echo "$1" >>{bin}/apt-calls
"""


class Machine:
    """A PATH with the programs of this machine but the compilers, and make on it."""

    def __init__(self, folder):
        self.bin, self.build = folder / "bin", folder / "build"
        self.bin.mkdir()
        for shelf in ("/bin", "/usr/bin"):
            for program in os.scandir(shelf):
                if program.name not in COMPILERS and not (self.bin / program.name).exists():
                    (self.bin / program.name).symlink_to(program.path)

    def script(self, name, text):
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(text.format(bin=self.bin))
        (self.bin / name).chmod(0o755)

    def has(self, *compilers):
        for name in compilers:
            (self.bin / name).symlink_to("/bin/true")
        return self

    def make(self, *words, **environment):
        made = subprocess.run(["/usr/bin/make", "-s", f"O={self.build}", *words], cwd=ROOT,
                              env={"PATH": str(self.bin), **environment}, timeout=120,
                              capture_output=True, text=True)
        assert made.returncode == 0, made.stdout + made.stderr
        return made.stdout

    def cross(self, **environment):
        return self.make("--eval", "cross: ; @echo $(CROSS)", "cross", **environment).split()[-1]


@pytest.fixture(name="machine")
def a_machine(tmp_path):
    return Machine(tmp_path)


def test_debian_s_cross_compiler_before_others(machine):
    assert machine.has("i686-elf-gcc", "i686-linux-gnu-gcc").cross() == "i686-linux-gnu-"


def test_another_cross_compiler(machine):
    assert machine.has("i686-elf-gcc").cross() == "i686-elf-"


def test_the_user_s_cross_compiler_before_all(machine):
    assert machine.has("i686-linux-gnu-gcc").cross(CROSS_COMPILE="mine-") == "mine-"


def test_nothing_is_compiled_before_the_compilers_are_installed(machine):
    """The first objects of a build on a machine without any compiler: vDSO, simulator, switch."""
    machine.script("dpkg-query", DPKG_QUERY)
    machine.script("apt-get", APT_GET)
    objects = [machine.build / name for name in
               ("vdso/clock.o", "vdso/vsyscall.o", "sim/lib/fmt.o", "host/switch")]
    said = machine.make("-j4", *map(str, objects))
    assert "boot/setup: installing: gcc" in said
    assert [o for o in objects if not o.exists()] == []
    assert (machine.bin / "apt-calls").read_text().split() == ["update", "install"]
    assert "boot/setup" not in machine.make(*map(str, objects))


def test_help_installs_nothing(machine):
    machine.script("dpkg-query", DPKG_QUERY)
    machine.script("apt-get", APT_GET)
    assert "make run" in machine.make("help")
    assert not (machine.bin / "apt-calls").exists() and not machine.build.exists()
