# SPDX-License-Identifier: MIT
"""System calls by programs that print what they see: the same ELF on Linux prints the same."""

import os
import subprocess

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')
PROGRAMS = ['names', 'data', 'mappings', 'calls', 'families', 'signals', 'memory', 'threads',
            'facts', 'sockets', 'unixes', 'events', 'ptys', 'timers', 'sysv', 'faults', 'spans',
            'descriptors', 'selves', 'notify', 'resolve', 'mqueues', 'owners', 'reaches', 'rests',
            'links', 'corners', 'packets', 'pidfds', 'nices', 'mapped', 'tracing', 'watches',
            'usages', 'attributes', 'powers', 'realtime', 'sections', 'lends', 'settles', 'olds',
            'filters', 'newer', 'aios', 'ldts', 'runs', 'emulates', 'urgent', 'listings', 'gang',
            'fragments', 'options', 'splices']
SLOW = ['sockwaits']  # whether a wait ends is seen by its taking time


@pytest.fixture(scope='module')
def node(program):
    with weft.cluster(1, add=[f'{program(name)}:/opt/{name}' for name in PROGRAMS + SLOW]) as c:
        yield c


@pytest.mark.parametrize('name', PROGRAMS + [pytest.param(s, marks=pytest.mark.heavy)
                                             for s in SLOW])
def test_as_on_linux(node, program, name, tmp_path):
    # By the same name in both places: programs print it.
    linux = subprocess.run(['unshare', '-m', 'sh', '-c',
                            'mount -t tmpfs none /opt && cp "$0" /opt/ && cd / && exec "/opt/$1"',
                            program(name), name], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                           preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, 0))
    r = node.exec(0, f'cd /; /opt/{name} </dev/null', timeout=60)
    assert r.out.decode() == linux.stdout
    assert r.status == linux.returncode


def test_ports_are_not_for_programs(node):
    said = [line.partition(': ')[2] for line in node.sh(0, '/opt/settles ports').splitlines()]
    assert said == ['ioperm(0x80, 1, 1) = -1 EPERM', 'ioperm(0x80, 1, 0) = 0 ',
                    'ioperm(0, 0, 1) = -1 EINVAL', 'ioperm(65535, 2, 1) = -1 EINVAL',
                    'iopl(0) = 0 ', 'iopl(3) = -1 EPERM', 'iopl(4) = -1 EINVAL']


def test_a_real_time_thread_leaves_others_a_share(node):
    out = node.sh(0, '/opt/realtime spin')
    assert 'others run: yes' in out


def test_nothing_is_left(node):
    assert node.sh(0, 'ps | grep -c /opt/ || true').strip() in ('0', '1')
