# SPDX-License-Identifier: MIT
"""The three byte streams of the lab: client and daemon, the exec port (COM2), the console's marks.

Client to daemon: one line of JSON, the request; then, for `console`, raw keys.
Daemon to client: frames {type, u32 big-endian length, payload}: 'o' standard output, 'e' standard
error, 'x' the exit status in decimal, the last one.

Exec port, both ways: frames {type, u32 little-endian length, payload}, the payload begins with a
u32 sequence number. To the node: 'C' a command text, 'P' a file, 'S' a barrier. From the node:
'O' output, 'A' the frame of that number is complete (or the barrier was reached).
"""

import re
import struct

EXEC_HEAD = struct.Struct('<cII')
EXEC_FRAME_MAX = 1 << 26
CLIENT_HEAD = struct.Struct('>cI')

# The invisible mark in the prompt carries the status of the last command; the kernel prints the
# other form when a console's shell ends.
MARK = re.compile(rb'\x1b\]weft;(exit=)?(\d{1,10})\x07')
MARK_BYTES_MAX = 24


def client_frame(kind, payload):
    return CLIENT_HEAD.pack(kind, len(payload)) + payload


def exec_frame(kind, sequence, payload=b''):
    return EXEC_HEAD.pack(kind, 4 + len(payload), sequence) + payload


class ExecFrames:
    """Takes bytes of COM2, gives whole frames (kind, sequence, payload)."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        at, frames = 0, []
        while len(self.buffer) - at >= EXEC_HEAD.size:
            kind, length, sequence = EXEC_HEAD.unpack_from(self.buffer, at)
            if length < 4 or length > EXEC_FRAME_MAX:
                raise ValueError(f'exec port: a frame {kind!r} of {length} bytes')
            if len(self.buffer) - at < 5 + length:
                break
            frames.append((kind, sequence, bytes(self.buffer[at + 9:at + 5 + length])))
            at += 5 + length
        del self.buffer[:at]
        return frames


class Marks:
    """Takes bytes of COM1, gives the marks in them: (shell ended, status)."""

    def __init__(self):
        self.tail = b''

    def feed(self, data):
        data = self.tail + data
        marks, end = [], 0
        for m in MARK.finditer(data):
            marks.append((m[1] is not None, int(m[2]) & 255))
            end = m.end()
        rest = data[max(end, len(data) - MARK_BYTES_MAX):]
        escape = rest.rfind(b'\x1b')
        self.tail = rest[escape:] if escape >= 0 else b''
        return marks


def shell_quote(command):
    """One word of ash that evaluates to `command`: at most twice as long, whatever is in it."""
    single = b"'" + command.replace(b"'", b"'\\''") + b"'"
    double = b'"' + re.sub(rb'([\\"$`])', rb'\\\1', command) + b'"'
    return min(single, double, key=len)
