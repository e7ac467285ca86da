#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Includes go down the floors (docs/architecture.md), never up, never in a circle, and are written
from the root. Inline assembly and CPU #ifdefs live in arch/x86 only."""

import re
import sys

import tree

FLOORS = ['lib', 'arch/x86', 'mm', 'kernel', 'net', 'ssi/cluster', 'ssi/container', 'ssi/fs',
          'ssi/stream', 'ssi/process', 'ssi/ghost', 'ssi/linux', 'ssi/migrate', 'sched/policy',
          'sched/bpf', 'sched/probe', 'sched/analyzer', 'sched/manager']
ANYONE = {'boot/bootinfo.h'}
ARCH_PRIVATE = re.compile(r'^arch/x86/(?!arch\.h|pci\.h|uart\.h)')


def floor(path):
    best = None
    for i, f in enumerate(FLOORS):
        if path.startswith(f + '/') and (best is None or len(f) > len(FLOORS[best])):
            best = i
    return best


def folder(path):
    return path.rsplit('/', 1)[0]


def check_include(path, number, target, problems):
    here, there = floor(path), floor(target)
    where = f'{path}:{number}'
    if '/' not in target:
        problems.append(f'{where}: "{target}" is not written from the root')
    elif target in ANYONE or here is None:
        return
    elif there is None:
        problems.append(f'{where}: {target} is on no floor that {path} may see')
    elif there > here:
        problems.append(f'{where}: includes {target}, which is above')
    elif target.endswith('_priv.h') and folder(target) != folder(path):
        problems.append(f'{where}: {target} is private to its folder')
    elif ARCH_PRIVATE.match(target) and not path.startswith('arch/x86/'):
        problems.append(f'{where}: {target} is private to arch/x86')


def circles(graph):
    state, found = {}, []

    def visit(f, trail):
        state[f] = 1
        for g in graph.get(f, ()):
            if state.get(g) == 1:
                found.append(' -> '.join(trail[trail.index(g):] + [g]) if g in trail else g)
            elif g not in state:
                visit(g, trail + [g])
        state[f] = 2

    for f in sorted(graph):
        if f not in state:
            visit(f, [f])
    return found


def main():
    problems, graph = [], {}
    for path in tree.files('.c', '.h', '.S', '.def'):
        if floor(path) is None:
            continue
        text = tree.read(path)
        first = None
        for number, line in enumerate(text.splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not m:
                continue
            first = first or m.group(1)
            graph.setdefault(path, []).append(m.group(1))
            check_include(path, number, m.group(1), problems)
        own = path[:-2] + '.h'
        if path.endswith('.c') and own in graph.get(path, ()) and first != own:
            problems.append(f'{path}:1: includes its own header, but not first')
        if not path.startswith('arch/x86/') and path.endswith(('.c', '.h')):
            code = tree.blank(text)
            for number, line in enumerate(code.splitlines(), 1):
                if re.search(r'\b(__asm__|asm)\b\s*(volatile)?\s*\(|__i386__', line):
                    problems.append(f'{path}:{number}: the CPU belongs to arch/x86')
    headers = {f: [g for g in gs if g.endswith('.h')] for f, gs in graph.items()
               if f.endswith('.h')}
    problems += [f'circle: {c}' for c in circles(headers)]
    return tree.report('layers', problems)


sys.exit(main())
