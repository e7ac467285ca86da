# SPDX-License-Identifier: MIT
"""The verbs of qemu/cluster, as calls to the daemon of a cluster directory."""

import argparse
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import tty

from . import wire
from .cluster import BUILD, NODES_MAX, ROOT
from .loader import PXE_NODES_MAX

COMMAND_BYTES_MAX = 65536
RUNTIME_FILES = ('console', 'qemu', 'img')
TOOL_FAULT = 125


class Refused(Exception):
    """A message for the user; the status of the call is 1 (125 for exec)."""


# -- the daemon of a directory

def lock_directory(directory):
    """The lock file, locked: nothing runs here. None: a daemon has it."""
    lock = open(os.path.join(directory, 'lock'), 'a', encoding='ascii')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return lock
    except BlockingIOError:
        lock.close()
        return None


def connect(directory):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(os.path.join(os.readlink(os.path.join(directory, 'run')), 'daemon'))
        return s
    except OSError:
        s.close()
        return None


def request(directory, verb, **words):
    s = connect(directory)
    if not s:
        raise Refused(f'no cluster runs in {directory}')
    s.sendall(json.dumps({'verb': verb, **words}).encode() + b'\n')
    return s


def read_exactly(stream, count):
    data = stream.read(count)
    if len(data) < count:
        raise Refused('the cluster was taken down')
    return data


def relay(s):
    """Passes the answer on to standard output and error; returns its status."""
    with s, s.makefile('rb') as stream:
        while True:
            kind, length = wire.CLIENT_HEAD.unpack(read_exactly(stream, wire.CLIENT_HEAD.size))
            payload = read_exactly(stream, length)
            if kind == b'x':
                return int(payload)
            out = sys.stdout.buffer if kind == b'o' else sys.stderr.buffer
            out.write(payload)
            out.flush()


def clean(directory):
    """What an earlier cluster left here."""
    for name in os.listdir(directory):
        known = name in ('weft.img', 'policy.wpb', 'switch.log', 'loader.log', 'daemon.log', 'pid',
                         'run')
        if known or (name.startswith('node') and name.split('.')[-1] in RUNTIME_FILES):
            os.unlink(os.path.join(directory, name))


def start_daemon(directory):
    os.makedirs(directory, exist_ok=True)
    lock = lock_directory(directory)
    if not lock:
        raise Refused(f'a cluster runs in {directory} already')
    clean(directory)
    run = tempfile.mkdtemp(prefix='weft-')  # unix socket names are at most 107 bytes
    os.symlink(run, os.path.join(directory, 'run'))
    with open(os.path.join(directory, 'daemon.log'), 'wb') as log:
        daemon = subprocess.Popen(
            [sys.executable, '-B', '-m', 'lab.daemon', directory, run], stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True, pass_fds=[lock.fileno()],
            env={**os.environ, 'PYTHONPATH': os.path.join(ROOT, 'qemu')})
    lock.close()
    for _ in range(1000):
        s = connect(directory)
        if s:
            s.close()
            return
        if daemon.poll() is not None:
            break
        time.sleep(0.01)
    daemon.kill()
    shutil.rmtree(run, ignore_errors=True)
    raise Refused(f'the daemon does not start: see {directory}/daemon.log')


# -- verbs

def verb_up(a):
    if a.boot == 'pxe' and a.nodes > PXE_NODES_MAX:
        raise Refused(f'--boot pxe: at most {PXE_NODES_MAX} nodes, not {a.nodes}')
    for pair in a.add:
        if ':' not in pair:
            raise Refused(f'--add {pair}: is not HOSTPATH:PATH')
        if not os.path.exists(pair.rsplit(':', 1)[0]):
            raise Refused(f'--add {pair}: no such file or folder on this machine')
    for path in (a.key, a.policy if a.policy != 'none' else None):
        if path and not os.path.exists(path):
            raise Refused(f'{path}: no such file')
    options = {
        'nodes': a.nodes, 'smp': a.smp, 'mem': a.mem, 'nic': a.nic, 'cpu': a.cpu,
        'policy': a.policy, 'add': a.add, 'append': a.append, 'append_node': a.append_node,
        'key': a.key, 'boot': a.boot, 'link_mbit': a.link_mbit, 'host_if': a.host_if,
        'pcap': a.pcap and os.path.abspath(a.pcap), 'timeout': a.timeout,
    }
    for name in ('policy', 'key'):
        if options[name] and options[name] != 'none':
            options[name] = os.path.abspath(options[name])
    options['add'] = [os.path.abspath(p.rsplit(':', 1)[0]) + ':' + p.rsplit(':', 1)[1]
                      for p in a.add]
    start_daemon(a.dir)
    try:
        return relay(request(a.dir, 'up', options=options))
    except KeyboardInterrupt:
        verb_down(a)
        raise


def verb_down(a):
    if not os.path.isdir(a.dir):
        return 0
    s = connect(a.dir)
    if s:
        s.sendall(b'{"verb": "down"}\n')
    until = time.monotonic() + 20
    while not (lock := lock_directory(a.dir)):
        if time.monotonic() > until:
            kill_daemon(a.dir)
            until += 20
        time.sleep(0.02)
    lock.close()
    return 0


def kill_daemon(directory):
    """It does not listen. Its QEMUs and its switch die with it."""
    try:
        with open(os.path.join(directory, 'pid'), encoding='ascii') as f:
            os.kill(int(f.read()), signal.SIGKILL)
    except (OSError, ValueError):
        raise Refused(f'the daemon of {directory} does not end') from None


def verb_exec(a):
    command = ' '.join(a.words)
    size = len(os.fsencode(command))
    if size > COMMAND_BYTES_MAX:
        raise Refused(f'the command line has {size} bytes; {COMMAND_BYTES_MAX} are the limit')
    return relay(request(a.dir, 'exec', node=a.node, command=command, timeout=a.timeout))


def verb_put(a):
    host, colon, path = a.pair.rpartition(':')
    if not colon or not path:
        raise Refused(f'{a.pair}: is not HOSTPATH:PATH')
    if not os.path.isfile(host):
        raise Refused(f'{host}: no such file on this machine')
    mode = os.stat(host).st_mode & 0o7777
    return relay(request(a.dir, 'put', node=a.node, host=os.path.abspath(host), path=path,
                         mode=mode))


def verb_console(a):
    s = request(a.dir, 'console', node=a.node)
    if not sys.stdin.isatty():
        return console_piped(s)
    print(f'-- console of node {a.node}; Ctrl-] leaves --')
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        return console_loop(s)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        print()


class Frames:
    """Frames of the daemon from a socket that is polled."""

    def __init__(self, s):
        self.s, self.buffer = s, b''

    def take(self):
        """(ended, status); writes what came."""
        data = self.s.recv(65536)
        self.buffer += data
        while len(self.buffer) >= 5:
            kind, length = wire.CLIENT_HEAD.unpack_from(self.buffer)
            if len(self.buffer) < 5 + length:
                break
            payload, self.buffer = self.buffer[5:5 + length], self.buffer[5 + length:]
            if kind == b'x':
                return True, int(payload)
            os.write(1 if kind == b'o' else 2, payload)
        return not data, 0


def console_loop(s):
    frames = Frames(s)
    while True:
        ready, _, _ = select.select([0, s], [], [])
        if s in ready:
            ended, status = frames.take()
            if ended:
                return status
        if 0 in ready:
            keys = os.read(0, 4096)
            if not keys or b'\x1d' in keys:
                s.sendall(keys.split(b'\x1d')[0])
                return 0
            s.sendall(keys)


def console_piped(s):
    """Keys from a file or pipe: at its end it leaves when the console has been silent for 1 s."""
    frames, keys = Frames(s), True
    while True:
        ready, _, _ = select.select([0, s] if keys else [s], [], [], None if keys else 1)
        if not ready:
            return 0
        if s in ready:
            ended, status = frames.take()
            if ended:
                return status
        if 0 in ready:
            keys = os.read(0, 4096)
            s.sendall(keys)


def verb_logs(a):
    if a.node is None:
        names = [n for n in os.listdir(a.dir) if n.endswith('.console')] \
            if os.path.isdir(a.dir) else []
        numbers = sorted(int(n[4:-8]) for n in names)
    else:
        numbers = [a.node]
    for number in numbers:
        path = os.path.join(a.dir, f'node{number}.console')
        if not os.path.exists(path):
            raise Refused(f'there is no log of node {number} in {a.dir}')
        if a.node is None:
            sys.stdout.buffer.write(b'== node %d\n' % number)
        with open(path, 'rb') as f:
            shutil.copyfileobj(f, sys.stdout.buffer)
    return 0


def verb_node(a):
    return relay(request(a.dir, a.verb, node=a.node))


def verb_cut(a):
    words = ['cut', str(a.a)] + ([str(a.b)] if a.b is not None else [])
    return relay(request(a.dir, 'net', words=words))


def verb_heal(a):
    return relay(request(a.dir, 'net', words=['heal']))


def verb_add(a):
    if a.key and a.key != 'none':
        if not os.path.exists(a.key):
            raise Refused(f'{a.key}: no such file')
        a.key = os.path.abspath(a.key)
    return relay(request(a.dir, 'add', key=a.key, outside=a.outside))


def verb_net(a):
    return relay(request(a.dir, 'net', words=[a.fault] + a.values))


# -- the command line

def seconds(text):
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f'{text} is not a number of seconds')
    return value


def node_count(text):
    if not text.isdigit() or not 1 <= int(text) <= NODES_MAX:
        raise argparse.ArgumentTypeError(f'1 to {NODES_MAX} nodes, not {text}')
    return int(text)


def node_words(text):
    number, colon, words = text.partition(':')
    if not number.isdigit() or not colon:
        raise argparse.ArgumentTypeError(f'{text} is not NODE:WORDS')
    return int(number), words


def node_number(text):
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f'{text} is not a node number')
    return int(text)


def add_up(p):
    p.add_argument('-n', dest='nodes', type=node_count, default=2, metavar='N',
                   help='number of nodes (2)')
    p.add_argument('--smp', type=int, default=int(os.environ.get('WEFT_SMP', '1')), metavar='K',
                   help='CPUs of each node (1, or what WEFT_SMP says)')
    p.add_argument('--mem', default='128', metavar='M', help='memory of each node, MiB (128)')
    p.add_argument('--nic', default='e1000', metavar='MODEL',
                   help='network card: e1000 (default), virtio-net-pci, rtl8139')
    p.add_argument('--cpu', default='qemu32', metavar='MODEL', help='CPU model (qemu32)')
    p.add_argument('--boot', choices=['kernel', 'iso', 'pxe'], default='kernel',
                   help='how the nodes boot: -kernel, GRUB from a CD, iPXE (kernel)')
    p.add_argument('--policy', metavar='FILE.xml|FILE.wpb|none', help='scheduling policy')
    p.add_argument('--add', action='append', default=[], metavar='HOSTPATH:PATH',
                   help='a file or folder of this machine in the root file system')
    p.add_argument('--append', action='append', default=[], metavar='WORDS',
                   help='settings for all nodes (docs/boot.md)')
    p.add_argument('--append-node', action='append', default=[], type=node_words,
                   metavar='NODE:WORDS', help='settings for one node')
    p.add_argument('--key', metavar='FILE', help='cluster key, at least 16 bytes: links are sealed')
    p.add_argument('--link-mbit', type=float, metavar='R', help='speed of each cable')
    p.add_argument('--host-if', metavar='NAME',
                   help='a tap of this network namespace as one more port, 10.77.0.1/24')
    p.add_argument('--pcap', metavar='FILE', help='capture of all frames')
    p.add_argument('--timeout', type=seconds, default=120, metavar='S',
                   help='seconds until all are members (120)')


def add_exec(p):
    p.add_argument('--timeout', type=seconds, default=60, metavar='S',
                   help='seconds until Ctrl-C is sent (60)')
    add_node(p)
    p.add_argument('words', nargs='*', metavar='-- WORDS', help='the command line')


def add_node(p):
    p.add_argument('node', type=node_number, metavar='NODE')


def add_put(p):
    add_node(p)
    p.add_argument('pair', metavar='HOSTPATH:PATH')


def add_logs(p):
    p.add_argument('node', type=node_number, nargs='?', metavar='NODE')


def add_add(p):
    p.add_argument('--key', metavar='FILE|none',
                   help="another cluster key than the others', or none (with --boot kernel)")
    p.add_argument('--outside', action='store_true',
                   help='do not wait until it is a member: it will be none')


def add_cut(p):
    p.add_argument('a', metavar='A')
    p.add_argument('b', nargs='?', metavar='B',
                   help='only the pair A B; h: the host, w: the witness')


def add_net(p):
    p.add_argument('fault', choices=['loss', 'dup', 'reorder', 'corrupt', 'delay', 'seed', 'stat'])
    p.add_argument('values', nargs='*', metavar='VALUE',
                   help='PERCENT; delay MS [JITTER]; seed N')


VERBS = {
    'up': (verb_up, add_up, 'start a cluster; returns when all are members and shells answer'),
    'exec': (verb_exec, add_exec,
             "run a command line in a node's console shell; exit status is the command's, "
             '124 no end in time, 125 a fault of this tool, 126 the node is down'),
    'put': (verb_put, add_put, 'copy a file into the cluster'),
    'console': (verb_console, add_node, 'interactive console; Ctrl-] leaves'),
    'logs': (verb_logs, add_logs, 'the whole console log of a node, or of all'),
    'kill': (verb_node, add_node, "kill a node's QEMU with SIGKILL"),
    'stop': (verb_node, add_node, 'freeze a node'),
    'cont': (verb_node, add_node, 'thaw a node'),
    'cut': (verb_cut, add_cut, "take A's cable, or cut the pair A B, both ways"),
    'heal': (verb_heal, lambda p: None, 'all cables back'),
    'add': (verb_add, add_add, 'start one more node and print its number'),
    'net': (verb_net, add_net, 'faults of all links (0: off), and the counters of each pair'),
    'down': (verb_down, lambda p: None, 'end everything; says nothing when nothing runs'),
}


def parser():
    p = argparse.ArgumentParser(
        prog='qemu/cluster', description='A cluster of QEMU nodes on one switch.',
        epilog='qemu/cluster VERB --help tells more. Every verb takes --dir D '
               '(default build/cluster): several clusters run side by side.')
    verbs = p.add_subparsers(dest='verb', required=True, metavar='VERB')
    for name, (_, arguments, text) in VERBS.items():
        v = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        v.add_argument('--dir', default=os.path.join(BUILD, 'cluster'), metavar='D',
                       help='directory of the cluster')
        arguments(v)
    return p


def split_exec(arguments):
    """The words behind `--` are the command's, whatever they look like."""
    if arguments[:1] == ['exec'] and '--' in arguments:
        at = arguments.index('--')
        return arguments[:at], arguments[at + 1:]
    return arguments, None


def main(arguments):
    if arguments[:1] == ['--dir'] and len(arguments) > 2:  # before the verb is as good
        arguments = [arguments[2], '--dir', arguments[1], *arguments[3:]]
    options, words = split_exec(arguments)
    is_exec = arguments[:1] == ['exec']
    try:
        a = parser().parse_args(options)
        if words is not None:
            a.words = words
        a.dir = os.path.abspath(a.dir)
        return VERBS[a.verb][0](a)
    except Refused as error:
        print(f'qemu/cluster: {error}', file=sys.stderr)
        return TOOL_FAULT if is_exec else 1
    except SystemExit as end:
        return TOOL_FAULT if is_exec and end.code else end.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return TOOL_FAULT if is_exec else 1
    except KeyboardInterrupt:
        return 130
