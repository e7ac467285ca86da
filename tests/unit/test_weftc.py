# SPDX-License-Identifier: MIT
"""weftc: Listing 1 as printed, errors at the right line and column, hostile XML, nothing written.

Run by `make unit`; WEFT_BUILD is the build folder.
"""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEFTC = pathlib.Path(os.environ.get("WEFT_BUILD", ROOT / "build")) / "host" / "weftc"
PAPER = ROOT / "sched" / "policies" / "paper"
LISTING = ROOT.parent / "shared" / "reference" / "listing1"
NAMES = ["probes.xml", "local_analyzers.xml", "scheduling_managers.xml"]
DECLARATION = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'


def weftc(*words, cwd=None):
    return subprocess.run([WEFTC, *words], cwd=cwd, capture_output=True, timeout=20,
                          text=True, errors="replace")


@pytest.fixture
def paper(tmp_path):
    """A folder with Listing 1, to be spoilt."""
    for name in NAMES:
        shutil.copy(PAPER / name, tmp_path / name)
    return tmp_path


def errors(folder, *files):
    """Positions and texts of the errors; nothing may be written."""
    before = sorted(folder.iterdir())
    r = weftc("-o", "out.wpb", *(files or NAMES), cwd=folder)
    assert r.returncode == 1
    assert r.stdout == ""
    assert sorted(folder.iterdir()) == before, "something was written"
    found = []
    for line in r.stderr.splitlines():
        m = re.fullmatch(r"([^:]+):(\d+):(\d+): error: (.+)", line)
        assert m, line
        found.append((m[1], int(m[2]), int(m[3]), m[4]))
    assert found == sorted(found, key=lambda e: (list(files or NAMES).index(e[0]), e[1], e[2]))
    return found


def one_error(folder, *files):
    found = errors(folder, *files)
    assert len(found) == 1, found
    return found[0]


def spoil(folder, name, old, new):
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


def test_paper_is_listing_1():
    if not LISTING.is_dir():
        pytest.skip("no shared/reference/listing1 beside the clone")
    for name in NAMES:
        assert (PAPER / name).read_bytes() == (LISTING / name).read_bytes()


def test_accepts_listing_1_in_every_form(paper):
    blobs = []
    everything = "".join((paper / n).read_text() for n in ["local_analyzers.xml", "probes.xml",
                                                           "scheduling_managers.xml"])
    (paper / "all").mkdir()
    (paper / "all" / "all.xml").write_text(everything)
    for words in (NAMES, ["."], ["all"], ["all/all.xml"], list(reversed(NAMES))):
        r = weftc("-o", "out.wpb", *words, cwd=paper)
        assert (r.returncode, r.stdout, r.stderr) == (0, "", "")
        blobs.append((paper / "out.wpb").read_bytes())
        (paper / "out.wpb").unlink()
    assert len(set(blobs)) == 1
    assert blobs[0].startswith(b"WEFTPOL1")
    assert weftc("--check", *NAMES, cwd=paper).returncode == 0
    assert not (paper / "out.wpb").exists()


def test_dump_is_the_listing(paper):
    assert weftc("-o", "out.wpb", *NAMES, cwd=paper).returncode == 0
    listing = "".join((paper / n).read_text() for n in NAMES)
    assert weftc("--dump", "out.wpb", cwd=paper).stdout == listing
    assert weftc("--dump", *NAMES, cwd=paper).stdout == listing


def test_dump_round_trip(paper):
    spoil(paper, "probes.xml", "<time>5<", "<time>0.25<")
    spoil(paper, "scheduling_managers.xml", "<nodes>all<", "<nodes>0, 2-5,9<")
    assert weftc("-o", "a.wpb", *NAMES, cwd=paper).returncode == 0
    dump = weftc("--dump", "a.wpb", cwd=paper).stdout
    assert "<time>0.25</time>" in dump and "<nodes>0,2-5,9</nodes>" in dump
    (paper / "dump.xml").write_text(dump)
    assert weftc("-o", "b.wpb", "dump.xml", cwd=paper).returncode == 0
    assert (paper / "a.wpb").read_bytes() == (paper / "b.wpb").read_bytes()


def test_every_flipped_bit_of_a_blob_is_refused(paper):
    assert weftc("-o", "a.wpb", *NAMES, cwd=paper).returncode == 0
    good = (paper / "a.wpb").read_bytes()
    for bit in range(0, 8 * len(good), 37):  # all of them: test_blob.c
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        (paper / "b.wpb").write_bytes(bad)
        r = weftc("--dump", "b.wpb", cwd=paper)
        assert r.returncode == 1 and r.stderr, bit


def test_five(paper):
    spoil(paper, "probes.xml", "<time>5<", "<time>five<")
    assert one_error(paper) == (
        "probes.xml", 7, 5,
        '<time> wants seconds, a decimal number from 0.001 to 86400, not "five"')


@pytest.mark.parametrize("value", ["five", "0", "-1", "86401", "1e3", "0x5", "+5", "5 5", "1.",
                                   ".", "0.0001", "99999999999999999999", "5s", "NaN", "5,5"])
def test_bad_times(paper, value):
    spoil(paper, "probes.xml", "<time>5<", f"<time>{value}<")
    assert one_error(paper)[:3] == ("probes.xml", 7, 5)


@pytest.mark.parametrize("value,seconds", [("0.5", "0.5"), ("86400", "86400"), ("0.001", "0.001"),
                                           (" 5\n", "5"), ("005.250", "5.25"),
                                           ("<!-- c -->5", "5"), ("<![CDATA[5]]>", "5"),
                                           ("&#53;", "5")])
def test_good_times(paper, value, seconds):
    spoil(paper, "probes.xml", "<time>5<", f"<time>{value}<")
    assert f"<time>{seconds}</time>" in weftc("--dump", *NAMES, cwd=paper).stdout


@pytest.mark.parametrize("value", ["some", "0-", "5-2", "0,,1", "0,0", "2-5,3", "256", "-1", "0,",
                                   "99999999999", "all,1", "0;1"])
def test_bad_nodes(paper, value):
    spoil(paper, "scheduling_managers.xml", "<nodes>all<", f"<nodes>{value}<")
    assert one_error(paper)[:3] == ("scheduling_managers.xml", 4, 5)


BAD = [  # file, old, new, line, column, words
    ("probes.xml", "cpu_probe", "disk_probe", 5, 5, "disk_probe is not known"),
    ("probes.xml", "cpu_probe", "cpu_local_analyzer", 5, 5, "name of a local analyzer"),
    ("probes.xml", "<name>probe1</name>", "", 4, 3, "<active_probe> lacks <name>"),
    ("probes.xml", "<name>probe1</name>", "<name/>", 6, 5, "<name> is empty"),
    ("probes.xml", "<name>probe1</name>", "<name>a b</name>", 6, 5, "letters"),
    ("probes.xml", "<name>probe1</name>", "<name>" + 32 * "x" + "</name>", 6, 5, "1 to 31"),
    ("probes.xml", "<time>5</time>", "<time>5</time><time>6</time>", 7, 19, "stands twice"),
    ("probes.xml", "<time>5</time>", "<time>5</time><speed>6</speed>", 7, 19,
     "<speed> is not known"),
    ("probes.xml", "<time>5</time>", "<time><x>5</x></time>", 7, 11, "<x> is not known in <time>"),
    ("probes.xml", "<time>5</time>", "<time>5</time>stray", 4, 3, 'stray text "stray"'),
    ("probes.xml", "<active_probe>", '<active_probe kind="a">', 4, 3, 'attribute "kind"'),
    ("probes.xml", "<active_probe>", '<active_probe xmlns="urn:x">', 4, 3, "namespace"),
    ("local_analyzers.xml", "<probe>probe1<", "<probe>probe2<", 7, 7, 'no probe "probe2"'),
    ("local_analyzers.xml", "</probe>\n", "</probe><probe>probe1</probe>\n", 7, 28, "twice"),
    ("local_analyzers.xml", "<probe>probe1</probe>", "", 6, 5, "<probes> holds no <probe>"),
    ("scheduling_managers.xml", "<name>cpu_analyzer<", "<name>cpu<", 9, 9,
     'no local analyzer "cpu"'),
    ("scheduling_managers.xml", "<global_infos>cpu_table</global_infos>", "", 8, 7,
     "lacks <global_infos>"),
    ("scheduling_managers.xml", "cpu_scheduling_manager", "best", 6, 5, "best is not known"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda c: c[5])
def test_bad_elements(paper, case):
    name, old, new, line, column, words = case
    spoil(paper, name, old, new)
    found = errors(paper)
    assert (name, line, column) in [e[:3] for e in found], found
    assert any(words in e[3] for e in found if e[:3] == (name, line, column)), found


def test_duplicates(paper):
    spoil(paper, "probes.xml", "</probes>", "  <active_probe><file>cpu_probe</file><name>probe1"
          "</name><time>1</time></active_probe>\n</probes>")
    file, line, column, text = one_error(paper)
    assert (file, line, column) == ("probes.xml", 9, 39)
    assert text == 'there are two probes "probe1"; the first is at probes.xml:4'


def test_all_errors_in_one_run(paper):
    spoil(paper, "probes.xml", "<time>5<", "<time>five<")
    spoil(paper, "local_analyzers.xml", "<probe>probe1<", "<probe>probe9<")
    spoil(paper, "scheduling_managers.xml", "<nodes>all<", "<nodes>some<")
    spoil(paper, "scheduling_managers.xml", "cpu_scheduling_manager", "nobody")
    assert [e[:3] for e in errors(paper)] == [
        ("probes.xml", 7, 5), ("local_analyzers.xml", 7, 7),
        ("scheduling_managers.xml", 4, 5), ("scheduling_managers.xml", 6, 5)]


def test_positions_in_one_file_count_from_its_top(paper):
    text = "\n \n" + "".join((paper / n).read_text() for n in NAMES)
    text = text.replace(">all<", ">none<").replace(">probe1</probe>", ">probeX</probe>")
    (paper / "one.xml").write_text(text)
    lines = text.splitlines()
    want = [(1 + next(i for i, line in enumerate(lines) if word in line), column)
            for word, column in (("probeX", 7), ("none", 5))]
    assert [e[1:3] for e in errors(paper, "one.xml")] == want


def position_of(text, mark):
    at = text.index(mark)
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


TRICKS = [
    "\t\t<time>five</time>",
    "<!-- <time>5</time> <x> --><time>five</time>",
    "<!-- \n\n <time> -->  <time\n\n>five</time\n>",
    "<?pi <time>5</time> > ?>\t<time>five</time>",
    " " * 70000 + "<time>five</time>",
    "\n" * 70000 + " <time>five</time>",
    "<!-- \u00e9\u00e8\u00fc --><time>five</time>",
    "\r\n<time>five</time>",
    "<time><![CDATA[<time>]]></time>",
]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8"])
@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_positions(paper, trick, encoding):
    text = (paper / "probes.xml").read_text().replace("ISO-8859-1", encoding)
    text = text.replace("<time>5</time>", "@" + trick)
    mark = "<time\n" if "<time\n" in trick else "<time>" + trick.split("<time>")[-1][:4]
    if "CDATA" in trick:
        mark = "<time><!["
    want = position_of(text.replace("@", ""), mark)
    (paper / "probes.xml").write_bytes(text.replace("@", "").encode(encoding))
    assert one_error(paper)[1:3] == want


def test_tag_in_an_attribute_is_no_tag(paper):
    spoil(paper, "probes.xml", "<file>cpu", '<file a=">" b=\'x > "y"\'>cpu')
    spoil(paper, "probes.xml", "<time>5<", "<time>five<")
    assert [e[1:3] for e in errors(paper)] == [(5, 5), (5, 5), (7, 5)]


@pytest.mark.parametrize("name", NAMES)
def test_truncated_anywhere(paper, name):
    whole = (PAPER / name).read_bytes().rstrip()
    for size in range(0, len(whole), 3):
        (paper / name).write_bytes(whole[:size])
        found = errors(paper)
        assert [e[0] for e in found] == [name]


def test_truncated_position(paper):
    (paper / "probes.xml").write_text(DECLARATION + "<probes>\n  <active_probe>\n    <file>")
    file, line, column, text = one_error(paper)
    assert (line, column) == (4, 5) and "<file> is not ended" in text


def test_wrong_end_tag(paper):
    spoil(paper, "probes.xml", "</name>", "</nome>")
    file, line, column, text = one_error(paper)
    assert (line, column) == (6, 5) and "mismatch" in text


def test_bad_utf8(paper):
    (paper / "probes.xml").write_bytes(b"<probes>\n <active_probe>\n  <file>\xc3\x28</file>")
    assert one_error(paper)[1:3] == (3, 9)
    (paper / "probes.xml").write_bytes(b"<probes>\xc3\xa9\xed\xa0\x80</probes>")
    assert one_error(paper)[1:3] == (1, 10)


def test_nul_and_other_encodings(paper):
    (paper / "probes.xml").write_bytes(b"<probes>\n\0</probes>")
    assert one_error(paper)[1:3] == (2, 1)
    (paper / "probes.xml").write_bytes("<probes/>".encode("utf-16"))
    assert one_error(paper)[1:3] == (1, 1)
    (paper / "probes.xml").write_bytes(b'<?xml version="1.0" encoding="UTF-7"?><probes/>')
    assert "encoding" in one_error(paper)[3]


LAUGHS = ("<!DOCTYPE probes [<!ENTITY a \"ha\">" + "".join(
    f'<!ENTITY {chr(98 + i)} "{10 * ("&" + chr(97 + i) + ";")}">' for i in range(20)) + "]>\n")
DOCTYPES = [
    LAUGHS,
    '<!DOCTYPE probes [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n',
    '<!DOCTYPE probes SYSTEM "http://127.0.0.1:1/x.dtd">\n',
    '<!DOCTYPE probes [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>\n',
]


@pytest.mark.parametrize("doctype", DOCTYPES, ids=["laughs", "xxe", "dtd", "parameter"])
def test_doctype_is_refused(paper, doctype):
    (paper / "probes.xml").write_text(
        DECLARATION + "\n  " + doctype +
        "<probes><active_probe><file>&a;</file></active_probe></probes>")
    start = time.monotonic()
    file, line, column, text = one_error(paper)
    assert (line, column) == (3, 3) and "DOCTYPE" in text
    assert time.monotonic() - start < 2


def test_unknown_entity(paper):
    spoil(paper, "probes.xml", "<time>5<", "<time>&five;<")
    file, line, _, text = one_error(paper)
    assert line == 7 and "five" in text


def test_deep_nesting(paper):
    (paper / "probes.xml").write_text("<probes>\n" + 100000 * "<a>")
    file, line, column, text = one_error(paper)
    assert (line, column) == (2, 1 + 3 * 31) and "deep" in text


def test_many_elements(paper):
    (paper / "probes.xml").write_text("<probes>" + 100000 * "<a/>" + "</probes>")
    r = weftc("--check", "probes.xml", cwd=paper)
    assert r.returncode == 1 and "more than 20000 elements" in r.stderr


def test_long_text(paper):
    spoil(paper, "probes.xml", "<time>5<", "<time>" + 100000 * "5" + "<")
    assert one_error(paper)[1:3] == (7, 5)


def test_too_large(paper):
    (paper / "probes.xml").write_bytes(b"<probes>" + 10_000_000 * b" " + b"</probes>")
    file, line, column, text = one_error(paper)
    assert (line, column) == (1, 1) and "10000017 bytes" in text


def test_too_many_components(paper):
    probe = "<active_probe><file>cpu_probe</file><name>p%d</name><time>1</time></active_probe>\n"
    (paper / "probes.xml").write_text("<probes>\n" + "".join(probe % i for i in range(65)) +
                                      "</probes>")
    found = errors(paper, "probes.xml")
    assert [e[1:3] for e in found] == [(66, 1)] and "at most 64" in found[0][3]


def test_program_beside_the_xml_comes_later(paper):
    spoil(paper, "local_analyzers.xml", "cpu_local_analyzer", "mine")
    (paper / "mine.c").write_text("int mine(void *arg) { return 0; }\n")
    assert "come later" in one_error(paper)[3]


def test_other_documents_and_empty_files(paper):
    (paper / "probes.xml").write_text("<policy/>")
    assert "<policy> is not known" in [e for e in errors(paper) if e[1:3] == (1, 1)][0][3]
    (paper / "probes.xml").write_text(" \n")
    assert "empty" in one_error(paper)[3]


def test_old_output_stays_on_error(paper):
    (paper / "out.wpb").write_text("old")
    spoil(paper, "probes.xml", "<time>5<", "<time>five<")
    errors(paper)
    assert (paper / "out.wpb").read_text() == "old"


def test_usage():
    assert weftc("--help").returncode == 0
    assert weftc().returncode == 1
    assert weftc("-o", "/nonexistent/x", PAPER).returncode == 1
    assert weftc("--check", "/nonexistent.xml").returncode == 1
    assert "compiles" in weftc("--help").stdout.lower()


@pytest.mark.skipif(not shutil.which("xmllint"), reason="no xmllint")
def test_schema(paper):
    def valid(name):
        return subprocess.run(["xmllint", "--noout", "--nonet", "--schema",
                               ROOT / "sched/policies/weft-policy.xsd", paper / name],
                              capture_output=True, timeout=20).returncode == 0

    assert all(valid(name) for name in NAMES)
    for name, old, new, *_ in BAD:
        if "probe2" in new or "probe1</probe>\n" in new or new in ("cpu_local_analyzer", "best",
                                                                   "disk_probe", "<name>cpu<"):
            continue  # these only weftc can know
        shutil.copy(PAPER / name, paper / name)
        spoil(paper, name, old, new)
        assert not valid(name), new
        shutil.copy(PAPER / name, paper / name)
