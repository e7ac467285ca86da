# SPDX-License-Identifier: MIT
"""Where cases are run: this machine's Linux and a node of Weft, by the same run-cases.

follow(side, cases, tell) runs all, reads what run-cases prints as it comes, says where it is, and
holds each case to a limit: its own seconds, which run-cases enforces, and then GRACE_SECONDS for a
side that hangs with it. Such a side is ended and begun anew with the next case."""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import weft

GRACE_SECONDS = 60  # to clear up after a case that was ended, on a slow node
LOST_MAX = 8        # sides ended; then something is wrong with all
TELL_SECONDS = 20
KILLED = 128 + 9

PREPARE = ('mkdir -p T/proc T/dev T/tmp T/run; mount -t proc proc T/proc; '
           'mount -t tmpfs none T/tmp; chmod 1777 T/tmp; mount -t tmpfs none T/run; ')
# Namespaces of its own, so that nothing of this machine is seen or touched: $1 the tree, $2 a
# folder to mount on, $3 applets, $4 the first case, $5 the last.
LINUX = ('set -e; mount -t tmpfs none "$2"; mkdir "$2/up" "$2/wk" "$2/compat"; T="$2/compat"; '
         'mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/wk" none "$T"; ' +
         PREPARE.replace('T/', '"$T"/') + 'mount -t tmpfs none "$T/dev"; '
         'for n in null zero full random urandom tty; do touch "$T/dev/$n"; '
         'mount --bind "/dev/$n" "$T/dev/$n"; done; mkdir "$T/dev/pts" "$T/dev/shm"; '
         'mount -t devpts -o newinstance,ptmxmode=666 none "$T/dev/pts"; '
         'ln -s pts/ptmx "$T/dev/ptmx"; ln -s /proc/self/fd "$T/dev/fd"; cd /; '
         'export PATH="$3" CHROOT="$3/chroot"; ifconfig lo 127.0.0.1 up; hostname node0; '
         'exec linux32 sh "$T/run-cases" "$T" "$4" "$5"')
APPLETS = ('mkdir', 'rm', 'cp', 'timeout', 'chroot', 'wc', 'cat', 'sh', 'env', 'linux32', 'find',
           'touch', 'ifconfig', 'hostname', 'ls', 'sed')


def ordinary():
    """As a login leaves it: what runs in the background is nice and deaf to ^C."""
    os.setpriority(os.PRIO_PROCESS, 0, 0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)


class Linux:
    """This machine, in a copy of the tree that goes away."""
    name = 'linux'

    def __init__(self, tree):
        self.tree, self.process = tree, None
        self.top = tempfile.mkdtemp()
        busybox = os.path.join(weft.BUILD, 'debs', 'busybox-static', 'bin', 'busybox')
        self.applets = os.path.join(self.top, 'bin')
        os.mkdir(self.applets)
        for name in APPLETS:
            os.symlink(busybox, os.path.join(self.applets, name))
        os.mkdir(os.path.join(self.top, 'm'))

    def start(self, first, last):
        self.process = subprocess.Popen(
            ['unshare', '-mpfniu', '--kill-child', 'sh', '-c', LINUX, 'sh', self.tree,
             os.path.join(self.top, 'm'), self.applets, str(first), str(last)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            preexec_fn=ordinary,
            env={'PATH': os.environ['PATH']})
        return self.process.stdout

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
        self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.top, ignore_errors=True)


class Weft:
    """A node that has the tree; `unknown` is what /proc/cluster/enosys said at the end."""
    name = 'weft'

    def __init__(self, tree, seconds_max):
        self.tree, self.seconds_max = tree, seconds_max
        self.node, self.process, self.context, self.unknown = None, None, None, ''
        self.lost = 0

    def start(self, first, last):
        if not self.node:
            self.context = contextlib.ExitStack()
            self.node = self.context.enter_context(weft.cluster(
                1, env={'WEFT_CLUSTER_LIMIT': str(self.seconds_max)}, add=[f'{self.tree}:/compat'],
                mem='1024', timeout=300))
            self.node.sh(0, PREPARE.replace('T/', '/compat/') + 'mount -o bind /dev /compat/dev')
        self.process = self.node.spawn(0, f'/compat/run-cases /compat {first} {last}',
                                       self.seconds_max)
        return self.process.stdout

    def stop(self):
        """The node hangs or has died: what it said is kept."""
        weft.keep_logs(self.node, os.path.join(weft.BUILD, 'cluster-logs', f'compat-{self.lost}'))
        self.lost += 1
        self.leave()

    def leave(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
        if self.context:
            self.context.close()
        self.node = self.process = self.context = None

    def close(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self.node and self.process and self.process.wait(60) == 0:
                self.unknown = self.node.read(0, '/proc/cluster/enosys')
        self.leave()


class Output:
    """What run-cases prints, as it comes."""

    def __init__(self):
        self.data = bytearray()

    def take(self):
        """The next whole result: (number, status, stdout, stderr), or None."""
        at = self.data.find(b'@@ ')
        end = self.data.find(b'\n', at)
        if at < 0 or end < 0:
            return None
        n, status, out, err = map(int, self.data[at:end].split()[1:5])
        at = end + 1
        if len(self.data) < at + out + err:
            return None
        text = [bytes(self.data[at:at + out]), bytes(self.data[at + out:at + out + err])]
        del self.data[:at + out + err]
        return (n, status, *(t.decode(errors='backslashreplace') for t in text))


class Progress:
    """Which case a side is at, told now and then and when one took long."""

    def __init__(self, side, cases):
        self.side, self.cases = side, cases
        self.begin = self.told = time.monotonic()

    def tell(self, n, seconds, why=''):
        now = time.monotonic()
        if not why and now - self.told < TELL_SECONDS:
            return
        self.told = now
        case, spent = self.cases[n], int(now - self.begin)
        line = ' '.join(case.command.split())[:60]
        print(f'compat: {self.side.name} {n + 1} of {len(self.cases)}, {spent // 60}:'
              f'{spent % 60:02}, {why or "at"} {case.program}: {line} ({seconds:.0f} s)',
              file=sys.stderr, flush=True)

    def tell_difference(self, n):
        case = self.cases[n]
        if case.linux and case.weft and not case.same():
            print(f'compat: {n + 1} {case.program}: {case.command[:100]!r}: {case.why()}'
                  f'{" (" + case.reason + ")" if case.reason else ""}', flush=True)


def follow(side, cases):
    """Runs all cases on a side: each gets results[side.name], seconds[side.name] or, when it was
    ended, ended[side.name], why in words. Returns the seconds that it took."""
    progress, n, lost = Progress(side, cases), 0, 0
    try:
        while n < len(cases) and lost < LOST_MAX:
            n, why = read(side.start(n, len(cases) - 1), cases, n, side.name, progress)
            if n < len(cases):
                cases[n].ended[side.name] = why
                progress.tell(n, 0, why)
                side.stop()
                n, lost = n + 1, lost + 1
    finally:
        side.close()
    return time.monotonic() - progress.begin


def read(stream, cases, n, name, progress):
    """Reads results from case n on, until all are there or one hangs; the next case, and why."""
    output, since = Output(), time.monotonic()
    while n < len(cases):
        spent = time.monotonic() - since
        progress.tell(n, spent)
        if spent > cases[n].seconds + GRACE_SECONDS:
            return n, 'took too long, and what ran it hung'
        if not select.select([stream], [], [], 1)[0]:
            continue
        data = os.read(stream.fileno(), 1 << 16)
        if not data:
            return n, 'what ran it ended'
        output.data += data
        while n < len(cases) and (result := output.take()):
            spent, since = time.monotonic() - since, time.monotonic()
            n = close_case(cases, result, name, spent)
            progress.tell(n - 1, spent, 'done' if spent > TELL_SECONDS else '')
            progress.tell_difference(n - 1)
    return n, ''


def close_case(cases, result, name, seconds):
    """Notes a result; returns the next case's number."""
    case = cases[result[0]]
    case.results[name], case.seconds_spent[name] = result[1:], seconds
    if result[1] == KILLED and seconds >= case.seconds:
        case.ended[name] = f'took too long (more than {case.seconds} s)'
    return result[0] + 1
