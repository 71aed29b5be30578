"""Somebody sets the clock during a rollout: for all processes on the machine, far ahead or back."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from rollout_open import opened
from rollout_players import all_is_well
from rollout_shop import HERE, MODEL
from rollout_up import environment
from troubled_models import Trouble

from flyball.domain.deployment import Phase

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

HOUR = 3600


class Clock:
    """The wall clock of the processes that are started with ``environment``."""

    def __init__(self, folder: Path) -> None:
        library, self._file = folder / "clock_jump.so", folder / "seconds"
        self._file.write_bytes(bytes(8))
        argv = ["cc", "-shared", "-fPIC", "-O2", "-o", library, HERE / "clock_jump.c", "-ldl"]
        subprocess.run(argv, check=True)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_JUMP": str(self._file)}

    def jump(self, seconds: int) -> None:
        """Set it so many seconds from the real time; the file is changed where it is mapped."""
        with self._file.open("r+b", buffering=0) as file:
            file.write(struct.pack("=q", seconds))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    if shutil.which("cc") is None:
        pytest.skip("a clock of our own needs a C compiler")
    return Clock(tmp_path)


@contextmanager
def in_first_step(tmp_path, plugins, clock, trouble):
    """A candidate in the first step of its rollout."""
    with opened(tmp_path, plugins, environment=clock.environment) as games:
        version = games.shop.publish(trouble, after=150)
        games.shop.verbs.deploy(MODEL, version.name)
        games.shop.at_step(version, 1)
        yield games, version


def flyball(shop, plugins, clock, *words):
    """A command on the machine whose clock was set."""
    argv = [sys.executable, "-m", "flyball.cli", *words, "--home", str(shop.home)]
    env = environment(plugins) | clock.environment
    return subprocess.run(argv, check=False, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("seconds", [-HOUR, pytest.param(HOUR, marks=pytest.mark.long)])
def test_a_bad_version_is_found_whatever_the_clock_says(tmp_path, plugins, clock, seconds, outcome):
    """It begins to fail after the clock was set."""
    began = time.monotonic()
    with in_first_step(tmp_path, plugins, clock, Trouble.RAISES) as (games, version):
        clock.jump(seconds)
        assert games.shop.ended(version).phase is Phase.ROLLED_BACK
        clock.jump(0)  # the clock of this process, too
        seen = all_is_well(games.shop, games.players, games.champion.name, since=began)
    assert seen["failed"] == 0
    outcome(f"the clock jumps by {seconds} s, the candidate fails", "withdrawn", seen)


@pytest.mark.long
@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_a_good_version_is_never_promoted_by_a_clock_and_can_go_on(
    tmp_path, plugins, clock, seconds, outcome
):
    """Ahead, its deadline is over at once: it is held, and somebody resumes it. Back, its answers
    seem to be from before it began: it stays, until the clock is right again."""
    began = time.monotonic()
    with in_first_step(tmp_path, plugins, clock, Trouble.NONE) as (games, version):
        shop, players = games.shop, games.players
        clock.jump(seconds)
        jumped = time.monotonic()
        shop.until(lambda: players.statuses(jumped)[200] > 100, "answers")
        if shop.deployment(version).held:
            told = flyball(shop, plugins, clock, "resume", MODEL, version.name)
            assert told.returncode == 0, told.stderr
        if seconds < 0:
            assert shop.deployment(version).phase is Phase.ROLLING
            clock.jump(0)
        assert shop.ended(version).phase is Phase.DONE
        clock.jump(0)  # the clock of this process, too
        seen = all_is_well(shop, players, version.name, since=began)
    assert seen["failed"] == 0
    outcome(f"the clock jumps by {seconds} s", "the good version took over", seen)
