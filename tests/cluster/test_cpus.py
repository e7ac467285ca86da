# SPDX-License-Identifier: MIT
"""Nodes with several CPUs: programs whose threads run at the same time, and moves between them."""

import re

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.fixture(name='c', scope='module')
def two_nodes_of_four(program):
    with weft.cluster(2, smp=4, policy='none', add=[program('cpus') + ':/opt/cpus',
                                                    program('lines') + ':/opt/lines']) as made:
        yield made


def test_what_threads_on_several_cpus_can_get_wrong(c):
    r = c.exec(0, '/opt/cpus', timeout=240)
    assert r.status == 0 and r.out.count(b'ok ') == 13, r.out
    assert c.sh(1, '/opt/cpus places') == 'ok places\n' # its file lives on another node


def test_the_cpus_are_seen_and_their_lock_is_measured(c):
    assert c.sh(0, 'grep -c ^processor /proc/cpuinfo') == '4\n'
    assert c.sh(0, 'grep -c "^cpu[0-9]" /proc/stat') == '4\n'
    rows = [line.split() for line in c.sh(0, 'cat /proc/cluster/nodes').splitlines()]
    assert [row[4] for row in rows] == ['4', '4']
    lock = c.sh(0, 'cat /proc/cluster/lock')
    facts = dict(zip(*[iter(lock.splitlines()[1].split())] * 2))
    assert facts['cpus'] == '4' and int(facts['held_us']) > 0 and int(facts['taken']) > 100
    assert 'waited_us' in facts and re.match(r'node 0 longest_hold_us \d+ thread ', lock)
    # The longest one was that of the boot, until it is looked for anew.
    assert c.exec(0, 'echo other >/proc/cluster/lock').status != 0
    script = r"""longest() { sed -n 's/.*hold_us \([0-9]*\) .*/\1/p' /proc/cluster/lock; }
boot=$(longest)
for k in 1 2 3 4 5 6 7 8 9 10; do
    echo clear >/proc/cluster/lock
    [ $(longest) -lt $boot ] && break
done"""
    assert c.exec(0, script).status == 0


def test_a_busy_process_moves_between_nodes_with_several_cpus(c):
    expected = c.exec(0, '/opt/lines 60 20000').out
    r = c.sh(0, 'for k in 1 2 3; do (while :; do :; done) & done; '
                '/opt/lines 300 20000 >/tmp/l & P=$!; moves=0; for n in 1 0 1 0 1 0; do '
                'echo $n >/proc/$P/node && moves=$((moves+1)); done; '
                'wait $P; echo status $? moves $moves; kill %1 %2 %3; head -60 /tmp/l | '
                'cmp -n 1000 - /tmp/l && echo same', timeout=200)
    assert 'status 42' in r and 'same' in r
    assert int(re.search(r'moves (\d)', r).group(1)) >= 1
    assert c.exec(0, 'head -c 1000 /tmp/l').out == expected[:1000]
