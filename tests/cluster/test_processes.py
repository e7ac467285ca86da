# SPDX-License-Identifier: MIT
"""Programs on one cluster: unmodified Linux programs, one process table, one writable tree."""

import os
import re
import subprocess
import time

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def on_linux(path, *arguments):
    """(status, stdout, stderr) of the same ELF on this machine; a shell's view of a signal."""
    done = subprocess.run([path, *arguments], capture_output=True, check=False, cwd='/',
                          env={'PATH': '/bin'})
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return status, done.stdout, done.stderr


def test_unseen_static_program_as_on_linux(program):
    with weft.cluster(1, add=[program('ordinary') + ':/opt/ordinary',
                              program('crash') + ':/opt/crash']) as c:
        status, out, err = on_linux(program('ordinary'), 'a', 'b c')
        r = c.exec(0, "/opt/ordinary a 'b c' 2>/tmp/err")
        assert (r.status, r.out) == (status, out)
        assert c.exec(0, 'cat /tmp/err').out == err
        status, out, err = on_linux(program('crash'))
        assert status == 139
        r = c.exec(0, '/opt/crash')
        assert (r.status, r.out) == (139, out + err), 'both outputs, in order'


def test_static_musl_program_as_on_linux(musl_program):
    with weft.cluster(1, add=[musl_program + ':/opt/musl']) as c:
        status, out, err = on_linux(musl_program, 'a', 'b')
        r = c.exec(0, '/opt/musl a b 2>/tmp/err')
        assert (r.status, r.out) == (status, out)
        assert c.exec(0, 'cat /tmp/err').out == err


def test_put_and_run(pair, program, tmp_path):
    pair.do('put', '1', program('ordinary') + ':/tmp/put')
    assert pair.exec(1, '/tmp/put').status == 17
    (tmp_path / 'data').write_bytes(os.urandom(200000))
    pair.do('put', '0', f'{tmp_path}/data:/tmp/data')
    expected = subprocess.run(['sha256sum'], stdin=open(tmp_path / 'data', 'rb'),
                              capture_output=True, text=True, check=True).stdout.split()[0]
    for node in (0, 1):
        assert pair.sh(node, 'sha256sum </tmp/data').split()[0] == expected


def test_ps_on_any_node_shows_all(pair):
    pid0 = pair.sh(0, 'sleep 30 & echo $!').strip()
    pid1 = pair.sh(1, 'sleep 31 & echo $!').strip()
    try:
        assert int(pid0) // 32768 == 0 and int(pid1) // 32768 == 1, 'birth node * 32768 + n'
        for node in (0, 1):
            table = pair.sh(node, 'ps')
            assert [p for p in (pid0, pid1) if p in table.split()] == [pid0, pid1], table
    finally:
        pair.exec(0, f'kill {pid0} {pid1}')


def test_kill_across_nodes_and_wait(pair):
    pid = pair.start(1, 'sleep 60')
    pair.sh(0, f'kill -0 {pid} && kill -TERM {pid}')
    assert pair.ended(pid) == 143
    weft.wait_for('it is gone', lambda: pair.exec(0, f'kill -0 {pid}').status == 1, 5)


def test_one_writable_tree(pair):
    pair.sh(0, 'mkdir -p /tmp/tree; echo from 0 >/tmp/tree/a')
    assert pair.sh(1, 'cat /tmp/tree/a; echo from 1 >>/tmp/tree/a; ls /tmp/tree') == 'from 0\na\n'
    assert pair.sh(0, 'cat /tmp/tree/a; rm -r /tmp/tree') == 'from 0\nfrom 1\n'
    assert pair.exec(1, 'cat /tmp/tree/a 2>/dev/null').status == 1


def test_shell_pipes_redirection_scripts(pair):
    assert pair.sh(0, 'seq 1 1000 | grep 7 | wc -l') == '271\n'
    assert pair.sh(1, 'printf "b\\na\\n" >/tmp/s; sort </tmp/s | tr a-z A-Z') == 'A\nB\n'
    assert pair.sh(0, "printf 'for i in 1 2 3; do echo $i $0 $1; done\\nexit 5\\n' >/tmp/x.sh; "
                      "sh /tmp/x.sh arg; echo $?").splitlines() == \
        ['1 /tmp/x.sh arg', '2 /tmp/x.sh arg', '3 /tmp/x.sh arg', '5']
    assert pair.sh(0, 'sleep 0.2 & wait $!; echo $?; (exit 9) & wait $!; echo $?') == '0\n9\n'


def test_the_vdso_after_moves(pair, program):
    pair.do('put', '0', program('vdso') + ':/tmp/vdso')
    assert pair.sh(0, '/tmp/vdso 1 0 1') == '0 bad\n'
    maps = pair.sh(1, 'cat /proc/self/maps')
    assert maps.splitlines()[-1].startswith('bffff000-c0000000 r-xp 00000000'), maps


def test_console_line_editing_and_ctrl_c(pair):
    """Keys: a typo erased, a loop stopped by Ctrl-C, the shell goes on."""
    keys = subprocess.Popen([weft.COMMAND, 'console', '--dir', pair.directory, '1'],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=pair.env)
    keys.stdin.write(b'echo helxx\x7f\x7flo\r')
    keys.stdin.flush()
    time.sleep(1)
    keys.stdin.write(b"sh -c 'while :; do :; done'\r")  # a child: see test_exec's timeout
    keys.stdin.flush()
    time.sleep(1)
    keys.stdin.write(b'\x03')
    keys.stdin.flush()
    time.sleep(1)
    out = keys.communicate(b'echo status $?\r', timeout=20)[0]
    assert b'\r\nhello\r\n' in out and b'\r\nstatus 130\r\n' in out
    assert pair.sh(1, 'echo after') == 'after\n'


def test_proc_for_busybox(pair):
    assert 'Mem' in pair.sh(0, 'free')
    assert 'CPU' in pair.sh(0, 'top -b -n 1 | head -5')
    rows = pair.nodes(1)
    assert sorted(rows) == [0, 1] and all(len(r) == 8 and r[2] == 'online' for r in rows.values())


def test_devices(pair):
    assert pair.sh(0, 'head -c 10 /dev/zero | od -An -tx1').split() == ['00'] * 10
    assert pair.sh(0, 'echo x >/dev/null; cat /dev/null') == ''
    one, two = (pair.sh(0, 'head -c 16 /dev/urandom | od -An -tx1') for _ in range(2))
    assert one != two and len(one.split()) == 16


def test_broken_programs_are_refused_and_the_node_lives(pair, program, tmp_path):
    good = open(program('crash'), 'rb').read()
    for name, data in (('short', good[:40]), ('cut', good[:700]),
                       ('class', good[:4] + b'\2' + good[5:]),
                       ('heads', good[:28] + b'\xff\xff\xff\x7f' + good[32:]),
                       ('entry', good[:24] + b'\0\0\0\0' + good[28:])):
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o755)
        pair.do('put', '0', f'{tmp_path}/{name}:/tmp/bad')
        # Called by env: a shell would take what execve refuses for a script.
        assert pair.exec(0, 'env /tmp/bad').status != 0, name
    assert pair.sh(0, 'echo lives; rm /tmp/bad') == 'lives\n'


def test_unknown_calls_are_enosys_and_counted(pair):
    assert pair.exec(0, 'cat /proc/cluster/enosys').status == 0


def test_the_log_by_dmesg_and_kmsg(pair):
    """syslog(2) and /dev/kmsg: what was written, whole lines only, a reader who was too slow."""
    pair.sh(0, "echo '<11>a word' >/dev/kmsg; printf 'two\\nlines\\\\\\t\\n' >/dev/kmsg")
    lines = pair.sh(0, 'dmesg').splitlines()
    assert [line.split('] ')[1] for line in lines[-3:]] == ['a word', 'two', 'lines\\\t']
    records = pair.sh(0, f'head -n {len(lines)} /dev/kmsg').splitlines()
    assert [re.sub(r',\d+,\d+,-;', ' ', r) for r in records[-3:]] == [
        '11 a word', '12 two', r'12 lines\x5c\x09']
    assert 'Operation not permitted' in pair.exec(0, "su nobody -s /bin/sh -c 'dmesg' 2>&1").text
    pair.sh(0, 'dmesg -n 1; exec 7</dev/kmsg; i=0; while [ $i -lt 400 ]; do i=$((i + 1)); '
               'echo "line $i of very many that will not all stay" >/dev/kmsg; done; dmesg -n 7')
    kept = pair.sh(0, 'dmesg').splitlines()
    assert all(re.match(r'\[ *\d+\.\d{6}\] ', line) for line in kept)
    assert kept[-1].endswith('line 400 of very many that will not all stay') and len(kept) > 150
    r = pair.exec(0, "cat <&7 2>&1; head -n 1 <&7; exec 7<&-")
    assert b'Broken pipe' in r.out and re.search(rb'\n12,\d+,\d+,-;line ', r.out)
    assert 'line 400' not in pair.log(0), 'the console was off'
