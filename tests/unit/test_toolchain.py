# SPDX-License-Identifier: MIT
"""The cross compiler that boot/toolchain.mk chooses: the user's, else one that is there, else the
one that boot/setup is about to install."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
CROSS_COMPILERS = {"i686-linux-gnu-gcc", "i686-elf-gcc"}


@pytest.fixture(name="chosen")
def chosen_with(tmp_path):
    """What CROSS is in a make of this tree, on a machine with these cross compilers alone."""
    for folder in ("/bin", "/usr/bin"):
        for program in os.scandir(folder):
            if program.name not in CROSS_COMPILERS and not (tmp_path / program.name).exists():
                (tmp_path / program.name).symlink_to(program.path)

    def choose(*compilers, **environment):
        for name in compilers:
            (tmp_path / name).symlink_to("/bin/true")
        words = ["/usr/bin/make", "-s", "--eval", "cross: ; @echo $(CROSS)", "cross"]
        made = subprocess.run(words, cwd=ROOT, env={"PATH": str(tmp_path), **environment},
                              timeout=60, capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return choose


def test_a_machine_that_has_none_yet_will_have_debian_s(chosen):
    assert chosen() == "i686-linux-gnu-"


def test_the_one_that_is_there(chosen):
    assert chosen("i686-elf-gcc") == "i686-elf-"


def test_debian_s_before_others(chosen):
    assert chosen("i686-elf-gcc", "i686-linux-gnu-gcc") == "i686-linux-gnu-"


def test_the_user_s_before_all(chosen):
    assert chosen("i686-linux-gnu-gcc", CROSS_COMPILE="mine-") == "mine-"
