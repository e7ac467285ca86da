#!/usr/bin/python3.11
# SPDX-License-Identifier: MIT
"""Runs modules of CPython's own test suite and prints what became of their tests: counts, and each
test that did not pass. usage: suite.py MODULE... [-TEST]...   (-TEST: a part of the name of tests
that are left out, because what they say depends on time or on the machine)"""

import collections
import os
import sys
import tempfile
import unittest


class Tally(unittest.TestResult):
    """Of one module: how often each outcome, and who did not pass."""

    def __init__(self):
        super().__init__()
        self.counts, self.bad = collections.Counter(), []

    def add(self, outcome, test):
        self.counts[outcome] += 1
        if outcome not in ('ok', 'skipped'):
            self.bad.append(f'{outcome} {test.id()}')

    def addSuccess(self, test):
        self.add('ok', test)

    def addSkip(self, test, reason):
        self.add('skipped', test)

    def addExpectedFailure(self, test, err):
        self.add('ok', test)

    def addError(self, test, err):
        self.add('error', test)

    def addFailure(self, test, err):
        self.add('failed', test)

    def addUnexpectedSuccess(self, test):
        self.add('unexpected', test)

    def addSubTest(self, test, subtest, err):
        if err:
            self.add('failed', subtest)


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def run(module, without):
    tally = Tally()
    try:
        tests = list(flat(unittest.defaultTestLoader.loadTestsFromName('test.' + module)))
    except unittest.SkipTest as e:
        return f'{module}: left out: {e}\n'
    unittest.TestSuite(t for t in tests if not any(w in t.id() for w in without)).run(tally)
    counts = ', '.join(f'{n} {outcome}' for outcome, n in sorted(tally.counts.items()))
    return f'{module}: {sum(tally.counts.values())} tests: {counts}\n' + ''.join(
        f'  {line}\n' for line in sorted(tally.bad))


def main():
    from test import support
    support.use_resources, support.verbose = [], 0
    without = [w[1:] for w in sys.argv[1:] if w.startswith('-')]
    out = os.fdopen(os.dup(1), 'w')  # what the tests themselves print is not compared
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        for module in sys.argv[1:]:
            if not module.startswith('-'):
                out.write(run(module, without))
                out.flush()
        os.chdir('/')


if __name__ == '__main__':
    main()
