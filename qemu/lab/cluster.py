# SPDX-License-Identifier: MIT
"""A cluster as the daemon sees it: how its nodes are started and when it is up."""

import asyncio
import os
import random
import shutil
import subprocess
import time

from .loader import LOADERS, mac_of
from .node import LabFault, Node, NodeDown
from .switch import Switch

NODES_MAX = 64
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('WEFT_BUILD', os.path.join(ROOT, 'build'))
QEMU = os.environ.get('WEFT_QEMU', 'qemu-system-i386')


class UpFailed(Exception):
    """`args[0]`: why; `node`: whose log tells more, or None."""

    def __init__(self, why, node=None):
        super().__init__(why)
        self.node = node


def host_tool(name):
    path = os.path.join(BUILD, 'host', name)
    if not os.path.exists(path):
        raise LabFault(f'{path} is missing: run make')
    return path


def run_tool(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise LabFault((done.stderr or done.stdout).decode(errors='replace').strip()
                       or f'{command[0]} failed with status {done.returncode}')


def make_archive(options, logs, settings, name='weft.img'):
    """The boot archive of this cluster: the common one, or one of its own."""
    base = os.path.join(BUILD, 'weft.img')
    extra = ['--settings', settings] if settings else []
    for pair in options['add']:
        extra += ['--file', pair]
    policy = options['policy']
    if policy and policy != 'none':
        if policy.endswith('.xml') or os.path.isdir(policy):
            blob = os.path.join(logs, 'policy.wpb')
            run_tool([host_tool('weftc'), '-o', blob, policy])
            policy = blob
        extra += ['--policy', policy]
    if options['key']:
        extra += ['--key', options['key']]
    for path in (base, os.path.join(BUILD, 'weft.elf')):
        if not os.path.exists(path):
            raise LabFault(f'{path} is missing: run make')
    if not extra:
        return base
    own = os.path.join(logs, name)
    run_tool([host_tool('mkarchive'), '-o', own, '--base', base] + extra)
    return own


class Cluster:
    def __init__(self, logs, run, options, note):
        self.logs, self.run, self.options, self.note = logs, run, options, note
        self.nodes = []
        self.switch = Switch(run, note)
        self.loader = None
        self.session = random.SystemRandom().randrange(1, 1 << 31)

    def common_settings(self):
        o = self.options
        words = [f'nodes={o["nodes"]} session={self.session} witness=10.77.0.2']
        words += ['policy=none'] if o['policy'] == 'none' else []
        return ' '.join(words + o['append'])

    def node_settings(self, i):
        words = [f'node={i} ip=10.77.0.{10 + i}/24']
        words += [w for n, w in self.options['append_node'] if n == i]
        return ' '.join(words)

    def qemu_command(self, i):
        o = self.options
        serial = [part for what in ('com1', 'com2') for part in (
            '-chardev', f'socket,id={what},path={self.run}/{what}{i},server=off',
            '-serial', f'chardev:{what}')]
        return [QEMU, '-accel', 'tcg', '-nodefaults', '-no-user-config', '-display', 'none',
                '-m', o['mem'], '-smp', str(o['smp']), '-cpu', o['cpu'], *serial,
                '-qmp', f'unix:{self.run}/qmp{i},server=off',
                '-netdev', 'stream,id=n0,server=off,addr.type=unix,addr.path='
                + self.switch.port(i),
                '-device', f'{o["nic"]},netdev=n0,mac={mac_of(i)}',
                '-device', 'isa-debug-exit,iobase=0xf4,iosize=4',
                *self.loader.node_options(i, self.common_settings(), self.node_settings(i))]

    async def start_node(self):
        i = len(self.nodes)
        await self.switch.add_port(i)
        node = Node(i, self.run, self.logs, self.note)
        self.nodes.append(node)
        await node.start(await asyncio.to_thread(self.qemu_command, i))
        return node

    async def up(self, progress):
        """Returns when all are members and all shells answer; UpFailed otherwise."""
        o = self.options
        until = time.monotonic() + o['timeout']
        # Loaders other than -kernel have little room for words: the archive takes what is common.
        common = self.common_settings() if o['boot'] != 'kernel' else None
        archive = await asyncio.to_thread(make_archive, o, self.logs, common)
        # QEMU takes commas in names for separators: short links without any.
        os.symlink(os.path.abspath(archive), f'{self.run}/weft.img')
        shutil.copy(os.path.join(BUILD, 'weft.elf'), f'{self.run}/weft.elf')
        self.loader = LOADERS[o['boot']](self.run)
        await self.switch.start(host_tool('switch'), f'{self.logs}/switch.log', o['host_if'],
                                o['pcap'], o['key'])
        await self.loader.start(self.switch, QEMU, f'{self.logs}/loader.log')
        if o['link_mbit']:
            await self.switch.command(['rate', str(o['link_mbit'])])
        for _ in range(o['nodes']):
            await self.start_node()
        for node in self.nodes:
            await self.wait_shell(node, until)
        progress(f'{o["nodes"]} shells answer')
        await self.wait_online(self.nodes[0], [n.number for n in self.nodes], until)

    async def wait_shell(self, node, until):
        try:
            if not await node.wait_prompt(max(until - time.monotonic(), 0)):
                raise UpFailed(f'node {node.number}: no shell prompt in time', node)
        except NodeDown:
            raise UpFailed(f'node {node.number}: QEMU ended with status {node.status}',
                           node) from None

    async def wait_online(self, witness, numbers, until):
        """Until `witness` shows all of `numbers` online in its /proc/cluster/nodes."""
        missing, output = numbers, b''
        while True:
            seconds = until - time.monotonic()
            if seconds <= 0:
                said = output.decode(errors='replace').strip()
                raise UpFailed(f'node {missing[0]} is not a member in time; node '
                               f'{witness.number} says:\n{said}', self.nodes[missing[0]])
            output = bytearray()
            try:
                await witness.execute(b'cat /proc/cluster/nodes', min(seconds, 20),
                                      output.extend)
            except NodeDown:
                raise UpFailed(f'node {witness.number}: QEMU ended with status '
                               f'{witness.status}', witness) from None
            rows = [line.split() for line in output.decode(errors='replace').splitlines()]
            online = {row[0] for row in rows if len(row) > 2 and row[2] == 'online'}
            missing = [n for n in numbers if str(n) not in online]
            if not missing:
                return
            await asyncio.sleep(0.2)

    async def archive_with_key(self, key):
        """For the next node: an archive as the others', with another cluster key."""
        if self.options['boot'] != 'kernel':
            raise LabFault('add --key: only with --boot kernel')
        options = {**self.options, 'key': None if key == 'none' else key}
        name = f'node{len(self.nodes)}.img'
        archive = await asyncio.to_thread(make_archive, options, self.logs, None, name)
        os.symlink(os.path.abspath(archive), f'{self.run}/{name}')

    async def add(self, key=None, outside=False):
        """One more node; returns its number when it is a member and its shell answers."""
        if len(self.nodes) >= NODES_MAX:
            raise LabFault(f'a cluster of the lab has at most {NODES_MAX} nodes')
        until = time.monotonic() + self.options['timeout']
        if key:
            await self.archive_with_key(key)
        node = await self.start_node()
        if outside:
            return node.number
        await self.wait_shell(node, until)
        await self.wait_online(node, [node.number], until)
        return node.number

    def node(self, number):
        if not 0 <= number < len(self.nodes):
            raise LabFault(f'there is no node {number}')
        return self.nodes[number]

    async def close(self):
        await asyncio.gather(*(node.close() for node in self.nodes), return_exceptions=True)
        if self.loader:
            await self.loader.close()
        await self.switch.close()
