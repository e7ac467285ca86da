# SPDX-License-Identifier: MIT
"""Fixtures of all cluster tests."""

import os
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import weft  # noqa: E402  its folder comes first


@pytest.fixture(scope='session')
def fake_env(tmp_path_factory):
    """The environment in which the lab starts fake_qemu.py: tests of the lab itself."""
    busybox = os.path.join(weft.BUILD, 'debs', 'busybox-static', 'bin', 'busybox')
    if not os.path.exists(busybox):
        pytest.skip('the boot archive\'s busybox is not built')
    if subprocess.run([busybox, 'true'], check=False).returncode:
        pytest.skip('this machine runs no i386 programs')
    build = tmp_path_factory.mktemp('build')
    (build / 'host').symlink_to(os.path.join(weft.BUILD, 'host'))
    for name in ('weft.elf', 'weft.img'):
        (build / name).write_bytes(b'')
    here = os.path.dirname(os.path.abspath(__file__))
    return {'WEFT_BUILD': str(build), 'FAKE_BUSYBOX': busybox,
            'WEFT_QEMU': os.path.join(here, 'fake_qemu.py')}


@pytest.fixture
def fake(fake_env):
    """A cluster of two fake nodes."""
    with weft.cluster(2, env=fake_env) as c:
        yield c
