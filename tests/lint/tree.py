# SPDX-License-Identifier: MIT
"""The tree as the lints see it: which files are ours, and how C is read without comments."""

import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*endings):
    """Tracked and new files with one of the endings, as paths from the root."""
    out = subprocess.run(['git', 'ls-files', '--cached', '--others', '--exclude-standard'],
                         cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({f for f in out.splitlines()
                   if f.endswith(endings) and os.path.exists(os.path.join(ROOT, f))})


def read(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        return f.read()


def blank(text):
    """Comments and literals replaced by spaces; line numbers stay."""
    def spaces(match):
        return re.sub(r'[^\n]', ' ', match.group())
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', spaces, text,
                  flags=re.S)


def report(name, problems):
    for p in problems:
        print(p)
    print(f'{name}: {len(problems)} problem(s)' if problems else f'{name}: ok')
    return 1 if problems else 0
