# SPDX-License-Identifier: MIT
"""Clusters on each network card that has a driver: traffic both ways, a move, a bad wire."""

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')

# The model's name in QEMU, and the driver's in the log.
CARDS = [('virtio-net-pci', 'virtio-net'), ('rtl8139', 'rtl8139')]


def counters(c, node):
    return {name: int(value) for name, value, *_ in
            (line.split() for line in c.sh(node, 'cat /proc/cluster/counters').splitlines())}


@pytest.mark.parametrize('model,driver', CARDS)
def test_a_cluster_on_this_card(model, driver):
    with weft.cluster(2, nic=model, policy='none') as c:
        assert f'{driver}: 52:54:00:77:00:10' in c.log(0)
        assert [words[2] for words in c.nodes().values()] == ['online', 'online']
        for node in (0, 1):
            assert c.sh(node, f'echo from {node}') == f'from {node}\n'
        pid = c.start(0, 'sleep 600')
        assert c.sh(0, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node') == '1\n'
        assert c.sh(1, f'cat /proc/{pid}/node') == '1\n'
        # Frames of full length, more than a ring holds: a file written here is read there.
        c.sh(0, 'seq 1 60000 >/tmp/much', timeout=120)
        here, there = (c.sh(node, 'md5sum </tmp/much', timeout=120) for node in (0, 1))
        assert here == there
        c.do('net', 'loss', '3')
        assert c.sh(1, f'echo 0 >/proc/{pid}/node; cat /proc/{pid}/node') == '0\n'
        c.do('net', 'loss', '0')
        c.sh(1, f'kill {pid}')
        assert c.ended(pid) == 143
        for node in (0, 1):
            seen = counters(c, node)
            assert seen['net_frames_in'] > 0
            assert seen.get('net_nic_rx_bad', 0) == seen.get('net_nic_tx_bad', 0) == 0
