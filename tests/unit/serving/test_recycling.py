"""When a worker that has grown is replaced, and that only one of a home is at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flyball.serving import memory
from flyball.serving.memory import Recycling


class World:
    """What a worker holds, and whether it was ended."""

    def __init__(self, home: Path) -> None:
        self.home, self.held, self.ended = home, 0, 0

    def end(self) -> None:
        self.ended += 1

    def recycling(self, limit: int, *, apart_s: float = 0.0) -> Callable[[], None]:
        return Recycling(
            self.home,
            limit,
            self.end,
            measure=lambda: self.held,
            settled_s=0.0,
            look_every_s=0.0,
            apart_s=apart_s,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "home")


def test_a_worker_within_its_limit_goes_on(world):
    look = world.recycling(100)
    world.held = 100
    look()
    look()
    assert world.ended == 0


def test_a_worker_beyond_its_limit_ends_once_and_says_why(world):
    look = world.recycling(100)
    look()
    world.held = 101
    with capture_logs() as lines:
        look()
        look()
    assert world.ended == 1
    assert (lines[0]["held_bytes"], lines[0]["limit_bytes"]) == (101, 100)


def test_no_limit_is_none(world):
    look = world.recycling(0)
    look()
    world.held = 10**15
    look()
    assert world.ended == 0


def test_a_limit_below_what_a_fresh_worker_needs_is_raised_and_told(world):
    """Else workers would be replaced for ever."""
    look = world.recycling(100)
    world.held = 1000
    with capture_logs() as lines:
        look()
    assert "raise it" in lines[0]["event"]
    world.held = 1500
    look()
    assert world.ended == 0
    world.held = 1501
    look()
    assert world.ended == 1


def test_two_workers_of_a_home_do_not_end_at_the_same_time(world):
    one, two = world.recycling(100), world.recycling(100)
    one()
    two()
    world.held = 101
    one()
    two()
    assert world.ended == 1


def test_the_next_one_waits_until_the_first_ones_successor_is_there(world):
    world.recycling(100)()
    (world.home / "run").mkdir(parents=True)
    turn = world.home / "run" / "recycling"
    turn.write_text("1234")  # it ended just now, and its lock went with it
    look = world.recycling(100, apart_s=1000.0)
    look()
    world.held = 101
    look()
    assert world.ended == 0
    os.utime(turn, (1, 1))
    look()
    assert world.ended == 1


def test_a_new_worker_is_left_alone_for_a_minute(tmp_path):
    """It loads its model then; what it needs is known only afterwards."""
    ended = []
    look = Recycling(tmp_path, 1, lambda: ended.append(1), measure=lambda: 10)
    look()
    assert ended == []
    assert memory.SETTLED_S == 60.0


MEASURED = """
import mmap, sys
from flyball.serving.memory import own_bytes
size = 64 * 1024 * 1024
before = own_bytes()
with open(sys.argv[1], "rb") as file:
    model = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
assert sum(model[::4096]) == 0  # every page is resident now
mapped = own_bytes() - before
held = bytearray(b"x") * size
print(mapped / size, (own_bytes() - before) / len(held))
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="only Linux tells")
def test_own_memory_counts_what_is_held_and_not_what_is_mapped(tmp_path):
    """In a process of its own: in this one other tests' memory comes and goes."""
    path = tmp_path / "model"
    path.write_bytes(bytes(64 * 1024 * 1024))
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, path], capture_output=True, text=True, check=True
    )
    mapped, held = map(float, done.stdout.split())
    assert mapped < 0.25
    assert held > 0.9
