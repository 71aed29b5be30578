"""The audit log: nothing is missed, nothing is forged, and a flood does not fill the disk."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from flyball.access.audit import MOST_KINDS, PATH_CHARS, WHOLE, Audit, Note
from flyball.testing.fakes import ManualClock

DAY = timedelta(days=1)


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "audit"
        self.clock = ManualClock()
        self.limit = 10**9
        self.audit = self.process()

    def process(self) -> Audit:
        return Audit(self.folder, keep=90 * DAY, limit=self.limit, clock=self.clock)

    def text(self) -> str:
        self.audit.flush()
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.jsonl")))

    def after_a_minute(self) -> list[dict[str, Any]]:
        """All lines, once what was counted is written."""
        self.clock.advance(minutes=1)
        return self.lines()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def a_note(**fields: Any) -> Note:
    made = {
        "subject": "key:shop",
        "address": "192.0.2.7",
        "method": "POST",
        "path": "/v1/events",
        "what": "refused",
        "why": "scope",
        "status": 403,
    }
    return Note(**made | fields)


def test_a_line_tells_who_from_where_when_what_and_why(home):
    home.audit.note(a_note())
    assert home.lines() == [
        {
            "at": home.clock.now().isoformat(),
            "subject": "key:shop",
            "address": "192.0.2.7",
            "method": "POST",
            "path": "/v1/events",
            "what": "refused",
            "why": "scope",
            "status": 403,
        }
    ]


@pytest.mark.parametrize(
    "nasty",
    ["a\r\nb", "\x1b[31mred", "\x7f", "\u2028", "\u202egnp", "\x85", '"}{"', "\ud800", "\0", "é"],
)
@pytest.mark.parametrize("field", ["subject", "address", "path", "why"])
def test_what_a_caller_sent_cannot_make_a_line_or_reach_a_terminal(home, nasty, field):
    home.audit.note(a_note(**{field: f"before{nasty}after"}))
    text = home.text()
    assert text.count("\n") == 1
    assert text.isascii()
    assert text.strip().isprintable()
    [line] = home.lines()
    assert line[field].startswith("before")
    assert line[field].endswith("after")


def test_a_long_path_is_cut(home):
    home.audit.note(a_note(path="/" + "ü" * 100_000))
    assert len(home.lines()[0]["path"]) == PATH_CHARS


def test_a_flood_becomes_a_few_lines_and_a_count(home):
    for _ in range(1_234 + WHOLE):
        home.audit.note(a_note())
    home.audit.note(a_note(subject="key:other"))
    assert len(home.lines()) == WHOLE + 1
    lines = home.after_a_minute()
    assert len(lines) == WHOLE + 2
    assert lines[-1]["more"] == 1_234
    assert lines[-1]["subject"] == "key:shop"
    assert sum(line["subject"] == "key:other" for line in lines) == 1


def test_a_program_that_is_refused_all_day_does_not_fill_the_log(home):
    for _ in range(60):
        for _ in range(10):
            for _ in range(100):
                home.audit.note(a_note(why="expired_key"))
            home.audit.flush()
            home.clock.advance(seconds=6)
    home.audit.stop()
    lines = home.lines()
    assert len(lines) <= 60 * (WHOLE + 1)
    assert sum(line.get("more", 1) for line in lines) == 60 * 10 * 100


def test_what_was_let_in_is_told_one_by_one(home):
    """A script of an operator's is no flood."""
    for number in range(100):
        home.audit.note(a_note(what="admin", why="", status=200, path=f"/api/{number}"))
        home.audit.flush()
    assert [line["path"] for line in home.lines()] == [f"/api/{number}" for number in range(100)]


def test_a_flood_of_many_kinds_is_bounded_and_counted(home):
    for number in range(MOST_KINDS + 500):
        home.audit.note(a_note(subject=f"account:{number}"))
    lines = home.after_a_minute()
    assert len(lines) == MOST_KINDS + 1
    assert lines[-1]["more"] == 500


def test_only_the_owner_reads_it(home):
    home.audit.note(a_note())
    home.audit.flush()
    [file] = home.folder.iterdir()
    assert file.name == f"{home.clock.now().date()}-{os.getpid()}.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_each_day_has_its_file_and_old_days_go(home):
    for _ in range(100):
        home.audit.note(a_note())
        home.audit.flush()
        home.clock.advance(days=1)
    (home.folder / "notes-of-mine.jsonl").write_text("kept")
    home.audit.note(a_note())
    home.audit.flush()
    days = sorted(path.name[:10] for path in home.folder.glob("2*.jsonl"))
    assert len(days) == 91
    assert days[0] == (home.clock.now() - 90 * DAY).date().isoformat()
    assert (home.folder / "notes-of-mine.jsonl").exists()


class TestALogThatMayNotGrow:
    """Beyond ``access.audit_limit`` the oldest go, and that is said."""

    LIMIT = 100_000

    @pytest.fixture
    def home(self, tmp_path: Path) -> Home:
        home = Home(tmp_path)
        home.limit = self.LIMIT
        home.audit = home.process()
        return home

    def fill(self, home: Home, size: int) -> None:
        """Note about so many bytes, in steps of less than two thousand, one a minute."""
        for number in range(size // 2_000):
            home.clock.advance(minutes=1)
            for _ in range(8):
                home.audit.note(a_note(path=f"/{number}", subject=f"key:{number}"))
            home.audit.flush()

    def size(self, home: Home) -> int:
        return sum(path.stat().st_size for path in home.folder.iterdir())

    def test_stays_below_the_limit_and_keeps_the_newest(self, home):
        with capture_logs() as logs:
            self.fill(home, 4 * self.LIMIT)
        assert self.LIMIT * 0.8 < self.size(home) <= self.LIMIT
        paths = [line["path"] for line in home.lines() if line["what"] == "refused"]
        assert f"/{4 * self.LIMIT // 2_000 - 1}" in paths
        assert "/0" not in paths
        assert {line["log_level"] for line in logs} == {"warning"}

    def test_says_what_is_gone(self, home):
        """Files, bytes and days of what went add up to what is missing."""
        self.fill(home, self.LIMIT // 2)
        day = home.clock.now().date()
        home.clock.advance(days=1)
        before = {path.name: path.stat().st_size for path in home.folder.iterdir()}
        with capture_logs() as logs:
            self.fill(home, self.LIMIT)
            self.fill(home, self.LIMIT // 5)
        gone = {name: size for name, size in before.items() if not (home.folder / name).exists()}
        lines = [line for line in home.lines() if line["what"] == "dropped"]
        for told in (lines, logs):
            first = [line for line in told if line["since"] == day.isoformat()]
            assert sum(line["files"] for line in first) == len(gone) > 1
            assert sum(line["bytes"] for line in first) == sum(gone.values())

    def test_has_files_of_a_twentieth_readable_by_the_owner_only(self, home):
        self.fill(home, self.LIMIT // 2)
        found = list(home.folder.iterdir())
        assert len(found) >= 5
        assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
        assert max(path.stat().st_size for path in found) < self.LIMIT / 20 + 4_000

    def test_goes_on_in_another_file_when_another_process_removed_its_own(self, home):
        home.audit.note(a_note(path="/first"))
        home.audit.flush()
        [own] = home.folder.iterdir()
        own.unlink()
        home.audit.note(a_note(path="/second"))
        assert [line["path"] for line in home.lines()] == ["/second"]

    def test_leaves_files_of_others_alone(self, home):
        home.folder.mkdir()
        mine = home.folder / "2020-01-01-notes.jsonl"
        mine.write_text("x" * self.LIMIT)
        self.fill(home, self.LIMIT // 4)
        assert mine.exists()

    def test_of_almost_nothing_still_has_the_last_lines(self, home):
        home.limit = 1
        home.audit = home.process()
        with capture_logs():
            self.fill(home, 10_000)
        assert home.lines()[-1]["path"] == "/4"


def test_a_link_is_not_written_through(home, tmp_path):
    target = tmp_path / "elsewhere"
    target.write_text("")
    home.folder.mkdir()
    (home.folder / f"{home.clock.now().date()}-{os.getpid()}.jsonl").symlink_to(target)
    home.audit.note(a_note())
    home.audit.flush()
    assert target.read_text() == ""
    assert home.audit.lost == 1


def test_what_cannot_be_written_is_counted_and_said_once_and_later_lines_are_written(home):
    home.folder.write_text("a file where the folder should be")
    with capture_logs() as logs:
        for _ in range(3):
            home.audit.note(a_note())
            home.audit.flush()
    assert home.audit.lost == 3
    assert [line["log_level"] for line in logs] == ["error"]
    home.folder.unlink()
    home.audit.note(a_note())
    assert len(home.lines()) == 1


def test_the_thread_writes_by_itself_and_stopping_writes_the_rest(home):
    home.audit.start()
    home.audit.note(a_note())
    home.audit.note(a_note())
    home.audit.stop()
    assert len(home.lines()) == 2
    again = home.process()
    again.note(a_note())
    again.stop()
    assert len(home.lines()) == 3
