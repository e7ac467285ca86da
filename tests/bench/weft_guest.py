# SPDX-License-Identifier: MIT
"""One Weft node that boots straight into a program of tests/bench/programs."""

import os
import subprocess

from linux_guest import BUILD, ROOT


def compile_program(name, folder):
    """A static i386 ELF for both systems."""
    out = os.path.join(folder, name)
    cross = os.environ.get('CROSS_COMPILE', 'i686-linux-gnu-')
    subprocess.run([cross + 'gcc', '-std=gnu11', '-O2', '-static', '-march=i686', '-Wall',
                    '-Wextra', '-Werror', '-pthread', '-o', out,
                    os.path.join(ROOT, 'tests', 'bench', 'programs', name + '.c')], check=True)
    return out


def boot_words(archive, files, program, arguments):
    """What QEMU is told; `archive` is written. files: {path in the node: host path}."""
    words = [os.path.join(BUILD, 'host', 'mkarchive'), '-o', archive, '--base',
             os.path.join(BUILD, 'weft.img'), '--policy', 'none', '--settings',
             'nodes=1 found=alone']
    for path, source in files.items():
        words += ['--file', f'{source}:{path}']
    for word in (program, *arguments):
        words += ['--app', word]
    subprocess.run(words, check=True)
    return ['-kernel', os.path.join(BUILD, 'weft.elf'), '-initrd', archive]
