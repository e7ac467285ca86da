# SPDX-License-Identifier: MIT
"""Processes move while they run, and nobody can tell by their output."""

import subprocess
import time

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.fixture(scope='module')
def c(program):
    """Two nodes without a policy: only the tests move processes."""
    add = [f'{program(name)}:/opt/{name}' for name in ('lines', 'offsets')]
    with weft.cluster(2, policy='none', add=add) as running:
        yield running


def moves(c, pid, node=0):
    """Rows of /proc/cluster/migrations about `pid`."""
    rows = [line.split() for line in c.sh(node, 'cat /proc/cluster/migrations').splitlines()]
    return [r for r in rows if r[0] == str(pid)]


def expected_lines(program, count, spin):
    done = subprocess.run([program('lines'), str(count), str(spin)], capture_output=True,
                          check=False)
    assert done.returncode == 42
    return done.stdout


def free_frames(c):
    """Free frames of each node after the cluster has come to rest: the most of five looks, as a
    heartbeat under way holds one. The console's shell reads them itself: a child of its own would
    be counted, and how far it is differs from time to time."""
    for node in (0, 1):
        c.sh(node, f'weft node quiesce {node}')
    time.sleep(2)
    looks = [c.sh(0, 'while read -r name value; do [ "$name" = free_frames ] && echo "$value"; '
                     'done </proc/cluster/memory; true').split() for _ in range(5)]
    return [max(int(free) for free in of_a_node) for of_a_node in zip(*looks)]


def test_write_is_synchronous_and_read_back(c):
    pid = c.start(0, 'sleep 60')
    assert c.sh(0, f'cat /proc/{pid}/node') == '0\n'
    assert c.sh(0, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node') == '1\n'
    assert c.sh(1, f'cat /proc/{pid}/node') == '1\n'
    assert c.exec(0, f'echo 1 >/proc/{pid}/node').status == 0, 'where it is: success'
    row = moves(c, pid)[-1]
    assert row[1:3] == ['0', '1'] and int(row[4]) > 0 and 0 < int(row[5]) < 16384
    c.sh(1, f'kill {pid}')
    assert c.ended(pid) == 143


def test_refusals_have_the_right_errors(c):
    pid = c.start(0, 'sleep 60')
    r = c.exec(0, f'echo 7 >/proc/{pid}/node')
    assert r.status != 0 and b'nvalid' in r.out
    r = c.exec(0, f'echo rubbish >/proc/{pid}/node')
    assert r.status != 0 and b'nvalid' in r.out
    assert c.sh(0, f'cat /proc/{pid}/node; cat /proc/{pid}/cantmove') == '0\n'
    assert c.exec(0, 'echo 1 >/proc/31999/node').status != 0
    r = c.exec(0, 'echo 1 >/proc/1/node')
    assert r.status != 0, 'PID 1 is everywhere and goes nowhere'
    c.sh(0, f'kill {pid}')
    assert c.ended(pid) == 143


def test_sixty_moves_by_the_shell_that_started_it(c, program):
    expected = expected_lines(program, 400, 20000)
    r = c.sh(0, '/opt/lines 400 20000 >/tmp/lines & P=$!; i=0; bad=0; '
                'while [ $i -lt 60 ]; do n=$(((i + 1) % 2)); echo $n >/proc/$P/node || bad=w$i; '
                'read m </proc/$P/node; [ "$m" = $n ] || bad=r$i:$m; i=$((i + 1)); done; '
                'wait $P; echo status $? bad $bad', timeout=170)
    assert r.split()[-4:] == ['status', '42', 'bad', '0']
    assert c.exec(0, 'cat /tmp/lines').out == expected, 'nothing missing, nothing double'


def move_and_wait(c, moves, units):
    """A program that the shell moves so often and waits for; what was printed."""
    return c.sh(0, f'mgs 120 {units} >/tmp/mgs & P=$!; i=0; '
                   f'while [ $i -lt {moves} ] && echo $(((i + 1) % 2)) >/proc/$P/node; '
                   'do i=$((i + 1)); done; echo moves $i; wait $P; echo status $?; '
                   'cat /tmp/mgs; rm /tmp/mgs', timeout=300)


def test_two_hundred_moves_leave_no_frame_behind(c):
    expected = subprocess.run([f'{weft.BUILD}/user/mgs', '120', '400'], capture_output=True,
                              text=True, check=True).stdout.split()[2]
    move_and_wait(c, 20, 40)  # shells grow once, also by looking
    free_frames(c)
    before = free_frames(c)
    words = move_and_wait(c, 200, 400).split()
    assert words[words.index('moves') + 1] == '200', 'it runs on after the last move'
    assert words[words.index('status') + 1] == '0' and expected in words
    assert free_frames(c) == before


def test_sleeping_process_moves_and_wakes_in_time(c):
    r = c.sh(0, 'sleep 3 & P=$!; sleep 1; echo 1 >/proc/$P/node; cat /proc/$P/node; wait $P; '
                'echo $?')
    assert r.split() == ['1', '0']


def test_reader_of_the_console_moves(c):
    keys = subprocess.Popen([weft.COMMAND, 'console', '--dir', c.directory, '0'],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=c.env)
    keys.stdin.write(b'sh -c \'echo $$ >/tmp/reader; read a; echo "got <$a>"; read b; '
                     b'echo "then <$b>"\'\r')
    keys.stdin.flush()
    pid = weft.wait_for('the reader', lambda: c.read(1, '/tmp/reader').strip())
    assert c.sh(1, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node; rm /tmp/reader') == '1\n'
    keys.stdin.write(b'one line\r')
    keys.stdin.flush()
    time.sleep(1)
    c.sh(1, f'echo 0 >/proc/{pid}/node')
    out = keys.communicate(b'another\r', timeout=30)[0]
    assert b'got <one line>' in out and b'then <another>' in out


def test_ctrl_c_reaches_a_program_that_has_moved(c):
    keys = subprocess.Popen([weft.COMMAND, 'console', '--dir', c.directory, '0'],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=c.env)
    keys.stdin.write(b'sh -c \'echo $$ >/tmp/spin; while :; do :; done\'\r')
    keys.stdin.flush()
    pid = weft.wait_for('the loop', lambda: c.read(1, '/tmp/spin').strip())
    assert c.sh(1, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node; rm /tmp/spin') == '1\n'
    keys.stdin.write(b'\x03')
    keys.stdin.flush()
    time.sleep(1)
    out = keys.communicate(b'echo status $?\r', timeout=30)[0]
    assert b'\r\nstatus 130\r\n' in out


def test_signals_find_a_process_that_has_moved(c):
    pid = c.start(0, "sh -c 'trap \"echo usr1 >>/tmp/sig\" USR1; trap \"exit 7\" TERM; "
                     "while :; do sleep 0.1; done'")
    for i, node in enumerate((1, 0, 1)):
        c.sh(0, f'echo {node} >/proc/{pid}/node; kill -USR1 {pid}')
        weft.wait_for('the trap', lambda: c.read(1, '/tmp/sig') == 'usr1\n' * (i + 1), 10)
    c.sh(0, f'kill -TERM {pid}; rm /tmp/sig')
    assert c.ended(pid) == 7


def test_shared_offset_survives_moves(c):
    pid = c.start(0, '/opt/offsets /tmp/off 300 >/tmp/off.out')
    for node in (1, 0, 1):
        c.sh(0, f'echo {node} >/proc/{pid}/node')
        time.sleep(0.3)
    assert c.ended(pid) == 0
    assert c.sh(1, 'cat /tmp/off.out; rm /tmp/off /tmp/off.out') == \
        'offsets 300 wrong 0 status 0\n'


def test_64_mib_move_with_a_small_ghost():
    """Ghost below 16 KiB and less than 64 KiB on the wire up to RESUME, by the switch's count."""
    with weft.cluster(2, policy='none', append='drain=off', mem=192) as c:
        pid = c.start(0, 'touch64 64 20 >/tmp/touch')
        weft.wait_for('touched', lambda: 'touched' in c.read(0, '/tmp/touch'), 60)
        quiet = c.wire_bytes(0, 1)
        time.sleep(2)
        before = c.wire_bytes(0, 1)
        background = (before - quiet) / 2
        began = time.monotonic()
        c.sh(0, f'echo 1 >/proc/{pid}/node')
        after = c.wire_bytes(0, 1)
        used = after - before - background * (time.monotonic() - began)
        assert used < 65536
        assert int(moves(c, pid)[-1][5]) < 16384
        assert c.ended(pid) == 0
        assert 'same' in c.sh(1, 'cat /tmp/touch')


def test_killing_the_source_without_drain_reports_it_dead_in_words():
    with weft.cluster(3, policy='none', append='drain=off', mem=160) as c:
        pid = c.start(1, 'touch64 32 30 >/tmp/touch')
        time.sleep(5)
        c.sh(0, f'echo 2 >/proc/{pid}/node')
        assert c.sh(0, f'cat /proc/{pid}/depends') != '', 'it says what of it lives on node 1'
        c.do('kill', '1')
        weft.wait_for('the report', lambda: f'process {pid} lost with node 1' in
                      c.sh(0, 'cat /proc/cluster/events'), 60)
        assert c.exec(0, f'kill -0 {pid}').status != 0
        assert c.sh(2, 'echo alive') == 'alive\n'


def test_threads_that_die_with_a_node_are_reported_as_one_process(program):
    with weft.cluster(3, policy='none', mem=64, add=[program('gang') + ':/opt/gang']) as c:
        pid = c.start(0, '/opt/gang wait')
        weft.wait_for('its threads', lambda: len(c.sh(0, f'ls /proc/{pid}/task').split()) == 4)
        c.sh(0, f'echo 1 >/proc/{pid}/node')
        tids = c.sh(2, f'ls /proc/{pid}/task').split()
        assert len(tids) == 4 and str(pid) in tids
        c.do('kill', '1')
        weft.wait_for('the report', lambda: f'process {pid} lost with node 1' in
                      c.sh(0, 'cat /proc/cluster/events'), 60)
        for node in (0, 2):
            events = c.sh(node, 'cat /proc/cluster/events')
            lost = [tid for tid in tids if f'process {tid} lost' in events]
            assert lost == [str(pid)]


def test_killing_the_source_after_the_drain_changes_nothing():
    with weft.cluster(3, policy='none', mem=160) as c:
        pid = c.start(1, 'touch64 32 30 >/tmp/touch')
        weft.wait_for('touched', lambda: 'touched' in c.read(0, '/tmp/touch'), 60)
        c.sh(0, f'echo 2 >/proc/{pid}/node')
        weft.wait_for('drained', lambda: 'page' not in c.sh(0, f'cat /proc/{pid}/depends'), 60)
        c.do('kill', '1')
        weft.wait_for('the result', lambda: 'same' in c.read(0, '/tmp/touch'), 90)


FAULTS = [(side, state, what)
          for side, states in (('source', ('check', 'freeze', 'ship', 'ready', 'commit', 'resume')),
                               ('target', ('check', 'ship', 'ready', 'resume')))
          for state in states for what in ('die', 'drop', 'stall')]


def reported(c, pid, nodes):
    """True when one of the nodes has told that the process is lost."""
    return any(f'process {pid} lost with node' in c.sh(n, 'cat /proc/cluster/events')
               for n in nodes)


@pytest.mark.parametrize('side, state, what', FAULTS)
def test_fault_at_each_state_of_the_hand_off(side, state, what, program):
    """The process is on exactly one node, or reported dead; the others go on."""
    node = 1 if side == 'source' else 2
    survivors = [n for n in (0, 1, 2) if what != 'die' or n != node]
    with weft.cluster(3, policy='none', add=[f'{program("lines")}:/opt/lines'],
                      append_node={node: f'fault=handoff:{state}:{what}'}) as c:
        # It begins when the move is about to be asked for, however late that is.
        pid = c.start(1, "sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; "
                         "exec /opt/lines 200 20000 >/tmp/lines'")
        c.exec(0, f'>/tmp/go; sleep 0.3; echo 2 >/proc/{pid}/node', timeout=40)
        if what == 'die':
            weft.wait_for('the death', lambda: c.exec(node, 'true', 5).status == 126, 40)
            weft.wait_for('the new epoch',
                          lambda: c.nodes(0).get(node, ['', '', 'gone'])[2] == 'gone', 60)
        weft.wait_for('its end', lambda: c.exec(0, f'kill -0 {pid}').status != 0, 60)
        expected, got = expected_lines(program, 200, 20000), c.exec(0, 'cat /tmp/lines').out
        if got != expected:
            assert what == 'die' and expected.startswith(got), 'nothing wrong, nothing double'
            # Born at the source and not yet sent: it died with its node, like all others there.
            assert (side, state) in (('source', 'check'), ('source', 'freeze')) or \
                reported(c, pid, survivors)
        for survivor in survivors:
            assert c.sh(survivor, 'echo alive') == 'alive\n'
