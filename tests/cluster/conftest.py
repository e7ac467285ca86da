# SPDX-License-Identifier: MIT
"""Fixtures of all cluster tests."""

import os
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import weft  # noqa: E402  its folder comes first


def pytest_configure(config):
    config.addinivalue_line('markers', 'heavy: part of make test-all only (WEFT_ALL=1)')


def pytest_collection_modifyitems(config, items):
    if os.environ.get('WEFT_ALL'):
        return
    heavy = [i for i in items if i.get_closest_marker('heavy')]
    config.hook.pytest_deselected(items=heavy)
    items[:] = [i for i in items if i not in heavy]


def need_kernel():
    for name in ('weft.elf', 'weft.img', 'host/switch'):
        if not os.path.exists(os.path.join(weft.BUILD, name)):
            pytest.skip(f'build/{name} is not there: run make')


@pytest.fixture(scope='session')
def kernel():
    need_kernel()


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


@pytest.fixture(scope='session')
def pair():
    """A cluster of two nodes that several tests use; they leave it as they found it."""
    need_kernel()
    with weft.cluster(2) as c:
        yield c


@pytest.fixture(scope='module', params=['fake', 'weft'])
def shells(request):
    """Two nodes with shells: fake ones, then real ones."""
    if request.param == 'weft':
        yield request.getfixturevalue('pair')
    else:
        with weft.cluster(2, env=request.getfixturevalue('fake_env')) as c:
            yield c


@pytest.fixture(scope='session')
def program(tmp_path_factory):
    """program('NAME') is a static i386 ELF of tests/cluster/programs/NAME.c."""
    folder = tmp_path_factory.mktemp('programs')

    def build(name):
        made = folder / name
        if not made.exists():
            source = os.path.join(weft.ROOT, 'tests', 'cluster', 'programs', f'{name}.c')
            cross = os.environ.get('CROSS_COMPILE', 'i686-linux-gnu-')
            subprocess.run([cross + 'gcc', '-std=gnu11', '-O2', '-static', '-march=i686', '-msse2',
                            '-mfpmath=sse', '-Wall', '-Wextra', '-Werror', '-o', made, source,
                            '-lm'], check=True)
        return str(made)
    return build


@pytest.fixture(scope='session')
def musl_program(tmp_path_factory):
    """A static i386 ELF of tests/cluster/programs/musl.c made with Debian's musl."""
    debs = os.path.join(weft.BUILD, 'debs')
    musl = os.path.join(debs, 'musl-dev', 'usr')
    if not os.path.exists(musl):
        subprocess.run([os.path.join(weft.ROOT, 'boot', 'fetch-deb'), '-d', debs, 'musl-dev'],
                       check=True)
    lib = os.path.join(musl, 'lib', 'i386-linux-musl')
    made = str(tmp_path_factory.mktemp('musl') / 'musl')
    gcc = os.environ.get('CROSS_COMPILE', 'i686-linux-gnu-') + 'gcc'

    def of_gcc(name):
        return subprocess.run([gcc, f'-print-file-name={name}'], check=True, capture_output=True,
                              text=True).stdout.strip()
    subprocess.run([gcc, '-std=gnu11', '-O2', '-static', '-no-pie', '-fno-pic', '-nostdinc',
                    '-isystem', os.path.join(musl, 'include', 'i386-linux-musl'),
                    '-isystem', of_gcc('include'), '-nostdlib', f'{lib}/crt1.o', f'{lib}/crti.o',
                    os.path.join(weft.ROOT, 'tests', 'cluster', 'programs', 'musl.c'),
                    '-Wl,--start-group', f'{lib}/libc.a', of_gcc('libgcc.a'),
                    of_gcc('libgcc_eh.a'), '-Wl,--end-group', f'{lib}/crtn.o', '-o', made],
                   check=True)
    return made
