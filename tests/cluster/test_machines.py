# SPDX-License-Identifier: MIT
"""The machines that Weft promises to run on, and what protects its kernel there."""

import pytest

import weft

pytestmark = pytest.mark.usefixtures('kernel')


@pytest.mark.parametrize('options', [
    {'cpu': 'pentium3'}, {'cpu': 'qemu32'}, {'cpu': 'coreduo'}, {'cpu': 'max'}, {'mem': 32},
    {'mem': 3072}, {'smp': 2}], ids=lambda o: '-'.join(f'{k}-{v}' for k, v in o.items()))
def test_boots_and_runs_programs(options, program):
    """And whatever a program tries to get out of its place, it gets a signal."""
    with weft.cluster(1, add=f'{program("isolation")}:/opt/isolation', **options) as c:
        assert c.sh(0, 'seq 1 100 | wc -l') == '100\n'
        r = c.exec(0, '/opt/isolation')
        assert r.status == 0 and r.text.endswith(' attempts, 0 bad\n'), r
        assert c.sh(0, 'echo alive') == 'alive\n'


def test_old_and_new_cpu_in_one_cluster_move_only_what_fits():
    """Both CPUs are the same model here; the mask is what they have in common."""
    with weft.cluster(2, cpu='pentium3', policy='none') as c:
        pid = c.sh(0, 'sleep 30 & echo $!').split()[-1]
        assert c.sh(0, f'echo 1 >/proc/{pid}/node; cat /proc/{pid}/node; kill {pid}') == '1\n'
