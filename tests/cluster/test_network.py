# SPDX-License-Identifier: MIT
"""Linux on a tap of its own network namespace is the judge of our network stack."""

import os
import shutil
import subprocess
import sys

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')

OWN_NET = ['unshare', '-n'] if os.geteuid() == 0 else ['unshare', '-rn']

JUDGE = r'''
import fcntl, hashlib, os, select, socket, subprocess, sys, termios, threading
sys.path.insert(0, sys.argv[1])
import weft
loss, mib, capture, urgent = sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
HEARD = """\
   in 1 pri 1, select 1 1, mark 0 0, 2 bytes, 1 signals
   recv 8: 2  "ab" 0
   in 1 pri 1, select 1 1, mark 1 1, 0 bytes, 1 signals
   recv OOB 8: 1  "c" 1
   recv 8: 1  "d" 0
2 signals
   recv OOB 1: -1 EAGAIN "" 0
300000 bytes
   recv OOB 1: 1  "!" 1
   recv 1: 0  "" 0
"""


def exchange_urgent(c):
    c.do('put', '0', f'{urgent}:/tmp/urgent')
    pid = c.start(0, '/tmp/urgent serve 4000 >/tmp/heard')
    weft.wait_for('the listener', lambda: ':0FA0' in c.read(0, '/proc/net/tcp'))
    s = socket.create_connection(('10.77.0.10', 4000), timeout=60)
    assert s.recv(1) == b'r'
    s.send(b'ab')
    s.send(b'c', socket.MSG_OOB)
    s.send(b'd')
    assert select.select([], [], [s], 60)[2]
    got = b''
    while len(got) < 2:
        got += s.recv(3 - len(got))
    assert (got, s.recv(1, socket.MSG_OOB), s.recv(1)) == (b'xy', b'z', b'w')
    s.sendall(bytes(300000))  # more than the node takes unread; what is left a pointer can span
    waits = lambda: int.from_bytes(fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)), 'little')
    weft.wait_for('a full window', lambda: waits() < 60000)
    s.send(b'!', socket.MSG_OOB)
    s.shutdown(socket.SHUT_WR)
    assert c.ended(pid, 0) == 0
    assert c.read(0, '/tmp/heard') == HEARD


FAULTS = {'loss': loss, 'dup': '5', 'reorder': '5'}
with weft.cluster(1, host_if='weft0', append='echo=1', pcap=capture) as c:
    subprocess.run(['ping', '-c', '3', '-W', '5', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
    if urgent:
        exchange_urgent(c)
    for fault, percent in FAULTS.items():
        c.do('net', fault, percent)
    data = os.urandom(mib << 20)
    s = socket.create_connection(('10.77.0.10', 7), timeout=60)
    s.settimeout(1200)  # of sendall as a whole
    sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
    sender.start()
    back = hashlib.sha256()
    count = 0
    while piece := s.recv(1 << 16):
        back.update(piece)
        count += len(piece)
    sender.join()
    assert count == len(data), count
    assert back.digest() == hashlib.sha256(data).digest()
    rows = c.stat().values()
    assert (sum(row['lost'] for row in rows) > 0) == (loss != '0'), rows
    assert sum(row['dup'] for row in rows) and sum(row['reordered'] for row in rows), rows
    for fault in FAULTS:
        c.do('net', fault, '0')
    subprocess.run(['ping', '-c', '3', '-W', '5', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
print('judged')
'''

# What no frame of ours may be, in the eyes of Wireshark. The switch captures a frame before it
# loses, doubles or delays it, so the capture holds all that we can have seen. The card computes
# the sums of what it cuts, and QEMU's e1000 writes a sum of zero as 0xffff in TCP as in UDP: the
# same number in one's complement (RFC 1624, section 3), which every receiver takes.
OTHER_ZERO = 'tcp.checksum == 0xffff && tcp.checksum_calculated == 0'
WRONG = (f'ip.src == 10.77.0.10 && ((tcp.checksum.status == "Bad" && !({OTHER_ZERO})) || '
         'ip.checksum.status == "Bad" || tcp.analysis.ack_lost_segment || _ws.malformed || '
         '_ws.expert.severity == "Error")')


def wireshark(capture, what, *more):
    done = subprocess.run(['tshark', '-n', '-r', capture, '-o', 'tcp.check_checksum:TRUE',
                           '-o', 'ip.check_checksum:TRUE', '-Y', what, *more], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def judge(loss, mib, capture, urgent=''):
    if subprocess.run([*OWN_NET, 'true'], check=False).returncode:
        pytest.skip('no network namespace of our own here')
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        pytest.skip('no /dev/net/tun')
    here = os.path.dirname(weft.__file__)
    done = subprocess.run([*OWN_NET, sys.executable, '-B', '-c', JUDGE, here, loss, str(mib),
                           capture, urgent], check=False, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0 and done.stdout == 'judged\n', done.stderr
    if not shutil.which('tshark'):
        pytest.skip('the transfer was right, but there is no tshark to look at its capture')
    options = wireshark(capture, 'ip.src == 10.77.0.10 && tcp.flags.syn == 1 && '
                        'tcp.options.wscale && tcp.options.sack_perm && tcp.options.timestamp',
                        '-c', '1000')
    assert options, 'our SYN agrees to window scaling, SACK and timestamps'
    wrong = wireshark(capture, WRONG)
    assert not wrong, wrong[:20]


@pytest.mark.parametrize('loss', ['0', '3'])
def test_linux_pings_and_exchanges_16_mib_with_echo(loss, tmp_path, program):
    judge(loss, 16, str(tmp_path / 'all.pcap'), program('urgent') if loss == '0' else '')


@pytest.mark.heavy
@pytest.mark.parametrize('loss', ['0', '1', '3', '10'])
def test_linux_exchanges_64_mib_with_echo(loss, tmp_path):
    capture = str(tmp_path / 'all.pcap')
    judge(loss, 64, capture)
    os.remove(capture)
