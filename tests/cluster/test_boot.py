# SPDX-License-Identifier: MIT
"""Clusters that boot by other loaders than QEMU's -kernel."""

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
