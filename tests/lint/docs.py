#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the documents name in backticks is there: files, folders, targets of make, tests."""

import fnmatch
import os
import re
import sys

import tree

TOPS = ('arch', 'boot', 'docs', 'host-tools', 'kernel', 'lib', 'mm', 'net', 'qemu', 'sched', 'ssi',
        'tests', 'user')
ENDINGS = '.c', '.h', '.S', '.py', '.def', '.mk', '.md', '.xml', '.txt', '.sh'
SHARED = 'CONTRACT.md', 'DESIGN.md', 'PROTOCOLS.md' # lie beside the tree
EXAMPLES = 'all-in-one.xml', # of a reader's own


def unfold(word):
    """a{b,c} as a shell has it: ab, ac."""
    m = re.search(r'\{([^{}]*,[^{}]*)\}', word)
    if not m:
        return [word]
    return [w for part in m.group(1).split(',')
            for w in unfold(word[:m.start()] + part + word[m.end():])]


def all_paths():
    ours = set(tree.files(''))
    folders = {'/'.join(f.split('/')[:k]) for f in ours for k in range(1, f.count('/') + 1)}
    return ours | folders


def targets():
    text = ''.join(tree.read(f) for f in tree.files('Makefile', '.mk'))
    return {t for line in re.findall(r'^([\w$()/.%, -]+?):(?!=)', text, re.M) for t in line.split()}


def tests():
    return {name for f in tree.files('.py', '.c') if f.startswith('tests/')
            for name in re.findall(r'\b(test_\w+)', tree.read(f))}


def missing(word, paths, names):
    """Why the word of a document is wrong, or None."""
    plain = re.sub(r'(?<![A-Za-z])(X|FILE|NAME)(?![A-Za-z])', '*', word.rstrip('/').split(':')[0])
    if plain.startswith(('.', 'build/')) or plain in SHARED + EXAMPLES:
        return None
    if plain.startswith(tuple(t + '/' for t in TOPS)):
        return None if any(fnmatch.fnmatch(p, plain) for p in paths) else 'no such file'
    if plain.endswith(ENDINGS):
        found = [p for p in paths if fnmatch.fnmatch('/' + p, '*/' + plain)]
        return None if found else 'no such file'
    if re.fullmatch(r'test_\w+', plain) and plain not in names:
        return 'no such test'
    return None


def check(path, paths, make, names):
    problems = []
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        code = re.findall(r'`([^`]+)`', line) + ([line] if line.startswith('    ') else [])
        for text in code:
            m = re.match(r'\s*make ([a-z][\w-]*)', text)
            if m and m.group(1) not in make:
                problems.append(f'{path}:{number}: no target {m.group(1)}')
            for word in text.split() if line.startswith('    ') else [text.split()[0]]:
                for each in unfold(word.strip('"\'(),;')):
                    why = missing(each, paths, names)
                    if why:
                        problems.append(f'{path}:{number}: {why}: {each}')
    return problems


def main():
    paths, make, names = all_paths(), targets(), tests()
    docs = ['README.md'] + [f for f in tree.files('.md') if f.startswith('docs/')]
    return tree.report('docs', [p for d in docs for p in check(d, paths, make, names)])


if __name__ == '__main__':
    sys.exit(main())
