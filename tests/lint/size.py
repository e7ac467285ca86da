#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Functions <= 70 lines, files <= 700, lines <= 100; each source says its licence first. A
dispatcher may be longer when its body is one switch whose cases are one call each."""

import re
import sys

import tree

FUNCTION_MAX, FILE_MAX, LINE_MAX = 70, 700, 100


def functions(text):
    """(name, first line, lines) of each function of a clang-formatted C file."""
    name, start = None, None
    lines = tree.blank(text).splitlines()
    for i, line in enumerate(lines, 1):
        if line.startswith('{') and name is None:
            head = ' '.join(lines[max(0, i - 6):i - 1])
            m = re.findall(r'(\w+)\s*\([^;{}]*\)\s*\w*\s*$', head)
            name, start = (m[-1] if m else '?'), i
        elif line.startswith('}') and name is not None:
            yield name, start, i - start + 1
            name = None


def is_dispatcher(text, start, length):
    body = '\n'.join(text.splitlines()[start - 1:start + length - 1])
    return body.count('switch (') == 1 and body.count('case ') * 2 > length * 0.6


def main():
    problems = []
    for path in tree.files('.c', '.h', '.S', '.py', '.def'):
        text = tree.read(path)
        lines = text.splitlines()
        if len(lines) > FILE_MAX:
            problems.append(f'{path}:1: {len(lines)} lines, at most {FILE_MAX}')
        for i, line in enumerate(lines, 1):
            if len(line) > LINE_MAX:
                problems.append(f'{path}:{i}: {len(line)} columns, at most {LINE_MAX}')
        if path.endswith(('.c', '.h', '.S')) and 'SPDX-License-Identifier: MIT' not in \
                ''.join(lines[:1]):
            problems.append(f'{path}:1: no licence line')
        if path.endswith('.c'):
            for name, start, length in functions(text):
                if length > FUNCTION_MAX and not is_dispatcher(text, start, length):
                    problems.append(f'{path}:{start}: {name} has {length} lines, at most '
                                    f'{FUNCTION_MAX}')
    return tree.report('size', problems)


sys.exit(main())
