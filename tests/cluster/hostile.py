# SPDX-License-Identifier: MIT
"""A hostile port: takes what a capture of the switch holds and says it again from a port of its
own, as it was, broken, or changed with care (checksums fit); and greetings, beacons, witness's
answers, ARP of its own making. By seed."""

import os
import random
import select
import socket
import struct

LINK, BEACON, WITNESS = 7701, 7700, 7702


def switch_command(directory, words):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(os.path.join(os.readlink(os.path.join(directory, 'run')), 'switch'))
        s.sendall((' '.join(words) + '\n').encode())
        answer = b''
        while not answer.endswith(b'ok\n'):
            more = s.recv(4096)
            assert more and not answer.startswith(b'error'), answer
            answer += more


def frames_of(path):
    """The frames of a capture file; a last one that is not whole is left out."""
    with open(path, 'rb') as f:
        data = f.read()
    at, frames = 24, []
    while at + 16 <= len(data):
        size = struct.unpack_from('<I', data, at + 8)[0]
        if at + 16 + size > len(data):
            break
        frames.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return frames


def sum16(data):
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def fit_sums(frame):
    """Checksums of IPv4 and TCP or UDP as they should be."""
    f = bytearray(frame)
    if len(f) < 54 or f[12:14] != b'\x08\0' or f[14] != 0x45 or f[23] not in (6, 17):
        return bytes(f)
    size = struct.unpack_from('>H', f, 16)[0]
    at = 34 + (16 if f[23] == 6 else 6)
    if size > len(f) - 14 or size < 40:
        return bytes(f)
    f[24:26] = f[at:at + 2] = b'\0\0'
    struct.pack_into('>H', f, 24, sum16(bytes(f[14:34])))
    l4 = bytes(f[34:14 + size])
    struct.pack_into('>H', f, at, sum16(bytes(f[26:34]) + struct.pack('>HH', f[23], len(l4)) + l4))
    return bytes(f)


def udp(source, target, port_from, port_to, payload):
    """A broadcast frame with a datagram."""
    head = struct.pack('>HHHH', port_from, port_to, 8 + len(payload), 0)
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0,
                     socket.inet_aton(source), socket.inet_aton(target))
    return fit_sums(b'\xff' * 6 + b'\x52\x54\0\x77\0\x99' + b'\x08\0' + ip + head + payload +
                    b'\0' * 20)


class HostilePort:
    def __init__(self, directory, name='x'):
        path = os.path.join(os.readlink(os.path.join(directory, 'run')), 'hostile')
        switch_command(directory, ['port', name, path])
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(60)
        self.s.connect(path)
        self.sent = 0

    def send(self, frame):
        """What comes the other way is thrown away, so that the switch is not held up."""
        frame = frame.ljust(60, b'\0')[:1514]
        self.s.sendall(struct.pack('>I', len(frame)) + frame)
        self.sent += 1
        while self.sent % 16 == 0 and select.select([self.s], [], [], 0)[0]:
            if not self.s.recv(1 << 16):
                break

    def close(self):
        self.s.close()


def changed(r, frame, times):
    f = bytearray(frame)
    for _ in range(times):
        f[r.randrange(14, len(f))] = r.randrange(256)
    return bytes(f)


def own(r, frames):
    """One of our own making: beacons of many boots, a witness that was not asked, wild ARP."""
    kind = r.randrange(4)
    source = f'10.77.0.{r.randrange(10, 14)}'
    if kind == 0:
        beacons = [f for f in frames if len(f) >= 42 and f[23] == 17
                   and f[36:38] == struct.pack('>H', BEACON)]
        beacon = bytearray(r.choice(beacons)[42:]) if beacons else bytearray(100)
        beacon[24:32] = r.randbytes(8)  # the boot's key
        return udp(source, '255.255.255.255', BEACON, BEACON, bytes(beacon))
    if kind == 1:
        return udp('10.77.0.2', source, WITNESS, r.randrange(1024, 65536), r.randbytes(40))
    if kind == 2:
        return udp(source, '10.77.0.2', BEACON, WITNESS, r.randbytes(40))
    return b'\xff' * 6 + r.randbytes(r.randrange(8, 200))


def attack(port, frames, count, seed, careful=True):
    """`count` frames. `careful`: some are changed so that all checksums fit; without a seal such a
    frame in the window of a live connection is as good as its owner's, so those stay out."""
    r = random.Random(seed)
    for _ in range(count):
        kind = r.randrange(4)
        frame = r.choice(frames)
        if kind == 1:
            frame = changed(r, frame, r.randrange(1, 5))
        elif kind == 2 and careful:
            frame = fit_sums(changed(r, frame, r.randrange(1, 5)))
        elif kind == 3:
            frame = own(r, frames)
        port.send(frame)
