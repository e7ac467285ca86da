#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real programs on Weft and on Linux: the same command lines, and what differs.

usage: compat.py [--only NAME]... [--build DIR] [--docs FILE] [--every N]

Each file of tests/compat/cases is one program: a line `# packages: ...` names the Debian i386
packages it needs, `# seconds: N` a longer limit; every other line is one command line for sh.
A line that ends with a backslash goes on in the next one. Programs are unpacked with all they
need into one tree, which a cluster gets by --add and this machine enters by chroot. COMPAT_EXTRA
names a folder of NAME/cmd files and binaries that are run as well, from /extra/NAME."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'tests', 'cluster'))

import weft  # noqa: E402  its folder comes first

BATCH = 12
USELESS = ('doc', 'man', 'locale', 'info', 'lintian', 'bug', 'zoneinfo', 'i18n', 'terminfo')


class Case:
    def __init__(self, program, command, seconds, folder=None):
        self.program, self.command, self.seconds, self.folder = program, command, seconds, folder
        self.linux = self.weft = None

    def same(self):
        return self.linux is not None and self.linux == self.weft

    def why(self):
        if self.same():
            return ''
        if self.linux is None or self.weft is None:
            return 'did not run on ' + ('Linux' if self.linux is None else 'Weft')
        for name, ours, theirs in zip(('status', 'stdout', 'stderr'), self.weft, self.linux):
            if ours != theirs:
                return f'{name}: {differ(theirs, ours)}'
        return ''

    def row(self):
        def side(result):
            return dict(zip(('status', 'stdout', 'stderr'), result)) if result else None
        row = {'program': self.program, 'command': self.command, 'same': self.same()}
        if not self.same():
            row.update(why=self.why(), linux=side(self.linux), weft=side(self.weft))
        return row


def differ(linux, ours):
    """In words, where two results part."""
    if not isinstance(linux, str):
        return f'{linux} on Linux, {ours} on Weft'
    a, b = linux.splitlines(), ours.splitlines()
    for k in range(max(len(a), len(b))):
        left = a[k] if k < len(a) else 'nothing more'
        right = b[k] if k < len(b) else 'nothing more'
        if left != right:
            return f'line {k + 1} is {left[:120]!r} on Linux, {right[:120]!r} on Weft'
    return 'line ends differ'


def read_cases(path):
    """(packages, [Case]) of a file."""
    packages, cases, seconds, pending = [], [], 20, ''
    name = os.path.basename(path)
    with open(path, encoding='utf-8') as f:
        for line in f.read().splitlines():
            if pending or not line.startswith('#'):
                if line.endswith('\\'):
                    pending += line[:-1] + '\n'
                elif (pending + line).strip():
                    cases.append(Case(name, pending + line, seconds))
                    pending = ''
                continue
            key, _, value = line[1:].partition(':')
            if key.strip() == 'packages':
                packages += value.split()
            elif key.strip() == 'seconds':
                seconds = int(value)
    return packages, cases


def make_tree(build, packages):
    """Their tree; made anew only when the list changes."""
    tree, mark = os.path.join(build, 'tree'), os.path.join(build, 'packages')
    wanted = '\n'.join(sorted(set(packages)))
    if os.path.exists(mark) and open(mark, encoding='utf-8').read() == wanted:
        return tree
    subprocess.run([os.path.join(ROOT, 'boot', 'fetch-deb'), '-d',
                    os.path.join(weft.BUILD, 'debs'), '-t', tree, *wanted.split()], check=True)
    for name in USELESS:
        shutil.rmtree(os.path.join(tree, 'usr', 'share', name), ignore_errors=True)
    shutil.rmtree(os.path.join(tree, 'usr/lib/i386-linux-gnu/gconv'), ignore_errors=True)
    for name in ('awk:gawk', 'cc:tcc', 'vi:vim.tiny', 'lua:lua5.4'):  # as update-alternatives does
        link, _, target = name.partition(':')
        if os.path.exists(os.path.join(tree, 'usr/bin', target)):
            path = os.path.join(tree, 'usr/bin', link)
            if not os.path.lexists(path):
                os.symlink(target, path)
    write_etc(tree)
    with open(mark, 'w', encoding='utf-8') as f:
        f.write(wanted)
    return tree


def write_etc(tree):
    """What the packages' scripts would have made: files of /etc, and Linux's libraries' cache."""
    texts = {'passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n'
                       'user:x:1000:1000:user:/home:/bin/sh\n',
             'group': 'root:x:0:\nnogroup:x:65534:\nuser:x:1000:\n',
             'hosts': '127.0.0.1 localhost\n', 'hostname': 'weft\n', 'nsswitch.conf':
             'passwd: files\ngroup: files\nhosts: files\n'}
    os.makedirs(os.path.join(tree, 'etc'), exist_ok=True)
    for name, text in texts.items():
        with open(os.path.join(tree, 'etc', name), 'w', encoding='utf-8') as f:
            f.write(text)


def lay_out(tree, cases, extra):
    """Cases and what they begin with become part of the tree."""
    for name in ('cases', 'fixture', 'extra', 'work', 'out'):
        shutil.rmtree(os.path.join(tree, name), ignore_errors=True)
    shutil.copytree(os.path.join(HERE, 'fixture'), os.path.join(tree, 'fixture'))
    os.makedirs(os.path.join(tree, 'cases'))
    if extra:
        shutil.copytree(extra, os.path.join(tree, 'extra'), symlinks=True)
    for n, case in enumerate(cases):
        with open(os.path.join(tree, 'cases', str(n)), 'w', encoding='utf-8') as f:
            f.write((f'cd {case.folder}\n' if case.folder else '') + case.command + '\n')
    shutil.copy(os.path.join(HERE, 'run-cases'), os.path.join(tree, 'run-cases'))
    for base, folders, files in os.walk(tree):
        for name in folders + files:  # the archive counts whole seconds
            path = os.path.join(base, name)
            st = os.lstat(path)
            os.utime(path, (int(st.st_mtime), int(st.st_mtime)), follow_symlinks=False)


def take(output):
    """Reads what run-cases printed: {number: (status, stdout, stderr)}."""
    found, at = {}, 0
    while True:
        at = output.find(b'@@ ', at)
        end = output.find(b'\n', at)
        if at < 0 or end < 0:
            return found
        words = output[at:end].split()
        n, status, out, err = map(int, words[1:5])
        at = end + 1
        text = [output[at:at + out], output[at + out:at + out + err]]
        found[n] = (status, *(t.decode(errors='backslashreplace') for t in text))
        at += out + err


PREPARE = ('mkdir -p T/proc T/dev T/tmp T/run; mount -t proc proc T/proc; '
           'mount -t tmpfs none T/tmp; chmod 1777 T/tmp; mount -t tmpfs none T/run; ')


def run_linux(tree, cases):
    """All on this machine, in a copy that goes away."""
    busybox = os.path.join(weft.BUILD, 'debs', 'busybox-static', 'bin', 'busybox')
    with tempfile.TemporaryDirectory() as top:
        applets = os.path.join(top, 'bin')
        os.mkdir(applets)
        for name in ('mkdir', 'rm', 'cp', 'timeout', 'chroot', 'wc', 'cat', 'sh',
                     'env', 'linux32', 'find', 'touch'):
            os.symlink(busybox, os.path.join(applets, name))
        os.mkdir(os.path.join(top, 'm'))
        script = ('set -e; mount -t tmpfs none "$2"; mkdir "$2/up" "$2/wk" "$2/compat"; '
                  'T="$2/compat"; '
                  'mount -t overlay -o "lowerdir=$1,upperdir=$2/up,workdir=$2/wk" none "$T"; ' +
                  PREPARE.replace('T/', '"$T"/') + 'mount --rbind /dev "$T/dev"; cd /; '
                  'export PATH="$3" CHROOT="$3/chroot"; exec linux32 sh "$T/run-cases" "$T" 0 "$4"')
        done = subprocess.run(['unshare', '-mpf', 'sh', '-c', script, 'sh', tree,
                               os.path.join(top, 'm'), applets, str(len(cases) - 1)],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              env={'PATH': os.environ['PATH'], 'CASE_SECONDS': '20'})
    if done.returncode:
        raise SystemExit(f'compat: Linux: {done.stderr.decode()[-2000:]}')
    for n, result in take(done.stdout).items():
        cases[n].linux = result
        if result[0] == 127 and 'chroot:' in result[2]:
            raise SystemExit(f'compat: Linux: {cases[n].command}: {result[2]}')


def run_weft(tree, cases):
    """All on a node; a batch that hangs costs only its own cases."""
    options = {'add': [f'{tree}:/compat'], 'mem': '1024', 'timeout': 300}
    with weft.cluster(1, **options) as c:
        c.sh(0, PREPARE.replace('T/', '/compat/') + 'mount -o bind /dev /compat/dev')
        for first in range(0, len(cases), BATCH):
            last = min(first + BATCH, len(cases)) - 1
            limit = sum(case.seconds for case in cases[first:last + 1])
            r = c.exec(0, f'CASE_SECONDS={max(x.seconds for x in cases[first:last + 1])} '
                          f'/compat/run-cases /compat {first} {last}', timeout=min(limit, 400))
            for n, result in take(r.out).items():
                cases[n].weft = result
            if r.status:
                print(f'compat: cases {first}-{last}: {r.status} {r.out[-200:]}', file=sys.stderr)
        return c.read(0, '/proc/cluster/enosys')


DOCS = '''# Compatibility

Made by `make compat` from `build/compat.json`: do not edit. Unmodified programs of Debian 12 (i386)
are run by the same command lines on Weft and, by chroot into the same tree, on the Linux of the
machine that ran the test; status, stdout and stderr are compared byte by byte. A new program is a
file of `tests/compat/cases`, a new command line a line of it; `COMPAT_EXTRA=DIR make compat` runs
programs of your own as well: each `DIR/NAME/` with a file `cmd` is run from `/extra/NAME`.

| program | packages | command lines | same as Linux |
|---|---|---|---|
'''


def write_docs(path, cases, packages):
    programs = sorted({c.program for c in cases})
    with open(path, 'w', encoding='utf-8') as f:
        f.write(DOCS)
        for name in programs:
            of = [c for c in cases if c.program == name]
            f.write(f'| {name} | {" ".join(packages.get(name, ["own"]))} | {len(of)} | '
                    f'{sum(c.same() for c in of)} |\n')
        f.write(f'\n{sum(c.same() for c in cases)} of {len(cases)} the same. What differs:\n\n')
        for case in cases:
            if not case.same():
                line = ' '.join(case.command.split()).replace('`', "'")
                f.write(f'- {case.program}: `{line[:110]}`: {case.why()}\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', action='append', default=[])
    parser.add_argument('--build')
    parser.add_argument('--docs')
    parser.add_argument('--json', default=os.path.join(weft.BUILD, 'compat.json'))
    parser.add_argument('--every', type=int, default=1, help='only each n-th case')
    args = parser.parse_args()
    packages, cases, of = ['dash', 'coreutils'], [], {}
    names = args.only or sorted(os.listdir(os.path.join(HERE, 'cases')))
    for name in names:
        more, found = read_cases(os.path.join(HERE, 'cases', name))
        packages += more
        of[name] = more
        cases += found
    cases[:] = cases[::args.every]
    extra = os.environ.get('COMPAT_EXTRA')
    for name in sorted(os.listdir(extra)) if extra else []:
        path = os.path.join(extra, name, 'cmd')
        if os.path.exists(path):
            text = open(path, encoding='utf-8').read()
            cases.append(Case(name, text.strip(), 60, f'/extra/{name}'))
    args.build = args.build or os.path.join(weft.BUILD, '-'.join(['compat', *args.only]))
    os.makedirs(args.build, exist_ok=True)
    tree = make_tree(args.build, packages)
    lay_out(tree, cases, extra)
    run_linux(tree, cases)
    unknown = run_weft(tree, cases)
    rows = [case.row() for case in cases]
    with open(args.json, 'w', encoding='utf-8') as f:
        json.dump(rows, f, indent=1)
    for case in cases:
        if not case.same():
            print(f'{case.program}: {case.command[:100]!r}: {case.why()}')
    if os.environ.get('COMPAT_SHOW'):
        for case in cases:
            print(case.command, case.linux)
        print(unknown)
    if args.docs:
        write_docs(args.docs, cases, of)
    same = sum(case.same() for case in cases)
    print(f'compat: {same} of {len(cases)} the same')
    return 0 if same == len(cases) else 1


if __name__ == '__main__':
    sys.exit(main())
