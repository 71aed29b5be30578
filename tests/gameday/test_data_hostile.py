"""Hostile files through the real command line: refused in bounded memory and time, with a reason.

The bounds are of the process that reads the file, as the operating system measured it: its peak
memory, and the processor time of all its threads (wall-clock time would tell how busy the machine
is). An undisturbed start of the command takes 150 MB and 3 s of these.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import data_hostile as hostile
import pytest
from data_home import interactions, is_whole, left_over, shelf
from data_measured import measured
from gameday_home import MODEL
from gameday_processes import flyball

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("data-hostile"),  # one home for all of them
]


@dataclass(frozen=True)
class Kind:
    """A hostile file.

    Attributes:
        make: writes it.
        words: what must be said of it.
        code: the exit code.
        mib, cpu_s: how much it may cost to find that out.
    """

    make: Callable[[Path], None]
    words: Sequence[str]
    code: int = 1
    mib: int = 450
    cpu_s: float = 20.0


TOO_LONG = ("longer than 16 MiB", "line")
BOMB = ("times when unpacked", "fill a disk")
OUTSIDE = ("points out of the archive",)
KINDS = {
    "line.csv": Kind(hostile.one_line(hostile.GOOD + b"player-1,"), TOO_LONG),
    "only-line.csv": Kind(hostile.one_line(b""), TOO_LONG),
    "line.jsonl": Kind(hostile.one_line(b'{"user_id": "p", "title": "'), TOO_LONG),
    "line.csv.gz": Kind(hostile.packed_line, TOO_LONG),
    "quotes.csv": Kind(hostile.quotes, TOO_LONG, mib=1024, cpu_s=40.0),
    "bomb.csv.gz": Kind(hostile.gzip_bomb, BOMB),
    "bomb.csv.zst": Kind(hostile.zstd_bomb, BOMB),
    "bomb.zip": Kind(hostile.zip_bomb, BOMB),
    "lying.zip": Kind(hostile.lying_zip, ("zip data is damaged", "rows.csv")),
    "up.zip": Kind(hostile.archive_of("../evil.csv"), OUTSIDE),
    "absolute.zip": Kind(hostile.archive_of("/tmp/evil.csv"), OUTSIDE),
    "drive.zip": Kind(hostile.archive_of("C:\\evil.csv"), OUTSIDE),
    "link.zip": Kind(
        hostile.archive_of("rows.csv", b"/etc/passwd", stat.S_IFLNK | 0o777), ("is a link",)
    ),
    "secret.zip": Kind(hostile.encrypted, ("encrypted", "password")),
    "formulas.csv": Kind(hostile.formulas, ("formula:title: 20 rows", "max_quarantined")),
    "zero.csv": Kind(hostile.zero_bytes, ("is binary", "zero", "line 42")),
    "pipe.csv": Kind(hostile.pipe, ("pipe", "standard input"), code=3),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home that holds one good batch; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "good.csv").write_bytes(hostile.GOOD)
    done = flyball("ingest", MODEL, folder / "good.csv", home=folder / "home")
    assert done.code == 0, done.err
    return folder / "home"


class TestAHostileFile:
    """Refused with a reason; nothing of it is stored, and the file is as it was."""

    @pytest.mark.parametrize("name", KINDS)
    def test_is_refused_in_bounded_memory_and_time(self, name, home, tmp_path):
        kind, path = KINDS[name], tmp_path / name
        kind.make(path)
        before, file = shelf(home), path.stat()
        found = measured("ingest", MODEL, path, home=home)
        found.ended.refused(kind.code, *kind.words, str(path))
        assert found.peak_mib <= kind.mib
        assert found.cpu_s <= kind.cpu_s
        assert shelf(home) == before
        assert left_over(home) == []
        assert sorted(tmp_path.iterdir()) == [path]
        after = path.stat()
        assert (after.st_mtime_ns, after.st_size) == (file.st_mtime_ns, file.st_size)

    def test_that_never_ends_is_refused(self, home):
        before = shelf(home)
        found = measured("ingest", MODEL, "/dev/zero", home=home)
        found.ended.refused(3, "/dev/zero", "device")
        assert shelf(home) == before

    def test_of_standard_input_is_refused_and_not_kept(self, home, tmp_path):
        path = tmp_path / "line.csv"
        hostile.packed_line(path)
        before = shelf(home)
        with path.open("rb") as stdin:
            found = measured("ingest", MODEL, "-", home=home, stdin=stdin)
        found.ended.refused(1, *TOO_LONG)
        assert found.peak_mib <= 450
        assert (shelf(home), left_over(home)) == (before, [])


class TestADirectoryWithLinksInCircles:
    def test_is_read_once_and_nothing_outside_it(self, tmp_path):
        home, path = tmp_path / "home", tmp_path / "rows"
        hostile.looping_directory(path)
        done = measured("ingest", MODEL, path, "--json", home=home)
        assert done.ended.code == 0, done.ended.err
        assert done.ended.json()[0]["batch"]["rows"] == 40
        assert len(interactions(home)) == 40
        is_whole(home)


class TestAFewFormulas:
    """Below the share that may be left out: set aside, and harmless when they are exported."""

    def test_are_set_aside_and_exported_as_text(self, tmp_path):
        home, path, out = tmp_path / "home", tmp_path / "rows.csv", tmp_path / "aside.csv"
        path.write_bytes(hostile.GOOD + b"player-3,\"=cmd|'/C calc'!A0\",purchase,1\n")
        done = flyball("ingest", MODEL, path, "--json", home=home)
        assert done.code == 0, done.err
        batch = done.json()[0]["batch"]
        assert (batch["rows"], batch["quarantined"]) == (40, 1)
        exported = flyball("data", "quarantine", "export", MODEL, batch["batch_id"], out, home=home)
        assert exported.code == 0, exported.err
        [cell] = [word for word in out.read_text().split(",") if "cmd|" in word]
        assert not cell.strip('"').startswith(("=", "+", "-", "@", "\t", "\r"))
