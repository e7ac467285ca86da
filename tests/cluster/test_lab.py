# SPDX-License-Identifier: MIT
"""qemu/cluster keeps its promises (CONTRACT), on fake nodes: a pty with ash instead of QEMU."""

import json
import os
import signal
import subprocess
import time


import pytest

import weft


def test_node_down_is_126(fake):
    running = fake.spawn(1, 'sleep 30')
    time.sleep(0.5)
    fake.do('kill', '1')
    assert running.wait(10) == 126
    assert fake.exec(1, 'true').status == 126
    assert fake.sh(0, 'echo alive') == 'alive\n'
    assert fake.call('kill', '1').status == 1


def test_restart_of_a_node_ends_its_command_with_126(fake):
    fake.sh(1, 'X=old')
    r = fake.exec(1, 'sleep 30; FAKE-RESET')
    assert r.status == 126 and b'restarted' in r.err
    assert fake.sh(1, 'echo "new $X"') == 'new \n'


def test_faults_of_the_tool_are_125(fake):
    assert fake.exec(7, 'true').status == 125
    assert fake.call('exec', 'zero', '--', 'true').status == 125
    assert fake.call('exec', '0').status in (0, 125)


def test_calls_for_one_node_queue(fake):
    calls = [fake.spawn(0, f'echo b{i}; sleep 0.2; echo e{i}') for i in range(4)]
    assert sorted(c.communicate(timeout=20)[0] for c in calls) == \
        [b'b%d\ne%d\n' % (i, i) for i in range(4)]


def test_nodes_do_not_wait_for_each_other(fake):
    slow = fake.spawn(0, 'sleep 3')
    began = time.monotonic()
    fake.sh(1, 'true')
    assert time.monotonic() - began < 2
    slow.wait(10)


def test_caller_that_goes_away_frees_the_node(fake):
    caller = fake.spawn(0, 'sleep 50')
    time.sleep(0.5)
    caller.send_signal(signal.SIGKILL)
    caller.wait()
    began = time.monotonic()
    assert fake.sh(0, 'echo free', timeout=20) == 'free\n'
    assert time.monotonic() - began < 10


def test_output_arrives_while_the_command_runs(fake):
    running = fake.spawn(0, 'echo first; sleep 3')
    began = time.monotonic()
    assert running.stdout.readline() == b'first\n'
    assert time.monotonic() - began < 2
    running.communicate(timeout=10)


def test_slow_exec_port_loses_nothing(fake_env):
    with weft.cluster(1, env=fake_env, append='fake=late') as c:
        assert c.sh(0, 'echo one; echo two') == 'one\ntwo\n'


def test_put_keeps_bytes_and_mode(fake, tmp_path):
    data = os.urandom(300000)
    (tmp_path / "it's").write_bytes(data)
    (tmp_path / "it's").chmod(0o751)
    target = tmp_path / 'copy of it'
    fake.do('put', '1', f"{tmp_path}/it's:{target}")
    assert target.read_bytes() == data and target.stat().st_mode & 0o7777 == 0o751
    (tmp_path / 'folder').mkdir()
    fake.do('put', '1', f"{tmp_path}/it's:{tmp_path}/folder")
    assert (tmp_path / 'folder' / "it's").read_bytes() == data
    r = fake.call('put', '1', f"{tmp_path}/it's:/no/such/folder/x")
    assert r.status == 1 and b'/no/such/folder' in r.err


def test_console_types_and_shows(fake):
    r = subprocess.run([weft.COMMAND, 'console', '--dir', fake.directory, '1'], env=fake.env,
                       input=b'echo $((6 * 7))\r', capture_output=True, timeout=20, check=True)
    assert b'\r\n42\r\n' in r.stdout
    assert fake.sh(1, 'echo after') == 'after\n'


def test_console_leaves_half_a_line_and_exec_works(fake):
    subprocess.run([weft.COMMAND, 'console', '--dir', fake.directory, '1'], env=fake.env,
                   input=b'echo half', capture_output=True, timeout=20, check=True)
    assert fake.sh(1, 'echo whole') == 'whole\n'


def test_logs_hold_the_whole_console(fake):
    fake.sh(0, 'true')
    assert b'\x1b]weft;0\x07' in fake.call('logs', '0').out
    assert fake.call('logs').out.count(b'== node') == 2
    assert fake.call('logs', '5').status == 1


def test_second_up_is_refused(fake):
    r = fake.call('up')
    assert r.status == 1 and b'already' in r.err
    assert fake.sh(0, 'echo still') == 'still\n'


def test_two_clusters_side_by_side(fake, fake_env):
    with weft.cluster(1, env=fake_env) as other:
        fake.sh(0, 'X=first')
        other.sh(0, 'X=second')
        assert fake.sh(0, 'echo $X') == 'first\n'
        other.do('kill', '0')
        assert fake.sh(0, 'echo $X') == 'first\n'


def all_ended(pids):
    """True when none of `pids` runs (one that nobody has waited for yet does not)."""
    for pid in pids:
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                if f.read():
                    return False
        except OSError:
            pass
    return True


def processes_of(directory):
    """Ids of processes with `directory` on their command line or behind its run link."""
    run = os.path.join(directory, 'run')
    marks = [directory] + ([os.readlink(run)] if os.path.islink(run) else [])
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = f.read().decode(errors='replace')
        except OSError:
            continue
        if any(mark in line for mark in marks) and int(pid) != os.getpid():
            found.append(int(pid))
    return found


def test_down_ends_everything_and_is_idempotent(fake_env, tmp_path):
    c = weft.Cluster(str(tmp_path / 'c'), fake_env)
    c.do('down')
    c.do('up')
    assert len(processes_of(c.directory)) == 4, 'the daemon, the switch, two nodes'
    run = os.readlink(os.path.join(c.directory, 'run'))
    pids = processes_of(c.directory)
    c.do('down')
    c.do('down')
    weft.wait_for('all ended', lambda: all_ended(pids), 2)
    assert not os.path.exists(run)
    assert c.exec(0, 'true').status == 125


@pytest.mark.parametrize('word, told', [('1:fake=dies', b'PANIC: a made up one'),
                                        ('1:fake=mute', b'booting, but no shell')])
def test_failed_up_tells_the_tail_and_leaves_nothing(fake_env, tmp_path, word, told):
    c = weft.Cluster(str(tmp_path / 'c'), fake_env)
    r = c.call('up', '--append-node', word, '--timeout', '2')
    assert r.status == 1 and told in r.err and b'node 1' in r.err
    assert weft.wait_for('all ended', lambda: not processes_of(c.directory), 5)
    c.do('up')
    c.do('down')


def test_killed_daemon_takes_its_children_along(fake_env, tmp_path):
    c = weft.Cluster(str(tmp_path / 'c'), fake_env)
    c.do('up')
    pids = processes_of(c.directory)
    os.kill(int((tmp_path / 'c' / 'pid').read_text()), signal.SIGKILL)
    weft.wait_for('all ended', lambda: all_ended(pids), 5)
    c.do('up')
    c.do('down')


def test_hard_limit_ends_a_forgotten_cluster(fake_env, tmp_path):
    c = weft.Cluster(str(tmp_path / 'c'), {**fake_env, 'WEFT_CLUSTER_LIMIT': '2'})
    c.do('up')
    pids = processes_of(c.directory)
    weft.wait_for('all ended', lambda: all_ended(pids), 8)


def test_long_directory_name(fake_env, tmp_path):
    c = weft.Cluster(str(tmp_path / ('d' * 120) / 'c'), fake_env)
    c.do('up', '-n', '1')
    assert c.sh(0, 'echo ok') == 'ok\n'
    c.do('down')


def test_wrong_options_are_refused(fake_env, tmp_path):
    c = weft.Cluster(str(tmp_path / 'c'), fake_env)
    for words, told in ((['--boot', 'floppy'], b'invalid choice'),
                        (['--boot', 'pxe', '-n', '17'], b'at most 16'),
                        (['--add', '/nowhere:/x'], b'no such'),
                        (['--policy', '/nowhere.xml'], b'no such'), (['-n', '0'], b'nodes')):
        r = c.call('up', *words)
        assert r.status != 0 and told in r.err, words
    assert not processes_of(c.directory)


@pytest.mark.parametrize('sum_in_cluster, status', [('0123456789abcdef', 0),
                                                    ('0123456789abcdee', 1)])
def test_run_succeeds_only_with_right_sums(fake_env, tmp_path, sum_in_cluster, status):
    """qemu/run with programs that print a sum: one on this machine, one in the cluster."""
    for name in ('host', 'weft.elf', 'weft.img'):
        (tmp_path / name).symlink_to(os.path.join(fake_env['WEFT_BUILD'], name))
    for folder, digest in (('user', '0123456789abcdef'), ('nodes', sum_in_cluster)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'mgs').write_text(f'#!/bin/sh\necho mgs $1 sum={digest} orth=0\n')
        (tmp_path / folder / 'mgs').chmod(0o755)
    env = {**os.environ, **fake_env, 'WEFT_BUILD': str(tmp_path),
           'FAKE_PATH': f'{tmp_path}/nodes:/bin:/usr/bin'}
    done = subprocess.run([os.path.join(weft.ROOT, 'qemu', 'run'), '--nodes', '2', '--rounds', '1'],
                          env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert len(json.loads((tmp_path / 'run' / 'summary.json').read_text())['processes']) == 4
