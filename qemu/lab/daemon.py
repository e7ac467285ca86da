# SPDX-License-Identifier: MIT
"""The daemon of a cluster directory: owns its processes, serves one request per connection.

It holds the lock on D/lock as long as it lives; it ends, and with it everything it started, on
`down`, when `up` fails or its caller goes away during it, and after WEFT_CLUSTER_LIMIT seconds."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time

from . import wire
from .cluster import Cluster, UpFailed
from .node import LabFault, NodeDown

LIMIT_SECONDS = int(os.environ.get('WEFT_CLUSTER_LIMIT', 3 * 3600))
TIMED_OUT, TOOL_FAULT, NODE_IS_DOWN = 124, 125, 126


def note(text):
    print(time.strftime('%H:%M:%S', time.gmtime()), text, flush=True)


def log_tail(node, lines=40):
    """The end of its log, without prompts of our own calls."""
    text = '\n'.join(line for line in bytes(node.tail).decode(errors='replace').splitlines()
                     if '\x1b]weft;' not in line) + '\n'
    try:
        with open(f'{node.logs}/node{node.number}.qemu', encoding='utf-8', errors='replace') as f:
            text += ''.join(f.readlines()[1:])
    except OSError:
        pass
    return '\n'.join(text.splitlines()[-lines:])


class Client:
    """One request and the frames of its answer."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.left = asyncio.Event()

    def out(self, data):
        if not self.left.is_set():
            self.writer.write(wire.client_frame(b'o', data))

    def error(self, text):
        if not self.left.is_set():
            self.writer.write(wire.client_frame(b'e', text.encode(errors='replace') + b'\n'))

    def status(self, status):
        self.writer.write(wire.client_frame(b'x', str(status).encode()))

    async def watch(self, keys=None):
        """Until it hangs up; what it sends goes to `keys`."""
        while data := await self.reader.read(65536):
            if keys:
                keys(data)
        self.left.set()


class Daemon:
    def __init__(self, logs, run):
        self.logs, self.run = logs, run
        self.cluster = None
        self.is_up = False
        self.ending = asyncio.Event()

    async def serve(self):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ending.set)
        loop.call_later(LIMIT_SECONDS, self.end, f'limit of {LIMIT_SECONDS} s reached')
        server = await asyncio.start_unix_server(self.on_client, f'{self.run}/daemon',
                                                 limit=1 << 26)
        await self.ending.wait()
        server.close()
        if self.cluster:
            await self.cluster.close()
        note('end')

    def end(self, why):
        note(why)
        self.ending.set()

    async def on_client(self, reader, writer):
        client = Client(reader, writer)
        status = TOOL_FAULT
        line = await reader.readline()
        if not line:  # only looked whether we are here
            writer.close()
            return
        request = json.loads(line)
        try:
            status = await getattr(self, 'do_' + request['verb'])(client, request)
        except (LabFault, UpFailed) as error:
            client.error(str(error))
            status = TOOL_FAULT if request['verb'] == 'exec' else 1
        except NodeDown as error:
            client.error(str(error))
            status = NODE_IS_DOWN if request['verb'] == 'exec' else 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as error:  # a bug of the lab: say so, and keep the cluster
            note(f'{type(error).__name__}: {error}')
            client.error(f'qemu/cluster: {type(error).__name__}: {error}')
            raise
        finally:
            try:
                client.status(status)
                await writer.drain()
                writer.close()
            except ConnectionError:
                pass

    # -- verbs; each returns the status of the call

    async def do_up(self, client, request):
        self.cluster = Cluster(self.logs, self.run, request['options'], note)
        watch = asyncio.create_task(client.watch())
        up = asyncio.create_task(self.cluster.up(note))
        left = asyncio.create_task(client.left.wait())
        end = asyncio.create_task(self.ending.wait())
        await asyncio.wait({up, left, end}, return_when=asyncio.FIRST_COMPLETED)
        watch.cancel()
        try:
            if not up.done():
                up.cancel()
                raise UpFailed('given up')
            await up
        except (UpFailed, LabFault, NodeDown, OSError) as error:
            client.error(f'up failed: {error}')
            node = getattr(error, 'node', None)
            if node:
                client.error(f'--- the end of the log of node {node.number}:\n{log_tail(node)}')
            await self.cluster.close()
            self.end(f'up failed: {error}')
            return 1
        self.is_up = True
        note('up')
        return 0

    async def do_down(self, client, request):
        self.end('down')
        return 0

    def running(self):
        if not self.is_up:
            raise LabFault('the cluster is not up yet')
        return self.cluster

    async def do_exec(self, client, request):
        node = self.running().node(request['node'])
        watch = asyncio.create_task(client.watch())
        try:
            status = await node.execute(os.fsencode(request['command']), request['timeout'],
                                        client.out, client.left)
        finally:
            watch.cancel()
        if status is None:
            client.error(f'node {node.number}: no end after {request["timeout"]:g} s')
            return TIMED_OUT
        return status

    async def do_put(self, client, request):
        node = self.running().node(request['node'])
        with open(request['host'], 'rb') as f:
            data = f.read()
        path = wire.shell_quote(os.fsencode(request['path']))
        name = wire.shell_quote(os.path.basename(os.fsencode(request['host'])))
        command = (b'(p=' + path + b'; [ ! -d "$p" ] || p=${p%/}/' + name +
                   b'; cat /dev/exec.data >"$p" && chmod %o "$p")' % request['mode'])
        said = bytearray()
        status = await node.execute(command, 60 + len(data) / 50000, said.extend, data=data)
        if status != 0:
            said = said.decode(errors='replace').strip()
            raise LabFault(f'put: {said or "no end in time" if status is None else said}')
        return 0

    async def do_console(self, client, request):
        node = self.running().node(request['node'])
        node.check_up()
        client.out(bytes(node.tail)[-2000:])
        node.watchers.add(client.out)
        watch = asyncio.create_task(client.watch(node.type_as_user))
        down = asyncio.create_task(node.down.wait())
        try:
            await asyncio.wait({watch, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            node.watchers.discard(client.out)
            watch.cancel()
            down.cancel()
        if node.down.is_set():
            client.error(f'\r\nnode {node.number} is down')
        return 0

    async def do_kill(self, client, request):
        node = self.running().node(request['node'])
        node.check_up()
        node.kill()
        await node.down.wait()
        return 0

    async def do_stop(self, client, request):
        node = self.running().node(request['node'])
        node.check_up()
        await node.qmp('stop')
        return 0

    async def do_cont(self, client, request):
        node = self.running().node(request['node'])
        node.check_up()
        await node.qmp('cont')
        return 0

    async def do_add(self, client, request):
        client.out(b'%d\n' % await self.running().add(request['key'], request['outside']))
        return 0

    async def do_net(self, client, request):
        """Words of the switch's control socket."""
        lines = await self.running().switch.command(request['words'])
        client.out(''.join(lines).encode())
        return 0


def main(logs, run):
    signal.alarm(LIMIT_SECONDS + 60)  # even when the loop hangs: the children die with us
    with open(f'{logs}/pid', 'w', encoding='ascii') as f:
        f.write(f'{os.getpid()}\n')
    try:
        asyncio.run(run_daemon(logs, run))
    finally:
        shutil.rmtree(run, ignore_errors=True)
        for name in ('pid', 'run'):
            try:
                os.unlink(f'{logs}/{name}')
            except OSError:
                pass
    return 0


async def run_daemon(logs, run):
    await Daemon(logs, run).serve()


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
