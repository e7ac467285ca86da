# SPDX-License-Identifier: MIT
"""qemu/cluster keeps its promises (CONTRACT), on fake nodes: a pty with ash instead of QEMU."""

import os
import signal
import subprocess
import time

import pytest

import weft


def test_output_is_exact_and_in_order(fake):
    r = fake.exec(0, 'printf "a\\tb\\r\\n"; echo err >&2; printf "\\001\\377\\033]x"; echo c >&2; '
                     'printf "no newline"')
    assert (r.status, r.out, r.err) == (0, b'a\tb\r\nerr\n\x01\xff\x1b]xc\nno newline', b'')


def test_status_is_the_commands(fake):
    for command, status in (('true', 0), ('false', 1), ('(exit 77)', 77), ('return 9', 9),
                            ('nosuchprogram', 127), ('sh -c "kill -KILL \\$\\$"', 137)):
        assert fake.exec(0, command).status == status, command


def test_deadly_signal_leaves_only_the_programs_output(fake):
    r = fake.exec(0, "sh -c 'echo last words; kill -SEGV $$'")
    assert (r.status, r.out) == (139, b'last words\n')
    r = fake.exec(0, "sh -c 'echo Segmentation fault; kill -SEGV $$'")
    assert (r.status, r.out) == (139, b'Segmentation fault\n'), 'a program may say so itself'
    assert fake.exec(0, 'echo Killed').out == b'Killed\n'


def test_shell_state_persists(fake):
    fake.sh(0, 'cd /usr; X="a b"; f() { echo "f $1"; }; sleep 60 & P=$!')
    assert fake.sh(0, 'pwd; echo "$X"; f 1; kill $P; wait $P; echo $?') == \
        '/usr\na b\nf 1\nTerminated\n143\n'
    assert fake.sh(1, 'pwd; echo "[$X]"') == '/\n[]\n', 'each node has its own shell'


def test_no_job_notice_in_output(fake):
    fake.sh(0, 'sleep 0.1 &')
    time.sleep(0.4)
    assert fake.sh(0, 'echo one; echo two\necho three') == 'one\ntwo\nthree\n'


def test_syntax_error_is_output_and_the_shell_lives(fake):
    r = fake.exec(0, 'echo a\nif then')
    assert r.status == 2 and b'syntax error' in r.out
    assert fake.sh(0, 'echo lives') == 'lives\n'


def test_exit_ends_the_shell_with_its_status(fake):
    fake.sh(0, 'X=old')
    assert fake.exec(0, 'echo bye; exit 3').status == 3
    assert fake.sh(0, 'echo "new $X"') == 'new \n'


def test_quoting_is_transparent(fake):
    text = ''.join(chr(c) for c in range(32, 127)) + '\n\tä€'
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert fake.sh(0, f'printf %s {quoted}') == text
    assert fake.sh(0, "printf %s '" + '"$`\\' * 500 + "'") == '"$`\\' * 500


def test_words_are_joined_by_spaces(fake):
    assert fake.do('exec', '0', '--', 'echo', 'a', '--timeout', '-n', '|', 'cat') == \
        'a --timeout -n\n'


def test_command_of_64_kib(fake):
    head, tail = "X='", "'; echo ${#X}"
    fill = 65536 - len(head) - len(tail)
    assert fake.sh(0, head + 'y' * fill + tail) == f'{fill}\n'
    r = fake.exec(0, head + 'y' * (fill + 1) + tail)
    assert r.status == 125 and b'limit' in r.err


def test_mebibytes_of_output(fake):
    out = fake.exec(0, 'seq 1 200000').out
    assert out == b''.join(b'%d\n' % i for i in range(1, 200001))


def test_timeout_is_124_and_the_console_stays(fake):
    began = time.monotonic()
    r = fake.exec(0, 'echo before; sleep 30; echo after', timeout=1)
    assert (r.status, r.out) == (124, b'before\n') and b'no end after 1 s' in r.err
    assert time.monotonic() - began < 5
    assert fake.sh(0, 'echo fine') == 'fine\n'
    assert fake.exec(0, 'while :; do :; done', timeout=1).status == 124
    assert fake.exec(0, "sh -c 'trap \"\" INT; sleep 30; :'", timeout=1).status == 124
    assert fake.sh(0, 'echo fine') == 'fine\n'


def test_output_of_a_timed_out_command_is_not_the_next_ones(fake):
    fake.exec(0, '(sleep 1.5; echo late) & sleep 30', timeout=1)
    assert fake.sh(0, 'sleep 1; echo mine') == 'mine\n'


def test_node_down_is_126(fake):
    running = fake.spawn(1, 'sleep 30')
    time.sleep(0.5)
    fake.do('kill', '1')
    assert running.wait(10) == 126
    assert fake.exec(1, 'true').status == 126
    assert fake.sh(0, 'echo alive') == 'alive\n'
    assert fake.call('kill', '1').status == 1


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
    for words, told in ((['--boot', 'pxe'], b'issue 3'), (['--add', '/nowhere:/x'], b'no such'),
                        (['--policy', '/nowhere.xml'], b'no such'), (['-n', '0'], b'nodes')):
        r = c.call('up', *words)
        assert r.status != 0 and told in r.err, words
    assert not processes_of(c.directory)
