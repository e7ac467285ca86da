# SPDX-License-Identifier: MIT
"""`qemu/cluster exec` is exact (CONTRACT): on fake nodes, and on real ones."""

import os
import signal
import time


def test_output_is_exact_and_in_order(shells):
    r = shells.exec(0, 'printf "a\\tb\\r\\n"; echo err >&2; printf "\\001\\377\\033]x"; '
                       'echo c >&2; printf "no newline"')
    assert (r.status, r.out, r.err) == (0, b'a\tb\r\nerr\n\x01\xff\x1b]xc\nno newline', b'')


def test_status_is_the_commands(shells):
    for command, status in (('true', 0), ('false', 1), ('(exit 77)', 77), ('return 9', 9),
                            ('nosuchprogram', 127), ('sh -c "kill -KILL \\$\\$"', 137)):
        assert shells.exec(0, command).status == status, command


def test_deadly_signal_leaves_only_the_programs_output(shells):
    r = shells.exec(0, "sh -c 'echo last words; kill -SEGV $$'")
    assert (r.status, r.out) == (139, b'last words\n')
    r = shells.exec(0, "sh -c 'echo Segmentation fault; kill -SEGV $$'")
    assert (r.status, r.out) == (139, b'Segmentation fault\n'), 'a program may say so itself'
    assert shells.exec(0, 'echo Killed').out == b'Killed\n'


def test_shell_state_persists(shells):
    shells.sh(0, 'cd /usr; X="a b"; f() { echo "f $1"; }; sleep 60 & P=$!')
    assert shells.sh(0, 'pwd; echo "$X"; f 1; kill $P; wait $P; echo $?') == \
        '/usr\na b\nf 1\nTerminated\n143\n'
    assert shells.sh(1, 'cd /; pwd; echo "[$X]"') == '/\n[]\n', 'each node has its own shell'
    assert shells.sh(0, 'pwd; cd /') == '/usr\n'


def test_no_job_notice_in_output(shells):
    shells.sh(0, 'sleep 0.1 &')
    time.sleep(0.4)
    assert shells.sh(0, 'echo one; echo two\necho three') == 'one\ntwo\nthree\n'


def test_syntax_error_is_output_and_the_shell_lives(shells):
    r = shells.exec(0, 'echo a\nif then')
    assert r.status == 2 and b'syntax error' in r.out
    assert shells.sh(0, 'echo lives') == 'lives\n'


def test_exit_ends_the_shell_with_its_status(shells):
    shells.sh(0, 'X=old')
    assert shells.exec(0, 'echo bye; exit 3').status == 3
    assert shells.sh(0, 'echo "new $X"') == 'new \n'


def test_quoting_is_transparent(shells):
    text = ''.join(chr(c) for c in range(32, 127)) + '\n\tä€'
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert shells.sh(0, f'printf %s {quoted}') == text
    assert shells.sh(0, "printf %s '" + '"$`\\' * 500 + "'") == '"$`\\' * 500


def test_words_are_joined_by_spaces(shells):
    assert shells.do('exec', '0', '--', 'echo', 'a', '--timeout', '-n', '|', 'cat') == \
        'a --timeout -n\n'


def test_command_of_64_kib(shells):
    head, tail = "X='", "'; echo ${#X}"
    fill = 65536 - len(head) - len(tail)
    assert shells.sh(0, head + 'y' * fill + tail) == f'{fill}\n'
    r = shells.exec(0, head + 'y' * (fill + 1) + tail)
    assert r.status == 125 and b'limit' in r.err


def test_much_output(shells):
    out = shells.exec(0, 'seq 1 60000 >/tmp/lab.seq; cat /tmp/lab.seq; rm /tmp/lab.seq').out
    assert out == b''.join(b'%d\n' % i for i in range(1, 60001))


def test_who_reads_late_loses_nothing(pair):
    """What reads both ports of the nodes stands still while they are written: a program waits for
    room, its node does not wait with it."""
    with open(f'{pair.directory}/pid', encoding='ascii') as f:
        reader = int(f.read())
    members = [words[:3] for words in pair.nodes(0).values()]
    job = pair.spawn(0, 'seq 1 60000 >/tmp/late; cat /tmp/late; cat /tmp/late >/dev/console; '
                        'rm /tmp/late')
    begin = os.read(job.stdout.fileno(), 4096)
    os.kill(reader, signal.SIGSTOP)
    time.sleep(3)
    os.kill(reader, signal.SIGCONT)
    whole = b''.join(b'%d\n' % i for i in range(1, 60001))
    rest, err = job.communicate(timeout=90)
    assert begin + rest == whole and err == b'' and job.returncode == 0
    with open(f'{pair.directory}/node0.console', 'rb') as f:
        assert whole.replace(b'\n', b'\r\n') in f.read()
    assert [words[:3] for words in pair.nodes(0).values()] == members


def test_timeout_is_124_and_the_console_stays(shells):
    began = time.monotonic()
    r = shells.exec(0, 'echo before; sleep 30; echo after', timeout=3)
    assert (r.status, r.out) == (124, b'before\n') and b'no end after 3 s' in r.err
    assert time.monotonic() - began < 10
    assert shells.sh(0, 'echo fine') == 'fine\n'
    # A child: busybox 1.35's own ash waits for itself for ever after one in fifty SIGINTs in a
    # builtin, on Linux too (it leaves the C library's stdio by longjmp).
    assert shells.exec(0, "sh -c 'while :; do :; done'", timeout=1).status == 124
    assert shells.exec(0, "sh -c 'trap \"\" INT; sleep 30; :'", timeout=1).status == 124
    assert shells.sh(0, 'echo fine') == 'fine\n'


def test_output_of_a_timed_out_command_is_not_the_next_ones(shells):
    shells.exec(0, '(sleep 1.5; echo late) & sleep 30', timeout=1)
    assert shells.sh(0, 'sleep 1; echo mine') == 'mine\n'
