# SPDX-License-Identifier: MIT
"""A Linux i686 guest to compare with: Debian's kernel and an initramfs of given programs."""

import glob
import os
import re
import stat
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('WEFT_BUILD', os.path.join(ROOT, 'build'))
DEBS = os.path.join(BUILD, 'debs')


def fetch(package):
    """The tree of a Debian i386 package."""
    subprocess.run([os.path.join(ROOT, 'boot', 'fetch-deb'), '-d', DEBS, package], check=True)
    return os.path.join(DEBS, package)


def kernel(flavour='686'):
    """vmlinuz of Debian's newest linux-image-FLAVOUR."""
    meta = fetch(f'linux-image-{flavour}')
    depends = subprocess.run(['dpkg-deb', '-f', meta + '.deb', 'Depends'], check=True,
                             capture_output=True, text=True).stdout
    name = re.search(r'linux-image-[0-9][^ ,]*', depends)[0]
    return glob.glob(os.path.join(fetch(name), 'boot', 'vmlinuz-*'))[0]


def entry(inode, name, mode, data=b'', device=(0, 0)):
    """One file of a cpio archive in newc format."""
    path = name.encode() + b'\0'
    numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    head = b'070701' + b''.join(b'%08X' % n for n in numbers) + path
    return head + b'\0' * (-len(head) % 4) + data + b'\0' * (-len(data) % 4)


def initramfs(out, files):
    """files: {path in the guest: host path}; folders are made, and /dev/console."""
    folders = {'dev', 'tmp', 'proc', 'sys'}
    for path in files:
        while (path := os.path.dirname(path.strip('/'))):
            folders.add(path)
    entries = [(name, stat.S_IFDIR | 0o755, b'', (0, 0)) for name in sorted(folders)]
    entries.append(('dev/console', stat.S_IFCHR | 0o600, b'', (5, 1)))
    for path, source in files.items():
        with open(source, 'rb') as f:
            entries.append((path.strip('/'), stat.S_IFREG | 0o755, f.read(), (0, 0)))
    with open(out, 'wb') as f:
        for inode, (name, mode, data, device) in enumerate(entries, 1):
            f.write(entry(inode, name, mode, data, device))
        f.write(entry(0, 'TRAILER!!!', 0))
    return out


def boot_words(initrd, program, arguments, append=''):
    """What QEMU is told; the guest ends when its program does."""
    line = f'console=ttyS0 quiet panic=-1 nokaslr norandmaps rdinit={program} {append} -- '
    return ['-kernel', kernel(), '-initrd', initrd, '-append', line + ' '.join(arguments)]
