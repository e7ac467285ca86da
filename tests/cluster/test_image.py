# SPDX-License-Identifier: MIT
"""`make image`: one file that boots straight into a program."""

import os
import shutil
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')
LIMIT_SECONDS = 60


@pytest.fixture(name='image', scope='module')
def image_maker(program):
    """image(NAME, ARGS) is an image of programs/guest.c; all are taken away afterwards."""
    made = set()

    def make(name, args, **variables):
        words = [f'{key}={value}' for key, value in variables.items()]
        subprocess.run(['make', '-C', weft.ROOT, f'O={weft.BUILD}', 'image',
                        f'APP={program("guest")}', f'NAME={name}', f'ARGS={args}', *words],
                       stdout=subprocess.DEVNULL, check=True)
        path = os.path.join(weft.BUILD, f'{name}.elf')
        made.add(path)
        return path
    yield make
    for path in made:
        os.unlink(path)


def command(image, *words):
    return ['qemu-system-i386', '-accel', 'tcg', '-nodefaults', '-no-user-config', '-m', '64',
            '-display', 'none', '-no-reboot', '-serial', 'stdio',
            '-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', image, *words]


def test_prints_reads_and_ends_with_its_status(image):
    path = image('image-say', 'say 7 "two words"')
    with subprocess.Popen(command(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as node:
        out = b''
        while not out.endswith(b'ready\r\n'):
            byte = node.stdout.read(1)
            assert byte, f'it ended: {out}'
            out += byte
        rest, errors = node.communicate(b'a line\n', timeout=LIMIT_SECONDS)
    assert out == (b'arg 0 [/bin/guest]\r\narg 1 [say]\r\narg 2 [7]\r\narg 3 [two words]\r\n'
                   b'ready\r\n'), 'and nothing of the kernel\'s'
    assert rest == b'a line\r\nread [a line]\r\n'
    assert node.returncode == 2 * 7 + 1, errors


def test_a_signal_shows_in_the_status(image):
    done = subprocess.run(command(image('image-die', 'die')), stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=LIMIT_SECONDS, check=False)
    assert (done.returncode, done.stdout) == ((2 * (128 + 15) + 1) & 0xff, b'')


def test_a_loaders_archive_wins(image):
    path = image('image-die', 'die')
    with pytest.raises(subprocess.TimeoutExpired) as end:
        subprocess.run(command(path, '-initrd', os.path.join(weft.BUILD, 'weft.img')),
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=4, check=False)
    assert b'\x1b]weft;0\x07' in end.value.stdout, 'a shell, as that archive says'


def test_two_images_are_a_cluster_for_the_program(image, tmp_path):
    path = image('image-lend', 'lend 2', SETTINGS='session=image nodes=2', POLICY='none')

    def node(i):
        link = f'dgram,id=n0,local.type=unix,local.path={tmp_path}/{i},' \
               f'remote.type=unix,remote.path={tmp_path}/{1 - i}'
        return subprocess.Popen(
            command(path, '-append', f'node={i} eoc=1', '-netdev', link, '-device',
                    f'e1000,netdev=n0,mac=52:54:00:77:01:0{i}'),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    nodes = [node(0), node(1)]
    try:
        out, _ = nodes[0].communicate(timeout=LIMIT_SECONDS)
        assert out == b'child on node 1\r\nparent on node 0\r\n'
        assert nodes[0].returncode == 2 * 21 + 1
    finally:
        for n in nodes:
            n.kill()
            n.wait()


def test_ipxe_boots_an_image(image, tmp_path):
    shutil.copy(image('image-die', 'die'), tmp_path / 'image.elf')
    (tmp_path / 'boot.ipxe').write_text('#!ipxe\nkernel image.elf eoc=1\nboot || shell\n')
    words = [w for w in command('') if w not in ('-kernel', '')]
    done = subprocess.run([*words, '-boot', 'n', '-device', 'e1000,netdev=n0', '-netdev',
                           f'user,id=n0,restrict=on,tftp={tmp_path},bootfile=boot.ipxe'],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_SECONDS,
                          check=False)
    assert (done.returncode, done.stdout) == ((2 * (128 + 15) + 1) & 0xff, b'')
