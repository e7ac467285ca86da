# SPDX-License-Identifier: MIT
"""Clusters for tests: `with cluster(2, add=['a:/b']) as c: c.sh(0, 'echo hi')`.

Always taken down; when the test fails the logs are kept in build/cluster-logs and their ends
printed."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('WEFT_BUILD', os.path.join(ROOT, 'build'))
COMMAND = os.path.join(ROOT, 'qemu', 'cluster')
LIMIT_SECONDS = 2400  # no cluster of a test outlives this; some are shared by a whole file


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    @property
    def text(self):
        return self.out.decode()

    def __repr__(self):
        return f'status {self.status}, stdout {self.out!r}, stderr {self.err!r}'


class Cluster:
    def __init__(self, directory, env=None):
        self.directory = directory
        self.jobs, self.files = 0, {}
        self.env = {**os.environ, 'WEFT_CLUSTER_LIMIT': str(LIMIT_SECONDS), **(env or {})}

    def call(self, verb, *words, seconds=60):
        """Any verb; returns its Result. A call that hangs is a failure of the lab."""
        before = [w for w in map(os.fsdecode, words)]
        done = subprocess.run([COMMAND, verb, '--dir', self.directory, *before], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=seconds)
        return Result(done.returncode, done.stdout, done.stderr)

    def do(self, verb, *words, seconds=60):
        """A verb that must succeed; returns its output as text."""
        result = self.call(verb, *words, seconds=seconds)
        assert result.status == 0, f'{verb} {words}: {result}'
        return result.text

    def exec(self, node, command, timeout=60):
        return self.call('exec', '--timeout', str(timeout), str(node), '--', command,
                         seconds=timeout + 60)

    def sh(self, node, command, timeout=60):
        """A command that must succeed; returns its output as text."""
        result = self.exec(node, command, timeout)
        assert result.status == 0, f'node {node}: {command[:200]}: {result}'
        return result.text

    def spawn(self, node, command, timeout=60):
        """An exec that runs beside the test: a Popen."""
        return subprocess.Popen([COMMAND, 'exec', '--dir', self.directory, '--timeout',
                                 str(timeout), str(node), '--', command], env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def read(self, node, path):
        """The text of a file; '' when it is not there."""
        return self.exec(node, f'cat {path} 2>/dev/null').text

    def start(self, node, command):
        """Starts a program beside the shell; returns its PID. See ended()."""
        self.jobs += 1
        job = f'/tmp/job{self.jobs}'
        pid = self.sh(node, f'({command} & echo $! >{job}.pid; wait $!; echo $? >{job}.status) & '
                            f'until [ -s {job}.pid ]; do sleep 0.1; done; cat {job}.pid').strip()
        self.files[pid] = f'{job}.status'
        return pid

    def ended(self, pid, node=0, seconds=60):
        """Waits for a program of start() and returns its status. (The shell forgets a job when
        it has said at its prompt that it is done: a later `wait` would know nothing of it.)"""
        return int(wait_for(f'the end of {pid}', lambda: self.read(node, self.files[pid]).strip(),
                            seconds, 0.5))

    def stat(self):
        """Counters of the switch: {(from, to): {name: value}}, ports as strings."""
        lines = self.do('net', 'stat').splitlines()
        names = lines[0].split()[2:]
        rows = [line.split() for line in lines[1:]]
        return {(r[0], r[1]): dict(zip(names, map(int, r[2:]))) for r in rows}

    def wire_bytes(self, a, b):
        """Bytes that the switch carried between two nodes, both ways."""
        stat = self.stat()
        return sum(stat.get(pair, {}).get('bytes', 0)
                   for pair in ((str(a), str(b)), (str(b), str(a))))

    def nodes(self, node=0):
        """/proc/cluster/nodes as {id: [words]}."""
        return {int(line.split()[0]): line.split()
                for line in self.sh(node, 'cat /proc/cluster/nodes').splitlines()}

    def log(self, node):
        return self.call('logs', str(node)).out.decode(errors='replace')


def wait_for(what, condition, seconds=30, pause=0.2):
    """Until `condition()` is true; returns its value."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f'not within {seconds} s: {what}'
        time.sleep(pause)


def up_words(n, options):
    words = ['-n', str(n)]
    for name, value in options.items():
        flag = '--' + name.replace('_', '-')
        if name == 'append_node':
            value = [f'{node}:{text}' for node, text in value.items()]
        for item in value if isinstance(value, (list, tuple)) else [value]:
            words += [flag, str(item)]
    return words


def keep_logs(c, keep):
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(c.directory, keep, symlinks=True,
                    ignore=shutil.ignore_patterns('run', 'lock', 'weft.img'))
    print(f'--- the cluster\'s logs are kept in {keep}', file=sys.stderr)
    for name in sorted(os.listdir(keep)):
        with open(os.path.join(keep, name), encoding='utf-8', errors='replace') as f:
            tail = f.read().replace('\r', '').splitlines()[-25:]
        print(f'--- {name}:', *tail, sep='\n', file=sys.stderr)


@contextlib.contextmanager
def cluster(n=2, env=None, **options):
    """A cluster of n nodes; options are those of `qemu/cluster up`, lists may be repeated."""
    directory = tempfile.mkdtemp(prefix='cluster-')
    c = Cluster(directory, env)
    name = os.environ.get('PYTEST_CURRENT_TEST', 'cluster').split(' ')[0]
    try:
        c.do('up', *up_words(n, options), seconds=options.get('timeout', 120) + 60)
        yield c
    except BaseException:
        keep_logs(c, os.path.join(BUILD, 'cluster-logs', name.replace('/', '_')))
        raise
    finally:
        c.do('down')
        shutil.rmtree(directory, ignore_errors=True)
