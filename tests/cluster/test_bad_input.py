# SPDX-License-Identifier: MIT
"""Random system calls by ordinary processes: the node lives, and no byte of its memory is seen."""

import os
import random
import re
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')
SECONDS_PER_CALL = 2e-3  # generous: 10^5 take 10 s


def compiled(folder, name):
    cross = os.environ.get('CROSS_COMPILE', 'i686-linux-gnu-')
    subprocess.run([cross + 'gcc', '-std=gnu11', '-O2', '-static', '-march=i686', '-Wall',
                    '-Wextra', '-Werror', '-o', folder / name,
                    os.path.join(weft.ROOT, 'tests', 'fuzz', name + '.c')], check=True)
    return str(folder / name)


@pytest.fixture(scope='module')
def syscalls(tmp_path_factory):
    return compiled(tmp_path_factory.mktemp('fuzz'), 'syscalls')


def free_frames(c):
    c.exec(0, 'sleep 2; weft node quiesce')
    return int(re.search(r'free_frames (\d+)', c.read(0, '/proc/cluster/memory')).group(1))


def fuzz(program, calls, seed, **options):
    with weft.cluster(1, add=f'{program}:/opt/syscalls', append='canary=1 policy=none',
                      **options) as c:
        r = c.exec(0, f'/opt/syscalls {seed} {calls} 5', timeout=60 + int(calls * SECONDS_PER_CALL))
        print(r.text)
        assert r.status == 0 and ', 0 leaks' in r.text, f'seed {seed}: {r}'
        assert c.sh(0, 'echo alive') == 'alive\n'
        first = free_frames(c)
        r = c.exec(0, f'/opt/syscalls {seed} {calls} 5', timeout=60 + int(calls * SECONDS_PER_CALL))
        assert r.status == 0, f'seed {seed}, again: {r}'
        # What random calls put into /tmp stays; it is little.
        assert free_frames(c) > first - 600, f'seed {seed}: memory is lost'
        assert 'panic' not in c.log(0)


def test_random_calls(syscalls):
    fuzz(syscalls, 8000, 20261122)


@pytest.mark.heavy
def test_many_random_calls(syscalls):
    """FUZZ_CALLS and FUZZ_SEED as `make fuzz-syscall` gives them; else 10^5 and a new seed."""
    calls = int(os.environ.get('FUZZ_CALLS') or 100000)
    seed = int(os.environ.get('FUZZ_SEED') or random.randrange(1 << 32))
    print(f'seed {seed}')
    fuzz(syscalls, calls, seed, mem=256)


@pytest.mark.heavy
def test_wild_registers_of_a_tracee(tmp_path):
    """What is taken and what refused is the same number on Linux."""
    program = compiled(tmp_path, 'registers')
    linux = subprocess.run(program, check=True, capture_output=True, text=True, timeout=120)
    with weft.cluster(1, add=f'{program}:/opt/registers', append='policy=none') as c:
        r = c.exec(0, '/opt/registers', timeout=120)
        assert (r.status, r.text) == (0, linux.stdout), r
        assert c.sh(0, 'echo alive') == 'alive\n'
        assert 'panic' not in c.log(0)
