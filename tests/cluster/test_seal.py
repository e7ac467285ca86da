# SPDX-License-Identifier: MIT
"""The cluster key: who has it is let in, who has not changes nothing but counters."""

import os
import re
import time

import hostile
import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.fixture(scope='module')
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp('keys')
    for name in ('ours', 'other'):
        (folder / name).write_bytes(os.urandom(32))
    return folder


def counters(c, node):
    return {name: int(value) for name, value in
            (line.split() for line in c.sh(node, 'cat /proc/cluster/counters').splitlines())}


def online(c, node):
    return sorted(n for n, row in c.nodes(node).items() if row[2] == 'online')


def tries_to_enter(c, key, seconds):
    """One more node with that key; it is no member after so long, and is ended."""
    node = int(c.do('add', '--outside', '--key', str(key), seconds=60))
    weft.wait_for('its links', lambda: 'links are' in c.log(node), 60)
    time.sleep(seconds)
    assert node not in online(c, 0)
    assert 'joined' not in c.log(node)
    c.do('kill', str(node))


def works(c, nodes):
    """A process goes round the nodes and ends well; files are seen everywhere."""
    pid = c.start(0, 'sleep 1000')
    for node in nodes[1:] + nodes[:1]:
        c.sh(0, f'echo {node} >/proc/{pid}/node')
        assert c.sh(nodes[-1], f'cat /proc/{pid}/node') == f'{node}\n'
    c.sh(0, f'kill {pid}')
    assert c.ended(pid) == 143
    c.sh(nodes[-1], 'echo seen >/tmp/works')
    assert c.sh(0, 'cat /tmp/works') == 'seen\n'


def under_attack(c, capture, count, careful):
    before = counters(c, 0)
    frames = hostile.frames_of(capture)
    assert len(frames) > 300
    port = hostile.HostilePort(c.directory)
    try:
        hostile.attack(port, frames, count, 1, careful)
    finally:
        port.close()
    weft.wait_for('quiet', lambda: online(c, 0) == online(c, 1) == [0, 1], 60)
    after = counters(c, 0)
    assert not re.search(r'(died|restarts|panic|assert)', c.log(0) + c.log(1))
    assert c.sh(0, 'cat /proc/cluster/events').count('joined') == 2
    changed = {name for name in after if after[name] != before.get(name, 0)}
    assert 'net_udp_checksum' in changed or 'net_tcp_checksum' in changed
    works(c, [0, 1])
    return before, after


def test_sealed_cluster(keys, tmp_path):
    capture = tmp_path / 'all.pcap'
    with weft.cluster(2, mem=64, key=keys / 'ours', pcap=capture) as c:
        assert 'links are sealed' in c.log(0)
        works(c, [0, 1])
        tries_to_enter(c, keys / 'other', 3)
        tries_to_enter(c, 'none', 3)
        before, after = under_attack(c, capture, 4000, careful=True)
        assert after['beacon_without_our_key'] > before.get('beacon_without_our_key', 0)
        new = int(c.do('add', seconds=150))
        assert online(c, 0) == [0, 1, new]
        works(c, [0, 1, new])
    # Nothing of a frame is to be read on the wire.
    text = b''.join(hostile.frames_of(capture))
    assert b'/tmp/works' not in text


@pytest.mark.heavy
def test_fifty_tries_without_the_key(keys):
    with weft.cluster(2, mem=64, key=keys / 'ours') as c:
        for n in range(50):
            tries_to_enter(c, 'none' if n % 5 == 4 else keys / 'other', 2)
        assert online(c, 0) == online(c, 1) == [0, 1]
        works(c, [0, 1])


@pytest.mark.heavy
@pytest.mark.parametrize('sealed', [True, False])
def test_hostile_port_says_100000_frames(keys, tmp_path, sealed):
    capture = tmp_path / 'all.pcap'
    options = {'key': keys / 'ours'} if sealed else {}
    with weft.cluster(2, mem=64, pcap=capture, **options) as c:
        works(c, [0, 1])
        under_attack(c, capture, 100000, careful=sealed)
