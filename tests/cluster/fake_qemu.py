#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Stands in for QEMU in tests of the lab itself: takes the lab's QEMU command line, opens its
serial ports and monitor, and plays a node with busybox ash on a pty and the exec port of a node.
Only what the lab sees is played; `-append` words fake=... choose misbehaviour:
  fake=dies     ends at once with status 7       fake=mute    has no shell
  fake=late     the output is sent 300 ms after it was written (a slow exec port)
A command with the word FAKE-RESET restarts the node while it runs.
"""

import os
import pty
import select
import signal
import socket
import struct
import sys
import tempfile
import threading
import time

BUSYBOX = os.environ['FAKE_BUSYBOX']
HEAD = struct.Struct('<cII')


def option(name, key):
    """The value of KEY= in the argument of `name` that has id=..., or the whole argument."""
    for i, word in enumerate(sys.argv):
        if word == name and key in sys.argv[i + 1]:
            return sys.argv[i + 1]
    raise SystemExit(f'no {name} {key}')


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def chardev(name):
    parts = dict(p.split('=') for p in option('-chardev', f'id={name},').split(',')[1:])
    return connect(parts['path'])


class Node:
    def __init__(self):
        self.words = option('-append', 'node=').split()
        self.folder = tempfile.mkdtemp(prefix='fake-')
        self.com1, self.com2 = chardev('com1'), chardev('com2')
        self.qmp = connect(option('-qmp', 'unix:').split(',')[0][5:])
        self.port = connect(option('-netdev', 'stream').split('addr.path=')[1])
        self.outs = {}  # a pipe per command: its output keeps its number
        self.late = 'fake=late' in self.words
        self.resetting = False
        count = int(dict(w.split('=', 1) for w in self.words)['nodes'])
        self.write('nodes', ''.join(f'{i} 1 online 10.77.0.{10 + i} 1 100000 3 0\n'
                                    for i in range(count)).encode())
        self.write('cpu', ''.join(f'{i} {5000000 + i} 1000000\n' for i in range(count)).encode())
        self.write('migrations', b'')

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), 'wb') as f:
            f.write(data)

    def shell(self):
        pid, fd = pty.fork()
        if pid:
            return pid, fd
        env = {'PS1': r'\[\e]weft;$?\a\]\w \$ ',
               'PATH': os.environ.get('FAKE_PATH', '/bin:/usr/bin'),
               'TERM': 'vt100', 'HOME': '/'}
        os.chdir('/')
        os.execve(BUSYBOX, ['ash'], env)

    def command(self, number, text):
        """What a node does with a 'C' frame: /dev/exec is now this text and this number."""
        out = self.path(f'out{number}')
        os.mkfifo(out)
        self.outs[os.open(out, os.O_RDWR | os.O_NONBLOCK)] = number
        self.write('text', self.translate(text, out.encode()))

    def translate(self, data, out):
        data = data.replace(b'/dev/exec.data', self.path('data').encode())
        data = data.replace(b'>/dev/exec 2>&1', b'>' + out + b' 2>&1')
        return data.replace(b'/proc/cluster/', self.folder.encode() + b'/')

    def drain(self, out):
        while True:
            try:
                data = os.read(out, 65536)
            except BlockingIOError:
                return
            if self.late:
                time.sleep(0.3)
            self.com2.sendall(HEAD.pack(b'O', 4 + len(data), self.outs[out]) + data)

    def receive(self):
        data = b''
        while True:
            while len(data) >= 9:
                kind, length, number = HEAD.unpack_from(data)
                if len(data) < 5 + length:
                    break
                payload, data = data[9:5 + length], data[5 + length:]
                if kind == b'C':
                    self.command(number, payload)
                    self.resetting = b'FAKE-RESET' in payload
                elif kind == b'P':
                    self.write('data', payload)
                else:
                    for out in self.outs:
                        self.drain(out)
                self.com2.sendall(HEAD.pack(b'A', 4, number))
            more = yield
            data += more

    def run_shell(self):
        pid, fd = self.shell()
        port2 = self.receive()
        next(port2)
        while True:
            ready, _, _ = select.select([fd, self.com1, self.com2, *self.outs], [], [])
            if self.com2 in ready:
                port2.send(self.com2.recv(65536))
            if self.com1 in ready:
                keys = self.com1.recv(4096)
                if not keys:
                    return
                if self.resetting:
                    self.resetting = False
                    self.qmp.sendall(b'{"event": "RESET", "data": {"guest": true}}\r\n')
                    os.kill(pid, signal.SIGKILL)
                    time.sleep(0.2)
                    pid, fd = self.shell()
                    continue
                os.write(fd, keys.replace(b'/dev/exec', self.path('text').encode()))
            for out in self.outs:
                if out in ready and not self.late:
                    self.drain(out)
            if fd in ready:
                try:
                    self.com1.sendall(os.read(fd, 65536))
                except OSError:
                    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                    self.com1.sendall(b'\x1b]weft;exit=%d\x07' % status)
                    pid, fd = self.shell()

    def monitor(self):
        self.qmp.sendall(b'{"QMP": {}}\r\n')
        for _ in self.qmp.makefile('rb'):
            self.qmp.sendall(b'{"return": {}}\r\n')


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    node = Node()
    threading.Thread(target=node.monitor, daemon=True).start()
    if 'fake=dies' in node.words:
        node.com1.sendall(b'PANIC: a made up one\r\n')
        time.sleep(0.2)
        os._exit(7)
    if 'fake=mute' in node.words:
        node.com1.sendall(b'booting, but no shell\r\n')
        time.sleep(60)
    node.run_shell()


main()
