# SPDX-License-Identifier: MIT
"""The paper's policy spreads programs; without one nothing moves."""

import json
import os
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def run(nodes):
    done = subprocess.run(['make', '-s', '-C', weft.ROOT, 'run', f'NODES={nodes}'], check=False,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    print(done.stdout[-5000:], done.stderr[-2000:])
    assert done.returncode == 0
    with open(os.path.join(weft.BUILD, 'run', 'summary.json'), encoding='ascii') as f:
        return json.load(f)


@pytest.mark.parametrize('nodes', [2, 4])
def test_make_run(nodes):
    summary = run(nodes)
    assert len(summary['processes']) == 2 * nodes
    assert all(p['checksum'] == p['expected'] for p in summary['processes'])
    assert summary['wall_balanced_s'] > 0 and summary['wall_unbalanced_s'] > 0
    assert all(summary['checks'].values()), summary['checks']
