# SPDX-License-Identifier: MIT
"""Signals, parents and children over nodes, also while they move and when a node dies."""

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def test_queued_signals_in_order_to_a_process_that_moves(program):
    """From both nodes: none lost, none twice, each sender's in order."""
    with weft.cluster(2, policy='none', add=[program('sigsum') + ':/opt/sigsum']) as c:
        c.sh(0, '/opt/sigsum 2000 >/tmp/sum & echo $! >/tmp/pid')
        weft.wait_for('it waits', lambda: 'ready' in c.exec(0, 'cat /tmp/sum').text)
        c.sh(1, '/opt/sigsum $(cat /tmp/pid) 1 2000 >/tmp/sent1 2>&1 &')
        out = c.sh(0, 'read P </tmp/pid; /opt/sigsum $P 0 2000 & i=0; '
                      'while [ $i -lt 30 ]; do echo $(((i + 1) % 2)) >/proc/$P/node || echo bad; '
                      'i=$((i + 1)); done; wait; cat /tmp/sum', 90)
        assert out == 'ready\ngot 2000 2000 wrong 0\n'
        assert c.sh(0, 'cat /proc/cluster/migrations').count(' done ') >= 30


def test_group_and_everybody_over_nodes():
    with weft.cluster(2, policy='none') as c:
        c.sh(0, 'set -m; sleep 70 | sleep 71 & echo $! >/tmp/last; set +m')
        pids = c.sh(0, "ps | grep 'sleep 7[01]' | grep -v grep | awk '{print $1}'").split()
        assert len(pids) == 2
        c.sh(0, f'echo 1 >/proc/{pids[0]}/node')
        group = c.sh(1, f"cut -d' ' -f5 /proc/{pids[1]}/stat").strip()
        assert c.sh(1, f"cut -d' ' -f5 /proc/{pids[0]}/stat").strip() == group
        c.sh(1, f'kill -TERM -{group}')
        for pid in pids:
            weft.wait_for('it ends', lambda p=pid: c.exec(0, f'kill -0 {p}').status != 0, 10)


def test_parent_that_moved_gets_its_child(program):
    """The subshell that waits goes to the other node; its child stays, ends, and is waited for."""
    with weft.cluster(2, policy='none') as c:
        c.sh(0, '(sh -c "sleep 2; exit 5"; echo "got $?" >/tmp/got; sleep 1) & echo $! >/tmp/pid')
        c.sh(0, 'read P </tmp/pid; echo 1 >/proc/$P/node')
        weft.wait_for('the child\'s end', lambda: c.exec(1, 'cat /tmp/got').text == 'got 5\n', 15)
        # And the other way round: the child goes, the parent stays.
        assert c.sh(0, '(sleep 1; exit 6) & echo 1 >/proc/$!/node; wait $!; echo $?') == '6\n'


def test_children_of_a_dead_node_were_killed():
    with weft.cluster(3, policy='none') as c:
        c.sh(0, 'sleep 60 & echo $! >/tmp/a; (sleep 50; true) & echo $! >/tmp/b; '
                'for p in $(cat /tmp/a /tmp/b); do echo 1 >/proc/$p/node; done')
        c.do('kill', '1')
        r = c.exec(0, 'read A </tmp/a; read B </tmp/b; wait $A; echo $?; wait $B; echo $?; '
                      'kill -0 $A 2>/dev/null; echo $?', 60)
        assert [w for w in r.text.split() if w.isdigit()] == ['137', '137', '1']
        events = c.sh(2, 'cat /proc/cluster/events') + c.sh(0, 'cat /proc/cluster/events')
        a = c.sh(0, 'cat /tmp/a').strip()
        assert f'process {a} lost with node 1' in events
        assert c.sh(2, 'ps | grep -c "sleep 60"').strip() == '1', 'the grep alone'


def test_processes_that_share_memory_and_futexes_on_two_nodes(program):
    with weft.cluster(2, policy='none', add=[program('shared') + ':/opt/shared']) as c:
        out = c.sh(0, '/opt/shared 600 /tmp/second >/tmp/out & A=$!; '
                      'while [ ! -s /tmp/second ]; do sleep 0.05; done; read P </tmp/second; '
                      'for n in 1 0 1; do echo $n >/proc/$P/node || echo bad; sleep 0.2; done; '
                      'wait $A; cat /tmp/out', 60)
        assert out == f'turns 1200 sum {599 * 600} status 0\n'
