"""The log of shown lists while processes are killed and disks fill up."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from flyball.storage.served import FileServed
from flyball.telemetry.served import ServedRecorder
from flyball.testing.builders import NOON, a_list
from flyball.testing.fakes import ManualClock

WRITER = textwrap.dedent(
    """
    import itertools, os, sys
    from datetime import timedelta
    from pathlib import Path
    from flyball.storage.served import FileServed
    from flyball.testing.builders import NOON, a_list
    from flyball.testing.fakes import ManualClock
    clock = ManualClock(NOON)
    served = FileServed(Path(sys.argv[1]), keep=timedelta(1), limit=10**9, clock=clock)
    for batch in itertools.count():
        ids = range(50 * batch, 50 * batch + 50)
        served.append([a_list(f"{n:09}", user_id=os.urandom(12).hex()) for n in ids])
        print(ids[-1], flush=True)
    """
)


def opened(folder: Path) -> FileServed:
    return FileServed(folder, keep=timedelta(days=1), limit=10**9, clock=ManualClock(NOON))


def read(folder: Path) -> list[int]:
    """The numbers of the lists that can be read, sorted."""
    found = opened(folder).read("games", since=NOON, until=NOON + timedelta(days=1))
    return [int(answer) for answer in found["recommendation_id"]]


@contextmanager
def writing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("batches", [1, 7, 40])
def test_kill_9_while_writing_leaves_every_whole_line_readable(tmp_path, batches):
    with writing(tmp_path) as process:
        assert process.stdout is not None
        written = [int(process.stdout.readline()) for _ in range(batches)]
        process.send_signal(signal.SIGKILL)
        written += [int(line) for line in process.stdout]
    found = read(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) > written[-1]
    successor = opened(tmp_path)
    successor.append([a_list("999999999")])
    successor.close()
    assert read(tmp_path) == [*found, 999_999_999]


def test_a_killed_writer_does_not_keep_others_from_forgetting(tmp_path):
    with writing(tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.wait()
    someone = opened(tmp_path).read("games", since=NOON, until=NOON + timedelta(1))["user_id"][0]
    before = len(read(tmp_path))
    assert opened(tmp_path).forget("games", someone) == 1
    assert len(read(tmp_path)) == before - 1


def test_a_full_disk_drops_lists_says_so_once_and_goes_on_when_there_is_space(small_disk):
    folder = small_disk("size=1m")
    served, dropped = opened(folder / "served"), []
    recorder = ServedRecorder(served, dropped.append)
    lists = iter(range(10**6))

    def show(count: int) -> None:
        for _ in range(count):
            recorder.note(a_list(f"{next(lists):09}", user_id="ada"))
        recorder.flush()

    show(100)
    filler = folder / "filler"
    with capture_logs() as logs:
        filler.write_bytes(bytes(shutil.disk_usage(folder).free))
        for _ in range(5):
            show(20_000)
        assert dropped
        filler.unlink()
        show(100)
    served.close()
    found = read(folder / "served")
    assert [line["event"] for line in logs] == [
        "what was shown cannot be written",
        "what was shown is written again",
    ]
    assert found[:100] == list(range(100))
    assert found[-100:] == list(range(100_100, 100_200))
    assert len(found) == len(set(found))
    assert len(found) + sum(dropped) >= 100_200
