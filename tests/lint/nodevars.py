#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Objects of mm, kernel, net, ssi and sched hold no mutable file-scope state outside node_vars.
Function pointers set once at start (hooks up) are allowed: their names contain _on_, or are listed.
usage: nodevars.py BUILD"""

import os
import re
import subprocess
import sys

import tree

FOLDERS = ('net', 'ssi', 'sched')
HOOKS = re.compile(r'_on_|_hook$|^log_sink$|^space_current$')


def symbols(path):
    out = subprocess.run(['objdump', '-t', path], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        m = re.match(r'[0-9a-f]+ (.)(.).{5} (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(\S+)$', line)
        if m and m.group(5) != m.group(3):
            yield m.group(3), m.group(5), int(m.group(4), 16)


def main():
    build, problems = sys.argv[1], []
    for folder in FOLDERS:
        for directory, _, names in os.walk(os.path.join(build, 'kernel', folder)):
            for name in sorted(n for n in names if n.endswith('.o')):
                path = os.path.join(directory, name)
                for section, symbol, size in symbols(path):
                    writable = section.startswith(('.data', '.bss')) or section == '*COM*'
                    if writable and size and not HOOKS.search(symbol):
                        problems.append(f'{os.path.relpath(path, build)}: {symbol} is in {section}')
    return tree.report('nodevars', problems)


sys.exit(main())
