"""One control process a home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from flyball.errors import AlreadyRunning, StorageUnavailable
from flyball.loop.lock import control_lock, holder
from flyball.testing.builders import NOON

HOLD = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from flyball.loop.lock import control_lock
with control_lock(Path(sys.argv[1]), "flyball up", now=datetime(2026, 3, 1, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the home."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


class TestTheLockOfAHome:
    def test_says_who_holds_it(self, tmp_path, other):
        with (
            pytest.raises(AlreadyRunning, match=rf"`flyball up` \(process {other.pid} on"),
            control_lock(tmp_path, "flyball train", now=NOON),
        ):
            pass

    def test_is_let_go_when_its_holder_is_killed(self, tmp_path, other):
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        with control_lock(tmp_path, "flyball train", now=NOON):
            assert holder(tmp_path).role == "flyball train"

    def test_is_free_again_afterwards(self, tmp_path):
        with control_lock(tmp_path, "flyball train", now=NOON):
            pass
        assert holder(tmp_path) is None

    def test_is_not_taken_by_looking_who_holds_it(self, tmp_path):
        assert holder(tmp_path) is None
        with control_lock(tmp_path, "flyball up", now=NOON):
            assert holder(tmp_path).pid == os.getpid()
            assert holder(tmp_path).pid == os.getpid()

    def test_is_taken_although_others_look_at_it_all_the_time(self, tmp_path):
        stop = threading.Event()

        def look() -> None:
            while not stop.is_set():
                holder(tmp_path)

        lookers = [threading.Thread(target=look) for _ in range(2)]
        for looker in lookers:
            looker.start()
        try:
            for _ in range(100):
                with control_lock(tmp_path, "flyball up", now=NOON):
                    pass
        finally:
            stop.set()
            for looker in lookers:
                looker.join()

    def test_of_a_place_that_cannot_be_a_home_says_so(self, tmp_path):
        (tmp_path / "file").write_text("")
        with (
            pytest.raises(StorageUnavailable, match="cannot be written"),
            control_lock(tmp_path / "file" / "home", "flyball up", now=NOON),
        ):
            pass
