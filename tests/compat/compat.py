#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Real programs on Weft and on Linux: the same command lines, and what differs.

usage: compat.py [--only NAME]... [--match REGEX] [--build DIR] [--docs FILE] [--every N]

Each file of tests/compat/cases is one program: a line `# packages: ...` names the Debian i386
packages it needs, `# without: REGEX` what they depend on but do without, `# programs: ...` files of
tests/compat/programs that are compiled (or, when they end in .py, copied) into /programs,
`# seconds: N` a longer limit, `# reason: ...` why the next command line may differ; every other
line is one command line for sh. A line that ends with a backslash goes on in the next one. Programs
are unpacked with all they need into one tree, which a cluster gets by --add and this machine enters
by chroot. COMPAT_EXTRA names a folder of NAME/cmd files and binaries that are run as well, from
/extra/NAME; cmd is a script for sh, which may begin with such lines.

Status 0: all are the same or have a reason."""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'tests', 'cluster'))

sys.path.insert(0, HERE)

import sides  # noqa: E402  their folders come first
import weft  # noqa: E402

USELESS = ('doc', 'man', 'locale', 'info', 'lintian', 'bug', 'zoneinfo', 'i18n', 'terminfo')


class Case:
    def __init__(self, program, command, seconds, folder=None, reason=''):
        self.program, self.command, self.seconds, self.folder = program, command, seconds, folder
        self.reason = reason
        # By the name of the side: (status, stdout, stderr), how long, why it was ended.
        self.results, self.seconds_spent, self.ended = {}, {}, {}

    @property
    def linux(self):
        return self.results.get('linux')

    @property
    def weft(self):
        return self.results.get('weft')

    def same(self):
        return self.linux is not None and self.linux == self.weft and not self.ended

    def why(self):
        if self.same():
            return ''
        if self.ended:
            return '; '.join(f'ended on {name.capitalize()}: {why}'
                             for name, why in self.ended.items())
        if self.linux is None or self.weft is None:
            return 'did not run on ' + ('Linux' if self.linux is None else 'Weft')
        for name, ours, theirs in zip(('status', 'stdout', 'stderr'), self.weft, self.linux):
            if ours != theirs:
                return f'{name}: {differ(theirs, ours)}'
        return ''

    def row(self):
        def side(result):
            return dict(zip(('status', 'stdout', 'stderr'), result)) if result else None
        row = {'program': self.program, 'command': self.command, 'same': self.same(),
               'seconds': {k: round(v, 1) for k, v in self.seconds_spent.items()}}
        if not self.same():
            row.update(why=self.why(), reason=self.reason, linux=side(self.linux),
                       weft=side(self.weft))
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


class Cases:
    """A file of cases, or the cmd of a folder of COMPAT_EXTRA."""

    def __init__(self, name, path, folder=None):
        self.name, self.packages, self.programs, self.cases = name, [], [], []
        self.without = []
        self.seconds, self.reason, body = (60 if folder else 20), '', []
        with open(path, encoding='utf-8', errors='surrogateescape') as f:
            lines = f.read().split('\n')
        for line in lines:
            if not body and line.startswith('#'):
                self.option(*(x.strip() for x in line[1:].partition(':')[::2]))
            elif line.strip() or body:
                body.append(line)
                if not folder and not line.endswith('\\'):
                    self.close(body)
                    body = []
        if folder and body:
            self.cases.append(Case(name, '\n'.join(body).rstrip(), self.seconds, folder,
                                   self.reason))

    def option(self, key, value):
        if key == 'packages':
            self.packages += value.split()
        elif key == 'without':
            self.without.append(value)
        elif key == 'programs':
            self.programs += value.split()
        elif key == 'seconds':
            self.seconds = int(value)
        elif key == 'reason':
            self.reason = value

    def close(self, body):
        command = '\n'.join([line[:-1] for line in body[:-1]] + body[-1:])
        self.cases.append(Case(self.name, command, self.seconds, reason=self.reason))
        self.reason = ''


def compile_programs(tree, names):
    """Those of tests/compat/programs, dynamic and static; of Python as they are."""
    folder = os.path.join(tree, 'programs')
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for name in [n for n in names if n.endswith('.py')]:
        shutil.copy(os.path.join(HERE, 'programs', name), folder)
    for name in [n for n in names if not n.endswith('.py')]:
        source = os.path.join(HERE, 'programs', name + '.c')
        with open(source, encoding='utf-8') as f:
            flags = [w for line in f if line.startswith('// flags:') for w in line.split()[2:]]
        for out, more in ((name, []), (name + '.static', ['-static'])):
            subprocess.run(['i686-linux-gnu-gcc', '-std=gnu11', '-O2', '-Wall', '-Wextra',
                            '-Werror', *flags, *more, '-Wl,--no-warnings', source, '-o',
                            os.path.join(folder, out)], check=True)


def make_tree(build, packages, without):
    """Their tree; made anew only when the list changes."""
    tree, mark = os.path.join(build, 'tree'), os.path.join(build, 'packages')
    names = sorted(set(packages))
    wanted = '\n'.join(names + without)
    if os.path.exists(mark) and open(mark, encoding='utf-8').read() == wanted:
        return tree
    subprocess.run([os.path.join(ROOT, 'boot', 'fetch-deb'), '-d',
                    os.path.join(weft.BUILD, 'debs'), '-t', tree, '-x',
                    '|'.join(without) or '^$', *names], check=True)
    for name in USELESS:
        shutil.rmtree(os.path.join(tree, 'usr', 'share', name), ignore_errors=True)
    shutil.rmtree(os.path.join(tree, 'usr/lib/i386-linux-gnu/gconv'), ignore_errors=True)
    # As update-alternatives does.
    for link, target in (('awk', 'gawk'), ('cc', 'tcc'), ('vi', 'vim.tiny'), ('lua', 'lua5.4'),
                         ('nc', 'nc.openbsd')):
        for folder in ('usr/bin', 'bin'):
            path = os.path.join(tree, folder, link)
            if os.path.exists(os.path.join(tree, folder, target)) and not os.path.lexists(path):
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
             'gitconfig': '[user]\n\tname = User\n\temail = user@weft\n[init]\n'
                          '\tdefaultBranch = main\n',
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
        with open(os.path.join(tree, 'cases', str(n)), 'w', encoding='utf-8',
                  errors='surrogateescape') as f:
            f.write((f'cd {case.folder}\n' if case.folder else '') + case.command + '\n')
        with open(os.path.join(tree, 'cases', f'{n}.seconds'), 'w', encoding='ascii') as f:
            f.write(f'{case.seconds}\n')
    shutil.copy(os.path.join(HERE, 'run-cases'), os.path.join(tree, 'run-cases'))
    for base, folders, files in os.walk(tree):
        for name in folders + files:  # the archive counts whole seconds
            path = os.path.join(base, name)
            st = os.lstat(path)
            os.utime(path, (int(st.st_mtime), int(st.st_mtime)), follow_symlinks=False)


def run_both(tree, cases):
    """Both at once: Linux mostly sleeps. Returns what the node did not know; seconds by side."""
    linux = sides.Linux(tree)
    node = sides.Weft(tree, sum(case.seconds + sides.GRACE_SECONDS for case in cases))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        spent = {s.name: pool.submit(sides.follow, s, cases) for s in (linux, node)}
    for case in cases:
        if case.linux and case.linux[0] == 127 and 'chroot:' in case.linux[2]:
            raise SystemExit(f'compat: Linux: {case.command}: {case.linux[2]}')
    return node.unknown, {name: job.result() for name, job in spent.items()}


DOCS = '''# Compatibility

Made by `make compat` from `build/compat.json`: do not edit. Unmodified programs of Debian 12 (i386)
and programs of `tests/compat/programs` (OpenMP, pthreads; dynamic and static) are run by the same
command lines on Weft and, by chroot into the same tree, on the Linux of the machine that ran the
test; status, stdout and stderr are compared byte by byte. A new program is a file of
`tests/compat/cases`, a new command line a line of it; `COMPAT_EXTRA=DIR make compat` runs programs
of your own as well: each `DIR/NAME/` with a file `cmd`, a script for sh, is run from `/extra/NAME`.

| program | packages | command lines | same as Linux |
|---|---|---|---|
'''


SUITE = '''
Of CPython's own test suite (`libpython3.11-testsuite`) these modules are run on both by
`tests/compat/programs/suite.py`, which names each test that does not pass; tests that need what
Weft has not, or that say times and paths of the machine, are left out by name in
`tests/compat/cases/cpython`:

| module | tests | passed on Linux | on Weft |
|---|---|---|---|
'''


def suite_rows(cases):
    """What suite.py said of each module."""
    def said(result):
        line = r'^(test_[\w.]+): (\d+) tests.*?(?:, |: )(\d+) ok'
        return {m[1]: m for m in re.finditer(line, result[1] if result else '', re.M)}
    for case in cases:
        linux, ours = said(case.linux), said(case.weft)
        for name, m in linux.items():
            yield (name, m[2], m[3], ours[name][3] if name in ours else '-')


RUN = '''
{same} of {all} the same, in one run of all on {day}, of commit {commit}: {linux} minutes on Linux
and, beside it, {weft} on a node of one CPU that QEMU emulates (TCG). {applets} of the {listed}
applets of busybox are run.
'''


def commit():
    """What was run, by git's name."""
    done = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=ROOT, check=False,
                          capture_output=True, text=True)
    return f'`{done.stdout.strip()}`' if done.returncode == 0 else 'a tree without git'


def write_docs(path, cases, files, spent, what):
    differ = [c for c in cases if not c.same()]
    with open(path, 'w', encoding='utf-8') as f:
        f.write(DOCS)
        for of in files:
            f.write(f'| {of.name} | {" ".join(of.packages) or "own"} | {len(of.cases)} | '
                    f'{sum(c.same() for c in of.cases)} |\n')
        applets = {w for c in cases for w in re.findall(r'busybox ([\w\[.-]+)', c.command)}
        listed = set(busybox_applets())
        f.write(RUN.format(same=len(cases) - len(differ), all=len(cases), commit=what,
                           day=time.strftime('%-d %B %Y', time.gmtime()),
                           linux=round(spent['linux'] / 60), weft=round(spent['weft'] / 60),
                           applets=len(applets & listed), listed=len(listed)))
        if differ:
            f.write('\n| program | command line | what differs | why |\n|---|---|---|---|\n')
        for case in differ:
            line = ' '.join(case.command.split())[:110].replace('`', "'")
            cells = (case.program, f'`{line}`', case.why(), case.reason or 'a fault')
            f.write('| ' + ' | '.join(c.replace('|', '\\|') for c in cells) + ' |\n')
        rows = list(suite_rows(cases))
        if rows:
            f.write(SUITE)
            f.writelines('| ' + ' | '.join(row) + ' |\n' for row in rows)


def busybox_applets():
    """The applets of Debian's busybox, by its own word."""
    busybox = os.path.join(weft.BUILD, 'debs', 'busybox', 'bin', 'busybox')
    return subprocess.run([busybox, '--list'], capture_output=True, text=True,
                          check=True).stdout.split()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', action='append', default=[])
    parser.add_argument('--build')
    parser.add_argument('--docs')
    parser.add_argument('--json', default=os.path.join(weft.BUILD, 'compat.json'))
    parser.add_argument('--every', type=int, default=1, help='only each n-th case')
    parser.add_argument('--match', default='', help='only command lines that have it')
    args = parser.parse_args()
    if args.docs and (args.only or args.match or args.every != 1):
        parser.error('--docs: the page is that of a whole run')
    names = args.only or sorted(os.listdir(os.path.join(HERE, 'cases')))
    files = [Cases(name, os.path.join(HERE, 'cases', name)) for name in names]
    for of in files:
        of.cases = [c for c in of.cases if re.search(args.match, c.command)]
    kept = {id(case) for case in [c for of in files for c in of.cases][::args.every]}
    for of in files:
        of.cases = [c for c in of.cases if id(c) in kept]
    extra = os.environ.get('COMPAT_EXTRA')
    if extra and not os.path.isdir(extra):
        parser.error(f'COMPAT_EXTRA: {extra} is no folder')
    for name in sorted(os.listdir(extra)) if extra else []:
        path = os.path.join(extra, name, 'cmd')
        if os.path.isfile(path):
            files.append(Cases(name, path, f'/extra/{name}'))
    cases = [case for of in files for case in of.cases]
    args.build = args.build or os.path.join(weft.BUILD, '-'.join(['compat', *args.only]))
    os.makedirs(args.build, exist_ok=True)
    tree = make_tree(args.build, ['dash', 'coreutils', *(p for of in files for p in of.packages)],
                     [w for of in files for w in of.without])
    compile_programs(tree, [p for of in files for p in of.programs])
    lay_out(tree, cases, extra)
    what = commit()
    unknown, spent = run_both(tree, cases)
    rows = [case.row() for case in cases]
    with open(args.json, 'w', encoding='utf-8') as f:
        json.dump(rows, f, indent=1)
    for case in cases:
        if case.ended or not (case.linux and case.weft):
            print(f'{case.program}: {case.command[:100]!r}: {case.why()}')
    if os.environ.get('COMPAT_SHOW'):
        for case in cases:
            print(case.command, case.linux)
        print(unknown)
    if args.docs:
        write_docs(args.docs, cases, files, spent, what)
    print(f'compat: {sum(case.same() for case in cases)} of {len(cases)} the same')
    return 0 if all(case.same() or case.reason for case in cases) else 1


if __name__ == '__main__':
    sys.exit(main())
