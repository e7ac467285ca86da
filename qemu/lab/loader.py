# SPDX-License-Identifier: MIT
"""How nodes come to the kernel: QEMU's -kernel, GRUB from a CD of each node's own, or iPXE, served
by a QEMU without a guest whose DHCP and TFTP are a port of the switch."""

import asyncio
import os
import subprocess

from .node import LabFault, die_with_parent

PXE_NODES_MAX = 16  # leases of QEMU's DHCP server
PXE_PORT = 64       # behind the ports of the nodes
PXE_NET = 'net=10.77.0.0/24,host=10.77.0.3,dns=10.77.0.4,dhcpstart=10.77.0.100,restrict=on'
SETTINGS_BYTES_MAX = 190  # iPXE cuts command lines, and says nothing
BOOT = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                    'boot')


def mac_of(i):
    return f'52:54:00:77:00:{0x10 + i:02x}'


def call(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise LabFault(f'{words[0]}: {done.stdout.decode(errors="replace").strip()}')


class KernelLoader:
    """The kernel and the archive by QEMU itself."""

    def __init__(self, run):
        self.run = run
        self.kernel, self.archive = f'{run}/weft.elf', f'{run}/weft.img'

    async def start(self, switch, qemu, log):
        """What all nodes need, before the first starts."""

    def node_options(self, i, common, own):
        """QEMU's options. The archive has the `common` settings except with this loader."""
        own_archive = f'{self.run}/node{i}.img'
        archive = own_archive if os.path.exists(own_archive) else self.archive
        return ['-kernel', self.kernel, '-initrd', archive,
                '-append', f'{common} {own} eoc=1']

    async def close(self):
        """Ends what start() has begun."""


def checked(own):
    if len(own) > SETTINGS_BYTES_MAX:
        raise LabFault(f'the settings of one node have {len(own)} bytes; with this loader '
                       f'{SETTINGS_BYTES_MAX} are the limit')
    return own


class IsoLoader(KernelLoader):
    def node_options(self, i, common, own):
        iso = f'{self.run}/node{i}.iso'
        call(os.path.join(BOOT, 'make-iso'), iso, self.kernel, self.archive,
             checked(f'{own} eoc=1'))
        return ['-boot', 'd', '-cdrom', iso]


class PxeLoader(KernelLoader):
    process = None

    async def start(self, switch, qemu, log):
        self.served = f'{self.run}/pxe'
        await asyncio.to_thread(call, os.path.join(BOOT, 'make-pxe'), self.served, self.kernel,
                                self.archive)
        await switch.add_port(PXE_PORT)
        command = [qemu, '-M', 'none', '-nodefaults', '-display', 'none', '-netdev',
                   f'user,id=u,{PXE_NET},tftp={self.served},bootfile=boot.ipxe',
                   '-netdev', 'hubport,id=h0,hubid=0,netdev=u',
                   '-netdev', 'stream,id=s,server=off,addr.type=unix,addr.path='
                   + switch.port(PXE_PORT),
                   '-netdev', 'hubport,id=h1,hubid=0,netdev=s']
        with open(log, 'wb') as out:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=die_with_parent, start_new_session=True)

    def node_options(self, i, common, own):
        if i >= PXE_NODES_MAX:
            raise LabFault(f'--boot pxe serves {PXE_NODES_MAX} nodes')
        name = f'{self.served}/node-{mac_of(i).replace(":", "-")}.ipxe'
        with open(name, 'w', encoding='ascii') as f:
            f.write(f'#!ipxe\nset settings {checked(own)}\n')
        return ['-boot', 'n']

    async def close(self):
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


LOADERS = {'kernel': KernelLoader, 'iso': IsoLoader, 'pxe': PxeLoader}
