"""The control process as a supervisor sees it: it starts, refuses, ends, and goes on."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console_process import DEADLINE_S, Control, control
from flyball import Flyball
from flyball.domain.training import Run, RunPhase
from flyball.loop.lock import holder

pytestmark = pytest.mark.xdist_group("console")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path / "home") as running:
        yield running


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)  # between two looks at the condition


class TestTheProcess:
    """It holds the home, and lets it go when it is told to."""

    def test_a_second_one_refuses_and_says_who_holds_the_home(
        self, console: Control, tmp_path: Path
    ) -> None:
        home = str(tmp_path / "home")
        port = console.url.rpartition(":")[2]
        for place in ("0", port):
            command = [sys.executable, "-m", "flyball.console", "--home", home, "--port", place]
            second = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=DEADLINE_S
            )
            assert second.returncode == 3
            assert second.stdout == ""
            assert f"(process {console.process.pid} on " in second.stderr
            assert len(second.stderr.splitlines()) == 1

    def test_listens_on_loopback_only(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "flyball.console", "--home", str(tmp_path / "home")]
        command += ["--port", "0", "--host", "0.0.0.0"]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DEADLINE_S
        )
        assert done.returncode == 2
        assert "ssh -L" in done.stderr
        assert "Traceback" not in done.stderr

    def test_ends_while_a_model_is_trained_and_goes_on_later(self, tmp_path: Path) -> None:
        home, source = tmp_path / "home", tmp_path / "players.csv"
        with source.open("w", newline="") as file:
            rows = csv.writer(file)
            for player in range(600):
                for game in range(player % 7, 60, 5 + player % 3):
                    rows.writerow([player, f"Game {game}", "purchase", 1.0, 0])
        flyball = Flyball(home=home)
        with control(home) as running:
            flyball.run("games", [str(source)], wait=False)
            wait_until(lambda: runs(flyball) == [RunPhase.SEARCHING], "a run that searches")
            code, seconds = running.terminate()
        assert code == 0
        assert seconds < 10
        assert runs(flyball) == [RunPhase.SEARCHING]
        assert holder(home) is None
        with control(home):
            wait_until(lambda: runs(flyball) == [RunPhase.DONE], "the same run, done")


def ended(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_S)


def runs(flyball: Flyball) -> list[RunPhase]:
    return [run.phase for run in flyball.platform.records.find(Run, model="games")]
