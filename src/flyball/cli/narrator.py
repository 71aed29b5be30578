"""Tells in plain lines what happens while ``flyball up`` runs: what is ready, what to open."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flyball.cli.household import Household
from flyball.configuration import KEY
from flyball.executors.lifeline import tied

LOOK_EVERY_S = 0.25
ANSWER_S = 5.0
PLAYER = "player-00001"
GO = b"go\n"
"""Tells the sample's process that the control process is ready for its turn."""


class Narrator(threading.Thread):
    """Follows a household from outside, over HTTP, until ``stop`` or the first recommendation.

    Args:
        say: takes each line.
    """

    def __init__(self, house: Household, stop: threading.Event, say: Callable[[str], None]) -> None:
        super().__init__(name="narrator", daemon=True)
        self._house, self._stop_asked, self._say = house, stop, say
        self._began = time.monotonic()

    def run(self) -> None:
        """Tell the story."""
        sampling = self._sample() if self._house.sample else None
        try:
            api = self._house.api
            if self._until(lambda: self._asked(f"{api}/health/live") is not None):
                self._tell(f"API ready: {api}/docs")
            if self._until(lambda: answer(f"{self._house.console}/api/models") is not None):
                self._tell(f"console ready: {self._house.console}")
            if sampling is not None:
                self._turn(sampling)
            ready = f"{api}/health/ready"  # asked first: a refused request is a line in the log
            asks = self._house.sampled and not self._house.locked
            if asks and self._until(lambda: self._asked(ready) is not None):
                self._until(self._first_recommendation)
        finally:
            if sampling is not None:
                _end(sampling)

    def _sample(self) -> subprocess.Popen[bytes]:
        """The first turn of the sample: a process of its own, whose memory is given back."""
        argv = [sys.executable, "-m", "flyball.cli.sample", str(self._house.home)]
        return subprocess.Popen(
            tied(argv),
            stdin=subprocess.PIPE,  # its end tells the child that we are gone
            stdout=2,  # what it tells is progress
            start_new_session=True,
        )

    def _turn(self, sampling: subprocess.Popen[bytes]) -> None:
        """Let the sample's turn begin, and be silent until it ends: its bars own the screen."""
        assert sampling.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it failed already, and said why
            sampling.stdin.write(GO)
            sampling.stdin.flush()
        self._until(lambda: sampling.poll() is not None)

    def _first_recommendation(self) -> bool:
        url = f"{self._house.api}/v1/recommendations/{PLAYER}?k=5"
        found = self._asked(url)
        if found is None:
            return False
        titles = ", ".join(str(item["title"]) for item in found["items"][:3])
        self._tell(f"first recommendation: {url} ({titles}, ...)")
        return True

    def _asked(self, url: str) -> Any:
        """What the API answers with; None while it has nothing to answer with."""
        return answer(url, self._house.certificate)

    def _until(self, holds: Callable[[], bool]) -> bool:
        """Wait until something holds; False if asked to stop before."""
        while not self._stop_asked.is_set():
            if holds():
                return True
            self._stop_asked.wait(LOOK_EVERY_S)
        return False

    def _tell(self, line: str) -> None:
        self._say(f"{time.monotonic() - self._began:5.1f} s  {line}")


def answer(url: str, certificate: str = "") -> Any:
    """The JSON that a server answers with; None while it is away or has nothing to answer with.

    Args:
        certificate: file of the one that it must show, if it is HTTPS.
    """
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # always here
    if certificate:
        from flyball.serving.tls import pinned

        handlers.append(urllib.request.HTTPSHandler(context=pinned(Path(certificate))))
    opener = urllib.request.build_opener(*handlers)
    key = os.environ.get(KEY)
    asked = urllib.request.Request(url, headers={"X-API-Key": key} if key else {})  # noqa: S310
    try:
        with opener.open(asked, timeout=ANSWER_S) as found:
            return json.load(found)
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, if it is still there; its turn goes on in the control process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
