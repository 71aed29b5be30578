"""The real control process, for tests."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEADLINE_S = 120.0
"""For a busy machine; everything is there in seconds on an idle one."""


class Control:
    """A running control process."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self.process, self.url = process, url

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM; returns the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE_S)
        return code, time.monotonic() - began


@contextmanager
def control(home: Path) -> Iterator[Control]:
    """The real process on a free port, until the end of the block."""
    command = [sys.executable, "-m", "flyball.console", "--home", str(home), "--port", "0"]
    log = home.parent / f"{home.name}.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr)
    try:
        line = first_line(process)
        assert line, f"it ended with {process.wait()}: {log.read_text()}"
        yield Control(process, json.loads(line)["url"])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(DEADLINE_S)
        assert process.stdout is not None
        process.stdout.close()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        assert selector.select(DEADLINE_S), "it said nothing"
        return os.read(process.stdout.fileno(), 4096)
