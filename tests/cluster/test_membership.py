# SPDX-License-Identifier: MIT
"""Who is in the cluster: founding, deaths, splits, cuts, joiners."""

import re
import time

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def states(c, node):
    return {n: row[2] for n, row in c.nodes(node).items()}


def online(c, node):
    return sorted(n for n, state in states(c, node).items() if state == 'online')


def answers(c, node):
    return c.exec(node, 'echo alive', timeout=5).out == b'alive\n'


@pytest.mark.parametrize('count', [1, 2, 4, 8])
def test_founding(count):
    with weft.cluster(count, mem=64, timeout=180) as c:
        for node in range(count):
            assert online(c, node) == list(range(count)), 'QEMU i has node id i'
            assert c.nodes(node)[node][3].split('/')[0] == f'10.77.0.{10 + node}'


def test_dead_node_is_noticed_and_the_others_go_on():
    with weft.cluster(3) as c:
        c.do('kill', '1')
        weft.wait_for('the new epoch', lambda: online(c, 0) == online(c, 2) == [0, 2], 30)
        assert c.sh(0, 'echo one >/tmp/f') == '' and c.sh(2, 'cat /tmp/f') == 'one\n'
        assert c.exec(1, 'true').status == 126


def test_added_node_becomes_a_member():
    with weft.cluster(2) as c:
        c.sh(0, 'echo before >/tmp/f')
        assert c.do('add', seconds=150) == '2\n'
        assert online(c, 0) == online(c, 2) == [0, 1, 2]
        assert c.sh(2, 'cat /tmp/f') == 'before\n'


def test_even_split_one_half_goes_on_by_the_witness():
    with weft.cluster(2) as c:
        before = c.stat()
        c.do('cut', '0', '1')
        weft.wait_for('one survivor', lambda: [online(c, n) for n in (0, 1) if answers(c, n)]
                      in ([[0]], [[1]]), 60)
        after = c.stat()
        asked = sum(after.get((n, 'w'), {}).get('frames', 0) -
                    before.get((n, 'w'), {}).get('frames', 0) for n in '01')
        assert asked > 0
        c.do('heal')
        weft.wait_for('both again', lambda: all(answers(c, n) for n in (0, 1)) and
                      online(c, 0) == online(c, 1) == [0, 1], 90)


def test_minority_stops_and_rejoins():
    with weft.cluster(3) as c:
        c.do('cut', '2')
        weft.wait_for('the majority goes on', lambda: online(c, 0) == [0, 1], 60)
        assert answers(c, 0) and answers(c, 1) and not answers(c, 2)
        c.do('heal')
        weft.wait_for('all again', lambda: online(c, 0) == [0, 1, 2], 90)
        assert int(c.nodes(0)[2][1]) > 0


def test_thawed_node_is_refused_and_rejoins():
    with weft.cluster(3) as c:
        incarnation = int(c.nodes(0)[1][1])
        c.do('stop', '1')
        weft.wait_for('the others go on', lambda: online(c, 0) == [0, 2], 60)
        c.do('cont', '1')
        weft.wait_for('it rejoins', lambda: online(c, 0) == [0, 1, 2], 90)
        assert int(c.nodes(0)[1][1]) > incarnation


def test_lossy_network_keeps_the_cluster_together():
    with weft.cluster(3) as c:
        for fault in (['loss', '5'], ['dup', '5'], ['reorder', '10'], ['corrupt', '1']):
            c.do('net', *fault)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            assert c.sh(0, 'echo x >/tmp/a; cat /tmp/a') == 'x\n'
            assert c.sh(2, 'cat /tmp/a') == 'x\n'
        assert online(c, 0) == [0, 1, 2]
        stat = c.stat()
        assert sum(row['lost'] for row in stat.values()) > 0


def test_removed_node_is_emptied_and_goes():
    with weft.cluster(3) as c:
        pid = c.start(0, 'sleep 600')
        c.sh(0, f'echo 2 >/proc/{pid}/node')
        assert c.sh(0, 'weft node remove 2') == ''
        assert online(c, 0) == online(c, 1) == [0, 1]
        assert c.sh(1, f'cat /proc/{pid}/node').strip() in ('0', '1')
        # Its incarnation is 2 where it was late and joined in a second epoch.
        assert re.search(r'node 2\.[12] \(10.77.0.12\) left', c.sh(0, 'cat /proc/cluster/events'))
        assert c.exec(2, 'true').status == 126
        assert c.exec(0, 'weft node remove 2').status == 1
