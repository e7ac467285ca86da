# SPDX-License-Identifier: MIT
"""What a loader may bring: broken archives and command lines are refused in words, and the node
lives to say so."""

import os
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


def boot(archive, words, seconds=3):
    """What a node without network says in its first seconds."""
    command = ['qemu-system-i386', '-accel', 'tcg', '-nodefaults', '-no-user-config', '-m', '64',
               '-display', 'none', '-no-reboot', '-serial', 'stdio',
               '-kernel', os.path.join(weft.BUILD, 'weft.elf'), '-append', words]
    if archive:
        command += ['-initrd', archive]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=seconds, check=False)
        return done.stdout.decode(errors='replace') + '(QEMU ended)'
    except subprocess.TimeoutExpired as e:
        return (e.stdout or b'').decode(errors='replace')


@pytest.fixture(name='good', scope='module')
def good_archive():
    with open(os.path.join(weft.BUILD, 'weft.img'), 'rb') as f:
        return f.read()


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize('damage, says', [
    (lambda good: good[:len(good) // 2], 'boot archive refused: '),
    (lambda good: flipped(good, 8 * 20), 'boot archive refused: '),
    (lambda good: flipped(good, 8 * (len(good) // 2)), 'boot archive refused: '),
    (lambda good: b'#!/bin/sh\necho no archive\n' * 400, 'is no boot archive'),
    (lambda good: None, 'no boot archive: give build/weft.img'),
], ids=['cut', 'header-bit', 'root-bit', 'something-else', 'none'])
def test_damaged_archive_is_refused_and_the_node_lives(good, damage, says, tmp_path):
    data, archive = damage(good), None
    if data is not None:
        archive = str(tmp_path / 'archive.img')
        with open(archive, 'wb') as f:
            f.write(data)
    out = boot(archive, 'node=0 found=alone')
    assert says in out
    assert 'epoch 1: 1 members' in out, 'it goes on without'
    assert 'PANIC' not in out and '(QEMU ended)' not in out


@pytest.mark.parametrize('words, says', [
    ('node=0 found=alone colour=blue', 'unknown setting colour=blue'),
    ('node=zero found=alone', 'node=zero'),
    ('node=0 found=alone ip=10.77.0/99', 'ip=10.77.0/99'),
    ('node=0 found=alone fault=handoff fault=:: fault=x:y:z', 'epoch 1'),
    ('node=0 found=alone ' + 'a' * 1500 + '=1', 'unknown setting aaaa'),
    ('node=0 found=alone ' + ' '.join(f'k{i}=1' for i in range(90)), 'too many words'),
])
def test_odd_command_lines(words, says):
    out = boot(os.path.join(weft.BUILD, 'weft.img'), words)
    assert says in out
    assert '\x1b]weft;0\x07' in out, 'a shell answers all the same'
    assert 'PANIC' not in out
