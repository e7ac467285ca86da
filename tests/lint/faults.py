#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every send and every traced commit of ssi/ and sched/ has a fault point: a function that hands
bytes to the network, or records a state change, names one. Points named by two literals are rows
of kernel/faults.def, and each row is named somewhere."""

import re
import sys

import tree

SENDS = re.compile(r'\b(udp_send|udp_reply|tcp_send|tcp_connect|link_send|link_control|'
                   r'nic_send|trace_state)\s*\(')
# Who is called by nobody but a function that has its point, or is below one.
BELOW = {
    ('ssi/cluster/link.c', 'link_send'),             # rpc.c names each message before
    ('ssi/cluster/link.c', 'link_control'),          # cluster.c names each before
    ('ssi/cluster/rpc.c', 'rpc_out'),                # rpc_send and rpc_call
    ('ssi/cluster/link_conn.c', 'link_conn_write'),  # link_conn_load, link_conn_greet
    ('ssi/stream/inet_tcp.c', 'conn_send'),          # a program's bytes, not the cluster's
}
POINT = re.compile(r'\bFAULT(?:_SEND)?\(')
LITERAL = re.compile(r'\bFAULT(?:_SEND)?\(\s*"([^"]+)",\s*"([^"]+)"')
ROW = re.compile(r'FAULT_POINT\("([^"]+)", "([^"]+)"')


def functions(text):
    """(name, first line, body) of each function, by the house's format."""
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line != '{' or i == 0:
            continue
        head = i - 1
        while head > 0 and not re.match(r'[a-zA-Z_]', lines[head]):
            head -= 1
        m = re.search(r'([a-z_0-9]+)\(', lines[head])
        end = next((j for j in range(i, len(lines)) if lines[j] == '}'), len(lines))
        yield m.group(1) if m else '?', head + 1, '\n'.join(lines[i:end])


def main():
    problems, used = [], set()
    for path in tree.files('.c'):
        if not path.startswith(('ssi/', 'sched/')):
            continue
        text = tree.read(path)
        used.update(LITERAL.findall(text))
        if path.startswith('ssi/stream/'):
            continue  # the bytes of programs' own sockets
        for name, line, body in functions(text):
            m = SENDS.search(body)
            if m and not POINT.search(body) and (path, name) not in BELOW:
                problems.append(f'{path}:{line}: {name} calls {m.group(1)} and has no fault point')
    rows = set(ROW.findall(tree.read('kernel/faults.def')))
    for room, state in sorted(used - rows):
        if (room, state) not in {(room, s) for s in ('send', 'reply')}:
            problems.append(f'kernel/faults.def:1: no row for {room}:{state}')
    for room, state in sorted(rows - used):
        problems.append(f'kernel/faults.def:1: nobody comes to {room}:{state}')
    return tree.report('faults', problems)


sys.exit(main())
