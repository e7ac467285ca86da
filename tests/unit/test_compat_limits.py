# SPDX-License-Identifier: MIT
"""make compat: a case that hangs costs itself only, and is told as such."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, 'tests', 'compat'), os.path.join(ROOT, 'tests', 'cluster')]

import compat  # noqa: E402
import sides  # noqa: E402


class Made:
    """A side whose run-cases is a made-up one: case N does what scripts[N] says."""
    name = 'weft'

    def __init__(self, scripts):
        self.scripts, self.process, self.starts = scripts, None, []

    def start(self, first, last):
        self.starts.append(first)
        self.process = subprocess.Popen(['sh', '-c', '\n'.join(self.scripts[first:last + 1])],
                                        stdout=subprocess.PIPE)
        return self.process.stdout

    def stop(self):
        self.process.kill()
        self.process.communicate()

    close = stop


def run(monkeypatch, *scripts):
    monkeypatch.setattr(sides, 'GRACE_SECONDS', 2)
    cases = [compat.Case('made', s, 1) for s in scripts]
    for case in cases:
        case.results['linux'] = (0, 'ok', '')
    side = Made([s.replace('N', str(n)) for n, s in enumerate(scripts)])
    sides.follow(side, cases)
    return cases, side.starts


def test_results_come_in_pieces(monkeypatch):
    slow = 'printf "@@ N 0 2 "; sleep 0.1; printf "0\\no"; sleep 0.1; echo k'
    cases, starts = run(monkeypatch, slow, 'printf "@@ N 1 2 3\\nokbad"')
    assert [c.weft for c in cases] == [(0, 'ok', ''), (1, 'ok', 'bad')] and starts == [0]
    assert [c.same() for c in cases] == [True, False]


def test_what_hangs_is_left_and_told(monkeypatch, capfd):
    ok = 'printf "@@ N 0 2 0\\nok"'
    cases, starts = run(monkeypatch, ok, 'exec sleep 20', ok, 'exit', ok)
    assert starts == [0, 2, 4] and [c.same() for c in cases] == [True, False, True, False, True]
    assert 'took too long' in cases[1].why() and 'what ran it ended' in cases[3].why()
    assert 'weft 2 of 5' in capfd.readouterr().err


def test_what_its_limit_ended_is_not_the_same(monkeypatch):
    cases, _ = run(monkeypatch, 'sleep 1.2; printf "@@ N 137 2 0\\nok"')
    cases[0].results['linux'] = cases[0].weft
    assert not cases[0].same() and cases[0].why().startswith('ended on Weft: took too long')
