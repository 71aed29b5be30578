"""Lists that were shown, in files: whole lines, for a while, and nobody who was forgotten."""

from __future__ import annotations

import errno
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import zstandard

from flyball.domain.traffic import Shown
from flyball.errors import StorageUnavailable
from flyball.storage.served import FileServed
from flyball.testing.builders import NOON, a_list
from flyball.testing.fakes import ManualClock

KEEP, LIMIT = timedelta(days=14), 10**9
LATER = NOON + timedelta(days=300)


class World:
    """A folder of lists; ``other`` is another process that writes there."""

    def __init__(self, root: Path, *, limit: int = LIMIT) -> None:
        self.folder, self.clock = root / "served", ManualClock(NOON)
        self.limit = limit
        self.served, self.other = self.writer(), self.writer()

    def writer(self) -> FileServed:
        return FileServed(self.folder, keep=KEEP, limit=self.limit, clock=self.clock)

    def files(self) -> list[Path]:
        return sorted(self.folder.rglob("*.jsonl.zst"))

    def ids(self, model: str = "games") -> list[str]:
        found = self.served.read(model, since=NOON - KEEP, until=LATER)
        return found["recommendation_id"].to_list()

    def numbers(self) -> list[int]:
        return sorted(int(answer.removeprefix("id-")) for answer in self.ids())

    def close(self) -> None:
        self.served.close()
        self.other.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def world(**options: int) -> World:
        made.append(World(tmp_path, **options))
        return made[-1]

    yield world
    for each in made:
        each.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()


def shown(number: int, at: datetime = NOON, **fields: object) -> Shown:
    return a_list(f"id-{number}", shown_at=int(at.timestamp() * 1000), **fields)


class TestLists:
    def test_come_back_with_everything_that_was_noted(self, world):
        world.served.append(
            [
                shown(
                    1, share=0.25, variant="challenger", filtered=True, user_id="Zoë \N{VIDEO GAME}"
                )
            ]
        )
        [row] = world.served.read("games", since=NOON, until=LATER).to_dicts()
        assert row == {
            "recommendation_id": "id-1",
            "shown_at": NOON,
            "model": "games",
            "version": a_list().version,
            "variant": "challenger",
            "share": 0.25,
            "user_id": "Zoë \N{VIDEO GAME}",
            "k": 2,
            "item_ids": ["portal-2", "metroid"],
            "propensities": [1.0, 1.0],
            "fallback": "",
            "filtered": True,
            "trace_id": "",
        }

    def test_are_found_by_model_and_time_end_excluded(self, world):
        minute = timedelta(minutes=1)
        world.served.append([shown(n, NOON + (n - 2) * minute) for n in range(5)])
        world.served.append([shown(9, model="adult")])
        found = world.served.read("games", since=NOON, until=NOON + 2 * minute)
        assert found["recommendation_id"].to_list() == ["id-2", "id-3"]
        assert world.ids("adult") == ["id-9"]
        assert world.ids("unheard-of") == []

    def test_of_several_processes_are_read_together(self, world):
        for number in range(3):
            world.served.append([shown(number)])
            world.other.append([shown(10 + number)])
        assert sorted(world.ids()) == ["id-0", "id-1", "id-10", "id-11", "id-12", "id-2"]

    def test_of_one_hour_and_process_are_one_file(self, world):
        for number in range(3):
            world.served.append([shown(number, NOON + timedelta(minutes=number))])
        world.served.append([shown(3, NOON + timedelta(hours=1))])
        assert [path.name[:2] for path in world.files()] == ["12", "13"]
        assert {path.parent.name for path in world.files()} == {f"{NOON:%Y-%m-%d}"}

    def test_are_read_by_others_in_one_line(self, world):
        world.served.append([shown(n) for n in range(1_300)])
        world.served.append([shown(n) for n in range(1_300, 1_310)])
        pattern = str(world.folder / "games" / "*" / "*.jsonl.zst")
        assert pl.scan_ndjson(pattern).select(pl.len()).collect().item() == 1_310

    def test_of_a_model_with_an_odd_name_stay_in_the_folder(self, world):
        world.served.append([shown(1, model="../outside")])
        assert world.ids("../outside") == ["id-1"]
        assert all(path.is_relative_to(world.folder) for path in world.files())

    def test_of_a_torn_file_are_those_that_are_whole(self, world):
        """Cut anywhere, as a kill or a power failure would."""
        for batch in range(4):
            world.served.append([shown(10 * batch + n) for n in range(10)])
        [path] = world.files()
        whole = path.read_bytes()
        counts = []
        for length in [*range(0, len(whole), 7), len(whole)]:
            path.write_bytes(whole[:length])
            found = world.numbers()
            assert found == list(range(len(found)))
            counts.append(len(found))
        assert counts == sorted(counts)
        assert {0, 10, 20, 30, 40} <= set(counts)

    def test_beside_files_that_are_not_ours_are_still_read(self, world):
        world.served.append([shown(1)])
        day = world.files()[0].parent
        (day / "notes.jsonl.zst").write_bytes(b"mine")
        (world.folder / "games" / "99").mkdir()
        assert world.ids() == ["id-1"]
        world.served.tidy()
        assert (day / "notes.jsonl.zst").exists()


class TestKeeping:
    def test_lists_of_hours_that_ended_long_ago_go(self, world):
        world.served.append([shown(1, NOON - KEEP - timedelta(hours=2)), shown(2, NOON - KEEP)])
        size = world.files()[0].stat().st_size
        assert world.served.tidy() == size
        assert world.ids() == ["id-2"]
        assert len(list((world.folder / "games").glob("*/"))) == 1  # the other day is gone, too

    def test_beyond_the_limit_the_oldest_hour_of_any_model_goes_first(self, make):
        world = make(limit=LIMIT)
        for hour, model in enumerate(("adult", "games", "adult", "games")):
            world.served.append([shown(hour, NOON + timedelta(hours=hour), model=model)])
        sizes = [path.stat().st_size for path in world.files()]
        world.limit = sum(sizes) - 1
        world.clock.advance(hours=4)
        assert world.writer().tidy() > 0
        assert (world.ids("adult"), world.ids("games")) == (["id-2"], ["id-1", "id-3"])

    def test_the_limit_holds_while_one_hour_alone_goes_beyond_it(self, make):
        world = make(limit=20_000)
        for number in range(3_000):
            world.served.append([shown(number, user_id=os.urandom(12).hex())])
            if number % 100 == 0:
                world.served.tidy()
        world.served.tidy()
        assert sum(path.stat().st_size for path in world.files()) <= world.limit
        left = world.numbers()
        assert left == list(range(left[0], 3_000))  # of the newest none is missing
        assert 0 < left[0] < 2_950

    def test_a_file_that_was_removed_under_its_writer_is_begun_anew(self, world):
        world.served.append([shown(1)])
        world.files()[0].unlink()
        world.served.append([shown(2)])
        assert world.ids() == ["id-2"]


class TestForgetting:
    def test_takes_the_lists_of_one_person_out_of_every_file(self, world):
        for hour in range(3):
            at = NOON - timedelta(hours=hour)
            world.served.append([shown(3 * hour + n, at, user_id=f"u{n}") for n in range(3)])
        assert world.served.forget("games", "u1") == 3
        assert sorted(world.ids()) == ["id-0", "id-2", "id-3", "id-5", "id-6", "id-8"]
        assert b"u1" not in b"".join(map(_content, world.files()))

    def test_spares_those_whose_name_is_only_alike_or_in_another_model(self, world):
        names = ("ada", "ada-2", 'x","user_id":"ada', "")
        world.served.append([shown(n, user_id=name) for n, name in enumerate(names)])
        world.served.append([shown(7, user_id="zoe", item_ids=['"user_id":"ada",'])])
        world.served.append([shown(8, user_id="ada", model="adult")])
        assert world.other.forget("games", "ada") == 1
        assert world.ids() == ["id-1", "id-2", "id-3", "id-7"]
        assert world.ids("adult") == ["id-8"]

    def test_leaves_out_what_still_waited_in_a_worker(self, world):
        """It was shown before the wish and is written after it."""
        world.served.append([shown(1, user_id="ada")])
        waiting = [shown(2, user_id="ada"), shown(3, user_id="bob")]
        assert world.other.forget("games", "ada") == 1
        world.served.append(waiting)
        world.writer().append(waiting)
        assert world.ids() == ["id-3", "id-3"]

    def test_ends_with_the_wish_later_lists_are_written_again(self, world):
        world.other.forget("games", "ada")
        world.served.append([shown(1, NOON + timedelta(milliseconds=1), user_id="ada")])
        assert world.ids() == ["id-1"]

    def test_of_several_people_forgets_all(self, world):
        for name in ("ada", "bob"):
            world.other.forget("games", name)
        world.served.append([shown(n, user_id=name) for n, name in enumerate(("ada", "bob", "c"))])
        assert world.ids() == ["id-2"]

    def test_while_others_write_loses_nobody_else_s_list(self, world):
        def write() -> None:
            for number in range(300):
                user = "ada" if number % 3 == 0 else "bob"
                world.served.append([shown(number, user_id=user)])

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            world.other.forget("games", "ada")
        writer.join()
        world.other.forget("games", "ada")
        expected = {f"id-{n}" for n in range(300) if n % 3}
        assert (set(world.ids()), len(world.ids())) == (expected, 200)


def test_a_disk_without_space_is_said_so_and_leaves_whole_lines(world):
    """The system refuses to let the file grow, as a full disk would."""
    world.served.append([shown(n) for n in range(20)])
    [path] = world.files()
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 30, hard))
    try:
        with pytest.raises(StorageUnavailable, match=os.strerror(errno.EFBIG)):
            world.served.append([shown(n) for n in range(20, 40)])
        assert path.read_bytes() == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    world.served.append([shown(50)])
    assert len(world.ids()) == 21


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "served").write_text("in the way")
    world = World(tmp_path)
    with pytest.raises(StorageUnavailable, match="what was shown"):
        world.served.append([shown(1)])


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()
