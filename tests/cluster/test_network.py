# SPDX-License-Identifier: MIT
"""Linux on a tap of its own network namespace is the judge of our network stack."""

import os
import subprocess
import sys

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')

OWN_NET = ['unshare', '-n'] if os.geteuid() == 0 else ['unshare', '-rn']

JUDGE = r'''
import hashlib, os, socket, subprocess, sys, threading
sys.path.insert(0, sys.argv[1])
import weft
loss = sys.argv[2]
with weft.cluster(1, host_if='weft0', append='echo=1') as c:
    subprocess.run(['ping', '-c', '3', '-W', '5', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
    c.do('net', 'loss', loss)
    data = os.urandom(16 << 20)
    s = socket.create_connection(('10.77.0.10', 7), timeout=60)
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
    lost = sum(row['lost'] for row in c.stat().values())
    assert (lost > 0) == (loss != '0'), lost
    c.do('net', 'loss', '0')
    subprocess.run(['ping', '-c', '3', '-W', '5', '10.77.0.10'], check=True,
                   stdout=subprocess.DEVNULL)
print('judged')
'''


@pytest.mark.parametrize('loss', ['0', '3'])
def test_linux_pings_and_exchanges_16_mib_with_echo(loss):
    if subprocess.run([*OWN_NET, 'true'], check=False).returncode:
        pytest.skip('no network namespace of our own here')
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        pytest.skip('no /dev/net/tun')
    here = os.path.dirname(weft.__file__)
    done = subprocess.run([*OWN_NET, sys.executable, '-B', '-c', JUDGE, here, loss], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0 and done.stdout == 'judged\n', done.stderr
