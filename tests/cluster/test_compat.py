# SPDX-License-Identifier: MIT
"""A sample of make compat: real programs print the same here and on Linux."""

import json
import os
import subprocess

import pytest

import weft

COMPAT = os.path.join(weft.ROOT, 'tests', 'compat', 'compat.py')


def compare(tmp_path, *words, env=None):
    done = subprocess.run(['/usr/bin/python3', COMPAT, '--json', tmp_path / 'compat.json', *words],
                          capture_output=True, text=True, timeout=5400, check=False,
                          env={**os.environ, **(env or {})})
    assert os.path.exists(tmp_path / 'compat.json'), done.stdout + done.stderr
    with open(tmp_path / 'compat.json', encoding='utf-8') as f:
        return json.load(f)


def test_sample(kernel, tmp_path):
    """Shells and coreutils, dynamically linked, and a program of one's own."""
    own = tmp_path / 'extra' / 'own'
    own.mkdir(parents=True)
    (own / 'hello').write_text('#!/bin/sh\necho "hello from $PWD"\nexit 7\n')
    (own / 'hello').chmod(0o755)
    (own / 'cmd').write_text('./hello\n')
    rows = compare(tmp_path, '--only', 'bash', '--only', 'dash', '--only', 'coreutils',
                   '--every', '3', env={'COMPAT_EXTRA': str(tmp_path / 'extra')})
    assert [r for r in rows if not r['same'] and not r['reason']] == []
    assert rows[-1]['program'] == 'own' and len(rows) > 30


@pytest.mark.heavy
def test_all(kernel, tmp_path):
    rows = compare(tmp_path)
    assert [(r['command'], r['why']) for r in rows if not r['same'] and not r['reason']] == []
