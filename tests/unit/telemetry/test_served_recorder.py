"""Lists wait a moment for their thread; answers never wait for a disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from flyball.domain.traffic import Shown
from flyball.errors import StorageUnavailable
from flyball.telemetry.served import ServedRecorder


def a_list(number: int) -> Shown:
    who = ("games", "v1", "champion", 1.0, "")
    return Shown(f"id-{number}", number, *who, 1, ["a"], [1.0], "", False, "")


class Lists:
    """Keeps lists in memory."""

    def __init__(self) -> None:
        self.full = False
        self.written: list[int] = []
        self.tidied = 0
        self.some = threading.Event()

    def append(self, lists: Sequence[Shown]) -> None:
        if self.full:
            raise StorageUnavailable("the disk is full")
        self.written += [shown.shown_at for shown in lists]
        self.some.set()

    def tidy(self) -> int:
        self.tidied += 1
        if self.full:
            raise StorageUnavailable("no permission")
        return 0


class World:
    def __init__(self, most: int = 5) -> None:
        self.lists = Lists()
        self.dropped: list[int] = []
        self.recorder = ServedRecorder(self.lists, self.dropped.append, period_s=0.01, most=most)

    def show(self, *numbers: int) -> None:
        for number in numbers:
            self.recorder.note(a_list(number))


@pytest.fixture
def world() -> World:
    return World()


def test_lists_are_written_in_their_order_by_a_thread(world):
    world.recorder.start()
    world.show(1, 2, 3)
    assert world.lists.some.wait(20)
    world.recorder.stop()
    assert world.lists.written == [1, 2, 3]
    assert world.dropped == []


def test_what_waits_when_it_stops_is_written(world):
    world.recorder.start()
    world.show(1)
    world.recorder.stop()
    assert world.lists.written == [1]


def test_of_too_many_the_oldest_go_and_are_counted(world):
    world.show(*range(8))
    assert world.lists.written == []
    world.recorder.flush()
    assert world.lists.written == [3, 4, 5, 6, 7]
    assert world.dropped == [3]
    world.show(*range(10, 16))
    world.recorder.flush()
    assert world.dropped == [3, 1]


def test_a_full_disk_drops_lists_counts_them_and_says_so_once(world):
    world.lists.full = True
    with capture_logs() as logs:
        for number in range(3):
            world.show(number, number)
            world.recorder.flush()
        world.lists.full = False
        world.show(7)
        world.recorder.flush()
    assert world.dropped == [2, 2, 2]
    assert world.lists.written == [7]
    said = [line["event"] for line in logs]
    assert said == ["what was shown cannot be written", "what was shown is written again"]
    assert logs[0]["reason"] == "the disk is full"


def test_tidying_that_fails_ends_nothing(world):
    world.lists.full = True
    with capture_logs() as logs:
        world.recorder.tidy()
    assert (world.lists.tidied, len(logs)) == (1, 1)


def test_the_first_round_tidies(world):
    world.recorder.start()
    world.show(1)
    assert world.lists.some.wait(20)
    world.recorder.stop()
    assert world.lists.tidied >= 1
