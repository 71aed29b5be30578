"""``flyball up``: one command, and a newcomer sees a model made, served and looked after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from flyball import Flyball
from flyball.answers import Status
from flyball.loop.lock import holder

READY_S = 240.0
AGAIN_S = 60.0
STOPPED_S = 15.0


@dataclass
class Up:
    """A running ``flyball up`` and what it said."""

    process: subprocess.Popen[str]
    home: Path
    about: dict[str, Any] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def get(self, path: str) -> httpx.Response | None:
        """The API's answer; None while there is none."""
        try:
            return httpx.get(f"{self.about['api']}{path}", timeout=10, trust_env=False)
        except httpx.TransportError:
            return None

    def until(self, holds: Callable[[], Any], seconds: float) -> Any:
        """What ``holds`` says once it says something; fails after so many seconds."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < deadline:
            assert self.runs(), "".join(self.told)
            if found := holds():
                return found
            pause.wait(0.1)
        pytest.fail(f"not within {seconds} s; it said:\n{''.join(self.told)}")

    def recommended(self, player: str = "player-00001") -> Any:
        """The titles recommended to a player; None while there are none."""
        answer = self.get(f"/v1/recommendations/{player}?k=3")
        return answer.json() if answer is not None and answer.status_code == 200 else None

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def status(self) -> Status:
        """How the installation stands, as its records tell."""
        return Flyball(self.home).status()


@contextmanager
def running(home: Path, *options: str) -> Iterator[Up]:
    """``flyball up`` on free ports, and nothing of it left behind."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLYBALL_")}
    environment["FLYBALL_MODELS__GAMES__SEARCH__TRIALS"] = "6"
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):  # else each process compiles all it imports
        environment["PYTHONPYCACHEPREFIX"] = str(Path(tempfile.gettempdir()) / "flyball-bytecode")
    argv = [sys.executable, "-m", "flyball.cli", "up", *options, "--json", "--home", str(home)]
    process = subprocess.Popen(
        [*argv, "--port", "0", "--console-port", "0", "--workers", "2"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home.parent,
    )  # fmt: skip
    up = Up(process, home)
    assert process.stdout is not None
    assert process.stderr is not None
    reader = threading.Thread(target=_listen, args=(process.stderr, up.told))
    reader.start()
    try:
        up.about = document(process.stdout)
        yield up
    finally:
        left = psutil.Process(process.pid).children(recursive=True) if up.runs() else []
        for each in (*left, process):
            each.kill()
        process.wait()
        reader.join(timeout=10)
        process.stdout.close()
        process.stderr.close()


def _listen(stream: Iterable[str], told: list[str]) -> None:
    for line in stream:
        told.append(line)


def document(stream: Any) -> dict[str, Any]:
    """The one JSON document at the beginning of a stream."""
    text = ""
    for line in stream:
        text += line
        if line.rstrip() == "}":
            return json.loads(text)
    pytest.fail(f"no document: {text!r}")


@pytest.mark.slow
def test_the_sample_is_served_looked_after_and_stopped(tmp_path):
    """The whole story, on one installation, because each chapter needs the one before."""
    with running(tmp_path / "home", "--sample") as up:
        tell_the_story(up)


def tell_the_story(up: Up) -> None:
    assert up.about["workers"] == 2

    first = up.until(up.recommended, READY_S)
    assert len(first["items"]) == 3
    assert first["model"] == "games"
    version = first["model_version"]
    assert up.status().models[0].champion.name == version
    console = httpx.get(f"{up.about['console']}/api/models", timeout=10, trust_env=False)
    assert console.json()[0]["model"] == "games"

    # the players use the live API
    up.until(lambda: sum(Flyball(up.home).platform.events.count("games").values()) > 20, AGAIN_S)

    # a killed worker is started again; meanwhile and afterwards the API answers
    victim, *_ = [worker.worker for worker in up.status().workers]
    os.kill(int(victim.rpartition(":")[2]), signal.SIGKILL)
    assert up.until(up.recommended, AGAIN_S)["model_version"] == version

    def healed() -> bool:
        names = [worker.worker for worker in up.status().workers]
        return len(names) == 2 and victim not in names

    up.until(healed, AGAIN_S)
    assert any("started again" in line for line in up.told)
    assert up.recommended()["model_version"] == version

    # SIGTERM ends everything
    children = psutil.Process(up.process.pid).children(recursive=True)
    assert len(children) >= 4  # control, two workers, players
    up.process.terminate()
    assert up.process.wait(timeout=STOPPED_S) == 0
    assert up.process.stdout.read() == ""  # one document, and nothing else
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == []
    assert holder(up.home) is None


@pytest.mark.slow
def test_a_second_signal_kills_what_does_not_want_to_stop(tmp_path):
    """A worker that hangs cannot keep anybody waiting."""
    with running(tmp_path / "home") as up:
        up.until(lambda: len(up.status().workers) == 2, READY_S)
        stuck = int(up.status().workers[0].worker.rpartition(":")[2])
        children = psutil.Process(up.process.pid).children(recursive=True)
        os.kill(stuck, signal.SIGSTOP)
        up.process.send_signal(signal.SIGINT)
        up.until(lambda: any(line.startswith("stopping") for line in up.told), STOPPED_S)
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(timeout=5) == 130
        _, alive = psutil.wait_procs(children, timeout=5)
        assert alive == []
