# SPDX-License-Identifier: MIT
"""mkarchive: the same bytes each time, readable by other cpios, --base, and its refusals.

Run by `make unit`; WEFT_BUILD is the build folder.
"""
import hashlib
import os
import pathlib
import struct
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("WEFT_BUILD", ROOT / "build"))
BUSYBOX = BUILD / "debs/busybox-static/bin/busybox"


def mkarchive(*words, cwd=None, **environment):
    return subprocess.run([BUILD / "host/mkarchive", *map(str, words)], cwd=cwd, timeout=20,
                          capture_output=True, text=True, env={"PATH": "/nowhere", **environment})


def made(*words, **more):
    r = mkarchive(*words, **more)
    assert (r.returncode, r.stderr) == (0, ""), r
    return r.stdout


def refused(tmp_path, *words):
    r = mkarchive("-o", tmp_path / "refused.img", *words)
    assert r.returncode == 1 and r.stderr.startswith("mkarchive: ")
    assert not (tmp_path / "refused.img").exists()
    return r.stderr


def parts(path):
    """The archive as this test reads it: header digest and {kind: bytes}."""
    data = path.read_bytes()
    magic, version, size, count, _, digest = struct.unpack_from("<8sIIII32s", data)
    assert (magic, version, size) == (b"WEFTARC1", 1, len(data))
    found = {}
    for i in range(count):
        kind, offset, length, _ = struct.unpack_from("<4sIII", data, 56 + 16 * i)
        assert offset % 4096 == 0
        found[kind.decode()] = data[offset:offset + length]
    return digest, found


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/tool").write_bytes(b"#!/bin/sh\n" + 5000 * b"x")
    (tree / "bin/tool").chmod(0o755)
    (tree / "empty").write_bytes(b"")
    (tree / "link").symlink_to("bin/tool")
    for path in (tree, tree / "bin"):
        path.chmod(0o755)
    return tree


def test_same_bytes(tmp_path, tree):
    made("-o", tmp_path / "a.img", "--root", tree)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", tree, copy], check=True)
    (copy / "bin/tool").rename(copy / "bin/x")  # another order in the folder, another time
    (copy / "bin/x").rename(copy / "bin/tool")
    os.utime(copy / "bin/tool", (1, 1))
    copy.chmod(0o755), (copy / "bin").chmod(0o755), (copy / "bin/tool").chmod(0o755)
    made("-o", tmp_path / "b.img", "--root", copy)
    assert (tmp_path / "a.img").read_bytes() == (tmp_path / "b.img").read_bytes()
    made("-o", tmp_path / "c.img", "--root", copy, SOURCE_DATE_EPOCH="86400")
    assert (tmp_path / "a.img").read_bytes() != (tmp_path / "c.img").read_bytes()


def test_digest_and_alignment(tmp_path, tree):
    made("-o", tmp_path / "a.img", "--root", tree)
    digest, found = parts(tmp_path / "a.img")
    assert list(found) == ["ROOT"]
    assert digest == hashlib.sha256(found["ROOT"]).digest()
    assert found["ROOT"].index(b"#!/bin/sh\n") % 4096 == 0


@pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox was not fetched")
def test_busybox_reads_it(tmp_path, tree):
    made("-o", tmp_path / "a.img", "--root", tree)
    out = tmp_path / "out"
    out.mkdir()
    root = parts(tmp_path / "a.img")[1]["ROOT"]
    r = subprocess.run([BUSYBOX, "cpio", "-id"], cwd=out, input=root, capture_output=True,
                       timeout=20)
    assert r.returncode == 0
    assert (out / "bin/tool").read_bytes() == (tree / "bin/tool").read_bytes()
    assert (out / "bin/tool").stat().st_mode & 0o7777 == 0o755
    assert os.readlink(out / "link") == "bin/tool"
    assert (out / "empty").read_bytes() == b""


def test_base_and_files(tmp_path, tree):
    policy = BUILD / "policy/paper.wpb"
    made("-o", tmp_path / "base.img", "--root", tree, "--policy", policy, "--settings", "nodes=2")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "new").write_text("new tool\n")
    made("-o", tmp_path / "a.img", "--base", tmp_path / "base.img", "--key", tmp_path / "key",
         "--file", f"{tmp_path}/new:/bin/tool", "--file", f"{tree}:/opt/deep/tree/",
         "--settings", "trace=1")
    _, found = parts(tmp_path / "a.img")
    assert list(found) == ["ROOT", "PLCY", "CKEY", "SETT"]
    assert found["PLCY"] == policy.read_bytes()
    assert found["CKEY"] == hashlib.sha256(bytes(range(32))).digest()
    assert found["SETT"] == b"nodes=2 trace=1"
    listing = made("--list", tmp_path / "a.img")
    assert "100644        9 /bin/tool\n" in listing
    assert "040755        0 /opt/deep\n" in listing
    assert "100755     5010 /opt/deep/tree/bin/tool\n" in listing
    assert "120777        8 /link -> bin/tool\n" in listing
    made("-o", tmp_path / "b.img", "--base", tmp_path / "a.img", "--policy", "none")
    assert "PLCY" not in parts(tmp_path / "b.img")[1]


def test_base_alone_changes_nothing(tmp_path, tree):
    made("-o", tmp_path / "a.img", "--root", tree, "--settings", "x=1")
    made("-o", tmp_path / "b.img", "--base", tmp_path / "a.img")
    assert (tmp_path / "a.img").read_bytes() == (tmp_path / "b.img").read_bytes()


def test_refusals(tmp_path, tree):
    (tmp_path / "short").write_bytes(b"12345")
    file = tree / "bin/tool"
    assert "No such file" in refused(tmp_path, "--root", tmp_path / "none")
    assert "HOSTPATH:PATH" in refused(tmp_path, "--file", file)
    assert "No such file" in refused(tmp_path, "--file", f"{tmp_path}/none:/x")
    assert ".." in refused(tmp_path, "--file", f"{file}:/a/../b")
    assert "no folder" in refused(tmp_path, "--root", tree, "--file", f"{file}:/empty/x")
    assert "not a boot archive" in refused(tmp_path, "--base", file)
    assert "not a policy blob" in refused(tmp_path, "--policy", file)
    assert "at least 16" in refused(tmp_path, "--key", tmp_path / "short")
    assert "control character" in refused(tmp_path, "--settings", "a\nb")
    assert "4096" in refused(tmp_path, "--settings", 5000 * "x")
    made("-o", tmp_path / "a.img", "--root", tree)
    data = bytearray((tmp_path / "a.img").read_bytes())
    data[5000] ^= 1
    (tmp_path / "bad.img").write_bytes(data)
    assert "damaged" in refused(tmp_path, "--base", tmp_path / "bad.img")


def test_usage():
    assert mkarchive().returncode == 1
    assert mkarchive("--root").returncode == 1
    assert "--base" in made("--help")
