"""How far a child's search has come, told to the run's record while the child works."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from flyball.domain.training import Run
from flyball.errors import StaleWrite, StorageUnavailable
from flyball.ports import Change, Records

PROGRESS_S = 1.0
"""Between two looks at the child's progress; the record is written at most so often."""


@contextmanager
def watched(records: Records, run: Run, lines: Path) -> Iterator[None]:
    """Raise ``Run.trials_done`` meanwhile, as the child's progress file ``lines`` grows."""
    over = threading.Event()
    args = (records, run, lines, over)
    thread = threading.Thread(target=_follow, args=args, name="training progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _follow(records: Records, run: Run, lines: Path, over: threading.Event) -> None:
    while not over.wait(PROGRESS_S):
        try:
            done = lines.read_bytes().count(b"\n")
        except OSError:
            continue  # the child has not begun it
        if done <= run.trials_done:
            continue
        after = replace(run, trials_done=done)
        try:
            records.commit([Change(value=after, replacing=run)])
        except (StaleWrite, StorageUnavailable):
            return  # progress is a courtesy; the run itself will say what is wrong
        run = after
