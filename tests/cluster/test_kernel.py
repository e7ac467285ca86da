# SPDX-License-Identifier: MIT
"""The kernel's own protections, seen from outside by QEMU's monitor: W^X, no kernel page open to
programs, a symbolised panic; and the ISO boots."""

import json
import os
import re
import socket
import subprocess
import time

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')

PROMPT = b'\x1b]weft;0\x07'


class Machine:
    """One QEMU without network, its console in a file, its monitor by QMP."""

    def __init__(self, folder, *words):
        self.log = os.path.join(folder, 'console')
        path = os.path.join(folder, 'qmp')
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.qemu = subprocess.Popen(
            ['qemu-system-i386', '-accel', 'tcg', '-nodefaults', '-no-user-config', '-m', '64',
             '-display', 'none', '-no-reboot', '-serial', f'file:{self.log}', '-qmp',
             f'unix:{path},server=off', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', *words],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.listener.settimeout(30)
        self.qmp = self.listener.accept()[0].makefile('rw')
        self.qmp.readline()
        self.ask('qmp_capabilities')

    def tell(self, command, **arguments):
        self.qmp.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.qmp.flush()

    def ask(self, command, **arguments):
        self.tell(command, **arguments)
        while True:
            answer = json.loads(self.qmp.readline())
            if 'return' in answer:
                return answer['return']
            assert 'error' not in answer, answer

    def console(self):
        with open(self.log, 'rb') as f:
            return f.read()

    def wait(self, text, seconds=40):
        until = time.monotonic() + seconds
        while text not in self.console():
            assert time.monotonic() < until, self.console()[-2000:]
            time.sleep(0.2)

    def end(self):
        self.qemu.kill()
        self.qemu.wait()
        self.listener.close()


@pytest.fixture(name='machine')
def machine_maker(tmp_path):
    made = []

    def make(*words):
        made.append(Machine(str(tmp_path), *words))
        return made[-1]
    yield make
    for m in made:
        m.end()


def kernel_words(cpu):
    return ['-cpu', cpu, '-kernel', os.path.join(weft.BUILD, 'weft.elf'), '-initrd',
            os.path.join(weft.BUILD, 'weft.img'), '-append', 'node=0 found=alone']


@pytest.mark.parametrize('cpu', ['coreduo', 'max'])
def test_no_page_is_writable_and_executable(machine, cpu):
    m = machine(*kernel_words(cpu))
    m.wait(PROMPT)
    rows = re.findall(r'^([0-9a-f]+): [0-9a-f]+ ([-XGPDACTUW]{9})', m.ask(
        'human-monitor-command', **{'command-line': 'info tlb'}), re.M)
    kernel = [(int(at, 16), flags) for at, flags in rows if int(at, 16) >= 0xc0000000]
    assert len(kernel) > 100
    assert not [r for r in kernel if 'W' in r[1] and 'X' not in r[1]], 'W^X'
    assert not [r for r in kernel if 'U' in r[1]], 'no kernel page is the user\'s'
    assert [r for r in kernel if 'W' not in r[1] and 'X' not in r[1]], 'its text does run'


def test_panic_tells_its_story_with_names(machine):
    m = machine(*kernel_words('qemu32'))
    m.wait(PROMPT)
    m.tell('inject-nmi')  # the machine may end before its monitor has answered
    m.wait(b'last log lines:')
    story = m.console().decode(errors='replace')
    assert 'PANIC: ' in story and 'NMI' in story and 'thread idle' in story
    assert re.search(r'  [0-9a-f]{8} trap_dispatch\+0x[0-9a-f]+', story), story[-2000:]
    assert m.qemu.wait(10) == 255


def test_iso_boots(machine):
    subprocess.run(['make', '-s', '-C', weft.ROOT, 'iso', f'O={weft.BUILD}'], check=True,
                   stdin=subprocess.DEVNULL, timeout=120)
    m = machine('-cdrom', os.path.join(weft.BUILD, 'weft.iso'), '-boot', 'd')
    m.wait(PROMPT, 60)
    assert b'loaded by GRUB' in m.console()
