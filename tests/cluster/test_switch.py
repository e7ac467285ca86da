# SPDX-License-Identifier: MIT
"""The switch, spoken to directly on its ports: no kernel, no QEMU."""

import collections
import os
import socket
import struct
import subprocess
import time

import pytest

import weft

SWITCH = os.path.join(weft.BUILD, 'host', 'switch')
BROADCAST = b'\xff' * 6
WITNESS_MAC, WITNESS_IP = bytes.fromhex('525400770002'), bytes([10, 77, 0, 2])


def mac(number):
    return bytes([0x52, 0x54, 0, 0x77, 0, 0x10 + number])


class Port:
    """What QEMU does on a port: frames with a big-endian length."""

    def __init__(self, path, number):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(path)
        self.number, self.buffer = number, b''

    def send(self, to, payload, source=None):
        to = BROADCAST if to is None else mac(to) if isinstance(to, int) else to
        frame = to + (source or mac(self.number)) + payload
        self.s.sendall(struct.pack('>I', len(frame)) + frame)

    def receive(self, seconds=0.3):
        """All frames that come until it is silent for `seconds`."""
        frames = []
        self.s.settimeout(seconds)
        while True:
            while len(self.buffer) >= 4:
                length = struct.unpack_from('>I', self.buffer)[0]
                if len(self.buffer) < 4 + length:
                    break
                frames.append(self.buffer[4:4 + length])
                self.buffer = self.buffer[4 + length:]
            try:
                data = self.s.recv(1 << 20)
            except TimeoutError:
                return frames
            assert data, 'the switch hung up'
            self.buffer += data


class Switch:
    def __init__(self, folder, ports=3, options=(), prefix=()):
        self.folder = folder
        control = f'{folder}/control'
        self.process = subprocess.Popen([*prefix, SWITCH, '--control', control, '--limit', '60',
                                         *options])
        weft.wait_for('the control socket', lambda: os.path.exists(control), 5, 0.01)
        time.sleep(0.05)
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(control)
        self.lines = self.s.makefile('r')
        self.ports = []
        for number in range(ports):
            self.add(number)

    def add(self, number):
        self.command(f'port {number} {self.folder}/port{number}')
        self.ports.append(self.plug(number))

    def plug(self, number):
        port = Port(f'{self.folder}/port{number}', number)
        self.command('stat')  # answered after the switch has looked at its ports
        return port

    def learn(self):
        """Every port says where it is."""
        for port in self.ports:
            port.send(None, b'\x88\xb5hello'.ljust(50))
        for port in self.ports:
            port.receive(0.1)

    def command(self, text):
        self.s.sendall(text.encode() + b'\n')
        answer = []
        for line in self.lines:
            if line == 'ok\n':
                return answer
            assert not line.startswith('error'), f'{text}: {line}'
            answer.append(line.split())
        raise AssertionError('the switch is gone')

    def stat(self):
        rows = self.command('stat')
        return {(r[0], r[1]): dict(zip(rows[0][2:], map(int, r[2:]))) for r in rows[1:]}

    def close(self):
        self.process.terminate()
        assert self.process.wait(5) == 0


@pytest.fixture
def start(tmp_path):
    started = []

    def start_switch(*words, **options):
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Switch(str(folder), *words, **options))
        return started[-1]
    yield start_switch
    for switch in started:
        switch.close()


def numbered(i, size=100):
    return b'\x88\xb5' + struct.pack('<I', i).ljust(size, b'.')


def numbers(frames):
    return [struct.unpack_from('<I', f, 14)[0] for f in frames]


def test_unicast_goes_only_to_its_owner_once_known(start):
    s = start()
    s.ports[0].send(1, numbered(1))
    assert [len(p.receive(0.1)) for p in s.ports] == [0, 1, 1], 'unknown: to all but the sender'
    s.learn()
    before = s.stat()
    s.ports[0].send(1, numbered(2))
    assert [len(p.receive(0.1)) for p in s.ports] == [0, 1, 0]
    after = s.stat()
    assert after['0', '1']['frames'] - before['0', '1']['frames'] == 1
    assert after['0', '1']['bytes'] - before['0', '1']['bytes'] == 12 + len(numbered(2))
    assert after['0', '2'] == before['0', '2']


def test_a_clean_switch_loses_nothing_and_keeps_order(start):
    s = start()
    s.learn()
    got = []
    for block in range(10):
        for i in range(200):
            s.ports[0].send(1, numbered(200 * block + i, 1400))
        got += numbers(s.ports[1].receive(0.05))
    assert got == list(range(2000))


def fate(switch, seed, faults, count=1500):
    """Sends numbered frames 0 -> 1 and 2 -> 1; which arrived, in order, per sender."""
    for fault in faults:
        switch.command(fault)
    switch.command(f'seed {seed}')
    arrived = {0: [], 2: []}
    for block in range(0, count, 100):
        for i in range(block, block + 100):
            switch.ports[0].send(1, numbered(i))
            switch.ports[2].send(1, numbered(i))
        for frame in switch.ports[1].receive(0.03):
            arrived[frame[11] - 0x10].append(numbers([frame])[0])
    for frame in switch.ports[1].receive(0.1):
        arrived[frame[11] - 0x10].append(numbers([frame])[0])
    return arrived


def test_loss_and_duplicates_repeat_by_seed_per_pair(start):
    runs = []
    for seed in (42, 42, 43):
        s = start()
        s.learn()
        runs.append(fate(s, seed, ['loss 5', 'dup 3']))
    assert runs[0] == runs[1], 'same seed, same frames, same fate'
    assert runs[0] != runs[2] and runs[0][0] != runs[0][2]
    for arrived in runs[0].values():
        lost = 1500 - len(set(arrived))
        twins = sum(n > 1 for n in collections.Counter(arrived).values())
        assert 40 <= lost <= 115 and 20 <= twins <= 75


def test_counters_tell_the_faults_that_happened(start):
    s = start()
    s.learn()
    before = s.stat()['0', '1']
    arrived = fate(s, 7, ['loss 10', 'dup 5', 'corrupt 0', 'reorder 10'])[0]
    after = s.stat()['0', '1']
    count = {name: after[name] - before[name] for name in after}
    twins = sum(n > 1 for n in collections.Counter(arrived).values())
    assert count['lost'] == 1500 - len(set(arrived)) > 0
    assert count['dup'] == twins > 0
    assert count['frames'] == len(arrived)
    assert 80 < count['reordered'] < 220 and arrived != sorted(arrived)


def test_corrupt_flips_one_bit(start):
    s = start()
    s.learn()
    s.command('corrupt 100')
    for i in range(50):
        s.ports[0].send(1, numbered(i, 1000))
    flips = []
    for i, frame in enumerate(s.ports[1].receive()):
        sent = mac(1) + mac(0) + numbered(i, 1000)
        flips.append(sum(bin(a ^ b).count('1') for a, b in zip(sent, frame)))
    assert flips == [1] * 50
    s.command('corrupt 0')
    s.ports[0].send(1, numbered(1))
    assert numbers(s.ports[1].receive()) == [1]


def test_reordered_frame_without_successor_still_arrives(start):
    s = start()
    s.learn()
    s.command('reorder 100')
    s.ports[0].send(1, numbered(1))
    assert numbers(s.ports[1].receive(0.2)) == [1]


def test_delay_holds_for_all_links(start):
    s = start()
    s.learn()
    s.command('delay 120 20')
    for i in range(20):
        s.ports[0].send(1, numbered(i))
    began = time.monotonic()
    assert s.ports[1].receive(0.06) == []
    s.ports[1].s.settimeout(2)
    s.ports[1].buffer += s.ports[1].s.recv(4)
    assert time.monotonic() - began > 0.09
    assert numbers(s.ports[1].receive()) == list(range(20)), 'jitter keeps the order of a pair'


def test_cut_pair_node_and_heal(start):
    s = start()
    s.learn()

    def reached():
        for port in s.ports:
            port.send(None, numbered(port.number))
        return [sorted(numbers(p.receive(0.1))) for p in s.ports]
    assert reached() == [[1, 2], [0, 2], [0, 1]]
    s.command('cut 0 1')
    assert reached() == [[2], [2], [0, 1]]
    s.command('cut 2')
    assert reached() == [[], [], []]
    assert s.stat()['0', '1']['cut'] == 2
    s.command('heal')
    assert reached() == [[1, 2], [0, 2], [0, 1]]


def test_slow_port_loses_frames_and_blocks_nobody(start):
    s = start()
    s.learn()
    for i in range(4500):
        s.ports[0].send(1, numbered(i, 1400))
        if i % 100 == 0:
            s.ports[0].send(2, numbered(i))
    assert numbers(s.ports[2].receive()) == list(range(0, 4500, 100))
    stat = s.stat()
    full = stat['0', '1']['full']
    assert full > 0 and stat['0', '2']['full'] == 0
    assert len(s.ports[1].receive()) == 4500 - full


def test_link_rate_is_kept(start):
    s = start()
    s.learn()
    s.command('rate 10')
    began = time.monotonic()
    for i in range(100):
        s.ports[0].send(1, numbered(i, 1488))
    frames = []
    while len(frames) < 100:
        frames += s.ports[1].receive(0.02)
    assert 0.115 < time.monotonic() - began < 0.5, '100 frames of 1.2 ms'
    assert numbers(frames) == list(range(100))


def test_port_is_free_again_and_ports_come_later(start):
    s = start(2)
    s.learn()
    s.ports[1].s.close()
    time.sleep(0.1)
    s.ports[1] = s.plug(1)
    s.add(2)
    s.ports[0].send(None, numbered(5))
    assert [numbers(p.receive(0.1)) for p in s.ports] == [[], [5], [5]]


def test_malformed_length_hangs_up_that_port_only(start):
    s = start()
    s.learn()
    s.ports[2].s.sendall(b'\xff\xff\xff\xffgarbage')
    s.ports[0].send(1, numbered(1))
    assert numbers(s.ports[1].receive()) == [1]
    assert s.ports[2].s.recv(100) == b''


def test_wrong_commands_are_refused_in_words(start):
    s = start()
    for text, told in (('loss 101', 'loss: 101'), ('loss', 'wrong number'), ('delay 5 9', 'delay'),
                       ('nonsense', 'no such command'), ('cut 9', 'no such port'),
                       ('seed -1', 'seed'), ('loss nan', 'loss: nan'), ('port 0 /x', 'exists')):
        with pytest.raises(AssertionError, match=told):
            s.command(text)
    s.command('heal')


def test_capture_holds_every_frame_sent(start, tmp_path):
    pcap = tmp_path / 'all.pcap'
    s = start(options=['--pcap', str(pcap)])
    s.command('loss 100')
    for i in range(30):
        s.ports[0].send(1, numbered(i))
    time.sleep(0.1)
    s.process.terminate()
    s.process.wait(5)
    data, found, at = pcap.read_bytes(), [], 24
    assert struct.unpack_from('<IHH', data) == (0xa1b23c4d, 2, 4)
    while at < len(data):
        length = struct.unpack_from('<I', data, at + 8)[0]
        found.append(data[at + 16:at + 16 + length])
        at += 16 + length
    assert numbers(found) == list(range(30))


def checksum(data):
    data += b'\0' * (len(data) % 2)
    total = sum(struct.unpack(f'>{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp(number, payload, wrong=0):
    source = bytes([10, 77, 0, 10 + number])
    head = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, source,
                       WITNESS_IP)
    head = head[:10] + struct.pack('>H', checksum(head)) + head[12:]
    segment = struct.pack('>HHHH', 4000 + number, 7702, 8 + len(payload), 0) + payload
    pseudo = source + WITNESS_IP + struct.pack('>HH', 17, len(segment))
    check = checksum(pseudo + segment) ^ wrong
    return b'\x08\x00' + head + segment[:6] + struct.pack('>H', check) + segment[8:]


def ask(number, epoch, nonce):
    return struct.pack('<IBBHQQQII', 0x54495757, 1, 1, number, 11, 22, nonce, 1, epoch)


def witness_answers(port):
    """(kind, epoch) of each answer, its checksums verified."""
    answers = []
    for f in port.receive(0.1):
        if f[:6] != mac(port.number):
            continue  # flooded before the switch knew the witness
        assert f[6:12] == WITNESS_MAC and checksum(f[14:34]) == 0
        length = struct.unpack_from('>H', f, 38)[0]
        assert checksum(f[26:34] + struct.pack('>HH', 17, length) + f[34:34 + length]) == 0
        assert struct.unpack_from('>HH', f, 34) == (7702, 4000 + port.number)
        answers.append((f[42 + 5], struct.unpack_from('<I', f, 42 + 36)[0]))
    return answers


def test_witness_answers_arp(start):
    s = start(1)
    request = bytes.fromhex('0806000108000604') + b'\0\1' + mac(0) + bytes([10, 77, 0, 10]) + \
        b'\0' * 6
    s.ports[0].send(None, request + WITNESS_IP)
    s.ports[0].send(None, request + bytes([10, 77, 0, 3]))
    answers = s.ports[0].receive()
    assert len(answers) == 1 and answers[0][20:42] == \
        b'\0\2' + WITNESS_MAC + WITNESS_IP + mac(0) + bytes([10, 77, 0, 10])


def test_witness_grants_an_epoch_once(start):
    s = start()
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100)))
    assert witness_answers(s.ports[0]) == [(2, 5)]
    s.ports[1].send(WITNESS_MAC, udp(1, ask(1, 5, 200)))
    assert witness_answers(s.ports[1]) == [(3, 5)]
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100)))
    assert witness_answers(s.ports[0]) == [(2, 5)], 'the same asker hears the same'


def test_witness_is_silent_to_damage_and_behind_a_cut(start):
    s = start(1)
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100), wrong=1))
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100)[:-1]))
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100))[:40])
    assert witness_answers(s.ports[0]) == []
    s.command('cut 0 w')
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100)))
    assert witness_answers(s.ports[0]) == []
    assert s.stat()['0', 'w']['cut'] == 1
    s.command('heal')
    s.ports[0].send(WITNESS_MAC, udp(0, ask(0, 5, 100)))
    assert witness_answers(s.ports[0]) == [(2, 5)]


def test_host_on_a_tap_answers_arp(start):
    """--host-if: Linux of the present network namespace is 10.77.0.1 on one more port."""
    own = ['unshare', '-n'] if os.geteuid() == 0 else ['unshare', '-rn']
    if subprocess.run([*own, 'true'], check=False).returncode:
        pytest.skip('no network namespace of our own here')
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        pytest.skip('no /dev/net/tun')
    s = start(1, options=['--host-if', 'weft0'], prefix=own)
    request = bytes.fromhex('0806000108000604') + b'\0\1' + mac(0) + bytes([10, 77, 0, 10]) + \
        b'\0' * 6 + bytes([10, 77, 0, 1])
    s.ports[0].send(None, request)
    answers = [f for f in s.ports[0].receive() if f[12:14] == b'\x08\x06' and f[21] == 2]
    assert len(answers) == 1 and answers[0][28:32] == bytes([10, 77, 0, 1])
    assert s.stat()['h', '0']['frames'] >= 1
