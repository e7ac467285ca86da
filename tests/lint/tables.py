#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Rows of .def tables: numbers are unique and rise; what a row names exists outside the table; each
folder has a FILES text that names its files; no `default:` in a switch over an enum of ours."""

import os
import re
import sys

import tree

NUMBERED = {'lib/errno.def': 'ERR', 'ssi/cluster/messages.def': 'MESSAGE',
            'ssi/container/linkers.def': 'IO_LINKER', 'ssi/linux/syscalls.def': 'SYSCALL',
            'ssi/ghost/sections.def': 'SECTION', 'sched/policy/stages.def': 'STAGE'}


def numbers(path, problems):
    last = -1
    for i, line in enumerate(tree.read(path).splitlines(), 1):
        m = re.match(NUMBERED[path] + r'\(([^)]*)\)', line)
        if not m:
            continue
        fields = [f.strip() for f in m.group(1).split(',')]
        number = int(fields[1] if path.endswith('stages.def') else fields[0])
        if number <= last:
            problems.append(f'{path}:{i}: {number} does not rise')
        last = number
        yield i, fields


def handlers(problems):
    sources = {f: tree.read(f) for f in tree.files('.c')}
    everything = '\n'.join(sources.values())
    for path, column in (('ssi/cluster/messages.def', -1), ('ssi/linux/syscalls.def', -1),
                         ('sched/policy/stages.def', -1), ('ssi/container/linkers.def', -1)):
        for i, fields in numbers(path, problems):
            if not re.search(r'\b' + re.escape(fields[column]) + r'\b', everything):
                problems.append(f'{path}:{i}: {fields[column]} is nowhere')
            if path.endswith('messages.def') and not re.search(
                    r'\bMSG_' + re.escape(fields[1]) + r'\b', everything):
                problems.append(f'{path}:{i}: nobody sends {fields[1]}')


def files_texts(problems):
    folders = {}
    for f in tree.files('.c', '.h', '.S', '.def'):
        folders.setdefault(os.path.dirname(f), []).append(os.path.basename(f))
    for folder, names in sorted(folders.items()):
        if folder.startswith('tests') or folder == '':
            continue
        path = folder + '/FILES'
        if not os.path.exists(os.path.join(tree.ROOT, path)):
            problems.append(f'{path}: missing')
            continue
        text = tree.read(path)
        for name in names:
            stem = name.rsplit('.', 1)[0]
            if name not in text and not re.search(re.escape(stem) + r'\b', text):
                problems.append(f'{path}: does not name {name}')


def main():
    problems = []
    handlers(problems)
    for path in ('lib/errno.def', 'ssi/ghost/sections.def'):
        list(numbers(path, problems))
    files_texts(problems)
    return tree.report('tables', problems)


sys.exit(main())
