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


# What goes over TCP and UDP here is random bytes: tshark must not take them for some protocol, by a
# port or by their look, and call them malformed.
PAYLOAD_IS_DATA = ['-d', 'tcp.port==0-65535,data', '-d', 'udp.port==0-65535,data']


def wireshark(capture, what, *more):
    done = subprocess.run(['tshark', '-n', '-r', capture, '-o', 'tcp.check_checksum:TRUE',
                           '-o', 'ip.check_checksum:TRUE', *PAYLOAD_IS_DATA, '-Y', what, *more],
                          check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def own_network(judge_program, *words):
    """The program in a network namespace of its own, where it may have a tap."""
    if subprocess.run([*OWN_NET, 'true'], check=False).returncode:
        pytest.skip('no network namespace of our own here')
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        pytest.skip('no /dev/net/tun')
    here = os.path.dirname(weft.__file__)
    done = subprocess.run([*OWN_NET, sys.executable, '-B', '-c', judge_program, here, *words],
                          check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=1500)
    assert done.returncode == 0 and done.stdout == 'judged\n', done.stderr


def judge(loss, mib, capture, urgent=''):
    own_network(JUDGE, loss, str(mib), capture, urgent)
    if not shutil.which('tshark'):
        pytest.skip('the transfer was right, but there is no tshark to look at its capture')
    options = wireshark(capture, 'ip.src == 10.77.0.10 && tcp.flags.syn == 1 && '
                        'tcp.options.wscale && tcp.options.sack_perm && tcp.options.timestamp',
                        '-c', '1000')
    assert options, 'our SYN agrees to window scaling, SACK and timestamps'
    wrong = wireshark(capture, WRONG)
    assert not wrong, wrong[:20]


# What `fragments ask` says when each datagram came back as it was, and IP_MTU_DISCOVER and
# IP_HDRINCL do what ip(7) and raw(7) say.
ASKED = """\
connect: 0
connected: mtu ok 1500 4
too large: EMSGSIZE
1473: 1473
back 1
1472: 1472
back 1
1473: 1473
back 1
1472: 1472
back 1
1473: EMSGSIZE
1472: 1472
back 1
1473: EMSGSIZE
1472: 1472
back 1
1473: EMSGSIZE
1472: 1472
back 1
1473: 1473
back 1
1472: 1472
back 1
raw: 1481
own header: 1500
own header: EMSGSIZE
"""

# Datagrams that need fragments, both ways, in order and out of it. Fragments that lie are in
# tests/unit/test_fragment.c.
FRAGMENTS = r'''
import os, socket, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
import weft
capture, program, HEARD = sys.argv[2:5]
SIZES = [1472, 1473, 1480, 2953, 8000, 30000, 65507]


def counters(c):
    lines = c.read(0, '/proc/cluster/counters').splitlines()
    return {name: int(value) for line in lines if len(line.split()) == 2
            for name, value in [line.split()] if value.isdigit()}


def echo(s):
    while data := s.recvfrom(70000):
        if not data[0]:
            return
        s.sendto(*data)


def ask(s, times):
    for n in SIZES * times:
        data = os.urandom(n)
        s.send(data)
        assert s.recv(70000) == data, n


with weft.cluster(1, host_if='weft0', pcap=capture) as c:
    subprocess.run(['ping', '-c', '3', '-W', '5', '-s', '8000', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(['ping', '-c', '2', '-W', '5', '-s', '65507', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
    c.do('put', '0', f'{program}:/tmp/fragments')
    pid = c.start(0, '/tmp/fragments echo 4000')
    weft.wait_for('the socket', lambda: ':0FA0' in c.read(0, '/proc/net/udp'))
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect(('10.77.0.10', 4000))
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(('0.0.0.0', 4001))
    threading.Thread(target=echo, args=(server,), daemon=True).start()
    here = subprocess.run(['hostname', '-I'], check=True, capture_output=True,
                          text=True).stdout.split()[0]
    for reorder in '0', '50':
        c.do('net', 'reorder', reorder)
        ask(s, 3)
        heard = c.sh(0, f'/tmp/fragments ask {here} 4001 3', timeout=120)
        assert heard == HEARD, heard
    # From here on the second of a last fragment may begin a datagram that never ends.
    late = counters(c).get('net_ip_fragment_late', 0)
    assert late == 0, late
    c.do('net', 'dup', '50')
    subprocess.run(['ping', '-c', '3', '-W', '5', '-s', '30000', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
    c.do('net', 'dup', '0')
    c.do('net', 'reorder', '0')
    s.send(b'')
    assert c.ended(pid, 0) == 0
    got = counters(c)
    assert got['net_ip_reassembled'] > 40 and got['net_ip_fragmented'] > 40, got
    assert got['net_ip_fragment_twice'] > 0, got
    for what in 'overlap', 'length', 'full', 'no_memory':
        assert got.get('net_ip_fragment_' + what, 0) == 0, (what, got)
print('judged')
'''


def test_linux_exchanges_datagrams_in_fragments(tmp_path, program):
    capture = str(tmp_path / 'all.pcap')
    own_network(FRAGMENTS, capture, program('fragments'), ASKED)
    if not shutil.which('tshark'):
        pytest.skip('the datagrams were right, but there is no tshark to look at its capture')
    assert wireshark(capture, 'ip.src == 10.77.0.10 && ip.flags.mf == 1')
    assert wireshark(capture, 'ip.src == 10.77.0.10 && udp.length == 65515')
    wrong = wireshark(capture, f'{WRONG} || (ip.src == 10.77.0.10 && (udp.checksum.status == "Bad" '
                      '|| icmp.checksum.status == "Bad" || ip.fragment.overlap || '
                      'ip.fragment.error))', '-o', 'udp.check_checksum:TRUE')
    assert not wrong, wrong[:20]


def test_nodes_exchange_datagrams_in_fragments(pair, program):
    pair.do('put', '0', f'{program("fragments")}:/tmp/fragments')
    pid = pair.start(0, '/tmp/fragments echo 4000')
    weft.wait_for('the socket', lambda: ':0FA0' in pair.read(0, '/proc/net/udp'))
    assert pair.sh(1, '/tmp/fragments ask 10.77.0.10 4000 5') == ASKED
    assert '1 packets received' in pair.sh(1, 'busybox ping -s 65507 -c 1 10.77.0.10')
    pair.sh(0, f'kill {pid}')


@pytest.mark.parametrize('loss', ['0', '3'])
def test_linux_pings_and_exchanges_16_mib_with_echo(loss, tmp_path, program):
    judge(loss, 16, str(tmp_path / 'all.pcap'), program('urgent') if loss == '0' else '')


@pytest.mark.heavy
@pytest.mark.parametrize('loss', ['0', '1', '3', '10'])
def test_linux_exchanges_64_mib_with_echo(loss, tmp_path):
    capture = str(tmp_path / 'all.pcap')
    judge(loss, 64, capture)
    os.remove(capture)
