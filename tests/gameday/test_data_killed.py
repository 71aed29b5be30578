"""``kill -9`` while data comes in, goes out or is repaired: all of it happened, or none of it.

At moments seen from outside, and at random instants (seeded; more of them with ``GAMEDAY_KILLS``).
The kills follow one another on one home, so that a later one meets what an earlier one left.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import iglob
from pathlib import Path
from typing import Any

import pytest
from data_home import interactions, is_whole, laid_out, newest, shelf, write_rows
from gameday_home import MODEL, count
from gameday_processes import flyball, started, until

KILLS = max(1, int(os.environ.get("GAMEDAY_KILLS", "4")) // 2)
ROWS = 250_000
BAD = 0.2
PLAYER = "player-17"

REPAIR = ("--rule", "minimum:value", "--with", "clip")
GATES = "[models.games.gates]\nmax_quarantined = 0.5\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("data-killed"),  # one world for all of them
]


@dataclass(frozen=True)
class World:
    """A home with one batch, some of whose rows are in quarantine, and a second file.

    Attributes:
        home: to be copied, never changed.
        batch: the id of its batch.
        second: a file that is not ingested yet.
    """

    home: Path
    batch: str
    second: Path

    def commands(self) -> dict[str, Sequence[str | Path]]:
        """The commands that are killed."""
        return {
            "ingest": ("ingest", MODEL, self.second),
            "forget": ("data", "forget", MODEL, PLAYER),
            "repair": ("data", "quarantine", "repair", MODEL, self.batch, *REPAIR),
        }


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves when nobody kills it, and the seconds it takes."""

    home: Path
    shelf: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("data-killed")
    home = folder / "home"
    home.mkdir()
    (home / "flyball.toml").write_text(GATES)
    first = write_rows(folder / "first.csv", ROWS // 2, seed=1, bad=BAD)
    done = flyball("ingest", MODEL, first, "--json", home=home)
    assert done.code == 0, done.err
    second = write_rows(folder / "second.csv", ROWS, seed=2, bad=BAD)
    return World(home, done.json()[0]["batch"]["batch_id"], second)


@pytest.fixture(scope="module")
def undisturbed(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Undisturbed]:
    known: dict[str, Undisturbed] = {}

    def of(name: str) -> Undisturbed:
        if name not in known:
            home = tmp_path_factory.mktemp("undisturbed") / "home"
            shutil.copytree(world.home, home)
            began = time.monotonic()
            done = flyball(*world.commands()[name], "--json", home=home)
            seconds = time.monotonic() - began
            assert done.code == 0, done.err
            is_whole(home)
            known[name] = Undisturbed(home, shelf(home), seconds)
        return known[name]

    return of


def _scratch(pattern: str) -> Callable[[Path], bool]:
    # not Path.glob, which stumbles over a folder that is removed while it looks
    return lambda home: any(iglob(pattern, root_dir=home / "scratch", recursive=True))


def _ledger(least: int) -> Callable[[Path], bool]:
    return lambda home: count(home / "flyball.sqlite", "flyball_ledger") >= least


def _kept(least: int) -> Callable[[Path], bool]:
    """So many files in the store: it had six after the first batch (see ``World``)."""
    return lambda home: len(list(home.glob(".dvc/cache/files/md5/??/*"))) >= least


def _laid_out(files: int) -> Callable[[Path], bool]:
    return lambda home: len(list((home / "data" / MODEL).glob("[!.]*"))) >= files


MOMENTS: dict[str, dict[str, Callable[[Path], bool]]] = {
    "ingest": {
        "rows are staged": _scratch("**/ingest-*/*.arrow"),
        "the batch is being written": _scratch("**/ingest-*/batch.parquet"),
        "its quarantine is written": _scratch("**/ingest-*/quarantine.parquet"),
        "its file is kept": _kept(7),
        "the next version is laid out": _laid_out(3),
        "the batch is committed": _ledger(2),
    },
    "forget": {
        "the wish is recorded": _ledger(2),
        "the file is written anew": _scratch("**/erase-*/*"),
        "the new file is kept": _kept(7),
        "the new version is recorded": _ledger(3),
    },
    "repair": {
        "the repaired rows are asked for": lambda home: any(home.glob("incoming/*")),
        "they are staged": _scratch("**/ingest-*/*.arrow"),
        "their file is kept": _kept(7),
        "their batch is committed": _ledger(2),
    },
}


@pytest.mark.parametrize("name", MOMENTS)
class TestAKilledCommand:
    """The next look finds all or nothing, and the same command again ends what was begun."""

    def test_at_each_moment_leaves_all_or_nothing(self, name, world, undisturbed, tmp_path):
        home = shutil.copytree(world.home, tmp_path / "home")
        source, fell = fingerprint(world.second), 0
        for moment in MOMENTS[name].values():
            with started(*world.commands()[name], home=home) as command:
                until(lambda moment=moment: moment(home) or not command.running, every=0.001)
                fell += command.killed(whole_group=True)
            all_or_nothing(name, home, world, undisturbed(name))
        assert fell >= len(MOMENTS[name]) - 1, "hardly a kill fell in time: they tested nothing"
        self._ends_well(name, home, world, undisturbed(name))
        assert fingerprint(world.second) == source

    def test_at_random_instants_leaves_all_or_nothing(self, name, world, undisturbed, tmp_path):
        home = shutil.copytree(world.home, tmp_path / "home")
        chance, wanted = random.Random(f"{name} 5"), undisturbed(name)
        for _ in range(KILLS):
            instant = chance.uniform(0.3, 1.0) * wanted.seconds
            with started(*world.commands()[name], home=home) as command:
                until(lambda: not command.running, instant)
                command.killed(whole_group=True)
            all_or_nothing(name, home, world, wanted)
        self._ends_well(name, home, world, wanted)

    def _ends_well(self, name, home, world, wanted):
        """The same command once more."""
        again = flyball(*world.commands()[name], "--json", home=home)
        assert again.code == 0, again.err
        assert comparable(shelf(home)) == comparable(wanted.shelf)
        if name != "ingest":  # that file brings nobody back; and who holds the home sweeps it
            first = world.home.parent / "first.csv"
            known = flyball("ingest", MODEL, first, "--json", home=home)
            assert known.code == 0, known.err
            assert not known.json()[0]["new"]
        is_whole(home)


class TestStandardInputThatIsCutOff:
    """Its rows still name people: what arrived of them must not stay in the home."""

    def test_leaves_nothing_once_the_home_is_used_again(self, world, tmp_path):
        home = shutil.copytree(world.home, tmp_path / "home")
        argv = [sys.executable, "-m", "flyball.cli", "ingest", MODEL, "-", "--home", str(home)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdin is not None
            process.stdin.write(b"user_id,title,event,value\n" + b"alice,Portal,play,1\n" * 60_000)
            process.stdin.flush()
            assert until(lambda: any(path.stat().st_size for path in arriving(home)))
            process.kill()
        first = world.home.parent / "first.csv"
        assert flyball("ingest", MODEL, first, home=home).code == 0
        assert list(arriving(home)) == []
        is_whole(home)


class TestForgetting:
    """What ``_ends_well`` compares would be worth little if nobody had been forgotten."""

    def test_leaves_no_row_of_the_player_and_every_other(self, world, undisturbed):
        before = interactions(world.home)
        after = interactions(undisturbed("forget").home)
        [person] = undisturbed("forget").shelf["forgotten"]
        theirs = before["user_id"] == person
        assert theirs.sum() > 10
        assert after.equals(before.filter(~theirs))


def all_or_nothing(name, home, world, wanted):
    """The recorded dataset is the one before or the one after, whole; its files are sound."""
    seen, before = shelf(home), shelf(world.home)
    versions = (before["newest"], wanted.shelf["newest"])
    assert seen["newest"] in versions
    expected = before if seen["newest"] == before["newest"] else wanted.shelf
    assert seen["versions"].items() <= wanted.shelf["versions"].items()
    assert seen["versions"][seen["newest"][0]] == expected["versions"][seen["newest"][0]]
    if name != "forget":  # it rewrites what batches say; that is compared at the end
        assert seen["batches"] == expected["batches"]
    assert len(interactions(home)) > 0  # each file is verified as it is read
    known = {**before["versions"], **wanted.shelf["versions"]}
    sound = {pair for _, files, _ in known.values() for pair in files.items()}
    assert laid_out(home).items() <= sound, "a torn file lies in the workspace"
    assert newest(home).rows == expected["versions"][seen["newest"][0]][2]


def comparable(seen):
    """A repeated wish to be forgotten is a further row of the ledger, as it should be."""
    actions = {entry for entry in seen["ledger"] if entry[0] not in ("forget", "erase")}
    rest = {key: value for key, value in seen.items() if key not in ("ledger", "verified")}
    return {**rest, "ledger": actions}


def arriving(home):
    """Files that have not got their name yet, wherever they are kept meanwhile."""
    return [*(home / "incoming").rglob(".arriving-*"), *(home / "scratch").rglob(".arriving-*")]


def fingerprint(path):
    """A file's content, time and permissions."""
    about = path.stat()
    content = hashlib.sha256(path.read_bytes()).hexdigest()
    return content, about.st_mtime_ns, about.st_mode
