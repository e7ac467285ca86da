# SPDX-License-Identifier: MIT
"""State that a process keeps in the kernel moves with it, or is reached from where it is, or stays
with a reason: tests/cluster/programs/travel.c moves itself and prints what it prints on Linux."""

import subprocess

import pytest

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.fixture(scope='module')
def travel(pair, program):
    pair.do('put', '0', program('travel') + ':/tmp/travel')

    def run(words):
        linux = subprocess.run([program('travel'), *words.split()], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, timeout=60, check=True)
        assert pair.sh(0, f'/tmp/travel {words} </dev/null') == linux.stdout
    return run


def test_epoll_and_its_files_move(pair, travel):
    before = len(pair.sh(0, 'cat /proc/cluster/migrations').splitlines())
    travel('events 6')
    assert len(pair.sh(0, 'cat /proc/cluster/migrations').splitlines()) >= before + 3


def test_a_shared_epoll_stays_with_a_reason(pair, travel):
    pid = pair.start(0, '/tmp/travel share')
    pair.sh(0, f'until grep -q epoll /proc/{pid}/cantmove; do sleep 0.1; done')
    assert pair.sh(0, f'cat /proc/{pid}/cantmove') == 'an epoll is shared with another process\n'
    assert pair.exec(0, f'echo 1 >/proc/{pid}/node').status != 0
    assert pair.sh(0, f'cat /proc/{pid}/node') == '0\n'
    pair.sh(0, f'kill {pid}')


def test_both_ends_of_a_terminal_move(pair, travel):
    before = len(pair.sh(0, 'cat /proc/cluster/migrations').splitlines())
    travel('ptys')
    assert len(pair.sh(0, 'cat /proc/cluster/migrations').splitlines()) >= before + 3


def test_timers_run_on_wherever_the_process_is(travel):
    travel('timers 4')


def test_system_v_ipc_between_nodes(travel):
    travel('sysv 5')


def test_what_is_said_of_memory_moves(travel):
    travel('spans 4')
