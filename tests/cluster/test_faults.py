# SPDX-License-Identifier: MIT
"""Strikes at fault points, failing allocations and hogs of memory on real nodes: a sample by seed
(WEFT_SEED). The whole list is struck in the simulator (make sim); this shows that the kernel has
the same points, and that its console answers afterwards."""

import os
import random
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')

SEED = int(os.environ.get('WEFT_SEED', '1'))

# Points that a process with an open file comes to when it goes around the nodes.
AROUND = ['handoff:CHECK_REQ', 'handoff:CHECK_OK', 'handoff:GHOST', 'handoff:IS_READY',
          'handoff:COMMIT', 'handoff:RUNNING', 'handoff:FORGET', 'handoff:LOCATION',
          'handoff-source:commit', 'handoff-target:ready', 'handoff-target:resume', 'move:send',
          'coherence:READ_REQ', 'coherence:WRITE_REQ', 'coherence:GRANT', 'coherence:FORWARD',
          'coherence:DATA', 'coherence:INSTALLED', 'coherence:OFFER', 'page-home:granting',
          'page-held:writer', 'note:ATTACHED', 'note:LEFT', 'gate:DIRECTORY', 'gate:TAKEN',
          'gate:YOURS', 'drain:begin', 'drain:move', 'location:set', 'fs_file:send',
          'fs_file:reply', 'fs_share:send', 'fs_share:reply', 'fs_release:send',
          'container_pages:send', 'link:beat', 'link:frame', 'link:received', 'link:again',
          'process_gone:send', 'process_signal:send', 'process_signal:reply', 'wait:reaped']


def three(program):
    return weft.cluster(3, policy='none', mem=64, add=[f'{program("lines")}:/opt/lines'])


@pytest.fixture(scope='module')
def trio(program):
    with three(program) as c:
        yield c


def arm(c, node, words):
    return c.exec(node, f'echo {words} >/proc/cluster/faults')


def go_around(c, name, strikes):
    """A process writes lines while it goes from node to node and points are struck."""
    pid = c.start(1, f'/opt/lines 120 20000 >/tmp/{name}')
    for to, (node, words) in zip((2, 0, 1, 2, 0), strikes):
        assert arm(c, node, words).status == 0, words
        c.exec(1, f'kill -0 {pid}; echo {to} >/proc/{pid}/node', timeout=60)
    weft.wait_for('its end', lambda: c.exec(0, f'kill -0 {pid}').status != 0, 90)
    return c.exec(0, f'cat /tmp/{name}').out


def drawn(seed):
    """Five strikes. A node stands still once: a second point may be in what mends the silence after
    the first, and two such times in a row are as long as a death."""
    draw = random.Random(seed)
    still = set()
    for _ in range(5):
        node, point, how = draw.randrange(3), draw.choice(AROUND), draw.choice(['drop', 'stall'])
        yield node, f'{point}:{"drop" if node in still else how}'
        if how == 'stall':
            still.add(node)


def check_around(c, program, seed):
    strikes = list(drawn(seed))
    expected = subprocess.run([program('lines'), '120', '20000'], capture_output=True,
                                   check=False).stdout
    assert go_around(c, f'around{seed}', strikes) == expected, (seed, strikes)
    for node in range(3):
        assert c.sh(node, 'echo alive') == 'alive\n'


def test_unknown_points_are_refused(trio):
    assert arm(trio, 0, 'no:such:drop').status != 0
    assert arm(trio, 0, 'handoff:COMMIT:explode').status != 0
    assert arm(trio, 0, 'handoff:COMMIT:tell@9').status == 0
    assert 'handoff:COMMIT:tell@9 came 0 waits' in trio.sh(0, 'cat /proc/cluster/faults')
    assert arm(trio, 0, 'clear').status == 0
    assert 'COMMIT' not in trio.sh(0, 'cat /proc/cluster/faults')


def test_messages_lost_and_nodes_that_stall_change_nothing(trio, program):
    check_around(trio, program, SEED)


@pytest.mark.heavy
@pytest.mark.parametrize('seed', range(2, 22))
def test_more_strikes(program, seed):
    """Each on nodes of its own: points that are armed and not reached fill a table."""
    with three(program) as c:
        check_around(c, program, SEED * 100 + seed)


OPERATIONS = ['/bin/true', '(:) | :', 'cat /proc/self/maps >/dev/null',
              'echo x >/tmp/oom; rm -f /tmp/oom']


def allocations(c, kind, numbers):
    """The n-th allocation fails while the shell runs programs: it says so, and lives."""
    for n in numbers:
        for what in OPERATIONS:
            c.exec(1, f'echo {kind}:{n}:fail >/proc/cluster/faults; {what}', timeout=60)
    assert arm(c, 1, f'{kind}:0:fail').status == 0
    assert c.sh(1, 'sh -c "echo alive"') == 'alive\n'


def test_allocations_fail(trio):
    allocations(trio, 'heap', (2, 19))
    allocations(trio, 'frame', (3,))


@pytest.mark.heavy
@pytest.mark.parametrize('kind', ['heap', 'frame'])
def test_every_allocation_fails(trio, kind):
    trio.sh(1, 'sh -c "echo warm"')
    allocations(trio, kind, range(1, 90))


def test_hogs_leave_the_console(trio):
    """More than the node has, and processes without end: refused or killed, and told."""
    hog = trio.exec(2, 'dd if=/dev/zero of=/dev/null bs=300M count=1; echo $?', timeout=120)
    bomb = trio.exec(2, 'sh -c \'i=0; while [ $i -lt 1200 ]; do sleep 1000 & i=$((i+1)); done; '
                        'wait\' 2>/tmp/bomb & P=$!; sleep 3; kill -9 $P; '
                        'for p in /proc/[0-9]*; do read n <$p/comm; [ "$n" = sleep ] && '
                        'kill -9 ${p#/proc/}; done 2>/dev/null; wait $P; echo over', timeout=180)
    assert bomb.out.endswith(b'over\n')
    told = 'out of memory' in trio.log(2)
    assert told or b'memory' in hog.out.lower() or hog.out.strip() != b'0'
    for node in range(3):
        assert trio.sh(node, 'echo alive') == 'alive\n'


def lodged(c, node):
    name = 'container_pages_lodged_elsewhere'
    return int(dict(line.split() for line in c.sh(node, 'cat /proc/cluster/counters').splitlines())
               .get(name, 0))


@pytest.mark.heavy
def test_a_program_larger_than_its_node_has_memory(program):
    """Its pages are lodged with the others while it runs, and when it goes elsewhere; all is
    given back."""
    with weft.cluster(3, policy='none', mem=32, add=[f'{program("large")}:/opt/large']) as c:
        assert c.sh(0, '/opt/large 32 1', timeout=120) == '8192 pages, 1 rounds, 0 wrong\n'
        before = lodged(c, 0)
        assert before > 1000
        pid = c.start(0, '/opt/large 32 3 >/tmp/out')
        weft.wait_for('pages lodged', lambda: lodged(c, 0) > before + 1000)
        c.sh(0, f'echo 2 >/proc/{pid}/node', timeout=60)
        assert c.ended(pid, seconds=120) == 0
        assert c.sh(1, 'cat /tmp/out') == '8192 pages, 3 rounds, 0 wrong\n'
        for node in range(3):
            weft.wait_for('its memory back', lambda n=node: int(c.sh(
                n, "sed -n 's/MemFree: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo")) > 20000)


@pytest.mark.heavy
def test_frozen_node_comes_back_as_another(program):
    """A node that stood still for long finds an epoch without it: what it says late is refused,
    and it joins again."""
    with weft.cluster(3, policy='none', add=[f'{program("lines")}:/opt/lines']) as c:
        pid = c.start(1, '/opt/lines 100000 20000 >/tmp/lines')
        c.sh(0, f'echo 2 >/proc/{pid}/node', timeout=40)
        c.do('stop', '2')
        weft.wait_for('an epoch without it',
                      lambda: c.nodes(0).get(2, ['', '', 'gone'])[2] == 'gone', 60)
        c.do('cont', '2')
        weft.wait_for('it is back',
                      lambda: c.nodes(0).get(2, ['', '', 'gone'])[2] == 'online' and
                      c.exec(2, 'echo alive', timeout=5).out == b'alive\n', 120)
        assert f'process {pid} lost with node 2' in c.sh(0, 'cat /proc/cluster/events')
        assert c.exec(1, f'kill -0 {pid}').status != 0
