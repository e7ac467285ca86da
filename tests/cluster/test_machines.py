# SPDX-License-Identifier: MIT
"""The machines that Weft promises to run on, and what protects its kernel there."""

import os
import struct

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def kernel_is_small(c):
    """Image, heap, tables, stacks and the shell, without the frame table: at most 4 MiB."""
    said = dict(line.split() for line in c.sh(0, 'cat /proc/cluster/memory').splitlines())
    frames = int(said['total_frames']) - int(said['free_frames'])
    assert 0 < frames * 4096 + weft_image_bytes() <= 4 << 20, said


def weft_image_bytes():
    """What the loader puts into memory, .bss with it."""
    with open(os.path.join(weft.BUILD, 'weft.elf'), 'rb') as f:
        elf = f.read(4096)
    at, size, count = struct.unpack_from('<28xI10xHH', elf)
    heads = [struct.unpack_from('<8I', elf, at + i * size) for i in range(count)]
    return sum(h[5] for h in heads if h[0] == 1)


@pytest.mark.parametrize('options', [
    {'cpu': 'pentium3'}, {'cpu': 'qemu32', 'mem': 256},
    {'cpu': 'coreduo', 'mem': 32}, {'cpu': 'max'}, {'mem': 16},
    {'mem': 3072, 'cpu': 'coreduo,-sep'}, {'smp': 2}, {'mem': 6144}],
    ids=lambda o: '-'.join(f'{k}-{v}' for k, v in o.items()))
def test_boots_and_runs_programs(options, program):
    """By the CPU's fast entry where it has one. And whatever a program tries to get out of its
    place, it gets a signal."""
    with weft.cluster(1, add=[f'{program(name)}:/opt/{name}' for name in ('isolation', 'vdso')],
                      **options) as c:
        assert c.sh(0, 'seq 1 100 | wc -l') == '100\n'
        if options.get('mem') == 256:
            kernel_is_small(c)
        assert c.sh(0, '/opt/vdso') == '0 bad\n'
        r = c.exec(0, '/opt/isolation')
        assert r.status == 0 and r.text.endswith(' attempts, 0 bad\n'), r
        assert c.sh(0, 'echo alive') == 'alive\n'


def test_old_and_new_cpu_in_one_cluster_move_only_what_fits():
    """Both CPUs are the same model here; the mask is what they have in common."""
    with weft.cluster(2, cpu='pentium3', policy='none') as c:
        pid = c.sh(0, 'sleep 30 & echo $!').split()[-1]
        assert c.sh(0, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node; kill {pid}') == '1\n'


@pytest.mark.heavy
def test_a_program_uses_ram_above_4_gib(program):
    """More than what lies below: every page holds what was written. (QEMU's Pentium III has 36
    address lines, its qemu32 only 32.)"""
    with weft.cluster(1, mem=6144, cpu='pentium3', policy='none', timeout=240,
                      add=program('fill') + ':/opt/fill') as c:
        said = dict(line.split() for line in c.sh(0, 'cat /proc/cluster/memory').splitlines())
        assert int(said['total_frames']) * 4096 > 5.8 * 2 ** 30, said
        r = c.exec(0, '/opt/fill 4 1400', timeout=900)
        assert r.status == 0 and r.text == '4 of 4 whole\n', r
