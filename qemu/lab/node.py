# SPDX-License-Identifier: MIT
"""One node: its QEMU, console, exec port and monitor."""

import asyncio
import ctypes
import json
import signal
import socket

from . import wire

INTERRUPTS = (b'\x03', b'\x03', b'\x1c')  # Ctrl-C, again, Ctrl-\
INTERRUPT_SECONDS = 2
BARRIER_SECONDS = 10


class NodeDown(Exception):
    pass


class LabFault(Exception):
    """Not the node's fault and not the command's."""


def die_with_parent():
    """Runs in the child before exec: nothing that the daemon starts outlives it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


# What ash itself prints when a foreground program was killed by a signal.
DEATH_NOTICES = {128 + n: signal.strsignal(n).encode() + b'\n'
                 for n in range(1, 32) if n not in (signal.SIGINT, signal.SIGPIPE)}


class Port:
    """The other end of a serial port or of the monitor, as bytes. QEMU sends a serial port's bytes
    one by one: a short pause after each look gathers them."""

    PAUSE_SECONDS = 0.001

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.listener.setblocking(False)
        self.stream = None
        self.unsent = bytearray()
        self.sender = None

    async def accept(self):
        self.stream, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        self.stream.setblocking(False)

    async def read(self):
        """b'' at the end."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.stream, 1 << 16)
        except ConnectionError:
            return b''
        await asyncio.sleep(self.PAUSE_SECONDS)
        return data

    def write(self, data):
        self.unsent += data
        if not self.sender or self.sender.done():
            self.sender = asyncio.create_task(self.send())

    async def send(self):
        while self.unsent:
            data = bytes(self.unsent)
            self.unsent.clear()
            try:
                await asyncio.get_running_loop().sock_sendall(self.stream, data)
            except OSError:
                return  # it is gone; that is seen elsewhere

    def close(self):
        if self.sender:
            self.sender.cancel()
        for s in (self.listener, self.stream):
            if s:
                s.close()


class Call:
    """An exec under way: passes on the output of one sequence number. A death notice at its end
    is held back: it is the shell's word, not the command's, when the status says the same."""

    def __init__(self, sequence, output):
        self.sequence = sequence
        self.output = output  # called with bytes
        self.held = b''

    def take(self, payload):
        data = self.held + payload
        self.held = next((t for t in DEATH_NOTICES.values() if data.endswith(t)), b'')
        data = data[:len(data) - len(self.held)]
        if data:
            self.output(data)

    def end(self, status):
        if self.held and self.held != DEATH_NOTICES.get(status):
            self.output(self.held)


class Node:
    def __init__(self, number, run, logs, note):
        self.number = number
        self.run = run    # short folder for sockets
        self.note = note  # writes a line to the daemon's log
        self.logs = logs
        self.process = None
        self.status = None
        self.down = asyncio.Event()
        self.ports = {}
        self.queue = asyncio.Lock()  # calls for one node queue, first come, first served
        self.sequence = 0
        self.call = None
        self.barriers = {}
        self.frames = wire.ExecFrames()
        self.marks = wire.Marks()
        self.prompt = asyncio.Event()  # the shell reads a line, and nobody has typed
        self.ended = None              # future: status of the line that was typed
        self.monitor = asyncio.Lock()
        self.answer = None             # future: what the monitor says to the last command
        self.restarts = 0
        self.typed = False             # keys of a `console` client since the last prompt
        self.watchers = set()          # functions that get all console bytes
        self.tasks = []
        self.tail = bytearray()

    def path(self, what):
        return f'{self.run}/{what}{self.number}'

    @property
    def console_log(self):
        return f'{self.logs}/node{self.number}.console'

    # -- start and end

    async def start(self, command):
        """Listens before QEMU runs, so that no byte is lost."""
        self.ports = {what: Port(self.path(what)) for what in ('com1', 'com2', 'qmp')}
        self.log = open(self.console_log, 'wb', buffering=0)
        with open(f'{self.logs}/node{self.number}.qemu', 'wb') as errors:
            errors.write((' '.join(command) + '\n').encode())
            errors.flush()
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors,
                preexec_fn=die_with_parent, start_new_session=True)
        self.tasks.append(asyncio.create_task(self.watch_process()))
        gone = asyncio.create_task(self.down.wait())
        accepted = asyncio.gather(*(port.accept() for port in self.ports.values()))
        done, _ = await asyncio.wait({gone, accepted}, timeout=30,
                                     return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        accepted.cancel()
        if self.down.is_set():
            raise NodeDown(f'node {self.number}: QEMU ended at once, see {errors.name}')
        if not done:
            raise LabFault(f'node {self.number}: QEMU did not open its serial ports')
        self.tasks.append(asyncio.create_task(self.read_console()))
        self.tasks.append(asyncio.create_task(self.read_exec_port()))
        self.tasks.append(asyncio.create_task(self.read_monitor()))
        await self.qmp('qmp_capabilities')

    async def watch_process(self):
        self.status = await self.process.wait()
        self.note(f'node {self.number}: QEMU ended with status {self.status}')
        self.set_down()

    def set_down(self):
        self.down.set()
        self.prompt.clear()
        self.lose(f'node {self.number} went down')

    def lose(self, why):
        """Ends what waits for an answer of the node."""
        for future in (self.ended, *self.barriers.values()):
            if future and not future.done():
                future.set_exception(NodeDown(why))
                future.exception()  # seen, even when nobody waits

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()

    async def close(self):
        self.kill()
        if self.process:
            await self.process.wait()
        for task in self.tasks:
            task.cancel()
        for port in self.ports.values():
            port.close()

    # -- the monitor

    async def qmp(self, command):
        async with self.monitor:
            self.answer = asyncio.get_running_loop().create_future()
            self.ports['qmp'].write(json.dumps({'execute': command}).encode() + b'\n')
            said = await asyncio.wait_for(self.answer, 10)
        if 'error' in said:
            raise LabFault(f'node {self.number}: {command}: {said["error"]["desc"]}')

    async def read_monitor(self):
        rest = b''
        while data := await self.ports['qmp'].read():
            *lines, rest = (rest + data).split(b'\n')
            for line in lines:
                self.see_monitor(json.loads(line))

    def see_monitor(self, said):
        if said.get('event') == 'RESET':
            self.note(f'node {self.number} restarts')
            self.restart()
        elif ('return' in said or 'error' in said) and not self.answer.done():
            self.answer.set_result(said)

    def restart(self):
        """The machine begins anew by itself: what was under way there is lost."""
        self.restarts += 1
        self.prompt.clear()
        self.frames, self.marks = wire.ExecFrames(), wire.Marks()
        self.lose(f'node {self.number} restarted')

    # -- the console

    async def read_console(self):
        while data := await self.ports['com1'].read():
            self.log.write(data)
            self.tail = (self.tail + data)[-16384:]
            for watcher in list(self.watchers):
                watcher(data)
            for shell_ended, status in self.marks.feed(data):
                self.see_mark(shell_ended, status)

    def see_mark(self, shell_ended, status):
        if self.ended and not self.ended.done():
            self.ended.set_result(status)
        if shell_ended:
            self.prompt.clear()
        else:
            self.typed = False
            self.prompt.set()

    def type(self, keys):
        self.ports['com1'].write(keys)

    def type_as_user(self, keys):
        """Keys of a `console` client: after a line end or a signal the prompt is gone."""
        if any(key in keys for key in b'\r\n\x03\x04\x1a'):
            self.prompt.clear()
        self.typed = True
        self.type(keys)

    # -- the exec port

    async def read_exec_port(self):
        while data := await self.ports['com2'].read():
            try:
                frames = self.frames.feed(data)
            except ValueError as error:
                self.note(f'node {self.number}: {error}')
                return
            for kind, sequence, payload in frames:
                self.see_frame(kind, sequence, payload)

    def see_frame(self, kind, sequence, payload):
        if kind == b'O':
            if self.call and self.call.sequence == sequence:
                self.call.take(payload)
        elif kind == b'A':
            if sequence in self.barriers and not self.barriers[sequence].done():
                self.barriers[sequence].set_result(None)
        else:
            self.note(f'node {self.number}: exec port: unknown frame {kind!r}')

    async def send(self, kind, payload, seconds):
        """Sends a frame and waits until the node has it whole. Returns its number."""
        self.sequence += 1
        number = self.sequence
        complete = self.barriers[number] = asyncio.get_running_loop().create_future()
        self.ports['com2'].write(wire.exec_frame(kind, number, payload))
        try:
            await asyncio.wait_for(complete, max(seconds, 0.001))
        finally:
            del self.barriers[number]
        return number

    # -- commands

    def check_up(self):
        if self.down.is_set():
            raise NodeDown(f'node {self.number} is down')

    async def wait_prompt(self, seconds):
        """False when the shell is not at its prompt in time."""
        self.check_up()
        tasks = [asyncio.create_task(e.wait()) for e in (self.prompt, self.down)]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        self.check_up()
        return self.prompt.is_set()

    async def execute(self, command, seconds, output, abandoned=None, data=None):
        """Runs `command` in the console's shell; returns its status, or None when time is up or
        `abandoned` (an event) was set. `data` is what /dev/exec.data gives to it."""
        async with self.queue:
            loop = asyncio.get_running_loop()
            until = loop.time() + seconds
            if not await self.wait_prompt(seconds):
                return None
            try:
                if self.typed:  # a `console` client may have left half a line
                    self.prompt.clear()
                    self.type(b'\x03')
                    if not await self.wait_prompt(until - loop.time()):
                        return None
                if data is not None:
                    await self.send(b'P', data, until - loop.time())
                text = b'eval ' + wire.shell_quote(command) + b' >/dev/exec 2>&1\n'
                # The number is known before the node can answer: output is tied to it.
                self.call = Call(self.sequence + 1, output)
                await self.send(b'C', text, until - loop.time())
                return await self.run_typed(until - loop.time(), abandoned)
            except asyncio.TimeoutError:
                return None
            finally:
                self.call = None

    async def run_typed(self, seconds, abandoned):
        self.prompt.clear()
        self.ended = asyncio.get_running_loop().create_future()
        self.type(b'. /dev/exec\r')
        stops = {self.ended}
        if abandoned:
            stops.add(asyncio.create_task(abandoned.wait()))
        await asyncio.wait(stops, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        for stop in stops - {self.ended}:
            stop.cancel()
        if not self.ended.done():
            await self.interrupt()
            return None
        status = self.ended.result()
        await self.barrier()
        self.call.end(status)
        return status

    async def barrier(self):
        """All output that the node has sent before is here afterwards."""
        try:
            await self.send(b'S', b'', BARRIER_SECONDS)
        except asyncio.TimeoutError:
            raise LabFault(f'node {self.number}: its exec port does not answer') from None

    async def interrupt(self):
        """Time is up: makes the console usable again, as a person would."""
        for key in INTERRUPTS:
            self.type(key)
            try:
                await asyncio.wait_for(asyncio.shield(self.ended), INTERRUPT_SECONDS)
                break
            except asyncio.TimeoutError:
                continue
        try:
            await self.send(b'S', b'', INTERRUPT_SECONDS)  # what it wrote until then
        except asyncio.TimeoutError:
            pass
        self.call.end(None)
