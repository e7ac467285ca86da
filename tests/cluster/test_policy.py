# SPDX-License-Identifier: MIT
"""The paper's policy spreads programs; without one nothing moves."""

import glob
import json
import os
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def run(nodes, flags=''):
    words = ['make', '-s', '-C', weft.ROOT, 'run', f'NODES={nodes}', f'RUN_FLAGS={flags}']
    done = subprocess.run(words, check=False, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=900)
    print(done.stdout[-5000:], done.stderr[-2000:])
    assert done.returncode == 0
    with open(os.path.join(weft.BUILD, 'run', 'summary.json'), encoding='ascii') as f:
        return json.load(f)


def look(summary, nodes):
    assert len(summary['processes']) == 2 * nodes
    assert all(p['checksum'] == p['expected'] for p in summary['processes'])
    assert summary['wall_balanced_s'] > 0 and summary['wall_unbalanced_s'] > 0


def test_make_run():
    summary = run(2)
    look(summary, 2)
    assert all(summary['checks'].values()), summary['checks']


def test_make_run_on_four_nodes(tmp_path):
    """Less work than by default, so a probe that looks each second: 6 moves are needed."""
    paper = sorted(glob.glob(os.path.join(weft.ROOT, 'sched', 'policies', 'paper', '*.xml')))
    hasty = tmp_path / 'hasty.xml'
    text = ''.join(open(name, encoding='ascii').read() for name in paper)
    assert text.count('<time>5</time>') == 1
    hasty.write_text(text.replace('<time>5</time>', '<time>1</time>'))
    summary = run(4, f'--seconds 40 --policy {hasty}')
    look(summary, 4)
    failed = [what for what, holds in summary['checks'].items() if not holds]
    assert all('user time' in what for what in failed), failed
    assert {n for p in summary['processes'] for n in p['nodes']} == {0, 1, 2, 3}


@pytest.mark.heavy
def test_make_run_over_bad_cables():
    summary = run(3, '--seconds 40 --net loss=5 --net dup=5 --net reorder=10 --net corrupt=1')
    look(summary, 3)
