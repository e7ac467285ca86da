#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""usage: footprint.py BUILD: the kernel's image takes at most 2 MiB of memory."""

import os
import struct
import sys

import tree

IMAGE_MAX = 2 << 20
PT_LOAD = 1


def main():
    path = os.path.join(sys.argv[1], 'weft.elf')
    with open(path, 'rb') as f:
        elf = f.read(4096)
    at, size, count = struct.unpack_from('<28xI10xHH', elf)
    heads = [struct.unpack_from('<8I', elf, at + i * size) for i in range(count)]
    loaded = sum(h[5] for h in heads if h[0] == PT_LOAD)
    problems = []
    if not 0 < loaded <= IMAGE_MAX:
        problems.append(f'{path}:1: {loaded} bytes in memory, at most {IMAGE_MAX}')
    return tree.report('footprint', problems)


sys.exit(main())
