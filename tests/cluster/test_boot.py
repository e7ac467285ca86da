# SPDX-License-Identifier: MIT
"""Clusters that boot by other loaders than QEMU's -kernel."""

import os
import shutil
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.mark.parametrize('boot, loader', [('iso', 'loaded by GRUB'), ('pxe', 'loaded by iPXE')])
def test_three_nodes_without_root(boot, loader, tmp_path):
    secret = tmp_path / 'secret'
    secret.write_text('brought by the archive')
    with weft.cluster(3, boot=boot, add=[f'{secret}:/etc/secret'], policy='none',
                      append='trace=1', append_node={1: 'echo=1', 2: 'drain=off'}) as c:
        for node in range(3):
            assert c.sh(node, 'cat /proc/self/node /etc/secret') == \
                f'{node}\nbrought by the archive'
            assert loader in c.log(node)
            assert 'unknown setting' not in c.log(node)
            row = c.nodes(node)[node]
            assert row[2:4] == ['online', f'10.77.0.{10 + node}']
        assert c.do('add').strip() == '3', 'a fourth by the same way'
        assert loader in c.log(3)


@pytest.mark.parametrize('boot', ['iso', 'pxe'])
def test_too_many_words_are_refused(boot, tmp_path):
    c = weft.Cluster(str(tmp_path))
    done = c.call('up', '-n', '1', '--boot', boot, '--append-node', '0:' + 'fault=a:b:die ' * 20)
    assert done.status == 1
    assert b'190 are the limit' in done.err


OWN_NET = ['unshare', '-n'] if os.geteuid() == 0 else ['unshare', '-rn']

# In a network namespace of its own: a bridge, two machines, dnsmasq as `make pxe` describes it.
SERVED = r"""
set -e
pids=
trap 'kill $pids' EXIT
ip link set lo up
ip link add br0 type bridge
ip link set br0 type bridge stp_state 0 forward_delay 0
ip addr add 10.77.0.1/24 dev br0
ip addr add fd77::1/64 dev br0 nodad
ip link set br0 up
dnsmasq --no-daemon --conf-file=pxe/dnsmasq.conf --interface=br0 --user=root --pid-file= \
    --dhcp-leasefile=leases >dnsmasq.log 2>&1 &
pids=$!
/usr/bin/python3 -m http.server --directory pxe 8080 >http.log 2>&1 &
pids="$pids $!"
for i in 1 0; do
    ip tuntap add tap$i mode tap
    ip link set tap$i master br0 up
    timeout 50 qemu-system-i386 -accel tcg -nodefaults -no-user-config -m 64 -display none \
        -no-reboot -serial file:node$i -device isa-debug-exit,iobase=0xf4,iosize=4 -boot n \
        -netdev tap,id=n0,ifname=tap$i,script=no,downscript=no \
        -device e1000,netdev=n0,mac=52:54:00:77:00:0$i &
    [ $i = 0 ] || pids="$pids $!"
done
wait $! || echo $?
"""


@pytest.mark.parametrize('way', ['tftp', 'http'])
def test_dnsmasq_serves_what_make_pxe_lays_out(way, tmp_path):
    if subprocess.run([*OWN_NET, 'true'], check=False, stderr=subprocess.DEVNULL).returncode:
        pytest.skip('no network namespace of our own here')
    if not os.access('/dev/net/tun', os.W_OK):
        pytest.skip('no /dev/net/tun')
    if not shutil.which('dnsmasq', path='/usr/sbin:/usr/bin'):
        pytest.skip('no dnsmasq')
    own = ' dhcp=1' if way == 'tftp' else ''
    archive = tmp_path / 'weft.img'
    subprocess.run([os.path.join(weft.BUILD, 'host', 'mkarchive'), '-o', archive,
                    '--base', os.path.join(weft.BUILD, 'weft.img'), '--app', '/bin/busybox',
                    '--app', 'cat', '--app', '/proc/cluster/nodes'], check=True)
    subprocess.run([os.path.join(weft.ROOT, 'boot', 'make-pxe'), tmp_path / 'pxe',
                    os.path.join(weft.BUILD, 'weft.elf'), archive, f'session=served nodes=2{own}'],
                   check=True)
    for node in range(2):  # which runs the program is told to each machine
        (tmp_path / 'pxe' / f'node-52-54-00-77-00-0{node}.ipxe').write_text(
            f'#!ipxe\nset settings ${{settings}} node={node}\n')
    if way == 'http':  # the TFTP round asks for its addresses itself: our client, not iPXE's
        conf = tmp_path / 'pxe' / 'dnsmasq.conf'
        text = conf.read_text()
        assert '#dhcp-boot=' in text
        conf.write_text(text.replace('dhcp-boot=tag:ipxe,boot.ipxe\n', '')
                        .replace('#dhcp-boot=', 'dhcp-boot='))
    done = subprocess.run([*OWN_NET, 'sh', '-c', SERVED], cwd=tmp_path, timeout=120, check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'})
    told = ''.join((tmp_path / f).read_text(errors='replace') for f in ('node0', 'node1'))
    served = (tmp_path / ('http.log' if way == 'http' else 'dnsmasq.log')).read_text()
    assert 'weft.img' in served, served + done.stderr
    rows = [line.split() for line in told.splitlines() if ' online ' in line]
    assert [row[0] for row in rows] == ['0', '1'], told + done.stderr
    assert done.stdout == '1\n', 'status of the program: 0'
    assert all(row[3].startswith('10.77.0.') for row in rows), 'as DHCP gave them'
    assert (tmp_path / 'dnsmasq.log').read_text().count('DHCPACK(') >= (4 if own else 2)
