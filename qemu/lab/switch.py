# SPDX-License-Identifier: MIT
"""The switch process and its control socket."""

import asyncio

from .node import LabFault, die_with_parent


class Switch:
    def __init__(self, run, note):
        self.run = run
        self.note = note
        self.process = None
        self.turn = asyncio.Lock()

    async def start(self, program, log, host_if=None, pcap=None, key=None):
        control = f'{self.run}/switch'
        command = [program, '--control', control]
        command += ['--host-if', host_if] if host_if else []
        command += ['--pcap', pcap] if pcap else []
        command += ['--key', key] if key else []
        with open(log, 'wb') as errors:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors,
                preexec_fn=die_with_parent, start_new_session=True)
        for _ in range(500):
            try:
                self.reader, self.writer = await asyncio.open_unix_connection(control)
                return
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.returncode is not None:
                    with open(log, encoding='utf-8') as f:
                        raise LabFault(f.read().strip() or 'the switch ended at once') from None
                await asyncio.sleep(0.01)
        raise LabFault('the switch does not open its control socket')

    async def command(self, words):
        """Returns the lines of the answer; LabFault with the switch's words when it refuses."""
        async with self.turn:
            self.writer.write((' '.join(words) + '\n').encode())
            lines = []
            while True:
                line = (await asyncio.wait_for(self.reader.readline(), 10)).decode()
                if not line:
                    raise LabFault('the switch is gone')
                if line == 'ok\n':
                    return lines
                if line.startswith('error: '):
                    raise LabFault(line[7:].strip())
                lines.append(line)

    def port(self, number):
        return f'{self.run}/port{number}'

    async def add_port(self, number):
        await self.command(['port', str(number), self.port(number)])

    async def close(self):
        if self.process and self.process.returncode is None:
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), 5)
            except asyncio.TimeoutError:
                self.process.kill()
                await self.process.wait()
