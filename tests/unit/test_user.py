# SPDX-License-Identifier: MIT
"""The programs that run on Weft, run on the host: `weft` against a made-up /proc, and workloads.

Run by `make unit`; WEFT_BUILD is the build folder. They are i386 Linux programs, so an x86 Linux
host runs them as they are.
"""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER = pathlib.Path(os.environ.get("WEFT_BUILD", ROOT / "build")) / "user"
STAT = "{pid} ({name}) {state} {ppid} 1 1 0 -1 0 0 0 0 0 {utime} {stime} 0 0 20 0 1 0 5 8192 25 0\n"


@pytest.fixture
def proc(tmp_path):
    """/proc of a cluster of three nodes, one of them gone, with two processes."""
    (tmp_path / "cluster").mkdir()
    (tmp_path / "cluster/nodes").write_text(
        "0 1 online 10.77.0.10 1 20000 5 100\n1 3 online 10.77.0.11 2 30000 1 0\n"
        "2 1 gone 10.77.0.12 1 0 0 0\n")
    (tmp_path / "cluster/control").write_text("")
    (tmp_path / "cluster/policy").write_text("probe1 cpu_probe 5 s\n")
    for pid, name, node in ((1, "init", 0), (32769, "a) \"x\"", 1)):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "stat").write_text(
            STAT.format(pid=pid, name=name, state="S", ppid=0, utime=6150, stime=5))
        (tmp_path / str(pid) / "node").write_text(f"{node}\n")
        (tmp_path / str(pid) / "cantmove").write_text("")
    return tmp_path


def weft(proc, *words):
    return subprocess.run([USER / "weft", *words], env={"WEFT_PROC": str(proc)}, timeout=20,
                          capture_output=True, text=True)


def fails(proc, *words):
    r = weft(proc, *words)
    assert r.returncode == 1 and r.stdout == "" and r.stderr.startswith("weft: "), r
    return r.stderr


def test_nodes(proc):
    lines = weft(proc, "nodes").stdout.splitlines()
    assert lines[0].split() == ["NODE", "INCARNATION", "STATE", "ADDRESS", "CPUS", "FREE-KIB",
                                "PROCESSES", "LOAD"]
    assert lines[2].split() == ["1", "3", "online", "10.77.0.11", "2", "30000", "1", "0"]
    nodes = json.loads(weft(proc, "nodes", "--json").stdout)
    assert [n["state"] for n in nodes] == ["online", "online", "gone"]
    assert nodes[0] == {"id": 0, "incarnation": 1, "state": "online", "address": "10.77.0.10",
                        "cpus": 1, "free_kib": 20000, "processes": 5, "load": 100}


def test_ps(proc):
    lines = weft(proc, "ps").stdout.splitlines()
    assert lines[2].split(None, 6) == ["32769", "1", "0", "S", "1:01.55", "100", 'a) "x"']
    processes = json.loads(weft(proc, "ps", "--json").stdout)
    assert [(p["pid"], p["node"], p["cpu_ms"], p["name"]) for p in processes] == [
        (1, 0, 61550, "init"), (32769, 1, 61550, 'a) "x"')]


def test_migrate(proc):
    assert weft(proc, "migrate", "32769", "0").returncode == 0
    assert (proc / "32769/node").read_text() == "0\n"
    assert "no such process" in fails(proc, "migrate", "77", "0")
    assert "two numbers" in fails(proc, "migrate", "1", "x")
    assert "two numbers" in fails(proc, "migrate", "../1", "0")


def test_node(proc):
    assert weft(proc, "node", "remove", "1").returncode == 0
    assert (proc / "cluster/control").read_text() == "remove 1\n"
    assert weft(proc, "node", "quiesce", "0").returncode == 0
    assert (proc / "cluster/control").read_text() == "quiesce 0\n"
    assert weft(proc, "node", "quiesce").returncode == 0
    assert (proc / "cluster/control").read_text() == "quiesce 1\n"
    assert "joins by itself" in fails(proc, "node", "add")
    assert "want remove" in fails(proc, "node", "remove")


def test_policy_trace_top(proc):
    assert weft(proc, "policy").stdout == "probe1 cpu_probe 5 s\n"
    assert "trace=1" in fails(proc, "trace")
    top = weft(proc, "top", "--once").stdout
    assert "10.77.0.11" in top and "%CPU" in top and "init" in top


def test_run(proc):
    (proc / "self").mkdir()
    (proc / "self/node").write_text("")
    r = weft(proc, "run", "--node", "1", "/bin/sh", "-c", "echo ran; exit 7")
    assert (r.returncode, r.stdout) == (7, "ran\n")
    assert (proc / "self/node").read_text() == "1\n"
    assert weft(proc, "run", "/bin/sh", "-c", "kill -SEGV $$").returncode == 139
    assert weft(proc, "run", "/nonexistent").returncode == 127


def test_later_verbs_and_help(proc):
    for verb in ("checkpoint", "restart", "submit", "queue", "cap"):
        assert "later version" in fails(proc, verb)
    for verb in ("nodes", "ps", "migrate", "node", "policy", "top", "trace", "run", "queue"):
        r = weft(proc, verb, "--help")
        assert r.returncode == 0 and verb in r.stdout and r.stderr == ""
    assert weft(proc).returncode == 1
    assert weft(proc, "fly").returncode == 1
    assert "what is" in fails(proc, "nodes", "--yaml")


def run(*words):
    r = subprocess.run([USER / words[0], *words[1:]], timeout=60, capture_output=True, text=True)
    assert r.returncode == 0
    return r.stdout


def gram_schmidt_sum(n):
    """The same in Python's doubles: IEEE 754, as SSE2 has them."""
    state, cells = 12345, []
    for _ in range(n * n):
        state = (state * 1664525 + 1013904223) % 2**32
        cells.append((state >> 8) / 16777216.0 - 0.5)
    rows = [cells[i * n:(i + 1) * n] for i in range(n)]

    def dot(a, b):
        total = 0.0
        for x, y in zip(a, b):
            total += x * y
        return total

    import struct
    for k in range(n):
        norm = dot(rows[k], rows[k]) ** 0.5
        rows[k] = [x / norm for x in rows[k]]
        for j in range(k + 1, n):
            along = dot(rows[k], rows[j])
            rows[j] = [v - along * q for v, q in zip(rows[j], rows[k])]
    total = 1469598103934665603
    for byte in b"".join(struct.pack("<d", x) for row in rows for x in row):
        total = (total ^ byte) * 1099511628211 % 2**64
    return total


def test_mgs():
    words = run("mgs", "20").split()
    assert words[:3] == ["mgs", "20", f"sum={gram_schmidt_sum(20):016x}"]
    assert float(words[3].removeprefix("orth=")) < 1e-12
    assert run("mgs", "20", "2").split()[2] != words[2]


def test_count():
    state = total = 0
    state = 1
    for _ in range(1000000):
        state = (state * 1664525 + 1013904223) % 2**32
        total += state >> 16
    assert run("count", "1") == f"count 1 sum={total:016x}\n"


def test_touch64():
    out = run("touch64", "8").splitlines()
    assert out[0] == "touch64 8 MiB touched"
    assert out[1].startswith("touch64 8 sum=") and out[1].endswith(" same")
