"""One small world, one undisturbed run on it, and places to break things in."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gameday_home import MODEL, picture
from gameday_processes import flyball

from flyball.games.world import World

SEED, PLAYERS = 11, 200


@dataclass(frozen=True)
class Reference:
    """A home on which one run was left in peace.

    Attributes:
        home: to be looked at and copied, never changed.
        source: the file that was ingested.
        answer: what the command answered.
        seconds: how long it took.
    """

    home: Path
    source: Path
    answer: dict[str, Any]
    seconds: float

    def picture(self) -> dict[str, Any]:
        """What an undisturbed run leaves."""
        return picture(self.home)

    def copied(self, to: Path) -> Path:
        """A copy to break."""
        shutil.copytree(self.home, to)
        return to


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def source(shared: Path) -> Path:
    """A small world's purchases and plays, as CSV."""
    path = shared / "gameday" / "world.csv"
    with _once(path.parent / "world.lock"):
        if not path.exists():
            World(SEED, players=PLAYERS).write(path)
    return path


@pytest.fixture(scope="session")
def reference(shared: Path, source: Path) -> Reference:
    """An undisturbed ``flyball run``."""
    home, told = shared / "gameday" / "undisturbed", shared / "gameday" / "undisturbed.json"
    with _once(shared / "gameday" / "undisturbed.lock"):
        if not told.exists():
            began = time.monotonic()
            ended = flyball("run", MODEL, source, "--json", home=home)
            assert ended.code == 0, ended.err
            seconds = time.monotonic() - began
            told.write_text(json.dumps({"answer": ended.json(), "seconds": seconds}))
    return Reference(home=home, source=source, **json.loads(told.read_text()))


@pytest.fixture
def broken(reference: Reference, tmp_path: Path) -> Path:
    """A copy of the undisturbed home, to be broken."""
    return reference.copied(tmp_path / "home")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a disk of a given size (``"400k"``) and resizes it; gives its folder."""
    place = tmp_path / "disk"
    place.mkdir()

    def sized(options: str) -> Path:
        again = ["-o", f"remount,{options}"] if place.is_mount() else ["-o", options]
        argv = ["mount", "-t", "tmpfs", *again, "tmpfs", str(place)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"a disk of our own cannot be mounted here: {done.stderr.strip()}")
        return place

    if shutil.which("mount") is None:
        pytest.skip("a disk of our own needs the command `mount`")
    yield sized
    if place.is_mount():
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def _once(lock: Path) -> Iterator[None]:
    """One process of the session at a time."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
